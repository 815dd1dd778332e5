import { createDataFrame, type DataFrame, type FieldConfig, FieldType, rangeUtil } from '@grafana/data'
import * as answers from '../answers.ts'

export type Lookup = (name: string) => answers.Cell
// biome-ignore lint/suspicious/noExplicitAny: the boards are checked against Grafana's own types where they are made.
export type Target = answers.Target & { refId: string; [setting: string]: any }
/** The range of all panels of a page, in seconds. It ends at the same time for all. */
export type Range = { from: string; start: number; end: number }

export function rangeNow(from: string): Range {
  const range = rangeUtil.convertRawToRange({ from, to: 'now' })
  return { from, start: Math.floor(range.from.valueOf() / 1000), end: Math.floor(range.to.valueOf() / 1000) }
}

const MOST_POINTS = 300

/** The step of a panel in seconds, and its variables, with those of the range. */
export function scale({ from, start, end }: Range, lookup: Lookup, least = '1s') {
  const rounded = rangeUtil.roundInterval(((end - start) * 1000) / MOST_POINTS)
  const step = Math.max(rounded / 1000, rangeUtil.intervalToSeconds(least), answers.SCRAPE_SECONDS)
  const made = answers.builtIn(from, end - start, step)
  return { step, lookup: (name: string) => made[name] ?? lookup(name) }
}
type Scaled = ReturnType<typeof scale>

/** Runs the queries of a panel. Throws the answer of the server when it refuses, and names queries that this viewer does not know. */
export async function ask(targets: Target[], range: Range, scaled: Scaled): Promise<DataFrame[]> {
  const value = targets.filter(({ format }) => format === 'table').length > 1 ? 'Value #' : 'Value'
  const asked = targets.map((target) =>
    target.datasource.type === 'prometheus'
      ? askPrometheus(target, range, scaled, value)
      : askTempo(target, range, answers.interpolate(target.query, scaled.lookup)),
  )
  return (await Promise.all(asked)).flat()
}

async function askPrometheus(target: Target, { start, end }: Range, { step, lookup }: Scaled, value: string) {
  const { refId, expr, instant, format, legendFormat } = target
  // Whole steps, so that points do not move at the next refresh.
  const when: Form = instant ? { time: end } : { start: start - (start % step), end, step }
  const query = { query: answers.interpolate(expr, lookup), ...when }
  const { result } = (await json(`/prom/api/v1/query${instant ? '' : '_range'}`, query, 'POST')).data
  return format === 'table'
    ? rowFrames(refId, answers.prometheusRows(result, value === 'Value' ? value : value + refId))
    : seriesFrames(refId, ['Time', 'Value'], step, answers.prometheusSeries(result, legendFormat))
}

async function askTempo({ refId, limit, spss, step, ...target }: Target, { start, end }: Range, q: string) {
  const kind = answers.kindOf(target)
  if (kind !== 'spans') {
    const seconds = rangeUtil.intervalToSeconds(step ?? '30s')
    const path = `/tempo/api/metrics/query${kind === 'range' ? '_range' : ''}`
    const { series = [] } = await json(path, { q, start, end, ...(kind === 'range' && { step: seconds }) })
    return seriesFrames(refId, ['time', 'value'], seconds, answers.tempoSeries(series, end * 1000))
  }
  return rowFrames(
    refId,
    answers.spanRows((await json('/tempo/api/search', { q, start, end, limit, spss })).traces ?? []),
  )
}

const seriesFrames = (refId: string, [time = '', value = '']: string[], step: number, series: answers.Series[]) =>
  series.map(({ name, labels, times, values }) => {
    // A chart finds gaps with the step.
    const at = { name: time, type: FieldType.time, values: times, config: { interval: step * 1000 } }
    const config = name ? { displayNameFromDS: name } : {}
    return createDataFrame({ refId, fields: [at, { name: value, type: FieldType.number, values, labels, config }] })
  })

const CONFIG: Record<string, FieldConfig> = {
  Duration: { unit: 'ns' },
  'Span ID': { links: [{ title: 'What happened, and time by agent', url: `/trace/\${__data.fields.traceIdHidden}` }] },
  traceIdHidden: { custom: { hideFrom: { viz: true } } },
}

/** Rows as one frame. Without rows there is no frame, because Grafana's transformations expect this. */
export function rowFrames(refId: string, rows: answers.Row[]): DataFrame[] {
  const fields = [...new Set(rows.flatMap(Object.keys))].map((name) => {
    const values = rows.map((row) => row[name] ?? null)
    return { name, values, config: CONFIG[name] ?? {}, ...(/^(start )?time$/i.test(name) && { type: FieldType.time }) }
  })
  return rows.length > 0 ? [createDataFrame({ refId, fields })] : []
}

type Form = Record<string, string | number>

/** Sends a query to the server of this page, which forwards it. */
export async function json(path: string, values: Form = {}, method = 'GET') {
  const form = new URLSearchParams(Object.entries(values).map(([name, value]) => [name, String(value)]))
  const answer = await (method === 'GET' ? fetch(`${path}?${form}`) : fetch(path, { method, body: form }))
  const text = await answer.text()
  if (!answer.ok) throw new Error(text || answer.statusText)
  return JSON.parse(text)
}
