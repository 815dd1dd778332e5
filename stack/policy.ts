import { copyFileSync, mkdirSync, renameSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { checkPolicyFile } from '../collector/workbench/check.ts'
import { type Bench, withScratch } from '../collector/workbench/collector.ts'
import { Refusal } from '../collector/workbench/refusal.ts'
import { trialIn } from '../collector/workbench/trial.ts'
import { type Place, ROOT, Trouble } from './place.ts'
import { activePolicy } from './services.ts'

export const SHIPPED_POLICY = 'collector/policies/woodland.yaml'

/** Checks a policy file, by reading it and by a trial of the real collector. Throws `Trouble` with every defect. */
export const checkPolicy = (bench: Bench, policy: string): Promise<void> =>
  withScratch(async (folder) => {
    const path = resolve(ROOT, policy)
    const defects = await checkPolicyFile(path, trialIn(bench, folder)).catch((error: Error) => {
      throw error instanceof Refusal ? new Trouble(`${error.message}.\nNothing was changed.`) : error
    })
    if (defects.length > 0) {
      const lines = defects.map(({ line, message }) => `${shownAs(path)}${line > 0 ? `:${line}` : ''}: ${message}.`)
      throw new Trouble(`${lines.join('\n')}\nNothing was changed.`)
    }
  })

const shownAs = (path: string) => relative(process.cwd(), path)

/**
 * Checks a policy file, then makes it the policy in force in one atomic step. Throws `Trouble` with every defect
 * and leaves the policy in force as it was.
 */
export async function activatePolicy(place: Place, policy: string, bench: Bench): Promise<void> {
  await checkPolicy(bench, policy)
  const path = resolve(ROOT, policy)
  const active = activePolicy(place)
  mkdirSync(dirname(active), { recursive: true })
  copyFileSync(path, `${active}.new`)
  renameSync(`${active}.new`, active)
  bench.say(`  policy      ${shownAs(path)} is in force`)
}
