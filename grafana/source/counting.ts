import { filledIn } from './links.ts'

/** An agent has some twelve turns a minute. Of so few, the p95 is the slowest one, and a line of it jumps. */
export const QUANTILE_WINDOW = '5m'

/** Two of Grafana's own, and ours. */
type Window = 'range' | 'rate_interval' | typeof QUANTILE_WINDOW

/**
 * How often something was counted within a window. A counter that was born within it counts from zero: `increase` alone
 * would miss the first failure of a kind, because that is what gives the counter its name. If it was also started again
 * within the window, its last value is only what came since then.
 */
export const counted = (counter: string, window: Window = 'range', by = '') => {
  const long = window === QUANTILE_WINDOW ? window : `$__${window}`
  const within = `${counter}[${long}]`
  const before = `last_over_time(${within} offset ${long})`
  const born = `last_over_time(${within}) unless ${before} unless resets(${within}) > 0`
  return `sum ${by} ((increase(${within}) and ${before}) or (${born}) or (increase(${within}) + min_over_time(${within})))`
}

/**
 * Without what is zero. Prometheus goes on to have the series of an agent that ran an hour ago, and it would be a row of zeros in a table
 * of the last quarter of an hour.
 */
export const some = (expr: string) => `(${expr} > 0)`

/** The same, and 0 when there is nothing to count. */
export const countedOrNone = (counter: string, window: Window = 'range') => `${counted(counter, window)} or vector(0)`

/** Counted, and not a rate: an agent that ran once, for a moment, has one turn and no pace. */
export const quantile = (q: number, histogram: string, selector: string, window: Window, by = '') =>
  `histogram_quantile(${q}, ${counted(`${histogram}_bucket{${selector}}`, window, `by (le${by})`)})`

/** Per minute, at the pace of the last moments. */
export const perMinute = (counter: string, by = '') => `sum ${by} (rate(${counter}[$__rate_interval])) * 60`

/** Seconds since a counter last grew, to the scrape. */
export const sinceItGrew = (counter: string, by = '') =>
  `time() - max_over_time(timestamp(sum ${by} (${counter}) > sum ${by} (${counter} offset 5s))[$__range:5s])`

/** Rows that lack a label have this value for it. A label that is there stays. */
export const orNamed = (expr: string, label: string, name: string) =>
  `label_replace(${expr}, "${label}", "${name}", "${label}", "")`

/** The rows of one column, each under its name. Names begin with a number where the order matters. */
export const named = (label: string, questions: Readonly<Record<string, string>>) =>
  Object.entries(questions)
    .map(([name, expr]) => `label_replace(${expr}, "${label}", "${name}", "", "")`)
    .join(' or ')

/** Rows with a new name, in which $1 is the value of a label. */
export const renamed = (expr: string, from: string, to: string, name: string) =>
  `sum without (${from}) (label_replace(${expr}, "${to}", "${name}", "${from}", "(.+)"))`

/**
 * Gives a question of Prometheus the label that Tempo puts on the answers of a TraceQL metric, quotes included,
 * so that Grafana can lay the two side by side in one row.
 */
export const likeTempo = (expr: string, label: string, attribute: string) => renamed(expr, label, attribute, '\\"$1\\"')

/** The name of the series that was clicked. */
export const CLICKED_SERIES = filledIn('__field.displayName')
