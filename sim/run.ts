import { setTimeout as sleep } from 'node:timers/promises'
import { type Turn, tokensOf } from './agents/decide.ts'
import { type PlayTick, type State, type Tick, tradesOf } from './economy/tick.ts'
import { totalPebbles } from './economy/world.ts'
import type { Ledger } from './ledger.ts'

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
    readonly playTick: PlayTick<Turn>
    readonly clock: () => number
    readonly ledger: Ledger
    readonly traceOf: (tick: Tick<Turn>) => string
    readonly onTick: (tick: Tick<Turn>, ms: number) => void
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

function record(tick: Tick<Turn>, ms: number, trace: string, ledger: Ledger): void {
  const at = { tick: tick.before.tick, trace }
  for (const { agent, calls, outcome, attempts, toolCalls, ms } of tick.turns) {
    for (const call of calls) ledger.write({ kind: 'call', ...at, agent, ...call })
    ledger.write({ kind: 'turn', ...at, agent, outcome, attempts, toolCalls, ms })
  }
  const pebbles = totalPebbles(tick.after.world) / 100
  ledger.write({ kind: 'tick', ...at, trades: tradesOf(tick), pebbles, tokens: tokensOf(tick.turns), ms })
}
