import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compared, type Kept } from './verdicts.ts'

const trace = (id: string, kind: 'routine' | 'slow-call', spans = 4) => ({ id, kind, spans, profile: '', number: 1 })
const labelled = [trace('a', 'slow-call'), trace('b', 'slow-call'), trace('c', 'routine'), trace('d', 'routine')]
const kept = (...some: readonly (readonly [id: string, policy: string, spans: number])[]) =>
  new Map<string, Kept>(some.map(([id, policy, spans]) => [id, { policy, spans }]))
const one = kept(['a', 'keep-slow', 4], ['b', 'keep-slow', 4], ['c', 'sample', 4])

test('two tiers that keep the same for the same reason differ in nothing', () => {
  const found = compared(labelled, one, [kept(['a', 'keep-slow', 4], ['c', 'sample', 4]), kept(['b', 'keep-slow', 4])])
  assert.deepEqual(
    [found.traces, found.mustKeep, found.byOne, found.byTiers, found.different, found.lost, found.split],
    [4, 2, 3, 3, 0, 0, 0],
  )
  assert.equal(found.leastShare, 1 / 3)
})

test('another policy, a missing span, a missing trace and one too many are each a difference', () => {
  for (const wrong of [
    kept(['a', 'keep-slow', 4], ['b', 'keep-errors', 4], ['c', 'sample', 4]),
    kept(['a', 'keep-slow', 4], ['b', 'keep-slow', 4], ['c', 'sample', 3]),
    kept(['a', 'keep-slow', 4], ['b', 'keep-slow', 4]),
    kept(['a', 'keep-slow', 4], ['b', 'keep-slow', 4], ['c', 'sample', 4], ['d', 'sample', 4]),
  ])
    assert.equal(compared(labelled, one, [wrong]).different, 1)
})

test('a must-keep trace that is kept in part is lost, and one in two samplers is split', () => {
  const found = compared(labelled, one, [
    kept(['a', 'keep-slow', 2]),
    kept(['a', 'keep-slow', 2], ['b', 'keep-slow', 4]),
  ])
  assert.deepEqual([found.lost, found.split], [1, 1])
})
