import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { readCases } from '../../evidence/cases.ts'
import { type Mutant, madeTraffic, missed, mutationReport, tryMutants } from '../../evidence/mutation.ts'
import { checkPolicyFile } from '../../workbench/check.ts'
import { type Caller, withScratch } from '../../workbench/collector.ts'
import { readRecording } from '../../workbench/recording.ts'
import { trialIn } from '../../workbench/trial.ts'
import { launcherFor } from '../collectors.ts'
import type { Result } from '../measured.ts'
import { shippedList } from '../policy.ts'
import { ROOT, type Settings } from '../settings.ts'
import { COMMITTED_RECORDING } from '../workbench.ts'

export const CASES = resolve(ROOT, 'evidence/cases')
/** How many generated traces are sent to mutants that no case finds. */
const OTHER_TRACES = 3000
/** How much faster than recorded the replay is. */
const SPEED = 10

/** Makes every mutant of the shipped list and reports what finds it. Throws `UserError` when a case cannot be read. */
export async function runMutation(settings: Settings, options: Caller): Promise<Result> {
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
  const verdicts = await tryMutants(launcher, shippedList(), {
    cases,
    check,
    others: [{ requests: () => readRecording(recording), speed: SPEED, slowCall: '' }, ...madeTraffic(OTHER_TRACES)],
  })
  return { report: (format) => mutationReport(verdicts, format), holds: missed(verdicts).length === 0 }
}
