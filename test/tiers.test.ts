import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startTiers } from '../evidence/tiers/processes.ts'
import { compared, KEPT_TO_FILE, keptIn } from '../evidence/tiers/verdicts.ts'
import { type Labelled, makeTrace, makeTraffic, requestOf } from '../evidence/traffic.ts'
import type { Span } from '../otlp/json.ts'
import { postOtlp } from '../otlp/post.ts'
import { randomOf } from '../random/random.ts'
import { bootNative, haltNative, reloadCollector, statusNative } from '../stack/boot.ts'
import { launcherFor, tiersLauncher } from '../stack/collectors.ts'
import { reload, upSince } from '../stack/commands/reload.ts'
import { verify } from '../stack/commands/verify.ts'
import { ownFolder } from '../stack/own-folder.ts'
import { eventually, ownSettings, quiet, startStack } from '../stack/own-stack.ts'
import { activePolicy, SHIPPED_POLICY } from '../stack/policy.ts'
import { freePorts } from '../stack/ports.ts'
import { runningPid, signal } from '../stack/processes.ts'
import { prometheus } from '../stack/queries.ts'
import { ROOT, type Settings, url } from '../stack/settings.ts'
import { collectors, judges } from '../stack/tiers.ts'
import { COMMITTED_RECORDING } from '../stack/workbench.ts'
import { COLLECTOR } from '../vocabulary/attributes.ts'
import { type Launcher, type Running, startCollector, sumOf } from '../workbench/collector.ts'
import { startPosting } from '../workbench/post.ts'
import type { Request } from '../workbench/recording.ts'
import { SHORTEST_WAITS_SPEED } from '../workbench/replay.ts'

const KEEP_ALL = 'collector/policies/keep-everything.yaml'

describe('two gateways and three samplers', () => {
  const sink = join(ownFolder(), 'sink.yaml')
  let launcher: Launcher
  let plain: Launcher

  before(async () => {
    writeFileSync(sink, KEPT_TO_FILE)
    const settings = await ownSettings()
    launcher = await tiersLauncher(settings, quiet)
    plain = await launcherFor(settings, quiet, 'native')
  })

  /** The two ways in which a gateway waits for a sampler. */
  const OWN_QUEUES = { SAMPLER_QUEUES: 'true' }
  const ONE_QUEUE = { SAMPLER_PATIENCE: '60s' }

  type Env = Readonly<Record<string, string>>
  const judgingBy = (list: string, root: string, afterRoot: string): Env => ({
    POLICY_FILE: resolve(ROOT, list),
    DECISION_WAIT: root,
    DECISION_WAIT_AFTER_ROOT: afterRoot,
  })
  /** A Collector that writes what it keeps to a file of its own. */
  async function judging(by: Launcher, env: Env, ...overlays: readonly string[]) {
    const folder = ownFolder()
    const file = join(folder, 'kept.jsonl')
    const running = await startCollector(by, {
      folder,
      overlays: [sink, ...overlays],
      env: { KEPT_FILE: file, ...env },
    })
    return { ...running, file }
  }

  async function tiers(env: Env, gatewayEnv: Env = OWN_QUEUES) {
    const folder = ownFolder()
    const files = [0, 1, 2].map((index) => join(folder, `kept-${index}.jsonl`))
    const { gateways, samplers } = await startTiers(launcher, {
      ...{ folder, gateways: 2, samplers: 3, env, gatewayEnv, samplerFiles: [sink] },
      samplerEnv: (index) => ({ KEPT_FILE: files[index] ?? '' }),
    })
    return { files, samplers, gateways: gateways.map(({ now }) => now()) }
  }

  /** Sends request after request, to one gateway after the other. */
  async function send(to: readonly Running[], requests: readonly Request[]) {
    const posting = to.map(({ otlp }) => startPosting(`${otlp}/v1/traces`, 4))
    const IN_FLIGHT = 8
    for (let from = 0; from < requests.length; from += IN_FLIGHT) {
      const some = requests.slice(from, from + IN_FLIGHT)
      const answers = await Promise.all(
        some.map(({ body }, index) => posting[(from + index) % to.length]?.post(body) ?? assert.fail()),
      )
      for (const answer of answers) assert.ok('status' in answer && answer.status === 200, JSON.stringify(answer))
    }
    await Promise.all(posting.map(({ stop }) => stop()))
  }

  const counter = async ({ metrics }: Running, name: string) => sumOf(await metrics(), name)
  const held = (one: Running) => counter(one, 'otelcol_processor_tail_sampling_sampling_traces_on_memory')
  const accepted = (one: Running) => counter(one, 'otelcol_receiver_accepted_spans')
  const counted = async ({ counted: page }: Running) => sumOf(await page(), 'traces_span_metrics_calls_total')

  test('give the same verdicts as one Collector, split no trace, and count every span once', async () => {
    const traffic = { seed: 7, mustKeep: 1200, perSecond: 1500, speed: SHORTEST_WAITS_SPEED }
    const labelled: Labelled[] = []
    const requests: Request[] = []
    for await (const request of makeTraffic(traffic, (trace) => void labelled.push(trace))) requests.push(request)
    // Longer than the sending, on a slow machine too: a trace that is judged before all of it came may get another verdict.
    const env = judgingBy(SHIPPED_POLICY, '120s', '60s')

    const one = await judging(plain, env)
    await send([one], requests)
    const { files, samplers: members, gateways } = await tiers(env)
    const samplers = members.map(({ now }) => now())
    await send(gateways, requests)
    const sent = labelled.reduce((sum, { spans }) => sum + spans, 0)
    const sumOver = async (some: readonly Running[], ask: (one: Running) => Promise<number>) =>
      (await Promise.all(some.map(ask))).reduce((sum, part) => sum + part)
    await eventually(async () => assert.equal(await sumOver(samplers, accepted), sent))
    // Some senders have sampled already, and count more than once: so the count of one Collector is what is compared.
    await eventually(async () => {
      const counts = await counted(one)
      assert.ok(counts >= sent)
      assert.equal(await sumOver(gateways, counted), counts)
    })
    for (const gateway of gateways) {
      assert.ok((await counted(gateway)) > sent / 4, 'both gateways took a share')
      assert.match(await gateway.counted(), /traces_span_metrics_calls_total\{collector="gateway-\d",/)
    }
    assert.equal(await sumOver(samplers, counted), 0, 'samplers count only what they keep')
    await Promise.all(gateways.map(({ stop }) => stop()))
    await Promise.all([one, ...samplers].map(({ stop }) => stop()))

    const found = compared(labelled, await keptIn(one.file), await Promise.all(files.map(keptIn)))
    assert.ok(found.mustKeep >= 1200 && found.traces > found.mustKeep)
    assert.ok(found.byOne >= found.mustKeep && found.byOne < found.traces)
    assert.ok(found.leastShare > 1 / 6, 'each sampler judged a share')
    assert.deepEqual(
      [found.split, found.different],
      [0, 0],
      'judged by two samplers, or otherwise than by one Collector',
    )
  })

  async function killed(way: Env) {
    const TRACES = 240
    const { files, samplers, gateways } = await tiers(judgingBy(KEEP_ALL, '120s', '1s'), way)
    const traces = Array.from({ length: 3 * TRACES }, (_, index) => makeTrace('routine', randomOf(11, index)).spans)
    const isRoot = (span: Span) => span.parentSpanId === undefined
    const judged = traces.slice(0, TRACES)
    /** Without their roots, they wait. */
    const waiting = traces.slice(TRACES, 2 * TRACES).map((spans) => spans.filter((span) => !isRoot(span)))
    const later = traces.slice(2 * TRACES)
    const inRequests = (some: readonly (readonly Span[])[]) =>
      Array.from({ length: some.length / 10 }, (_, index) =>
        requestOf(0, some.slice(index * 10, index * 10 + 10).flat()),
      )
    const kept = () => Promise.all(files.map(keptIn))
    /** How many are not stored, or not with each of their spans once. */
    const lost = async (some: readonly (readonly Span[])[]) => {
      const all = new Map((await kept()).flatMap((of) => [...of]))
      return some.filter((spans) => {
        const found = all.get(spans[0]?.traceId ?? '')
        return found?.policy !== 'keep-everything' || found.spans !== spans.length
      }).length
    }

    await send(gateways, inRequests(judged))
    await eventually(async () => assert.equal(await lost(judged), 0))
    await send(gateways, inRequests(waiting))
    await eventually(async () => {
      const holding = await Promise.all(samplers.map(({ now }) => held(now())))
      assert.equal(
        holding.reduce((sum, part) => sum + part),
        TRACES,
      )
    })
    const [, victim] = samplers
    assert.ok(victim)
    const inItsHands = await held(victim.now())
    assert.ok(inItsHands > TRACES / 6)
    await victim.now().kill()

    // Gateways answer at once, and hold what is for that sampler until it is there again.
    await send(gateways, inRequests(later))
    await victim.start()
    await eventually(async () => assert.equal(await lost(later), 0))
    await Promise.all(gateways.map(({ stop }) => stop()))
    for (const { now } of samplers) await now().stop()

    assert.deepEqual([await lost(judged), await lost(waiting), await lost(later)], [0, inItsHands, 0])
    const ids = (await kept()).flatMap((of) => [...of.keys()])
    assert.equal(ids.length, new Set(ids).size, 'no trace was judged twice')
  }

  for (const [name, way] of Object.entries({ 'a queue for each sampler': OWN_QUEUES, 'one queue': ONE_QUEUE }))
    test(`with ${name}, a killed sampler loses what it had not judged, and nothing else, when it is back on its address`, () =>
      killed(way))

  describe('what is wrong in a gateway is refused at its start, or counted', () => {
    const gateway = (env: Env) =>
      startCollector(launcher, {
        folder: ownFolder(),
        overlays: ['collector/overlays/gateway.yaml'],
        env: { POLICY_FILE: resolve(ROOT, KEEP_ALL), COLLECTOR_NAME: 'gateway-1', ...env },
      })
    const call = requestOf(0, makeTrace('routine', randomOf(3, 1)).spans)
    const failed = (one: Running) => counter(one, 'otelcol_exporter_send_failed_spans')

    test('an empty list of samplers', async () => {
      await assert.rejects(gateway({ SAMPLERS: '{"static": {"hostnames": []}}' }), /no endpoints specified/)
    })

    test('a name that leads to no sampler: spans wait in the queue, which an alert watches', async () => {
      const one = await gateway({ SAMPLERS: '{"dns": {"hostname": "nobody.invalid", "interval": "1s"}}' })
      await send([one], [call])
      await eventually(async () => assert.ok((await counter(one, 'otelcol_loadbalancer_num_resolutions')) > 1))
      assert.equal(await counter(one, 'otelcol_exporter_sent_spans'), 0)
      assert.equal(await failed(one), 0)
      await one.kill()
    })

    test('another token than that of the samplers: spans are counted as failed, and an alert fires', async () => {
      const [port = 0] = await freePorts(1)
      const own = { OTLP_GRPC_PORT: String(port), COLLECTOR_NAME: 'sampler-1', OTLP_TOKEN: 'a-token-of-sixteen' }
      const judge = await judging(
        launcher,
        { ...judgingBy(KEEP_ALL, '30s', '1s'), ...own },
        ...['token', 'sampler'].map((name) => `collector/overlays/${name}.yaml`),
      )
      const hostnames = [`127.0.0.1:${port}`]
      const one = await gateway({
        SAMPLERS: JSON.stringify({ static: { hostnames } }),
        OTLP_TOKEN: 'another-token-here',
      })
      await send([one], [call])
      await eventually(async () => assert.equal(await failed(one), call.spans.length))
      await one.stop()
      await judge.stop()
      assert.equal((await keptIn(judge.file)).size, 0)
    })
  })
})

describe('make up TIERS=2x3', () => {
  let settings: Settings
  let end: () => Promise<void>
  const only = ['tempo', 'prometheus', 'collector']

  before(async () => {
    settings = await ownSettings({ TIERS: '2x3', BACKENDS: 'tempo', OTLP_TOKEN: 'a-token-of-sixteen' })
    end = await startStack(settings, SHIPPED_POLICY, only)
  })
  after(() => end?.())

  const inForce = () => readFileSync(activePolicy(settings), 'utf8')

  test('verify finds its tick in Tempo and its metrics in Prometheus, and a token is asked for at every door', async () => {
    const said: string[] = []
    await verify(settings, { ...quiet, say: (line) => void said.push(line) })
    assert.match(said.join('\n'), /ok {3}Tempo .*\nok {3}Prometheus counts tokens of /)
    for (const { name, settings: own } of collectors(settings)) {
      const answer = await postOtlp(url(own, 'OTLP_HTTP_PORT', '/v1/traces'), {})
      assert.equal(answer.status, 401, name)
    }
  })

  test('Prometheus has the pages of all five, and the counts of each gateway under its name', async () => {
    await eventually(async () => {
      const pages = await prometheus(settings, 'sum by (job) (up{job=~"agents|counted|collector"})')
      assert.deepEqual(
        pages.map(({ value }) => value),
        [5, 5, 5],
      )
      const by = await prometheus(settings, `count by (${COLLECTOR.NAME}) (traces_span_metrics_calls_total)`)
      assert.deepEqual(
        by.map(({ labels }) => labels[COLLECTOR.NAME]),
        ['gateway-1'],
      )
      const waiting = `count by (${COLLECTOR.NAME}) (otelcol_processor_tail_sampling_sampling_traces_on_memory)`
      const names = (await prometheus(settings, waiting)).map(({ labels }) => labels[COLLECTOR.NAME])
      assert.deepEqual(names.sort(), ['sampler-1', 'sampler-2', 'sampler-3'])
    })
  })

  test('reload puts a list in force in all samplers; when one ends, in none', async () => {
    const launcher = await launcherFor(settings, quiet, 'native')
    const said: string[] = []
    const ask = {
      recording: COMMITTED_RECORDING,
      launcher: { ...launcher, say: (line: string) => void said.push(line) },
    }
    const times = () => Promise.all(judges(settings).map(upSince))
    const before = await times()
    await reload(settings, { ...ask, policy: KEEP_ALL, tell: (name) => reloadCollector(settings, name) })
    assert.match(said.join('\n'), /collector {3}all 3 samplers use it, ready again/)
    const now = await times()
    for (const [index, time] of now.entries()) assert.notEqual(time, before[index])

    const told: string[] = []
    const deadly = async (name: string) => {
      told.push(name)
      const lastWords = await reloadCollector(settings, name)
      if (name === 'sampler-2') signal(runningPid(settings, name) ?? 0, 'SIGKILL')
      return lastWords
    }
    await assert.rejects(
      reload(settings, { ...ask, policy: SHIPPED_POLICY, tell: deadly }),
      /^Error: sampler-2 ended when it reloaded\. [\s\S]*The list before is in force again\. To start what ended with it: make up$/,
    )
    assert.equal(inForce(), readFileSync(resolve(ROOT, KEEP_ALL), 'utf8'))
    assert.deepEqual(told.slice(0, 3), ['sampler-1', 'sampler-2', 'sampler-3'])
    // Those that are left are told at the same time.
    assert.deepEqual(told.slice(3).sort(), ['sampler-1', 'sampler-3'])
  })

  test('make up again starts the sampler that ended, with the list of the others', async () => {
    await bootNative(settings, { policy: SHIPPED_POLICY, only, ...quiet })
    const rows = (await statusNative(settings)).filter(({ name }) => /^(gateway|sampler)/.test(name))
    assert.equal(rows.length, 5)
    for (const { name, state } of rows) assert.match(state, /^running \(pid \d+\)$/, name)
    assert.equal(inForce(), readFileSync(resolve(ROOT, KEEP_ALL), 'utf8'))
  })

  test('down stops gateways before samplers', async () => {
    const said: string[] = []
    await haltNative(settings, (line) => void said.push(line.trim().split(' ')[0] ?? ''))
    const place = (tier: string) => said.flatMap((name, index) => (name.startsWith(tier) ? [index] : []))
    assert.equal(place('gateway').length + place('sampler').length, 5)
    assert.ok(Math.max(...place('gateway')) < Math.min(...place('sampler')))
  })
})
