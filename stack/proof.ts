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
import { UserError } from '../workbench/user-error.ts'
import { launcherFor } from './collectors.ts'
import { SHIPPED_POLICY } from './policy.ts'
import { ROOT, type Settings } from './settings.ts'
import { COMMITTED_RECORDING, pricesOf } from './workbench.ts'

type Options = Readonly<{ cancel: AbortSignal; say: (line: string) => void }>
export type Result = Readonly<{ text: string; holds: boolean }>

export const CASES = resolve(ROOT, 'evidence/cases')
const readText = (path: string) => readFileSync(resolve(ROOT, path), 'utf8')

/** Made traces, for mutants that no case finds out. */
const OTHER_TRACES = 3000
/** At which the recording is replayed. */
const SPEED = 10

/** Makes every mutant of the shipped list and says what finds it out. Throws `UserError` when a case cannot be read. */
export async function runMutation(settings: Settings, format: Format, options: Options): Promise<Result> {
  const cases = readCases(CASES)
  const launcher = await launcherFor(settings, options)
  const check = ({ text }: Mutant) =>
    withScratch(async (folder) => {
      const file = join(folder, 'list.yaml')
      writeFileSync(file, text)
      const [defect] = await checkPolicyFile(file, trialIn(launcher, folder))
      return defect && `${defect.message}.`
    })
  const recording = resolve(ROOT, COMMITTED_RECORDING)
  const verdicts = await tryMutants(launcher, readText(SHIPPED_POLICY), {
    cases,
    check,
    others: [{ requests: () => readRecording(recording), speed: SPEED, slowCall: '' }, ...madeTraffic(OTHER_TRACES)],
  })
  return { text: mutationReport(verdicts, format), holds: missed(verdicts).length === 0 }
}

export type Sent = Readonly<{ seed: string | number; count: string | number }>

/** Reads a number that a user gave by this name. Throws `UserError` when it is none from 1. */
export function wholeNumber(name: string, given: string | number): number {
  const number = Number(given)
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new UserError(`${name}=${given} must be a whole number from 1, such as ${name}=3000.`)
}

/** Sends must-keep traces through a list, by default the shipped one, and says how many came out. Throws `UserError` when a number is none. */
export async function runRecall(
  settings: Settings,
  { seed, count }: Sent,
  format: Format,
  options: Options,
  policy = SHIPPED_POLICY,
): Promise<Result> {
  const sent = { seed: wholeNumber('SEED', seed), count: wholeNumber('COUNT', count) }
  const launcher = await launcherFor(settings, options)
  const recall = await recallOf(launcher, { list: readText(policy), ...sent })
  return { text: recallReport(recall, format), holds: isKept(recall) }
}

export type Salted = Readonly<{ seed: string | number; traces: number; salts: number }>

/** Estimates from kept traces alone what all of them were, under many salts, and holds it against the truth. */
export async function runBias(
  settings: Settings,
  { seed, traces, salts }: Salted,
  format: Format,
  options: Options,
  weigh?: (weight: number) => number,
): Promise<Result> {
  const size = { seed: wholeNumber('SEED', seed), traces, salts, priceOf: pricesOf(BEGINNING) }
  const launcher = await launcherFor(settings, options)
  const bias = await biasOf(launcher, readText(SHIPPED_POLICY), size, weigh)
  return { text: biasReport(bias, size, format), holds: isUnbiased(bias) }
}
