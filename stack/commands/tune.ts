import { relative, resolve } from 'node:path'
import { study } from '../../workbench/classes.ts'
import type { Format } from '../../workbench/draw.ts'
import { readRecording, timeFactorOf } from '../../workbench/recording.ts'
import { comfortableSpeed } from '../../workbench/replay.ts'
import { type Findings, goldenTable, report } from '../../workbench/report.ts'
import { readRange, sweep, sweepReport } from '../../workbench/sweep.ts'
import { tune } from '../../workbench/tune.ts'
import { UserError } from '../../workbench/user-error.ts'
import { launcherFor } from '../collectors.ts'
import { checkPolicy, slowCall } from '../policy.ts'
import { ROOT, type Settings } from '../settings.ts'
import { CLASSES, COMMITTED_RECORDING, classesOf, pricesOf } from '../workbench.ts'

type Options = Readonly<{ cancel: AbortSignal; say: (line: string) => void }>

export type Asked = Readonly<{
  a: string
  b: string | undefined
  recording: string
  classes: string
  format: Format
  speed: string | undefined
}>

/**
 * Checks the policy files, replays the recording, and returns the report and whether a must-keep trace would be
 * lost. Throws `UserError` with every defect of the named files.
 */
export async function askWorkbench(
  settings: Settings,
  asked: Asked,
  options: Options,
): Promise<Readonly<{ text: string; lost: boolean }>> {
  const findings = await findingsOf(settings, asked, options)
  return { text: report(findings, asked.format), lost: (findings.diff?.mustKeepLost ?? 0) > 0 }
}

async function findingsOf(
  settings: Settings,
  { a, b, recording, classes, speed }: Asked,
  options: Options,
): Promise<Findings> {
  if (speed !== undefined && !(Number(speed) >= 1))
    throw new UserError(`SPEED must be a number of 1 or more, not "${speed}".`)
  const path = resolve(ROOT, recording)
  const threshold = slowCall(settings, await timeFactorOf(path))
  const launcher = await launcherFor(settings, options)
  const read = await classesOf(launcher, classes, { ...settings.env, SLOW_CALL: threshold })
  for (const file of new Set([a, ...(b ? [b] : [])])) await checkPolicy(launcher, file)
  const side = (file: string) => ({ path: resolve(ROOT, file), shown: relative(ROOT, resolve(ROOT, file)) })
  const findings = await tune(launcher, {
    recording: path,
    a: side(a),
    ...(b ? { b: side(b) } : {}),
    slowCall: threshold,
    speed: speed === undefined ? undefined : Number(speed),
    classes: read,
    pricesOf,
  })
  return { ...findings, recording: relative(ROOT, path) }
}

/** What a list keeps of the committed recording, with the defaults in the list, whatever the environment says. */
export async function goldenOf(settings: Settings, policy: string, options: Options): Promise<string> {
  const { SLOW_CALL: _, SLOW_RUN: __, TOKEN_HEAVY: ___, HEAVY_CALL: ____, ...env } = settings.env
  const asked = { a: policy, b: undefined, recording: COMMITTED_RECORDING, classes: CLASSES, speed: undefined }
  return goldenTable(await findingsOf({ ...settings, env }, { ...asked, format: 'markdown' }, options))
}

/** Tries many values of one number in a policy file. Throws `UserError` when there is no such number or the range is wrong. */
export async function askSweep(
  settings: Settings,
  { range: text, a, b, recording, classes, format, speed }: Asked & { range: string },
  options: Options,
): Promise<string> {
  if (b !== undefined)
    throw new UserError(`SWEEP tries values of one list, but B=${b} names a second list. Leave out SWEEP or B.`)
  if (speed !== undefined && !(Number(speed) >= 1))
    throw new UserError(`SPEED must be a number of 1 or more, not "${speed}".`)
  const range = readRange(text)
  const path = resolve(ROOT, recording)
  const timeFactor = await timeFactorOf(path)
  const threshold = slowCall(settings, timeFactor)
  const launcher = await launcherFor(settings, options)
  const read = await classesOf(launcher, classes, { ...settings.env, SLOW_CALL: threshold })
  const list = await checkPolicy(launcher, a)
  const found = await study(readRecording(path), pricesOf)
  const traffic = {
    requests: () => readRecording(path),
    speed: speed === undefined ? comfortableSpeed(found.toMs - found.fromMs) : Number(speed),
    slowCall: threshold,
  }
  const request = {
    list,
    range,
    env: { ...settings.env, SLOW_CALL: threshold },
    timeFactor,
  }
  const swept = await sweep(launcher, traffic, request, { study: found, classes: read })
  const size = `${found.traces.size} traces, ${found.spans} spans`
  return sweepReport(`${relative(ROOT, path)}: ${size}, judged by ${relative(ROOT, resolve(ROOT, a))}`, swept, format)
}
