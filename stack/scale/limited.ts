import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Running } from '../../workbench/collector.ts'
import { waitFor } from '../../workbench/wait.ts'
import { makeBodies, SPANS_PER_REQUEST } from '../load.ts'
import { type Coefficients, costOf } from '../plan.ts'
import { ROOT } from '../settings.ts'
import { quantile } from '../speed.ts'
import { driftOf } from './cost.ts'
import { type Flow, flow } from './flow.ts'
import { type Lab, runningOf, total, withTiers } from './lab.ts'
import { cpuSeconds, residentBytes, throttle } from './throttle.ts'

/**
 * Of a core, for each sampler whose throughput is measured. It is small so that four of them and their sender fit on two cores, and
 * the samplers are what is short.
 */
export const SAMPLER_SHARE = 0.05
/** Of a core, for each process that gets more load than it can take. With less than a third, a gateway refuses too late. */
export const LOADED = { gateway: 0.35, sampler: 0.15 } as const
const CONTENT = { bytes: 1024, kept: 0.1 }
const ACCEPTED = 'otelcol_receiver_accepted_spans'

export type Scaled = Readonly<{
  samplers: number
  spansPerSecond: number
  usPerSpan: number
  /** Of a core that each sampler used. */
  share: number
}>

/** The gateway of this measurement does not mask, so that it is not what is short. */
const UNMASKED = resolve(ROOT, 'evidence/speed/unmasked.yaml')
const SAMPLERS = [1, 2, 4]
const ROUNDS = 3
/** Until spans wait for every sampler; and so long that a sampler which is stopped when it is asked changes little. */
const [FILL_SECONDS, WINDOW_SECONDS] = [8, 16]
const AT_ONCE = 8

/** How many spans a second samplers take, each with the same small share of a core, when more is sent than they can take. */
export async function measureThroughput(lab: Lab): Promise<readonly Scaled[]> {
  const bodies = makeBodies(CONTENT)
  const found: Scaled[] = []
  for (let round = 1; round <= ROUNDS; round++)
    for (const samplers of SAMPLERS)
      await withTiers(lab, { gateways: 1, samplers, gatewayFiles: [UNMASKED] }, async (running) => {
        const [first, second] = [runningOf(running.gateways), runningOf(running.samplers)]
        const held = throttle(
          second.map(({ pid }) => pid),
          SAMPLER_SHARE,
        )
        const seconds = FILL_SECONDS + 2 * WINDOW_SECONDS
        const over = new AbortController()
        const sending = flow(
          first.map(({ otlp }) => otlp),
          bodies,
          { seconds, atOnce: AT_ONCE, cancel: AbortSignal.any([lab.cancel, over.signal]) },
        ).catch(() => {})
        try {
          await sleep(FILL_SECONDS * 1000, undefined, { signal: lab.cancel })
          const before = await Promise.all(second.map(seen))
          await sleep(WINDOW_SECONDS * 1000, undefined, { signal: lab.cancel })
          const after = await Promise.all(second.map(seen))
          const sums = after.map(({ spans, cpu, atMs }, index) => {
            const from = before[index] ?? { spans: 0, cpu: 0, atMs: 0 }
            return { spans: spans - from.spans, cpu: cpu - from.cpu, seconds: (atMs - from.atMs) / 1000 }
          })
          const sum = (of: (one: (typeof sums)[number]) => number) => sums.reduce((all, one) => all + of(one), 0)
          const row: Scaled = {
            samplers,
            spansPerSecond: sum((one) => one.spans / one.seconds),
            usPerSpan: (sum(({ cpu }) => cpu) * 1e6) / sum(({ spans }) => spans),
            share: sum((one) => one.cpu / one.seconds) / samplers,
          }
          lab.say(
            `  throughput, ${samplers} samplers, turn ${round} of ${ROUNDS}: ${row.spansPerSecond.toFixed(0)} spans/s, ${row.usPerSpan.toFixed(1)} µs a span, ${(row.share * 100).toFixed(1)} % of a core each`,
          )
          found.push(row)
        } finally {
          held.end()
          over.abort()
          await sending
        }
      })
  return SAMPLERS.map((samplers) => {
    const rows = found.filter((row) => row.samplers === samplers)
    const middle = (of: (row: Scaled) => number) => quantile(rows.map(of), 0.5)
    return {
      samplers,
      spansPerSecond: middle((row) => row.spansPerSecond),
      usPerSpan: middle((row) => row.usPerSpan),
      share: middle((row) => row.share),
    }
  })
}

async function seen(one: Running) {
  const spans = await total([one], ACCEPTED)
  return { spans, cpu: cpuSeconds(one.pid), atMs: performance.now() }
}

export type Sustained = Readonly<{
  what: string
  seconds: number
  spansPerSecond: number
  flow: Flow
  /** The most memory of one process, in the middle and at the end. */
  megabytes: readonly [middle: number, end: number]
}>
export type Endurance = Readonly<{
  /** Spans a second: what the plan allows at the speed that the machine had just before. */
  allowed: number
  /** The same after it, compared with before: 2 if a span then needed twice the CPU. */
  drift: number
  rows: readonly Sustained[]
  /** Seconds after the overload until answers are quick again and nothing is refused; undefined if that was not seen. */
  recoveredAfter: number | undefined
  /** Spans that were answered with 200 and did not come to a sampler. */
  lost: number
}>

/** Requests without an answer. More senders than these wait for their turn. */
const SENDERS = 400
const SLICE_SECONDS = 5
const QUICK_MS = 1000
/** The aim for a recovery. */
export const RECOVERED_WITHIN_SECONDS = 30

/** Load at 80 % and at 120 % of what the plan allows for this set-up, each process with a small share of a core. */
export async function endure(lab: Lab, coefficients: Coefficients, minutes: number): Promise<Endurance> {
  const bodies = makeBodies(CONTENT)
  return withTiers(lab, { gateways: 2, samplers: 3, hasOne: true }, async (running) => {
    const [first, second] = [runningOf(running.gateways), runningOf(running.samplers)]
    const all = [...first, ...second]
    const drift = async () => {
      const times = await driftOf(lab, running.one, coefficients.costs)
      lab.say(`  a span needs ${times.toFixed(2)} times the CPU that it needed when the costs were measured`)
      return times
    }
    await drift()
    const before = await drift()
    const cost = costOf(coefficients, { kilobytes: CONTENT.bytes / 1024, kept: CONTENT.kept, backends: 2 })
    const allowed =
      Math.min((first.length * LOADED.gateway) / cost.gateways, (second.length * LOADED.sampler) / cost.samplers) *
      (1e6 / before)
    const limits = [
      throttle(
        first.map(({ pid }) => pid),
        LOADED.gateway,
      ),
      throttle(
        second.map(({ pid }) => pid),
        LOADED.sampler,
      ),
    ]
    const to = first.map(({ otlp }) => otlp)
    const most = () => Math.max(...all.map(({ pid }) => residentBytes(pid))) / 1024 ** 2
    let answered = 0
    const at = async (share: number, seconds: number) => {
      const pace = { spansPerSecond: share * allowed, atOnce: SENDERS, cancel: lab.cancel }
      const half = await flow(to, bodies, { ...pace, seconds: seconds / 2 })
      const middle = most()
      const rest = await flow(to, bodies, { ...pace, seconds: seconds / 2 })
      for (const one of all) one.alive()
      const sum = added(half, rest)
      answered += (sum.statuses.get(200) ?? 0) * SPANS_PER_REQUEST
      return { seconds, spansPerSecond: pace.spansPerSecond, flow: sum, megabytes: [middle, most()] as const }
    }
    const rows: Sustained[] = []
    for (const percent of [80, 120]) {
      const row = { what: `${percent} %`, ...(await at(percent / 100, minutes * 60)) }
      lab.say(
        `  ${row.what} of the plan: ${row.spansPerSecond.toFixed(0)} spans/s for ${minutes} min, ${[...row.flow.statuses].map(([status, count]) => `${count} × ${status || 'no answer'}`).join(', ')}, slowest answer ${row.flow.slowestMs.toFixed(0)} ms`,
      )
      rows.push(row)
    }
    let recoveredAfter: number | undefined
    for (let seconds = SLICE_SECONDS; seconds <= RECOVERED_WITHIN_SECONDS; seconds += SLICE_SECONDS) {
      const slice = await at(0.8, SLICE_SECONDS)
      const isWell = [...slice.flow.statuses.keys()].every((status) => status === 200) && slice.flow.held === 0
      if (!isWell || slice.flow.slowestMs > QUICK_MS) continue
      recoveredAfter = seconds
      break
    }
    for (const limit of limits) limit.end()
    // Without their limits they catch up.
    const arrived = () => total(second, ACCEPTED)
    await waitFor(async () => (await arrived()) >= answered, { withinMs: 60_000, everyMs: 500, cancel: lab.cancel })
    const lost = Math.max(0, answered - (await arrived()))
    return { allowed, drift: (await drift()) / before, rows, recoveredAfter, lost }
  })
}

function added(one: Flow, other: Flow): Flow {
  const statuses = new Map(one.statuses)
  for (const [status, count] of other.statuses) statuses.set(status, (statuses.get(status) ?? 0) + count)
  return {
    spans: one.spans + other.spans,
    statuses,
    withoutHint: one.withoutHint + other.withoutHint,
    slowestMs: Math.max(one.slowestMs, other.slowestMs),
    held: one.held + other.held,
  }
}
