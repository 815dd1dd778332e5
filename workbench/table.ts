import { type Class, ROUTINE, type Study, type Trace } from './classes.ts'
import type { Decisions } from './replay.ts'

export type ClassRow = Readonly<{
  class: string
  mustKeep: boolean
  sent: number
  kept: number
  missed: number
  spans: number
  bytes: number
  /** What the model calls of these traces cost; of an agent's traces, its own calls. */
  usdSent: number
  usdKept: number
  /** Share of the traces that was kept; undefined when there were none. */
  recall: number | undefined
  /** With 95 % confidence the recall on such traffic is at least this. */
  recallAtLeast: number | undefined
}>

export type PolicyRow = Readonly<{
  policy: string
  /** Kept traces on which the sampler recorded this policy. */
  recorded: number
  /** Traces that the policy keeps when it is alone in a list. */
  votes: number
  /** Traces that would be lost without it: no other policy votes for them. */
  keptAlone: number
}>

export type Table = Readonly<{
  classes: readonly ClassRow[]
  agents: readonly ClassRow[]
  total: ClassRow
  policies: readonly PolicyRow[]
  /** Traces that were kept or dropped although the single votes say the opposite. */
  unexplained: number
  unpricedCalls: number
}>

const CONFIDENCE = 0.95

/** Counts what was kept of each class. A trace of two classes counts in both, and once in the total. */
export function tabulate(
  { traces }: Study,
  classes: readonly Class[],
  kept: Decisions,
  votes: ReadonlyMap<string, Decisions>,
): Table {
  const all = [...traces.values()]
  const row = (
    name: string,
    mustKeep: boolean,
    members: readonly Trace[],
    usdOf = (trace: Trace) => trace.usd,
  ): ClassRow => {
    const stored = members.flatMap(({ id }) => kept.get(id) ?? [])
    const keptMembers = members.filter(({ id }) => kept.has(id))
    const known = members.length > 0
    return {
      class: name,
      mustKeep,
      sent: members.length,
      kept: keptMembers.length,
      missed: members.length - keptMembers.length,
      spans: sum(stored.map(({ spans }) => spans)),
      bytes: Math.round(sum(stored.map(({ bytes }) => bytes))),
      usdSent: sum(members.map(usdOf)),
      usdKept: sum(keptMembers.map(usdOf)),
      recall: known ? keptMembers.length / members.length : undefined,
      recallAtLeast: known ? lowerBound(keptMembers.length, members.length) : undefined,
    }
  }
  const named = [...classes.map(({ name }) => ({ name, mustKeep: true })), { name: ROUTINE, mustKeep: false }]
  const agents = [...new Set(all.flatMap((trace) => [...trace.agents.keys()]))].sort()
  const votersOf = (id: string) => [...votes].filter(([, decisions]) => decisions.has(id)).map(([policy]) => policy)
  const voters = new Map(all.map(({ id }) => [id, votersOf(id)]))
  return {
    classes: named.map(({ name, mustKeep }) => {
      const members = all.filter((trace) => trace.classes.includes(name))
      return row(name, mustKeep, members)
    }),
    agents: agents.map((agent) => {
      const members = all.filter((trace) => trace.agents.has(agent))
      return row(agent, false, members, (trace) => trace.agents.get(agent) ?? 0)
    }),
    total: row('all', false, all),
    policies: [...votes].map(([policy, decisions]) => ({
      policy,
      recorded: [...kept.values()].filter((trace) => trace.policy === policy).length,
      votes: decisions.size,
      keptAlone: [...voters].filter(([id, names]) => kept.has(id) && names.length === 1 && names[0] === policy).length,
    })),
    unexplained: votes.size === 0 ? 0 : [...voters].filter(([id, names]) => kept.has(id) !== names.length > 0).length,
    unpricedCalls: sum(all.map(({ unpricedCalls }) => unpricedCalls)),
  }
}

export type Change = Readonly<{ trace: string; classes: readonly string[]; mustKeep: boolean; usd: number }>
export type Diff = Readonly<{
  dropped: readonly Change[]
  kept: readonly Change[]
  classes: readonly Readonly<{
    class: string
    mustKeep: boolean
    before: number
    after: number
    lost: number
    gained: number
  }>[]
  bytes: Readonly<{ before: number; after: number }>
  usd: Readonly<{ before: number; after: number }>
  /** Must-keep traces that A keeps and B loses. Even one is a reason to refuse B. */
  mustKeepLost: number
}>

/** Where B decides differently from A, trace by trace. Must-keep traces come first. */
export function compare({ traces }: Study, classes: readonly Class[], a: Decisions, b: Decisions): Diff {
  const must = new Set(classes.map(({ name }) => name))
  const changes = (from: Decisions, to: Decisions): readonly Change[] =>
    [...traces.values()]
      .filter(({ id }) => from.has(id) && !to.has(id))
      .map(({ id, classes, usd }) => ({ trace: id, classes, mustKeep: classes.some((name) => must.has(name)), usd }))
      .sort((one, other) => Number(other.mustKeep) - Number(one.mustKeep) || one.trace.localeCompare(other.trace))
  const dropped = changes(a, b)
  const kept = changes(b, a)
  const count = (decisions: Decisions, name: string) =>
    [...traces.values()].filter((trace) => trace.classes.includes(name) && decisions.has(trace.id)).length
  const bytes = (decisions: Decisions) => Math.round(sum([...decisions.values()].map(({ bytes }) => bytes)))
  const usd = (decisions: Decisions) => sum([...decisions.keys()].map((id) => traces.get(id)?.usd ?? 0))
  return {
    dropped,
    kept,
    classes: [...classes.map(({ name }) => name), ROUTINE].map((name) => ({
      class: name,
      mustKeep: must.has(name),
      before: count(a, name),
      after: count(b, name),
      lost: dropped.filter(({ classes }) => classes.includes(name)).length,
      gained: kept.filter(({ classes }) => classes.includes(name)).length,
    })),
    bytes: { before: bytes(a), after: bytes(b) },
    usd: { before: usd(a), after: usd(b) },
    mustKeepLost: dropped.filter(({ mustKeep }) => mustKeep).length,
  }
}

export const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)

/**
 * The exact (Clopper-Pearson) one-sided lower bound of a share of which `hits` of `tries` were seen: the share
 * at which that many hits or more would come up in one case of twenty.
 */
export function lowerBound(hits: number, tries: number): number {
  if (hits === 0) return 0
  if (hits === tries) return (1 - CONFIDENCE) ** (1 / tries)
  let [low, high] = [0, hits / tries]
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2
    if (atLeast(hits, tries, middle) < 1 - CONFIDENCE) low = middle
    else high = middle
  }
  return low
}

/** The chance of `hits` or more in `tries`, each with chance `p`. */
function atLeast(hits: number, tries: number, p: number): number {
  let logChoose = 0
  let total = 0
  for (let k = 0; k <= tries; k++) {
    if (k > 0) logChoose += Math.log((tries - k + 1) / k)
    if (k >= hits) total += Math.exp(logChoose + k * Math.log(p) + (tries - k) * Math.log1p(-p))
  }
  return total
}
