import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { checkPolicyFile, type Defect, readText, warningsOn } from '../workbench/check.ts'
import { type Launcher, withScratch } from '../workbench/collector.ts'
import { durationOf } from '../workbench/duration.ts'
import { trialIn } from '../workbench/trial.ts'
import { UserError } from '../workbench/user-error.ts'
import { defaultOf } from '../workbench/variables.ts'
import { ROOT, type Settings } from './settings.ts'

export const SHIPPED_POLICY = 'collector/policies/woodland.yaml'

/** The list in force. The collector reads it there. */
export const activePolicy = (settings: Settings): string => resolve(settings.state, 'policies/active.yaml')

/**
 * What the collector takes for a slow call: what the user says, else the default of the shipped list in a world that
 * runs this many times faster than the clock.
 */
export function slowCall({ env }: Settings, timeFactor: number): string {
  const nanos = durationOf(defaultOf(readFileSync(resolve(ROOT, SHIPPED_POLICY), 'utf8'), 'SLOW_CALL')) ?? Number.NaN
  return env.SLOW_CALL || `${Math.round(nanos / 1e6 / timeFactor)}ms`
}

/** The list that was in force before the one that is. */
export const policyBefore = (settings: Settings): string => resolve(dirname(activePolicy(settings)), 'before.yaml')

/**
 * Checks a policy file, by reading it and by a trial of the real collector, and says what may not be meant. Answers
 * the text that was checked. Throws `UserError` with every defect.
 */
export const checkPolicy = (launcher: Launcher, policy: string): Promise<string> =>
  withScratch(async (folder) => {
    const path = resolve(ROOT, policy)
    const line = ({ line, message }: Defect, kind = '') =>
      `${shownAs(path)}${line > 0 ? `:${line}` : ''}:${kind} ${message}.`
    const before = textOf(path)
    const defects = await checkPolicyFile(path, trialIn(launcher, folder)).catch((error: Error) => {
      throw error instanceof UserError ? new UserError(`${error.message}.\nNothing was changed.`) : error
    })
    if (defects.length > 0) {
      throw new UserError(`${defects.map((defect) => line(defect)).join('\n')}\nNothing was changed.`)
    }
    for (const warning of warningsOn(path)) launcher.say(line(warning, ' warning:'))
    const text = textOf(path)
    if (text === undefined || text !== before)
      throw new UserError(`${shownAs(path)}: it was changed while it was tried, so once more.\nNothing was changed.`)
    return text
  })

const textOf = (path: string) => {
  const read = readText(path)
  return 'text' in read ? read.text : undefined
}

export const shownAs = (path: string) => relative(process.cwd(), resolve(ROOT, path))

/** Makes a checked text the policy in force in one atomic step, and keeps the one before. */
export function putInForce(settings: Settings, text: string): void {
  const active = activePolicy(settings)
  mkdirSync(dirname(active), { recursive: true })
  if (existsSync(active) && readFileSync(active, 'utf8') !== text) copyFileSync(active, policyBefore(settings))
  writeFileSync(`${active}.new`, text)
  renameSync(`${active}.new`, active)
}

/**
 * Checks a policy file, then makes it the policy in force. Throws `UserError` with every defect and leaves the policy
 * in force as it was.
 */
export async function activatePolicy(settings: Settings, policy: string, launcher: Launcher): Promise<void> {
  putInForce(settings, await checkPolicy(launcher, policy))
  launcher.say(`  policy      ${shownAs(policy)} is in force`)
}
