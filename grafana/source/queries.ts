import { CALL_OPERATIONS } from '../../vocabulary/attributes.ts'
import { counted, orNamed, QUANTILE_WINDOW, quantile, some } from './counting.ts'
import { filledIn } from './links.ts'
import { series } from './metrics.ts'

/**
 * What the boards ask, apart from how they look. PromQL first, TraceQL below. Tokens, calls, turns, seconds and errors are
 * those that the Collector counts from spans, so they are there for any agent; decisions, pebbles and checks are the creatures'.
 * The duration histogram holds every kind of span: every question about it names one.
 */
export type Operation = 'invoke_agent' | 'chat'

/** How an agent without a name is called. The Collector gives its name to one that has none, so this is what is over a limit. */
export const NO_AGENT = '(no agent name)'

/** The agents and services that are chosen. On metrics that SDKs send, the service is the job. */
export const CHOSEN_AGENTS = 'gen_ai_agent_name=~"$agent"'
export const CHOSEN = `service_name=~"$service", ${CHOSEN_AGENTS}`
const A = CHOSEN
export const SENT = `job=~"(.*/)?($service)", ${CHOSEN_AGENTS}`
const BY_AGENT = 'by (gen_ai_agent_name)'
const refused = `${series.decisions}{${SENT}, outcome!="accepted"}`
const decided = `${series.decisions}{${SENT}}`

/** What no span named is a row and a line of its own: left empty, Grafana writes the words for "no data" there. */
const agents = (expr: string) => orNamed(expr, 'gen_ai_agent_name', NO_AGENT)
const models = (expr: string) => orNamed(expr, 'gen_ai_request_model', '(no model name)')

/** More lines than these cannot be told apart. Tables have a row for each agent. */
export const LINES = 10
/** Agents that used fewer tokens in the range than the first ones did: none if there are few, and none that names no tokens. */
const beyondLines = () => {
  const used = agents(`sum ${BY_AGENT} (sum_over_time(${series.used}{${A}}[$__range] @ end()))`)
  return `(${used} unless topk(${LINES}, ${used}))`
}
export const lines = (byAgent: string) => `(${byAgent}) unless on (gen_ai_agent_name) ${beyondLines()}`
export const OTHERS = '(all others)'
/** Those without a line of their own are one, so that the upper edge is the total. */
const stacked = (byAgent: string) =>
  `${lines(byAgent)} or label_replace(sum((${byAgent}) and on (gen_ai_agent_name) ${beyondLines()}), "gen_ai_agent_name", "${OTHERS}", "", "")`

const perHour = (rate: string) => `${rate} * 3600`
const sumInRange = (name: string, selector: string, by: string) =>
  `sum ${by} (sum_over_time(${name}{${selector}}[$__range]))`
const spent = (by: string) => sumInRange(series.charged, A, by)

/** A turn of an agent, or a call of a model by any of the names that the conventions have for it. */
export const OPERATIONS = {
  invoke_agent: 'gen_ai_operation_name="invoke_agent"',
  chat: `gen_ai_operation_name=~"${CALL_OPERATIONS.join('|')}"`,
} as const
export const of = (operation: Operation) => `${OPERATIONS[operation]}, ${A}`
const sentOf = (operation: Operation) => `gen_ai_operation_name="${operation}", ${SENT}`
const used = (type: 'input' | 'output') => `${A}, gen_ai_token_type="${type}"`

export const costPerHour = perHour(`sum(${series.cost}{${A}})`)
export const costPerHourByAgent = stacked(agents(perHour(`sum ${BY_AGENT} (${series.cost}{${A}})`)))
export const spentInRange = spent('')
export const spentInRangeByAgent = some(agents(spent(BY_AGENT)))

/** What is added up for the alerts on budgets: any 24 hours, not since midnight. An agent's budget is for all its services. */
export const spentInADay = `sum(${series.spent.day}{${CHOSEN_AGENTS}})`
const budgetLeft = `1 - ${series.spent.day}{${CHOSEN_AGENTS}} / on (gen_ai_agent_name) ${series.budget}`
/** Of those that have a row for another reason: what was spent in 24 hours by one that is idle would be a row of gaps. */
export const budgetLeftByAgent = `${agents(budgetLeft)} and on (gen_ai_agent_name) ${spentInRangeByAgent}`
export const leastBudgetLeft = `min(${budgetLeft})`

const BY_MODEL = 'by (gen_ai_request_model)'
export const costPerHourByModel = models(perHour(`sum ${BY_MODEL} (${series.cost}{${A}})`))
export const spentInRangeByModel = some(models(spent(BY_MODEL)))
export const tokensInRangeByModel = (type: 'input' | 'output') =>
  some(models(sumInRange(series.used, used(type), BY_MODEL)))
const callsPerMinute = `sum ${BY_MODEL} (rate(${series.duration}_count{${of('chat')}}[$__rate_interval])) * 60`
const askedMost = `topk(1, sum ${BY_MODEL} (increase(${series.duration}_count{${of('chat')}}[$__range] @ end())))`
export const callsOfModelAskedMost = models(`${callsPerMinute} and on (gen_ai_request_model) ${askedMost}`)
export const callsOfOtherModels = models(`${callsPerMinute} unless on (gen_ai_request_model) ${askedMost}`)

export const retriesPerMinuteByAgent = `sum ${BY_AGENT} (rate(${series.retries}{${SENT}}[$__rate_interval])) * 60`
export const scoreByCheck = `sum by (gen_ai_evaluation_name) (rate(${series.score}_sum{${SENT}}[$__rate_interval])) / sum by (gen_ai_evaluation_name) (rate(${series.score}_count{${SENT}}[$__rate_interval]))`

const BY_ARM = 'by (experiment_variant)'
// A kind of refusal is a series of its own, and is counted from its first one on.
const turnsOfArm = counted(`${series.sentDuration}_count{${sentOf('invoke_agent')}}`, 'range', BY_ARM)
const refusedOfArm = `(${counted(`${series.sentDuration}_count{${sentOf('invoke_agent')}, error_type!=""}`, 'range', BY_ARM)} or 0 * ${turnsOfArm})`
const tokensOfArm = counted(
  `${series.sentTokens}{${SENT}}`,
  'range',
  `${BY_ARM.slice(0, -1)}, gen_ai_price_key, gen_ai_token_type)`,
)
/**
 * The two ways of asking the same question, from the simulator's own metrics: spans are not counted by it. Costs are at the
 * prices of now, because the cost rule does not tell the two apart.
 */
export const byArm = {
  turns: turnsOfArm,
  refused: `${refusedOfArm} / ${turnsOfArm}`,
  tokensPerTurn: `sum ${BY_ARM} (${tokensOfArm}) / ${turnsOfArm}`,
  costPerAccepted: `sum ${BY_ARM} (${tokensOfArm} * on (gen_ai_price_key, gen_ai_token_type) group_left () ${series.price}) / (${turnsOfArm} - ${refusedOfArm})`,
  p95: quantile(0.95, series.sentDuration, sentOf('invoke_agent'), 'range', ', experiment_variant'),
}

export const unpricedTokens = `${sumInRange(series.unpriced, A, '')} or vector(0)`

export const tokensPerMinuteByAgent = (type: 'input' | 'output') =>
  stacked(agents(`sum ${BY_AGENT} (rate(${series.seen}{${used(type)}}[$__rate_interval])) * 60`))
export const tokensInRangeByAgent = (type: 'input' | 'output') =>
  some(agents(sumInRange(series.used, used(type), BY_AGENT)))

const inRangeByAgent = (operation: Operation, more = '') =>
  some(agents(counted(`${series.duration}_count{${of(operation)}${more}}`, 'range', BY_AGENT)))
export const turnsInRangeByAgent = inRangeByAgent('invoke_agent')
export const callsInRangeByAgent = inRangeByAgent('chat')
/** Of turns and calls, because some SDKs write an error on one of them only. */
const asked = `(${turnsInRangeByAgent} or 0 * ${callsInRangeByAgent}) + (${callsInRangeByAgent} or 0 * ${turnsInRangeByAgent})`
/** What an error adds to a selector of spans. */
export const FAILED = ', status_code="STATUS_CODE_ERROR"'
const failed = (operation: Operation) => `(${inRangeByAgent(operation, FAILED)} or 0 * (${asked}))`
export const failedShareInRangeByAgent = `(${failed('invoke_agent')} + ${failed('chat')}) / (${asked})`

export const durationInRange = (q: number, operation: Operation) => quantile(q, series.duration, of(operation), 'range')
/** Of an agent that sends no turns, the calls. */
export const durationInRangeByAgent = (q: number) => {
  const seconds = (operation: Operation) =>
    `(${quantile(q, series.duration, of(operation), 'range', ', gen_ai_agent_name')} >= 0)`
  return agents(`(${seconds('invoke_agent')} or ${seconds('chat')})`)
}
export const durationByAgent = (q: number, operation: Operation) =>
  lines(agents(quantile(q, series.duration, of(operation), QUANTILE_WINDOW, ', gen_ai_agent_name')))
/** Only its exemplars are shown: the line would be an estimate from kept traces. */
export const keptDurationByAgent = (operation: Operation) =>
  lines(
    `histogram_quantile(0.95, sum by (le, gen_ai_agent_name) (rate(${series.kept}_bucket{${of(operation)}}[$__rate_interval])))`,
  )
export const firstChunkByAgent = (q: number) =>
  lines(agents(quantile(q, series.firstChunk, A, QUANTILE_WINDOW, ', gen_ai_agent_name')))

const decidedInRange = (by = '') => counted(decided, 'range', by)
const refusedInRange = (by = '') => counted(refused, 'range', by)
export const refusedShareInRange = `(${refusedInRange()} or 0 * ${decidedInRange()}) / ${decidedInRange()}`
export const refusedShareInRangeByAgent = `(${refusedInRange(BY_AGENT)} or 0 * ${decidedInRange(BY_AGENT)}) / ${some(decidedInRange(BY_AGENT))}`
/** For a step of a minute, so that one refusal is one. */
export const refusedByKind = counted(refused, 'rate_interval', 'by (outcome)')
export const refusedInRangeByAgentAndKind = `round(${refusedInRange('by (gen_ai_agent_name, outcome)')})`

/**
 * A firing alert as one point where it starts, with its summary. The bare series would paint the whole plot while it fires.
 * Grafana writes the name of a label that an alert lacks, so one label says whom it is about.
 */
export const alertStarts = (board: string, panel: string) =>
  `label_join((ALERTS{alertstate="firing"} unless ALERTS{alertstate="firing"} offset 15s) * on (alertname) group_left (summary) ${series.aboutAlert}{board="${board}", panel="${panel}"}, "about", " ", "alertname", "service_name", "gen_ai_agent_name", "gen_ai_request_model", "exporter", "job")`

const turns = 'span.gen_ai.operation.name = "invoke_agent" && span.gen_ai.agent.name'
export const NEWEST = 'with (most_recent=true)'
/** The policy that kept a trace; the Collector writes it on the scope of each span. */
const KEPT_BY = 'instrumentation.tailsampling.policy'

export const slowTurns = (longerThan: string) =>
  `{ ${turns} =~ "$agent" && duration > ${longerThan} } | select(span.gen_ai.agent.name, span.woodland.tokens, ${KEPT_BY}) ${NEWEST}`
export const failedTurns = `{ ${turns} =~ "$agent" && status = error } | select(span.gen_ai.agent.name, span.error.type, ${KEPT_BY}) ${NEWEST}`

// In links Grafana fills in only variables in braces.
const CLICKED = filledIn('__field.labels.gen_ai_agent_name')
export const CHOSEN_NOW = filledIn('agent:pipe')
export const turnsOfClicked = `{ ${turns} = "${CLICKED}" } ${NEWEST}`
export const slowTurnsOfClicked = (longerThan: string) =>
  `{ ${turns} = "${CLICKED}" && duration > ${longerThan} } ${NEWEST}`
export const slowCallsOfClicked = (longerThan: string) =>
  `{ span.gen_ai.operation.name = "chat" && span.gen_ai.agent.name = "${CLICKED}" && duration > ${longerThan} } ${NEWEST}`
export const refusedTurnsOfClickedKind = `{ ${turns} =~ "${CHOSEN_NOW}" && span.error.type = "${filledIn('__field.labels.outcome')}" } ${NEWEST}`
export const turnsOfChosen = `{ ${turns} =~ "${CHOSEN_NOW}" } ${NEWEST}`
