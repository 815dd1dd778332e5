import { collector, logRecords, series, spans } from '../../grafana/source/metrics.ts'
import { CALL_OPERATIONS, METRICS } from '../../vocabulary/attributes.ts'
import { prometheus, type Sample } from '../queries.ts'
import type { Settings } from '../settings.ts'

/** Spans that share all their labels, as they were counted before sampling. A missing label is an empty text. */
export type Group = Readonly<{
  operation: string
  agent: string
  provider: string
  model: string
  error: string
  failed: boolean
  limit: string
  count: number
}>

/** What one service sent within the time that was asked about, kept or not. */
export type Counted = Readonly<{
  service: string
  groups: readonly Group[]
  /** By model and type. */
  tokens: readonly Readonly<{ model: string; type: string; count: number }>[]
  firstChunks: number
  /** Agents that stand above calls that name none, in kept traces. */
  agentsAbove: readonly string[]
  unpriced: readonly string[]
  logs: readonly Readonly<{ event: string; count: number }>[]
  /** Of the metrics that its SDK sends itself. */
  metrics: Readonly<{ series: number; processes: number; overflowing: number; cut: number }>
}>

/** What the Collector counts of all services together. */
export type Pipeline = Readonly<{
  /** Requests by protocol and answer. */
  answers: readonly Readonly<{ protocol: 'HTTP' | 'gRPC'; code: string; count: number }>[]
  refused: number
  /** Traces that wait for their root, now. */
  waiting: number
  /** Spans that came after the verdict on their trace: those of kept traces are stored, the others are lost. */
  lateKept: number
  lateLost: number
  /** Totals that went back: two processes that write one series. */
  resets: number
}>

const USAGE = METRICS.USAGE_TOKENS.replaceAll('.', '_')
const FIRST_CHUNK = METRICS.USAGE_FIRST_CHUNK.replaceAll('.', '_')

/** By how much a counter grew. increase() would miss the first value of a new series, and a whole short run with it. */
const grownIn = (window: string) => (selector: string) =>
  `(${selector} - ${selector} offset ${window} >= 0 or ${selector})`

/** Models whose tokens have no price, by service. The only place here that knows how a price is found. */
const unpriced = (tokens: string) => `count by (service_name, gen_ai_request_model) (
  sum by (service_name, gen_ai_request_model, gen_ai_price_key, gen_ai_token_type) (${tokens}) > 0
    unless on (gen_ai_price_key, gen_ai_token_type) ${series.price}
    unless on (gen_ai_request_model) ${series.pricePerHour})`

/** A metric of an SDK has its service as job, after the namespace. */
const serviceOfJob = (job = '') => job.slice(job.lastIndexOf('/') + 1)

/** Every service of which something arrived within a time such as 10m, the busiest first. */
export async function countedIn(settings: Settings, window: string): Promise<readonly Counted[]> {
  const ask = (query: string) => prometheus(settings, query)
  const grown = grownIn(window)
  const by = (labels: string, selector: string) => ask(`sum by (${labels}) (${grown(selector)}) > 0`)
  const labels =
    'service_name, gen_ai_operation_name, gen_ai_agent_name, gen_ai_provider_name, gen_ai_request_model, error_type, status_code, woodland_limit'
  const [groups, tokens, firstChunks, above, withoutPrice, logs, sdk] = await Promise.all([
    by(labels, `${spans.every}{service_name!=""}`),
    by('service_name, gen_ai_request_model, gen_ai_token_type', `${USAGE}_total`),
    by('service_name', `${FIRST_CHUNK}_seconds_count`),
    by('service_name, woodland_caller_agent_name', series.agentTokens),
    ask(unpriced(grown(`${USAGE}_total{gen_ai_token_type=~"input|output"}`))),
    by('service_name, event_name', `${logRecords}{service_name!=""}`),
    ask(
      'count by (job, instance, otel_metric_overflow, gen_ai_agent_name, gen_ai_request_model) ({otel_scope_name!="",le="",__name__!~".+_sum"})',
    ),
  ])
  const names = [
    ...[groups, tokens, logs].flatMap((samples) => samples.map(({ labels }) => labels.service_name ?? '')),
    ...sdk.map(({ labels }) => serviceOfJob(labels.job)),
  ]
  return [...new Set(names)]
    .map((service): Counted => {
      const mine = (samples: readonly Sample[]) => samples.filter(({ labels }) => labels.service_name === service)
      const metrics = sdk.filter(({ labels }) => serviceOfJob(labels.job) === service)
      const seriesWhere = (has: (sample: Sample) => boolean) => sum(metrics.filter(has))
      return {
        service,
        groups: mine(groups).map(({ labels, value }) => ({
          operation: labels.gen_ai_operation_name ?? '',
          agent: labels.gen_ai_agent_name ?? '',
          provider: labels.gen_ai_provider_name ?? '',
          model: labels.gen_ai_request_model ?? '',
          error: labels.error_type ?? '',
          failed: labels.status_code === 'STATUS_CODE_ERROR',
          limit: labels.woodland_limit ?? '',
          count: value,
        })),
        tokens: mine(tokens).map(({ labels, value }) => ({
          model: labels.gen_ai_request_model ?? '',
          type: labels.gen_ai_token_type ?? '',
          count: value,
        })),
        firstChunks: sum(mine(firstChunks)),
        agentsAbove: mine(above).map(({ labels }) => labels.woodland_caller_agent_name ?? ''),
        unpriced: mine(withoutPrice).map(({ labels }) => labels.gen_ai_request_model ?? ''),
        logs: mine(logs).map(({ labels, value }) => ({ event: labels.event_name ?? '', count: value })),
        metrics: {
          series: seriesWhere(() => true),
          processes: new Set(metrics.map(({ labels }) => labels.instance)).size,
          overflowing: seriesWhere(({ labels }) => labels.otel_metric_overflow !== undefined),
          cut: seriesWhere(({ labels }) => Object.values(labels).includes(CUT)),
        },
      }
    })
    .sort((a, b) => countOf(b.groups) - countOf(a.groups) || a.service.localeCompare(b.service))
}

/** What the Collector writes in the place of a longer label. */
export const CUT = 'over 128 characters'

const sum = (samples: readonly Sample[]) => samples.reduce((total, { value }) => total + value, 0)

export const isCall = ({ operation }: Group): boolean => CALL_OPERATIONS.includes(operation)

export const countOf = (groups: readonly Pick<Group, 'count'>[]): number =>
  groups.reduce((total, { count }) => total + count, 0)

export async function pipelineIn(settings: Settings, window: string): Promise<Pipeline> {
  const ask = (query: string) => prometheus(settings, query)
  const grown = grownIn(window)
  const by = (label: string, selector: string) => ask(`sum by (${label}) (${grown(selector)}) > 0`)
  const total = async (selector: string) => sum(await ask(`sum(${grown(selector)})`))
  const [http, grpc, refused, failed, waiting, lateKept, lateLost, resets] = await Promise.all([
    by('http_response_status_code', 'http_server_request_duration_count'),
    by('rpc_response_status_code', 'rpc_server_call_duration_count'),
    total(collector.refusedSpans),
    total(collector.failedSpans),
    ask(`sum(${collector.waiting})`),
    total(`${collector.late}{sampled="true"}`),
    total(`${collector.late}{sampled="false"}`),
    total(`${collector.resets}{reason="reset"}`),
  ])
  return {
    answers: [
      ...http.map(({ labels, value }) => ({
        protocol: 'HTTP' as const,
        code: labels.http_response_status_code ?? '',
        count: value,
      })),
      ...grpc.map(({ labels, value }) => ({
        protocol: 'gRPC' as const,
        code: labels.rpc_response_status_code ?? '',
        count: value,
      })),
    ],
    refused: refused + failed,
    waiting: sum(waiting),
    lateKept,
    lateLost,
    resets,
  }
}
