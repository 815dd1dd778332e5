export const GOODS = ['acorns', 'berries', 'mushrooms', 'firewood', 'honey'] as const
export type Good = (typeof GOODS)[number]

/**
 * The roster: who lives in the wood. To add an agent, add a line (and its good, when it makes a new one); nothing else
 * in sim/ names an agent. Boards, budgets and policies take agents from the data, not from here.
 */
export const CREATURES = {
  squirrel: { produces: 'acorns', needs: ['berries', 'firewood'] },
  rabbit: { produces: 'berries', needs: ['mushrooms', 'firewood'] },
  fox: { produces: 'mushrooms', needs: ['acorns', 'honey'] },
  beaver: { produces: 'firewood', needs: ['acorns', 'berries'] },
  bear: { produces: 'honey', needs: ['mushrooms', 'firewood'] },
} as const satisfies Record<string, { produces: Good; needs: readonly [Good, Good] }>

export type AgentName = keyof typeof CREATURES
export const AGENTS = Object.keys(CREATURES) as readonly AgentName[]

export type Goods = Readonly<Record<Good, number>>

/** Money is counted in integer hundredths of a pebble, so that conservation can be checked with `===`. */
export type Cents = number

export type Holdings = Readonly<{ pebbles: Cents; mood: number; goods: Goods }>

export type Order = Readonly<{
  id: string
  tick: number
  agent: AgentName
  side: 'buy' | 'sell'
  good: Good
  price: Cents
  quantity: number
}>

export type World = Readonly<{
  tick: number
  seed: number
  agents: Readonly<Record<AgentName, Holdings>>
  prices: Readonly<Record<Good, Cents | null>>
}>

export const perGood = <T>(value: (good: Good) => T): Record<Good, T> =>
  Object.fromEntries(GOODS.map((good) => [good, value(good)])) as Record<Good, T>

export const perAgent = <T>(value: (agent: AgentName) => T): Record<AgentName, T> =>
  Object.fromEntries(AGENTS.map((agent) => [agent, value(agent)])) as Record<AgentName, T>

export const newWorld = (seed: number): World => ({
  tick: 0,
  seed,
  agents: perAgent(() => ({ pebbles: 1000, mood: 0.8, goods: perGood(() => 3) })),
  prices: perGood(() => null),
})

export const totalPebbles = (world: World): Cents => AGENTS.reduce((sum, agent) => sum + world.agents[agent].pebbles, 0)

export const totalGoods = (world: World): Goods =>
  perGood((good) => AGENTS.reduce((sum, agent) => sum + world.agents[agent].goods[good], 0))
