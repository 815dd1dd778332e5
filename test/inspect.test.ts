import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { readRecordings } from '../evidence/foreign/recordings.ts'
import {
  eachSpan,
  endOf,
  logsRequest,
  nanosOf,
  type Span,
  type TraceRequest,
  toAttributes,
  traceRequest,
} from '../otlp/json.ts'
import { counter, metricsRequest, number } from '../otlp/metrics.ts'
import { postOtlp } from '../otlp/post.ts'
import { type Random, randomOf } from '../random/random.ts'
import { phoenix } from '../stack/backends/phoenix.ts'
import { inspect, Unreachable } from '../stack/commands/inspect.ts'
import { eventually, ownSettings, play, quiet, startStack } from '../stack/own-stack.ts'
import { prometheus, tempoSearch } from '../stack/queries.ts'
import { portVariables, type Settings, url } from '../stack/settings.ts'
import { UserError } from '../workbench/user-error.ts'
import { main, sendTo } from './collector.ts'

/** More lines than this are not read. */
const LONGEST = 40
const SIMULATOR = 'thousand-token-wood'
const random: Random = randomOf(7, 'inspect')

let settings: Settings
let end: () => Promise<void>
before(async () => {
  // Longer than a busy machine delays a batch of the simulator, which must not be late.
  settings = await ownSettings({ BOOT: 'native', DECISION_WAIT_AFTER_ROOT: '4s' })
  const all = 'collector/policies/keep-everything.yaml'
  end = await startStack(settings, all, ['tempo', 'phoenix', 'prometheus', 'collector', 'mock-vllm'])
})
after(() => end?.())

type Report = Readonly<{ seen: boolean; lines: readonly string[] }>
async function ask(service?: string, where = settings, since = '10m'): Promise<Report> {
  const lines: string[] = []
  const options = { ...quiet, say: (line: string) => lines.push(...line.split('\n')), arrivalMs: 0 }
  const seen = await inspect(where, { service, since }, options)
  return { seen, lines }
}

/** The mark of a line and what it says, with its fix. */
function lineOf({ lines }: Report, name: string): string {
  const from = lines.findIndex((line) => line.slice(5).startsWith(`${name} `))
  assert.ok(from >= 0, `there is no line ${name}:\n${lines.join('\n')}`)
  const after = lines.slice(from + 1).findIndex((line) => !line.startsWith('     '))
  return lines.slice(from, after < 0 ? undefined : from + 1 + after).join('\n')
}
const marks = ({ lines }: Report, mark: string) =>
  lines.filter((line) => line.startsWith(mark)).map((line) => line.slice(5, 20).trim())

const send = (path: string, body: unknown) => sendTo(url(settings, 'OTLP_HTTP_PORT'), path, body)

/** The same trace as if it had ended now. */
function now(body: TraceRequest): TraceRequest {
  const last = [...eachSpan(body)].map(({ span }) => endOf(span)).reduce((a, b) => (a > b ? a : b))
  const by = BigInt(nanosOf(Date.now())) - last
  return JSON.parse(JSON.stringify(body), (key, value) =>
    /timeUnixNano$/i.test(key) ? String(BigInt(value) + by) : value,
  )
}

const CALL = {
  'gen_ai.operation.name': 'chat',
  'gen_ai.agent.name': 'owl',
  'gen_ai.provider.name': 'openai',
  'gen_ai.request.model': 'gpt-4o-mini',
  'gen_ai.usage.input_tokens': 10n,
  'gen_ai.usage.output_tokens': 5n,
  'input.value': 'hello',
  'output.value': 'hi',
}
function span(attributes: Readonly<Record<string, unknown>>, more: Partial<Span> = {}): Span {
  return {
    traceId: random.hex(32),
    spanId: random.hex(16),
    name: 'chat gpt-4o-mini',
    startTimeUnixNano: nanosOf(Date.now() - 20),
    endTimeUnixNano: nanosOf(Date.now()),
    attributes: toAttributes(attributes),
    ...more,
  }
}
const resourceOf = (service: string, more = {}) => ({
  'service.name': service,
  'service.instance.id': `${service}-1`,
  'openinference.project.name': service,
  ...more,
})
const spans = (service: string, sent: readonly Span[], more = {}) =>
  send('/v1/traces', traceRequest(sent, { resource: resourceOf(service, more) }))

/** What a person may do wrong, one service each. */
async function sendMistakes(): Promise<void> {
  await spans('unpriced', [span({ ...CALL, 'gen_ai.request.model': 'a-model-of-mine' })])
  await spans(
    'ids-in-names',
    Array.from({ length: 8 }, (_, n) => span(CALL, { name: `answer question ${n + 100}` })),
  )
  await spans('no-operation', [span({ 'http.request.method': 'GET' })])
  await spans('no-tokens', [
    span({ ...CALL, 'gen_ai.usage.input_tokens': undefined, 'gen_ai.usage.output_tokens': undefined }),
  ])
  await spans('no-model', [span({ ...CALL, 'gen_ai.request.model': undefined })])
  await spans('rootless', [span(CALL, { parentSpanId: random.hex(16) })])
  await spans('gets-calls', [span(CALL, { traceId: gateway.traceId, parentSpanId: gateway.spanId })])
  await spans('gateway', [gateway])
  await spans('private', [span({ ...CALL, 'input.value': 'write to maria.lopez@acme-corp.com' })])
  await spans('no-project', [span(CALL)], { 'openinference.project.name': undefined })

  const [outer, inner] = [span(CALL), span(CALL)]
  await spans('twice', [outer, { ...inner, traceId: outer.traceId, parentSpanId: outer.spanId }])
  for (const pid of [11n, 12n])
    await spans('two-workers', [span(CALL, { startTimeUnixNano: nanosOf(Date.now() - 5000) })], { 'process.pid': pid })

  const root = span({ 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': 'owl' })
  await spans('late', [root])
  for (let step = 1; step <= 3; step++) {
    const at = BigInt(nanosOf(Date.now()))
    const delta = counter('its.steps', [number({ 'gen_ai.agent.name': 'owl' }, step, { at })], 'delta')
    await send('/v1/metrics', metricsRequest(resourceOf('deltas'), [delta]))
    await sleep(2500)
  }
  await spans('deltas', [span(CALL)])
  await send(
    '/v1/metrics',
    metricsRequest(resourceOf('only-metrics'), [
      counter('its.count', [number({}, 1, { at: BigInt(nanosOf(Date.now())) })], 'cumulative'),
    ]),
  )
  await spans('logging', [span(CALL)])
  const logRecords = [{ eventName: 'gen_ai.choice', body: { stringValue: 'hi' } }]
  await send('/v1/logs', logsRequest(logRecords, { resource: resourceOf('logging') }))
  // By now the trace of `late` is judged.
  await spans('late', [span(CALL, { traceId: root.traceId, parentSpanId: root.spanId })])
}
const gateway = span({ 'http.route': '/ask' }, { name: 'POST /ask' })

/** Everything that was sent is counted and stored. */
async function settled(services: readonly string[]): Promise<void> {
  await eventually(async () => {
    const counted = await prometheus(settings, 'count by (service_name) (traces_span_metrics_calls_total > 0)')
    for (const service of services) {
      assert.ok(
        counted.some(({ labels }) => labels.service_name === service),
        `${service} is not counted`,
      )
      const found = await tempoSearch(settings, `{ resource.service.name = "${service}" }`)
      assert.ok(found.length > 0, `${service} is not stored`)
    }
    const lines = await prometheus(settings, 'otel_log_records_total{service_name="logging"} > 0')
    assert.ok(lines.length > 0, 'log records are not counted')
    const [deltas] = await prometheus(settings, 'its_steps_total')
    assert.equal(deltas?.value, 6, 'deltas are added up')
  })
  await eventually(async () => {
    const traces = await tempoSearch(settings, '{}')
    assert.ok(
      await phoenix.server?.hasStored?.(settings, traces.length),
      `Phoenix has not stored ${traces.length} traces`,
    )
  })
}

test('before anything arrives, it says what to check, and fails', async () => {
  const nobody = await ask()
  assert.equal(nobody.seen, false)
  assert.match(nobody.lines[0] ?? '', /^BAD {2}arrives {3}nothing in 10m, of any service/)
  assert.ok(
    nobody.lines.some((line) => line.includes(`OTEL_EXPORTER_OTLP_ENDPOINT=${url(settings, 'OTLP_HTTP_PORT')} `)),
  )

  await fetch(url(settings, 'OTLP_HTTP_PORT', '/v1/traces'), {
    method: 'POST',
    headers: { 'content-type': 'text/plain' },
    body: 'x',
  })
  await postOtlp(url(settings, 'OTLP_HTTP_PORT', '/v1/traces'), '{')
  const lines = await eventually(async () => {
    const { lines } = await ask()
    assert.match(lines.join('\n'), /1 requests over HTTP were answered 415: the content type is wrong/)
    return lines
  })
  assert.match(lines.join('\n'), /1 requests over HTTP were answered 400: the request is malformed/)
})

test('each service is told what works and what is missing', async (t) => {
  const recorded = readRecordings().filter(({ name }) =>
    ['openai-v2', 'openai-agents-traceloop', 'workshop', 'economy', 'pydantic-ai', 'vercel-ai'].includes(name),
  )
  assert.equal(recorded.length, 6)
  for (const { runs } of recorded) for (const { body } of runs) await send('/v1/traces', now(body))
  await play(settings, '--ticks', '6', '--seed', '7')
  await sendMistakes()
  const mine = [
    'unpriced',
    'ids-in-names',
    'no-operation',
    'no-tokens',
    'no-model',
    'rootless',
    'gateway',
    'private',
    'twice',
    'two-workers',
    'late',
    'deltas',
    'logging',
    'no-project',
  ]
  await settled([SIMULATOR, ...recorded.map(({ service }) => service), ...mine])
  const of = (name: string) => recorded.find((one) => one.name === name)?.service ?? name

  /** The report on a service has these lines that are not well, and no others. */
  const holds = (service: string, { blind = [] as string[], note = [] as string[] }, ...says: readonly RegExp[]) =>
    t.test(service, async () => {
      const report = await ask(of(service))
      assert.deepEqual(
        { blind: marks(report, 'BAD'), note: marks(report, 'note') },
        { blind, note },
        report.lines.join('\n'),
      )
      assert.equal(report.seen, blind.length === 0)
      assert.ok(report.lines.length <= LONGEST, `${report.lines.length} lines`)
      for (const what of says) assert.match(report.lines.join('\n'), what)
    })

  await holds(SIMULATOR, {}, /^ok {3}agent names +(?:\w+, ){3}\w+ and 1 more/m, /^ok {3}links +kept spans have [1-9]/m)
  await holds('pydantic-ai', {}, /^ok {3}agent names +calculator/m)
  // It calls its provider "local", and a model of your own server has no price of the catalogue.
  await holds('vercel-ai', { blind: ['price'] }, /^ok {3}first chunk +6 of/m, /^ +gpt-4o-mini:\n +- \{ from:/m)
  await holds(
    'openai-v2',
    { note: ['agent names', 'messages'] },
    /calls do not name their agent/,
    /from examples\/openai-v2\/agent\.py:\n +class AgentName/,
    /sends them as log records/,
  )
  await holds(
    'openai-agents-traceloop',
    { note: ['errors', 'counted twice'] },
    /openai\.v1 inside .*openai_agents/,
    /block_instruments=/,
  )
  await holds('workshop', { note: ['agent names', 'messages'] }, /^ok {3}price +claude-sonnet-4-5/m)
  await holds('economy', { blind: ['model', 'tokens'], note: ['span names'] }, /simulation\.tick\/\*/)

  await holds('unpriced', { blind: ['price'] }, /no price holds for a-model-of-mine/)
  await holds('ids-in-names', { note: ['span names'] }, /8 names are one, answer question \*/)
  await holds('no-operation', { blind: ['operation', 'model', 'tokens'] })
  await holds('no-tokens', { blind: ['tokens'] }, /include_usage/)
  await holds('no-model', { blind: ['model', 'price'] })
  await holds('rootless', { note: ['roots'] }, /judged only after 20s/)
  await holds('gateway', {}, /it takes part in runs of gets-calls/)
  await holds('private', {}, /^ok {3}masked +on 1 of 1 kept span, in input\.value 1$/m)
  await holds('twice', { note: ['counted twice'] }, /with the same tokens \(1\), which are counted once/)
  await holds(
    'two-workers',
    { note: ['processes'] },
    /2 processes run at once as service\.instance\.id two-workers-1: 11, 12/,
  )
  await holds('late', { note: ['late spans'] }, /1 of 2 kept spans came after the verdict, 4s after the root/)
  await holds('deltas', {}, /^ok {3}metrics +1 series from 1 process; deltas and totals are both added up$/m)
  await holds('only-metrics', { blind: ['arrives'] }, /only metrics/)
  await holds('logging', { note: ['logs'] }, /1 record: gen_ai\.choice 1; counted and then dropped/)
  await holds('no-project', { note: ['Phoenix'] }, /the project default has/)
})

test('without a service it looks at the ten that sent the most, and names the others', async () => {
  const all = await ask()
  assert.equal(all.seen, false)
  const text = all.lines.join('\n')
  assert.match(text, /^f09-vercel-ai: a board or a policy does not see it$/m)
  assert.match(text, /^All lines of one service: make inspect SERVICE=thousand-token-wood$/m)
  assert.match(text, /^Not looked at, because they sent less: .*logging/m)
})

test('a service that did not arrive is refused, with those that did and the one that is near', async () => {
  await assert.rejects(ask('thousand-tokenwood'), (error: Error) => {
    assert.ok(error instanceof UserError)
    assert.match(
      error.message,
      /^SERVICE=thousand-tokenwood: nothing of it arrived in 10m\. Did you mean SERVICE=thousand-token-wood\? These did: .*f08-openai-v2/,
    )
    return true
  })
  await assert.rejects(ask('a"} or vector(1)'), /nothing of it arrived in 10m\. These did/)
})

test('a text that is not a time is refused', async () => {
  for (const since of ['ten', '5s', '1d', ''])
    await assert.rejects(ask(undefined, settings, since), /^Error: SINCE must be a time from 30s to 3h/)
})

test('without Tempo it says what cannot be told, and goes by the counts', async () => {
  const without = await ask('unpriced', { ...settings, env: { ...settings.env, BACKENDS: 'phoenix' } })
  assert.equal(without.seen, false)
  assert.match(lineOf(without, 'kept'), /^\? {4}kept +BACKENDS has no tempo/)
  const deaf = { ...settings, ports: { ...settings.ports, TEMPO_PORT: settings.ports.VIEWER_PORT } }
  assert.match(lineOf(await ask('unpriced', deaf), 'kept'), /^\? {4}kept +Tempo does not answer/)
})

test('the command ends with 0, 1 or 2, and says a mistake without a stack trace', async () => {
  const { ports } = settings
  const run = (env: Readonly<Record<string, string>>) => main({ ...portVariables(settings), ...env }, 'inspect')
  const [well, blind, unknown, down] = await Promise.all([
    run({ SERVICE: SIMULATOR }),
    run({ SERVICE: 'unpriced' }),
    run({ SERVICE: 'nobody' }),
    run({ PROMETHEUS_PORT: String(ports.VIEWER_PORT), VIEWER_PORT: String(ports.PROMETHEUS_PORT) }),
  ])
  assert.deepEqual(
    [well, blind, unknown, down].map(({ exitCode }) => exitCode),
    [0, 1, 1, 2],
  )
  assert.match(unknown.stderr, /^SERVICE=nobody: nothing of it arrived/)
  assert.match(down.stderr, /^Prometheus does not answer at http:\/\/127\.0\.0\.1:\d+ \(/)
  for (const { stderr } of [well, blind, unknown, down]) assert.doesNotMatch(stderr, /^\s+at /m)
  await assert.rejects(
    ask(undefined, { ...settings, ports: { ...ports, PROMETHEUS_PORT: ports.VIEWER_PORT } }),
    Unreachable,
  )
})
