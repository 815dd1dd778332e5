import { readFileSync } from 'node:fs'
import type { Bench } from '../workbench/collector.ts'
import { drawIn, type Format } from '../workbench/draw.ts'
import { replay } from '../workbench/replay.ts'
import { lowerBound } from '../workbench/table.ts'
import { type Kind, type Labelled, MUST_KEEP, makeTraffic, PROFILES } from './traffic.ts'

/** How many traces of one kind were sent in one profile, how many came out, and how many of those in part. */
type Tally = { sent: number; kept: number; torn: number }
export type Recall = Readonly<{
  seed: number
  byKind: ReadonlyMap<Kind, Tally>
  byProfile: ReadonlyMap<string, Tally>
  /** Must-keep traces that were dropped or torn; the first of them. */
  missed: readonly Labelled[]
}>

/** Traces a second. The sampler then has some six thousand of them waiting, of the fifty thousand it has room for. */
const PER_SECOND = 2000
const SPEED = 10
const SHOWN = 5

/** Sends must-keep traces of every kind in every profile through a list, with routine ones between, and counts what comes out. */
export async function recallOf(
  bench: Bench,
  { policyFile, seed, count }: Readonly<{ policyFile: string; seed: number; count: number }>,
): Promise<Recall> {
  const sent: Labelled[] = []
  const wish = { seed, mustKeep: count, perSecond: PER_SECOND, speed: SPEED }
  const requests = () => makeTraffic(wish, (trace) => void sent.push(trace))
  const kept = await replay(bench, { requests, speed: SPEED, slowCall: slowCallIn(policyFile) }, policyFile)
  const byKind = new Map<Kind, Tally>(
    [...MUST_KEEP, 'routine' as const].map((kind) => [kind, { sent: 0, kept: 0, torn: 0 }]),
  )
  const byProfile = new Map<string, Tally>(PROFILES.map(({ name }) => [name, { sent: 0, kept: 0, torn: 0 }]))
  const missed: Labelled[] = []
  for (const trace of sent) {
    const spans = kept.get(trace.id)?.spans
    const isTorn = spans !== undefined && spans !== trace.spans
    const tallies = [byKind.get(trace.kind), ...(trace.kind === 'routine' ? [] : [byProfile.get(trace.profile)])]
    for (const tally of tallies) {
      if (!tally) continue
      tally.sent++
      if (spans !== undefined) tally.kept++
      if (isTorn) tally.torn++
    }
    if (trace.kind !== 'routine' && (spans === undefined || isTorn)) missed.push(trace)
  }
  return { seed, byKind, byProfile, missed }
}

/** The default that the list itself names: the environment must not move what is measured. */
const slowCallIn = (policyFile: string) =>
  /\$\{env:SLOW_CALL:-(\w+)\}/.exec(readFileSync(policyFile, 'utf8'))?.[1] ?? '2s'

const BOUND_DIGITS = 4

export function recallReport({ seed, byKind, byProfile, missed }: Recall, format: Format): string {
  if (format === 'json')
    return JSON.stringify(
      { seed, byKind: Object.fromEntries(byKind), byProfile: Object.fromEntries(byProfile), missed },
      null,
      2,
    )
  const draw = drawIn(format)
  const row = (name: string, { sent, kept, torn }: Tally) => [
    name,
    ...[sent, kept, sent - kept, torn].map(String),
    `${floor((100 * kept) / sent, 2)} %`,
    `${floor(100 * lowerBound(kept, sent), BOUND_DIGITS)} %`,
  ]
  const head = ['sent', 'kept', 'missed', 'in part', 'recall', '≥ (95 %)']
  const must = MUST_KEEP.map((kind) => byKind.get(kind)).reduce<Tally>(
    (sum, tally) => ({
      sent: sum.sent + (tally?.sent ?? 0),
      kept: sum.kept + (tally?.kept ?? 0),
      torn: sum.torn + (tally?.torn ?? 0),
    }),
    { sent: 0, kept: 0, torn: 0 },
  )
  return [
    draw([
      ['class', ...head],
      ...MUST_KEEP.map((kind) => row(kind, byKind.get(kind) ?? must)),
      row('all that must be kept', must),
      row('routine', byKind.get('routine') ?? must),
    ]),
    draw([['how its spans arrive', ...head], ...[...byProfile].map(([name, tally]) => row(name, tally))]),
    ...(missed.length > 0
      ? [
          `${missed.length} must-keep traces were missed or came in part. The first of them, of seed ${seed}:`,
          missed
            .slice(0, SHOWN)
            .map(({ id, kind, profile }) => `  ${id} ${kind}, ${profile}`)
            .join('\n'),
        ]
      : []),
  ].join('\n\n')
}

/** Rounded down: a bound must not promise more than it holds. */
const floor = (value: number, digits: number) =>
  (Math.floor(value * 10 ** digits + 1e-9) / 10 ** digits).toFixed(digits)
