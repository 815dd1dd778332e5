import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { readCases } from '../collector/proof/cases.ts'
import { type Mutant, missed, mutationReport, tryMutants } from '../collector/proof/mutation.ts'
import { withScratch } from '../collector/workbench/collector.ts'
import type { Format } from '../collector/workbench/draw.ts'
import { readRecording, timeFactorOf } from '../collector/workbench/recording.ts'
import { benchOf } from './bench.ts'
import { type Place, ROOT, Trouble } from './place.ts'
import { checkPolicy, SHIPPED_POLICY } from './policy.ts'
import { slowCall } from './services.ts'
import { COMMITTED_RECORDING } from './workbench.ts'

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
