import type { Attributes, Meter } from '@opentelemetry/api'
import { GEN_AI, METRICS, OTHER, WOODLAND } from '../../vocabulary/attributes.ts'
import type { Evaluation } from '../agents/evaluation.ts'
import { REFUSALS } from '../economy/market.ts'
import { AGENTS, type AgentName, GOODS, type World } from '../economy/world.ts'

/** Boundaries the GenAI conventions ask for. */
const SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
const TOKENS = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864]

const boundaries = (explicitBucketBoundaries: number[]) => ({ advice: { explicitBucketBoundaries } })

/** Every instrument of the simulator, as verbs. Labels are bounded: never a tick, trace, order or run. The clock is in milliseconds. */
export function metersWith(meter: Meter, clock: () => number) {
  const tokens = meter.createHistogram(METRICS.TOKEN_USAGE, { unit: '{token}', ...boundaries(TOKENS) })
  const duration = meter.createHistogram(METRICS.DURATION, { unit: 's', ...boundaries(SECONDS) })
  const firstChunk = meter.createHistogram(METRICS.FIRST_CHUNK, { unit: 's', ...boundaries(SECONDS) })
  const score = meter.createHistogram(METRICS.EVALUATION, { unit: '1', ...boundaries([0, 0.25, 0.5, 0.75, 1]) })
  const decisions = meter.createCounter(METRICS.DECISIONS, { unit: '{decision}' })
  const retries = meter.createCounter(METRICS.RETRIES, { unit: '{retry}' })
  const trades = meter.createCounter(METRICS.TRADES, { unit: '{trade}' })
  const active = meter.createUpDownCounter(METRICS.ACTIVE_TURNS, { unit: '{turn}' })
  const oldest = meter.createObservableGauge(METRICS.OLDEST_TURN, { unit: 's' })
  const pebbles = meter.createGauge(METRICS.PEBBLES, { unit: '{pebble}' })
  const mood = meter.createGauge(METRICS.MOOD)
  const price = meter.createGauge(METRICS.PRICE, { unit: '{pebble}' })

  // A counter whose first value is 1 shows no increase, so the labels that are known start at zero.
  for (const agent of AGENTS) {
    active.add(0, { [GEN_AI.AGENT]: agent })
    retries.add(0, { [GEN_AI.AGENT]: agent })
    for (const outcome of ['accepted', 'parse_error', 'timeout', ...REFUSALS]) {
      decisions.add(0, { [GEN_AI.AGENT]: agent, [OTHER.OUTCOME]: outcome })
    }
  }
  for (const good of GOODS) trades.add(0, { [WOODLAND.GOOD]: good })

  const open = new Set<Readonly<{ agent: AgentName; began: number }>>()
  oldest.addCallback((result) => {
    for (const agent of AGENTS) {
      const ages = [...open].flatMap((turn) => (turn.agent === agent ? [clock() - turn.began] : []))
      result.observe(Math.max(0, ...ages) / 1000, { [GEN_AI.AGENT]: agent })
    }
  })

  return {
    /** Answers what to call when the turn ends. */
    turnBegan(agent: AgentName): () => void {
      const turn = { agent, began: clock() }
      open.add(turn)
      active.add(1, { [GEN_AI.AGENT]: agent })
      return () => {
        open.delete(turn)
        active.add(-1, { [GEN_AI.AGENT]: agent })
      }
    },
    tokensUsed(inputTokens: number, outputTokens: number, labels: Attributes) {
      tokens.record(inputTokens, { ...labels, [GEN_AI.TOKEN_TYPE]: 'input' })
      tokens.record(outputTokens, { ...labels, [GEN_AI.TOKEN_TYPE]: 'output' })
    },
    operationTook: (seconds: number, labels: Attributes) => duration.record(seconds, labels),
    firstChunkAfter: (seconds: number, labels: Attributes) => firstChunk.record(seconds, labels),
    decided: (agent: string, outcome: string) => decisions.add(1, { [GEN_AI.AGENT]: agent, [OTHER.OUTCOME]: outcome }),
    retried: (agent: string) => retries.add(1, { [GEN_AI.AGENT]: agent }),
    traded: (good: string, count: number) => trades.add(count, { [WOODLAND.GOOD]: good }),
    evaluated: (agent: string, { name, score: value }: Evaluation) =>
      score.record(value, { [GEN_AI.AGENT]: agent, [GEN_AI.EVALUATION_NAME]: name }),
    observe(world: World) {
      for (const agent of AGENTS) {
        pebbles.record(world.agents[agent].pebbles / 100, { [GEN_AI.AGENT]: agent })
        mood.record(world.agents[agent].mood, { [GEN_AI.AGENT]: agent })
      }
      for (const good of GOODS) {
        const cents = world.prices[good]
        if (cents !== null) price.record(cents / 100, { [WOODLAND.GOOD]: good })
      }
    },
  }
}

export type Meters = ReturnType<typeof metersWith>
