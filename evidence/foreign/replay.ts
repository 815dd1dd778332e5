import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Attribute,
  attributeOf,
  eachSpan,
  fromAttributes,
  type Plain,
  type Span,
  type TraceRequest,
} from '../../otlp/json.ts'
import { postOtlp } from '../../otlp/post.ts'
import { type Launcher, startCollector, withScratch } from '../../workbench/collector.ts'
import { UserError } from '../../workbench/user-error.ts'

/** A span as the shipped configuration hands it to the sampler: its dialect is translated. */
export type Seen = Readonly<{ span: Span; attributes: Readonly<Record<string, Plain>>; service: string }>

/** What the shipped configuration made of some traffic. */
export type Outcome = Readonly<{
  /** By trace and span id. */
  seen: ReadonlyMap<string, Seen>
  /** What was kept, in the requests that a backend gets. */
  exported: readonly TraceRequest[]
  /** The policy that kept a trace, by its id. */
  kept: ReadonlyMap<string, string>
  /** Every span that was kept, by trace and span id. */
  stored: ReadonlySet<string>
  /** What was counted before sampling, at the end. */
  counted: readonly Counted[]
  /** All that was written, to search for what must not be in it. */
  text: string
}>

/** One series: a sum, or the count and sum of a histogram. */
export type Counted = Readonly<{ name: string; labels: Readonly<Record<string, Plain>>; value: number; count: number }>

type Point = Readonly<{
  attributes?: readonly Attribute[]
  asInt?: string
  asDouble?: number
  count?: string
  sum?: number
}>
type Metric = Readonly<{
  name: string
  sum?: { dataPoints?: readonly Point[] }
  histogram?: { dataPoints?: readonly Point[] }
}>
type MetricRequest = Readonly<{
  resourceMetrics?: readonly {
    resource?: { attributes?: readonly Attribute[] }
    scopeMetrics?: readonly { metrics?: readonly Metric[] }[]
  }[]
}>

const OVERLAY = join(import.meta.dirname, 'overlay.yaml')

/** How requests are sent, and the waits of the sampler meanwhile. */
export type Sending = Readonly<{
  play: (send: (request: TraceRequest) => Promise<void>) => Promise<void>
  waits: Readonly<Record<string, string>>
  /** From the last request until every trace with a root is judged. */
  settleMs: number
}>

/** One request after the other, by so many senders. Each trace is in one request, so the waits can be short. */
export const inTurn = (requests: readonly TraceRequest[], senders = 4): Sending => ({
  play: async (send) => {
    const waiting = requests.values()
    const sender = async () => {
      for (const request of waiting) await send(request)
    }
    await Promise.all(Array.from({ length: senders }, sender))
  },
  // Without a root long enough that a busy machine does not split a trace.
  waits: { DECISION_WAIT: '5s', DECISION_WAIT_AFTER_ROOT: '1s' },
  settleMs: 3000,
})

export const idOf = ({ traceId, spanId }: Span): string => `${traceId} ${spanId}`

/** Sends requests through the shipped configuration, and says what came of them. */
export const outcomeOf = (launcher: Launcher, sending: Sending, policyFile: string): Promise<Outcome> =>
  withScratch(async (folder) => {
    const file = (name: string) => join(folder, `${name}.jsonl`)
    const collector = await startCollector(launcher, {
      folder,
      overlays: [OVERLAY],
      env: {
        POLICY_FILE: policyFile,
        ...sending.waits,
        SEEN_FILE: file('seen'),
        KEPT_FILE: file('kept'),
        COUNTED_FILE: file('counted'),
      },
    })
    try {
      await sending.play((request) => send(`${collector.otlp}/v1/traces`, request))
      await sleep(sending.settleMs, undefined, { signal: launcher.cancel })
      collector.alive()
    } finally {
      await collector.stop()
    }
    const text = Object.fromEntries(['seen', 'kept', 'counted'].map((name) => [name, readFileSync(file(name), 'utf8')]))
    const exported = linesOf<TraceRequest>(text.kept ?? '')
    return {
      seen: seenIn(text.seen ?? ''),
      exported,
      kept: keptIn(exported),
      stored: new Set(seenIn(text.kept ?? '').keys()),
      counted: countedIn(text.counted ?? ''),
      text: Object.values(text).join('\n'),
    }
  })

async function send(address: string, request: TraceRequest): Promise<void> {
  const response = await postOtlp(address, request)
  const answer = await response.text()
  if (!response.ok) throw new UserError(`the collector refuses a request: HTTP ${response.status} ${answer}`)
}

const linesOf = <T>(text: string): readonly T[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T)

const seenIn = (text: string): Outcome['seen'] =>
  new Map(
    linesOf<TraceRequest>(text)
      .flatMap((request) => [...eachSpan(request)])
      .map(({ span, resource }) => [
        idOf(span),
        {
          span,
          attributes: fromAttributes(span.attributes),
          service: attributeOf(resource?.attributes, 'service.name')?.stringValue ?? '',
        },
      ]),
  )

const keptIn = (exported: Outcome['exported']): Outcome['kept'] =>
  new Map(
    exported
      .flatMap((request) => [...eachSpan(request)])
      .map(({ span, scope }) => [
        span.traceId,
        attributeOf(scope?.attributes, 'tailsampling.policy')?.stringValue ?? 'unknown',
      ]),
  )

/** The last point of each series: they are totals. */
function countedIn(text: string): readonly Counted[] {
  const series = new Map<string, Counted>()
  for (const { resourceMetrics = [] } of linesOf<MetricRequest>(text))
    for (const { resource, scopeMetrics = [] } of resourceMetrics)
      for (const { metrics = [] } of scopeMetrics)
        for (const { name, sum, histogram } of metrics)
          for (const point of (sum ?? histogram)?.dataPoints ?? []) {
            const labels = { ...fromAttributes(resource?.attributes), ...fromAttributes(point.attributes) }
            const value = Number(point.asInt ?? point.asDouble ?? point.sum ?? 0)
            series.set(JSON.stringify([name, labels]), { name, labels, value, count: Number(point.count ?? 0) })
          }
  return [...series.values()]
}
