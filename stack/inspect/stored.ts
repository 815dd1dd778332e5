import { setTimeout as sleep } from 'node:timers/promises'
import { CALL_OPERATIONS, COLLECTOR, GEN_AI, OPENINFERENCE, OTHER } from '../../vocabulary/attributes.ts'
import {
  type Found,
  type PhoenixSpan,
  phoenixProjects,
  phoenixSpans,
  type Span,
  tempoSearch,
  tempoTrace,
} from '../queries.ts'
import type { Settings } from '../settings.ts'

/** All spans of one kept trace, of every service in it. */
export type Trace = readonly Span[]

/** What was kept of one service, or why that cannot be told. */
export type Stored = Readonly<{
  /** The newest traces that ended in the last ten minutes. */
  traces: readonly Trace[]
  /** Traces without a root that ended before that: they wait long for it, so they are stored late. */
  rootless: readonly Trace[]
  /** What Phoenix has of some of them; undefined when it is not loaded. */
  phoenix: Shown | undefined
  untold?: string
}>
export type Shown = Readonly<{ project: string; asked: number; spans: readonly PhoenixSpan[]; problem?: string }>

/** The newest traces are read whole, but no more than this, however large they are. */
const MOST = { traces: 20, spans: 5000, inPhoenix: 5 }

type Asked = Readonly<{ since: Date; rootlessSince: Date; loaded: readonly string[] }>

/** Reads the newest kept traces of a service from Tempo, and some of them from Phoenix. */
export async function storedOf(settings: Settings, service: string, asked: Asked): Promise<Stored> {
  const nothing = { traces: [], rootless: [], phoenix: undefined }
  if (!asked.loaded.includes('tempo')) return { ...nothing, untold: 'BACKENDS has no tempo, so no trace can be read' }
  const query = `{ resource.${OTHER.SERVICE_NAME} = ${JSON.stringify(service)} } with (most_recent=true)`
  let found: readonly Found[]
  try {
    found = await tempoSearch(settings, query, { limit: MOST.traces })
  } catch (error) {
    return { ...nothing, untold: `Tempo does not answer: ${(error as Error).message}. To see why: make status` }
  }
  const first: Trace[] = []
  for (const { traceID } of found) {
    if (first.reduce((sum, { length }) => sum + length, 0) > MOST.spans) break
    first.push(await tempoTrace(settings, traceID.padStart(32, '0')))
  }
  const traces = await readAgain(settings, first)
  const endedAfter = (trace: Trace, at: Date) => trace.some(({ end }) => end >= BigInt(at.getTime()) * 1_000_000n)
  const recent = traces.filter((trace) => endedAfter(trace, asked.since))
  return {
    traces: recent,
    rootless: traces.filter(
      (trace) => !recent.includes(trace) && !hasRoot(trace) && endedAfter(trace, asked.rootlessSince),
    ),
    phoenix: asked.loaded.includes('phoenix') ? await shownOf(settings, service, recent) : undefined,
  }
}

/** While Tempo writes a block, an answer may be partial. So a trace without its root is read once more, a moment later. */
async function readAgain(settings: Settings, traces: readonly Trace[]): Promise<readonly Trace[]> {
  if (traces.every(hasRoot)) return traces
  await sleep(1000)
  return Promise.all(
    traces.map(async (trace) => {
      const again = hasRoot(trace) || !trace[0] ? trace : await tempoTrace(settings, trace[0].traceId)
      return again.length > trace.length ? again : trace
    }),
  )
}

export const hasRoot = (trace: Trace): boolean => trace.some(({ parentSpanId }) => parentSpanId === '')

/** Only spans of this service, over all traces. */
export const spansIn = (traces: readonly Trace[], service: string): readonly Span[] =>
  traces.flatMap((trace) => trace.filter((span) => serviceOf(span) === service))

export const isCallSpan = ({ attributes }: Span): boolean =>
  CALL_OPERATIONS.includes(String(attributes[GEN_AI.OPERATION]))

/** Other services with model calls in these traces. */
export const callersIn = (traces: readonly Trace[], service: string): readonly string[] =>
  [...new Set(traces.flatMap((trace) => trace.filter(isCallSpan).map(serviceOf)))].filter((name) => name !== service)

const serviceOf = ({ resource }: Span) => String(resource[OTHER.SERVICE_NAME] ?? '')

export const isLate = ({ scope }: Span): boolean => scope[COLLECTOR.CACHED] === true

/** Phoenix stores a trace in one project, which may be that of another service in it. */
async function shownOf(settings: Settings, service: string, traces: readonly Trace[]): Promise<Shown | undefined> {
  const some = traces.slice(0, MOST.inPhoenix)
  const mine = spansIn(some, service)
  if (mine.length === 0) return undefined
  const projectOf = ({ resource }: Span) => String(resource[OPENINFERENCE.PROJECT] ?? 'default')
  const own = projectOf(mine[0] as Span)
  const known = await phoenixProjects(settings).catch((error: Error) => error)
  if (known instanceof Error) return { project: own, asked: some.length, spans: [], problem: known.message }
  const found = await Promise.all(
    some.flatMap((trace) =>
      [...new Set(trace.map(projectOf))]
        .filter((project) => known.includes(project))
        .map(async (project) => ({ project, spans: await phoenixSpans(settings, project, trace[0]?.traceId) })),
    ),
  )
  const ids = new Set(mine.map(({ spanId }) => spanId))
  const spans = found.map((one) => ({ ...one, spans: one.spans.filter(({ context }) => ids.has(context.span_id)) }))
  const project = spans.find((one) => one.spans.length > 0)?.project ?? own
  return { project, asked: some.length, spans: spans.flatMap((one) => one.spans) }
}
