/** OTLP metrics in JSON: what a sender writes, as far as our tests send it. */
import { type Attribute, toAttributes } from './json.ts'

type Temporality = 'delta' | 'cumulative'
type Labels = Readonly<Record<string, unknown>>
/** `start` and `at` are nanoseconds since 1970. */
type Times = Readonly<{ start?: bigint; at: bigint }>

type Point = Readonly<{ attributes: readonly Attribute[]; [field: string]: unknown }>
export type Metric = Readonly<{ name: string; unit?: string; [kind: string]: unknown }>
type MetricsRequest = Readonly<{ resourceMetrics: readonly unknown[] }>

/** As the protocol writes them. */
const TEMPORALITY = { delta: 1, cumulative: 2 } as const

const point = (labels: Labels, { start, at }: Times) => ({
  attributes: toAttributes(labels),
  ...(start === undefined ? {} : { startTimeUnixNano: String(start) }),
  timeUnixNano: String(at),
})

export const number = (labels: Labels, value: number, times: Times): Point => ({
  ...point(labels, times),
  asDouble: value,
})

const counted = (labels: Labels, counts: readonly number[], sum: number, times: Times) => ({
  ...point(labels, times),
  count: String(counts.reduce((total, count) => total + count, 0)),
  sum,
})

/** `counts` has one entry more than `bounds`. */
export const buckets = (
  labels: Labels,
  counts: readonly number[],
  bounds: readonly number[],
  sum: number,
  times: Times,
): Point => ({
  ...counted(labels, counts, sum, times),
  bucketCounts: counts.map(String),
  explicitBounds: bounds,
})

/** Counts of the buckets from `offset` on; bucket n ends at 2^((n + 1) / 2^scale). */
export const powers = (
  labels: Labels,
  counts: readonly number[],
  { scale, offset }: Readonly<{ scale: number; offset: number }>,
  sum: number,
  times: Times,
): Point => ({
  ...counted(labels, counts, sum, times),
  scale,
  zeroCount: '0',
  positive: { offset, bucketCounts: counts.map(String) },
})

export const gauge = (name: string, dataPoints: readonly Point[], unit = ''): Metric => ({
  name,
  unit,
  gauge: { dataPoints },
})
export const counter = (name: string, dataPoints: readonly Point[], kind: Temporality, unit = ''): Metric => ({
  name,
  unit,
  sum: { aggregationTemporality: TEMPORALITY[kind], isMonotonic: true, dataPoints },
})
export const histogram = (name: string, dataPoints: readonly Point[], kind: Temporality, unit = ''): Metric => ({
  name,
  unit,
  histogram: { aggregationTemporality: TEMPORALITY[kind], dataPoints },
})
export const exponential = (name: string, dataPoints: readonly Point[], kind: Temporality, unit = ''): Metric => ({
  name,
  unit,
  exponentialHistogram: { aggregationTemporality: TEMPORALITY[kind], dataPoints },
})

/** One export of a process. */
export const metricsRequest = (resource: Labels, metrics: readonly Metric[], scope = 'test'): MetricsRequest => ({
  resourceMetrics: [
    { resource: { attributes: toAttributes(resource) }, scopeMetrics: [{ scope: { name: scope }, metrics }] },
  ],
})
