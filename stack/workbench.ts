import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Class, type PriceOf, readClasses } from '../workbench/classes.ts'
import type { Launcher } from '../workbench/collector.ts'
import { variablesIn } from '../workbench/variables.ts'
import { checkPolicy, SHIPPED_POLICY } from './policy.ts'
import { tokenPriceOn } from './prices.ts'
import { ROOT } from './settings.ts'

export const RECORDINGS = 'workbench/recordings'
export const COMMITTED_RECORDING = `${RECORDINGS}/seed-7-ticks-40-chaos.jsonl.gz`
export const CLASSES = 'workbench/classes.yaml'

/**
 * The classes of a file. Variables without a value get the value that the shipped list has for them. A file of the user is
 * tried in the real collector first. Throws `UserError` with every defect.
 */
export async function classesOf(
  launcher: Launcher,
  file: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<readonly Class[]> {
  const shipped = variablesIn(readFileSync(resolve(ROOT, SHIPPED_POLICY), 'utf8'), env)
  const read = readClasses(resolve(ROOT, file), { ...env, ...Object.fromEntries(shipped) })
  if (file !== CLASSES) await checkPolicy({ ...launcher, say: () => {} }, file)
  return read
}

/** The cost of model calls on the day of a recording, so that its table does not change when prices change. */
export function pricesOf(day: Date): PriceOf {
  const price = tokenPriceOn(day)
  return (model, inputTokens, outputTokens) => {
    const [input, output] = [price(model, undefined, 'input'), price(model, undefined, 'output')]
    return input === undefined || output === undefined ? undefined : inputTokens * input + outputTokens * output
  }
}
