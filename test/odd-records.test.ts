import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import PQueue from 'p-queue'
import { type AnyValue, type Attribute, fromAttributes, nanosOf, toAttributes, toValue } from '../otlp/json.ts'
import { onLoopback } from '../otlp/loopback.ts'
import { readPage, type Sample } from '../otlp/page.ts'
import { postOtlp } from '../otlp/post.ts'
import { relay } from '../phoenix/relay.ts'
import { BACKENDS, collectorFile } from '../stack/backends/backends.ts'
import { otlpSink } from '../stack/otlp-sink.ts'
import { eventually, ownSettings } from '../stack/own-stack.ts'
import type { Running } from '../workbench/collector.ts'
import { collectorFor } from './collector.ts'
import { attributeOf, ODD, ODD_ATTRIBUTES, ODD_TIMES, SECRET, shown } from './odd-values.ts'

type Fields = Readonly<Record<string, unknown>>
type Record_ = Fields & Readonly<{ attributes: readonly Attribute[]; eventName?: string }>

const TRACE = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }
const CLAUDE = 'com.anthropic.claude_code.events'
const EVALUATION = 'gen_ai.evaluation.result'
const EVALUATED = {
  'gen_ai.evaluation.name': 'odd',
  'gen_ai.evaluation.score.label': 'fail',
  'gen_ai.evaluation.score.value': 0.5,
  'gen_ai.evaluation.explanation': 'why',
  'gen_ai.agent.name': 'fox',
  'gen_ai.prompt.version': '1',
  'experiment.variant': 'a',
  'woodland.evaluation.by': 'LLM',
}
/** What coding agents and judges send, and any other program. */
const KINDS: Readonly<Record<string, Readonly<{ scope: string; sent: Fields; more?: Fields }>>> = {
  'claude-code': {
    scope: CLAUDE,
    sent: {
      ...{ 'event.name': 'api_request', model: 'm', 'agent.name': 'sub', input_tokens: 1n, output_tokens: 1n },
      ...{ cache_read_tokens: 1n, cache_creation_tokens: 1n, cost_usd: 0.5, 'gen_ai.usage.input_tokens': 1n },
    },
  },
  codex: {
    scope: 'codex_otel',
    sent: {
      ...{ 'event.name': 'codex.sse_event', model: 'm', input_token_count: '1', output_token_count: '1' },
      ...{ cached_token_count: '1', cache_write_token_count: '1', reasoning_token_count: '1' },
    },
  },
  'gemini-cli': {
    scope: 'gemini-cli',
    sent: {
      ...{ 'event.name': 'gemini_cli.api_response', model: 'm', auth_type: 'vertex-ai', input_token_count: 1n },
      ...{ output_token_count: 1n, tool_token_count: 1n, thoughts_token_count: 1n, cached_content_token_count: 1n },
    },
  },
  'an evaluation': { scope: 'lab', sent: EVALUATED, more: { ...TRACE, eventName: EVALUATION } },
  'an evaluation of older SDKs': { scope: 'lab', sent: { 'event.name': EVALUATION, ...EVALUATED }, more: TRACE },
  'any record': { scope: 'lab', sent: { 'gen_ai.agent.name': 'fox', note: 'x' }, more: { eventName: 'a.b' } },
}

type Part = Readonly<{ resource: Readonly<{ attributes: readonly Attribute[] }>; scopeLogs: readonly unknown[] }>
type Case = Readonly<{ title: string; parts: (row: number) => readonly Part[] }>
const NAMED = toAttributes({ 'service.name': 'odd-logs' })
const part = (attributes: readonly Attribute[], ...scopeLogs: readonly unknown[]): Part => ({
  resource: { attributes },
  scopeLogs,
})
const logs = (scope: unknown, ...logRecords: readonly Record_[]) => ({ scope, logRecords })

/** Beside each odd record: a call, an evaluation and a record with a body. */
const good = (row: number) => [
  logs(
    { name: CLAUDE },
    { attributes: toAttributes({ 'event.name': 'api_request', model: 'good', input_tokens: 5n, output_tokens: 7n }) },
  ),
  logs(
    { name: 'lab' },
    {
      ...TRACE,
      eventName: EVALUATION,
      attributes: toAttributes({
        'gen_ai.evaluation.name': 'good',
        'gen_ai.evaluation.score.label': 'pass',
        'gen_ai.agent.name': 'fox',
      }),
    },
    { eventName: 'good.event', body: toValue(`good ${row}`), attributes: [] },
  ),
]
const oddRecord = (kind: string, row: number, change: (record: Record_) => Record_) => {
  const { scope = '', sent = {}, more } = KINDS[kind] ?? {}
  const record = change({ timeUnixNano: nanosOf(Date.now()), ...more, attributes: toAttributes(sent) })
  return logs({ name: scope }, { ...record, attributes: [...record.attributes, ...toAttributes({ row: BigInt(row) })] })
}
const withRecord = (title: string, kind: string, change: (record: Record_) => Record_): Case => ({
  title: `${kind}, ${title}`,
  parts: (row) => [part(NAMED, oddRecord(kind, row, change), ...good(row))],
})
const TEXTS = ['', ' ', SECRET, 'x'.repeat(10_000), '\u0000', '****', 'good.event ']
const BODIES: readonly (AnyValue | undefined)[] = [
  ...ODD,
  toValue(`write to ${SECRET}`),
  ...ODD_ATTRIBUTES.map((values) => ({ kvlistValue: { values } })),
  { arrayValue: { values: ODD.map((value) => value ?? {}) } },
]
const FIELDS: Readonly<Record<string, readonly unknown[]>> = {
  body: BODIES,
  eventName: TEXTS,
  severityText: TEXTS,
  severityNumber: [0, 25, 99, 2147483647],
  timeUnixNano: ODD_TIMES,
  observedTimeUnixNano: ODD_TIMES,
  traceId: ['', '0'.repeat(32)],
  spanId: ['', '0'.repeat(16)],
  flags: [4294967295],
  droppedAttributesCount: [4294967295],
}
const byLetters = (count: number, value: (n: number) => unknown) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, n) => [
      `many.${[...String(n)].map((digit) => 'abcdefghij'[Number(digit)]).join('')}`,
      value(n),
    ]),
  )
/** So many that whatever compares each with all others does not come to an end in time. */
const MANY = {
  'a list of 150,000 numbers': toAttributes({ vector: Array.from({ length: 150_000 }, (_, n) => n / 7) }),
  '100 maps of 1000 values': toAttributes(byLetters(100, () => byLetters(1000, (n) => n / 7))),
  '10,000 private values': toAttributes(byLetters(10_000, (n) => `${n} ${SECRET}`)),
}
const CASES: readonly Case[] = [
  ...Object.entries(KINDS).flatMap(([kind, { sent }]) => [
    ...Object.keys(sent).flatMap((key) =>
      [...ODD, toValue(SECRET), toValue(['y'.repeat(200_000)])].map((value) =>
        withRecord(`${key} = ${shown(value)}`, kind, (record) => ({
          ...record,
          attributes: record.attributes.map((one) => (one.key === key ? attributeOf(key, value) : one)),
        })),
      ),
    ),
    ...ODD_ATTRIBUTES.map((attributes) =>
      withRecord(`with ${shown(attributes)}`, kind, (record) => ({
        ...record,
        attributes: [...record.attributes, ...attributes],
      })),
    ),
  ]),
  ...['an evaluation', 'any record'].flatMap((kind) =>
    Object.entries(FIELDS).flatMap(([field, values]) =>
      values.map((value) =>
        withRecord(`${field} = ${shown(value)}`, kind, (record) => ({ ...record, [field]: value })),
      ),
    ),
  ),
  ...Object.entries(MANY).map(([title, attributes]) => ({
    title,
    parts: (row: number) => [
      part(
        attributes,
        oddRecord('any record', row, (record) => record),
      ),
      part(NAMED, ...good(row)),
    ],
  })),
  ...Object.keys(KINDS).flatMap((kind) =>
    ['service.name', 'gen_ai.agent.name'].flatMap((key) =>
      ODD.map((value) => ({
        title: `${kind}, resource with ${key} = ${shown(value)}`,
        parts: (row: number) => [
          part(
            [attributeOf(key, value)],
            oddRecord(kind, row, (record) => record),
          ),
          part(NAMED, ...good(row)),
        ],
      })),
    ),
  ),
  ...ODD_ATTRIBUTES.flatMap((attributes) => [
    {
      title: `resource with ${shown(attributes)}`,
      parts: (row: number) => [
        part(
          [...NAMED, ...attributes],
          oddRecord('any record', row, (record) => record),
          ...good(row),
        ),
      ],
    },
    {
      title: `scope with ${shown(attributes)}`,
      parts: (row: number) => [
        part(
          NAMED,
          logs({ name: SECRET, version: SECRET, attributes }, { attributes: toAttributes({ row: BigInt(row) }) }),
          ...good(row),
        ),
      ],
    },
  ]),
]

type Annotation = Readonly<{
  name: string
  identifier: string
  annotator_kind: string
  result: Readonly<{ label?: string; score?: number; explanation?: string }>
}>
const annotations: Annotation[] = []
const phoenix = await onLoopback(
  createServer(async (request, response) => {
    const { data } = JSON.parse(Buffer.concat(await request.toArray()).toString()) as { data: readonly Annotation[] }
    annotations.push(...data)
    response.writeHead(200).end()
  }),
)
const relayed: string[] = []
const annotate = await onLoopback(relay({ phoenix: phoenix.url, say: (line) => void relayed.push(line) }))
const stored: string[] = []
const vendor = await otlpSink((path, body) => void (path === '/otlp/v1/logs' && stored.push(body.toString())))

const lines: string[] = []
const refused: string[] = []
let collector: Running
before(async () => {
  const settings = await ownSettings()
  const plain = join(settings.state, 'plain.yaml')
  writeFileSync(plain, 'exporters: { otlp_http/otlp: { encoding: json, compression: none } }\n')
  collector = await collectorFor(settings, {
    overlays: [...BACKENDS.filter(({ id }) => id === 'otlp' || id === 'annotations').map(collectorFile), plain],
    env: {
      OTLP_BACKEND_ENDPOINT: `${vendor.url}/otlp`,
      OTLP_BACKEND_HEADER_MAP: '{}',
      ANNOTATIONS_OTLP_ENDPOINT: annotate.url,
    },
    line: (line) => void lines.push(line),
  })
  const send = async ({ title, parts }: Case, row: number) => {
    const answer = await postOtlp(`${collector.otlp}/v1/logs`, { resourceLogs: parts(row) })
    const said = await answer.text()
    if (!answer.ok) refused.push(`${title}: ${answer.status} ${said.slice(0, 200)}`)
  }
  await new PQueue({ concurrency: 4 }).addAll(CASES.map((one, row) => () => send(one, row)))
})
after(async () => {
  await collector?.stop()
  for (const { close } of [vendor, phoenix, annotate]) close()
})

const page = async () => readPage(await collector.counted())
const sumOf = (samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>>) =>
  samples
    .filter((one) => one.name === name && Object.entries(labels).every(([label, text]) => one.labels[label] === text))
    .reduce((sum, { value }) => sum + value, 0)

test('no request is refused for one odd record, and the Collector goes on', () => {
  assert.ok(CASES.length > 1500, String(CASES.length))
  collector.alive()
  assert.deepEqual(refused, [])
})

test('what is beside an odd record is counted exactly, stored and annotated', async () => {
  const { length } = CASES
  await eventually(async () => {
    const samples = await page()
    const counted = {
      input: sumOf(samples, 'gen_ai_usage_tokens_total', { gen_ai_request_model: 'good', gen_ai_token_type: 'input' }),
      output: sumOf(samples, 'gen_ai_usage_tokens_total', {
        gen_ai_request_model: 'good',
        gen_ai_token_type: 'output',
      }),
      passed: sumOf(samples, 'gen_ai_evaluation_results_total', { gen_ai_evaluation_name: 'good', outcome: 'pass' }),
      records: sumOf(samples, 'otel_log_records_total', { event_name: 'good.event' }),
      stored: new Set(stored.flatMap((text) => text.match(/"good \d+"/g) ?? [])).size,
      annotated: annotations.filter(({ name, result }) => name === 'good' && result.label === 'pass').length,
    }
    const expected = { input: 5, output: 7, passed: 1, records: 1, stored: 1, annotated: 1 }
    assert.deepEqual(counted, Object.fromEntries(Object.entries(expected).map(([what, each]) => [what, each * length])))
  })
})

test('each odd record is stored, and what is counted of it is possible', async () => {
  type Stored = { resourceLogs: { scopeLogs: { logRecords: { attributes?: Attribute[] }[] }[] }[] }
  const rows = new Set(
    stored
      .flatMap((text) => (JSON.parse(text) as Stored).resourceLogs)
      .flatMap(({ scopeLogs }) => scopeLogs.flatMap(({ logRecords }) => logRecords))
      .map(({ attributes }) => fromAttributes(attributes).row),
  )
  assert.deepEqual(CASES.flatMap(({ title }, row) => (rows.has(row) ? [] : [title])).slice(0, 5), [])
  const samples = await page()
  const wrong = samples.filter(
    ({ value, labels }) => !(value >= 0 && value < 1e6) || Object.values(labels).some((text) => text.length > 128),
  )
  assert.deepEqual(wrong.slice(0, 5), [], `${wrong.length} samples`)
  const agents = samples.filter(({ name, labels }) => name === 'gen_ai_usage_tokens_total' && !labels.gen_ai_agent_name)
  assert.deepEqual(agents.slice(0, 5), [], 'each call has an agent')
})

test('an annotation of an odd record is one that Phoenix takes', () => {
  const wrong = annotations.filter(
    ({ name, identifier, annotator_kind, result: { label, score, explanation } }) =>
      typeof name !== 'string' ||
      name === '' ||
      typeof identifier !== 'string' ||
      !['CODE', 'LLM', 'HUMAN'].includes(annotator_kind) ||
      [label, explanation].some((text) => text !== undefined && typeof text !== 'string') ||
      (score !== undefined && !Number.isFinite(score)),
  )
  assert.deepEqual(wrong.slice(0, 5), [])
  assert.deepEqual(relayed, [])
})

test('no secret is stored, counted, annotated or logged, and no line of the log holds a value', async () => {
  const places = {
    stored: stored.join('\n'),
    page: await collector.counted(),
    annotations: JSON.stringify(annotations),
  }
  for (const [place, text] of Object.entries(places)) {
    const found = text.indexOf(SECRET)
    assert.equal(found, -1, `${place}: ${text.slice(Math.max(0, found - 300), found + 50)}`)
  }
  const said = lines.filter((line) => !/\tinfo\t/.test(line) && !/context prefix/.test(line))
  assert.deepEqual(said.map((line) => line.slice(0, 300)).slice(0, 3), [])
})
