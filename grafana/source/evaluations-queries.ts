import { DIALECTS, GEN_AI } from '../../vocabulary/attributes.ts'
import { counted, some } from './counting.ts'
import { filledIn } from './links.ts'
import { series } from './metrics.ts'
import { CHOSEN, CHOSEN_NOW, NEWEST, SENT } from './queries.ts'

/** What the board of evaluations asks: pass rates from counts before sampling, and the runs that failed from kept traces. */

const evaluated = (outcome: string) => `${series.evaluations}{${CHOSEN}, outcome=~"${outcome}"}`

export const BY_EVALUATION = 'by (gen_ai_evaluation_name)'
export const BY_AGENT = 'by (gen_ai_agent_name, gen_ai_evaluation_name)'
export const BY_ARM = 'by (gen_ai_evaluation_name, gen_ai_prompt_version, experiment_variant)'

const inRange = (outcome: string, by = '') => counted(evaluated(outcome), 'range', by)
/** A label in other words, or a score alone, is neither passed nor failed, so it is in no rate. */
const judged = (by = '') => some(inRange('pass|fail', by))
export const all = (by = '') => some(inRange('.+', by))
export const failed = (by = '') => `${some(inRange('fail', by))} or 0 * ${all(by)}`
export const passRate = (by = '') => `(${inRange('pass', by)} or 0 * ${judged(by)}) / ${judged(by)}`

const rate = (outcome: string, by: string) => `sum ${by} (rate(${evaluated(outcome)}[$__rate_interval]))`
export const passRateOverTime = (by: string) =>
  `(${rate('pass', by)} or 0 * ${rate('pass|fail', by)}) / ${some(rate('pass|fail', by))}`

/** From the histogram that agents send themselves: the Collector counts evaluations, and cannot add up the scores of events. */
const scores = (of: 'sum' | 'count', by: string) => counted(`${series.score}_${of}{${SENT}}`, 'range', by)
export const meanScore = (by: string) => `${scores('sum', by)} / ${some(scores('count', by))}`
export const openTurns = (by = '') => `sum ${by} (${series.activeTurns}{${SENT}})`
export const oldestTurn = (by = '') => `max ${by} (${series.oldestTurn}{${SENT}})`

const AGENT = `span.${GEN_AI.AGENT} =~ `
const SHOWN = `select(span.${GEN_AI.AGENT}, span.${DIALECTS.EVALUATIONS_FAILED}, instrumentation.tailsampling.policy) ${NEWEST}`
const FAILED = `span.${DIALECTS.EVALUATION_OUTCOME} = "fail"`
export const failedRuns = `{ ${FAILED} && ${AGENT}"$agent" } | ${SHOWN}`

export const failedRunsOfChosen = `{ ${FAILED} && ${AGENT}"${CHOSEN_NOW}" } ${NEWEST}`
export const failedRunsOfClicked = `{ span.${DIALECTS.EVALUATIONS_FAILED} = "${filledIn('__field.labels.gen_ai_evaluation_name')}" && ${AGENT}"${CHOSEN_NOW}" } ${NEWEST}`
export const failedRunsOfRow = `{ span.${DIALECTS.EVALUATIONS_FAILED} = "${filledIn('__data.fields.Evaluation')}" && ${AGENT}"${CHOSEN_NOW}" } ${NEWEST}`
