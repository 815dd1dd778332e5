import assert from 'node:assert/strict'
import { test } from 'node:test'
import { durationOf, shownTime } from './duration.ts'

test('durations are read as Go writes them', () => {
  assert.deepEqual(
    ['2s', '200ms', '1m30s', '1.5h', '250us', '7ns'].map(durationOf),
    [2e9, 200e6, 90e9, 5400e9, 250e3, 7],
  )
  for (const text of ['2', '', 's', '2 s', '2parsecs', '-2s']) assert.equal(durationOf(text), undefined, text)
})

test('they are shown in few digits, and a microsecond beside a threshold is not rounded to it', () => {
  assert.deepEqual([184_876_044n, 1_940_000_000n, 0n, 2_000_001_000n, 1_999_999_000n].map(shownTime), [
    '184.876 ms',
    '1.94 s',
    '0 ms',
    '2.000001 s',
    '1.999999 s',
  ])
})
