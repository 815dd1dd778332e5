import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readRange } from './sweep.ts'

test('a range has nine even values, or those of its step', () => {
  assert.deepEqual(readRange('slow-call=1s..5s'), {
    variable: 'SLOW_CALL',
    unit: 's',
    values: [1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5],
  })
  assert.deepEqual(readRange('slow-call=500ms..2s/500ms').values, [0.5, 1, 1.5, 2])
  assert.deepEqual(readRange('token-heavy=3000..9000/2000'), {
    variable: 'TOKEN_HEAVY',
    unit: '',
    values: [3000, 5000, 7000, 9000],
  })
})

describe('a range that is none is refused with the rule', () => {
  const cases: readonly (readonly [text: string, why: RegExp])[] = [
    ['slow-call', /cannot be read: write SWEEP=/],
    ['slow-call=1s', /cannot be read/],
    ['slow-call=5s..1s', /not upwards/],
    ['slow-call=1s..5', /mixes numbers with and without a unit/],
    ['slow-call=1s..5parsecs', /"5parsecs" is no number or time/],
    ['token-heavy=1..9000/1', /9000 values, and 50 can be tried/],
    ['slow-call=1s..5s/0s', /a step that is not above 0/],
  ]
  for (const [text, why] of cases) test(text, () => assert.throws(() => readRange(text), why))
})
