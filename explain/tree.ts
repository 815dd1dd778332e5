import type { PlainSpan } from '../otlp/plain.ts'
import { OTHER } from '../vocabulary/attributes.ts'

/** A span in its trace. Times are milliseconds since the trace began, and never outside of the parent. */
export type Node = Readonly<{
  span: PlainSpan
  parent: Node | undefined
  children: readonly Node[]
  start: number
  end: number
}>

/** What is wrong with a trace, how often, and what was done about it. */
export type Defect = Readonly<{ kind: DefectKind; count: number; says: string }>
export type DefectKind =
  | 'no root'
  | 'two roots'
  | 'missing parent'
  | 'cycle'
  | 'same id'
  | 'clocks'
  | 'ends late'
  | 'no time'
  | 'no length'

export type Tree = Readonly<{
  /** Every span, each parent before its children. */
  nodes: readonly Node[]
  /** Roots, and spans whose parent is not there. */
  tops: readonly Node[]
  /** Nanoseconds since 1970. */
  began: bigint
  ms: number
  defects: readonly Defect[]
}>

/**
 * Two processes of one machine may differ by as much: an SDK rounds the start of a span to milliseconds. Above it, a span that
 * lies outside of its parent is reported.
 */
const CLOCK_TOLERANCE_MS = 2

type Growing = { span: PlainSpan; parent: Growing | undefined; children: Growing[]; start: number; end: number }

/** The tree of one trace, whatever is wrong with it. No recursion: a trace may be 5,000 spans deep. */
export function treeOf(spans: readonly PlainSpan[]): Tree {
  const { kept, copies, clashes } = once(spans)
  const { grown, tops, roots, orphans, parents, cycles } = joined(kept)
  const timed = kept.filter(isTimed)
  const began = timed.reduce((least, { start }) => (start < least ? start : least), timed[0]?.start ?? 0n)
  const nodes = inOrder(tops)
  const time = setTimes(nodes, began)
  for (const { children } of grown) children.sort((one, other) => one.start - other.start)
  tops.sort((one, other) => one.start - other.start)
  const ms = Math.max(0, ...tops.map(({ end }) => end))
  const defects: readonly (readonly [DefectKind, number, string])[] = [
    ['no root', kept.length > 0 && roots === 0 ? 1 : 0, 'no root: the span that all others stand under is not there'],
    ['two roots', roots > 1 ? roots : 0, `${roots} roots: shown side by side`],
    [
      'missing parent',
      orphans,
      `${spansAre(orphans)} under ${parents === 1 ? 'a parent that is' : `${parents} parents that are`} not in the trace: shown as if ${orphans === 1 ? 'it were a root' : 'they were roots'}`,
    ],
    [
      'cycle',
      cycles,
      `${cycles === 1 ? 'a ring' : `${cycles} rings`} of spans that are parents of each other: cut at the earliest`,
    ],
    ['same id', copies + clashes, sameId(copies, clashes)],
    [
      'clocks',
      time.shifted + time.early,
      `${spansAre(time.shifted + time.early)} outside of the parent by up to ${Math.ceil(time.apart)} ms, so clocks differ: moved or cut to fit`,
    ],
    ['ends late', time.late, `${spansAre(time.late)} longer than the parent: only the time inside of it counts`],
    ['no time', time.untimed, `${spansAre(time.untimed)} without a start and an end after it: counted with no time`],
    ['no length', kept.length > 0 && ms === 0 ? 1 : 0, 'it has no length, so nothing can be said about time'],
  ]
  return {
    nodes: inOrder(tops),
    tops,
    began,
    ms,
    defects: defects.flatMap(([kind, count, says]) => (count > 0 ? [{ kind, count, says }] : [])),
  }
}

const spansAre = (count: number) => (count === 1 ? '1 span is' : `${count} spans are`)

function sameId(copies: number, clashes: number): string {
  const parts = [
    ...(copies > 0 ? [`${spansAre(copies)} there twice: each counts once`] : []),
    ...(clashes > 0
      ? [`${clashes === 1 ? '1 span has' : `${clashes} spans have`} the id of another: each is shown`]
      : []),
  ]
  return parts.join('; ')
}

/** Each span once. A span that was sent twice is left out; another span with the same id stays. */
function once(spans: readonly PlainSpan[]) {
  const seen = new Map<string, Set<string>>()
  let [copies, clashes] = [0, 0]
  const kept = spans.filter((span) => {
    const same = `${span.parentSpanId} ${span.kind} ${span.name} ${span.start} ${span.end}`
    const known = seen.get(span.spanId)
    if (known === undefined) {
      seen.set(span.spanId, new Set([same]))
      return true
    }
    if (known.has(same)) {
      copies++
      return false
    }
    known.add(same)
    clashes++
    return true
  })
  return { kept, copies, clashes }
}

function joined(spans: readonly PlainSpan[]) {
  const grown = spans.map((span): Growing => ({ span, parent: undefined, children: [], start: 0, end: 0 }))
  const byId = new Map<string, Growing>()
  for (const node of grown) if (!byId.has(node.span.spanId)) byId.set(node.span.spanId, node)
  const tops: Growing[] = []
  const missing = new Set<string>()
  let [roots, orphans] = [0, 0]
  for (const node of grown) {
    const { parentSpanId } = node.span
    const parent = byId.get(parentSpanId)
    if (parent) {
      node.parent = parent
      parent.children.push(node)
      continue
    }
    tops.push(node)
    if (parentSpanId === '') roots++
    else {
      orphans++
      missing.add(parentSpanId)
    }
  }
  return { grown, tops, roots, orphans, parents: missing.size, cycles: cutCycles(grown, tops) }
}

/** Spans that no top leads to are on a ring of parents, or below one. Makes the earliest span of each ring a top. */
function cutCycles(grown: readonly Growing[], tops: Growing[]): number {
  const reached = new Set(inOrder(tops))
  let cycles = 0
  for (const node of grown) {
    if (reached.has(node)) continue
    const way = new Set<Growing>()
    let at = node
    while (!way.has(at)) {
      way.add(at)
      at = at.parent ?? at
    }
    let [earliest, next] = [at, at.parent ?? at]
    for (; next !== at; next = next.parent ?? at) if (next.span.start < earliest.span.start) earliest = next
    const { parent } = earliest
    parent?.children.splice(parent.children.indexOf(earliest), 1)
    earliest.parent = undefined
    tops.push(earliest)
    cycles++
    for (const below of inOrder([earliest])) reached.add(below)
  }
  return cycles
}

function inOrder<T extends { readonly children: readonly T[] }>(tops: readonly T[]): T[] {
  const order: T[] = []
  const waiting = [...tops].reverse()
  for (let node = waiting.pop(); node; node = waiting.pop()) {
    order.push(node)
    for (const child of node.children.toReversed()) waiting.push(child)
  }
  return order
}

const isTimed = ({ start, end }: PlainSpan) => start > 0n && end >= start

/**
 * Sets the times of every node, parents first. A span of another process that is outside of its parent is moved with all below
 * it, if it fits; what is still outside is cut.
 */
function setTimes(nodes: readonly Growing[], began: bigint) {
  const processes = new Map<unknown, string>()
  const processOf = ({ span: { resource } }: Growing) => {
    const known =
      processes.get(resource) ?? [OTHER.SERVICE_NAME, OTHER.SERVICE_INSTANCE].map((key) => resource[key]).join(' ')
    processes.set(resource, known)
    return known
  }
  const shifts = new Map<Growing, number>()
  let [shifted, early, late, untimed, apart] = [0, 0, 0, 0, 0]
  for (const node of nodes) {
    const { parent, span } = node
    if (!isTimed(span)) {
      untimed++
      node.start = node.end = parent?.start ?? 0
      continue
    }
    let shift = (parent && shifts.get(parent)) ?? 0
    let [start, end] = [span.start, span.end].map((nanos) => Number(nanos - began) / 1e6 + shift) as [number, number]
    if (parent) {
      const [before, after] = [parent.start - start, end - parent.end]
      const outside = Math.max(before, after)
      const fits = end - start <= parent.end - parent.start
      if (outside > CLOCK_TOLERANCE_MS && fits && processOf(node) !== processOf(parent)) {
        const move = before > 0 ? before : -after
        shift += move
        start += move
        end += move
        shifted++
        apart = Math.max(apart, outside)
      } else if (before > CLOCK_TOLERANCE_MS) {
        early++
        apart = Math.max(apart, before)
      } else if (after > CLOCK_TOLERANCE_MS) late++
      start = Math.min(Math.max(start, parent.start), parent.end)
      end = Math.min(Math.max(end, start), parent.end)
    }
    if (shift !== 0) shifts.set(node, shift)
    node.start = start
    node.end = end
  }
  return { shifted, early, late, untimed, apart }
}
