import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { biasOf, biasReport, isUnbiased } from '../evidence/bias.ts'
import { readCases } from '../evidence/cases.ts'
import { type Mutant, madeTraffic, missed, mutationReport, tryMutants } from '../evidence/mutation.ts'
import { isKept, recallOf, recallReport } from '../evidence/recall.ts'
import { BEGINNING } from '../evidence/traffic.ts'
import { checkPolicyFile } from '../workbench/check.ts'
import { withScratch } from '../workbench/collector.ts'
import type { Format } from '../workbench/draw.ts'
import { readRecording } from '../workbench/recording.ts'
import { trialIn } from '../workbench/trial.ts'
import { benchOf } from './collectors.ts'
import { type Place, ROOT, Trouble } from './place.ts'
import { SHIPPED_POLICY } from './policy.ts'
import { COMMITTED_RECORDING, mendable, pricesOf } from './workbench.ts'

type Options = Readonly<{ cancel: AbortSignal; say: (line: string) => void }>
export type Proof = Readonly<{ text: string; holds: boolean }>

export const CASES = resolve(ROOT, 'evidence/cases')
const readText = (path: string) => readFileSync(resolve(ROOT, path), 'utf8')

/** Made traces, for mutants that no case finds out. */
const OTHER_TRACES = 3000
/** At which the recording is replayed. */
const SPEED = 10

/** Makes every mutant of the shipped list and says what finds it out. Throws `Trouble` when a case cannot be read. */
export const proveMutation = (place: Place, format: Format, options: Options): Promise<Proof> =>
  mendable(
    (async () => {
      const cases = readCases(CASES)
      const bench = await benchOf(place, options)
      const check = ({ text }: Mutant) =>
        withScratch(async (folder) => {
          const file = join(folder, 'list.yaml')
          writeFileSync(file, text)
          const [defect] = await checkPolicyFile(file, trialIn(bench, folder))
          return defect && `${defect.message}.`
        })
      const recording = resolve(ROOT, COMMITTED_RECORDING)
      const verdicts = await tryMutants(bench, readText(SHIPPED_POLICY), {
        cases,
        check,
        config: readText('collector/config.yaml'),
        others: [
          { requests: () => readRecording(recording), speed: SPEED, slowCall: '' },
          ...madeTraffic(OTHER_TRACES),
        ],
      })
      return { text: mutationReport(verdicts, format), holds: missed(verdicts).length === 0 }
    })(),
  )

export type Sent = Readonly<{ seed: string | number; count: string | number }>

/** Reads a number that a user gave by this name. Throws `Trouble` when it is none from 1. */
export function wholeNumber(name: string, given: string | number): number {
  const number = Number(given)
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new Trouble(`${name}=${given} must be a whole number from 1, such as ${name}=3000.`)
}

/** Sends must-keep traces through a list, by default the shipped one, and says how many came out. Throws `Trouble` when a number is none. */
export async function proveRecall(
  place: Place,
  { seed, count }: Sent,
  format: Format,
  options: Options,
  policy = SHIPPED_POLICY,
): Promise<Proof> {
  const sent = { seed: wholeNumber('SEED', seed), count: wholeNumber('COUNT', count) }
  const bench = await benchOf(place, options)
  const recall = await mendable(recallOf(bench, { list: readText(policy), ...sent }))
  return { text: recallReport(recall, format), holds: isKept(recall) }
}

export type Salted = Readonly<{ seed: string | number; traces: number; salts: number }>

/** Estimates from kept traces alone what all of them were, under many salts, and holds it against the truth. */
export async function proveUnbiased(
  place: Place,
  { seed, traces, salts }: Salted,
  format: Format,
  options: Options,
  weigh?: (weight: number) => number,
): Promise<Proof> {
  const wish = { seed: wholeNumber('SEED', seed), traces, salts, priceOf: pricesOf(BEGINNING) }
  const lists = { config: readText('collector/config.yaml'), shipped: readText(SHIPPED_POLICY) }
  const bench = await benchOf(place, options)
  const bias = await mendable(biasOf(bench, lists, wish, weigh))
  return { text: biasReport(bias, wish, format), holds: isUnbiased(bias) }
}
