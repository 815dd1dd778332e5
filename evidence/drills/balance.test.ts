import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Account,
  balance,
  drillReport,
  type Events,
  holds,
  isBalanced,
  type SentTrace,
  spanKey,
} from './balance.ts'

const calm: Events = { killsMs: [], undecidedForMs: 3000, isDropped: () => false }
const part = (spans: readonly string[], more: object = {}) => ({
  spans,
  sentMs: 1000,
  answeredMs: 1010,
  refused: undefined,
  ...more,
})
const traceOf = (id: string, ...parts: SentTrace['parts']): SentTrace => ({ id, parts })
const counts = (copies: Readonly<Record<string, number>>) => new Map(Object.entries(copies))
const account = (more: Partial<Account> = {}): Account => ({
  backend: 'tempo',
  stored: new Map(),
  acknowledged: new Map(),
  rejected: new Map(),
  elsewhere: new Map(),
  givenUp: 0,
  ...more,
})
const one = [traceOf('a', part(['1']))]
const key = spanKey('a', '1')

test('a span that is not stored, without a reason, is unknown', () => {
  const found = balance(one, calm, account())
  assert.equal(found.states.unknown, 1)
  assert.ok(!isBalanced(found))
})

test('a stored span counts as stored, whatever else is known of it', () => {
  const refused = [traceOf('a', part(['1'], { refused: 'HTTP 503' }))]
  const found = balance(refused, { ...calm, isDropped: () => true }, account({ stored: counts({ [key]: 3 }) }))
  assert.deepEqual([found.states.stored, found.states.refused, found.duplicated], [1, 0, 2])
  assert.ok(isBalanced(found))
})

test('a span that a backend acknowledged and did not store counts as lost by the backend', () => {
  const found = balance(one, calm, account({ acknowledged: counts({ [key]: 2 }) }))
  assert.deepEqual([found.states.unstored, found.duplicated], [1, 1])
})

test('a kill explains only spans that were undecided at that time', () => {
  const at = (killMs: number) => balance(one, { ...calm, killsMs: [killMs] }, account()).states
  assert.equal(at(999).unknown, 1)
  assert.equal(at(1000).undecided, 1)
  assert.equal(at(4010).undecided, 1)
  assert.equal(at(4011).unknown, 1)
})

test('a kill explains only one trace that another backend got', () => {
  const elsewhere = counts({ 'a 1': 1, 'b 1': 1, 'c 1': 1 })
  const three = ['a', 'b', 'c'].map((id) => traceOf(id, part(['1'])))
  const { undecided, unknown, stored } = balance(
    three,
    { ...calm, killsMs: [1500] },
    account({ elsewhere, stored: counts({ 'a 1': 1 }) }),
  ).states
  assert.deepEqual({ undecided, unknown, stored }, { undecided: 1, unknown: 1, stored: 1 })
})

test('the rest of a trace that a kill split counts as lost with it', () => {
  const partial = [traceOf('a', part(['1']), part(['2'], { sentMs: 5000, answeredMs: 5010 }))]
  const found = balance(partial, { ...calm, killsMs: [2000] }, account())
  assert.deepEqual([found.states.undecided, found.undecidedTraces, found.oldestUndecidedMs], [2, 1, 1000])
})

test('spans that the collector gave up are counted only as far as so many are missing', () => {
  const two = [traceOf('a', part(['1', '2']))]
  assert.deepEqual(balance(two, calm, account({ givenUp: 1 })).states.unknown, 1)
  assert.deepEqual(balance(two, calm, account({ givenUp: 2 })).states.givenUp, 2)
  const rejected = balance(two, calm, account({ rejected: counts({ [key]: 1 }) })).states
  assert.deepEqual([rejected.givenUp, rejected.unknown], [1, 1])
})

test('a stored span that the client did not send is an error', () =>
  assert.ok(!isBalanced(balance(one, calm, account({ stored: counts({ [key]: 1, 'b 1': 1 }) })))))

test('the states add up to the number of sent spans, also in the table', () => {
  const sent = [traceOf('a', part(['1', '2', '3']), part(['4'], { refused: 'gone' }))]
  const found = balance(sent, { ...calm, killsMs: [1500] }, account({ stored: counts({ [key]: 1 }) }))
  assert.equal(
    Object.values(found.states).reduce((sum, number) => sum + number, 0),
    found.sent,
  )
  const outcome = { drill: 'kill', balances: [found], notes: ['it was late'], broken: [] }
  assert.ok(holds(outcome))
  assert.ok(!holds({ ...outcome, broken: ['the client was refused something'] }))
  const [, , row] = drillReport([outcome], 'markdown').split('\n')
  assert.equal(row, '| kill | tempo | 4 | 1 | 0 | 1 | 2 | 0 | 0 | 0 | 0 |')
})
