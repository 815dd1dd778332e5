import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { checkPolicyFile, type Defect, defectsIn, readText, warningsOn } from '../workbench/check.ts'
import { type Launcher, withScratch } from '../workbench/collector.ts'
import { millisecondsOf } from '../workbench/duration.ts'
import { trialIn } from '../workbench/trial.ts'
import { UserError } from '../workbench/user-error.ts'
import { defaultOf } from '../workbench/variables.ts'
import { ROOT, type Settings, shownAs } from './settings.ts'

export const SHIPPED_POLICY = 'collector/policies/woodland.yaml'
export const shippedList = (): string => readFileSync(resolve(ROOT, SHIPPED_POLICY), 'utf8')

/** The policy that `shippedAndTheRest` adds. */
export const THE_REST = 'keep-the-rest'

/** Writes the shipped list and a policy that keeps the rest, so that every trace is stored. Returns its path. */
export function shippedAndTheRest({ state }: Settings): string {
  const list = resolve(state, 'shipped-and-the-rest.yaml')
  const shipped = shippedList()
  writeFileSync(list, `${shipped}\n- name: ${THE_REST}\n  type: always_sample\n`)
  return list
}

/** The list in force. The collector reads it there. */
export const activePolicy = (settings: Settings): string => resolve(settings.state, 'policies/active.yaml')

/**
 * The threshold of a slow call for the collector: the user's value, or else the default of the shipped list divided by the
 * time factor.
 */
export function slowCall({ env }: Settings, timeFactor: number): string {
  const ms = millisecondsOf(defaultOf(shippedList(), 'SLOW_CALL'))
  return env.SLOW_CALL || `${Math.round(ms / timeFactor)}ms`
}

/** The list that was in force before the present one. */
export const policyBefore = (settings: Settings): string => resolve(dirname(activePolicy(settings)), 'before.yaml')

const told = (path: string, { line, message }: Defect, kind = '') =>
  `${shownAs(path)}${line > 0 ? `:${line}` : ''}:${kind} ${message}.`

const refused = (path: string, defects: readonly Defect[]) =>
  new UserError(`${defects.map((defect) => told(path, defect)).join('\n')}\nNothing was changed.`)

/** Throws `UserError` with every defect that reading a policy file finds. That needs no collector. */
export function refuseDefects(policy: string): void {
  const path = resolve(ROOT, policy)
  const defects = defectsIn(path)
  if (defects.length > 0) throw refused(path, defects)
}

/**
 * Checks a policy file: reads it, tries it in the real collector, and prints warnings. Returns
 * the text that was checked. Throws `UserError` with every defect.
 */
export const checkPolicy = (launcher: Launcher, policy: string): Promise<string> =>
  withScratch(async (folder) => {
    const path = resolve(ROOT, policy)
    const before = textOf(path)
    const defects = await checkPolicyFile(path, trialIn(launcher, folder)).catch((error: Error) => {
      throw error instanceof UserError ? new UserError(`${error.message}.\nNothing was changed.`) : error
    })
    if (defects.length > 0) throw refused(path, defects)
    for (const warning of warningsOn(path)) launcher.say(told(path, warning, ' warning:'))
    const text = textOf(path)
    if (text === undefined || text !== before)
      throw new UserError(
        `${shownAs(path)} changed while it was tried: run the command again.\nThe list in force was not changed.`,
      )
    return text
  })

const textOf = (path: string) => {
  const read = readText(path)
  return 'text' in read ? read.text : undefined
}

/** Puts a checked text in force in one atomic step, and saves the list before it. */
export function putInForce(settings: Settings, text: string): void {
  const active = activePolicy(settings)
  mkdirSync(dirname(active), { recursive: true })
  if (existsSync(active) && readFileSync(active, 'utf8') !== text) copyFileSync(active, policyBefore(settings))
  writeFileSync(`${active}.new`, text)
  renameSync(`${active}.new`, active)
}

/**
 * Checks a policy file, then puts it in force. When the file has a defect, throws `UserError` with every defect and
 * does not change the policy in force.
 */
export async function activatePolicy(settings: Settings, policy: string, launcher: Launcher): Promise<void> {
  putInForce(settings, await checkPolicy(launcher, policy))
  launcher.say(`  policy      ${shownAs(policy)} is in force`)
}
