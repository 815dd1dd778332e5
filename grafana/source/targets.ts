import { DataqueryBuilder as PrometheusQuery, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus'
import {
  MetricsQueryType,
  SearchTableType,
  DataqueryBuilder as TempoQuery,
} from '@grafana/grafana-foundation-sdk/tempo'
import { prometheusRef, tempoRef } from './datasources.ts'

/** A PromQL question over the range, one line for each series. */
export const line = (refId: string, expr: string, legend: string) =>
  new PrometheusQuery().datasource(prometheusRef).refId(refId).expr(expr).legendFormat(legend).range()

/** A PromQL question asked once, at the end of the range. */
export const now = (refId: string, expr: string) =>
  new PrometheusQuery().datasource(prometheusRef).refId(refId).expr(expr).instant()

/** The same as table rows. */
export const rows = (refId: string, expr: string) => now(refId, expr).format(PromQueryFormat.Table)

/** A TraceQL question: a row for each span found. */
export const spans = (refId: string, traceql: string) =>
  new TempoQuery()
    .datasource(tempoRef)
    .refId(refId)
    .queryType('traceql')
    .query(traceql)
    .tableType(SearchTableType.Spans)
    .limit(100)
    .spss(5)
    .filters([])

/** A TraceQL metric, one number for each series over the whole range. */
export const countNow = (refId: string, traceql: string) => traceMetric(refId, traceql, MetricsQueryType.Instant)

// Left to itself, Tempo answers one point a second: a comb.
const STEP = '30s'

// Exemplars open a trace. Tempo has no way to leave them out (zero means a hundred), and many hide the bars.
const FEW = 12

/** A TraceQL metric, one bar for each half minute. */
export const countOverTime = (refId: string, traceql: string) =>
  traceMetric(refId, traceql, MetricsQueryType.Range).step(STEP)

const traceMetric = (refId: string, traceql: string, type: MetricsQueryType) =>
  new TempoQuery()
    .datasource(tempoRef)
    .refId(refId)
    .queryType('traceql')
    .query(traceql)
    .metricsQueryType(type)
    .exemplars(FEW)
    .filters([])
