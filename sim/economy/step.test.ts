import assert from 'node:assert/strict'
import { test } from 'node:test'
import { roll } from '../../random/random.ts'
import { clear, type DesiredTrade, guard, type Trade } from './market.ts'
import { harvest, seasonAt } from './seasons.ts'
import { assertConserved, consume, feel, produce } from './step.ts'
import {
  AGENTS,
  type AgentName,
  CREATURES,
  GOODS,
  type Good,
  type Goods,
  type Holdings,
  newWorld,
  type Order,
  perGood,
  totalGoods,
  totalPebbles,
  type World,
} from './world.ts'

const WINTER = 36

type Day = { world: World; trades: readonly Trade[]; refusals: readonly string[] }

/** One tick of the pure economy: what `run.ts` does, without a queue. */
function day(before: World, wishes: (agent: AgentName, world: World) => readonly DesiredTrade[]): Day {
  const produced = produce(before)
  const refusals: string[] = []
  const orders = AGENTS.flatMap((agent) =>
    wishes(agent, produced.world).flatMap((wish, index): Order[] => {
      const reason = guard(agent, wish, produced.world.agents[agent])
      if (reason) refusals.push(reason)
      return reason ? [] : [{ ...wish, good: wish.good as Good, id: `${agent}-${index}`, tick: before.tick, agent }]
    }),
  )
  let world = produced.world
  const trades: Trade[] = []
  for (const good of GOODS) {
    const book = orders.filter((order) => order.good === good)
    const cleared = clear(world, good, book)
    assert.deepEqual(totalGoods(cleared.world), totalGoods(world), 'a market makes and eats nothing')
    trades.push(...cleared.clearing.trades)
    refusals.push(...cleared.clearing.refused.map(({ reason }) => reason))
    world = cleared.world
  }
  const consumed = consume(world)
  assertConserved(before, consumed.world, produced.amounts, consumed.amounts)
  return { world: { ...consumed.world, tick: before.tick + 1 }, trades, refusals }
}

/** Anything a model might say, most of it foolish. */
function wildWishes(agent: AgentName, { seed, tick, agents }: World): readonly DesiredTrade[] {
  const dice = (...key: (string | number)[]) => roll(seed, tick, agent, ...key)
  const from = <T>(items: readonly T[], key: string, n: number) => items[Math.floor(dice(key, n) * items.length)] as T
  return [0, 1, 2].map((n) => ({
    side: from(['buy', 'sell'] as const, 'side', n),
    good: from([...GOODS, ...GOODS, 'truffles'], 'good', n),
    price: 1 + Math.floor(dice('price', n) ** 3 * 1.2 * agents[agent].pebbles),
    quantity: from([1, 1, 1, 2, 2, 3, 5, 10, 0, -3, 1.5, 11], 'quantity', n),
  }))
}

/** The least a trader can do: bid more for what it lacks, ask less for what it has too much of. */
function simpleWishes(agent: AgentName, { seed, tick, agents, prices }: World): readonly DesiredTrade[] {
  const { goods, pebbles } = agents[agent]
  const { produces, needs } = CREATURES[agent]
  const whim = (good: string) => 0.95 + roll(seed, tick, agent, good) / 10
  const price = (good: Good, eagerness: number) =>
    Math.max(1, Math.round((0.6 * (prices[good] ?? 100) + 40) * eagerness * whim(good)))
  const lacking = needs[(goods[needs[0]] - goods[needs[1]] || (tick % 2) - 0.5) < 0 ? 0 : 1]
  const bid = Math.min(price(lacking, 1.4 - 0.1 * goods[lacking]), pebbles)
  return [
    ...(bid > 0 ? [{ side: 'buy' as const, good: lacking, price: bid, quantity: 1 }] : []),
    { side: 'sell', good: produces, price: price(produces, 1.2 - 0.1 * goods[produces]), quantity: 2 },
  ]
}

function play(
  seed: number,
  ticks: number,
  wishes: (agent: AgentName, world: World) => readonly DesiredTrade[],
): readonly Day[] {
  const days: Day[] = []
  let world = newWorld(seed)
  for (let tick = 0; tick < ticks; tick++) {
    const next = day(world, wishes)
    days.push(next)
    world = next.world
  }
  return days
}

const withGoods = (agent: AgentName, goods: Partial<Goods>, tick = 0): World => {
  const world = newWorld(1)
  const held = { ...world.agents[agent], goods: { ...perGood(() => 0), ...goods } }
  return { ...world, tick, agents: { ...world.agents, [agent]: held } }
}

test('through 2,000 ticks of foolish wishes no pebble and no good appears, vanishes or is owed', () => {
  const days = play(11, 2000, wildWishes)
  for (const { world } of days) {
    assert.equal(totalPebbles(world), 5000)
    for (const agent of AGENTS) {
      const { pebbles, mood, goods } = world.agents[agent]
      assert.ok(Number.isInteger(pebbles) && pebbles >= 0, `${agent} owes pebbles in tick ${world.tick}`)
      for (const good of GOODS) assert.ok(Number.isInteger(goods[good]) && goods[good] >= 0, `${agent} owes ${good}`)
      assert.ok(mood >= 0.1 && mood <= 1, `mood ${mood}`)
    }
  }
  const trades = days.flatMap((one) => one.trades)
  const refusals = days.flatMap((one) => one.refusals)
  assert.ok(trades.length > 500, `only ${trades.length} trades: the wishes prove little`)
  assert.deepEqual(new Set(trades.map(({ good }) => good)), new Set(GOODS))
  assert.deepEqual(
    new Set(refusals),
    new Set(['self_buy', 'cannot_afford', 'nothing_to_sell', 'unknown_good', 'bad_quantity']),
  )
})

test('a breach of conservation is an error that names the tick, the good and both numbers', () => {
  const before = { ...newWorld(1), tick: 7 }
  const none = perGood(() => 0)
  const fox = (change: Partial<Holdings>): World => ({
    ...before,
    agents: { ...before.agents, fox: { ...before.agents.fox, ...change } },
  })
  const honey = (count: number) => fox({ goods: { ...before.agents.fox.goods, honey: count } })
  assert.doesNotThrow(() => assertConserved(before, before, none, none))
  assert.throws(
    () => assertConserved(before, fox({ pebbles: 1001 }), none, none),
    /^Error: tick 7: pebbles .*5000.*5001/,
  )
  assert.throws(() => assertConserved(before, fox({ pebbles: Number.NaN }), none, none), /tick 7: pebbles/)
  assert.throws(() => assertConserved(before, honey(2), none, none), /^Error: tick 7: honey .*expected 15, found 14/)
  assert.throws(() => assertConserved(before, before, { ...none, honey: 1 }, none), /tick 7: honey/)
  assert.doesNotThrow(() => assertConserved(before, honey(2), { ...none, honey: 1 }, { ...none, honey: -2 }))
})

test('each creature brings home its own good, and the report says exactly what came', () => {
  for (const tick of [0, WINTER]) {
    const world = { ...newWorld(1), tick }
    const { world: after, amounts } = produce(world)
    assert.deepEqual(
      amounts,
      perGood((good) => harvest(seasonAt(tick), good)),
    )
    for (const agent of AGENTS) {
      for (const good of GOODS) {
        const made = good === CREATURES[agent].produces ? harvest(seasonAt(tick), good) : 0
        assert.equal(after.agents[agent].goods[good], 3 + made)
      }
    }
  }
})

test('a meal is at most one unit of each food that is needed, and hunger lowers the mood', () => {
  const fed = consume(withGoods('fox', { acorns: 5, honey: 5, berries: 5 })).world.agents.fox
  assert.deepEqual([fed.goods.acorns, fed.goods.honey, fed.goods.berries], [4, 4, 5])
  assert.ok(fed.mood > 0.8)
  const hungry = consume(withGoods('fox', {})).world.agents.fox
  assert.deepEqual(
    hungry.goods,
    perGood(() => 0),
  )
  assert.ok(hungry.mood < 0.8)
})

test('food beyond the larder spoils, firewood keeps', () => {
  const { goods } = consume(withGoods('fox', { berries: 30, firewood: 30 })).world.agents.fox
  assert.ok(goods.berries < 12, `${goods.berries} berries kept`)
  assert.equal(goods.firewood, 30)
})

test('winter burns more firewood, and half a fire does not warm', () => {
  const burnt = (tick: number, firewood: number) => {
    const { goods, mood } = consume(withGoods('bear', { mushrooms: 1, firewood }, tick)).world.agents.bear
    return { burnt: firewood - goods.firewood, mood }
  }
  const summer = burnt(12, 5)
  const winter = burnt(WINTER, 5)
  const cold = burnt(WINTER, 1)
  assert.deepEqual([seasonAt(12), seasonAt(WINTER)], ['summer', 'winter'])
  assert.ok(winter.burnt > summer.burnt)
  assert.equal(cold.burnt, 1)
  assert.ok(cold.mood < winter.mood)
})

test('the year turns, and turns again', () => {
  assert.deepEqual(
    [0, 12, 24, WINTER, 48].map((tick) => seasonAt(tick)),
    ['spring', 'summer', 'autumn', 'winter', 'spring'],
  )
})

test('what an agent says of its mood moves it, within bounds; the silent keep theirs', () => {
  const { agents } = feel(newWorld(1), { fox: 0.2, bear: 1, rabbit: 0 })
  assert.deepEqual([agents.fox.mood, agents.bear.mood, agents.squirrel.mood], [0.5, 0.9, 0.8])
  let world = newWorld(1)
  for (let n = 0; n < 50; n++) world = feel(world, { fox: 0 })
  assert.equal(world.agents.fox.mood, 0.1)
})

test('the same seed plays the same world, byte for byte, and another seed another', () => {
  const told = (seed: number) => JSON.stringify(play(seed, 60, wildWishes))
  assert.equal(told(3), told(3))
  assert.notEqual(told(3), told(4))
})

test('scarcity keeps the market alive: among simple traders prices move and every creature trades', () => {
  const days = play(1, 200, simpleWishes)
  for (const good of GOODS) {
    const prices = new Set(days.map(({ world }) => world.prices[good]))
    assert.ok(prices.size > 8, `${good} had only ${prices.size} prices`)
  }
  const late = days.slice(100).flatMap(({ trades }) => trades)
  for (const agent of AGENTS) {
    for (const role of ['buyer', 'seller'] as const) {
      const times = late.filter((trade) => trade[role] === agent).length
      assert.ok(times > 20, `${agent} was ${role} ${times} times in the last 100 ticks`)
    }
  }
})
