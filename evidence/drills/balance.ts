import { drawIn, type Format } from '../../workbench/draw.ts'

/** The part of a trace that a client sent at one time, and the answer. */
export type Part = Readonly<{
  spans: readonly string[]
  sentMs: number
  answeredMs: number
  /** The answer, if the collector did not accept it. */
  refused: string | undefined
}>
export type SentTrace = Readonly<{ id: string; parts: readonly Part[] }>

/** What is known of one backend. Spans are named by `spanKey`. */
export type Account = Readonly<{
  backend: string
  /** How many copies of a span it holds. */
  stored: ReadonlyMap<string, number>
  /** How often it acknowledged a span. */
  acknowledged: ReadonlyMap<string, number>
  /** How often it answered a span with an error after which the exporter does not retry. */
  rejected: ReadonlyMap<string, number>
  /** Spans that another backend got, which shows that the collector had decided. */
  elsewhere: ReadonlyMap<string, number>
  /** How many spans the collector gave up before it sent them, by its own counters. */
  givenUp: number
}>

/** What happened during the drill. */
export type Events = Readonly<{
  /** When the collector was killed. */
  killsMs: readonly number[]
  /** How long after its last span a trace may still be undecided. */
  undecidedForMs: number
  /** Whether the list drops a trace, as the collector decided it in a calm run. */
  isDropped: (trace: string) => boolean
}>

export const spanKey = (trace: string, span: string): string => `${trace} ${span}`

/** What happened to a span: the first of these that is true. The last one must never be needed. */
export const SPAN_STATES = ['stored', 'unstored', 'refused', 'dropped', 'givenUp', 'undecided', 'unknown'] as const
export type SpanState = (typeof SPAN_STATES)[number]

/** Where all sent spans are, for one backend. The sum of the states is the number of sent spans. */
export type Balance = Readonly<{
  backend: string
  sent: number
  states: Readonly<Record<SpanState, number>>
  /** Additional copies of spans that were sent to the backend or stored more than once. */
  duplicated: number
  /** Stored spans that the client did not send. */
  unsentSpans: number
  /** Traces that lost spans because they were undecided, and how long before the kill the oldest of these spans was sent. */
  undecidedTraces: number
  oldestUndecidedMs: number
}>

/** Finds for each sent span where it is, or why it is not stored. A span without a reason is unknown. */
export function balance(sent: readonly SentTrace[], events: Events, account: Account): Balance {
  const states: Record<SpanState, number> = Object.fromEntries(SPAN_STATES.map((state) => [state, 0])) as Record<
    SpanState,
    number
  >
  const known = new Set<string>()
  let [all, duplicated, undecidedTraces, oldestUndecidedMs, unexplained] = [0, 0, 0, 0, 0]
  const partial = new Map<number, string>()
  for (const trace of sent) {
    const killMs = killOf(trace, events)
    // At a kill, one trace can be with one backend and not yet with another; this cannot be so for more than one trace.
    const isPartial = trace.parts.some(({ spans }) =>
      spans.some((span) => account.elsewhere.has(spanKey(trace.id, span))),
    )
    if (killMs !== undefined && isPartial && !partial.has(killMs) && !isHere(trace, account))
      partial.set(killMs, trace.id)
    const isExcused = killMs !== undefined && (!isPartial || partial.get(killMs) === trace.id)
    let isUndecided = false
    for (const { spans, refused, sentMs } of trace.parts) {
      for (const span of spans) {
        const key = spanKey(trace.id, span)
        if (known.has(key)) continue
        known.add(key)
        all++
        const copies = account.stored.get(key) ?? 0
        const handed = account.acknowledged.get(key) ?? 0
        duplicated += Math.max(0, Math.max(copies, handed) - 1)
        if (copies > 0) states.stored++
        else if (handed > 0) states.unstored++
        else if (refused !== undefined) states.refused++
        else if (events.isDropped(trace.id)) states.dropped++
        else if (account.rejected.has(key)) states.givenUp++
        else if (isExcused) {
          states.undecided++
          isUndecided = true
          oldestUndecidedMs = Math.max(oldestUndecidedMs, killMs - sentMs)
        } else unexplained++
      }
    }
    if (isUndecided) undecidedTraces++
  }
  // The collector counts how many spans it gave up, but not which. So exactly this number may be missing.
  states.givenUp += Math.min(unexplained, account.givenUp)
  states.unknown = Math.max(0, unexplained - account.givenUp)
  const unsentSpans = [...account.stored.keys()].filter((key) => !known.has(key)).length
  const { backend } = account
  return { backend, sent: all, states, duplicated, unsentSpans, undecidedTraces, oldestUndecidedMs }
}

const isHere = ({ id, parts }: SentTrace, { stored, acknowledged }: Account) =>
  parts.some(({ spans }) => spans.some((span) => stored.has(spanKey(id, span)) || acknowledged.has(spanKey(id, span))))

/** The kill during which a trace was undecided, if there was one: after its first span, and not long after its last. */
function killOf({ parts }: SentTrace, { killsMs, undecidedForMs }: Events): number | undefined {
  const first = Math.min(...parts.map(({ sentMs }) => sentMs))
  const last = Math.max(...parts.map(({ answeredMs }) => answeredMs))
  return killsMs.find((killMs) => killMs >= first && killMs <= last + undecidedForMs)
}

/** No span is lost without a reason, and none is stored that the client did not send. */
export const isBalanced = ({ states, unsentSpans }: Balance): boolean => states.unknown === 0 && unsentSpans === 0

/** The result of one drill: where every span is afterwards, and what else was seen. */
export type Outcome = Readonly<{
  drill: string
  balances: readonly Balance[]
  notes: readonly string[]
  /** What was not as it should be, in one sentence each. */
  broken: readonly string[]
}>

export const holds = ({ balances, broken }: Outcome): boolean => broken.length === 0 && balances.every(isBalanced)

const HEADS: Readonly<Record<SpanState, string>> = {
  stored: 'stored',
  unstored: 'acknowledged, not stored',
  refused: 'refused',
  dropped: 'dropped by policy',
  givenUp: 'given up',
  undecided: 'undecided',
  unknown: 'unknown',
}
/** In the order in which a reader asks: stored, dropped on purpose, lost. */
const COLUMNS: readonly SpanState[] = ['stored', 'dropped', 'refused', 'undecided', 'givenUp', 'unstored']

export function drillReport(outcomes: readonly Outcome[], format: Format): string {
  if (format === 'json') return JSON.stringify(outcomes, null, 2)
  const draw = drawIn(format)
  const rows = outcomes.flatMap(({ drill, balances }) =>
    balances.map(({ backend, sent, states, duplicated, unsentSpans }) => [
      drill,
      backend,
      ...[sent, ...COLUMNS.map((state) => states[state]), duplicated, states.unknown + unsentSpans].map(String),
    ]),
  )
  const table = draw([
    ['drill', 'backend', 'spans sent', ...COLUMNS.map((state) => HEADS[state]), 'duplicated', HEADS.unknown],
    ...rows,
  ])
  const notes = outcomes.flatMap(({ drill, notes, broken }) => [
    ...notes.map((note) => `${drill}: ${note}`),
    ...broken.map((wrong) => `${drill}: WRONG: ${wrong}`),
  ])
  return [table, ...(notes.length > 0 ? [notes.join('\n')] : [])].join('\n\n')
}
