import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { checkPolicyFile, type Defect, readText, warningsOn } from '../workbench/check.ts'
import { type Bench, withScratch } from '../workbench/collector.ts'
import { Refusal } from '../workbench/refusal.ts'
import { trialIn } from '../workbench/trial.ts'
import { type Place, ROOT, Trouble } from './place.ts'
import { activePolicy } from './services.ts'

export const SHIPPED_POLICY = 'collector/policies/woodland.yaml'

/** The list that was in force before the one that is. */
export const policyBefore = (place: Place): string => resolve(dirname(activePolicy(place)), 'before.yaml')

/**
 * Checks a policy file, by reading it and by a trial of the real collector, and says what may not be meant. Answers
 * the text that was checked. Throws `Trouble` with every defect.
 */
export const checkPolicy = (bench: Bench, policy: string): Promise<string> =>
  withScratch(async (folder) => {
    const path = resolve(ROOT, policy)
    const line = ({ line, message }: Defect, kind = '') =>
      `${shownAs(path)}${line > 0 ? `:${line}` : ''}:${kind} ${message}.`
    const before = textOf(path)
    const defects = await checkPolicyFile(path, trialIn(bench, folder)).catch((error: Error) => {
      throw error instanceof Refusal ? new Trouble(`${error.message}.\nNothing was changed.`) : error
    })
    if (defects.length > 0) {
      throw new Trouble(`${defects.map((defect) => line(defect)).join('\n')}\nNothing was changed.`)
    }
    for (const warning of warningsOn(path)) bench.say(line(warning, ' warning:'))
    const text = textOf(path)
    if (text === undefined || text !== before)
      throw new Trouble(`${shownAs(path)}: it was changed while it was tried, so once more.\nNothing was changed.`)
    return text
  })

const textOf = (path: string) => {
  const read = readText(path)
  return 'text' in read ? read.text : undefined
}

export const shownAs = (path: string) => relative(process.cwd(), resolve(ROOT, path))

/** Makes a checked text the policy in force in one atomic step, and keeps the one before. */
export function putInForce(place: Place, text: string): void {
  const active = activePolicy(place)
  mkdirSync(dirname(active), { recursive: true })
  if (existsSync(active) && readFileSync(active, 'utf8') !== text) copyFileSync(active, policyBefore(place))
  writeFileSync(`${active}.new`, text)
  renameSync(`${active}.new`, active)
}

/**
 * Checks a policy file, then makes it the policy in force. Throws `Trouble` with every defect and leaves the policy
 * in force as it was.
 */
export async function activatePolicy(place: Place, policy: string, bench: Bench): Promise<void> {
  putInForce(place, await checkPolicy(bench, policy))
  bench.say(`  policy      ${shownAs(policy)} is in force`)
}
