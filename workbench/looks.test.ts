import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { durationOf, looksAt, policiesIn, type Seen, shownLook, shownTime } from './looks.ts'
import type { Attribute, Value } from './recording.ts'

type Plain = Record<string, string | number | boolean | Value>

const held = (value: Plain[string]): Value =>
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
  resource: attributes(resource),
})
const CHAT = { 'gen_ai.operation.name': 'chat' }
const TOOL = { 'gen_ai.operation.name': 'execute_tool' }
const FAILED = { status: { code: 2 } }

const look = (type: string, settings: Record<string, unknown>, ...trace: readonly Seen[]) =>
  shownLook(looksAt({ name: 'it', type, settings }, trace))
const condition = (text: string, ...trace: readonly Seen[]) => look('ottl_condition', { span: [text] }, ...trace)

const SLOW = 'span.attributes["gen_ai.operation.name"] == "chat" and (span.end_time - span.start_time) > Duration("2s")'

describe('of a condition', () => {
  test('the longest span that is what it asks for is shown, not a longer one of another kind', () => {
    const trace = [span(9000, TOOL), span(500, CHAT), span(1940, CHAT), span(20, CHAT)]
    assert.equal(condition(SLOW, ...trace), 'gen_ai.operation.name = "chat"; 1.94 s, threshold 2 s')
  })

  test('the shortest is shown where it asks for a short one', () => {
    const fast = SLOW.replace('>', '<')
    assert.equal(
      condition(fast, span(1, TOOL), span(2500, CHAT), span(2100, CHAT)),
      'gen_ai.operation.name = "chat"; 2.1 s, threshold 2 s',
    )
  })

  test('times in nanoseconds are read alike', () => {
    const nanos = '(span.end_time_unix_nano - span.start_time_unix_nano) > 2000000000'
    assert.equal(condition(nanos, span(1940, CHAT)), '1.94 s, threshold 2 s')
  })

  test('a time just beside the threshold is not rounded to it', () => {
    assert.match(condition(SLOW, span(2000.001, CHAT)), / 2\.000001 s, threshold 2 s$/)
    assert.match(condition(SLOW, span(1999.999, CHAT)), / 1\.999999 s, threshold 2 s$/)
    assert.match(condition(SLOW, span(2000, CHAT)), / 2 s, threshold 2 s$/)
  })

  test('another value is shown beside the one it looks for', () => {
    const parse = 'span.attributes["error.type"] == "parse_error"'
    const [other, hit] = ['timeout', 'parse_error'].map((type) => span(1, { 'error.type': type }))
    assert.ok(other && hit)
    assert.equal(condition(parse, span(9, {}), other), 'error.type = "timeout", looks for "parse_error"')
    assert.equal(condition(parse, other, hit), 'error.type = "parse_error", looks for "parse_error"')
    assert.equal(
      condition(parse, span(9, {}), span(9, {})),
      'none of its 2 spans has error.type, looks for "parse_error"',
    )
  })

  test('a call that went well is nearer to a failed call than a tool that failed', () => {
    const failed = 'span.attributes["gen_ai.operation.name"] == "chat" and span.status.code == STATUS_CODE_ERROR'
    assert.equal(
      condition(failed, span(9, TOOL, FAILED), span(5, CHAT)),
      'gen_ai.operation.name = "chat"; status.code = UNSET, looks for ERROR',
    )
    assert.equal(
      condition(failed, span(9, CHAT), span(5, CHAT, { status: { code: 'STATUS_CODE_ERROR' } })),
      'gen_ai.operation.name = "chat"; status.code = ERROR',
    )
  })

  test('values of one span are shown together, with a guard against nil left out', () => {
    const heavy = 'span.attributes["tokens"] != nil and span.attributes["tokens"] > 5000 and span.name == "turn"'
    assert.equal(
      condition(heavy, span(1, { tokens: 9000 }), span(1, { tokens: 4000 }, { name: 'turn' })),
      'tokens = 4000, threshold 5000; name = "turn"',
    )
  })

  test('attributes of the sender and of events are read where it names them', () => {
    const gold = 'resource.attributes["tier"] == "gold"'
    assert.equal(condition(gold, span(1, {}, {}, { tier: 'free' })), 'tier = "free", looks for "gold"')
    const events = { events: [{ name: 'retry', attributes: attributes({ attempt: 2 }) }] }
    const retry = { spanevent: ['spanevent.name == "retry" and spanevent.attributes["attempt"] >= 3'] }
    assert.equal(
      look('ottl_condition', retry, span(1, {}), span(1, {}, events)),
      'spanevent.name = "retry"; attempt = 2, threshold 3',
    )
    assert.equal(look('ottl_condition', retry, span(1, {})), 'its only span has no event')
  })

  test('words in quotes, and names of other things, are not taken for what it looks at', () => {
    assert.equal(
      condition('span.name == "span.status.code == 3"', span(1, {})),
      'name = "a span", looks for "span.status.code == 3"',
    )
    assert.equal(condition('instrumentation_scope.name == "x"', span(1, {})), '–')
  })

  test('each of several is shown', () => {
    const either = { span: ['span.attributes["a"] == 1', 'span.attributes["b"] == true'] }
    assert.equal(
      look('ottl_condition', either, span(1, { a: 2, b: false })),
      'a = 2, looks for 1; or b = false, looks for true',
    )
  })

  test('a long value is cut', () => {
    const prompt = condition('span.attributes["prompt"] == "x"', span(1, { prompt: 'w'.repeat(5000) }))
    assert.match(prompt, /^prompt = "w{59}…, looks for "x"$/)
  })
})

describe('of an attribute policy', () => {
  const bounds = { key: 'tokens', min_value: 6000, max_value: 9000 }

  test('the number that comes nearest to its range is shown', () => {
    const trace = [5999, 10, 30_000].map((tokens) => span(1, { tokens }))
    assert.equal(look('numeric_attribute', bounds, ...trace), 'tokens = 5999, looks for 6000 to 9000')
    assert.equal(
      look('numeric_attribute', bounds, ...trace, span(1, { tokens: 7000 })),
      'tokens = 7000, looks for 6000 to 9000',
    )
    assert.equal(
      look('numeric_attribute', { key: 'tokens', min_value: 6000 }, span(1, { tokens: 12 })),
      'tokens = 12, looks for at least 6000',
    )
  })

  test('what is no whole number looks like none', () => {
    assert.match(look('numeric_attribute', bounds, span(1, { tokens: '7000' })), /^tokens = "7000",/)
    assert.match(look('numeric_attribute', bounds, span(1, { tokens: { doubleValue: 7000 } })), /^tokens = 7000\.0,/)
    assert.match(look('numeric_attribute', bounds, span(1, { tokens: '7000' }), span(1, { tokens: 3 })), /^tokens = 3,/)
  })

  test('the resource is looked at, too', () => {
    assert.equal(
      look('numeric_attribute', bounds, span(1, {}, {}, { tokens: 8000 })),
      'tokens = 8000, looks for 6000 to 9000',
    )
    const tier = { key: 'tier', values: ['free', 'trial'] }
    assert.equal(
      look('string_attribute', tier, span(1, {}, {}, { tier: 'gold' })),
      'tier = "gold", looks for "free" or "trial"',
    )
  })

  test('a hit is shown first of many values, and a text "true" is not the value true', () => {
    const tiers = ['a', 'b', 'c', 'd', 'free'].map((tier) => span(1, { tier }))
    assert.equal(
      look('string_attribute', { key: 'tier', values: ['free'] }, ...tiers),
      'tier = "free", "a", "b" and 2 others, looks for "free"',
    )
    assert.equal(
      look('boolean_attribute', { key: 'bad', value: true }, span(1, { bad: 'true' })),
      'bad = "true", looks for true',
    )
  })

  test('a value that the trace does not have is said to be missing', () => {
    const trace = [span(1, {}), span(1, {})]
    assert.equal(look('numeric_attribute', bounds, ...trace), 'none of its 2 spans has tokens, looks for 6000 to 9000')
    assert.equal(
      look('boolean_attribute', { key: 'bad', value: true }, ...trace),
      'none of its 2 spans has bad, looks for true',
    )
  })
})

test('the whole trace is measured from its first start to its last end', () => {
  const later = span(
    0,
    {},
    { startTimeUnixNano: String(START + 1500n * MS), endTimeUnixNano: String(START + 1940n * MS) },
  )
  assert.equal(look('latency', { threshold_ms: 2000 }, later, span(100, {})), '1.94 s, threshold 2 s')
  assert.equal(
    look('latency', { threshold_ms: 200, upper_threshold_ms: 5000 }, later, span(100, {})),
    '1.94 s, threshold 200 ms, at most 5 s',
  )
})

test('other types show what there is to see, and of an unknown one nothing is guessed', () => {
  const trace = [span(1, {}), span(1, {}, FAILED), span(1, {})]
  assert.equal(look('status_code', { status_codes: ['ERROR'] }, ...trace), '1 of its 3 spans, status ERROR')
  assert.equal(look('span_count', { min_spans: 5 }, ...trace), '3 spans, looks for at least 5')
  assert.equal(look('probabilistic', { sampling_percentage: 10 }, ...trace), 'the trace id alone, one in 10')
  assert.equal(look('probabilistic', { sampling_percentage: 15 }, ...trace), 'the trace id alone, 15 in 100')
  assert.equal(look('trace_flags', {}, ...trace), '–')
  assert.equal(look('moonlight', {}, ...trace), '–')
})

test('parts of a policy are shown one by one', () => {
  const parts = [
    { name: 'a', type: 'latency', latency: { threshold_ms: 500 } },
    { name: 'b', type: 'string_attribute', string_attribute: { key: 'tier', values: ['gold'] } },
  ]
  const shown = '250 ms, threshold 500 ms; tier = "free", looks for "gold"'
  for (const type of ['and', 'drop', 'composite'])
    assert.equal(look(type, { [`${type}_sub_policy`]: parts }, span(250, { tier: 'free' })), shown, type)
  const not = { not_sub_policy: parts[0] }
  assert.equal(look('not', not, span(250, {})), '250 ms, not: threshold 500 ms')
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

test('durations are read as the collector writes them, and shown in few digits', () => {
  assert.deepEqual(
    ['2s', '200ms', '1m30s', '1.5h', '250us', '7ns'].map(durationOf),
    [2e9, 200e6, 90e9, 5400e9, 250e3, 7],
  )
  for (const text of ['2', '', 's', '2 s', '2parsecs', '-2s']) assert.equal(durationOf(text), undefined, text)
  assert.deepEqual(
    [184_876_044n, 1_940_000_000n, 0n, 12_345_678_900n].map((nanos) => shownTime(nanos)),
    ['184.9 ms', '1.94 s', '0 ms', '12.35 s'],
  )
})
