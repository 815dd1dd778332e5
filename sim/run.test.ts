import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Turn } from './agents/decide.ts'
import { market, tickWith } from './economy/tick.ts'
import { AGENTS, type AgentName, newWorld, totalPebbles } from './economy/world.ts'
import type { Entry } from './ledger.ts'
import { run } from './run.ts'

const start = { world: newWorld(3), book: [] }

/** A turn of one call that orders nothing. */
const idle = async (agent: AgentName): Promise<Turn> => ({
  agent,
  experiment: 'trade-prompt',
  variant: 'terse',
  outcome: 'accepted',
  decision: { mood: 0.5 },
  orders: [],
  refused: [],
  attempts: 1,
  toolCalls: 0,
  calls: [{ attempt: 1, model: 'big', outcome: 'ok', inputTokens: 10, outputTokens: 2, ms: 0 }],
  ms: 0,
})

function playing({ ticks = 3, intervalMs = 0, stop = new AbortController().signal } = {}) {
  const ledger: Entry[] = []
  let played = 0
  const done = run(start, {
    ticks,
    intervalMs,
    stop,
    playTick: tickWith({ decide: idle, receive: () => [], market }),
    clock: () => performance.now(),
    ledger: { write: (entry) => void ledger.push(entry), close: async () => {} },
    traceOf: ({ before }) => `trace-${before.tick}`,
    onTick: () => played++,
  })
  return { done, ledger, played: () => played }
}

test('the ledger has a line for each call, each turn and each tick, with the trace of its tick', async () => {
  const { done, ledger } = playing({ ticks: 2 })
  await done
  const count = (kind: Entry['kind']) => ledger.filter((entry) => entry.kind === kind).length
  assert.deepEqual([count('call'), count('turn'), count('tick')], [2 * AGENTS.length, 2 * AGENTS.length, 2])
  for (const entry of ledger) assert.ok(entry.kind !== 'run' && entry.trace === `trace-${entry.tick}`)
  const last = ledger.at(-1)
  assert.ok(last?.kind === 'tick')
  assert.deepEqual([last.tick, last.tokens, last.pebbles], [1, 12 * AGENTS.length, totalPebbles(start.world) / 100])
})

test('a stop ends the wait between two ticks, and never a tick', { timeout: 60_000 }, async () => {
  const stop = new AbortController()
  const { done, ledger, played } = playing({ ticks: 100, intervalMs: 60_000, stop: stop.signal })
  while (played() < 1) await new Promise((resolve) => setTimeout(resolve, 5))
  stop.abort()
  await done
  assert.equal(played(), 1)
  assert.equal(ledger.at(-1)?.kind, 'tick')
})
