import assert from 'node:assert/strict'
import { test } from 'node:test'
import { harvest, seasonAt } from './seasons.ts'
import { assertConserved, consume, feel, produce } from './step.ts'
import {
  AGENTS,
  type AgentName,
  CREATURES,
  GOODS,
  type Goods,
  type Holdings,
  newWorld,
  perGood,
  totalPebbles,
  type World,
} from './world.ts'

const WINTER = 36

const makersOf = (good: string) => AGENTS.filter((agent) => CREATURES[agent].produces === good).length

const withGoods = (agent: AgentName, goods: Partial<Goods>, tick = 0): World => {
  const world = newWorld(1)
  const held = { ...world.agents[agent], goods: { ...perGood(() => 0), ...goods } }
  return { ...world, tick, agents: { ...world.agents, [agent]: held } }
}

test('a breach of conservation is an error that names the tick, the good and both numbers', () => {
  const before = { ...newWorld(1), tick: 7 }
  const none = perGood(() => 0)
  const fox = (change: Partial<Holdings>): World => ({
    ...before,
    agents: { ...before.agents, fox: { ...before.agents.fox, ...change } },
  })
  const honey = (count: number) => fox({ goods: { ...before.agents.fox.goods, honey: count } })
  assert.doesNotThrow(() => assertConserved(before, before, none, none))
  const held = totalPebbles(before)
  const wrong = new RegExp(`^Error: tick 7: pebbles .*${held} .*${held + 1} `)
  assert.throws(() => assertConserved(before, fox({ pebbles: 1001 }), none, none), wrong)
  assert.throws(() => assertConserved(before, fox({ pebbles: Number.NaN }), none, none), /tick 7: pebbles/)
  assert.throws(
    () => assertConserved(before, honey(2), none, none),
    new RegExp(`^Error: tick 7: honey .*expected ${3 * AGENTS.length}, found ${3 * AGENTS.length - 1}$`),
  )
  assert.throws(() => assertConserved(before, before, { ...none, honey: 1 }, none), /tick 7: honey/)
  assert.doesNotThrow(() => assertConserved(before, honey(2), { ...none, honey: 1 }, { ...none, honey: -2 }))
})

test('each creature brings home its own good, and the report says exactly what came', () => {
  for (const tick of [0, WINTER]) {
    const world = { ...newWorld(1), tick }
    const { world: after, amounts } = produce(world)
    assert.deepEqual(
      amounts,
      perGood((good) => harvest(seasonAt(tick), good) * makersOf(good)),
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

test('what an agent says of its mood moves it, within bounds; an agent that says nothing keeps its mood', () => {
  const { agents } = feel(newWorld(1), { fox: 0.2, bear: 1, rabbit: 0 })
  assert.deepEqual([agents.fox.mood, agents.bear.mood, agents.squirrel.mood], [0.5, 0.9, 0.8])
  let world = newWorld(1)
  for (let n = 0; n < 50; n++) world = feel(world, { fox: 0 })
  assert.equal(world.agents.fox.mood, 0.1)
})
