import { rmSync } from 'node:fs'
import { compareVerdicts, type Verdicts } from '../../evidence/tiers/verdicts.ts'
import type { Caller } from '../../workbench/collector.ts'
import { drawIn } from '../../workbench/draw.ts'
import { lowerBound } from '../../workbench/table.ts'
import { withVariables } from '../../workbench/variables.ts'
import type { Result } from '../measured.ts'
import { COSTS_HEAD, costRow, measuredWaiting } from '../measured-costs.ts'
import { ownSettings } from '../own-stack.ts'
import type { Measured } from '../plan.ts'
import { shippedList } from '../policy.ts'
import { type Checked, checkPlan, measureCosts } from '../scale/cost.ts'
import { makeLab } from '../scale/lab.ts'
import {
  type Endurance,
  endure,
  LOADED,
  measureThroughput,
  RECOVERED_WITHIN_SECONDS,
  SAMPLER_SHARE,
  type Scaled,
} from '../scale/limited.ts'
import { needsProc } from '../scale/throttle.ts'
import type { Settings } from '../settings.ts'
import { wholeNumber } from '../whole-number.ts'

/** What is aimed at. */
const AIMS = { secondTierUs: 20, doubling: 0.9, cpuSpread: 0.1, planError: 0.25 } as const

/** Measures two tiers against one Collector: verdicts, cost, throughput, endurance, and whether the plan is right. */
export async function runScale(
  { count, minutes, seed }: Readonly<{ count: string; minutes: string; seed: string }>,
  options: Caller,
): Promise<Result> {
  needsProc()
  const size = {
    mustKeep: wholeNumber('COUNT', count),
    minutes: wholeNumber('MINUTES', minutes),
    seed: wholeNumber('SEED', seed),
  }
  const settings = await ownSettings()
  const found = await measure(settings, size, options).finally(() =>
    rmSync(settings.state, { recursive: true, force: true }),
  )
  const { verdicts, costs, checked, scaled, endurance } = found
  return {
    holds: verdicts.different + verdicts.lost + verdicts.split + endurance.lost === 0,
    report: (format) => {
      if (format === 'json') return JSON.stringify(found, (_, value) => (value instanceof Map ? [...value] : value), 2)
      const draw = drawIn(format)
      return [
        '2 gateways and 3 samplers, against one Collector with the same traffic.',
        draw([['verdicts', 'found', 'aim'], ...verdictRows(verdicts)]),
        'CPU of a span in µs. The second tier is what the gateways and samplers use more than one Collector. Both take turns; the median of five turns counts.',
        draw([COSTS_HEAD, ...costs.map(costRow)]),
        `The aim for the second tier is ${AIMS.secondTierUs} µs or less: ${secondTier(costs)}.`,
        'What the plan gives for other set-ups, and what was measured there: CPU of a span in µs. Machines change their speed, so one Collector is measured again beside each set-up: the planned figures are those of the table above, times what a span needs there compared with then.',
        draw([
          [
            'gateways × samplers',
            'compared with then',
            'gateways',
            'measured',
            'samplers',
            'measured',
            'largest error',
          ],
          ...checked.map(checkedRow),
        ]),
        `The aim is an error of ${percent(AIMS.planError)} or less: ${checked.every((row) => errorOf(row) <= AIMS.planError) ? 'reached' : 'not reached'}.`,
        `Throughput when more is sent than samplers can take. Each sampler is limited to ${percent(SAMPLER_SHARE)} of a core, and one gateway, which does not mask here, has no limit.`,
        draw([
          ['samplers', 'spans/s', 'compared with half as many', 'CPU µs per span', 'of a core each'],
          ...scaled.map(scaledRow),
        ]),
        `The aim for a doubling is ${AIMS.doubling * 2} ×, and CPU of a span within ${percent(AIMS.cpuSpread)}.`,
        `Load on 2 gateways with ${percent(LOADED.gateway)} of a core each and 3 samplers with ${percent(LOADED.sampler)} each. The plan allows ${Math.round(endurance.allowed)} spans/s for them, at the speed of the machine just before; a span needed ${endurance.drift.toFixed(2)} × as much CPU after the load.`,
        draw([
          [
            'of the plan',
            'minutes',
            'spans/s',
            'answered 200',
            'refused',
            'refused without a time to try again',
            'no answer in 10 s',
            'not sent, too many open',
            'slowest answer',
            'MB of the largest process, in the middle and at the end',
          ],
          ...endurance.rows.map(enduranceRow),
        ]),
        enduranceSaid(endurance),
      ].join('\n\n')
    },
  }
}

type Size = Readonly<{ mustKeep: number; minutes: number; seed: number }>

async function measure(settings: Settings, size: Size, options: Caller) {
  const lab = await makeLab(settings, options)
  const list = withVariables(shippedList(), {})
  const verdicts = await compareVerdicts(lab, { list, ...size })
  const costs = await measureCosts(lab)
  const coefficients = { costs, waiting: measuredWaiting() }
  const checked = await checkPlan(lab, coefficients)
  const scaled = await measureThroughput(lab)
  const endurance = await endure(lab, coefficients, size.minutes)
  return { verdicts, costs, checked, scaled, endurance }
}

const percent = (share: number) => `${Math.round(share * 100)} %`

function verdictRows(found: Verdicts): readonly (readonly string[])[] {
  const kept = found.mustKeep - found.lost
  return [
    ['traces, with spans of 8 services through both gateways', String(found.traces), '–'],
    ['traces kept by one Collector, by two tiers', `${found.byOne}, ${found.byTiers}`, 'the same'],
    ['traces with another policy or another number of spans', String(found.different), '0'],
    ['traces that must be kept, and that two tiers kept whole', `${kept} of ${found.mustKeep}`, 'all of ≥ 30,000'],
    [
      'recall, and what it is at least (95 %)',
      `${((100 * kept) / found.mustKeep).toFixed(2)} %, ${(Math.floor(lowerBound(kept, found.mustKeep) * 1e6) / 1e4).toFixed(4)} %`,
      '100 %',
    ],
    ['traces that two samplers judged', String(found.split), '0'],
    ['share of the sampler with the fewest kept traces', percent(found.leastShare), 'a third'],
  ]
}

const secondTier = (costs: readonly Measured[]) =>
  costs
    .map(
      ({ kilobytes, kept, one, gateways, samplers }) =>
        `${(gateways + samplers - one).toFixed(1)} µs at ${kilobytes} KB and ${percent(kept)} kept`,
    )
    .join(', ')

const errorOf = ({ gateways, samplers }: Checked) =>
  Math.max(...[gateways, samplers].map(([planned, measured]) => Math.abs(planned - measured) / measured))

const checkedRow = (row: Checked) => [
  row.what,
  `${row.drift.toFixed(2)} ×`,
  ...[...row.gateways, ...row.samplers].map((us) => us.toFixed(1)),
  percent(errorOf(row)),
]

const scaledRow = ({ samplers, spansPerSecond, usPerSpan, share }: Scaled, index: number, all: readonly Scaled[]) => {
  const before = all[index - 1]?.spansPerSecond
  return [
    String(samplers),
    spansPerSecond.toFixed(0),
    before ? `${(spansPerSecond / before).toFixed(2)} ×` : '–',
    usPerSpan.toFixed(1),
    `${(share * 100).toFixed(1)} %`,
  ]
}

function enduranceRow({ what, seconds, spansPerSecond, flow, megabytes }: Endurance['rows'][number]) {
  const refused = [...flow.statuses].filter(([status]) => status !== 200 && status !== 0)
  return [
    what,
    String(seconds / 60),
    spansPerSecond.toFixed(0),
    String(flow.statuses.get(200) ?? 0),
    String(refused.reduce((sum, [, count]) => sum + count, 0)),
    String(flow.withoutHint),
    String(flow.statuses.get(0) ?? 0),
    String(flow.held),
    `${flow.slowestMs.toFixed(0)} ms`,
    megabytes.map((size) => size.toFixed(0)).join(', '),
  ]
}

const enduranceSaid = ({ recoveredAfter, lost }: Endurance) =>
  `No process ended. Of what was answered with 200, ${lost} spans did not come to a sampler. ${
    recoveredAfter === undefined
      ? `Back at 80 %, answers were not quick again within ${RECOVERED_WITHIN_SECONDS} s.`
      : `Back at 80 %, everything was answered within a second again after ${recoveredAfter} s (aim: ${RECOVERED_WITHIN_SECONDS} s).`
  }`
