import type { Running } from '../../workbench/collector.ts'
import { type Coefficients, costOf, type Measured } from '../plan.ts'
import { quantile } from '../speed.ts'
import { bytesOf, type Lab, runningOf, sendAndSettle, withTiers } from './lab.ts'
import { cpuSeconds } from './throttle.ts'

const KB = 1024
/** The plan draws straight lines through these. */
const MEASURED_AT = [
  { kilobytes: 1, kept: 0.1 },
  { kilobytes: 1, kept: 0.3 },
  { kilobytes: 4, kept: 0.1 },
  { kilobytes: 4, kept: 0.3 },
] as const
const ROUNDS = 5
/** So many that what a process does without spans, such as its pages, is a small part. */
const SPANS = { warm: 2000, measured: 16_000 }

const cpuOf = (some: readonly Running[]) => some.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0)
const middle = (values: readonly number[]) => quantile(values, 0.5)

type Turn = Omit<Measured, 'kilobytes' | 'hopBytes'>

/** The CPU of a span in one Collector and in two gateways with three samplers, which take turns with the same traffic. */
export async function measureCosts(lab: Lab): Promise<readonly Measured[]> {
  return withTiers(lab, { gateways: 2, samplers: 3, hasOne: true }, async ({ gateways, samplers, one, sinkBytes }) => {
    if (!one) throw new Error('the one Collector is not there')
    const [first, second] = [runningOf(gateways), runningOf(samplers)]
    const rows: Measured[] = []
    for (const { kilobytes, kept } of MEASURED_AT) {
      const content = { bytes: kilobytes * KB, kept }
      const turns: Turn[] = []
      for (let round = 0; round <= ROUNDS; round++) {
        const spans = round === 0 ? SPANS.warm : SPANS.measured
        const [beforeOne, beforeBytes] = [cpuOf([one]), sinkBytes()]
        const alone = await sendAndSettle(lab, [one], [one], content, spans)
        const [afterOne, bytes] = [cpuOf([one]), sinkBytes() - beforeBytes]
        const [beforeFirst, beforeSecond] = [cpuOf(first), cpuOf(second)]
        await sendAndSettle(lab, first, second, content, spans)
        const us = (seconds: number) => (seconds * 1e6) / alone.spans
        const turn = {
          one: us(afterOne - beforeOne),
          gateways: us(cpuOf(first) - beforeFirst),
          samplers: us(cpuOf(second) - beforeSecond),
          kept: alone.kept,
          // Two backends got it.
          keptBytes: bytes / 2 / (alone.kept * alone.spans),
        }
        if (round === 0) continue
        turns.push(turn)
        lab.say(
          `  cost, ${kilobytes} KB, turn ${round} of ${ROUNDS}: one Collector ${turn.one.toFixed(1)} µs a span, gateways ${turn.gateways.toFixed(1)} + samplers ${turn.samplers.toFixed(1)}`,
        )
      }
      const of = (what: keyof Turn) => middle(turns.map((turn) => turn[what]))
      rows.push({
        kilobytes,
        kept: of('kept'),
        one: of('one'),
        gateways: of('gateways'),
        samplers: of('samplers'),
        hopBytes: bytesOf(content),
        keptBytes: of('keptBytes'),
      })
    }
    return rows
  })
}

/**
 * By how many times the CPU of a span has grown since the costs were measured. Some machines change their speed within minutes, so
 * a plan is compared with what is measured beside this.
 */
export async function driftOf(lab: Lab, one: Running | undefined, costs: readonly Measured[]): Promise<number> {
  const [then] = costs
  if (!one || !then) throw new Error('the one Collector and its cost are needed')
  const before = cpuOf([one])
  const { kilobytes, kept } = MEASURED_AT[0]
  const { spans } = await sendAndSettle(lab, [one], [one], { bytes: kilobytes * KB, kept }, SPANS.measured)
  return ((cpuOf([one]) - before) * 1e6) / spans / then.one
}

export type Checked = Readonly<{
  what: string
  /** By which the planned figures were multiplied. */
  drift: number
  gateways: readonly [planned: number, measured: number]
  samplers: readonly [planned: number, measured: number]
}>

/** Other sizes, other shares, other numbers of processes than those that the plan was made from. */
const CHECKED_AT = [
  { gateways: 1, samplers: 1, kilobytes: 2, kept: 0.2 },
  { gateways: 2, samplers: 2, kilobytes: 3, kept: 0.1 },
  { gateways: 1, samplers: 4, kilobytes: 1, kept: 0.5 },
] as const
const CHECK_ROUNDS = 3

/** Compares the CPU that the plan gives with the CPU that other set-ups use, in µs a span. */
export async function checkPlan(lab: Lab, coefficients: Coefficients): Promise<readonly Checked[]> {
  const found: Checked[] = []
  for (const { kilobytes, kept, ...size } of CHECKED_AT)
    await withTiers(lab, { ...size, hasOne: true }, async (running) => {
      const [first, second] = [runningOf(running.gateways), runningOf(running.samplers)]
      const content = { bytes: kilobytes * KB, kept }
      await sendAndSettle(lab, first, second, content, SPANS.warm)
      await driftOf(lab, running.one, coefficients.costs)
      const turns: { gateways: number; samplers: number; kept: number; drift: number }[] = []
      for (let round = 0; round < CHECK_ROUNDS; round++) {
        const [beforeFirst, beforeSecond] = [cpuOf(first), cpuOf(second)]
        const sent = await sendAndSettle(lab, first, second, content, SPANS.measured)
        const us = (seconds: number) => (seconds * 1e6) / sent.spans
        turns.push({
          gateways: us(cpuOf(first) - beforeFirst),
          samplers: us(cpuOf(second) - beforeSecond),
          kept: sent.kept,
          drift: await driftOf(lab, running.one, coefficients.costs),
        })
      }
      const of = (what: keyof (typeof turns)[number]) => middle(turns.map((turn) => turn[what]))
      const planned = costOf(coefficients, { kilobytes, kept: of('kept'), backends: 2 })
      const row: Checked = {
        what: `${size.gateways} × ${size.samplers}, ${kilobytes} KB, ${Math.round(of('kept') * 100)} % kept`,
        drift: of('drift'),
        gateways: [planned.gateways * of('drift'), of('gateways')],
        samplers: [planned.samplers * of('drift'), of('samplers')],
      }
      lab.say(`  plan, ${row.what}: ${said(row.gateways)} in gateways, ${said(row.samplers)} in samplers`)
      found.push(row)
    })
  return found
}

const said = ([planned, measured]: readonly [number, number]) =>
  `${planned.toFixed(1)} µs planned and ${measured.toFixed(1)} measured`
