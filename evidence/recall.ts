import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Launcher, withScratch } from '../workbench/collector.ts'
import { drawIn, type Format } from '../workbench/draw.ts'
import type { Request } from '../workbench/recording.ts'
import { replay, SHORTEST_WAITS_SPEED } from '../workbench/replay.ts'
import { lowerBound } from '../workbench/table.ts'
import { withVariables } from '../workbench/variables.ts'
import { type Kind, type Labelled, MUST_KEEP, makeTraffic, PROFILES } from './traffic.ts'

/** How many traces of one kind were sent in one profile, how many were kept, and how many of those only in part. */
type Tally = { sent: number; kept: number; partial: number }
type Recall = Readonly<{
  seed: number
  byKind: ReadonlyMap<Kind, Tally>
  byProfile: ReadonlyMap<string, Tally>
  /** Must-keep traces that were dropped or kept only in part. */
  missed: readonly Labelled[]
  /** Traces that are not counted, because a part of them was sent too late; and how many must-keep traces of them were lost. */
  late: number
  lateLost: number
}>

/** Traces a second. Then about five thousand wait in the sampler, which has room for fifty thousand. */
const PER_SECOND = 1500
const SHOWN = 5

/** How many times slower it goes, one try after the other, until nothing is missed, or the same twice, and little is late. */
const TRIES_AT = [1, 3, 9]

/**
 * Sends must-keep traces of every kind in every profile through a list, with routine traces between them, and counts the
 * kept ones. If a trace is lost in one try and kept in another, the machine is the reason and not the list, so it counts as
 * late. A trace is missed only if it is missed in each try.
 */
export async function recallOf(
  launcher: Launcher,
  { list, seed, count }: Readonly<{ list: string; seed: number; count: number }>,
): Promise<Recall> {
  let recall: Recall | undefined
  let lostBefore: ReadonlySet<string> | undefined
  for (const stretch of TRIES_AT) {
    const sent: Labelled[] = []
    const size = { seed, mustKeep: count, perSecond: PER_SECOND, speed: SHORTEST_WAITS_SPEED }
    const requests = () => makeTraffic(size, (trace) => void sent.push(trace))
    const clock = punctuality(() => performance.now(), stretch)
    const traffic = {
      requests,
      speed: SHORTEST_WAITS_SPEED,
      stretch,
      slowCall: '',
      watch: clock.begun,
      taken: clock.taken,
    }
    const kept = await withScratch((folder) => {
      const policies = join(folder, 'list.yaml')
      writeFileSync(policies, withVariables(list, {}))
      return replay(launcher, traffic, policies)
    })
    const lost = new Set(sent.filter((trace) => isLost(trace, kept)).map(({ id }) => id))
    const before = lostBefore
    recall = tally(
      seed,
      sent,
      kept,
      (id) => clock.isLate(id) || (before !== undefined && lost.has(id) && !before.has(id)),
    )
    lostBefore = before ? new Set([...before].filter((id) => lost.has(id))) : lost
    if (isKept(recall) || (before && !isTooLate(recall))) break
    launcher.say(`  ${recall.missed.length} missed and ${recall.late} late, ${stretch} times slower than usual`)
  }
  if (!recall) throw new Error('it is tried at least once')
  return recall
}

type Kept = ReadonlyMap<string, Readonly<{ spans: number }>>
const isLost = ({ id, kind, spans }: Labelled, kept: Kept) => kind !== 'routine' && kept.get(id)?.spans !== spans

/** The waits of a replay, minus a tenth: the sampler counts them in ticks, and on a busy machine a tick comes late. */
const [WAIT_MS, AFTER_ROOT_MS] = [1800, 900]

/**
 * Whether the parts of a trace were sent in time. On a busy machine, the sender sends them later than the profile says. Spans
 * that come after the sampler's wait prove nothing about the list. This uses only our own clock, never the result for the trace.
 */
export function punctuality(now: () => number, stretch = 1) {
  type Times = { first: number; root: number; last: number }
  const times = new Map<string, Times>()
  const each = ({ spans }: Request, note: (times: Times, isRoot: boolean, atMs: number) => void) => {
    const atMs = now()
    for (const { traceId, parentSpanId } of spans) {
      const own = times.get(traceId) ?? { first: atMs, root: Number.POSITIVE_INFINITY, last: atMs }
      note(own, parentSpanId === undefined, atMs)
      times.set(traceId, own)
    }
  }
  return {
    begun: (request: Request) =>
      each(request, (own, isRoot, atMs) => {
        if (isRoot) own.root = Math.min(own.root, atMs)
      }),
    taken: (request: Request) =>
      each(request, (own, _, atMs) => {
        own.last = atMs
      }),
    isLate: (id: string): boolean => {
      const { first, root, last } = times.get(id) ?? { first: 0, root: 0, last: 0 }
      return last - first > stretch * WAIT_MS || last - root > stretch * AFTER_ROOT_MS
    },
  }
}

/** Compares the kept traces with the sent ones. */
export function tally(
  seed: number,
  sent: readonly Labelled[],
  kept: Kept,
  isLate: (id: string) => boolean = () => false,
): Recall {
  const byKind = new Map<Kind, Tally>(
    [...MUST_KEEP, 'routine' as const].map((kind) => [kind, { sent: 0, kept: 0, partial: 0 }]),
  )
  const byProfile = new Map<string, Tally>(PROFILES.map(({ name }) => [name, { sent: 0, kept: 0, partial: 0 }]))
  const missed: Labelled[] = []
  let [late, lateLost] = [0, 0]
  for (const trace of sent) {
    const spans = kept.get(trace.id)?.spans
    const isPartial = spans !== undefined && spans !== trace.spans
    const isMissed = isLost(trace, kept)
    if (isLate(trace.id)) {
      late++
      if (isMissed) lateLost++
      continue
    }
    const tallies = [byKind.get(trace.kind), ...(trace.kind === 'routine' ? [] : [byProfile.get(trace.profile)])]
    for (const tally of tallies) {
      if (!tally) continue
      tally.sent++
      if (spans !== undefined) tally.kept++
      if (isPartial) tally.partial++
    }
    if (isMissed) missed.push(trace)
  }
  return { seed, byKind, byProfile, missed, late, lateLost }
}

const BOUND_DIGITS = 4

/** A share of all traces. If more are late, the run proves too little. */
const MOST_LATE = 0.01

/** No trace that was sent in time is missed, and few were late. */
export const isKept = (recall: Recall): boolean => recall.missed.length === 0 && !isTooLate(recall)

function isTooLate({ byKind, late }: Recall): boolean {
  const counted = [...byKind.values()].reduce((sum, { sent }) => sum + sent, 0)
  return late > MOST_LATE * (counted + late)
}

/** The same for a script: maps as objects. */
export const recallData = (recall: Recall) => ({
  ...recall,
  byKind: Object.fromEntries(recall.byKind),
  byProfile: Object.fromEntries(recall.byProfile),
})

export function recallReport(recall: Recall, format: Exclude<Format, 'json'>): string {
  const { seed, byKind, byProfile, missed, late, lateLost } = recall
  const draw = drawIn(format)
  const row = (name: string, { sent, kept, partial }: Tally) => [
    name,
    ...[sent, kept, sent - kept, partial].map(String),
    sent === 0 ? '–' : `${floor((100 * kept) / sent, 2)} %`,
    sent === 0 ? '–' : `${floor(100 * lowerBound(kept, sent), BOUND_DIGITS)} %`,
  ]
  const head = ['sent', 'kept', 'missed', 'in part', 'recall', '≥ (95 %)']
  const must = MUST_KEEP.map((kind) => byKind.get(kind)).reduce<Tally>(
    (sum, tally) => ({
      sent: sum.sent + (tally?.sent ?? 0),
      kept: sum.kept + (tally?.kept ?? 0),
      partial: sum.partial + (tally?.partial ?? 0),
    }),
    { sent: 0, kept: 0, partial: 0 },
  )
  return [
    draw([
      ['class', ...head],
      ...MUST_KEEP.map((kind) => row(kind, byKind.get(kind) ?? must)),
      row('all that must be kept', must),
      row('routine', byKind.get('routine') ?? must),
    ]),
    draw([['how its spans arrive', ...head], ...[...byProfile].map(([name, tally]) => row(name, tally))]),
    ...(late > 0
      ? [
          `${late} more are not counted, because this busy machine sent a part of them too late. ${lateLost} of them must be kept and were lost by this.`,
        ]
      : []),
    ...(isTooLate(recall)
      ? [
          'That is more than one in a hundred, so the run proves too little. Run it again when the machine has less to do.',
        ]
      : []),
    ...(missed.length > 0 ? [firstOf(missed, seed)] : []),
  ].join('\n\n')
}

function firstOf(missed: readonly Labelled[], seed: number): string {
  const shown = missed.slice(0, SHOWN)
  const again = `make recall SEED=${seed} COUNT=${Math.max(...shown.map(({ number }) => number))}`
  return [
    `${missed.length} must-keep traces were missed or kept in part. To send them again: ${again}. The first are:`,
    ...shown.map(({ id, kind, profile, number }) => `  ${id} ${kind}, ${profile}, number ${number}`),
  ].join('\n')
}

/** Rounded down, because a bound must not promise too much. */
const floor = (value: number, digits: number) =>
  (Math.floor(value * 10 ** digits + 1e-9) / 10 ** digits).toFixed(digits)
