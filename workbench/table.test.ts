import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lowerBound } from './table.ts'

test('the lower bound of recall is the exact one', () => {
  const rounded = (hits: number, tries: number) => lowerBound(hits, tries).toFixed(4)
  // Solved apart from this code, with binomial tails in fractions.
  assert.equal(rounded(8, 10), '0.4931')
  assert.equal(rounded(14, 14), '0.8074')
  assert.equal(rounded(299, 300), '0.9843')
  assert.equal(rounded(1, 20), '0.0026')
  assert.equal(rounded(0, 5), '0.0000')
})

test('the lower bound holds for many traces too', () => {
  assert.ok(Math.abs(lowerBound(99_990, 100_000) - 0.99983) < 1e-5)
})
