import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { settings as shipped, valueAt } from '../grafana/source/settings.ts'
import { durationOf } from '../workbench/duration.ts'
import { BACKENDS, collectorFile, exporterOf, served } from './backends/backends.ts'
import { ROOT } from './settings.ts'

/** What agents send, and what is kept of it. */
export type Load = Readonly<{
  spansPerSecond: number
  spansPerTrace: number
  /** Prompts and answers in a span, in KB. */
  kilobytes: number
  /** How long a run takes, from its first span to its root. */
  runSeconds: number
  /** Shares, from 0 to 1. */
  kept: number
  withoutRoot: number
  backends: number
}>

/** What `make scale` measured for one kind of traffic. */
export type Measured = Readonly<{
  kilobytes: number
  kept: number
  /** CPU of a span in µs: in one Collector, in the gateways, in the samplers. */
  one: number
  gateways: number
  samplers: number
  /** Bytes of a span between the tiers, and of a kept span on its way to a backend. */
  hopBytes: number
  keptBytes: number
}>

/** What `make bench` measured: KiB of memory for a span that waits. */
export type Waiting = Readonly<{ kilobytes: number; kib: number }>
export type Coefficients = Readonly<{ costs: readonly Measured[]; waiting: readonly Waiting[] }>

/** Two backends got what was kept when the costs were measured. */
const BACKENDS_MEASURED = 2

/** A straight line through two points, also beyond them. */
const line = ([x1, y1]: readonly [number, number], [x2, y2]: readonly [number, number], x: number) =>
  x1 === x2 ? y1 : y1 + ((y2 - y1) * (x - x1)) / (x2 - x1)

/** Between the measured sizes and shares, and beyond them, along straight lines. No cost is below zero. */
function costAt(costs: readonly Measured[], what: 'one' | 'gateways' | 'samplers' | 'hopBytes' | 'keptBytes') {
  const sizes = [...new Set(costs.map(({ kilobytes }) => kilobytes))].sort((a, b) => a - b)
  const atSize = (size: number, kept: number) => {
    const points = costs
      .filter(({ kilobytes }) => kilobytes === size)
      .map((cost) => [cost.kept, cost[what]] as const)
      .sort(([a], [b]) => a - b)
    return line(points[0] ?? [0, Number.NaN], points.at(-1) ?? [0, Number.NaN], kept)
  }
  const [small = 0, large = small] = [sizes[0], sizes.at(-1)]
  return ({ kilobytes, kept }: Pick<Load, 'kilobytes' | 'kept'>) =>
    Math.max(0, line([small, atSize(small, kept)], [large, atSize(large, kept)], kilobytes))
}

/** The CPU of a span in each tier, in µs, by what was measured. */
export function costOf({ costs }: Coefficients, load: Pick<Load, 'kilobytes' | 'kept' | 'backends'>) {
  // What a kept span costs is mostly its way to the backends, so it grows with their number.
  const without = costAt(costs, 'samplers')({ ...load, kept: 0 })
  const samplers = costAt(costs, 'samplers')(load)
  return {
    one: costAt(costs, 'one')(load),
    gateways: costAt(costs, 'gateways')(load),
    samplers: without + ((samplers - without) * load.backends) / BACKENDS_MEASURED,
  }
}

const MIB = 1024 ** 2
const inFiles = (file: string) =>
  parseAllDocuments(readFileSync(resolve(ROOT, file), 'utf8')).map((document) => document.toJS())
const seconds = (wait: string) => Number(durationOf(wait) ?? 0) / 1e9

/** The limits of one process, each from the file that sets it. */
export const LIMITS = {
  waitSeconds: seconds(shipped.decisionWait),
  afterRootSeconds: seconds(shipped.decisionWaitAfterRoot),
  traces: shipped.numTraces,
  /** Above this, data is refused. */
  memoryBytes: shipped.refusesAtMiB * MIB,
  /** Above this share of the memory and the traces, an alert fires. */
  fullShare: shipped.samplerPercent / 100,
  /** Above this share of its core, the autoscaler adds a gateway. */
  busyShare: Number(
    inFiles('deploy/kubernetes/gateway.yaml').find(({ kind }) => kind === 'HorizontalPodAutoscaler').spec.metrics[0]
      .resource.target.averageUtilization / 100,
  ),
  /** Of one backend on one sampler. */
  queueBytes: Math.min(
    ...served(BACKENDS).map((backend) =>
      Number(valueAt(collectorFile(backend), ['exporters', exporterOf(backend.id), 'sending_queue', 'queue_size'])),
    ),
  ),
  /** What a pod of each tier asks for. */
  pod: inFiles('deploy/kubernetes/pod.yaml')[0].spec.template.spec.containers[0].resources.requests as Readonly<{
    cpu: string
    memory: string
  }>,
}

/** A sampler without traces; the rest of its memory is for those that wait. */
const EMPTY_BYTES = 200 * MIB
/** The sampler decides once a second. */
const TICK_SECONDS = 1
/** With one gateway, agents have nowhere to turn when it ends. */
const LEAST_GATEWAYS = 2

type Plan = Readonly<{
  /** Cores that work, of both tiers and of one Collector that does all. */
  gatewayCores: number
  samplerCores: number
  oneCore: number
  gateways: number
  samplers: number
  /** Why there are so many samplers. */
  samplersBy: 'CPU' | 'memory' | 'number of traces'
  waitingTraces: number
  waitingBytes: number
  hopBytesPerSecond: number
  keptBytesPerSecond: number
  /** How long a backend may be away before its queue is full. */
  queueSeconds: number
  keptGigabytesPerDay: number
}>

/** How many gateways and samplers this load needs, and what they need. */
export function planOf(load: Load, measured: Coefficients): Plan {
  const { spansPerSecond, spansPerTrace, runSeconds, withoutRoot } = load
  const cost = costOf(measured, load)
  const cores = (us: number) => (spansPerSecond * us) / 1e6
  const [gatewayCores, samplerCores, oneCore] = [cores(cost.gateways), cores(cost.samplers), cores(cost.one)]
  // A trace waits from its first span on; its spans come, on average, in the middle of the run.
  const afterRoot = LIMITS.afterRootSeconds + TICK_SECONDS
  const tracesPerSecond = spansPerSecond / spansPerTrace
  const traceSeconds = (1 - withoutRoot) * (runSeconds + afterRoot) + withoutRoot * LIMITS.waitSeconds
  const spanSeconds =
    (1 - withoutRoot) * (runSeconds / 2 + afterRoot) + withoutRoot * Math.max(0, LIMITS.waitSeconds - runSeconds / 2)
  const waitingTraces = tracesPerSecond * traceSeconds
  const [small = { kilobytes: 0, kib: Number.NaN }, large = small] = measured.waiting
  const kib = line([small.kilobytes, small.kib], [large.kilobytes, large.kib], load.kilobytes)
  const waitingBytes = spansPerSecond * spanSeconds * kib * 1024
  const needed = {
    CPU: samplerCores / LIMITS.busyShare,
    memory: waitingBytes / LIMITS.fullShare / (LIMITS.memoryBytes - EMPTY_BYTES),
    'number of traces': waitingTraces / LIMITS.fullShare / LIMITS.traces,
  } as const
  const reasons = Object.keys(needed) as (keyof typeof needed)[]
  const samplersBy = reasons.reduce((most, reason) => (needed[reason] > needed[most] ? reason : most))
  const samplers = Math.max(1, Math.ceil(needed[samplersBy]))
  const keptBytesPerSecond = spansPerSecond * load.kept * costAt(measured.costs, 'keptBytes')(load)
  return {
    gatewayCores,
    samplerCores,
    oneCore,
    gateways: Math.max(LEAST_GATEWAYS, Math.ceil(gatewayCores / LIMITS.busyShare)),
    samplers,
    samplersBy,
    waitingTraces,
    waitingBytes,
    hopBytesPerSecond: spansPerSecond * costAt(measured.costs, 'hopBytes')(load),
    keptBytesPerSecond,
    queueSeconds: (samplers * LIMITS.queueBytes) / keptBytesPerSecond,
    keptGigabytesPerDay: (keptBytesPerSecond * 86_400 * load.backends) / 1e9,
  }
}
