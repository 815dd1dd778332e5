import { counted, some } from './counting.ts'
import { series, spans } from './metrics.ts'
import { CHOSEN_AGENTS as A, CHOSEN, FAILED, NEWEST, of } from './queries.ts'

/** What the board of one agent asks beyond what all boards ask. */

export const pebbles = `sum by (gen_ai_agent_name) (${series.pebbles}{${A}})`
export const mood = `avg by (gen_ai_agent_name) (${series.mood}{${A}})`
export const tokensPerCall = (type: 'input' | 'output') =>
  `sum(rate(${series.seen}{${CHOSEN}, gen_ai_token_type="${type}"}[$__rate_interval])) / sum(rate(${series.duration}_count{${of('chat')}}[$__rate_interval]))`
export const callsPerTurn = `${counted(`${series.duration}_count{${of('chat')}}`)} / ${counted(`${series.duration}_count{${of('invoke_agent')}}`)}`
/** Over the range: in the shortest interval there is mostly none, and then one. */
export const retriesPerMinute = `(${counted(`${series.retries}{${A}}`)} or 0 * ${counted(`${series.decisions}{${A}}`)}) / ($__range_s / 60)`
const tools = `gen_ai_operation_name="execute_tool", ${CHOSEN}`
export const toolsInRange = some(counted(`${spans.every}{${tools}}`, 'range', 'by (gen_ai_tool_name)'))
export const toolErrorsInRange = `${some(counted(`${spans.every}{${tools}${FAILED}}`, 'range', 'by (gen_ai_tool_name)'))} or 0 * ${toolsInRange}`

const turns = 'span.gen_ai.operation.name = "invoke_agent" && span.gen_ai.agent.name =~ "$agent"'
const WITH = `select(span.gen_ai.agent.name, span.woodland.tokens, instrumentation.tailsampling.policy) ${NEWEST}`
export const turnsByTokens = (tokens: number) => `{ ${turns} && span.woodland.tokens > ${tokens} } | ${WITH}`
