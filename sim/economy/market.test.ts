import assert from 'node:assert/strict'
import { test } from 'node:test'
import { roll } from '../../random/random.ts'
import { clear, type DesiredTrade, guard, type Trade } from './market.ts'
import { AGENTS, type AgentName, type Holdings, newWorld, type Order, totalGoods, type World } from './world.ts'

const world = newWorld(7)

const order = (agent: AgentName, side: Order['side'], price: number, quantity = 1, tick = 0): Order => ({
  id: `${tick}-${agent}-${side}`,
  tick,
  agent,
  side,
  good: 'berries',
  price,
  quantity,
})

const holding = (agent: AgentName, change: Partial<Holdings>, from: World = world): World => ({
  ...from,
  agents: { ...from.agents, [agent]: { ...from.agents[agent], ...change } },
})

const shuffled = <T>(items: readonly T[], key: number): readonly T[] =>
  items
    .map((item, index) => ({ item, at: roll('shuffle', key, index) }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)

const sides = ({ buyer, seller, quantity, price }: Trade) => [buyer, seller, quantity, price]

/** Each agent buys and sells at most once a tick, as the queue has it; few prices, so that ties are common. */
function randomBook(seed: number): readonly Order[] {
  const dice = (low: number, high: number, ...key: (string | number)[]) =>
    low + Math.floor(roll('book', seed, ...key) * (high - low + 1))
  return AGENTS.flatMap((agent) =>
    [4, 5].flatMap((tick) =>
      (['buy', 'sell'] as const).flatMap((side) =>
        dice(0, 2, agent, tick, side) === 0
          ? []
          : [order(agent, side, dice(90, 110, agent, tick, side, 'p'), dice(1, 3, agent, tick, side, 'q'), tick)],
      ),
    ),
  )
}

test('every reason for which an order is refused has its name', () => {
  const fox = world.agents.fox
  const reason = (desired: Partial<DesiredTrade>) =>
    guard('fox', { side: 'buy', good: 'honey', price: 100, quantity: 1, ...desired }, fox)
  assert.equal(reason({}), null)
  assert.equal(reason({ good: 'mushrooms' }), 'self_buy')
  assert.equal(reason({ good: 'mushrooms', side: 'sell' }), null)
  assert.equal(reason({ price: 1000 }), null, 'the last pebble may be spent')
  assert.equal(reason({ price: 1001 }), 'cannot_afford')
  assert.equal(reason({ price: 400, quantity: 3 }), 'cannot_afford')
  assert.equal(reason({ side: 'sell', quantity: 3 }), null)
  assert.equal(reason({ side: 'sell', quantity: 4 }), 'nothing_to_sell')
  for (const good of ['truffles', '', 'Honey', 'constructor', '__proto__'])
    assert.equal(reason({ good }), 'unknown_good')
  for (const quantity of [0, -1, 0.5, 11, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.equal(reason({ quantity }), 'bad_quantity')
    assert.equal(reason({ quantity, side: 'sell' }), 'bad_quantity')
  }
})

test('the best price goes first, then the older order', () => {
  const { clearing } = clear({ ...world, tick: 1 }, 'berries', [
    order('fox', 'buy', 110, 1, 1),
    order('bear', 'buy', 120, 1, 1),
    order('squirrel', 'buy', 110, 1, 0),
    order('rabbit', 'sell', 100, 1, 1),
    order('beaver', 'sell', 90, 1, 1),
  ])
  assert.deepEqual(clearing.trades.map(sides), [
    ['bear', 'beaver', 1, 105],
    ['squirrel', 'rabbit', 1, 105],
  ])
  assert.deepEqual(
    clearing.unfilled.map(({ id }) => id),
    ['1-fox-buy'],
  )
})

test('all trades of a good have one price, halfway between the last bid and the last ask that met', () => {
  const { clearing, world: after } = clear(world, 'berries', [
    order('fox', 'buy', 300),
    order('bear', 'buy', 121, 2),
    order('squirrel', 'buy', 80),
    order('rabbit', 'sell', 10),
    order('beaver', 'sell', 100, 3),
  ])
  assert.deepEqual(clearing.trades.map(sides), [
    ['fox', 'rabbit', 1, 110],
    ['bear', 'beaver', 2, 110],
  ])
  assert.equal(clearing.price, 110)
  assert.equal(after.prices.berries, 110)
  assert.equal(after.agents.bear.pebbles, 1000 - 220)
  assert.equal(after.agents.beaver.pebbles, 1000 + 220)
  assert.deepEqual(
    clearing.unfilled.map(({ id, quantity }) => [id, quantity]),
    [
      ['0-squirrel-buy', 1],
      ['0-beaver-sell', 1],
    ],
  )
})

test('in any book: one price between bid and ask, nothing left that could still meet, no good made or lost', () => {
  let traded = 0
  for (let seed = 0; seed < 400; seed++) {
    const book = randomBook(seed)
    const { clearing, world: after } = clear({ ...world, seed, tick: 5 }, 'berries', book)
    const price = (id: string) => book.find((one) => one.id === id)?.price ?? Number.NaN
    for (const trade of clearing.trades) {
      assert.equal(trade.price, clearing.price)
      assert.ok(price(trade.orders[0]) >= trade.price && trade.price >= price(trade.orders[1]), `book ${seed}`)
      assert.notEqual(trade.buyer, trade.seller)
    }
    const bids = new Set(book.filter(({ side }) => side === 'buy').map(({ agent }) => agent))
    for (const buy of clearing.unfilled.filter(({ side }) => side === 'buy')) {
      for (const sell of clearing.unfilled.filter(({ side, agent }) => side === 'sell' && !bids.has(agent))) {
        assert.ok(buy.price < sell.price, `book ${seed}: ${buy.id} and ${sell.id} could have met`)
      }
    }
    const quantity = (orders: readonly { quantity: number }[]) => orders.reduce((sum, one) => sum + one.quantity, 0)
    const refused = clearing.refused.map((one) => one.order)
    assert.equal(quantity(book), 2 * quantity(clearing.trades) + quantity(refused) + quantity(clearing.unfilled))
    assert.deepEqual(totalGoods(after), totalGoods(world))
    traded += clearing.trades.length
  }
  assert.ok(traded > 400, `only ${traded} trades: the books prove little`)
})

test('the order of arrival changes nothing: a shuffled book clears the same', () => {
  for (let seed = 0; seed < 100; seed++) {
    const book = randomBook(seed)
    const at = { ...world, seed, tick: 5 }
    assert.deepEqual(clear(at, 'berries', shuffled(book, seed)), clear(at, 'berries', book), `book ${seed}`)
  }
})

test('a tie in price goes to another agent under another seed and in another tick', () => {
  const winner = (seed: number, tick: number) =>
    clear({ ...world, seed, tick }, 'berries', [
      order('fox', 'buy', 100, 1, tick),
      order('bear', 'buy', 100, 1, tick),
      order('rabbit', 'sell', 100, 1, tick),
    ]).clearing.trades[0]?.buyer
  const numbers = Array.from({ length: 20 }, (_, n) => n)
  assert.deepEqual(new Set(numbers.map((seed) => winner(seed, 0))), new Set(['fox', 'bear']))
  assert.deepEqual(new Set(numbers.map((tick) => winner(7, tick))), new Set(['fox', 'bear']))
})

test('an order is guarded again at clearing, because nothing was reserved while it waited', () => {
  const poor = holding(
    'bear',
    { pebbles: 99 },
    holding('rabbit', { goods: { ...world.agents.rabbit.goods, berries: 0 } }),
  )
  const { clearing, world: after } = clear({ ...poor, tick: 1 }, 'berries', [
    order('bear', 'buy', 100),
    order('rabbit', 'sell', 50),
  ])
  assert.deepEqual(
    clearing.refused.map(({ order, reason }) => [order.id, reason]),
    [
      ['0-bear-buy', 'cannot_afford'],
      ['0-rabbit-sell', 'nothing_to_sell'],
    ],
  )
  assert.deepEqual([clearing.trades, clearing.unfilled, clearing.price], [[], [], null])
  assert.deepEqual(after.agents, poor.agents)
})

test('two orders of one agent cannot spend the same pebble or sell the same berry twice', () => {
  const { clearing } = clear({ ...world, tick: 1 }, 'berries', [
    order('bear', 'buy', 600, 1, 0),
    order('bear', 'buy', 500, 1, 1),
    order('rabbit', 'sell', 10, 2, 0),
    order('rabbit', 'sell', 20, 2, 1),
  ])
  assert.deepEqual(
    clearing.refused.map(({ order, reason }) => [order.id, reason]),
    [
      ['1-bear-buy', 'cannot_afford'],
      ['1-rabbit-sell', 'nothing_to_sell'],
    ],
  )
})

test('an agent does not trade with itself: one that bids for a good keeps its offer of the same good waiting', () => {
  const { clearing } = clear(world, 'berries', [order('fox', 'buy', 100), order('fox', 'sell', 50)])
  assert.deepEqual([clearing.trades, clearing.refused], [[], []])
  assert.deepEqual(
    clearing.unfilled.map(({ id }) => id),
    ['0-fox-buy', '0-fox-sell'],
  )
})

test('an empty book and a book of one side leave the world and the last price alone', () => {
  const priced = { ...world, prices: { ...world.prices, berries: 42 } }
  for (const book of [[], [order('fox', 'buy', 100)], [order('rabbit', 'sell', 100)]]) {
    const { clearing, world: after } = clear(priced, 'berries', book)
    assert.deepEqual(after, priced)
    assert.equal(clearing.price, null)
  }
})
