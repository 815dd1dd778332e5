import { setTimeout as sleep } from 'node:timers/promises'
import type { TakeTurn, Turn } from './agents/decide.ts'
import { type Clearing, clear } from './economy/market.ts'
import { type Message, open, seal } from './economy/queue.ts'
import { assertConserved, consume, feel, produce } from './economy/step.ts'
import { AGENTS, GOODS, type Good, totalPebbles, type World } from './economy/world.ts'
import type { Ledger } from './ledger.ts'

/** The world between two ticks, and the orders that wait for one more. */
export type State = Readonly<{ world: World; book: readonly Message[] }>

export type Cleared = Readonly<{ world: World; clearing: Clearing; waiting: readonly Message[] }>
export type Market = (world: World, good: Good, messages: readonly Message[]) => Cleared

/** Everything a tick leaves behind. */
export type Tick = Readonly<{
  before: World
  after: State
  turns: readonly Turn[]
  clearings: readonly Clearing[]
  tokens: number
}>
export type PlayTick = (state: State) => Promise<Tick>

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

type Steps = Readonly<{
  takeTurn: TakeTurn
  market: Market
  /** Empties the queue into which turns sent their orders. */
  receive: () => readonly Message[]
  tickLimits: () => { tick: AbortSignal; agent: () => AbortSignal }
}>

/** One tick: produce, decide (all at once), guard and clear, consume, record. Throws when the world does not add up. */
export const playTickWith =
  ({ takeTurn, market, receive, tickLimits }: Steps): PlayTick =>
  async ({ world: before, book }) => {
    const produced = produce(before)
    const limits = tickLimits()
    const turns = await Promise.all(
      AGENTS.map((agent) => takeTurn(agent, produced.world, AbortSignal.any([limits.tick, limits.agent()]))),
    )

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

    const tokens = turns
      .flatMap(({ calls }) => calls)
      .reduce((sum, call) => sum + call.inputTokens + call.outputTokens, 0)
    const after = { world: { ...consumed.world, tick: before.tick + 1 }, book: waiting }
    return { before, after, turns, clearings, tokens }
  }

export const tradesOf = (tick: Tick): number => tick.clearings.reduce((sum, { trades }) => sum + trades.length, 0)

/** Ticks one after another until `ticks` are done or `stop` fires; a tick that has begun is always finished. */
export async function run(
  state: State,
  {
    ticks,
    intervalMs,
    stop,
    playTick,
    clock,
    ledger,
    traceOf,
    onTick,
  }: {
    readonly ticks: number
    readonly intervalMs: number
    readonly stop: AbortSignal
    readonly playTick: PlayTick
    readonly clock: () => number
    readonly ledger: Ledger
    readonly traceOf: (tick: Tick) => string
    readonly onTick: (tick: Tick, ms: number) => void
  },
): Promise<void> {
  let current = state
  let due = clock()
  for (let played = 0; played < ticks && !stop.aborted; played++) {
    const began = clock()
    const tick = await playTick(current)
    const ms = Math.round(clock() - began)
    record(tick, ms, traceOf(tick), ledger)
    onTick(tick, ms)
    current = tick.after
    due = Math.max(due + intervalMs, clock())
    if (played + 1 < ticks) await sleep(Math.max(0, due - clock()), undefined, { signal: stop }).catch(() => {})
  }
}

function record(tick: Tick, ms: number, trace: string, ledger: Ledger): void {
  const at = { tick: tick.before.tick, trace }
  for (const { agent, calls, outcome, attempts, toolCalls, ms } of tick.turns) {
    for (const call of calls) ledger.write({ kind: 'call', ...at, agent, ...call })
    ledger.write({ kind: 'turn', ...at, agent, outcome, attempts, toolCalls, ms })
  }
  const pebbles = totalPebbles(tick.after.world) / 100
  ledger.write({ kind: 'tick', ...at, trades: tradesOf(tick), pebbles, tokens: tick.tokens, ms })
}
