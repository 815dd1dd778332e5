import { setTimeout as sleep } from 'node:timers/promises'
import PQueue from 'p-queue'
import { roll } from '../../random/random.ts'

/**
 * Seconds, as a 3B model takes on a small data-centre GPU: 600 prompt tokens and 60 of output are 0.2 + 0.5 s.
 * Measure a real server and write its numbers here if boards should show what you run.
 */
const PREFILL_OVERHEAD = 0.08
const PER_PROMPT_TOKEN = 0.0002
const PER_OUTPUT_TOKEN = 0.008
const JITTER = 0.2

type Timing = Readonly<{ prefillSeconds: number; decodeSeconds: number }>

/** How long the model thinks in world time. A slow answer takes 2.5 to 5 s over the same work, as on a GPU that is shared. */
export function timingOf(
  work: Readonly<{ promptTokens: number; outputTokens: number; speed: number; slow: boolean }>,
  ...key: readonly (string | number)[]
): Timing {
  const jitter = (name: string) => 1 + JITTER * (2 * roll(...key, name) - 1)
  const prefill = ((PREFILL_OVERHEAD + work.promptTokens * PER_PROMPT_TOKEN) * jitter('prefill')) / work.speed
  const decode = (work.outputTokens * PER_OUTPUT_TOKEN * jitter('decode')) / work.speed
  const stretch = work.slow ? (2.5 + 2.5 * roll(...key, 'slow')) / (prefill + decode) : 1
  return { prefillSeconds: prefill * stretch, decodeSeconds: decode * stretch }
}

/** Waits in world time. Throws when the signal fires. */
type Pause = (seconds: number, signal: AbortSignal) => Promise<void>

export const pauseWith =
  (timeFactor: number): Pause =>
  (seconds, signal) =>
    sleep((seconds * 1000) / timeFactor, undefined, { signal })

export type Queue = PQueue

/** First in, first out, above `limit` at once: classic vLLM queues and does not refuse. */
export const queueOf = (limit: number): Queue => new PQueue({ concurrency: limit })
