import { setTimeout as sleep } from 'node:timers/promises'
import { eachSpan, type TraceRequest } from '../../otlp/json.ts'
import { randomOf } from '../../random/random.ts'
import type { Sending } from './replay.ts'

/** The processes that send one trace. SDKs send a batch after at most 5 s by default, and our example after 0.5 s. */
const PROCESSES = 4
const [SHORTEST_DELAY_MS, LONGEST_DELAY_MS] = [500, 5000]
/** Runs begin within this time, so that hundreds of traces are open at once. */
const BEGIN_WITHIN_MS = 5000

/**
 * Sends runs as several processes do: the spans of each trace leave in up to four requests, in any order, each after a batch
 * delay of its own. The waits are the shipped ones, so this shows that they are long enough.
 */
export const scattered = (runs: readonly TraceRequest[], seed: number): Sending => ({
  play: async (send) => {
    const random = randomOf(seed, 'scattered')
    const within = (from: number, to: number) => from + random.number() * (to - from)
    const timed = runs.flatMap((run) => {
      const beginsMs = within(0, BEGIN_WITHIN_MS)
      return partsOf(run, () => random.below(PROCESSES)).map((request) => ({
        request,
        atMs: beginsMs + within(SHORTEST_DELAY_MS, LONGEST_DELAY_MS),
      }))
    })
    await Promise.all(
      timed.map(async ({ request, atMs }) => {
        await sleep(atMs)
        await send(request)
      }),
    )
  },
  waits: {},
  // The wait after the root, a second for the sampler's tick, and one for a busy machine.
  settleMs: 8000,
})

/** The spans of a run, each with its resource and scope, shared out by the draw. */
export function partsOf(run: TraceRequest, draw: () => number): readonly TraceRequest[] {
  const parts = new Map<number, TraceRequest['resourceSpans'][number][]>()
  for (const { span, scope, resource } of eachSpan(run)) {
    const number = draw()
    const part = parts.get(number) ?? []
    part.push({ ...(resource && { resource }), scopeSpans: [{ ...(scope && { scope }), spans: [span] }] })
    parts.set(number, part)
  }
  return [...parts.values()].map((resourceSpans) => ({ resourceSpans }))
}
