import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KINDS } from './faults.ts'
import type { State } from './request.ts'
import { decide, mistake } from './trader.ts'

const fox: State = {
  season: 'autumn',
  agent: 'fox',
  produces: 'mushrooms',
  needs: ['acorns', 'honey'],
  pebbles: 10,
  mood: 0.8,
  goods: { acorns: 3, berries: 3, mushrooms: 3, firewood: 3, honey: 3 },
  last_prices: { acorns: 1.2, honey: null },
}
const withGoods = (goods: Record<string, number>, more: Partial<State> = {}): State => ({
  ...fox,
  ...more,
  goods: { ...fox.goods, ...goods },
})

test('buys the needed good it has least of and sells what it makes', () => {
  assert.equal(decide(withGoods({ honey: 1 }), 1).buy?.good, 'honey')
  assert.equal(decide(withGoods({ acorns: 0 }), 1).buy?.good, 'acorns')
  assert.equal(decide(fox, 1).sell?.good, 'mushrooms')
})

test('bids more the less it has, asks less the more it has', () => {
  const bids = [0, 1, 2, 3, 5].map((acorns) => decide(withGoods({ acorns, honey: 7 }), 1).buy?.price ?? 0)
  const asks = [2, 3, 5, 8].map((mushrooms) => decide(withGoods({ mushrooms }), 1).sell?.price ?? 0)
  assert.deepEqual(
    bids,
    bids.toSorted((a, b) => b - a),
  )
  assert.deepEqual(
    asks,
    asks.toSorted((a, b) => b - a),
  )
  assert.equal(new Set([...bids, ...asks]).size, 9)
})

test('starts near one pebble where no price is known', () => {
  const { buy } = decide(withGoods({ honey: 2 }), 1)
  assert.ok(buy && Math.abs(buy.price - 1) < 0.2, `${buy?.price}`)
})

test('never spends more than it has, and asks for 1 to 3', () => {
  for (let seed = 0; seed < 300; seed++) {
    const pebbles = (seed % 30) / 10
    const { buy, sell } = decide(withGoods({ acorns: seed % 7, mushrooms: seed % 12 }, { pebbles }), seed)
    if (buy)
      assert.ok(
        Math.round(buy.price * 100) * buy.quantity <= Math.round(pebbles * 100),
        JSON.stringify({ buy, pebbles }),
      )
    for (const side of [buy, sell]) {
      if (!side) continue
      assert.ok(
        side.price > 0 && Number.isInteger(side.quantity) && side.quantity >= 1 && side.quantity <= 3,
        JSON.stringify(side),
      )
    }
    if (sell) assert.ok(sell.quantity <= seed % 12)
  }
})

test('has nothing to trade when its larder is full and its store is empty, or its purse', () => {
  assert.equal(decide(withGoods({ acorns: 9, honey: 9 }), 1).buy, null)
  assert.equal(decide(withGoods({ mushrooms: 1 }), 1).sell, null)
  assert.equal(decide({ ...fox, pebbles: 0 }, 1).buy, null)
})

test('every kind of mistake breaks the rule it is named for', () => {
  const wrong = (kind: (typeof KINDS.decision)[number]) => {
    const { buy, sell } = mistake(kind, decide(fox, 1), fox, 1)
    if (kind === 'self_buy') return buy?.good === 'mushrooms'
    if (kind === 'overspend') return (buy?.price ?? 0) * (buy?.quantity ?? 0) > fox.pebbles
    if (kind === 'unknown_good') return buy && !(buy.good in fox.goods)
    if (kind === 'bad_quantity')
      return buy && !(Number.isInteger(buy.quantity) && buy.quantity > 0 && buy.quantity <= 10)
    return sell && sell.quantity > (fox.goods[sell.good] ?? 0)
  }
  for (const kind of KINDS.decision) assert.ok(wrong(kind), kind)
})
