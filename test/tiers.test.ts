import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { KEPT_TO_FILE } from '../evidence/tiers/verdicts.ts'
import { makeTrace, makeTraffic, requestOf } from '../evidence/traffic.ts'
import type { Span, TraceRequest } from '../otlp/json.ts'
import { plainSpans } from '../otlp/plain.ts'
import { postOtlp } from '../otlp/post.ts'
import { randomOf } from '../random/random.ts'
import { bootNative, haltNative, reloadCollector, statusNative } from '../stack/boot.ts'
import { launcherFor } from '../stack/collectors.ts'
import { reload } from '../stack/commands/reload.ts'
import { verify } from '../stack/commands/verify.ts'
import { build } from '../stack/native.ts'
import { eventually, ownSettings, quiet, startStack } from '../stack/own-stack.ts'
import { activePolicy, SHIPPED_POLICY } from '../stack/policy.ts'
import { freePorts } from '../stack/ports.ts'
import { runningPid, signal } from '../stack/processes.ts'
import { prometheus } from '../stack/queries.ts'
import { collectorArguments, collectorEnvironment } from '../stack/services.ts'
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
  let settings: Settings
  let folder: string
  let launcher: Launcher
  let plain: Launcher
  let count = 0

  before(async () => {
    settings = await ownSettings()
    folder = mkdtempSync(join(tmpdir(), 'wood-tiers-'))
    writeFileSync(join(folder, 'sink.yaml'), KEPT_TO_FILE)
    const program = (await build(settings, ['collector-tiers'], quiet))('otelcol-tiers')
    plain = await launcherFor(settings, quiet, 'native')
    const args = (overlays: readonly string[]) => collectorArguments(settings, overlays)
    launcher = {
      ...plain,
      collector: (_, overlays, env) => ({
        file: program,
        args: args(overlays),
        env: { ...collectorEnvironment(settings), ...env },
      }),
    }
  })
  after(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  /** The two ways in which a gateway waits for a sampler. */
  const OWN_QUEUES = { SAMPLER_QUEUES: 'true' }
  const ONE_QUEUE = { SAMPLER_PATIENCE: '60s' }

  type Waits = Readonly<{ root: string; afterRoot: string }>
  /** A Collector that writes what it keeps to a file of its own. */
  async function judging(list: string, waits: Waits, { overlays = [] as string[], env = {}, by = launcher } = {}) {
    const own = join(folder, `judge-${++count}`)
    mkdirSync(own)
    const file = join(own, 'kept.jsonl')
    const running = await startCollector(by, {
      folder: own,
      overlays: [join(folder, 'sink.yaml'), ...overlays],
      env: {
        KEPT_FILE: file,
        POLICY_FILE: resolve(ROOT, list),
        DECISION_WAIT: waits.root,
        DECISION_WAIT_AFTER_ROOT: waits.afterRoot,
        ...env,
      },
    })
    return { ...running, file }
  }

  const sampler = (list: string, waits: Waits, port: number) =>
    judging(list, waits, {
      overlays: ['collector/overlays/sampler.yaml'],
      env: { OTLP_GRPC_PORT: String(port), COLLECTOR_NAME: `sampler-${port}` },
    })

  async function tiers(list: string, waits: Waits, waiting: Readonly<Record<string, string>> = OWN_QUEUES) {
    const ports = await freePorts(3)
    const samplers = await Promise.all(ports.map((port) => sampler(list, waits, port)))
    const gateway = (name: string) => {
      const own = join(folder, `${name}-${++count}`)
      mkdirSync(own)
      return startCollector(launcher, {
        folder: own,
        overlays: ['collector/overlays/gateway.yaml'],
        env: {
          POLICY_FILE: resolve(ROOT, list),
          COLLECTOR_NAME: name,
          SAMPLERS: JSON.stringify({ static: { hostnames: ports.map((port) => `127.0.0.1:${port}`) } }),
          ...waiting,
        },
      })
    }
    return { ports, samplers, gateways: await Promise.all([gateway('gateway-1'), gateway('gateway-2')]) }
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

  /** The policy and the number of spans of each kept trace, by file. */
  function keptIn(file: string): ReadonlyMap<string, string> {
    const kept = new Map<string, { policy: string; spans: number }>()
    const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []
    for (const line of lines)
      for (const { traceId, scope } of plainSpans(JSON.parse(line) as TraceRequest)) {
        const own = kept.get(traceId) ?? { policy: String(scope[COLLECTOR.POLICY]), spans: 0 }
        kept.set(traceId, { ...own, spans: own.spans + 1 })
      }
    return new Map([...kept].map(([id, { policy, spans }]) => [id, `${policy}, ${spans} spans`]))
  }

  const counter = async ({ metrics }: Running, name: string) => sumOf(await metrics(), name)
  const held = (one: Running) => counter(one, 'otelcol_processor_tail_sampling_sampling_traces_on_memory')
  const accepted = (one: Running) => counter(one, 'otelcol_receiver_accepted_spans')
  const counted = async ({ counted: page }: Running) => sumOf(await page(), 'traces_span_metrics_calls_total')

  test('give the same verdicts as one Collector, split no trace, and count every span once', async () => {
    const traffic = { seed: 7, mustKeep: 1200, perSecond: 1500, speed: SHORTEST_WAITS_SPEED }
    const labelled: { id: string; kind: string; spans: number }[] = []
    const requests: Request[] = []
    for await (const request of makeTraffic(traffic, (trace) => void labelled.push(trace))) requests.push(request)
    const waits = { root: '30s', afterRoot: '6s' }

    const one = await judging(SHIPPED_POLICY, waits, { by: plain })
    await send([one], requests)
    const { samplers, gateways } = await tiers(SHIPPED_POLICY, waits)
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

    const expected = keptIn(one.file)
    const mustKeep = labelled.filter(({ kind }) => kind !== 'routine')
    assert.ok(mustKeep.length >= 1200 && labelled.length > mustKeep.length)
    assert.ok(expected.size >= mustKeep.length && expected.size < labelled.length)
    const files = samplers.map(({ file }) => keptIn(file))
    for (const file of files) assert.ok(file.size > expected.size / 6, 'each sampler judged a share')
    const found = new Map(files.flatMap((file) => [...file]))
    assert.equal(
      files.reduce((sum, { size }) => sum + size, 0),
      found.size,
      'no trace was judged by two samplers',
    )
    assert.deepEqual([...found].sort(), [...expected].sort())
  })

  async function killed(way: Readonly<Record<string, string>>) {
    const TRACES = 240
    const waits = { root: '120s', afterRoot: '1s' }
    const { ports, samplers, gateways } = await tiers(KEEP_ALL, waits, way)
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
    const all = () => new Map(files.flatMap((file) => [...keptIn(file)]))
    const files = samplers.map(({ file }) => file)
    const lost = (some: readonly (readonly Span[])[]) => {
      const kept = all()
      return some.filter((spans) => kept.get(spans[0]?.traceId ?? '') !== `keep-everything, ${spans.length} spans`)
    }

    await send(gateways, inRequests(judged))
    await eventually(async () => assert.equal(lost(judged).length, 0))
    await send(gateways, inRequests(waiting))
    await eventually(async () => {
      const holding = await Promise.all(samplers.map(held))
      assert.equal(
        holding.reduce((sum, part) => sum + part),
        TRACES,
      )
    })
    const [, victim] = samplers
    assert.ok(victim)
    const inItsHands = await held(victim)
    assert.ok(inItsHands > TRACES / 6)
    await victim.kill()

    // Gateways answer at once, and hold what is for that sampler until it is there again.
    await send(gateways, inRequests(later))
    const back = await sampler(KEEP_ALL, waits, ports[1] ?? 0)
    files.push(back.file)
    await eventually(async () => assert.equal(lost(later).length, 0))
    await Promise.all(gateways.map(({ stop }) => stop()))
    for (const one of [samplers[0], samplers[2], back]) await one?.stop()

    assert.deepEqual([lost(judged).length, lost(waiting).length, lost(later).length], [0, inItsHands, 0])
    const places = files.map((file) => keptIn(file).size).reduce((sum, size) => sum + size)
    assert.equal(places, all().size, 'no trace was judged twice')
  }

  for (const [name, way] of Object.entries({ 'a queue for each sampler': OWN_QUEUES, 'one queue': ONE_QUEUE }))
    test(`with ${name}, a killed sampler loses what it had not judged, and nothing else, when it is back on its address`, () =>
      killed(way))

  describe('what is wrong in a gateway is refused at its start, or counted', () => {
    const gateway = async (env: Readonly<Record<string, string>>) => {
      const own = join(folder, `wrong-${++count}`)
      mkdirSync(own)
      const shared = { POLICY_FILE: resolve(ROOT, KEEP_ALL), COLLECTOR_NAME: 'gateway-1' }
      const overlays = ['collector/overlays/gateway.yaml']
      return startCollector(launcher, { folder: own, overlays, env: { ...shared, ...env } })
    }
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
      const judge = await judging(
        KEEP_ALL,
        { root: '30s', afterRoot: '1s' },
        {
          overlays: ['collector/overlays/token.yaml', 'collector/overlays/sampler.yaml'],
          env: { OTLP_GRPC_PORT: String(port), COLLECTOR_NAME: 'sampler-1', OTLP_TOKEN: 'a-token-of-sixteen' },
        },
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
      assert.equal(keptIn(judge.file).size, 0)
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
  const upSince = (one: { settings: Settings }) =>
    fetch(url(one.settings, 'COLLECTOR_HEALTH_PORT')).then(
      async (answer) => (await answer.json()) as { upSince: string },
    )

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
    const times = async () => (await Promise.all(judges(settings).map(upSince))).map(({ upSince }) => upSince)
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
