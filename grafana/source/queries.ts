import { counted } from './counting.ts'
import { filledIn } from './links.ts'
import { series } from './metrics.ts'

/**
 * What the boards ask, apart from how they look. PromQL first, TraceQL below.
 * The duration histogram holds both turns (invoke_agent) and model calls (chat): every question about it names one.
 */
export type Operation = 'invoke_agent' | 'chat'

const A = 'gen_ai_agent_name=~"$agent"'
const BY_AGENT = 'by (gen_ai_agent_name)'
const refused = `${series.decisions}{${A}, outcome!="accepted"}`
const accepted = `${series.decisions}{${A}, outcome="accepted"}`
const decided = `${series.decisions}{${A}}`

const perHour = (rate: string) => `${rate} * 3600`
const spent = (by: string) => `sum ${by} (sum_over_time(${series.charged}{${A}}[$__range]))`
const quantile = (q: number, histogram: string, selector: string, window: string, by = '') =>
  `histogram_quantile(${q}, sum by (le${by}) (rate(${histogram}_bucket{${selector}}[${window}])))`
const of = (operation: Operation) => `gen_ai_operation_name="${operation}", ${A}`
const tokens = (type: 'input' | 'output') => `${series.tokens}{${A}, gen_ai_token_type="${type}"}`

export const costPerHour = perHour(`sum(${series.cost}{${A}})`)
export const costPerHourByAgent = perHour(`sum ${BY_AGENT} (${series.cost}{${A}})`)
export const spentInRange = spent('')
export const spentInRangeByAgent = spent(BY_AGENT)
export const costPerAcceptedByAgent = `${spentInRangeByAgent} / ${counted(accepted, 'range', BY_AGENT)}`

/** What is added up for the alerts on budgets: any 24 hours, not since midnight. */
export const spentInADay = `sum(${series.spent.day}{${A}})`
const budgetLeft = `1 - ${series.spent.day}{${A}} / on (gen_ai_agent_name) ${series.budget}`
export const budgetLeftByAgent = budgetLeft
export const leastBudgetLeft = `min(${budgetLeft})`

const BY_MODEL = 'by (gen_ai_request_model)'
export const costPerHourByModel = perHour(`sum ${BY_MODEL} (${series.cost}{${A}})`)
export const spentInRangeByModel = spent(BY_MODEL)
export const tokensInRangeByModel = (type: 'input' | 'output') => counted(tokens(type), 'range', BY_MODEL)
export const callsPerMinuteByModel = `sum ${BY_MODEL} (rate(${series.duration}_count{${of('chat')}}[$__rate_interval])) * 60`

export const retriesPerMinuteByAgent = `sum ${BY_AGENT} (rate(${series.retries}{${A}}[$__rate_interval])) * 60`
export const scoreByCheck = `sum by (gen_ai_evaluation_name) (rate(${series.score}_sum{${A}}[$__rate_interval])) / sum by (gen_ai_evaluation_name) (rate(${series.score}_count{${A}}[$__rate_interval]))`

const BY_ARM = 'by (experiment_variant)'
// A kind of refusal is a series of its own, and is counted from its first one on.
const turnsOfArm = counted(`${series.duration}_count{${of('invoke_agent')}}`, 'range', BY_ARM)
const refusedOfArm = `(${counted(`${series.duration}_count{${of('invoke_agent')}, error_type!=""}`, 'range', BY_ARM)} or 0 * ${turnsOfArm})`
const tokensOfArm = counted(
  `${series.tokens}{${A}}`,
  'range',
  `${BY_ARM.slice(0, -1)}, gen_ai_request_model, gen_ai_token_type)`,
)
/** The two ways of asking the same question. Costs are at the prices of now, because the cost rule does not tell the two apart. */
export const byArm = {
  turns: turnsOfArm,
  refused: `${refusedOfArm} / ${turnsOfArm}`,
  tokensPerTurn: `sum ${BY_ARM} (${tokensOfArm}) / ${turnsOfArm}`,
  costPerAccepted: `sum ${BY_ARM} (${tokensOfArm} * on (gen_ai_request_model, gen_ai_token_type) group_left () ${series.price}) / (${turnsOfArm} - ${refusedOfArm})`,
  p95: quantile(0.95, series.duration, of('invoke_agent'), '$__range', ', experiment_variant'),
}

/** Counted since the agents started, not by rate: a model that was asked only once has no rate. */
export const unpricedTokens = `sum(last_over_time(${series.tokens}{${A}}[$__range]) unless on (gen_ai_request_model, gen_ai_token_type) ${series.price} unless on (gen_ai_request_model) ${series.pricePerHour}) or vector(0)`

export const tokensPerMinuteByAgent = (type: 'input' | 'output') =>
  `sum ${BY_AGENT} (rate(${tokens(type)}[$__rate_interval])) * 60`
export const tokensInRangeByAgent = (type: 'input' | 'output') => counted(tokens(type), 'range', BY_AGENT)

export const durationInRange = (q: number, operation: Operation) =>
  quantile(q, series.duration, of(operation), '$__range')
export const durationInRangeByAgent = (q: number, operation: Operation) =>
  quantile(q, series.duration, of(operation), '$__range', ', gen_ai_agent_name')
export const durationByAgent = (q: number, operation: Operation) =>
  quantile(q, series.duration, of(operation), '$__rate_interval', ', gen_ai_agent_name')
/** Only its exemplars are shown: the line would be an estimate from kept traces. */
export const keptDurationByAgent = (q: number, operation: Operation) =>
  quantile(q, series.kept, of(operation), '$__rate_interval', ', gen_ai_agent_name')
export const firstChunkByAgent = (q: number) =>
  quantile(q, series.firstChunk, A, '$__rate_interval', ', gen_ai_agent_name')

const turnsInRange = (by = '') => counted(decided, 'range', by)
const refusedInRange = (by = '') => counted(refused, 'range', by)
export const turnsInRangeByAgent = turnsInRange(BY_AGENT)
export const refusedShareInRange = `(${refusedInRange()} or vector(0)) / ${turnsInRange()}`
export const refusedShareInRangeByAgent = `(${refusedInRange(BY_AGENT)} or 0 * ${turnsInRange(BY_AGENT)}) / ${turnsInRange(BY_AGENT)}`
export const refusedPerMinuteByKind = `sum by (outcome) (rate(${refused}[$__rate_interval])) * 60`
export const refusedInRangeByAgentAndKind = `round(${refusedInRange('by (gen_ai_agent_name, outcome)')})`

/**
 * A firing alert as one point where it starts. The bare series would paint the whole plot while it fires. Grafana writes
 * the name of a label that an alert lacks, so one label holds the alert and what of it is known.
 */
export const alertStarts =
  'label_join(ALERTS{alertstate="firing"} unless ALERTS{alertstate="firing"} offset 15s, "alert", " ", "alertname", "gen_ai_agent_name", "gen_ai_request_model", "exporter", "job")'

const turns = 'span.gen_ai.operation.name = "invoke_agent" && span.gen_ai.agent.name'
const NEWEST = 'with (most_recent=true)'
/** The policy that kept a trace; the Collector writes it on the scope of each span. */
const KEPT_BY = 'instrumentation.tailsampling.policy'

export const slowTurns = (longerThan: string) =>
  `{ ${turns} =~ "$agent" && duration > ${longerThan} } | select(span.gen_ai.agent.name, span.woodland.tokens, ${KEPT_BY}) ${NEWEST}`
export const failedTurns = `{ ${turns} =~ "$agent" && status = error } | select(span.gen_ai.agent.name, span.error.type, ${KEPT_BY}) ${NEWEST}`

// In links Grafana fills in only variables in braces.
const CLICKED = filledIn('__field.labels.gen_ai_agent_name')
const CHOSEN = filledIn('agent:pipe')
export const turnsOfClicked = `{ ${turns} = "${CLICKED}" } ${NEWEST}`
export const slowTurnsOfClicked = (longerThan: string) =>
  `{ ${turns} = "${CLICKED}" && duration > ${longerThan} } ${NEWEST}`
export const slowCallsOfClicked = (longerThan: string) =>
  `{ span.gen_ai.operation.name = "chat" && span.gen_ai.agent.name = "${CLICKED}" && duration > ${longerThan} } ${NEWEST}`
export const refusedTurnsOfClickedKind = `{ ${turns} =~ "${CHOSEN}" && span.error.type = "${filledIn('__field.labels.outcome')}" } ${NEWEST}`
export const turnsOfChosen = `{ ${turns} =~ "${CHOSEN}" } ${NEWEST}`
