import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Span, TraceRequest } from '../otlp/json.ts'
import { ownFolder } from '../stack/own-folder.ts'
import { type Classify, findTrace, type Why, whyReport } from './why.ts'

const folder = ownFolder()

const span = (traceId: string, name = 'chat'): Span => ({
  traceId,
  spanId: 'c'.repeat(16),
  name,
  endTimeUnixNano: '5000000',
})
const part = (tier: string, ...spans: readonly Span[]) => ({
  resource: { attributes: [{ key: 'tier', value: { stringValue: tier } }] },
  scopeSpans: [{ scope: { attributes: [{ key: 'lab', value: { stringValue: tier } }] }, spans }],
})
const [ONE, TWO, THREE, FOUR] = ['aa11', 'aa22', 'BB33', 'cc44'].map((begins) => begins.padEnd(32, '0')) as [
  string,
  string,
  string,
  string,
]
const requests: readonly TraceRequest[] = [
  { resourceSpans: [part('free', span(ONE), span(TWO)), part('gold', span(TWO))] },
  { resourceSpans: [part('free', span(THREE))] },
  { resourceSpans: [part('gold', span(ONE), span(FOUR, 'worth it')), part('free')] },
]
const path = join(folder, 'mine.jsonl')
writeFileSync(path, requests.map((request) => `${JSON.stringify(request)}\n`).join(''))
const classify: Classify = async (found) => ({
  ...found,
  traces: new Map([...found.traces].map(([id, one]) => [id, id === FOUR ? { ...one, classes: ['worth'] } : one])),
})
const find = (trace: string | undefined) => findTrace({ path, shown: 'mine.jsonl' }, trace, classify)

test('a trace is found by its id or how it begins, with only its own spans, resources and scopes', async () => {
  for (const trace of [ONE, 'aa1', 'AA11']) {
    const { id, requests: own } = await find(trace)
    assert.equal(id, ONE)
    assert.deepEqual(
      own.map(({ body }) => JSON.parse(body.toString())),
      [{ resourceSpans: [part('free', span(ONE))] }, { resourceSpans: [part('gold', span(ONE))] }],
    )
    assert.deepEqual(
      own.map(({ spans }) => spans.length),
      [1, 1],
    )
  }
  assert.equal((await find('bb')).id, THREE.toLowerCase())
})

describe('an id of no trace is refused, with ids to try: those that must be kept come first', () => {
  const such = `mine\\.jsonl has 4: try ${FOUR} \\(worth\\), ${ONE} \\(routine\\), ${TWO} \\(routine\\)$`
  const cases: readonly (readonly [name: string, trace: string | undefined, why: string])[] = [
    ['one that is not there', 'dd', `TRACE=dd is no trace of the recording. ${such}`],
    ['one that is not named', undefined, `TRACE names no trace: write TRACE=.* ${such}`],
    ['one that is no number', 'fox', `TRACE=fox is no trace id: that is at most 32 digits from 0 to f. ${such}`],
    ['one of too many digits', 'a'.repeat(33), `TRACE=a{33} is no trace id: .* ${such}`],
    ['one of two that begin like this', 'aa', `TRACE=aa is how 2 traces begin: ${ONE}, ${TWO}. Write more of it$`],
  ]
  for (const [name, trace, why] of cases) test(name, () => assert.rejects(find(trace), new RegExp(why)))
})

describe('the answer', () => {
  const found: Why = {
    trace: ONE,
    root: 'tick',
    agents: ['fox'],
    spans: 3,
    seconds: 1.94,
    usd: 0.25,
    classes: ['routine'],
    kept: false,
    recorded: undefined,
    votes: [{ policy: 'keep-slow', vote: 'no', condition: 'latency { threshold_ms: 2000 }', values: '1.94 s long' }],
    timeFactor: 1,
  }
  const said = (more: Partial<Why>, format: 'text' | 'markdown' = 'text') => whyReport({ ...found, ...more }, format)

  test('says who the trace is, and beside each vote what it was about', () => {
    assert.equal(
      said({}),
      `${ONE}: tick\n\n3 spans in 1.94 s, 0.250000 USD, of fox\nclass: routine\nverdict: dropped\n
no    keep-slow
      condition  latency { threshold_ms: 2000 }
      trace has  1.94 s long`,
    )
    assert.match(said({ kept: true, recorded: 'keep-slow' }), /^verdict: kept, recorded as keep-slow$/m)
    assert.match(said({ root: undefined }), /: no root came$/m)
  })

  test('says when the votes alone do not explain it', () => {
    const votes = (...of: readonly ('yes' | 'no' | 'drop')[]) =>
      of.map((vote, index) => ({ policy: `policy-${index}`, vote, condition: 'always_sample', values: '–' }))
    assert.match(said({ votes: votes('yes', 'drop') }), /^policy-1 takes it away, whatever the others say\.$/m)
    assert.match(said({ votes: votes('yes', 'no') }), /decides otherwise than the single votes say/)
    assert.match(said({ kept: true, votes: votes('no', 'no') }), /decides otherwise/)
    assert.doesNotMatch(said({ kept: true, votes: votes('yes', 'no') }), /otherwise|takes it away/)
  })

  test('says what time it is in, and is drawn for a pull request', () => {
    assert.match(said({ timeFactor: 10 }), /10 times faster than the clock: 200 ms are 2 s of it/)
    const bar = [{ policy: 'keep', vote: 'no' as const, condition: 'name != "a|b"', values: 'name = "a|b"' }]
    assert.ok(said({ votes: bar }, 'markdown').includes('| keep | no | name != "a\\|b" | name = "a\\|b" |'))
  })
})
