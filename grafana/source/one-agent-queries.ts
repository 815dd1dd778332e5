import { counted } from './counting.ts'
import { series, spans } from './metrics.ts'

/** What the board of one agent asks beyond what all boards ask. */
const A = 'gen_ai_agent_name=~"$agent"'

export const pebbles = `sum by (gen_ai_agent_name) (${series.pebbles}{${A}})`
export const mood = `avg by (gen_ai_agent_name) (${series.mood}{${A}})`
export const tokensPerCall = (type: 'input' | 'output') =>
  `sum(rate(${series.tokens}{${A}, gen_ai_token_type="${type}"}[$__rate_interval])) / sum(rate(${series.duration}_count{gen_ai_operation_name="chat", ${A}}[$__rate_interval]))`
export const callsPerTurn = `${counted(`${series.duration}_count{gen_ai_operation_name="chat", ${A}}`)} / ${counted(`${series.duration}_count{gen_ai_operation_name="invoke_agent", ${A}}`)}`
export const retriesPerMinute = `(sum(rate(${series.retries}{${A}}[$__rate_interval])) or vector(0)) * 60`
const tools = `gen_ai_operation_name="execute_tool", ${A}`
export const toolsInRange = counted(`${spans.every}{${tools}}`, 'range', 'by (gen_ai_tool_name)')
export const toolErrorsInRange = `${counted(`${spans.every}{${tools}, status_code="STATUS_CODE_ERROR"}`, 'range', 'by (gen_ai_tool_name)')} or 0 * ${toolsInRange}`

const turns = 'span.gen_ai.operation.name = "invoke_agent" && span.gen_ai.agent.name =~ "$agent"'
const WITH =
  'select(span.gen_ai.agent.name, span.woodland.tokens, instrumentation.tailsampling.policy) with (most_recent=true)'
export const turnsByTokens = (tokens: number) => `{ ${turns} && span.woodland.tokens > ${tokens} } | ${WITH}`
