import assert from 'node:assert/strict'
import { test } from 'node:test'
import { roll } from '../../random/random.ts'
import { type DesiredTrade, guard, type Refusal } from './market.ts'
import { type Message, open, seal } from './queue.ts'
import { type Decided, type Market, market, type State, type Tick, tickWith } from './tick.ts'
import {
  AGENTS,
  type AgentName,
  CREATURES,
  GOODS,
  type Good,
  newWorld,
  totalGoods,
  totalPebbles,
  type World,
} from './world.ts'

type Turn = Decided & Readonly<{ refused: readonly Refusal[] }>
type Desires = (agent: AgentName, world: World) => readonly DesiredTrade[]

const start: State = { world: newWorld(3), book: [] }

/** A market that is watched: it makes and eats nothing. */
const honest: Market = (world, good, messages) => {
  const cleared = market(world, good, messages)
  assert.deepEqual(totalGoods(cleared.world), totalGoods(world))
  return cleared
}

/** A wood whose creatures place orders without asking a model; each order has a trace context of its own. */
function wood(desires: Desires, { market = honest, delay = (_agent: AgentName): number => 0 } = {}) {
  const queue: Message[] = []
  return tickWith<Turn>({
    decide: async (agent, world) => {
      if (delay(agent) > 0) await new Promise((resolve) => setTimeout(resolve, delay(agent)))
      const { tick } = world
      const refused = desires(agent, world).flatMap((desired, index) => {
        const reason = guard(agent, desired, world.agents[agent])
        if (reason) return [reason]
        const id = `${tick}-${agent}-${index}`
        queue.push(seal({ ...desired, good: desired.good as Good, id, tick, agent }, { traceparent: `00-${id}` }))
        return []
      })
      return { agent, decision: undefined, refused }
    },
    receive: () => queue.splice(0),
    market,
  })
}

async function play(seed: number, ticks: number, desires: Desires): Promise<readonly Tick<Turn>[]> {
  const playTick = wood(desires)
  const played: Tick<Turn>[] = []
  for (let state: State = { world: newWorld(seed), book: [] }; played.length < ticks; ) {
    const tick = await playTick(state)
    played.push(tick)
    state = tick.after
  }
  return played
}

const sell = (good: Good, price: number, quantity = 1): DesiredTrade => ({ side: 'sell', good, price, quantity })
const buy = (good: Good, price: number, quantity = 1): DesiredTrade => ({ side: 'buy', good, price, quantity })
const bookOf = (state: State) => state.book.map((message) => open(message).order.id)

/** Any order that a model might place; most are foolish. */
function wildDesires(agent: AgentName, { seed, tick, agents }: World): readonly DesiredTrade[] {
  const dice = (...key: (string | number)[]) => roll(seed, tick, agent, ...key)
  const from = <T>(items: readonly T[], key: string, n: number) => items[Math.floor(dice(key, n) * items.length)] as T
  return [0, 1, 2].map((n) => ({
    side: from(['buy', 'sell'] as const, 'side', n),
    good: from([...GOODS, ...GOODS, 'truffles'], 'good', n),
    price: 1 + Math.floor(dice('price', n) ** 3 * 1.2 * agents[agent].pebbles),
    quantity: from([1, 1, 1, 2, 2, 3, 5, 10, 0, -3, 1.5, 11], 'quantity', n),
  }))
}

/** The simplest trader: it bids more for what it lacks and asks less for what it has too much of. */
function simpleDesires(agent: AgentName, { seed, tick, agents, prices }: World): readonly DesiredTrade[] {
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

/** The rabbit offers berries in tick 0; the fox wants some in the tick that is named. */
const foxComesIn =
  (arrival: number): Desires =>
  (agent, { tick }) => {
    if (agent === 'rabbit' && tick === 0) return [sell('berries', 100)]
    return agent === 'fox' && tick === arrival ? [buy('berries', 120)] : []
  }

test('an unfilled order waits one tick, with its trace context, and trades if someone comes', async () => {
  const play = wood(foxComesIn(1))
  const first = await play(start)
  assert.deepEqual(bookOf(first.after), ['0-rabbit-0'])
  assert.deepEqual(open(first.after.book[0] ?? '').carrier, { traceparent: '00-0-rabbit-0' })
  const second = await play(first.after)
  assert.deepEqual(second.clearings[0]?.trades[0]?.orders, ['1-fox-0', '0-rabbit-0'])
  assert.deepEqual(bookOf(second.after), [])
})

test('after that tick it is gone', async () => {
  const play = wood(foxComesIn(2))
  const first = await play(start)
  const second = await play(first.after)
  assert.deepEqual([bookOf(first.after), bookOf(second.after)], [['0-rabbit-0'], []])
  const third = await play(second.after)
  assert.deepEqual(third.clearings[0]?.trades, [])
})

test('what is left of an order that was partly filled waits too', async () => {
  const { after } = await wood((agent) => {
    if (agent === 'rabbit') return [sell('berries', 100, 3)]
    return agent === 'fox' ? [buy('berries', 120)] : []
  })(start)
  assert.deepEqual(
    after.book.map((message) => open(message).order.quantity),
    [2],
  )
})

test('an order that waited is guarded again: an agent with no pebbles left is refused', async () => {
  const play = wood((agent, { tick }) => {
    if (agent === 'fox' && tick === 0) return [buy('honey', 900)]
    if (agent === 'bear' && tick === 1) return [sell('honey', 900)]
    return []
  })
  const { after } = await play(start)
  assert.deepEqual(bookOf(after), ['0-fox-0'])
  const { agents } = after.world
  const moved = { ...agents, fox: { ...agents.fox, pebbles: 100 }, bear: { ...agents.bear, pebbles: 1900 } }
  const second = await play({ ...after, world: { ...after.world, agents: moved } })
  assert.deepEqual(
    second.clearings.flatMap(({ refused }) => refused.map(({ order, reason }) => [order.id, reason])),
    [['0-fox-0', 'cannot_afford']],
  )
})

test('the order in which agents decide changes nothing', async () => {
  const desires: Desires = (agent) => [agent === 'rabbit' ? sell('berries', 90) : buy('berries', 100)]
  const slow = (names: readonly AgentName[]) => (agent: AgentName) => 3 * names.indexOf(agent) + 1
  const one = await wood(desires, { delay: slow(['fox', 'bear', 'squirrel', 'beaver', 'rabbit']) })(start)
  const other = await wood(desires, { delay: slow(['rabbit', 'beaver', 'squirrel', 'bear', 'fox']) })(start)
  assert.equal(one.clearings[0]?.trades.length, 1)
  assert.deepEqual([one.after, one.clearings], [other.after, other.clearings])
})

test('a market that makes or loses anything stops the run with an error that names the tick', async () => {
  const desires: Desires = () => [sell('berries', 100)]
  const minting: Market = (world, good, messages) => {
    const { fox } = world.agents
    const agents = { ...world.agents, fox: { ...fox, pebbles: fox.pebbles + 1 } }
    return market({ ...world, agents }, good, messages)
  }
  const losing: Market = (world, good, messages) => {
    const { fox } = world.agents
    const agents = { ...world.agents, fox: { ...fox, goods: { ...fox.goods, honey: 0 } } }
    return market({ ...world, agents }, good, messages)
  }
  const later: State = { ...start, world: { ...start.world, tick: 9 } }
  await assert.rejects(wood(desires, { market: minting })(later), /^Error: tick 9: pebbles are not conserved/)
  await assert.rejects(wood(desires, { market: losing })(later), /^Error: tick 9: honey are not conserved/)
})

test('through 2,000 ticks of foolish orders no pebble and no good appears, vanishes or is owed', async () => {
  const ticks = await play(11, 2000, wildDesires)
  for (const { world } of ticks.map(({ after }) => after)) {
    assert.equal(totalPebbles(world), totalPebbles(newWorld(11)))
    for (const agent of AGENTS) {
      const { pebbles, mood, goods } = world.agents[agent]
      assert.ok(Number.isInteger(pebbles) && pebbles >= 0, `${agent} owes pebbles in tick ${world.tick}`)
      for (const good of GOODS) assert.ok(Number.isInteger(goods[good]) && goods[good] >= 0, `${agent} owes ${good}`)
      assert.ok(mood >= 0.1 && mood <= 1, `mood ${mood}`)
    }
  }
  const trades = ticks.flatMap(({ clearings }) => clearings.flatMap((clearing) => clearing.trades))
  const refusals = ticks.flatMap(({ turns, clearings }) => [
    ...turns.flatMap(({ refused }) => refused),
    ...clearings.flatMap(({ refused }) => refused.map(({ reason }) => reason)),
  ])
  assert.ok(trades.length > 500, `only ${trades.length} trades: the orders prove little`)
  assert.deepEqual(new Set(trades.map(({ good }) => good)), new Set(GOODS))
  assert.deepEqual(
    new Set(refusals),
    new Set(['self_buy', 'cannot_afford', 'nothing_to_sell', 'unknown_good', 'bad_quantity']),
  )
})

test('the same seed plays the same world, byte for byte; another seed plays another', async () => {
  const told = async (seed: number) => JSON.stringify(await play(seed, 60, wildDesires))
  assert.equal(await told(3), await told(3))
  assert.notEqual(await told(3), await told(4))
})

test('scarcity keeps the market alive: among simple traders prices move and every creature trades', async () => {
  const ticks = await play(1, 200, simpleDesires)
  for (const good of GOODS) {
    const prices = new Set(ticks.map(({ after }) => after.world.prices[good]))
    assert.ok(prices.size > 8, `${good} had only ${prices.size} prices`)
  }
  const late = ticks.slice(100).flatMap(({ clearings }) => clearings.flatMap(({ trades }) => trades))
  for (const agent of AGENTS) {
    for (const role of ['buyer', 'seller'] as const) {
      const times = late.filter((trade) => trade[role] === agent).length
      assert.ok(times > 20, `${agent} was ${role} ${times} times in the last 100 ticks`)
    }
  }
})
