import { roll } from '../../random/random.ts'
import {
  type AgentName,
  type Cents,
  CREATURES,
  GOODS,
  type Good,
  type Holdings,
  type Order,
  type World,
} from './world.ts'

export const REFUSALS = ['self_buy', 'cannot_afford', 'nothing_to_sell', 'unknown_good', 'bad_quantity'] as const
export type Refusal = (typeof REFUSALS)[number]

/** A trade that an agent asks for. The guard has not looked at it yet. */
export type DesiredTrade = Readonly<{ side: Order['side']; good: string; price: Cents; quantity: number }>

export type Trade = Readonly<{
  good: Good
  price: Cents
  quantity: number
  buyer: AgentName
  seller: AgentName
  orders: readonly [buy: string, sell: string]
}>

export type Clearing = Readonly<{
  good: Good
  trades: readonly Trade[]
  price: Cents | null
  refused: readonly Readonly<{ order: Order; reason: Refusal }>[]
  unfilled: readonly Order[]
}>

/** A creature eats one unit a meal, so nobody needs more than this at once. */
const MAX_QUANTITY = 10

const isGood = (name: string): name is Good => (GOODS as readonly string[]).includes(name)

/** Checks a trade against what its agent holds now. Answers why it is refused, or null when it may stand. */
export function guard(agent: AgentName, desired: DesiredTrade, holdings: Holdings): Refusal | null {
  if (!isGood(desired.good)) return 'unknown_good'
  if (!Number.isInteger(desired.quantity) || desired.quantity < 1 || desired.quantity > MAX_QUANTITY)
    return 'bad_quantity'
  if (desired.side === 'sell') return holdings.goods[desired.good] < desired.quantity ? 'nothing_to_sell' : null
  if (desired.good === CREATURES[agent].produces) return 'self_buy'
  return holdings.pebbles < desired.price * desired.quantity ? 'cannot_afford' : null
}

/**
 * Matches the orders for one good at one price and settles them. The best price goes first, then the older order, then a
 * seeded order of agents. The order of arrival never counts: with it the world would depend on latency.
 */
export function clear(world: World, good: Good, orders: readonly Order[]): { world: World; clearing: Clearing } {
  const refused: { order: Order; reason: Refusal }[] = []
  const committed = new Map<AgentName, Holdings>()
  const standing = (side: Order['side']) => {
    const better = side === 'buy' ? -1 : 1
    return orders
      .filter((order) => order.side === side)
      .sort((a, b) => better * (a.price - b.price) || a.tick - b.tick || luck(world, a) - luck(world, b))
      .filter((order) => {
        const holdings = committed.get(order.agent) ?? world.agents[order.agent]
        const reason = guard(order.agent, order, holdings)
        if (reason) refused.push({ order, reason })
        else committed.set(order.agent, withhold(holdings, order))
        return !reason
      })
      .map((order) => ({ order, left: order.quantity }))
  }
  const buys = standing('buy')
  const buyers = new Set(buys.map(({ order }) => order.agent))
  const offers = standing('sell')
  const sells = offers.filter(({ order }) => !buyers.has(order.agent)) // an agent does not trade with itself

  const matches: { buy: Order; sell: Order; quantity: number }[] = []
  let price: Cents | null = null
  for (const buy of buys) {
    for (const sell of sells) {
      if (buy.left === 0 || buy.order.price < sell.order.price) break
      if (sell.left === 0) continue
      const quantity = Math.min(buy.left, sell.left)
      buy.left -= quantity
      sell.left -= quantity
      matches.push({ buy: buy.order, sell: sell.order, quantity })
      price = Math.floor((buy.order.price + sell.order.price) / 2)
    }
  }
  if (price === null) return { world, clearing: { good, trades: [], price, refused, unfilled: rest(buys, offers) } }

  const one = price
  const trades = matches.map(({ buy, sell, quantity }) => ({
    good,
    price: one,
    quantity,
    buyer: buy.agent,
    seller: sell.agent,
    orders: [buy.id, sell.id] as const,
  }))
  const agents = trades.reduce(settle, world.agents)
  return {
    world: { ...world, agents, prices: { ...world.prices, [good]: price } },
    clearing: { good, trades, price, refused, unfilled: rest(buys, offers) },
  }
}

const luck = (world: World, order: Order) => roll(world.seed, world.tick, 'priority', order.agent)

const rest = (...sides: readonly { order: Order; left: number }[][]) =>
  sides.flat().flatMap(({ order, left }) => (left > 0 ? [{ ...order, quantity: left }] : []))

function withhold(holdings: Holdings, order: Order): Holdings {
  return order.side === 'buy'
    ? { ...holdings, pebbles: holdings.pebbles - order.price * order.quantity }
    : { ...holdings, goods: { ...holdings.goods, [order.good]: holdings.goods[order.good] - order.quantity } }
}

function settle(agents: World['agents'], trade: Trade): World['agents'] {
  const move = (holdings: Holdings, goods: number): Holdings => ({
    ...holdings,
    pebbles: holdings.pebbles - goods * trade.price,
    goods: { ...holdings.goods, [trade.good]: holdings.goods[trade.good] + goods },
  })
  return {
    ...agents,
    [trade.buyer]: move(agents[trade.buyer], trade.quantity),
    [trade.seller]: move(agents[trade.seller], -trade.quantity),
  }
}
