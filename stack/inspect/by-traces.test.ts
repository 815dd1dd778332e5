import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PhoenixSpan, Span } from '../queries.ts'
import { agentNames } from './agents.ts'
import { byTraces, type Kept } from './by-traces.ts'
import type { Counted, Group } from './counted.ts'
import type { Line, Name } from './line.ts'
import { agentLines } from './sdk.ts'
import { callersIn, type Stored, type Trace } from './stored.ts'

const SERVICE = 'my-agents'
let ids = 0
function span(changed: Partial<Span> = {}): Span {
  return {
    traceId: 'a'.repeat(32),
    spanId: String(++ids),
    parentSpanId: '',
    name: 'chat gpt-4o-mini',
    kind: 'SPAN_KIND_CLIENT',
    start: 0n,
    end: 10n,
    error: false,
    statusMessage: '',
    attributes: {},
    resource: { 'service.name': SERVICE, 'service.instance.id': 'one', 'openinference.project.name': SERVICE },
    scopeName: 'by hand',
    scope: {},
    events: [],
    links: [],
    ...changed,
  }
}
const CALL = {
  'gen_ai.operation.name': 'chat',
  'gen_ai.agent.name': 'owl',
  'gen_ai.usage.input_tokens': 10,
  'gen_ai.usage.output_tokens': 2,
  'input.value': 'hello',
  'output.value': 'hi',
}
const root = span({ name: 'invoke_agent owl', attributes: { 'gen_ai.operation.name': 'invoke_agent' } })
const call = span({ parentSpanId: root.spanId, attributes: CALL })
const good: Trace = [root, call]

const group: Group = {
  operation: 'chat',
  agent: 'owl',
  provider: 'openai',
  model: 'm',
  error: '',
  failed: false,
  limit: '',
  count: 4,
}
const pipeline = { answers: [], refused: 0, waiting: 0, lateKept: 0, lateLost: 0, resets: 0 }
const kept = (stored: Partial<Stored>, around: Partial<Kept['pipeline']> = {}): Kept => ({
  service: SERVICE,
  counted: { groups: [group] },
  stored: { traces: [good], rootless: [], phoenix: undefined, ...stored },
  pipeline: { ...pipeline, ...around },
  waits: { root: '615s', afterRoot: '6s' },
  window: '10m',
})
const line = (name: Name, stored: Partial<Stored>, around: Partial<Kept['pipeline']> = {}): Line =>
  byTraces(kept(stored, around)).find((one) => one.name === name) ?? assert.fail(`there is no line ${name}`)

test('a good trace is well in every line, except links, which nothing shows', () => {
  const marks = byTraces(kept({})).map(({ name, is }) => [name, is])
  assert.deepEqual(
    marks.filter(([, is]) => is !== 'ok'),
    [['links', 'untold']],
  )
  assert.ok(marks.length >= 8)
})

test('without a kept trace it says so, and what waits', () => {
  const lines = byTraces(kept({ traces: [] }, { waiting: 3 }))
  assert.deepEqual(
    lines.map(({ name, is }) => [name, is]),
    [
      ['kept', 'note'],
      ['roots', 'untold'],
    ],
  )
  assert.match(lines[0]?.found ?? '', /3 traces of all services wait/)
  assert.match(lines[0]?.fix.join() ?? '', /keep-everything/)
})

test('without Tempo it says why nothing can be told', () => {
  const [only, ...others] = byTraces(kept({ traces: [], untold: 'BACKENDS has no tempo' }))
  assert.deepEqual([only?.name, only?.is, others.length], ['kept', 'untold', 0])
})

test('calls without messages are a note, with what their SDK needs', () => {
  const silent = { ...call, attributes: { 'gen_ai.operation.name': 'chat' } }
  const byHand = line('messages', { traces: [[root, silent]] })
  assert.equal(byHand.is, 'note')
  assert.match(byHand.fix.join(), /input\.value/)
  const scopeName = 'opentelemetry.instrumentation.openai_v2'
  assert.match(line('messages', { traces: [[root, { ...silent, scopeName }]] }).fix.join(), /sends them as log records/)
  assert.equal(
    line('messages', { traces: [[root, { ...silent, error: true }]] }).is,
    'ok',
    'a failed call has no reply',
  )
})

test('a trace without a root is a note, also one that was stored long after', () => {
  const lost = [span({ parentSpanId: 'somewhere' })]
  assert.equal(line('roots', { traces: [good, lost] }).is, 'note')
  assert.match(line('roots', { rootless: [lost] }).found, /^1 of 2 kept traces have no root \(1 span of this service\)/)
})

test('spans that came after the verdict are a note', () => {
  const late = { ...call, scope: { 'tailsampling.cached_decision': true } }
  assert.match(line('late spans', { traces: [[root, late]] }).found, /^1 of 2 kept spans came after the verdict/)
  const others = line('late spans', {}, { lateLost: 7 })
  assert.deepEqual([others.is, /7 spans came too late/.test(others.found)], ['ok', true])
})

test('a call inside a call is there twice: its tokens too if they are equal', () => {
  const inner = span({ parentSpanId: call.spanId, attributes: CALL, scopeName: 'inner' })
  assert.match(
    line('counted twice', { traces: [[root, call, inner]] }).found,
    /inner inside by hand; .*tokens \(1\), which are counted once where both came in one request/,
  )
  const anthropic = { ...inner, scopeName: 'com.anthropic.sdk.typescript' }
  assert.match(
    line('counted twice', { traces: [[root, call, anthropic]] }).fix.join(),
    /ANTHROPIC_OPEN_TELEMETRY=false/,
  )
  const empty = { ...call, attributes: { 'gen_ai.operation.name': 'chat' } }
  assert.match(line('counted twice', { traces: [[root, empty, inner]] }).found, /tokens are counted once/)
  const other = { ...inner, attributes: { ...CALL, 'gen_ai.usage.input_tokens': 11 } }
  assert.equal(line('counted twice', { traces: [[root, call, other]] }).is, 'ok', 'other tokens are another call')
})

test('a call beside a call is there twice, too, where another instrumentation saw it in the same time', () => {
  const scopeName = 'com.anthropic.sdk.python'
  const [outer, inner] = [
    span({ ...call, spanId: 'outer' }),
    span({ ...call, spanId: 'inner', scopeName, start: 1n, end: 9n }),
  ]
  const beside = line('counted twice', { traces: [[root, outer, inner]] })
  assert.match(
    beside.found,
    /com\.anthropic\.sdk\.python beside by hand; .*tokens \(1\), which are counted once where both came in one request/,
  )
  assert.match(beside.fix.join(), /ANTHROPIC_OPEN_TELEMETRY=false/)
  // Of a stream, the two count the output otherwise.
  const stream = { ...inner, attributes: { ...CALL, 'gen_ai.usage.output_tokens': 3 } }
  assert.equal(line('counted twice', { traces: [[root, outer, stream]] }).is, 'note')
  const parallel = { ...inner, scopeName: outer.scopeName }
  assert.equal(line('counted twice', { traces: [[root, outer, parallel]] }).is, 'ok', 'two calls at the same time')
  const later = { ...inner, start: 5n, end: 20n }
  assert.equal(line('counted twice', { traces: [[root, outer, later]] }).is, 'ok', 'another call')
})

test('a call inside a call is found through spans between them, and a ring of parents ends', () => {
  const between = span({ parentSpanId: call.spanId })
  const inner = span({ parentSpanId: between.spanId, attributes: CALL })
  assert.equal(line('counted twice', { traces: [[root, call, between, inner]] }).is, 'note')
  const [one, two] = [span({ spanId: 'x', parentSpanId: 'y' }), span({ spanId: 'y', parentSpanId: 'x' })]
  const below = span({ parentSpanId: 'x', attributes: CALL })
  assert.equal(line('counted twice', { traces: [[one, two, below]] }).is, 'ok')
})

test('ids in span names are a note, and versions of models are not', () => {
  const named = (names: readonly string[]) => line('span names', { traces: [names.map((name) => span({ name }))] })
  const ticks = named(['tick/1', 'tick/2', 'tick/3', 'tick/4', 'tick/5'])
  assert.match(ticks.found, /^5 names are one, tick\/\*/)
  assert.match(ticks.fix.join(), /start_as_current_span\("tick"/)
  assert.equal(named(['tick/1', 'tick/2', 'tick/3', 'tick/4']).is, 'ok')
  assert.equal(
    named(['chat gpt-4o', 'chat gpt-4o-mini', 'chat o3', 'chat claude-haiku-4-5', 'chat qwen3-32b']).is,
    'ok',
  )
  const hex = ['0a1b2c3d', '1a1b2c3d', '2a1b2c3d', '3a1b2c3d', 'deadbee1'].map((id) => `run ${id}`)
  assert.equal(named(hex).is, 'note')
})

test('processes share an identity only if they run at the same time', () => {
  const by = (pid: number, start: bigint, end: bigint, id = 'one') =>
    span({ start, end, resource: { ...root.resource, 'service.instance.id': id, 'process.pid': pid } })
  assert.equal(line('processes', { traces: [[by(1, 0n, 10n), by(2, 5n, 15n)]] }).is, 'note')
  assert.equal(line('processes', { traces: [[by(1, 0n, 10n), by(2, 11n, 15n)]] }).is, 'ok', 'a restart')
  assert.equal(line('processes', { traces: [[by(1, 0n, 10n), by(2, 5n, 15n, 'two')]] }).is, 'ok')
  assert.equal(line('processes', {}, { resets: 2 }).is, 'note')
  assert.match(line('processes', {}).found, /cannot be told/)
})

test('masked values are named by key; only a masked name is a note', () => {
  const masked = (attributes: Span['attributes']) =>
    line('masked', { traces: [[span({ attributes: { ...attributes, 'redaction.masked.count': 1 } })]] })
  const prompt = masked({ 'llm.input_messages.3.message.content': 'mail ****', 'input.value': ['****'] })
  assert.deepEqual(
    [prompt.is, prompt.found],
    ['ok', 'on 1 of 1 kept span, in llm.input_messages.*.message.content 1, input.value 1'],
  )
  assert.equal(masked({ 'gen_ai.agent.name': '****' }).is, 'note')
})

test('links are stored where the resource promises ids only', () => {
  const promising = span({
    resource: { ...root.resource, 'woodland.links': 'ids-only' },
    links: [{ traceId: '1', spanId: '2' }],
  })
  assert.equal(line('links', { traces: [[promising]] }).found, 'kept spans have 1 link, and they are stored')
})

test('Phoenix: a missing kind and a missing project are notes', () => {
  const shown = (kind: string): PhoenixSpan => ({
    id: '1',
    name: 'chat',
    span_kind: kind,
    status_code: 'OK',
    context: { trace_id: call.traceId, span_id: call.spanId },
    attributes: {},
  })
  const phoenix = { project: SERVICE, asked: 1, spans: [shown('LLM')] }
  assert.equal(line('Phoenix', { phoenix }).is, 'ok')
  assert.equal(line('Phoenix', { phoenix: { ...phoenix, spans: [shown('UNKNOWN')] } }).is, 'note')
  assert.equal(line('Phoenix', { phoenix: { ...phoenix, project: 'default' } }).is, 'note')
  assert.equal(line('Phoenix', { phoenix: { ...phoenix, spans: [] } }).is, 'note')
  assert.equal(line('Phoenix', { phoenix: { ...phoenix, problem: 'HTTP 500' } }).is, 'note')
})

const counted = (groups: readonly Group[]): Counted => ({
  service: SERVICE,
  groups,
  tokens: [],
  firstChunks: 0,
  agentsAbove: [],
  unpriced: [],
  logs: [],
  metrics: { series: 0, processes: 0, overflowing: 0, cut: 0 },
})

test('an agent is named by its spans, a dialect, the resource, or only by the service', () => {
  const from = (attributes: Span['attributes']) =>
    agentNames(counted([group]), [span({ attributes: { ...CALL, ...attributes } })])?.found
  assert.equal(from({}), 'owl: spans name it themselves')
  assert.equal(from({ 'woodland.dialect': 'openinference' }), 'owl: from the words of openinference')
  assert.equal(from({ 'woodland.agent.from': 'resource' }), 'owl: gen_ai.agent.name of the resource')

  const mine = [span({ attributes: { ...CALL, 'gen_ai.agent.name': SERVICE, 'woodland.agent.from': 'service' } })]
  const nameless = agentNames(counted([{ ...group, agent: SERVICE, count: 3 }, group]), mine)
  assert.equal(nameless?.is, 'note')
  assert.match(nameless?.found ?? '', /^3 of 7 calls do not name their agent.*; the others name owl$/)
  const below = agentNames({ ...counted([{ ...group, agent: SERVICE }]), agentsAbove: ['owl', 'jay'] }, mine)
  assert.match(below?.found ?? '', /the Agent map estimates tokens of .*owl.* above them$/)
  assert.equal(agentNames(counted([{ ...group, agent: SERVICE }]), [])?.is, 'note', 'counts alone tell it too')
  assert.equal(agentNames(counted([{ ...group, operation: 'invoke_workflow', agent: '' }]), []), undefined)
})

test('an agent may be called as its service is', () => {
  const mine = [span({ attributes: { ...CALL, 'gen_ai.agent.name': SERVICE } })]
  assert.equal(agentNames(counted([{ ...group, agent: SERVICE }]), mine)?.is, 'ok')
})

test('the lines to paste come from the example of the SDK', () => {
  for (const [scopeName, file, line] of [
    ['opentelemetry.instrumentation.openai_v2', 'examples/openai-v2/agent.py', 'class AgentName(SpanProcessor):'],
    [
      'openinference.instrumentation.openai_agents',
      'examples/openai-agents/agent.py',
      'class AgentName(SpanProcessor):',
    ],
    ['openinference.instrumentation.litellm', 'examples/litellm/agent.py', 'provider.add_span_processor(AgentName())'],
    ['openinference.instrumentation.langchain', 'examples/langgraph/agent.py', 'create_agent('],
    ['pydantic-ai', 'examples/pydantic-ai/agent.py', 'Agent(name='],
    ['traceloop.tracer', 'examples/traceloop/agent.py', '@agent(name='],
    ['ai', 'examples/vercel-ai/agent.ts', 'functionId: '],
    ['mine', 'examples/opentelemetry/agent.ts', "'gen_ai.agent.name': "],
  ] as const) {
    const mine = [span({ scopeName, attributes: { ...CALL, 'woodland.agent.from': 'service' } })]
    const { fix = [] } = agentNames(counted([{ ...group, agent: SERVICE }]), mine) ?? {}
    assert.ok(fix.some((one) => one.includes(file)) && fix.some((one) => one.includes(line)), `${scopeName}: ${fix}`)
    assert.ok(fix.length <= 10, `${scopeName}: ${fix.length} lines`)
  }
  assert.throws(() => agentLines('none'))
})

test('other services with calls in the same traces are known', () => {
  const other = span({ attributes: CALL, resource: { 'service.name': 'gateway' } })
  assert.deepEqual(callersIn([[root, call, other]], SERVICE), ['gateway'])
})
