import { resolve } from 'node:path'
import { type Class, type PriceOf, readClasses } from '../workbench/classes.ts'
import type { Caller, Launcher } from '../workbench/collector.ts'
import { timeFactorOf } from '../workbench/recording.ts'
import { UserError } from '../workbench/user-error.ts'
import { variablesIn } from '../workbench/variables.ts'
import { launcherFor } from './collectors.ts'
import { checkPolicy, shippedList, slowCall } from './policy.ts'
import { tokenPriceOn } from './prices.ts'
import { ROOT, type Settings, shownAs } from './settings.ts'

export const RECORDINGS = 'workbench/recordings'
export const COMMITTED_RECORDING = `${RECORDINGS}/seed-7-ticks-40-chaos.jsonl.gz`
export const CLASSES = 'workbench/classes.yaml'

/** What a command of the workbench is asked about: a recording and the classes of its traces. */
export type AskedRecording = Readonly<{ recording: string; classes: string; speed?: string | undefined }>

/**
 * What a replay of a recording needs: its path, the collector, the classes, and the environment, in which a slow call is one in
 * the time of the recording. Throws `UserError` when the speed or the classes are wrong.
 */
export async function replayOf(settings: Settings, { recording, classes, speed }: AskedRecording, caller: Caller) {
  if (speed !== undefined && !(Number(speed) >= 1))
    throw new UserError(`SPEED must be a number of 1 or more, not "${speed}".`)
  const path = resolve(ROOT, recording)
  const timeFactor = await timeFactorOf(path)
  const env = { ...settings.env, SLOW_CALL: slowCall(settings, timeFactor) }
  const launcher = await launcherFor(settings, caller)
  const read = await classesOf(launcher, classes, env)
  const givenSpeed = speed === undefined ? undefined : Number(speed)
  return { path, shown: shownAs(path), timeFactor, env, launcher, classes: read, speed: givenSpeed }
}

/**
 * The classes of a file. Variables without a value get the value that the shipped list has for them. A file of the user is
 * tried in the real collector first. Throws `UserError` with every defect.
 */
export async function classesOf(
  launcher: Launcher,
  file: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<readonly Class[]> {
  const shipped = variablesIn(shippedList(), env)
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
