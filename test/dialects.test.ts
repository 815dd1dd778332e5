import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { before, describe, test } from 'node:test'
import { inTurn, type Outcome, outcomeOf, type Seen } from '../evidence/foreign/replay.ts'
import { eachSpan, fromAttributes, type Span, type TraceRequest, toAttributes, traceRequest } from '../otlp/json.ts'
import { randomOf } from '../random/random.ts'
import { type Entry, readLedger } from '../sim/ledger.ts'
import { launcherFor } from '../stack/collectors.ts'
import { ownSettings, quiet } from '../stack/own-stack.ts'
import { SHIPPED_POLICY } from '../stack/policy.ts'
import { ROOT, type Settings } from '../stack/settings.ts'
import { readRecording } from '../workbench/recording.ts'
import { AGENT, BAD, CALL, DIALECTS, IN, OUT, SHAPES, sentOf } from './dialect-cases.ts'

const ALL = [DIALECTS, SHAPES, BAD].flatMap((group) => Object.entries(group))
const random = randomOf(3, 1)
const made = new Map(ALL.map(([title, one], index) => [title, sentOf(one, random, `s${index}`)]))

const SENDERS = 16
const CALLS_EACH = 200
/** Small requests, so that those of one agent overtake each other if anything lets them. */
const busy: readonly TraceRequest[] = Array.from({ length: SENDERS * CALLS_EACH }, (_, index) =>
  traceRequest(
    [
      {
        traceId: random.hex(32),
        spanId: random.hex(16),
        name: 'chat',
        startTimeUnixNano: '1795223772818000000',
        endTimeUnixNano: '1795223772918000000',
        attributes: toAttributes({ ...CALL, [AGENT]: `agent-${index % 5}`, [IN]: BigInt(index + 1), [OUT]: 7n }),
      },
    ],
    { resource: { 'service.name': 'busy' } },
  ),
)

const OWN = resolve(ROOT, 'workbench/recordings/seed-3-ticks-30-default')

let settings: Settings
let outcome: Outcome
let own: { sent: readonly TraceRequest[]; outcome: Outcome }

before(async () => {
  settings = await ownSettings({ BOOT: 'native' })
  const launcher = await launcherFor(settings, quiet, 'native')
  const send = (requests: readonly TraceRequest[], atOnce?: number) =>
    outcomeOf(launcher, inTurn(requests, atOnce), resolve(ROOT, SHIPPED_POLICY))
  outcome = await send([...[...made.values()].map(({ body }) => body), ...busy], SENDERS)
  const sent: TraceRequest[] = []
  for await (const { body } of readRecording(`${OWN}.jsonl.gz`)) sent.push(JSON.parse(body.toString()))
  own = { sent, outcome: await send(sent) }
})

const seenOf = (span: Span): Seen => {
  const found = outcome.seen.get(`${span.traceId} ${span.spanId}`)
  assert.ok(found, 'the span arrives')
  return found
}

for (const [group, cases] of Object.entries({ 'a dialect': DIALECTS, tokens: SHAPES, 'bad input': BAD })) {
  describe(group, () => {
    for (const [title, { becomes, status, sent }] of Object.entries(cases)) {
      test(title, () => {
        const span = made.get(title)?.span
        assert.ok(span)
        const { attributes, span: now } = seenOf(span)
        for (const [key, wanted] of Object.entries(becomes)) assert.deepEqual(attributes[key], wanted, key)
        if (status !== undefined) assert.equal(now.status?.code ?? 0, status)
        const keptAs = (key: string) => `${key.replace(/^gen_ai[.]/, 'woodland.')}.sent`
        for (const key of Object.keys(sent))
          assert.ok(key in attributes || keptAs(key) in attributes, `${key} is still there`)
        const empty = Object.entries(attributes).filter(([, value]) => value === undefined)
        assert.deepEqual(empty, [], 'no attribute without a value')
      })
    }
  })
}

const sum = (of: Outcome, labels: Readonly<Record<string, string>>) =>
  of.counted
    .filter(({ name }) => name === 'gen_ai.usage.tokens')
    .filter((one) => Object.entries(labels).every(([label, value]) => one.labels[label] === value))
    .reduce((total, { value }) => total + value, 0)

test(`${SENDERS} senders at once: tokens by agent are the sum of what was sent`, () => {
  for (let agent = 0; agent < 5; agent++) {
    const mine = busy.flatMap((_, index) => (index % 5 === agent ? [index + 1] : []))
    const labels = { 'service.name': 'busy', [AGENT]: `agent-${agent}` }
    const total = mine.reduce((a, b) => a + b, 0)
    assert.equal(sum(outcome, { ...labels, 'gen_ai.token.type': 'input' }), total)
    assert.equal(sum(outcome, { ...labels, 'gen_ai.token.type': 'output' }), mine.length * 7)
  }
})

test('spans that carry sums, and the other side of a call, are not counted', () => {
  for (const title of [
    'Vercel: the loop carries sums',
    'an agent keeps its sums as they are',
    'by hand: a turn',
    'pydantic-ai 1: a run',
    'the other side of a call is no second call',
    'claude-code: a call, whose tokens are counted from its record',
    'qwen-code: a call, whose tokens are counted from its record',
  ])
    assert.equal(sum(outcome, { 'service.name': `s${ALL.findIndex(([name]) => name === title)}` }), 0, title)
})

test('the spans of the simulator are no dialect: nothing is added and nothing is changed', () => {
  const before = own.sent.flatMap((request) => [...eachSpan(request)])
  assert.ok(before.length > 1000)
  for (const { span } of before) {
    const now = own.outcome.seen.get(`${span.traceId} ${span.spanId}`)
    // What the redactor masks and counts is tested elsewhere.
    // The recording has evaluations from before the Collector said what they mean.
    const isOurs = (key: string) => key === 'redaction.masked.count' || key.startsWith('woodland.evaluation.')
    const keys = (some: object) => Object.keys(some).filter((key) => !isOurs(key))
    const before = fromAttributes(span.attributes)
    assert.deepEqual(keys(now?.attributes ?? {}), keys(before), span.name)
    for (const [key, value] of Object.entries(now?.attributes ?? {}))
      if (keys(before).includes(key) && !String(value).includes('****')) assert.deepEqual(value, before[key], key)
  }
})

test('what is counted from the spans of the simulator is what its ledger says', () => {
  const calls = readLedger(`${OWN}.ledger.jsonl`).filter(
    (entry): entry is Extract<Entry, { kind: 'call' }> => entry.kind === 'call' && entry.outcome === 'ok',
  )
  const agents = new Set(calls.map(({ agent }) => agent))
  assert.equal(agents.size, 5)
  for (const agent of agents) {
    const mine = calls.filter((call) => call.agent === agent)
    const total = (of: (call: (typeof calls)[number]) => number) => mine.reduce((all, call) => all + of(call), 0)
    assert.equal(
      sum(own.outcome, { [AGENT]: agent, 'gen_ai.token.type': 'input' }),
      total((call) => call.inputTokens),
    )
    assert.equal(
      sum(own.outcome, { [AGENT]: agent, 'gen_ai.token.type': 'output' }),
      total((call) => call.outputTokens),
    )
  }
  assert.equal(
    sum(own.outcome, {}),
    calls.reduce((all, call) => all + call.inputTokens + call.outputTokens, 0),
  )
})
