import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { after, before, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { parse } from 'yaml'
import { z } from 'zod'
import { type Attribute, logsRequest, toAttributes } from '../otlp/json.ts'
import { readPage, type Sample } from '../otlp/page.ts'
import { eventually, ownSettings } from '../stack/own-stack.ts'
import { ROOT, type Settings } from '../stack/settings.ts'
import type { Running } from '../workbench/collector.ts'
import { collectorFor, sendTo } from './collector.ts'

const HERE = join(ROOT, 'evidence/foreign/coding-agents')
const TOKENS = 'gen_ai_usage_tokens_total'
/** Planted in one prompt of each agent. */
const SECRET = 'canary.fox@forest.example'
const TYPES = ['input', 'output', 'cache_read', 'cache_creation', 'reasoning'] as const

const used = z.strictObject({
  agent: z.string(),
  model: z.string(),
  ...(Object.fromEntries(TYPES.map((type) => [type, z.int().positive().optional()])) as Record<
    (typeof TYPES)[number],
    z.ZodOptional<z.ZodInt>
  >),
})
const expectations = z.record(
  z.string(),
  z.strictObject({
    version: z.string(),
    ran: z.string(),
    provider: z.string(),
    operation: z.string(),
    service: z.string(),
    counted: z.array(used).min(1),
    own: z.strictObject({ metric: z.string(), label: z.string(), values: z.record(z.string(), z.int()) }),
  }),
)
const EXPECTED = Object.entries(expectations.parse(parse(readFileSync(join(HERE, 'expectations.yaml'), 'utf8'))))

type Request = Readonly<{ path: string; body: unknown }>
const recorded = (name: string): readonly Request[] =>
  gunzipSync(readFileSync(join(HERE, `${name}.jsonl.gz`)))
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Request)

let settings: Settings
let collector: Running

before(async () => {
  settings = await ownSettings()
  const stored = join(settings.state, 'stored.yaml')
  writeFileSync(
    stored,
    `exporters: { file/logs: { path: ${join(settings.state, 'logs.jsonl')}, flush_interval: 50ms } }
service: { pipelines: { logs/apart: { receivers: [forward/logs], exporters: [file/logs] } } }\n`,
  )
  collector = await collectorFor(settings, { overlays: [stored] })
  // All agents at once; each sends its requests in the order in which it sent them.
  await Promise.all(EXPECTED.map(([name]) => sendAll(recorded(name))))
})
after(() => collector?.stop())

async function sendAll(requests: readonly Request[]): Promise<void> {
  for (const { path, body } of requests) await sendTo(collector.otlp, path, body)
}

const read = async (page: () => Promise<string>) => readPage(await page())

/** A series as text, with all its labels but those that Prometheus uses itself. */
const series = ({ labels: { job: _, instance: __, ...labels }, value }: Sample): string =>
  `${Object.keys(labels)
    .sort()
    .map((label) => `${label}=${labels[label]}`)
    .join(' ')} ${value}`

type Labels = Readonly<{ agent: string; model: string; operation: string; provider: string; service: string }>
const expectedSeries = (labels: Labels, type: string, value: number): string =>
  `gen_ai_agent_name=${labels.agent} gen_ai_operation_name=${labels.operation} ` +
  (labels.provider && `gen_ai_provider_name=${labels.provider} `) +
  `gen_ai_request_model=${labels.model} gen_ai_token_type=${type} service_name=${labels.service} ${value}`

const isCounted = (expected: readonly string[], isOurs: (service: string) => boolean) =>
  eventually(async () => {
    const found = (await read(collector.counted)).filter(
      ({ name, labels }) => name === TOKENS && isOurs(labels.service_name ?? ''),
    )
    assert.deepEqual(found.map(series).sort(), [...expected].sort())
  })

const allExpected = (times: number): readonly string[] =>
  EXPECTED.flatMap(([, { counted, ...labels }]) =>
    counted.flatMap((one) =>
      TYPES.flatMap((type) => {
        const tokens = one[type]
        return tokens === undefined ? [] : [expectedSeries({ ...labels, ...one }, type, tokens * times)]
      }),
    ),
  )
const isRecorded = (service: string) => EXPECTED.some((entry) => entry[1].service === service)

test('each recording of a coding agent has its expectations, and the other way round', () => {
  const files = readdirSync(HERE).filter((file) => file.endsWith('.jsonl.gz'))
  assert.deepEqual(files.map((file) => basename(file, '.jsonl.gz')).sort(), EXPECTED.map(([name]) => name).sort())
})

test('its tokens are counted by agent, provider, model, operation and type, once, and by no other label', async () => {
  await isCounted(allExpected(1), isRecorded)
})

for (const [name, { own, service }] of EXPECTED)
  test(`the metrics of ${name} itself say the same, whether it sends totals or steps`, async () => {
    await eventually(async () => {
      const samples = (await read(collector.agents)).filter(
        (one) => one.name === own.metric && one.labels.job === service,
      )
      const sums: Record<string, number> = {}
      for (const { labels, value } of samples) {
        const type = labels[own.label] ?? ''
        sums[type] = (sums[type] ?? 0) + value
      }
      assert.deepEqual(sums, own.values)
    })
  })

/** The values of all attributes whose key says that they identify a person, a machine or a session. */
function identifying(value: unknown): readonly string[] {
  if (value === null || typeof value !== 'object') return []
  const { key, value: inner } = value as Attribute
  if (
    typeof key === 'string' &&
    /(?:user|account|session|conversation|installation|prompt|thread|host)[._](?:id|name|email)$/.test(key)
  )
    return typeof inner?.stringValue === 'string' ? [inner.stringValue] : []
  return Object.values(value).flatMap(identifying)
}

test('no label identifies a person, a machine or a session', async () => {
  const ids = new Set(EXPECTED.flatMap(([name]) => recorded(name)).flatMap(({ body }) => identifying(body)))
  assert.ok(ids.size > 10, 'the recordings have such values')
  const samples = [...(await read(collector.counted)), ...(await read(collector.agents))]
  const values = new Set(samples.flatMap(({ labels }) => Object.values(labels)))
  for (const id of ids) assert.ok(!values.has(id), id)
  assert.ok(![...values].some((value) => value.includes('@')))
})

test('a secret in a prompt is masked wherever the agent writes it, and its events are counted by name', async () => {
  for (const [name] of EXPECTED) assert.ok(JSON.stringify(recorded(name)).includes(SECRET), name)
  await eventually(async () => {
    const text = readFileSync(join(settings.state, 'logs.jsonl'), 'utf8')
    assert.ok(!text.includes(SECRET))
    assert.equal(text.split('Greet the wood. I am ****').length - 1 >= EXPECTED.length, true)
  })
  const events = (await read(collector.counted)).filter(({ name }) => name === 'otel_log_records_total')
  for (const event of ['api_request', 'codex.sse_event', 'gemini_cli.api_response'])
    assert.ok(
      events.some(({ labels }) => labels.event_name === event),
      event,
    )
})

test('sessions at the same time add up', async () => {
  const logs = EXPECTED.map(([name]) => recorded(name).filter(({ path }) => path === '/v1/logs'))
  await Promise.all([...logs, ...logs].map(sendAll))
  await isCounted(allExpected(3), isRecorded)
})

const CLAUDE = 'com.anthropic.claude_code.events'
type Values = Readonly<Record<string, unknown>>
const call = (scope: string, attributes: Values, resource: Values) => ({
  path: '/v1/logs',
  body: logsRequest([{ attributes: toAttributes(attributes) }], { resource, scope: { name: scope } }),
})
type Case = Readonly<{
  scope?: string
  resource?: Values
  event: Values
  labels: Omit<Labels, 'service'>
  counted: Readonly<Record<string, number>>
}>
const CLAUDES = { agent: 'claude-code', model: 'm', operation: 'chat', provider: 'anthropic' }

/** Written after the documentation of the agents, not recorded. */
const CASES: Readonly<Record<string, Case>> = {
  'an older Claude Code writes numbers as text, and the size of its window behind the model': {
    event: { model: 'm[1m]', input_tokens: '1', output_tokens: '2', cache_read_tokens: '30' },
    labels: CLAUDES,
    counted: { input: 31, output: 2, cache_read: 30 },
  },
  'an agent that its user named has this name': {
    scope: 'codex_otel.log_only',
    resource: { 'gen_ai.agent.name': 'night shift' },
    event: { 'event.name': 'codex.sse_event', model: 'm', input_token_count: '7', output_token_count: '8' },
    labels: { agent: 'night shift', model: 'm', operation: 'chat', provider: 'openai' },
    counted: { input: 7, output: 8 },
  },
  'Gemini CLI on Vertex AI, with results of tools that the model itself used': {
    scope: 'gemini-cli',
    event: {
      'event.name': 'gemini_cli.api_response',
      model: 'm',
      auth_type: 'vertex-ai',
      input_token_count: 100n,
      tool_token_count: 20n,
      output_token_count: 5n,
    },
    labels: { agent: 'gemini-cli', model: 'm', operation: 'generate_content', provider: 'gcp.vertex_ai' },
    counted: { input: 120, output: 5 },
  },
  'Qwen Code, whose output holds what was thought': {
    scope: 'qwen-code',
    event: {
      'event.name': 'qwen-code.api_response',
      model: 'm',
      auth_type: 'openai',
      input_token_count: 1000n,
      output_token_count: 130n,
      cached_content_token_count: 600n,
      thoughts_token_count: 30n,
      total_token_count: 1130n,
    },
    labels: { agent: 'qwen-code', model: 'm', operation: 'generate_content', provider: '' },
    counted: { input: 1000, output: 130, cache_read: 600, reasoning: 30 },
  },
  'a count that cannot be is not counted, and those beside it are': {
    event: {
      model: 'm',
      input_tokens: -5n,
      cache_read_tokens: '9999999999999999999',
      cache_creation_tokens: 'many',
      output_tokens: 3n,
      'gen_ai.usage.reasoning.output_tokens': 9_000_000_000_000_000_000n,
    },
    labels: CLAUDES,
    counted: { output: 3 },
  },
  'a long name is no label': {
    event: { model: 'm', 'agent.name': 'a'.repeat(129), output_tokens: 3n },
    labels: { ...CLAUDES, agent: 'over 128 characters' },
    counted: { output: 3 },
  },
  'an event of the same name by another program is no call': {
    scope: 'shop',
    event: { model: 'm', input_tokens: 5n, 'gen_ai.usage.input_tokens': 5n },
    labels: CLAUDES,
    counted: {},
  },
}
for (const [service, { scope = CLAUDE, resource, event, labels, counted }] of Object.entries(CASES))
  test(service, async () => {
    // A call that is surely counted comes after it, so that nothing is not only nothing yet.
    await sendAll([
      call(scope, { 'event.name': 'api_request', ...event }, { 'service.name': service, ...resource }),
      call(CLAUDE, { 'event.name': 'api_request', model: 'last', output_tokens: 1n }, { 'service.name': service }),
    ])
    const expected = Object.entries(counted).map(([type, value]) => expectedSeries({ ...labels, service }, type, value))
    const last = expectedSeries({ ...CLAUDES, model: 'last', service }, 'output', 1)
    await isCounted([...expected, last], (found) => found === service)
  })
