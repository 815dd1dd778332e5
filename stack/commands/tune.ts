import { resolve } from 'node:path'
import { study } from '../../workbench/classes.ts'
import type { Caller } from '../../workbench/collector.ts'
import type { Format } from '../../workbench/draw.ts'
import { readRecording } from '../../workbench/recording.ts'
import { comfortableSpeed } from '../../workbench/replay.ts'
import { type Findings, goldenTable, report } from '../../workbench/report.ts'
import { readRange, sweep, sweepReport } from '../../workbench/sweep.ts'
import { tune } from '../../workbench/tune.ts'
import { UserError } from '../../workbench/user-error.ts'
import { checkPolicy } from '../policy.ts'
import { ROOT, type Settings, shownAs } from '../settings.ts'
import { type AskedRecording, CLASSES, COMMITTED_RECORDING, pricesOf, replayOf } from '../workbench.ts'

export type Asked = AskedRecording & Readonly<{ a: string; b: string | undefined; format: Format }>

/**
 * Checks the policy files, replays the recording, and returns the report and whether a must-keep trace would be
 * lost. Throws `UserError` with every defect of the named files.
 */
export async function askWorkbench(
  settings: Settings,
  asked: Asked,
  options: Caller,
): Promise<Readonly<{ text: string; lost: boolean }>> {
  const findings = await findingsOf(settings, asked, options)
  return { text: report(findings, asked.format), lost: (findings.diff?.mustKeepLost ?? 0) > 0 }
}

async function findingsOf(settings: Settings, asked: Asked, caller: Caller): Promise<Findings> {
  const { a, b } = asked
  const { path, shown, env, ...prepared } = await replayOf(settings, asked, caller)
  for (const file of new Set([a, ...(b ? [b] : [])])) await checkPolicy(prepared.launcher, file)
  const side = (file: string) => ({ path: resolve(ROOT, file), shown: shownAs(file) })
  const findings = await tune(prepared.launcher, {
    recording: path,
    a: side(a),
    ...(b ? { b: side(b) } : {}),
    slowCall: env.SLOW_CALL,
    speed: prepared.speed,
    classes: prepared.classes,
    pricesOf,
  })
  return { ...findings, recording: shown }
}

/** What a list keeps of the committed recording, with the defaults in the list, whatever the environment says. */
export async function goldenOf(settings: Settings, policy: string, options: Caller): Promise<string> {
  const { SLOW_CALL: _, SLOW_RUN: __, TOKEN_HEAVY: ___, HEAVY_CALL: ____, ...env } = settings.env
  const asked = { a: policy, b: undefined, recording: COMMITTED_RECORDING, classes: CLASSES, speed: undefined }
  return goldenTable(await findingsOf({ ...settings, env }, { ...asked, format: 'markdown' }, options))
}

/** Tries many values of one number in a policy file. Throws `UserError` when there is no such number or the range is wrong. */
export async function askSweep(
  settings: Settings,
  { range: text, ...asked }: Asked & { range: string },
  caller: Caller,
): Promise<string> {
  const { a, b, format } = asked
  if (b !== undefined)
    throw new UserError(`SWEEP tries values of one list, but B=${b} names a second list. Leave out SWEEP or B.`)
  const range = readRange(text)
  const { path, shown, timeFactor, env, launcher, classes, speed } = await replayOf(settings, asked, caller)
  const list = await checkPolicy(launcher, a)
  const found = await study(readRecording(path), pricesOf)
  const traffic = {
    requests: () => readRecording(path),
    speed: speed ?? comfortableSpeed(found.toMs - found.fromMs),
    slowCall: env.SLOW_CALL,
  }
  const swept = await sweep(launcher, traffic, { list, range, env, timeFactor }, { study: found, classes })
  const size = `${found.traces.size} traces, ${found.spans} spans`
  return sweepReport(`${shown}: ${size}, judged by ${shownAs(a)}`, swept, format)
}
