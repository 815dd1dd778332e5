/** What Prometheus and Tempo answer, as plain series and rows. Free of Grafana's packages, so that it is tested without them. */

import {
  type Attribute,
  attributeOf,
  endOf,
  fromValue,
  type Span,
  spansOf,
  startOf,
  type TraceRequest,
} from '../otlp/json.ts'

type Labels = Record<string, string>
export type Cell = string | number | boolean | undefined
export type Row = Record<string, Cell>
/** A series without a name is called by its labels. */
export type Series = { name: string; labels: Labels; times: number[]; values: number[] }

type Sample = [seconds: number, value: string]
export type Result = { metric: Labels; value?: Sample; values?: Sample[] }[]

export const prometheusSeries = (result: Result, legend = ''): Series[] =>
  result.map(({ metric, value, values = value ? [value] : [] }) => ({
    name: legend.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label) => metric[label] ?? ''),
    labels: metric,
    times: values.map(([seconds]) => seconds * 1000),
    values: values.map(([, text]) => numberOf(text)),
  }))

export const prometheusRows = (result: Result, name: string): Row[] =>
  result.map(({ metric, value: [seconds, text] = [0, 'NaN'] }) => ({
    Time: seconds * 1000,
    ...metric,
    [name]: numberOf(text),
  }))

const numberOf = (text: string) => Number(text.replace('Inf', 'Infinity'))

/** A list or a map has no cell. */
function cell({ value }: Attribute): Cell {
  const plain = fromValue(value)
  return typeof plain === 'object' ? undefined : plain
}

type TempoSeries = { labels?: Attribute[]; value?: number; samples?: { timestampMs: string; value?: number }[] }

/** TraceQL metrics, over time or, without samples, of this moment. */
export const tempoSeries = (series: TempoSeries[], nowMs: number): Series[] =>
  series.map(({ labels = [], value, samples = [{ timestampMs: String(nowMs), ...(value && { value }) }] }) => ({
    name: labels.length === 1 ? labels.map(cell).join() : '',
    // Grafana leaves strings in quotes here, and the transformations of our boards expect them.
    labels: Object.fromEntries(labels.map((label) => [label.key, JSON.stringify(cell(label)) ?? ''])),
    times: samples.map(({ timestampMs }) => Number(timestampMs)),
    // Protobuf's JSON leaves out what is zero.
    values: samples.map((sample) => sample.value ?? 0),
  }))

type Found = {
  spanID: string
  name?: string
  startTimeUnixNano: string
  durationNanos: string
  attributes?: Attribute[]
}
type Match = { traceID: string; rootServiceName?: string; rootTraceName?: string; spanSets?: { spans?: Found[] }[] }

/** The spans a search found, with the columns that Grafana gives them. */
export const spanRows = (traces: Match[]): Row[] =>
  traces.flatMap(({ traceID, rootServiceName, rootTraceName, spanSets = [] }) =>
    spanSets.flatMap(({ spans = [] }) =>
      spans.map((span) => ({
        traceIdHidden: traceID,
        'Trace Service': rootServiceName,
        'Trace Name': rootTraceName,
        'Span ID': span.spanID,
        'Start time': Number(BigInt(span.startTimeUnixNano) / 1_000_000n),
        Name: span.name,
        ...Object.fromEntries((span.attributes ?? []).map((attribute) => [attribute.key, cell(attribute)])),
        Duration: Number(span.durationNanos),
      })),
    ),
  )

/**
 * A trace as the time each agent took, depth first. Agents think at once, so what is below a span can last longer
 * than the span: a bar is as wide as what it did itself and all that is below it. A colour is chosen by what stands
 * before the first dot of a label, or before a slash, so a label begins with the agent and has no slash.
 */
export function flameRows(trace: Partial<TraceRequest>): Row[] {
  const spans = spansOf(trace)
  const known = new Set(spans.map(({ spanId }) => spanId))
  const below = Map.groupBy(spans, ({ parentSpanId = '' }) => (known.has(parentSpanId) ? parentSpanId : ''))
  const whole = { level: 0, label: 'trace', value: 0, self: 0 }
  const rows = [whole]
  const walk = (span: Span, level: number, above: string): number => {
    const agent = String(fromValue(attributeOf(span.attributes, 'gen_ai.agent.name')) ?? above)
    const lasted = Number(endOf(span) - startOf(span))
    const words = (span.name ?? '').split(' ').filter((word) => word !== agent && !word.includes('/'))
    const row = { level, label: `${agent}. ${words.join(' ')}`, value: 0, self: 0 }
    rows.push(row)
    const children = below.get(span.spanId) ?? []
    const taken = children.reduce((sum, child) => sum + walk(child, level + 1, agent), 0)
    row.self = Math.max(0, lasted - taken)
    row.value = row.self + taken
    return row.value
  }
  for (const root of below.get('') ?? []) whole.value += walk(root, 1, 'no agent')
  return spans.length > 0 ? rows : []
}

/** Fills in `$name`, `${name}` and `${name:format}`. What is unknown stays: `$1` belongs to PromQL. */
export const interpolate = (text: string, lookup: (name: string) => Cell, encode = (value: string) => value): string =>
  text.replace(/\$\{([^}:]+)(?::\w+)?\}|\$(\w+)/g, (whole, braced, bare) => {
    const value = lookup(braced ?? bare)
    return value === undefined ? whole : encode(String(value))
  })

/** Prometheus is scraped this often: `timeInterval` in grafana/provisioning/datasources. */
export const SCRAPE_SECONDS = 5

/** The variables Grafana makes itself. The range stays in words, so that a link keeps moving with the clock. */
export const builtIn = (from: string, seconds: number, step: number): Row => ({
  __from: from,
  __to: 'now',
  __range: `${seconds}s`,
  __range_s: seconds,
  __interval: `${step}s`,
  __rate_interval: `${Math.max(step + SCRAPE_SECONDS, 4 * SCRAPE_SECONDS)}s`,
})

type Pane = { queries?: { query?: string }[]; range?: { from?: string } }

/** The TraceQL that a link to Grafana's Explore carries, and its range. */
export function askedIn(search: string): { query: string; from: string } {
  const panes: Record<string, Pane> = JSON.parse(new URLSearchParams(search).get('panes') ?? '{}')
  const [{ queries, range } = {}] = Object.values(panes)
  return { query: queries?.[0]?.query ?? '', from: range?.from ?? 'now-1h' }
}

/** Whether TraceQL asks for numbers over time rather than for spans. */
export const asksForMetrics = (query: string) => /\|\s*(\w+_over_time|rate|compare)\s*\(/.test(query)

const PANELS = ['stat', 'timeseries', 'table', 'text']
const TABLES = ['filterFieldsByName', 'groupingToMatrix', 'labelsToFields', 'merge', 'organize']
export const TRANSFORMATIONS = [...TABLES, 'calculateField', 'renameByRegex']
const QUERIES = ['prometheus', 'tempo range', 'tempo instant', 'tempo spans']

export type Target = { datasource: { type: string }; metricsQueryType?: string; tableType?: string }
export const kindOf = ({ metricsQueryType, tableType = 'traces' }: Target) => metricsQueryType ?? tableType

/** What of a panel this viewer cannot draw. */
export function unsupported(type: string, targets: Target[], transformations: { id: string }[]): string[] {
  const queries = targets.map((target) => {
    const { type } = target.datasource
    return type === 'tempo' ? `tempo ${kindOf(target)}` : type
  })
  const missing = (known: string[], used: string[]) => used.filter((one) => !known.includes(one))
  const ids = transformations.map(({ id }) => id)
  return [...missing(PANELS, [type]), ...missing(QUERIES, queries), ...missing(TRANSFORMATIONS, ids)]
}
