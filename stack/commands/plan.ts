import { drawIn, type Format } from '../../workbench/draw.ts'
import { durationOf } from '../../workbench/duration.ts'
import { UserError } from '../../workbench/user-error.ts'
import { chosenBackends } from '../backends/backends.ts'
import { measuredCosts, measuredWaiting } from '../measured-costs.ts'
import { costOf, LIMITS, type Load, planOf } from '../plan.ts'
import type { Settings } from '../settings.ts'

/** What a user writes, by the name of its variable. */
export type AskedPlan = Readonly<{
  spans: string
  spansPerTrace: string
  kilobytes: string
  run: string
  kept: string
  withoutRoot: string
  coreUsd?: string
  gbUsd?: string
  format: Format
}>

/** What the committed tables are made with, where somebody names only `SPANS`. */
export const PLAN_DEFAULTS = { spansPerTrace: '40', kilobytes: '1', run: '60s', kept: '10%', withoutRoot: '0%' }

const [GB, MINUTE, HOUR] = [1e9, 60, 3600]

/** Says what a load needs in two tiers, from what `make scale` and `make bench` measured. Throws `UserError` when a value is not possible. */
export function plan(settings: Settings, asked: AskedPlan): string {
  const load = loadOf(asked, chosenBackends(settings).length)
  const coefficients = { costs: measuredCosts(), waiting: measuredWaiting() }
  const [coreUsd, gbUsd] = [price('CORE_USD', asked.coreUsd), price('GB_USD', asked.gbUsd)]
  const found = planOf(load, coefficients)
  if (asked.format === 'json') return JSON.stringify({ load, plan: found }, undefined, 2)
  const cost = costOf(coefficients, load)
  const cores = found.gateways + found.samplers
  const coresUsd = cores * 24 * (coreUsd ?? Number.NaN)
  const usd = coresUsd + found.keptGigabytesPerDay * (gbUsd ?? Number.NaN)
  const atMost = coefficients.costs.map(({ kilobytes }) => kilobytes)
  const isBeyond = load.kilobytes > Math.max(...atMost) || load.kilobytes < Math.min(...atMost)
  const rows: readonly (readonly string[])[] = [
    [
      'gateways',
      `${found.gateways}`,
      `${found.gatewayCores.toFixed(1)} cores work: ${cost.gateways.toFixed(0)} µs a span, at most ${percent(LIMITS.busyShare)} of each`,
    ],
    [
      'samplers',
      `${found.samplers}`,
      `by ${found.samplersBy}; ${found.samplerCores.toFixed(1)} cores work: ${cost.samplers.toFixed(0)} µs a span`,
    ],
    ['each asks for', `${LIMITS.pod.cpu} core, ${LIMITS.pod.memory}`, 'as in deploy/kubernetes/pod.yaml'],
    [
      'one Collector instead',
      `${found.oneCore.toFixed(1)} cores`,
      found.oneCore <= LIMITS.busyShare && found.samplers === 1 ? 'is enough: you need no tiers' : 'is not enough',
    ],
    ['traces that wait', `${Math.round(found.waitingTraces)}`, `${size(found.waitingBytes)} of memory in all samplers`],
    ['between the tiers', `${size(found.hopBytesPerSecond)}/s`, 'not compressed'],
    [
      'disk for queues',
      `${size(LIMITS.queueBytes * load.backends)} each`,
      `holds ${time(found.queueSeconds)} while a backend is away; a volume of twice that size has room for gaps in the files, which are never made smaller`,
    ],
    [
      'to backends',
      `${found.keptGigabytesPerDay.toFixed(1)} GB a day`,
      `the sum for ${load.backends === 1 ? 'one backend' : `${load.backends} backends`}, as it is sent`,
    ],
    Number.isNaN(usd)
      ? [
          'USD a day',
          '–',
          'name your prices: CORE_USD=… for a core and hour, GB_USD=… for a GB that is sent to a backend',
        ]
      : [
          'USD a day',
          usd.toFixed(2),
          `${coresUsd.toFixed(2)} for ${cores} cores, the rest for ${found.keptGigabytesPerDay.toFixed(1)} GB`,
        ],
  ]
  return [
    `${Math.round(load.spansPerSecond)} spans/s in ${(load.spansPerSecond / load.spansPerTrace).toFixed(1)} traces/s of ${load.spansPerTrace} spans with ${load.kilobytes} KB of content, runs of ${load.runSeconds} s, ${percent(load.kept)} kept, ${percent(load.withoutRoot)} without a root`,
    drawIn(asked.format)([['', 'needed', 'because'], ...rows]),
    ...(isBeyond
      ? [
          `${load.kilobytes} KB is outside of what was measured (${atMost[0]} to ${atMost.at(-1)} KB), so this is a straight line drawn on.`,
        ]
      : []),
    'From docs/measured/scale.md and speed.md, measured on one machine: on yours, measure again with make scale.',
  ].join('\n\n')
}

const percent = (share: number) => `${Math.round(share * 1000) / 10} %`
const size = (bytes: number) => (bytes < GB ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / GB).toFixed(1)} GB`)
const time = (seconds: number) =>
  seconds < 2 * HOUR ? `${Math.floor(seconds / MINUTE)} min` : `${Math.floor(seconds / HOUR)} h`

function loadOf(asked: AskedPlan, backends: number): Load {
  return {
    spansPerSecond: rate(asked.spans),
    spansPerTrace: number('SPANS_PER_TRACE', asked.spansPerTrace, 1, 100_000),
    kilobytes: number('KB', asked.kilobytes, 0, 4096),
    runSeconds: duration(asked.run),
    kept: share('KEPT', asked.kept),
    withoutRoot: share('WITHOUT_ROOT', asked.withoutRoot),
    backends,
  }
}

const MOST_SPANS = 1e8

function rate(text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\/(s|min|h|day)$/.exec(text) ?? []
  const seconds = { s: 1, min: MINUTE, h: HOUR, day: 24 * HOUR }[unit ?? ''] ?? Number.NaN
  const spans = Number(digits) / seconds
  if (spans > 0 && spans <= MOST_SPANS) return spans
  throw new UserError(
    `SPANS must be a number of spans above 0 in a second, minute, hour or day, such as SPANS=50000/s or SPANS=2000000/day, and at most ${MOST_SPANS}/s, not "${text}".`,
  )
}

function number(name: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (/^\d+(?:\.\d+)?$/.test(text) && value >= least && value <= most && value > 0) return value
  throw new UserError(
    `${name} must be a number above ${least === 0 ? 0 : `or equal to ${least}`} and at most ${most}, not "${text}".`,
  )
}

function share(name: string, text: string): number {
  const [, digits] = /^(\d+(?:\.\d+)?) ?%$/.exec(text) ?? []
  const value = Number(digits) / 100
  if (value >= 0 && value <= 1) return value
  throw new UserError(`${name} must be a share from 0% to 100%, such as ${name}=12.5%, not "${text}".`)
}

const LONGEST_RUN_SECONDS = 86_400

function duration(text: string): number {
  const value = Number(durationOf(text) ?? Number.NaN) / 1e9
  if (value > 0 && value <= LONGEST_RUN_SECONDS) return value
  throw new UserError(`RUN must be how long a run takes, up to 24h, such as RUN=90s or RUN=10m, not "${text}".`)
}

function price(name: string, text: string | undefined): number | undefined {
  if (!text) return undefined
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text)
  throw new UserError(`${name} must be a price in USD, such as ${name}=0.04, not "${text}".`)
}
