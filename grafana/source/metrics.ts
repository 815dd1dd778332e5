/** Series as Prometheus stores them. Panels and rules take every name from here. */
export const series = {
  tokens: 'gen_ai_client_token_usage_sum',
  duration: 'gen_ai_client_operation_duration_seconds',
  firstChunk: 'gen_ai_client_operation_time_to_first_chunk_seconds',
  decisions: 'woodland_decisions_total',
  /** Counted from kept traces only, so its exemplars open traces that exist. Its numbers are estimates: draw no line from it. */
  kept: 'traces_kept_duration_seconds',
  price: 'gen_ai_price_usd_per_token',
  cost: 'agent_model:gen_ai_cost_usd_per_second:rate1m',
} as const

// As often as Prometheus scrapes: the spend panels add up one point per evaluation.
export const COST_EVERY_SECONDS = 5
