import { CLICKED_SERIES, counted, countedOrNone, likeTempo, perMinute, some } from './counting.ts'
import { collector, fromAgents, series, spans, tempo, toBackends } from './metrics.ts'
import { FAILED as ERROR_STATUS, NEWEST, OPERATIONS } from './queries.ts'
import { settings } from './settings.ts'

/**
 * What the board of the sampler asks. Truth is what was counted before sampling; an estimate is what kept traces say,
 * each weighted with the threshold that the sampler wrote on it; stored is what Tempo holds, not weighted.
 */
const judged = `${collector.judged}{}`
const kept = `${collector.judged}{sampled="true"}`
const votes = `${collector.votes}{sampled="true"}`
const BY_EXPORTER = 'by (exporter)'
const BY_POLICY = 'by (policy)'
const BY_AGENT = 'by (gen_ai_agent_name)'

export const tracesInRange = counted(judged)
export const keptShareInRange = `(${countedOrNone(kept)}) / ${counted(judged)}`
export const keptPerMinute = perMinute(`${collector.judged}{sampled="true"}`)
export const droppedPerMinute = perMinute(`${collector.judged}{sampled="false"}`)
export const waiting = `sum(${collector.waiting}{})`
export const memory = `sum(${collector.memory}{})`
export const evictedInRange = countedOrNone(`${collector.evicted}{}`)
export const evaluationErrorsInRange = countedOrNone(`${collector.evaluationErrors}{}`)
export const lostLateInRange = countedOrNone(`${collector.late}{sampled="false"}`)
export const lateJoined = countedOrNone(`${collector.late}{sampled="true"}`, 'rate_interval')
export const lateLost = countedOrNone(`${collector.late}{sampled="false"}`, 'rate_interval')
export const evicted = countedOrNone(`${collector.evicted}{}`, 'rate_interval')

export const POLICY = 'instrumentation.tailsampling.policy'
const policyRow = (expr: string) => likeTempo(expr, 'policy', POLICY)
const votesInRange = counted(votes, 'range', BY_POLICY)
// A policy that has never voted to keep has no such counter yet, only the one of its other votes.
const every = `0 * sum ${BY_POLICY} (last_over_time(${collector.votes}{}[$__range]))`
const votesOrNone = `(${votesInRange} or ${every})`
export const votesByPolicy = policyRow(votesOrNone)
/** What is left when every vote of the others fell on a different trace: it cannot be less, but it can be more. */
export const aloneAtLeastByPolicy = policyRow(
  `clamp_min(scalar(${countedOrNone(kept)}) - (scalar(sum(${votesOrNone})) - ${votesOrNone}), 0)`,
)
export const secondsByPolicy = policyRow(
  `sum ${BY_POLICY} (increase(${collector.policyTime}{}[$__range])) / sum ${BY_POLICY} (increase(${collector.policyRuns}{}[$__range])) / 1e6`,
)

const root = 'nestedSetParent < 0'
/** The first policy that voted for a trace is written on it, so each kept trace is counted once. */
export const recordedByPolicy = `{ ${root} } | count_over_time() by (${POLICY})`
export const tracesOfPolicy = `{ ${root} && ${POLICY} = "${CLICKED_SERIES}" } ${NEWEST}`
export const keptTraces = `{ ${root} } | select(${POLICY}) ${NEWEST}`

const accepted = fromAgents(collector.acceptedSpans)
/** Each backend is sent every kept span: what the one has that got most was stored. */
const stored = `max(${counted(toBackends(collector.sentSpans), 'range', BY_EXPORTER)})`
const bytesPerSpan = `sum(increase(${tempo.bytes}{}[$__range])) / sum(increase(${tempo.spans}{}[$__range]))`
const thrownAwayShare = `clamp_min(1 - (${stored} or vector(0)) / ${counted(accepted)}, 0)`
export const spansThrownAwayShare = thrownAwayShare
/** Tempo is told only of what was kept: what was not is taken to be of the same size. */
export const bytesNotStoredPerDay = `(${thrownAwayShare}) * sum(rate(${accepted}[$__rate_interval])) * (${bytesPerSpan}) * 86400`
export const spansAccepted = `sum(rate(${accepted}[$__rate_interval]))`
export const spansStored = `max(sum ${BY_EXPORTER} (rate(${toBackends(collector.sentSpans)}[$__rate_interval])))`

export const AGENT = 'span.gen_ai.agent.name'
const agentRow = (expr: string) => likeTempo(expr, 'gen_ai_agent_name', AGENT)
const ofAgents = '{gen_ai_agent_name!=""}'
export const spansByAgent = agentRow(some(counted(`${spans.every}${ofAgents}`, 'range', BY_AGENT)))
export const bytesPerSpanByAgent = agentRow(
  `0 * ${some(counted(`${spans.every}${ofAgents}`, 'range', BY_AGENT))} + scalar(${bytesPerSpan})`,
)
export const storedSpansByAgent = `{ ${AGENT} != nil } | count_over_time() by (${AGENT})`

export const ERROR = 'span.error.type'
const TURN = OPERATIONS.invoke_agent
const turnsByKind = some(counted(`${spans.every}{${TURN}}`, 'range', 'by (error_type)'))
export const turnsByOutcome = `sum without (error_type) (label_replace(label_replace(${turnsByKind}, "error_type", "nil", "error_type", ""), "${ERROR}", "\\"$1\\"", "error_type", "(.+)"))`
export const storedTurnsByOutcome = `{ span.gen_ai.operation.name = "invoke_agent" } | count_over_time() by (${ERROR})`

const byAgent = (counter: string, selector: string) =>
  some(counted(`${counter}{${ofAgents.slice(1, -1)}, ${selector}}`, 'range', BY_AGENT))
const total = (counter: string, selector: string) => counted(`${counter}{${ofAgents.slice(1, -1)}, ${selector}}`)
const FAILED = `${TURN}${ERROR_STATUS}`
const CALL = OPERATIONS.chat
const off = (estimate: string, truth: string) => `(${estimate}) / (${truth}) - 1`
const orNone = (few: string, all: string) => `(${few} or 0 * ${all})`

const turns = byAgent(spans.every, TURN)
const turnsEstimated = orNone(byAgent(spans.keptWeighted, TURN), turns)
const failed = orNone(byAgent(spans.every, FAILED), turns)
const failedEstimated = orNone(byAgent(spans.keptWeighted, FAILED), turns)
const cost = some(`sum ${BY_AGENT} (sum_over_time(${series.charged}${ofAgents}[$__range]))`)
const BY_MODEL_TOO = 'by (gen_ai_agent_name, gen_ai_request_model)'
const callsByModel = (counter: string) =>
  counted(`${counter}{${ofAgents.slice(1, -1)}, ${CALL}}`, 'range', BY_MODEL_TOO)
const costByModel = `sum ${BY_MODEL_TOO} (sum_over_time(${series.charged}{}[$__range]))`
/** As many calls as kept traces speak for, at what a call of that agent and model did cost. */
const costEstimated = `sum ${BY_AGENT} (${callsByModel(spans.keptWeighted)} / ${some(callsByModel(spans.every))} * ${costByModel})`

/**
 * Twice the standard error of the estimated turns, as a share, if all of them were kept by chance alone: one in ten, say. Those that
 * are kept for a reason are counted right, so it is less than that.
 */
export const chanceByAgent = `2 * sqrt(${100 / settings.samplePercent - 1} / (${turns}))`

export const truth = { turns, failed, cost }
export const estimated = { turns: turnsEstimated, failed: failedEstimated, cost: costEstimated }
export const offByAgent = {
  turns: off(turnsEstimated, turns),
  failed: off(failedEstimated, failed),
  cost: off(costEstimated, cost),
}
export const offInTotal = {
  turns: off(total(spans.keptWeighted, TURN), total(spans.every, TURN)),
  failed: off(total(spans.keptWeighted, FAILED), total(spans.every, FAILED)),
  seconds: off(total(spans.keptSecondsWeighted, CALL), total(spans.everySeconds, CALL)),
}

const masked = 'span.redaction.masked.count > 0'
export const maskedByAgent = `{ ${masked} && ${AGENT} != nil } | sum_over_time(span.redaction.masked.count) by (${AGENT})`
export const maskedOfClicked = `{ ${masked} && ${AGENT} = "${CLICKED_SERIES}" } | select(span.redaction.masked.count) ${NEWEST}`
