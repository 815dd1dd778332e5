/** Converts answers of Prometheus and Tempo to plain series and rows. It does not import Grafana's packages, so it can be tested without them. */

import type { Arrow } from '../explain/graph.ts'
import { type Attribute, fromValue } from '../otlp/json.ts'

type Labels = Record<string, string>
export type Cell = string | number | boolean | undefined
export type Row = Record<string, Cell>
/** The name of a series without a legend is its labels. */
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

/** Lists and maps have no cell in a table. */
function cell({ value }: Attribute): Cell {
  const plain = fromValue(value)
  return typeof plain === 'object' ? undefined : plain
}

type TempoSeries = { labels?: Attribute[]; value?: number; samples?: { timestampMs: string; value?: number }[] }

/** The answer of a TraceQL metrics query: over time, or without samples for one moment. */
export const tempoSeries = (series: TempoSeries[], nowMs: number): Series[] =>
  series.map(({ labels = [], value, samples = [{ timestampMs: String(nowMs), ...(value && { value }) }] }) => ({
    name: labels.length === 1 ? labels.map(cell).join() : '',
    // Grafana keeps the quotes of strings here, and the transformations of our boards need them.
    labels: Object.fromEntries(labels.map((label) => [label.key, JSON.stringify(cell(label)) ?? ''])),
    times: samples.map(({ timestampMs }) => Number(timestampMs)),
    // Protobuf's JSON leaves out zeros.
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

/** The spans that a search found, with Grafana's columns. */
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

/** Replaces `$name`, `${name}` and `${name:format}`. Unknown names stay, because `$1` belongs to PromQL. */
export const interpolate = (text: string, lookup: (name: string) => Cell, encode = (value: string) => value): string =>
  text.replace(/\$\{([^}:]+)(?::\w+)?\}|\$(\w+)/g, (whole, braced, bare) => {
    const value = lookup(braced ?? bare)
    return value === undefined ? whole : encode(String(value))
  })

type Shown = Record<string, Cell>
const KIND = /^(agent|model|tool) (.+)$/

/** The edges of a node graph, as the call graph of make explain draws them. An id without a kind is a service. */
export function arrowsOf(edges: Shown[], [first = '', second = '']: readonly (string | undefined)[]): Arrow[] {
  const party = (id: Cell): Arrow['from'] => {
    const [, kind = 'agent', name = String(id)] = KIND.exec(String(id)) ?? []
    return { kind: kind as 'agent', name }
  }
  const number = (value: Cell, unit: string) => (typeof value === 'number' ? `${value.toFixed(2)} ${unit}` : '')
  return edges.map((edge) => {
    const [from, to] = [party(edge.source), party(edge.target)]
    const text = [number(edge.mainstat, first), number(edge.secondarystat, second)].filter(Boolean).join(', ')
    const cost = number(edge.detail__cost, '¢/h')
    const says = [`${from.name} → ${to.name}: ${text}`, cost, number(edge.detail__failed, '% failed')].filter(Boolean)
    return { from, to, text, says: says.join(', '), failed: Number(edge.detail__failed ?? 0) > 0 }
  })
}

/** How often Prometheus scrapes: `timeInterval` in grafana/provisioning/datasources. */
export const SCRAPE_SECONDS = 5

/** The variables that Grafana adds. The range stays relative, such as now-1h, so that a link follows the clock. */
export const builtIn = (from: string, seconds: number, step: number): Row => ({
  __from: from,
  __to: 'now',
  __range: `${seconds}s`,
  __range_s: seconds,
  __interval: `${step}s`,
  __rate_interval: `${Math.max(step + SCRAPE_SECONDS, 4 * SCRAPE_SECONDS)}s`,
})

type Pane = { queries?: { query?: string }[]; range?: { from?: string } }

/** The TraceQL query in a link to Grafana's Explore, and its range. */
export function askedIn(search: string): { query: string; from: string } {
  const panes: Record<string, Pane> = JSON.parse(new URLSearchParams(search).get('panes') ?? '{}')
  const [{ queries, range } = {}] = Object.values(panes)
  return { query: queries?.[0]?.query ?? '', from: range?.from ?? 'now-1h' }
}

/** Whether a TraceQL query returns numbers over time and not spans. */
export const asksForMetrics = (query: string) => /\|\s*(\w+_over_time|rate|compare)\s*\(/.test(query)

const PANELS = ['stat', 'timeseries', 'table', 'text', 'nodeGraph']
const TABLES = [
  'concatenate',
  'filterFieldsByName',
  'groupingToMatrix',
  'labelsToFields',
  'merge',
  'organize',
  'sortBy',
]
export const TRANSFORMATIONS = [...TABLES, 'calculateField', 'renameByRegex']
const QUERIES = ['prometheus', 'tempo range', 'tempo instant', 'tempo spans']

export type Target = { datasource: { type: string }; metricsQueryType?: string; tableType?: string }
export const kindOf = ({ metricsQueryType, tableType = 'traces' }: Target) => metricsQueryType ?? tableType

/** The parts of a panel that this viewer cannot draw. */
export function unsupported(type: string, targets: Target[], transformations: { id: string }[]): string[] {
  const queries = targets.map((target) => {
    const { type } = target.datasource
    return type === 'tempo' ? `tempo ${kindOf(target)}` : type
  })
  const missing = (known: string[], used: string[]) => used.filter((one) => !known.includes(one))
  const ids = transformations.map(({ id }) => id)
  return [...missing(PANELS, [type]), ...missing(QUERIES, queries), ...missing(TRANSFORMATIONS, ids)]
}
