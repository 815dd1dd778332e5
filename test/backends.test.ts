import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { IncomingHttpHeaders } from 'node:http'
import { resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { parse, stringify } from 'yaml'
import { spanKey } from '../evidence/drills/balance.ts'
import { spanKeys } from '../evidence/drills/fault-proxy.ts'
import { nanosOf, type Span, traceRequest } from '../otlp/json.ts'
import packageJson from '../package.json' with { type: 'json' }
import type { Tick } from '../stack/backends/backend.ts'
import { BACKENDS, collectorFile, lacking, served } from '../stack/backends/backends.ts'
import { bootNative, haltNative } from '../stack/boot.ts'
import { verify } from '../stack/commands/verify.ts'
import { build } from '../stack/native.ts'
import { otlpSink } from '../stack/otlp-sink.ts'
import { ownFolder } from '../stack/own-folder.ts'
import { eventually, ownSettings, play, quiet, startStack } from '../stack/own-stack.ts'
import { portsOfItsOwn } from '../stack/ports.ts'
import { started } from '../stack/processes.ts'
import { pageOf, phoenixProjects, phoenixSpans } from '../stack/queries.ts'
import { startLimitMs } from '../stack/service.ts'
import { collectorArguments, collectorEnvironment } from '../stack/services.ts'
import { ROOT, type Settings, url } from '../stack/settings.ts'
import { OPENINFERENCE, OTHER } from '../vocabulary/attributes.ts'
import { sumOf } from '../workbench/collector.ts'
import { certificateIn } from './certificate.ts'
import { sendTo } from './collector.ts'

const KEEP_ALL = 'collector/policies/keep-everything.yaml'

const certificate = await certificateIn(ownFolder())

type Asked = Readonly<{ path: string; headers: IncomingHttpHeaders; body: Buffer; status: number; at: number }>

/** A server that takes OTLP and answers as it is told to; here it stands for one that cannot be had. */
async function standIn(tls?: typeof certificate) {
  const requests: Asked[] = []
  let answer: () => Readonly<{ status: number; retryAfter?: number }> = () => ({ status: 200 })
  const { url, close } = await otlpSink(
    (path, body, headers) => {
      const told = answer()
      requests.push({ path, headers, body, status: told.status, at: Date.now() })
      return told
    },
    tls && { cert: readFileSync(tls.cert), key: readFileSync(tls.key) },
  )
  /** The spans that were taken, each as often as it was. */
  const taken = () =>
    requests
      .filter(({ path, status }) => path.endsWith('/traces') && status < 300)
      .flatMap(({ body }) => spanKeys(body))
      .sort()
  return {
    url,
    requests,
    taken,
    answers: (next: typeof answer) => {
      answer = next
    },
    close,
  }
}
type StandIn = Awaited<ReturnType<typeof standIn>>

const post = (settings: Settings, path: string, body: unknown) => sendTo(url(settings, 'OTLP_HTTP_PORT'), path, body)

/** Sends traces of one span each, which are all kept, and answers their keys. */
async function send(settings: Settings, count: number): Promise<readonly string[]> {
  const spans = Array.from({ length: count }, () => ({
    traceId: randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    name: 'chat',
    startTimeUnixNano: `${Date.now()}000000`,
    endTimeUnixNano: `${Date.now() + 1}000000`,
  }))
  await post(settings, '/v1/traces', { resourceSpans: [{ scopeSpans: [{ spans }] }] })
  return spans.map(({ traceId, spanId }) => spanKey(traceId, spanId)).sort()
}

const counted = async (settings: Settings, name: string, backend: string) =>
  sumOf(await pageOf(settings), name, `exporter="otlp_http/${backend}"`)

describe('the files of backends', () => {
  const overlay = (name: string) => `collector/overlays/${name}.yaml`
  const files = BACKENDS.map(collectorFile)
  const subsets = Array.from({ length: 2 ** files.length }, (_, bits) => BACKENDS.filter((__, at) => bits & (1 << at)))
    .filter((chosen) => lacking(chosen) === undefined)
    .map((chosen) => chosen.map(collectorFile))
  const few = subsets.filter(({ length }) => length < 2 || length === files.length)
  const OVERLAYS = ['high-volume', 'record', 'token', 'tls'].map(overlay)
  const SHAPES: readonly (readonly string[])[] = [
    ...subsets,
    ...OVERLAYS.flatMap((one) => few.map((some) => [...some, one])),
    ...['high-volume', 'record'].map((one) => [...files, ...[one, 'token', 'tls'].map(overlay)]),
  ]
  const AT_ONCE = 4
  // Reading what is masked and what dialects mean takes most of a start, and a backend changes neither.
  const quickToRead = ownFolder()
  cpSync(resolve(ROOT, 'collector'), quickToRead, { recursive: true })
  writeFileSync(resolve(quickToRead, 'privacy/exact.yaml'), `- set(cache["text"], "")\n`)
  const dialects = resolve(quickToRead, 'dialects')
  for (const file of readdirSync(dialects).map((name) => resolve(dialects, name))) {
    const { context } = parse(readFileSync(file, 'utf8')) ?? {}
    if (context) writeFileSync(file, stringify({ context, statements: ['set(attributes["a"], 1)'] }))
  }

  /** Undefined when the collector takes data; else what it said. */
  async function refusal(settings: Settings, program: string, loaded: readonly string[]): Promise<string | undefined> {
    const own = { ...settings, ports: await portsOfItsOwn(), state: ownFolder() }
    const env = {
      ...collectorEnvironment(own),
      ...Object.assign({}, ...BACKENDS.map(({ environment }) => environment(own))),
      COLLECTOR_DIR: quickToRead,
      POLICY_FILE: resolve(ROOT, KEEP_ALL),
      RECORDING_FILE: resolve(own.state, 'live.jsonl'),
      OTLP_TOKEN: 'a-token-of-sixteen',
      OTLP_TLS_CERT: certificate.cert,
      OTLP_TLS_KEY: certificate.key,
    }
    const child = execa(program, collectorArguments(own, loaded), { env, extendEnv: false, all: true, reject: false })
    const health = url(own, 'COLLECTOR_HEALTH_PORT')
    try {
      // It answers 200 when every part has started; with high volume, nothing is said of that.
      for (const until = Date.now() + startLimitMs(settings); Date.now() < until; await sleep(50)) {
        if (child.exitCode !== null) break
        if (
          await fetch(health)
            .then(({ ok }) => ok)
            .catch(() => false)
        )
          return undefined
      }
    } finally {
      child.kill()
      await child
    }
    return (await child).all || 'nothing'
  }

  test('start in every combination, and with every overlay', async () => {
    const settings = await ownSettings({
      ...Object.assign({}, ...BACKENDS.map(({ needs }) => needs)),
      // Nothing is sent, and nothing may be.
      ...Object.fromEntries(BACKENDS.map(({ endpointVariable }) => [endpointVariable, 'https://127.0.0.1:1'])),
      OTLP_BACKEND_HEADERS: 'a=b',
    })
    const program = (await build(settings, ['collector'], quiet))('otelcol-woodland')
    const waiting = [...SHAPES]
    const refused: string[] = []
    const start = async () => {
      for (let shape = waiting.pop(); shape; shape = waiting.pop()) {
        const said = await refusal(settings, program, shape)
        if (said) refused.push(`${shape.join(' ') || 'config.yaml alone'}: ${said}`)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, start))
    assert.deepEqual(refused, [])
  })
})

describe('backends that are somewhere else', () => {
  const KEYS = { LANGFUSE_PUBLIC_KEY: 'pk-lf-5f1c2a', LANGFUSE_SECRET_KEY: 'sk-lf-9be07d41' }
  const BASIC = Buffer.from(`${KEYS.LANGFUSE_PUBLIC_KEY}:${KEYS.LANGFUSE_SECRET_KEY}`).toString('base64')
  const HEADERS = {
    name: 'value',
    other: 'a,b$c',
    'x-quoted': `"it's" = $\{env:HOME} \\n $$`,
    'x-number': '007',
    'x-api-key': 'vk-72aa16e3',
  }
  const ATTEMPT_S = 2
  let settings: Settings
  let langfuse: StandIn
  let vendor: StandIn
  /** What each is to have when all is well again. */
  const due = { langfuse: [] as string[], otlp: [] as string[] }

  const boot = (env: Readonly<Record<string, string>>) =>
    bootNative({ ...settings, env: { ...settings.env, ...env } }, { policy: KEEP_ALL, only: ['collector'], ...quiet })
  const has = (server: StandIn, keys: readonly string[]) =>
    eventually(async () => assert.deepEqual(server.taken(), [...keys].sort()))
  const sendToBoth = async (count: number) => {
    const keys = await send(settings, count)
    due.langfuse.push(...keys)
    due.otlp.push(...keys)
    return keys
  }

  before(async () => {
    langfuse = await standIn()
    vendor = await standIn(certificate)
    const written = Object.entries(HEADERS).map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    settings = await ownSettings({
      ...{ BACKENDS: 'langfuse,otlp', LANGFUSE_HOST: langfuse.url, ...KEYS },
      ...{ OTLP_BACKEND_ENDPOINT: vendor.url, OTLP_BACKEND_HEADERS: `${written.join()}` },
    })
    delete (settings.env as Record<string, string>).SSL_CERT_FILE
    await boot({})
  })
  after(async () => {
    await haltNative(settings, quiet.say)
    for (const server of [langfuse, vendor]) server.close()
  })

  test('a server whose certificate is not trusted gets nothing, and the queue holds it until it is', async () => {
    const keys = await sendToBoth(12)
    await has(langfuse, keys)
    await eventually(async () => {
      const log = readFileSync(resolve(settings.state, 'logs/collector.log'), 'utf8')
      assert.match(log, /otlp_http\/otlp.*certificate signed by unknown authority/)
    })
    assert.deepEqual(vendor.requests, [])
    assert.ok((await counted(settings, 'otelcol_exporter_queue_size', 'otlp')) > 0, 'they wait')
    assert.equal(await counted(settings, 'otelcol_exporter_send_failed_spans', 'otlp'), 0)
    await haltNative(settings, quiet.say)
    await boot({ SSL_CERT_FILE: certificate.cert })
    await has(vendor, keys)
  })

  test('Langfuse is sent protobuf in gzip, to its path, with its headers', () => {
    assert.ok(langfuse.requests.length > 0)
    for (const { path, headers, body } of langfuse.requests) {
      assert.equal(path, '/api/public/otel/v1/traces')
      assert.equal(headers.authorization, `Basic ${BASIC}`)
      assert.equal(headers['x-langfuse-ingestion-version'], '4')
      assert.equal(headers['content-type'], 'application/x-protobuf')
      assert.equal(headers['content-encoding'], 'gzip')
      assert.ok(spanKeys(body).every((key) => due.langfuse.includes(key)))
    }
  })

  test('any other server is sent traces and metrics over TLS, with every header as it was meant', async () => {
    const name = 'gen_ai.client.calls.of.a.test'
    const [at, sum] = [`${Date.now()}000000`, { aggregationTemporality: 2, isMonotonic: true }]
    const metrics = [{ name, sum: { ...sum, dataPoints: [{ asInt: '3', startTimeUnixNano: at, timeUnixNano: at }] } }]
    await post(settings, '/v1/metrics', { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] })
    await eventually(async () =>
      assert.ok(vendor.requests.some(({ path, body }) => path === '/v1/metrics' && body.includes(name))),
    )
    assert.deepEqual(new Set(vendor.requests.map(({ path }) => path)), new Set(['/v1/traces', '/v1/metrics']))
    for (const { headers } of vendor.requests) {
      for (const [header, value] of Object.entries(HEADERS)) assert.equal(headers[header], value, header)
      assert.equal(headers['content-type'], 'application/x-protobuf')
      assert.equal(headers['content-encoding'], 'gzip')
    }
  })

  for (const status of [401, 500])
    test(`what Langfuse answers ${status} to is given up and counted, and the other backend gets all`, async () => {
      const failed = await counted(settings, 'otelcol_exporter_send_failed_spans', 'langfuse')
      langfuse.answers(() => ({ status }))
      const keys = await send(settings, 7)
      due.otlp.push(...keys)
      await eventually(async () => {
        const now = await counted(settings, 'otelcol_exporter_send_failed_spans', 'langfuse')
        assert.equal(now - failed, keys.length)
      })
      await has(vendor, due.otlp)
      langfuse.answers(() => ({ status: 200 }))
      await sendToBoth(3)
      await Promise.all([has(langfuse, due.langfuse), has(vendor, due.otlp)])
      assert.equal(await counted(settings, 'otelcol_exporter_send_failed_spans', 'otlp'), 0)
    })

  for (const status of [429, 503])
    test(`what Langfuse answers ${status} to is sent again when it asks for it, and nothing is lost`, async () => {
      const failed = await counted(settings, 'otelcol_exporter_send_failed_spans', 'langfuse')
      let refusals = 2
      langfuse.answers(() => (refusals-- > 0 ? { status, retryAfter: ATTEMPT_S } : { status: 200 }))
      await sendToBoth(9)
      await Promise.all([has(langfuse, due.langfuse), has(vendor, due.otlp)])
      const [first, second, third] = langfuse.requests.slice(-3)
      assert.deepEqual([first?.status, second?.status, third?.status], [status, status, 200])
      assert.ok((second?.at ?? 0) - (first?.at ?? 0) >= ATTEMPT_S * 1000, 'not before the time that it named')
      assert.equal(await counted(settings, 'otelcol_exporter_send_failed_spans', 'langfuse'), failed)
    })

  test('no secret is in a file, a log, an argument or an answer of the collector', async () => {
    const secrets = [
      BASIC,
      KEYS.LANGFUSE_SECRET_KEY,
      HEADERS['x-api-key'],
      HEADERS.other,
      encodeURIComponent(HEADERS.other),
    ]
    const { stdout } = await execa('ps', ['-eo', 'args'])
    const page = await pageOf(settings)
    const places = new Map([
      ['arguments', stdout],
      ['metrics', page],
    ])
    await haltNative(settings, quiet.say)
    for (const entry of readdirSync(settings.state, { recursive: true, withFileTypes: true })) {
      const path = resolve(entry.parentPath, entry.name)
      if (entry.isFile()) places.set(path, readFileSync(path, 'latin1'))
    }
    assert.ok([...places.keys()].some((path) => path.endsWith('logs/collector.log')))
    assert.ok([...places.keys()].some((path) => path.includes('data/collector/')))
    for (const [place, text] of places)
      for (const secret of secrets) assert.ok(!text.includes(secret), `${secret.slice(0, 3)}… is in ${place}`)
  })

  test('a missing variable is refused before anything is started', async () => {
    await haltNative(settings, quiet.say)
    for (const [env, message] of [
      [{ BACKENDS: 'tempo,langfuse', LANGFUSE_SECRET_KEY: '' }, /^Error: LANGFUSE_SECRET_KEY is not set/],
      [{ BACKENDS: 'otlp,jeager' }, /^Error: BACKENDS=otlp,jeager: there is no backend "jeager"/],
      [{ OTLP_BACKEND_HEADERS: 'vk-72aa16e3' }, /^Error: OTLP_BACKEND_HEADERS: header 1 has no name or no value/],
    ] as const) {
      await assert.rejects(boot(env), message)
      assert.deepEqual(started(settings), [])
    }
  })
})

describe('three real backends and one elsewhere', () => {
  const here = served(BACKENDS)
  const ids = here.map(({ id }) => id)
  let settings: Settings
  let elsewhere: StandIn
  let tick: Tick
  /** Without those of the model server. */
  let sent: number

  /** The spans of the tick as they were handed on: the stand-in holds what it takes. */
  const keysOfTick = () => elsewhere.taken().filter((key) => key.startsWith(tick.trace))
  const showsAll = async ({ server, title }: (typeof here)[number]) => {
    const shown = await server.shows(settings, tick)
    assert.ok(keysOfTick().length > sent, 'those of the model server are among them')
    assert.equal(shown?.spans, keysOfTick().length, title)
  }

  before(async () => {
    elsewhere = await standIn()
    settings = await ownSettings({
      ...{ BACKENDS: [...ids, 'otlp'].join(), OTLP_BACKEND_ENDPOINT: elsewhere.url },
      // At the pace of the clock: a busy machine would make a faster tick time out, and Phoenix would wait for its calls.
      ...{ VLLM_PRESET: 'calm' },
    })
    await startStack(settings, KEEP_ALL, [...ids, 'prometheus', 'collector', 'mock-vllm'])
    const { id, entries, spans } = await play(settings, '--ticks', '1', '--seed', '7')
    const trace = entries.find((entry) => entry.kind === 'tick')?.trace ?? ''
    const agents = entries.flatMap((entry) => (entry.kind === 'turn' ? [entry.agent] : []))
    tick = { run: id, trace, agents, project: packageJson.name }
    sent = spans
  })
  after(async () => {
    await haltNative(settings, quiet.say)
    elsewhere.close()
  })

  test('a tick is in each of them with all of its spans, once', async () => {
    assert.ok(sent > 10)
    await Promise.all(here.map((backend) => eventually(() => showsAll(backend))))
    const keys = keysOfTick()
    assert.equal(new Set(keys).size, keys.length)
    for (const { server, title } of here) {
      const stored = await server.stored(settings)(keys)
      for (const key of keys) assert.equal(stored.get(key), 1, `${title}: ${key}`)
    }
  })

  test('make verify follows a tick to all of them, and tells what was taken elsewhere from what was before', async () => {
    const said: string[] = []
    const before = elsewhere.taken().length
    await verify(settings, { ...quiet, say: (line) => void said.push(line) })
    for (const { title } of here)
      assert.ok(
        said.some((line) => line.startsWith(`ok   ${title} `)),
        said.join('\n'),
      )
    const taken = Number(/^ok {3}OTLP took (\d+) spans; look there for the rest$/m.exec(said.join('\n'))?.[1])
    assert.equal(taken, elsewhere.taken().length - before)
  })

  test('Phoenix has a trace of two services in the project of its root, though the other service came first', async () => {
    const traceId = randomBytes(16).toString('hex')
    const [root, server] = [randomBytes(8).toString('hex'), randomBytes(8).toString('hex')]
    const send = async (project: string, span: Partial<Span>) => {
      const at = { startTimeUnixNano: nanosOf(Date.now() - 10), endTimeUnixNano: nanosOf(Date.now()) }
      const resource = { [OTHER.SERVICE_NAME]: project, [OPENINFERENCE.PROJECT]: project }
      const body = traceRequest([{ traceId, name: 'step', ...at, ...span } as Span], { resource })
      await post(settings, '/v1/traces', body)
    }
    await send('the-server', { spanId: server, parentSpanId: root })
    await send('the-agent', { spanId: root })
    await eventually(async () => {
      const shown = await phoenixSpans(settings, 'the-agent', traceId)
      assert.deepEqual(shown.map(({ context }) => context.span_id).sort(), [root, server].sort())
    })
    assert.ok(!(await phoenixProjects(settings)).includes('the-server'))
  })

  test('make verify says when a backend elsewhere refuses the tick, though it took others before', async () => {
    elsewhere.answers(() => ({ status: 401 }))
    await assert.rejects(verify(settings, quiet), /^Error: BAD {2}OTLP refused \d+ spans, .*make logs S=collector/)
  })

  test('what is in Jaeger is there after a stop and a start', async () => {
    await haltNative(settings, quiet.say)
    await bootNative(settings, { policy: KEEP_ALL, only: ['jaeger'], ...quiet })
    const jaeger = here.find(({ id }) => id === 'jaeger') ?? assert.fail()
    await eventually(() => showsAll(jaeger))
  })
})
