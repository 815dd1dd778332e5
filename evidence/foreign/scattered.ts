import { setTimeout as sleep } from 'node:timers/promises'
import { eachSpan, type TraceRequest } from '../../otlp/json.ts'
import { randomOf } from '../../random/random.ts'
import type { Launcher } from '../../workbench/collector.ts'
import { AFTER_ROOT } from '../../workbench/replay.ts'
import { UserError } from '../../workbench/user-error.ts'
import { type Outcome, outcomeOf, type Sending } from './replay.ts'

/** The processes that send one trace. SDKs send a batch after at most 5 s by default, and our example after 0.5 s. */
const PROCESSES = 4
const [SHORTEST_DELAY_MS, LONGEST_DELAY_MS] = [500, 5000]
/** Runs begin within this time, so that hundreds of traces are open at once. */
const BEGIN_WITHIN_MS = 5000
/** How many times slower it goes, one try after the other, until the machine sends everything in time. */
const TRIES_AT = [1, 3, 9]
/** The sampler decides once a second. */
const TICK_MS = 1000

/**
 * Sends runs as several processes do: the spans of each trace leave in up to four requests, in any order, each after a batch
 * delay of its own. The wait after the root is the shipped one, so this shows that it is long enough. A busy machine
 * may send later than the delay says; then all is sent again, with delays and wait longer in proportion. Throws `UserError`
 * when the machine is too busy for that, too.
 */
export async function scatteredOutcome(
  launcher: Launcher,
  runs: readonly TraceRequest[],
  seed: number,
  policyFile: string,
): Promise<Outcome> {
  for (const stretch of TRIES_AT) {
    const { sending, latestMs } = scattered(runs, seed, stretch)
    const outcome = await outcomeOf(launcher, sending, policyFile)
    if (latestMs() < stretch * AFTER_ROOT * 1000 - TICK_MS / 4) return outcome
    launcher.say(`  a part of a trace was sent ${latestMs()} ms after its root: again, and slower`)
  }
  throw new UserError(
    'the machine is too busy to send the parts of a trace in time: run the command again when it has less to do',
  )
}

function scattered(runs: readonly TraceRequest[], seed: number, stretch: number) {
  const random = randomOf(seed, 'scattered')
  const within = (from: number, to: number) => from + random.number() * (to - from)
  const gapsMs: number[] = []
  const sending: Sending = {
    play: async (send) => {
      await Promise.all(
        runs.map(async (run) => {
          const beginsMs = within(0, BEGIN_WITHIN_MS)
          const parts = partsOf(run, () => random.below(PROCESSES)).map((request) => ({
            request,
            atMs: beginsMs + stretch * within(SHORTEST_DELAY_MS, LONGEST_DELAY_MS),
          }))
          const times = await Promise.all(
            parts.map(async ({ request, atMs }) => {
              await sleep(atMs)
              const begunMs = performance.now()
              await send(request)
              const hasRoot = [...eachSpan(request)].some(({ span }) => !span.parentSpanId)
              return { rootMs: hasRoot ? begunMs : Number.POSITIVE_INFINITY, takenMs: performance.now() }
            }),
          )
          const rootMs = Math.min(...times.map((time) => time.rootMs))
          gapsMs.push(Math.max(...times.map(({ takenMs }) => takenMs)) - rootMs)
        }),
      )
    },
    waits: { DECISION_WAIT_AFTER_ROOT: `${stretch * AFTER_ROOT}s` },
    settleMs: stretch * AFTER_ROOT * 1000 + 2 * TICK_MS,
  }
  return { sending, latestMs: () => Math.round(Math.max(...gapsMs)) }
}

/** The spans of a run, each with its resource and scope, shared out by the draw. */
function partsOf(run: TraceRequest, draw: () => number): readonly TraceRequest[] {
  const parts = new Map<number, TraceRequest['resourceSpans'][number][]>()
  for (const { span, scope, resource } of eachSpan(run)) {
    const number = draw()
    const part = parts.get(number) ?? []
    part.push({ ...(resource && { resource }), scopeSpans: [{ ...(scope && { scope }), spans: [span] }] })
    parts.set(number, part)
  }
  return [...parts.values()].map((resourceSpans) => ({ resourceSpans }))
}
