import { COLLECTOR } from '../../vocabulary/attributes.ts'

/** Series as Prometheus stores them. Panels and rules take every name from here. */
export const series = {
  /** Counted by the Collector from the spans of model calls, whatever SDK sent them. */
  countedTokens: 'gen_ai_usage_tokens_total',
  firstChunk: 'gen_ai_usage_first_chunk_seconds',
  duration: 'traces_span_metrics_duration_seconds',
  /** What SDKs count themselves. Only the simulator has all of it. */
  sentTokens: 'gen_ai_client_token_usage_sum',
  sentDuration: 'gen_ai_client_operation_duration_seconds',
  decisions: 'woodland_decisions_total',
  retries: 'woodland_llm_retries_total',
  score: 'gen_ai_evaluation_score',
  /** Counted by the Collector before sampling: evaluations of any SDK, and of those who judge later. */
  evaluations: 'gen_ai_evaluation_results_total',
  /** From agent to agent, estimated from kept traces. */
  agentCalls: 'gen_ai_agent_calls_estimated_total',
  /** Of calls that name no agent, by the agent above them, estimated from kept traces. */
  agentTokens: 'gen_ai_agent_tokens_estimated_total',
  activeTurns: 'gen_ai_agent_active_turns',
  oldestTurn: 'gen_ai_agent_oldest_turn_seconds',
  pebbles: 'woodland_pebbles',
  mood: 'woodland_mood',
  /** Counted from kept traces only, so its exemplars open traces that exist. Its numbers are estimates: draw no line from it. */
  kept: 'traces_kept_duration_seconds',
  price: 'gen_ai_price_usd_per_token',
  /** How many prices the catalogue has, once they are all there. */
  catalogueLoaded: 'gen_ai_catalogue_prices:count',
  /** What the server costs, for models that are not priced by the token. */
  pricePerHour: 'gen_ai_price_usd_per_hour',
  /** The price key that a provider and a model had last. */
  priceKey: 'provider_model:gen_ai_price_key:last',
  /** Services whose tokens are counted from spans. */
  traced: 'service:gen_ai_usage_tokens:traced',
  /** The tokens that the last evaluation saw: of every service once, from its spans if it sends any, else from its own metrics. */
  seen: 'gen_ai_usage_tokens:seen',
  /** Since the evaluation before. To know the tokens of a range, add up. */
  used: 'gen_ai_usage_tokens:increase',
  /** The part of them that has no price. */
  unpriced: 'agent_model:gen_ai_unpriced_tokens:increase',
  /** USD since the evaluation before, by both kinds of price: no model has two at once. To know what a range cost, add up. */
  charged: 'agent_model:gen_ai_cost_usd:increase',
  cost: 'agent_model:gen_ai_cost_usd_per_second:rate1m',
  /** Since the evaluation before. */
  sinceLast: 'cost:since_last_evaluation:seconds',
  tokensOfHour: 'agent_model:gen_ai_usage_tokens:increase1h',
  budget: 'gen_ai_budget_usd_per_day',
  spent: {
    fiveMinutes: 'agent:gen_ai_spent_usd:sum5m',
    hour: 'agent:gen_ai_spent_usd:sum1h',
    day: 'agent:gen_ai_spent_usd:sum1d',
  },
  /** One for each alert: its summary, and the board and the panel that show what it is about. */
  aboutAlert: 'alert:about:info',
  /** Written by hand in rules/recording.rules.yaml. */
  callsPerTurn: 'agent:gen_ai_calls_per_turn:ratio_rate5m',
  turnP95: 'agent:gen_ai_turn_seconds:p95_5m',
  callP95: 'agent:gen_ai_call_seconds:p95_5m',
  refusedShare: 'agent:woodland_refused:ratio_rate10m',
  selfBuyShare: 'agent:woodland_self_buys:ratio_rate10m',
  failedCallShare: 'agent:gen_ai_failed_calls:ratio_rate10m',
} as const

/** What gateways hand to samplers is counted in both tiers: these are a counter of what arrives from agents, and of what is sent to backends. */
export const fromAgents = (counter: string) => `${counter}{${COLLECTOR.NAME}!~"sampler-.+"}`
export const toBackends = (counter: string) => `${counter}{${COLLECTOR.NAME}!~"gateway-.+"}`

/** What the collector says of itself. These have no _total: see service.telemetry in collector/config.yaml. */
export const collector = {
  acceptedSpans: 'otelcol_receiver_accepted_spans',
  refusedSpans: 'otelcol_receiver_refused_spans',
  failedSpans: 'otelcol_receiver_failed_spans',
  sentSpans: 'otelcol_exporter_sent_spans',
  sendFailedSpans: 'otelcol_exporter_send_failed_spans',
  enqueueFailedSpans: 'otelcol_exporter_enqueue_failed_spans',
  queueSize: 'otelcol_exporter_queue_size',
  queueCapacity: 'otelcol_exporter_queue_capacity',
  acceptedPoints: 'otelcol_receiver_accepted_metric_points',
  refusedRecords: 'otelcol_receiver_refused_log_records',
  sentRecords: 'otelcol_exporter_sent_log_records',
  sentPoints: 'otelcol_exporter_sent_metric_points',
  memory: 'otelcol_process_memory_rss',
  cpu: 'otelcol_process_cpu_seconds',
  judged: 'otelcol_processor_tail_sampling_global_count_traces_sampled',
  votes: 'otelcol_processor_tail_sampling_count_traces_sampled',
  evicted: 'otelcol_processor_tail_sampling_sampling_trace_dropped_too_early',
  waiting: 'otelcol_processor_tail_sampling_sampling_traces_on_memory',
  late: 'otelcol_processor_tail_sampling_early_releases_from_cache_decision',
  resets: 'otelcol_cumulativetodelta_datapoints_dropped',
  evaluationErrors: 'otelcol_processor_tail_sampling_sampling_policy_evaluation_error',
  policyTime: 'otelcol_processor_tail_sampling_sampling_policy_execution_time_sum',
  policyRuns: 'otelcol_processor_tail_sampling_sampling_policy_execution_count',
} as const

/** Counted from spans: before sampling, and from kept ones, each weighted with what the sampler wrote on it. */
export const spans = {
  every: 'traces_span_metrics_calls_total',
  keptWeighted: 'traces_kept_calls_total',
  everySeconds: 'traces_span_metrics_duration_seconds_sum',
  keptSecondsWeighted: 'traces_kept_duration_seconds_sum',
} as const

/** Counted by Tempo, from kept traces only. */
export const serviceGraph = {
  requests: 'traces_service_graph_request_total',
} as const

/** Counted from log records, by event, service and agent. */
export const logRecords = 'otel_log_records_total'

/** What Tempo says of itself. */
export const tempo = {
  spans: 'tempo_distributor_spans_received_total',
  bytes: 'tempo_distributor_bytes_received_total',
  discarded: 'tempo_discarded_spans_total',
  truncated: 'tempo_distributor_attributes_truncated_total',
  liveTraces: 'tempo_ingester_live_traces',
  failedFlushes: 'tempo_ingester_failed_flushes_total',
} as const

/** What the SDK of the simulator says of itself. */
export const sdk = {
  started: 'otel_sdk_span_started_total',
  processed: 'otel_sdk_processor_span_processed_total',
  queueSize: 'otel_sdk_processor_span_queue_size',
  queueCapacity: 'otel_sdk_processor_span_queue_capacity',
} as const

/** What the model server says of itself, in vLLM's words. */
export const model = {
  running: 'vllm:num_requests_running',
  waiting: 'vllm:num_requests_waiting',
  promptTokens: 'vllm:prompt_tokens_total',
  generationTokens: 'vllm:generation_tokens_total',
  finished: 'vllm:request_success_total',
  firstToken: 'vllm:time_to_first_token_seconds',
  queued: 'vllm:request_queue_time_seconds',
  whole: 'vllm:e2e_request_latency_seconds',
  answers: 'http_requests_total',
} as const
