import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { parse } from 'yaml'

const ROOT = join(import.meta.dirname, '..', '..')
const POLICY = 'collector/policies/woodland.yaml'
const COLLECTOR = 'collector/config.yaml'

const text = (file: string) => readFileSync(join(ROOT, file), 'utf8')

/** A value that YAML leaves to the environment, with its default. */
const WITH_DEFAULT = /\$\{(?:env:)?(\w+):-([^}]+)\}/

/** The default of a variable in a file of the Collector. */
export const defaultOf = (variable: string, file: string, found = text(file)): string => {
  for (const [, name, value = ''] of found.matchAll(new RegExp(WITH_DEFAULT, 'g'))) if (name === variable) return value
  throw new Error(
    `${file} must read ${variable} with a default, because the boards show that number: write \${env:${variable}:-…} there, or change ${relative(ROOT, import.meta.filename)}`,
  )
}

/** The value at a path of keys in a YAML file; of one that is left to the environment, the default. */
export const valueAt = (file: string, path: string | readonly string[], found = text(file)): string => {
  const keys = typeof path === 'string' ? path.split('/') : path
  const value = keys.reduce<unknown>(
    (inner, key) => (inner as Record<string, unknown> | undefined)?.[key],
    parse(found, { merge: true }),
  )
  if (typeof value !== 'string' && typeof value !== 'number')
    throw new Error(
      `${file} must have ${keys.join('.')}, because the boards show that number: write it there, or change ${relative(ROOT, import.meta.filename)}`,
    )
  return WITH_DEFAULT.exec(String(value))?.[2] ?? String(value)
}

/** What the last policy of a list keeps by chance. */
const samplePercentOf = (file: string): number => {
  const policies = parse(text(file)) as readonly { probabilistic?: { sampling_percentage: number } }[]
  const percent = policies.at(-1)?.probabilistic?.sampling_percentage
  if (!percent)
    throw new Error(
      `${file} must end with a policy of the type probabilistic, because the boards show how far estimates may be off by chance: write one, or change ${relative(ROOT, import.meta.filename)}`,
    )
  return percent
}

const sampler = (key: string) => valueAt(COLLECTOR, `processors/tail_sampling/${key}`)
const limiter = (key: string) => Number(valueAt(COLLECTOR, `processors/memory_limiter/${key}`))

/**
 * Numbers that boards, alerts and TraceQL questions share. Each stands once: what another file decides is read from there.
 * In grafana/alerts.yaml and grafana/traceql.yaml they are written as ${name}.
 */
export const settings = {
  /** The shipped list keeps every slower model call, so a link to slow calls finds them all. A turn with one is slow too. */
  slowCall: defaultOf('SLOW_CALL', POLICY),
  /** Tokens of one tick. The shipped list keeps every tick with as many. */
  tokenHeavy: defaultOf('TOKEN_HEAVY', POLICY),
  /** Percent of the traces that no other policy keeps. */
  samplePercent: samplePercentOf(POLICY),
  /** Tokens of one turn. An ordinary turn uses some 500, and one in ten more than this: with less, the newest hundred would be routine. */
  costlyTurn: 1000,

  /** Model calls in one turn, as a mean. Our recordings have 1.5, and 5 in their longest turn. */
  callsPerTurn: 4,
  /** Percent of an agent's turns. The simulator has 7, and 14 in the worst ten minutes of two hours. */
  refusedPercent: 30,
  /** Percent of an agent's turns. The simulator has 1, and 4 in the worst ten minutes of two hours. */
  selfBuyPercent: 10,
  /** Seconds, of the p95 of a turn. The simulator has 1 to 2.6 for five minutes on end; raise it for a slower model. */
  slowTurnSeconds: 5,
  /** Points of percent that a pass rate of half an hour may be below that of a day. By chance it moves some ten with as few runs as below. */
  passRateFall: 20,
  /** Evaluations in half an hour. With fewer, one or two failures are a fall. */
  enoughEvaluations: 30,
  /** Seconds that a turn may be open. Agents work for minutes; after ten, the sampler does not wait for the rest of a trace any more. */
  stuckTurnSeconds: 600,
  /** Percent of a budget that is left: nine tenths are spent, and there is time to act before all of it is. */
  budgetLeftPercent: 10,
  /** Times faster than the budget allows, in an hour: the budget of a day is gone in eight. */
  budgetBurn: 3,
  /** Percent of a queue. Half a queue is time to act; what does not fit is lost. */
  queuePercent: 50,
  /** Percent of the traces or the memory that the sampler may hold. The heap counts as it is after garbage collection, so it comes late: leave room. */
  samplerPercent: 60,

  /** Series of one service, half of what there is room for: the Collector drops new ones above its limits. */
  spanSeries: Number(valueAt(COLLECTOR, ['connectors', 'span_metrics/every', 'aggregation_cardinality_limit'])) / 2,
  sdkSeries: Number(valueAt(COLLECTOR, ['processors', 'delta_to_cumulative/share_0', 'max_streams'])) / 2,
  usageSeries: Number(valueAt(COLLECTOR, ['processors', 'delta_to_cumulative/counted_0', 'max_streams'])) / 2,
  /** Seconds. Half of the time after which Prometheus gives up. */
  slowPageSeconds: Number.parseInt(valueAt('grafana/prometheus.yaml', 'global/scrape_timeout'), 10) / 2,

  decisionWait: sampler('decision_wait'),
  decisionWaitAfterRoot: sampler('decision_wait_after_root_received'),
  waitingTraces: Number(sampler('num_traces')).toLocaleString('en'),
  /** The memory limiter refuses data above its soft limit: the limit less the room for spikes. */
  refusesAtMiB: limiter('limit_mib') - limiter('spike_limit_mib'),
  numTraces: Number(sampler('num_traces')),
  largestTraceMiB: Number(sampler('maximum_trace_size_bytes')) / 1024 ** 2,
  largestRequestMiB: Number(valueAt(COLLECTOR, 'receivers/otlp/protocols/grpc/max_recv_msg_size_mib')),
  largestAttributeMiB: Number(valueAt('grafana/tempo.yaml', 'distributor/max_attribute_bytes')) / 1024 ** 2,
  scrapeInterval: valueAt('grafana/prometheus.yaml', 'global/scrape_interval'),
} as const

/** A text with ${name} replaced by the setting of that name. */
export const fillIn = (file: string, found = text(file)): string =>
  found.replace(/\$\{(\w+)\}/g, (_, name: string) => {
    if (name in settings) return String(settings[name as keyof typeof settings])
    throw new Error(
      `${file} names \${${name}}, which is no setting: use one of ${Object.keys(settings).join(', ')}, or add it to ${relative(ROOT, import.meta.filename)}`,
    )
  })
