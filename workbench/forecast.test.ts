import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forecast, phoenixStores, tempoStores } from './forecast.ts'
import type { ClassRow } from './table.ts'

const HOUR_MS = 3_600_000
const all = { bytes: 1_000_000, usdSent: 2, usdKept: 1 } as ClassRow

test('a day is as many times the recording as it fits into 24 hours', () => {
  const day = forecast({ fromMs: HOUR_MS, toMs: 3 * HOUR_MS }, all)
  assert.deepEqual([day?.times, day?.usdSent, day?.usdKept], [12, 24, 12])
})

test('what a store needs before it holds anything does not grow with the traffic', () => {
  for (const stores of [phoenixStores, (bytes: number) => tempoStores(bytes, 2)]) {
    const [none, one, two] = [0, 1e6, 2e6].map(stores) as [number, number, number]
    assert.ok(none > 0)
    assert.equal(Math.round(two - one), Math.round(one - none))
  }
  assert.equal(tempoStores(0, 4), 2 * tempoStores(0, 2))
})

test('a recording that lasts no time, or has none, has no rate', () => {
  assert.equal(forecast({ fromMs: HOUR_MS, toMs: HOUR_MS }, all), undefined)
  assert.equal(forecast({ fromMs: 0, toMs: HOUR_MS }, all), undefined)
})
