import { type Attribute, fromAttributes, hexOf, type TraceRequest } from '../otlp/json.ts'
import { type PlainSpan, plainSpans } from '../otlp/plain.ts'
import { type PortName, type Settings, url } from './settings.ts'

/** One answer of TraceQL search: a trace and how many of its spans matched. */
export type Found = Readonly<{
  traceID: string
  startTimeUnixNano?: string
  spanSets?: readonly { matched: number; spans: readonly unknown[] }[]
}>

/** A span as Tempo returns it. */
export type Span = PlainSpan

/** The answer of a server, byte for byte. Throws when it answers with an error. */
export async function bytesFrom(address: string, init: RequestInit = {}): Promise<Buffer> {
  const ask = () => fetch(address, { signal: AbortSignal.timeout(60_000), ...init })
  // A server may close an idle connection just when it is used again; questions change nothing, so they are asked again.
  const response = await ask().catch(ask)
  const bytes = Buffer.from(await response.arrayBuffer())
  if (!response.ok) throw new Error(`${address} answered HTTP ${response.status}: ${bytes.toString().slice(0, 300)}`)
  return bytes
}

/** A page of metrics of a Collector, as Prometheus reads it: what it says of itself, or another one. */
export const pageOf = async (settings: Settings, port: PortName = 'COLLECTOR_METRICS_PORT'): Promise<string> =>
  (await bytesFrom(url(settings, port, '/metrics'))).toString()

const get = async <T>(address: string): Promise<T> => JSON.parse((await bytesFrom(address)).toString()) as T

/** The last hours, and a minute more: clocks differ. Without a time range, Tempo would not find flushed traces. */
function lastHours(hours: number): Readonly<{ start: string; end: string }> {
  const now = Math.ceil(Date.now() / 1000) + 60
  return { start: String(now - hours * 3600), end: String(now) }
}

/** Sends a TraceQL search over the last hours to Tempo. */
export async function tempoSearch(
  settings: Settings,
  query: string,
  { limit = 1000, hours = 3 } = {},
): Promise<readonly Found[]> {
  const asked = new URLSearchParams({ q: query, limit: String(limit), spss: '100', ...lastHours(hours) })
  return (await get<{ traces?: readonly Found[] }>(url(settings, 'TEMPO_PORT', `/api/search?${asked}`))).traces ?? []
}

/** One series of a TraceQL metrics query, with its points over the last hour. */
type Series = Readonly<{ labels: Readonly<Record<string, string>>; values: readonly number[] }>

/** Sends a TraceQL metrics query to Tempo. */
export async function tempoMetrics(settings: Settings, query: string): Promise<readonly Series[]> {
  const asked = new URLSearchParams({ q: query, step: '30s', ...lastHours(1) })
  type Raw = { labels: readonly Attribute[]; samples?: readonly { value?: number }[] }
  const { series = [] } = await get<{ series?: readonly Raw[] }>(
    url(settings, 'TEMPO_PORT', `/api/metrics/query_range?${asked}`),
  )
  return series.map(({ labels, samples = [] }) => ({
    labels: Object.fromEntries(Object.entries(fromAttributes(labels)).map(([key, value]) => [key, String(value)])),
    values: samples.map(({ value = 0 }) => value),
  }))
}

/** Every span of one trace; an empty list when Tempo does not know the trace (it answers 200 then too). */
export async function tempoTrace(settings: Settings, traceId: string): Promise<readonly Span[]> {
  const { trace = {} } = await get<{ trace?: Partial<TraceRequest> }>(
    url(settings, 'TEMPO_PORT', `/api/v2/traces/${traceId}`),
  )
  return plainSpans(trace, hexOf)
}

export type Sample = Readonly<{ labels: Readonly<Record<string, string>>; value: number }>

/** The answer of an instant PromQL query, now or at a time in seconds since 1970. */
export async function prometheus(settings: Settings, query: string, at?: number): Promise<readonly Sample[]> {
  const parameters = new URLSearchParams({ query, ...(at ? { time: String(at) } : {}) })
  type Answer = { data: { result: readonly { metric: Record<string, string>; value: [number, string] }[] } }
  const { data } = await get<Answer>(url(settings, 'PROMETHEUS_PORT', `/api/v1/query?${parameters}`))
  return data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }))
}

/** The answer of a PromQL query over a range in seconds since 1970: the last value of each series. */
export async function prometheusRange(
  settings: Settings,
  query: string,
  { from, to, step }: Readonly<{ from: number; to: number; step: number }>,
): Promise<readonly Sample[]> {
  const parameters = new URLSearchParams({ query, start: String(from), end: String(to), step: String(step) })
  type Answer = { data: { result: readonly { metric: Record<string, string>; values: [number, string][] }[] } }
  const { data } = await get<Answer>(url(settings, 'PROMETHEUS_PORT', `/api/v1/query_range?${parameters}`))
  return data.result.map(({ metric, values }) => ({ labels: metric, value: Number(values.at(-1)?.[1]) }))
}

/** A PromQL query as Prometheus parses it: its tree of parts. */
export const promqlTree = async (settings: Settings, query: string): Promise<unknown> =>
  (
    await get<{ data: unknown }>(
      url(settings, 'PROMETHEUS_PORT', `/api/v1/parse_query?${new URLSearchParams({ query })}`),
    )
  ).data

export type PhoenixSpan = Readonly<{
  id: string
  name: string
  span_kind: string
  status_code: string
  parent_id?: string | null
  context: { trace_id: string; span_id: string }
  attributes: Readonly<Record<string, unknown>>
}>

/** The names of all projects in Phoenix. */
export const phoenixProjects = async (settings: Settings): Promise<readonly string[]> =>
  (await get<{ data: readonly { name: string }[] }>(url(settings, 'PHOENIX_PORT', '/v1/projects'))).data.map(
    ({ name }) => name,
  )

/** All spans of a project, or of one of its traces, in the pages that Phoenix answers. */
export async function* phoenixPages(settings: Settings, project: string, traceId?: string): AsyncGenerator<Buffer> {
  let cursor: string | null = null
  do {
    const parameters = new URLSearchParams({
      limit: '1000',
      ...(traceId ? { trace_id: traceId } : {}),
      ...(cursor ? { cursor } : {}),
    })
    const path = `/v1/projects/${encodeURIComponent(project)}/spans?${parameters}`
    const page = await bytesFrom(url(settings, 'PHOENIX_PORT', path))
    yield page
    cursor = (JSON.parse(page.toString()) as { next_cursor: string | null }).next_cursor
  } while (cursor)
}

/** All spans of a project, or of one of its traces, as Phoenix stored them. */
export async function phoenixSpans(
  settings: Settings,
  project: string,
  traceId?: string,
): Promise<readonly PhoenixSpan[]> {
  const spans: PhoenixSpan[] = []
  for await (const page of phoenixPages(settings, project, traceId))
    spans.push(...(JSON.parse(page.toString()) as { data: readonly PhoenixSpan[] }).data)
  return spans
}

/** The data of Phoenix's answer to a GraphQL question; undefined when it has none. */
export async function phoenixData<T>(
  settings: Settings,
  query: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<T | undefined> {
  const bytes = await bytesFrom(url(settings, 'PHOENIX_PORT', '/graphql'), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  })
  return (JSON.parse(bytes.toString()) as { data?: T }).data
}

/** The USD that Phoenix computed for one span; null when it has no price for the model. */
export async function phoenixCost(settings: Settings, spanNodeId: string): Promise<number | null> {
  type Costs = { node?: { costSummary?: { total?: { cost: number | null } } } }
  const query = 'query ($id: ID!) { node(id: $id) { ... on Span { costSummary { total { cost } } } } }'
  const data = await phoenixData<Costs>(settings, query, { id: spanNodeId })
  return data?.node?.costSummary?.total?.cost ?? null
}
