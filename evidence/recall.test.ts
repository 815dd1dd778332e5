import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isKept, punctuality, recallReport, tally } from './recall.ts'
import { type Labelled, requestOf } from './traffic.ts'

const label = (id: string, number: number, more: Partial<Labelled> = {}): Labelled => ({
  id,
  kind: 'slow-call',
  profile: 'two halves',
  spans: 4,
  number,
  ...more,
})

const sent = [
  label('whole', 1),
  label('lost', 2),
  label('torn', 3, { kind: 'self-buy' }),
  label('twice', 4, { kind: 'parse-error' }),
  label('routine', 4, { kind: 'routine' }),
]
const kept = new Map([
  ['whole', { spans: 4 }],
  ['torn', { spans: 3 }],
  ['twice', { spans: 8 }],
])

test('a trace is missed when it is lost, when a part of it is lost, and when it is kept more often than it was sent', () => {
  const recall = tally(9, sent, kept)
  assert.deepEqual(
    recall.missed.map(({ id }) => id),
    ['lost', 'torn', 'twice'],
  )
  assert.deepEqual(recall.byKind.get('slow-call'), { sent: 2, kept: 1, partial: 0 })
  assert.deepEqual(recall.byKind.get('self-buy'), { sent: 1, kept: 1, partial: 1 })
  assert.deepEqual(recall.byProfile.get('two halves'), { sent: 4, kept: 3, partial: 2 })
})

test('the report says how to send the missing traces again', () => {
  const text = recallReport(tally(9, sent, kept), 'text')
  assert.match(text, /3 must-keep traces were missed or kept in part.*make recall SEED=9 COUNT=4\. /)
  assert.match(text, /lost slow-call, two halves, number 2/)
  assert.match(text, /all that must be kept +4 +3 +1 +2 +75\.00 %/)
})

test('a bound is rounded down, and without traces there is no bound', () => {
  const many = Array.from({ length: 60_000 }, (_, index) => label(`${index}`, index + 1))
  const whole = new Map(many.map(({ id }) => [id, { spans: 4 }]))
  const text = recallReport(tally(1, many, whole), 'markdown')
  assert.match(text, /\| slow-call \| 60000 \| 60000 \| 0 \| 0 \| 100\.00 % \| 99\.9950 % \|/)
  assert.match(text, /\| routine \| 0 \| 0 \| 0 \| 0 \| – \| – \|/)
  assert.doesNotMatch(text, /NaN|missed or/)
})

test('whether a trace is late depends on when its parts were sent, not on the result', () => {
  let now = 0
  const clock = punctuality(() => now)
  const part = (traceId: string, isRoot: boolean) =>
    requestOf(0, [{ traceId, spanId: '1', ...(isRoot ? {} : { parentSpanId: '2' }) }])
  const send = (traceId: string, isRoot: boolean, [from, to]: readonly [number, number]) => {
    now = from
    clock.begun(part(traceId, isRoot))
    now = to
    clock.taken(part(traceId, isRoot))
  }
  send('prompt', true, [0, 10])
  send('prompt', false, [600, 610])
  send('slowly', true, [0, 10])
  send('slowly', false, [600, 910])
  send('root last', false, [0, 10])
  send('root last', true, [1790, 1795])
  send('no root', false, [0, 10])
  send('no root', false, [1790, 1810])
  assert.deepEqual(
    ['prompt', 'slowly', 'root last', 'no root'].map((id) => clock.isLate(id)),
    [false, true, false, true],
  )
})

test('late traces are not counted, and a run with too many of them does not pass', () => {
  const many = Array.from({ length: 1000 }, (_, index) => label(`${index}`, index + 1))
  const whole = new Map(many.map(({ id }) => [id, { spans: 4 }]))
  const some = tally(1, [...many, ...sent.slice(1, 4)], whole, (id) => ['lost', 'torn', 'twice'].includes(id))
  assert.deepEqual([some.missed, some.late, some.byKind.get('slow-call')?.sent], [[], 3, 1000])
  assert.ok(isKept(some))
  assert.match(recallReport(some, 'text'), /3 more are not counted, .* 3 of them must be kept and were lost by this\.$/)
  const slow = tally(1, many, whole, (id) => Number(id) < 11)
  assert.ok(!isKept(slow))
  assert.match(recallReport(slow, 'text'), /11 more .* 0 of them .*\n\n.*Run it again/)
  assert.ok(!isKept(tally(1, sent, kept)))
})
