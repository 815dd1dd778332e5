import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { calcPrice } from '@pydantic/genai-prices'
import { isPerToken } from '../grafana/source/prices.ts'
import { type Class, type PriceOf, readClasses } from '../workbench/classes.ts'
import type { Launcher } from '../workbench/collector.ts'
import { variablesIn } from '../workbench/variables.ts'
import { checkPolicy, SHIPPED_POLICY } from './policy.ts'
import { pricesAt } from './prices.ts'
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
  // A server that costs by the hour costs the same for few calls and for many, so a single call has no price.
  const prices = new Map(
    pricesAt(day)
      .filter(isPerToken)
      .map((price) => [price.model, price]),
  )
  return (model, inputTokens, outputTokens) => {
    const price = prices.get(model)
    if (price) return (inputTokens * price.input + outputTokens * price.output) / 1e6
    return calcPrice({ input_tokens: inputTokens, output_tokens: outputTokens }, model, { timestamp: day })?.total_price
  }
}
