import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { OTLPLogExporter as GrpcExporter } from '@opentelemetry/exporter-logs-otlp-grpc'
import { OTLPLogExporter as HttpExporter } from '@opentelemetry/exporter-logs-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  InMemoryLogRecordExporter,
  LoggerProvider,
  type LogRecordExporter,
  SimpleLogRecordProcessor,
} from '@opentelemetry/sdk-logs'
import { type AnyValue, type Attribute, fromAttributes, fromValue, toAttributes, toValue } from '../otlp/json.ts'
import { BACKENDS, collectorFile } from '../stack/backends/backends.ts'
import { otlpSink } from '../stack/otlp-sink.ts'
import { eventually, ownSettings } from '../stack/own-stack.ts'
import { pageOf } from '../stack/queries.ts'
import { type Settings, url } from '../stack/settings.ts'
import { type Running, sumOf } from '../workbench/collector.ts'
import { waitFor } from '../workbench/wait.ts'
import { collectorFor, sendTo } from './collector.ts'

type LogRecord = Readonly<{
  body?: AnyValue
  attributes?: readonly Attribute[]
  eventName?: string
  severityText?: string
  traceId?: string
}>
type LogRequest = Readonly<{
  resourceLogs: readonly Readonly<{
    resource?: Readonly<{ attributes?: readonly Attribute[] }>
    schemaUrl?: string
    scopeLogs: readonly Readonly<{ scope?: Readonly<{ name?: string }>; logRecords: readonly LogRecord[] }>[]
  }>[]
}>

/** max_streams in collector/config.yaml. */
const LIMIT = 1000

let settings: Settings
let collector: Running
/** Stands for a server on another machine. It is sent JSON, which is read here without a decoder. */
const taken: Readonly<{ path: string; text: string }>[] = []
const vendor = await otlpSink((path, body) => void taken.push({ path, text: body.toString() }))

before(async () => {
  settings = await ownSettings()
  const plain = join(settings.state, 'plain.yaml')
  const soon = 'sending_queue: { batch: { flush_timeout: 10ms, min_size: 1 } }'
  writeFileSync(plain, `exporters: { otlp_http/otlp: { encoding: json, compression: none, ${soon} } }\n`)
  // A backend that takes traces only is loaded beside the one that takes all signals.
  const files = BACKENDS.filter(({ id }) => id === 'otlp' || id === 'tempo').map(collectorFile)
  collector = await collectorFor(settings, {
    overlays: [...files, plain],
    env: {
      OTLP_GRPC_PORT: String(settings.ports.OTLP_GRPC_PORT),
      COLLECTOR_EXPORTER_PORT: String(settings.ports.COLLECTOR_EXPORTER_PORT),
      COLLECTOR_COUNTED_PORT: String(settings.ports.COLLECTOR_COUNTED_PORT),
      OTLP_BACKEND_ENDPOINT: `${vendor.url}/otlp`,
      OTLP_BACKEND_HEADER_MAP: '{}',
      TEMPO_OTLP_ENDPOINT: `${vendor.url}/tempo`,
    },
  })
})
after(async () => {
  await collector?.stop()
  vendor.close()
})

const stored = (): readonly LogRecord[] =>
  taken
    .filter(({ path }) => path === '/otlp/v1/logs')
    .flatMap(({ text }) => (JSON.parse(text) as LogRequest).resourceLogs)
    .flatMap(({ scopeLogs }) => scopeLogs.flatMap(({ logRecords }) => logRecords))
/** How often each event was counted, by what Prometheus reads: event, service, agent. */
async function counted(): Promise<Readonly<Record<string, number>>> {
  const page = await pageOf(settings, 'COLLECTOR_COUNTED_PORT')
  const lines = page.split('\n').filter((line) => line.startsWith('otel_log_records_total{'))
  const label = (line: string, name: string) => new RegExp(`[{,]${name}="([^"]*)"`).exec(line)?.[1] ?? ''
  return Object.fromEntries(
    lines.map((line) => [
      ['event_name', 'service_name', 'gen_ai_agent_name'].map((name) => label(line, name)).join(' '),
      Number(line.slice(line.lastIndexOf(' '))),
    ]),
  )
}

async function post(...records: readonly LogRecord[]): Promise<void> {
  const resource = { attributes: toAttributes({ 'service.name': 'shop', owner: 'alice@example.com' }) }
  const scope = { name: 'lib of bob@example.com' }
  const body: LogRequest = {
    resourceLogs: [{ resource, schemaUrl: 'https://alice@example.com/x', scopeLogs: [{ scope, logRecords: records }] }],
  }
  await sendTo(collector.otlp, '/v1/logs', body)
}

const byNumber = (number: number) => stored().find(({ attributes }) => fromAttributes(attributes).i === number)
/** Sends one record and answers it as it was stored. */
let sent = 0
async function through(record: LogRecord): Promise<LogRecord> {
  const i = ++sent
  await post({ ...record, attributes: [...toAttributes({ i: BigInt(i) }), ...(record.attributes ?? [])] })
  await waitFor(async () => byNumber(i) !== undefined, { withinMs: 20_000, everyMs: 10 })
  return byNumber(i) ?? assert.fail(`record ${i} did not arrive`)
}

for (const [protocol, exporter] of [
  ['HTTP', () => new HttpExporter({ url: `${collector.otlp}/v1/logs` })],
  ['gRPC', () => new GrpcExporter({ url: url(settings, 'OTLP_GRPC_PORT', '') })],
] as const)
  test(`an SDK exports log records over ${protocol}, and they are stored where a backend takes them, and counted`, async () => {
    const memory = new InMemoryLogRecordExporter()
    const provider = new LoggerProvider({
      resource: resourceFromAttributes({ 'service.name': `sdk-${protocol}` }),
      processors: [new SimpleLogRecordProcessor({ exporter: memory })],
    })
    const body = { role: 'user', content: `hello over ${protocol}`, parts: [{ type: 'text', n: 1 }] }
    const attributes = { 'gen_ai.agent.name': 'fox' }
    for (let i = 0; i < 3; i++) provider.getLogger('test').emit({ eventName: 'gen_ai.user.message', body, attributes })
    const records = memory.getFinishedLogRecords()
    assert.equal(records.length, 3)

    const sender: LogRecordExporter = exporter()
    const { code, error } = await new Promise<{ code: number; error?: Error }>((done) => sender.export(records, done))
    await sender.shutdown()
    assert.equal(code, 0, String(error))
    await eventually(async () => {
      const found = stored().filter((record) => JSON.stringify(record.body).includes(`over ${protocol}`))
      assert.equal(found.length, 3)
      for (const record of found) {
        assert.deepEqual(fromValue(record.body), body)
        assert.equal(record.eventName, 'gen_ai.user.message')
      }
      assert.equal((await counted())[`gen_ai.user.message sdk-${protocol} fox`], 3)
    })
  })

test('a body that holds nothing private is stored as it came, with its type', async () => {
  for (const body of [
    'plain text',
    '',
    '{"n": 1, "text": "JSON as text"}',
    42n,
    0.25,
    true,
    { role: 'user', n: 1n },
    { message: { role: 'assistant', content: 'hi', tool_calls: [{ id: 'call_1', arguments: '{"x": 1}' }] }, index: 0n },
    ['a', ['b', { c: null }]],
    {},
  ]) {
    const { body: became } = await through({ body: toValue(body) })
    assert.deepEqual(
      JSON.parse(JSON.stringify(became), withoutEmpty),
      JSON.parse(JSON.stringify(toValue(body)), withoutEmpty),
    )
  }
  assert.equal((await through({})).body?.stringValue, undefined)
})
/** The Collector leaves out an empty list, and we do not. */
const withoutEmpty = (key: string, value: unknown) =>
  key === 'values' && Array.isArray(value) && value.length === 0 ? undefined : value

const EMAIL = 'canary.fox@forest.example'
const CARD = '4111 1111 1111 1111'

for (const [where, record] of [
  ['a body of text', { body: toValue(`write to ${EMAIL}`) }],
  ['a body that is a map', { body: toValue({ content: `pay with ${CARD}`, n: 1n }) }],
  ['a map deep in a body', { body: toValue({ message: { parts: [{ content: `pay with ${CARD}` }] } }) }],
  ['an e-mail address deep in a body', { body: toValue({ message: { parts: [{ content: EMAIL }] } }) }],
  ['an encoding deep in a body', { body: toValue({ message: { content: EMAIL.replace('@', '＠') } }) }],
  ['a key of a body', { body: toValue({ message: { [EMAIL]: 'x' } }) }],
  ['a list in a body', { body: toValue(['x', { note: EMAIL }]) }],
  ['a body that is a number', { body: toValue(BigInt(CARD.replaceAll(' ', ''))) }],
  ['an attribute', { attributes: toAttributes({ note: EMAIL }) }],
  ['a key of an attribute', { attributes: toAttributes({ [EMAIL]: 'x' }) }],
  ['the name of an event', { eventName: `mail.${EMAIL}` }],
  ['the severity', { severityText: EMAIL }],
] as const)
  test(`a secret in ${where} is masked`, async () => {
    const record_ = JSON.stringify(await through(record))
    for (const secret of [EMAIL, EMAIL.replace('@', '＠'), CARD, CARD.replaceAll(' ', '')])
      assert.ok(!record_.includes(secret), record_)
    if (!where.includes('attribute')) assert.match(record_, /\*{4}/)
  })

test('bytes, and a body that cannot be searched, are not stored', async () => {
  const secret = Buffer.from(`password of ${EMAIL}`).toString('base64')
  for (const body of [{ bytesValue: secret }, toValue({ n: Number.NaN, note: EMAIL })])
    assert.deepEqual((await through({ body })).body, {})
  // In base64, as the README says of text: nobody reads it as bytes.
  const inside = { kvlistValue: { values: [{ key: 'b', value: { bytesValue: secret } }] } }
  assert.deepEqual((await through({ body: inside })).body, { stringValue: JSON.stringify({ b: secret }) })
})

test('a resource, a scope and a schema URL are masked too', async () => {
  await through({ body: toValue('x') })
  for (const { path, text } of taken) {
    assert.ok(!text.includes('alice@example.com') && !text.includes('bob@example.com'), path)
  }
})

test('records are counted by the name of their event only if it is made of words, wherever the SDK writes it', async () => {
  const before = await counted()
  const names = ['gen_ai.choice', 'claude_code.user_prompt', 'exception', 'app.v2.done']
  const others = ['session-7f3a9b', 'step 1 of 2', 'a'.repeat(65), 'order.12345', '7', '****', 'ünï']
  for (const name of names) {
    await through({ eventName: name })
    await through({ attributes: toAttributes({ 'event.name': name }) })
  }
  for (const name of others) await through({ eventName: name })
  await through({ attributes: toAttributes({ 'event.name': ['a', 'list'] }) })
  await eventually(async () => {
    const now = await counted()
    const grown = (key: string) => (now[key] ?? 0) - (before[key] ?? 0)
    for (const name of names) assert.equal(grown(`${name} shop `), 2, name)
    assert.equal(grown('other shop '), others.length + 1)
    const known = new Set(['', 'other', 'gen_ai.user.message', ...names])
    for (const key of Object.keys(now)) assert.ok(known.has(key.split(' ')[0] ?? ''), key)
    const all = Object.values(now).reduce((sum, count) => sum + count, 0)
    assert.equal(all, sumOf(await collector.metrics(), 'otelcol_receiver_accepted_log_records'))
  })
})

test('one sender that makes up names opens no series above the limit, and those that exist go on', async () => {
  const letters = [...'abcdefghijklmnopqrstuvwxyz']
  const madeUp = letters.flatMap((a) => letters.flatMap((b) => letters.slice(0, 4).map((c) => `made.up.${a}${b}${c}`)))
  assert.ok(madeUp.length > LIMIT)
  for (let at = 0; at < madeUp.length; at += 500)
    await post(...madeUp.slice(at, at + 500).map((eventName) => ({ eventName })))
  await through({ eventName: 'gen_ai.choice' })
  await eventually(async () => {
    const counts = await counted()
    assert.equal(counts['gen_ai.choice shop '], 3)
    assert.equal(Object.keys(counts).length, LIMIT)
  })
  const page = await collector.metrics()
  assert.ok(sumOf(page, 'otelcol_deltatocumulative_datapoints', 'error="limit"') >= madeUp.length - LIMIT)
})
test('no record is stored twice or lost, all without what the redactor says of itself; a backend for traces gets none', async () => {
  const page = await collector.metrics()
  const accepted = sumOf(page, 'otelcol_receiver_accepted_log_records')
  assert.ok(accepted > 40)
  await eventually(async () => {
    assert.equal(stored().length, accepted)
  })
  const keys = new Set(stored().flatMap(({ attributes = [] }) => attributes.map(({ key }) => key)))
  assert.deepEqual(
    [...keys].filter((key) => /^(?:carry|redaction)\./.test(key)),
    ['redaction.masked.count'],
  )
  assert.deepEqual(new Set(taken.map(({ path }) => path)), new Set(['/otlp/v1/logs', '/otlp/v1/metrics']))
})
