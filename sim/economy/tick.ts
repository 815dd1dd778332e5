import { type Clearing, clear } from './market.ts'
import { type Message, open, seal } from './queue.ts'
import { assertConserved, consume, feel, produce } from './step.ts'
import { AGENTS, type AgentName, GOODS, type Good, type World } from './world.ts'

/** The world between two ticks, and the orders that wait for one more. */
export type State = Readonly<{ world: World; book: readonly Message[] }>

/** What the economy reads of an agent's turn. A turn may hold more: the tick hands it on. */
export type Decided = Readonly<{ agent: AgentName; decision: Readonly<{ mood: number }> | undefined }>

/** Everything a tick leaves behind. */
export type Tick<Turn extends Decided> = Readonly<{
  before: World
  after: State
  turns: readonly Turn[]
  clearings: readonly Clearing[]
}>
export type PlayTick<Turn extends Decided> = (state: State) => Promise<Tick<Turn>>

export type Cleared = Readonly<{ world: World; clearing: Clearing; waiting: readonly Message[] }>
export type Market = (world: World, good: Good, messages: readonly Message[]) => Cleared

type Steps<Turn extends Decided> = Readonly<{
  /** One agent's turn. It sends the orders that the guard accepts to the queue. */
  decide: (agent: AgentName, world: World) => Promise<Turn>
  /** Empties the queue. */
  receive: () => readonly Message[]
  market: Market
}>

/** One tick: produce, decide and guard (all agents at once), clear, consume, record. Throws when the world does not add up. */
export const tickWith =
  <Turn extends Decided>({ decide, receive, market }: Steps<Turn>): PlayTick<Turn> =>
  async ({ world: before, book }) => {
    const produced = produce(before)
    const turns = await Promise.all(AGENTS.map((agent) => decide(agent, produced.world)))

    let world = produced.world
    const messages = [...book, ...receive()]
    const clearings: Clearing[] = []
    const waiting: Message[] = []
    for (const good of GOODS) {
      const forGood = messages.filter((message) => open(message).order.good === good)
      if (forGood.length === 0) continue
      const cleared = market(world, good, forGood)
      world = cleared.world
      clearings.push(cleared.clearing)
      waiting.push(...cleared.waiting)
    }

    const moods = Object.fromEntries(turns.flatMap(({ agent, decision }) => (decision ? [[agent, decision.mood]] : [])))
    const consumed = consume(feel(world, moods))
    assertConserved(before, consumed.world, produced.amounts, consumed.amounts)
    return { before, after: { world: { ...consumed.world, tick: before.tick + 1 }, book: waiting }, turns, clearings }
  }

/** Clears the orders for one good. What is left of an order of this tick waits, with its trace context. */
export const market: Market = (world, good, messages) => {
  const opened = messages.map(open)
  const cleared = clear(
    world,
    good,
    opened.map(({ order }) => order),
  )
  const carriers = new Map(opened.map(({ order, carrier }) => [order.id, carrier]))
  const waiting = cleared.clearing.unfilled
    .filter((order) => order.tick === world.tick)
    .map((order) => seal(order, carriers.get(order.id) ?? {}))
  return { ...cleared, waiting }
}

export const tradesOf = ({ clearings }: Readonly<{ clearings: readonly Clearing[] }>): number =>
  clearings.reduce((sum, { trades }) => sum + trades.length, 0)
