import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomOf } from '../../../random/random.ts'
import { makeHarmless } from './corpus.ts'
import { IDS } from './ids.ts'
import { NUMBERS } from './numbers.ts'

const SIZE = { seed: 1, ids: 2000, numbers: 2000, pictures: { count: 1, bytes: 3000 } }
const made = (seed: number) => JSON.stringify([...makeHarmless({ ...SIZE, seed })])

test('the same seed makes the same corpus, another seed another one', () => {
  // Not assert.equal: it would print all of both.
  const [first, again, other] = [made(1), made(1), made(2)]
  assert.ok(first === again)
  assert.ok(first !== other)
})

test('the ids of each family are new each time, but for families of few values', () => {
  const few = ['cron', 'semver']
  assert.ok(Object.keys(IDS).length > 30)
  for (const [family, make] of Object.entries(IDS)) {
    const ids = Array.from({ length: 50 }, (_, turn) => make(randomOf(family, turn)))
    assert.ok(few.includes(family) || new Set(ids).size === 50, `${family}: ${ids.slice(0, 3)}`)
  }
})

test('numbers are of all magnitudes', () => {
  const make = NUMBERS['double-any']?.make
  const sizes = Array.from({ length: 2000 }, (_, turn) => Math.log10(Math.abs(make?.(randomOf(turn)).doubleValue ?? 0)))
  assert.ok(Math.min(...sizes) < -290 && Math.max(...sizes) > 290)
})
