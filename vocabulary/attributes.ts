/** The vocabulary of this project. Policies, panels and queries key on these names: they are public API. */

export const GEN_AI = {
  OPERATION: 'gen_ai.operation.name',
  PROVIDER: 'gen_ai.provider.name',
  AGENT: 'gen_ai.agent.name',
  WORKFLOW: 'gen_ai.workflow.name',
  CONVERSATION: 'gen_ai.conversation.id',
  REQUEST_MODEL: 'gen_ai.request.model',
  REQUEST_TEMPERATURE: 'gen_ai.request.temperature',
  REQUEST_MAX_TOKENS: 'gen_ai.request.max_tokens',
  REQUEST_SEED: 'gen_ai.request.seed',
  REQUEST_STREAM: 'gen_ai.request.stream',
  OUTPUT_TYPE: 'gen_ai.output.type',
  RESPONSE_ID: 'gen_ai.response.id',
  RESPONSE_MODEL: 'gen_ai.response.model',
  RESPONSE_FINISH_REASONS: 'gen_ai.response.finish_reasons',
  RESPONSE_FIRST_CHUNK: 'gen_ai.response.time_to_first_chunk',
  INPUT_TOKENS: 'gen_ai.usage.input_tokens',
  OUTPUT_TOKENS: 'gen_ai.usage.output_tokens',
  CACHE_READ_TOKENS: 'gen_ai.usage.cache_read.input_tokens',
  CACHE_CREATION_TOKENS: 'gen_ai.usage.cache_creation.input_tokens',
  REASONING_TOKENS: 'gen_ai.usage.reasoning.output_tokens',
  INPUT_MESSAGES: 'gen_ai.input.messages',
  OUTPUT_MESSAGES: 'gen_ai.output.messages',
  PROMPT_NAME: 'gen_ai.prompt.name',
  PROMPT_VERSION: 'gen_ai.prompt.version',
  TOOL_NAME: 'gen_ai.tool.name',
  TOOL_TYPE: 'gen_ai.tool.type',
  TOOL_CALL_ID: 'gen_ai.tool.call.id',
  TOOL_ARGUMENTS: 'gen_ai.tool.call.arguments',
  TOOL_RESULT: 'gen_ai.tool.call.result',
  TOKEN_TYPE: 'gen_ai.token.type',
  EVALUATION_NAME: 'gen_ai.evaluation.name',
  EVALUATION_SCORE: 'gen_ai.evaluation.score.value',
  EVALUATION_LABEL: 'gen_ai.evaluation.score.label',
  EVALUATION_EXPLANATION: 'gen_ai.evaluation.explanation',
} as const

/** The operations that are model calls. Only their spans count tokens: agents and workflows carry sums. */
export const CALL_OPERATIONS: readonly string[] = ['chat', 'text_completion', 'generate_content', 'embeddings']

export const WOODLAND = {
  TICK: 'woodland.tick',
  SEED: 'woodland.seed',
  TRADES: 'woodland.trades',
  PEBBLES_TOTAL: 'woodland.pebbles.total',
  TOKENS: 'woodland.tokens',
  LINKS: 'woodland.links',
  PRODUCES: 'woodland.produces',
  PEBBLES: 'woodland.pebbles',
  MOOD_BEFORE: 'woodland.mood.before',
  MOOD_AFTER: 'woodland.mood.after',
  BUY_GOOD: 'woodland.buy.good',
  SELL_GOOD: 'woodland.sell.good',
  GOOD: 'woodland.good',
  PRICE: 'woodland.price',
  ATTEMPT: 'woodland.attempt',
  REPAIRED: 'woodland.parse.repaired',
  REASON: 'woodland.reason',
  SIDE: 'woodland.side',
  /** Set on a span that was changed because of a limit: `attribute_cut`, `attribute_count`, `token_count` or `span_time`. */
  LIMIT: 'woodland.limit',
} as const

/** What the dialects of the Collector add about themselves. */
export const DIALECTS = {
  /** Whose words a span spoke: the name of a file in collector/dialects. */
  DIALECT: 'woodland.dialect',
  /** `resource` or `service`: the span did not name its agent, and this did. */
  AGENT_FROM: 'woodland.agent.from',
  /** The number as it was sent, where the parts were not in it. */
  INPUT_TOKENS_SENT: 'woodland.usage.input_tokens.sent',
  OUTPUT_TOKENS_SENT: 'woodland.usage.output_tokens.sent',
  /** The name of the model as it was sent, where the name of its provider stood before it. */
  REQUEST_MODEL_SENT: 'woodland.request.model.sent',
  /** "none" where it was sent in the place of the model that answered. */
  RESPONSE_MODEL_SENT: 'woodland.response.model.sent',
  /** The name of the operation as it was sent, where the conventions have another. */
  OPERATION_NAME_SENT: 'woodland.operation.name.sent',
  /** The name of the provider as it was sent, where the conventions spell it otherwise. */
  PROVIDER_NAME_SENT: 'woodland.provider.name.sent',
  /** The name of the agent as it was sent, where it stands for none. */
  AGENT_NAME_SENT: 'woodland.agent.name.sent',
  /** On a span that tells a call once more: whether the other span stands `above`, `below` or `beside`. It is not counted. */
  CALL_AGAIN: 'woodland.call.again',
  /** No home in the conventions; many SDKs write it. */
  TOTAL_TOKENS: 'gen_ai.usage.total_tokens',
  /** Agents written by hand have the time and the input of a call on the span of the turn. */
  HAND_WRITTEN_LATENCY: 'llm.latency_ms',
  HAND_WRITTEN_INPUT: 'llm.prompt_tokens',
  /** What the label of an evaluation says, on its event, its log record and its span: `pass`, `fail` or `scored`. */
  EVALUATION_OUTCOME: 'woodland.evaluation.outcome',
  /** On a span: the names of the evaluations that failed. */
  EVALUATIONS_FAILED: 'woodland.evaluation.failed',
  /** Where an evaluation stood: `event`, `attribute` or `record`. */
  EVALUATION_FROM: 'woodland.evaluation.from',
  /** Who evaluated: `CODE`, `LLM` or `HUMAN`, as Phoenix writes it. */
  EVALUATION_BY: 'woodland.evaluation.by',
} as const

/**
 * The labels of evaluations that say whether a run was good, in any case; the Collector reads them in collector/dialects/. Any other
 * label, or none, is neither: then what is enough is for the sender to say.
 */
export const EVALUATION_LABELS = {
  PASS: new Set([
    ...['pass', 'passed', 'true', 'yes', 'ok', 'good', 'correct', 'relevant', 'factual', 'success', 'safe'],
    ...['thumbs up', 'thumbs-up', 'thumbs_up', 'thumbsup'],
    // As Phoenix's evaluators say it.
    ...['complete', 'concise', 'faithful', 'grounded', 'no_pii_detected', 'non-toxic', 'no_friction'],
  ]),
  FAIL: new Set([
    ...['fail', 'failed', 'failure', 'false', 'no', 'bad', 'incorrect', 'irrelevant'],
    ...['not relevant', 'not-relevant', 'not_relevant', 'hallucinated', 'error', 'unsafe', 'toxic'],
    ...['thumbs down', 'thumbs-down', 'thumbs_down', 'thumbsdown'],
    ...['incomplete', 'verbose', 'unrelated', 'unfaithful', 'ungrounded', 'pii_detected', 'friction'],
  ]),
} as const

/** The word of a label as it is compared: a model that judges may end it with a full stop or a new line. */
export const wordOf = (label: string): string => label.replace(/^[ \t\r\n.!]+|[ \t\r\n.!]+$/g, '').toLowerCase()

/** Agents written by hand have evaluations as attributes of a span: a score, a label, or both, each with the name after it. */
const [SCORE, LABEL] = ['eval.score.', 'eval.label.']
export const handWrittenEvaluations = <T>(attributes: Readonly<Record<string, T>>) => {
  const names = Object.keys(attributes).flatMap((key) =>
    key.startsWith(SCORE) || key.startsWith(LABEL) ? [key.slice(SCORE.length)] : [],
  )
  return [...new Set(names)]
    .map((name) => {
      const score = attributes[SCORE + name]
      return { name, score: typeof score === 'number' ? score : undefined, label: attributes[LABEL + name] }
    })
    .filter(({ score, label }) => score !== undefined || label !== undefined)
}

/** Where the time of a request went, in seconds, as vLLM writes it on its span. */
export const VLLM = {
  QUEUE: 'gen_ai.latency.time_in_queue',
  PREFILL: 'gen_ai.latency.time_in_model_prefill',
  DECODE: 'gen_ai.latency.time_in_model_decode',
} as const

export const OPENINFERENCE = {
  KIND: 'openinference.span.kind',
  INPUT_TYPE: 'input.mime_type',
  PROJECT: 'openinference.project.name',
  AGENT: 'agent.name',
  INPUT: 'input.value',
  OUTPUT: 'output.value',
} as const

/** Any of these shows what a call got, and what it gave. */
export const MESSAGES = {
  INPUT: [OPENINFERENCE.INPUT, GEN_AI.INPUT_MESSAGES, 'llm.input_messages.0.message.role'],
  OUTPUT: [OPENINFERENCE.OUTPUT, GEN_AI.OUTPUT_MESSAGES, 'llm.output_messages.0.message.role'],
} as const

/** What the Collector writes about itself on what it handles. */
export const COLLECTOR = {
  /** On the scope: the policy that kept a trace, and whether the spans came after that. */
  POLICY: 'tailsampling.policy',
  CACHED: 'tailsampling.cached_decision',
  /** How many values of an item were masked. */
  MASKED: 'redaction.masked.count',
  /** The nearest agent above an agent, or above a call that names none, and its service: on counted copies of kept spans only. */
  CALLER: 'woodland.caller.agent.name',
  CALLER_SERVICE: 'woodland.caller.service.name',
  /** A label: which of several Collectors counted it. */
  NAME: 'collector',
} as const

export const OTHER = {
  USER: 'user.id',
  SERVICE_NAME: 'service.name',
  SERVICE_VERSION: 'service.version',
  SERVICE_INSTANCE: 'service.instance.id',
  ENVIRONMENT: 'deployment.environment.name',
  ERROR_TYPE: 'error.type',
  SERVER_ADDRESS: 'server.address',
  SERVER_PORT: 'server.port',
  HTTP_METHOD: 'http.request.method',
  HTTP_STATUS: 'http.response.status_code',
  HTTP_RESEND: 'http.request.resend_count',
  URL: 'url.full',
  EXPERIMENT: 'experiment.id',
  VARIANT: 'experiment.variant',
  OUTCOME: 'outcome',
} as const

/** A label of the counter of log records. Older SDKs write it as an attribute; newer ones have a field for it. */
export const LOGS = { EVENT_NAME: 'event.name' } as const

export const EVENTS = {
  RETRY: 'retry',
  REPAIRED: 'json_repaired',
  REFUSED: 'order_refused',
  FALLBACK: 'fallback_model',
  EVALUATION: 'gen_ai.evaluation.result',
} as const

export const METRICS = {
  USAGE_TOKENS: 'gen_ai.usage.tokens',
  USAGE_FIRST_CHUNK: 'gen_ai.usage.first_chunk',
  TOKEN_USAGE: 'gen_ai.client.token.usage',
  DURATION: 'gen_ai.client.operation.duration',
  FIRST_CHUNK: 'gen_ai.client.operation.time_to_first_chunk',
  EVALUATION: 'gen_ai.evaluation.score',
  EVALUATION_RESULTS: 'gen_ai.evaluation.results',
  /** From agent to agent, estimated from kept traces. */
  AGENT_CALLS: 'gen_ai.agent.calls.estimated',
  /** Of calls that name no agent, by the agent above them, estimated from kept traces. */
  AGENT_TOKENS: 'gen_ai.agent.tokens.estimated',
  ACTIVE_TURNS: 'gen_ai.agent.active_turns',
  OLDEST_TURN: 'gen_ai.agent.oldest_turn',
  LOG_RECORDS: 'otel.log.records',
  DECISIONS: 'woodland.decisions',
  RETRIES: 'woodland.llm.retries',
  TRADES: 'woodland.trades',
  PEBBLES: 'woodland.pebbles',
  MOOD: 'woodland.mood',
  PRICE: 'woodland.price',
} as const
