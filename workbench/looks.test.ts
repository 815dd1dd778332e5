import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AnyValue, Attribute } from '../otlp/json.ts'
import { lookOf, policiesIn, type Seen } from './looks.ts'

type Plain = Record<string, string | number | boolean | AnyValue>

const held = (value: Plain[string]): AnyValue =>
  typeof value === 'string'
    ? { stringValue: value }
    : typeof value === 'boolean'
      ? { boolValue: value }
      : typeof value === 'number'
        ? { intValue: String(value) }
        : value
const attributes = (plain: Plain): readonly Attribute[] =>
  Object.entries(plain).map(([key, value]) => ({ key, value: held(value) }))

const START = 1795223772000000000n
const MS = 1_000_000n
const span = (ms: number, plain: Plain, more: object = {}, resource: Plain = {}): Seen => ({
  span: {
    traceId: 'a'.repeat(32),
    spanId: 'b'.repeat(16),
    name: 'a span',
    startTimeUnixNano: String(START),
    endTimeUnixNano: String(START + BigInt(Math.round(ms * Number(MS)))),
    attributes: attributes(plain),
    ...more,
  },
  resource: { attributes: attributes(resource) },
})
const CHAT = { 'gen_ai.operation.name': 'chat' }
const TOOL = { 'gen_ai.operation.name': 'execute_tool' }
const FAILED = { status: { code: 2 } }

const look = (type: string, settings: Record<string, unknown>, ...trace: readonly Seen[]) =>
  lookOf({ name: 'it', type, settings }, trace)
const values = (text: string, ...trace: readonly Seen[]) => look('ottl_condition', { span: [text] }, ...trace).values

const SLOW = 'span.attributes["gen_ai.operation.name"] == "chat" and (span.end_time - span.start_time) > Duration("2s")'

describe('of a condition', () => {
  test('it is shown as it stands, several with or between them', () => {
    assert.equal(look('ottl_condition', { span: [SLOW] }, span(1, CHAT)).condition, SLOW)
    const both = { error_mode: 'ignore', span: ['span.attributes["a"] == 1'], spanevent: ['spanevent.name == "b"'] }
    assert.equal(look('ottl_condition', both).condition, 'span.attributes["a"] == 1 or spanevent.name == "b"')
  })

  test('spans that have the same are told once, with their longest time; those with its own words come first', () => {
    const trace = [span(9000, TOOL), span(500, CHAT), span(1940, CHAT), span(9999, {}), span(20, CHAT)]
    assert.equal(
      values(SLOW, ...trace),
      'gen_ai.operation.name = "chat", longest 1.94 s; gen_ai.operation.name = "execute_tool", longest 9 s',
    )
  })

  test('a time alone is that of the longest span', () => {
    assert.equal(
      values('(span.end_time_unix_nano - span.start_time_unix_nano) > 2', span(5, {}), span(7, {})),
      'longest 7 ms',
    )
  })

  test('of other values a few are told, and how many there are', () => {
    const parse = 'span.attributes["error.type"] == "parse_error"'
    const types = ['a', 'b', 'c', 'parse_error', 'd'].map((type, index) => span(9 - index, { 'error.type': type }))
    assert.equal(
      values(parse, ...types),
      'error.type = "parse_error"; error.type = "a"; error.type = "b"; error.type = "c"; 1 others',
    )
    assert.equal(values(parse, span(9, {}), span(9, {})), 'none of its 2 spans has error.type')
  })

  test('what one span has together stays together: attribute, status, name', () => {
    const failed = 'span.attributes["gen_ai.operation.name"] == "chat" and span.status.code == STATUS_CODE_ERROR'
    assert.equal(
      values(failed, span(9, TOOL, FAILED), span(5, CHAT), span(4, CHAT, { status: { code: 'STATUS_CODE_ERROR' } })),
      'gen_ai.operation.name = "chat", status UNSET; gen_ai.operation.name = "chat", status ERROR; gen_ai.operation.name = "execute_tool", status ERROR',
    )
    const heavy = 'span.attributes["tokens"] != nil and span.attributes["tokens"] > 5000 and span.name == "turn"'
    assert.equal(values(heavy, span(1, { tokens: 9 }, { name: 'turn' })), 'tokens = 9, name = "turn"')
    assert.equal(
      values('span.attributes["a"] == 1 or span.attributes["b"] == 2', span(1, { b: 3 })),
      'a = nothing, b = 3',
    )
  })

  test('attributes of the sender and of events are found', () => {
    assert.equal(values('resource.attributes["tier"] == "gold"', span(1, {}, {}, { tier: 'free' })), 'tier = "free"')
    const events = { events: [{ name: 'retry', attributes: attributes({ attempt: 2 }) }] }
    const retry = { spanevent: ['spanevent.attributes["attempt"] >= 3'] }
    assert.equal(look('ottl_condition', retry, span(1, {}), span(1, {}, events)).values, 'attempt = 2')
  })

  test('a long value is cut, and types can be told apart', () => {
    assert.match(values('span.attributes["p"] == "x"', span(1, { p: 'w'.repeat(5000) })), /^p = "w{59}…$/)
    const tokens = [7, '7', true, { doubleValue: 7 }, { doubleValue: 7.5 }].map((value, index) =>
      span(9 - index, { t: value }),
    )
    assert.equal(values('span.attributes["t"] == 7', ...tokens.slice(0, 4)), 't = 7; t = "7"; t = true; t = 7.0')
    assert.equal(values('span.attributes["t"] == 7', ...tokens.slice(4)), 't = 7.5')
  })

  test('when it names nothing of a trace, nothing is told', () =>
    assert.equal(values('instrumentation_scope.name == "x"', span(1, {})), '–'))
})

describe('of another type', () => {
  test('the settings are shown in one line, and the values of its key, on spans or their resource', () => {
    const bounds = { key: 'tokens', min_value: 6000, max_value: 9000 }
    assert.deepEqual(look('numeric_attribute', bounds, span(1, { tokens: 5999 })), {
      condition: 'numeric_attribute { key: tokens, min_value: 6000, max_value: 9000 }',
      values: 'tokens = 5999',
    })
    assert.equal(look('numeric_attribute', bounds, span(1, {}, {}, { tokens: 8000 })).values, 'tokens = 8000')
    assert.equal(
      look('boolean_attribute', { key: 'bad', value: true }, span(1, {})).values,
      'none of its 1 spans has bad',
    )
    const tiers = ['a', 'b', 'free'].map((tier) => span(1, { tier }))
    assert.match(look('string_attribute', { key: 'tier', values: ['free'] }, ...tiers).values, /^tier = "free"; /)
  })

  test('it is told what the type reads', () => {
    const trace = [span(1, {}), span(1, {}, FAILED), span(1, {})]
    assert.equal(look('status_code', { status_codes: ['ERROR'] }, ...trace).values, 'status UNSET; status ERROR')
    assert.equal(look('span_count', { min_spans: 5 }, ...trace).values, '3 spans')
    assert.equal(look('probabilistic', { sampling_percentage: 10 }, ...trace).values, 'the trace id alone')
    assert.deepEqual(look('always_sample', {}, ...trace), { condition: 'always_sample', values: '–' })
    const later = { startTimeUnixNano: String(START + 1500n * MS), endTimeUnixNano: String(START + 1940n * MS) }
    const whole = look('latency', { threshold_ms: 2000 }, span(0, {}, later), span(100, {}))
    assert.equal(whole.values, '1.94 s from first start to last end')
  })

  test('policies inside name their attributes, too', () => {
    const parts = [
      { name: 'a', type: 'string_attribute', string_attribute: { key: 'tier', values: ['gold'] } },
      { name: 'b', type: 'ottl_condition', ottl_condition: { span: ['span.attributes["lab"] == "x"'] } },
    ]
    for (const type of ['and', 'drop', 'composite']) {
      const { condition, values } = look(type, { [`${type}_sub_policy`]: parts }, span(2, { tier: 'free', lab: 'y' }))
      assert.equal(values, 'tier = "free", lab = "y"', type)
      assert.ok(condition.startsWith(`${type} { ${type}_sub_policy: [ { name: a,`), condition)
    }
  })
})

test('policies are read with what they merge from others', () => {
  const list = `
- &slow
  name: slow
  type: latency
  latency: { threshold_ms: 2000 }
- <<: *slow
  name: slow-too
`
  assert.deepEqual(
    policiesIn(list).map(({ name, settings }) => [name, settings]),
    [
      ['slow', { threshold_ms: 2000 }],
      ['slow-too', { threshold_ms: 2000 }],
    ],
  )
})
