import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { biasOf, biasReport, isUnbiased } from '../collector/proof/bias.ts'
import { readCases } from '../collector/proof/cases.ts'
import { type Mutant, missed, mutationReport, tryMutants } from '../collector/proof/mutation.ts'
import { recallOf, recallReport } from '../collector/proof/recall.ts'
import { withScratch } from '../collector/workbench/collector.ts'
import type { Format } from '../collector/workbench/draw.ts'
import { readRecording, timeFactorOf } from '../collector/workbench/recording.ts'
import { benchOf } from './bench.ts'
import { type Place, ROOT, Trouble } from './place.ts'
import { checkPolicy, SHIPPED_POLICY } from './policy.ts'
import { pricesToday } from './prices.ts'
import { slowCall } from './services.ts'
import { COMMITTED_RECORDING, mendable } from './workbench.ts'

type Options = Readonly<{ cancel: AbortSignal; say: (line: string) => void }>
export type Proof = Readonly<{ text: string; holds: boolean }>

export const CASES = resolve(ROOT, 'collector/policies/test')
const readText = (path: string) => readFileSync(resolve(ROOT, path), 'utf8')

/** Makes every mutant of the shipped list and says what finds it out. */
export const proveMutation = (
  place: Place,
  format: Format,
  options: Options,
  cases = readCases(CASES),
): Promise<Proof> =>
  withScratch(async (folder) => {
    const bench = await benchOf(place, options)
    const check = async ({ name, text }: Mutant) => {
      const file = join(folder, `${createHash('sha256').update(name).digest('hex')}.yaml`)
      writeFileSync(file, text)
      const error = await checkPolicy({ ...bench, say: () => {} }, file).then(
        () => undefined,
        (reason: unknown) => reason,
      )
      if (error === undefined) return undefined
      if (!(error instanceof Trouble)) throw error
      return /\.yaml(?::\d+)?: (.+)/.exec(error.message)?.[1] ?? error.message
    }
    const recording = resolve(ROOT, COMMITTED_RECORDING)
    const verdicts = await tryMutants(bench, readText(SHIPPED_POLICY), {
      cases,
      check,
      config: readText('collector/config.yaml'),
      other: {
        requests: () => readRecording(recording),
        speed: 20,
        slowCall: slowCall(place, await timeFactorOf(recording)),
      },
    })
    return { text: mutationReport(verdicts, format), holds: missed(verdicts).length === 0 }
  })

export type Sent = Readonly<{ seed: number; count: number }>

/** Sends must-keep traces through a list, by default the shipped one, and says how many came out. Throws `Trouble` when a number is none. */
export async function proveRecall(
  place: Place,
  { seed, count }: Sent,
  format: Format,
  options: Options,
  policy = SHIPPED_POLICY,
): Promise<Proof> {
  for (const [name, value] of Object.entries({ SEED: seed, COUNT: count }))
    if (!Number.isSafeInteger(value) || value < 1)
      throw new Trouble(`${name} must be a whole number from 1, such as 300000.`)
  const bench = await benchOf(place, options)
  const recall = await mendable(recallOf(bench, { policyFile: resolve(ROOT, policy), seed, count }))
  return { text: recallReport(recall, format), holds: recall.missed.length === 0 }
}

export type Salted = Readonly<{ seed: number; traces: number; salts: number }>

/** Estimates from kept traces alone what all of them were, under many salts, and holds it against the truth. */
export async function proveUnbiased(
  place: Place,
  { seed, traces, salts }: Salted,
  format: Format,
  options: Options,
  weigh?: (weight: number) => number,
): Promise<Proof> {
  const [price] = pricesToday()
  if (!price) throw new Trouble('grafana/prices.yaml has no price that holds today: add one.')
  const usdOf = (input: number, output: number) => (input * price.input + output * price.output) / 1e6
  const lists = { config: readText('collector/config.yaml'), shipped: readText(SHIPPED_POLICY) }
  const bench = await benchOf(place, options)
  const cells = await mendable(biasOf(bench, lists, { seed, traces, salts, usdOf }, weigh))
  return { text: biasReport(cells, { traces, salts }, format), holds: isUnbiased(cells) }
}
