import { counted, countedOrNone, named, perMinute, renamed, sinceItGrew } from './counting.ts'
import { collector, fromAgents, logRecords, model, sdk, tempo, toBackends } from './metrics.ts'
import { NEWEST } from './queries.ts'

/** What the board of the pipeline asks: one stage after the other, in the direction in which spans flow. */
const all = (name: string) => `${name}{}`
const LOST = `${sdk.processed}{error_type!=""}`
const BY_EXPORTER = 'by (exporter)'
const BY_MODEL = 'by (model_name)'
const perSecond = (counter: string, by = '') => `sum ${by} (rate(${counter}[$__rate_interval]))`
const quantile = (q: number, histogram: string) =>
  `histogram_quantile(${q}, sum by (le) (rate(${histogram}_bucket{}[$__rate_interval])))`

const STAGES: Readonly<Record<string, string>> = {
  '1 agents start a span': all(sdk.started),
  '2 agents hand it over': `${sdk.processed}{error_type=""}`,
  '3 collector accepts it': fromAgents(collector.acceptedSpans),
  '4 sampler judges its trace': all(collector.judged),
  '6 Tempo takes it in': all(tempo.spans),
  '7 metric points accepted': fromAgents(collector.acceptedPoints),
  '8 metric points offered': toBackends(collector.sentPoints),
  '9 model server answers': all(model.finished),
}
/** One row for each stage, and for each exporter, whatever the backends are. */
const column = (question: (counter: string, by?: string) => string) => {
  const stages = Object.entries(STAGES).map(([stage, counter]) => [stage, question(counter)])
  const sent = question(all(collector.sentSpans), BY_EXPORTER)
  return `${named('stage', Object.fromEntries(stages))} or ${renamed(sent, 'exporter', 'stage', '5 sent to $1')}`
}

export const stagePerMinute = column(perMinute)
export const stageInRange = column((counter, by) => counted(counter, 'range', by))
export const stageAge = column(sinceItGrew)

export const acceptedPerSecond = perSecond(fromAgents(collector.acceptedSpans))
export const sentPerSecondByExporter = perSecond(all(collector.sentSpans), BY_EXPORTER)
export const queueFillByExporter = `max ${BY_EXPORTER} (${all(collector.queueSize)} / ${all(collector.queueCapacity)})`
export const queueFill = `max(${all(collector.queueSize)} / ${all(collector.queueCapacity)})`

const lost = (window: 'range' | 'rate_interval') => ({
  agents: countedOrNone(LOST, window),
  refused: countedOrNone(all(collector.refusedSpans), window),
  failed: countedOrNone(all(collector.failedSpans), window),
  notSent: countedOrNone(all(collector.sendFailedSpans), window),
  notQueued: countedOrNone(all(collector.enqueueFailedSpans), window),
})
const inRange = lost('range')
export const lostByAgentsInRange = inRange.agents
export const refusedInRange = `(${inRange.refused}) + (${inRange.failed})`
export const notDeliveredInRange = `(${inRange.notSent}) + (${inRange.notQueued})`
const { agents, refused, failed } = lost('rate_interval')

export { agents as lostByAgents, failed, refused }

/** The Collector counts a failure only from the first one on. Before that it is zero, for each exporter with a queue. */
const orNone = (failures: string) => `${failures} or 0 * sum ${BY_EXPORTER} (${all(collector.queueSize)})`
export const notSentByExporter = orNone(counted(all(collector.sendFailedSpans), 'rate_interval', BY_EXPORTER))
export const notQueuedByExporter = orNone(counted(all(collector.enqueueFailedSpans), 'rate_interval', BY_EXPORTER))

/** Zero under this name when there is nothing: a panel must show that nothing came. */
const orZero = (expr: string, label: string, name: string) =>
  `${expr} or on () ${named(label, { [name]: 'vector(0)' })}`
export const recordsByEvent = orZero(
  counted(all(logRecords), 'rate_interval', 'by (service_name, event_name)'),
  'service_name',
  'none arrives',
)
export const recordsSentByExporter = orZero(
  counted(all(collector.sentRecords), 'rate_interval', BY_EXPORTER),
  'exporter',
  'no backend',
)
export const recordsRefused = countedOrNone(all(collector.refusedRecords), 'rate_interval')

export const targetsDown = 'count(up{} == 0) or vector(0)'
export const targetUp = 'max by (job, instance) (up{})'
export const targetSeconds = 'max by (job, instance) (scrape_duration_seconds{})'
export const targetSamples = 'max by (job, instance) (scrape_samples_scraped{})'
export const targetAge = 'time() - max by (job, instance) (max_over_time(timestamp(up{} == 1)[$__range:5s]))'

export const tempoBytesPerSecond = perSecond(all(tempo.bytes))
export const discardedInRange = countedOrNone(all(tempo.discarded))
export const truncatedInRange = countedOrNone(all(tempo.truncated))
export const discardedByReason = counted(all(tempo.discarded), 'rate_interval', 'by (reason)')
export const truncated = countedOrNone(all(tempo.truncated), 'rate_interval')
export const failedFlushes = countedOrNone(all(tempo.failedFlushes), 'rate_interval')

export const collectorMemory = `max(${all(collector.memory)})`
export const tempoMemory = 'max(process_resident_memory_bytes{job="tempo"})'
export const collectorCores = perSecond(all(collector.cpu))
export const tempoCores = perSecond('process_cpu_seconds_total{job="tempo"}')

export const runningByModel = `sum ${BY_MODEL} (${all(model.running)})`
export const waitingNow = `sum(${all(model.waiting)})`
export const queued = quantile(0.95, model.queued)
export const firstToken = quantile(0.95, model.firstToken)
export const whole = quantile(0.95, model.whole)
export const readPerSecond = perSecond(all(model.promptTokens))
export const writtenPerSecond = perSecond(all(model.generationTokens))
export const answersByStatus = perMinute(`${model.answers}{handler="/v1/chat/completions"}`, 'by (status)')
export const abortedPerMinute = perMinute(`${model.finished}{finished_reason="abort"}`)

export const newestTraces = `{ nestedSetParent < 0 } ${NEWEST}`
