import { readFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { classified, classLists } from '../../workbench/classes.ts'
import type { Format } from '../../workbench/draw.ts'
import { readRecording, timeFactorOf } from '../../workbench/recording.ts'
import { replayEach } from '../../workbench/replay.ts'
import { findTrace, why, whyReport } from '../../workbench/why.ts'
import { launcherFor } from '../collectors.ts'
import { checkPolicy, slowCall } from '../policy.ts'
import { ROOT, type Settings } from '../settings.ts'
import { classesOf, pricesOf } from '../workbench.ts'

type Options = Readonly<{ cancel: AbortSignal; say: (line: string) => void }>

export type AskedWhy = Readonly<{
  trace: string | undefined
  a: string
  recording: string
  classes: string
  format: Format
}>

/** How much faster than recorded the replay is. */
const FAST = 20

/** Reports why one trace of a recording is kept or dropped. Throws `UserError` when there is no such trace. */
export async function askWhy(
  settings: Settings,
  { trace, a, recording, classes, format }: AskedWhy,
  options: Options,
): Promise<string> {
  const path = resolve(ROOT, recording)
  const timeFactor = await timeFactorOf(path)
  const env = { ...settings.env, SLOW_CALL: slowCall(settings, timeFactor) }
  const launcher = await launcherFor(settings, options)
  const read = await classesOf(launcher, classes, env)
  const traffic = { requests: () => readRecording(path), speed: FAST, slowCall: env.SLOW_CALL }
  const quiet = { ...launcher, say: () => {} }
  const found = await findTrace({ path, shown: relative(ROOT, path) }, trace, async (known) =>
    classified(known, read, await replayEach(quiet, traffic, classLists(read))),
  )
  const failed = new AbortController()
  const lent = { ...launcher, cancel: AbortSignal.any([launcher.cancel, failed.signal]) }
  const answer = async () => {
    const list = readFileSync(resolve(ROOT, a), 'utf8')
    return why(lent, found, { list, env, classes: read, pricesOf, timeFactor })
  }
  // Both take seconds, mostly waiting. If the check finds a defect in the list, report that first.
  const [checked, answered] = await Promise.allSettled([
    checkPolicy(launcher, a).catch((error: unknown) => {
      failed.abort()
      throw error
    }),
    answer(),
  ])
  if (checked.status === 'rejected') throw checked.reason
  if (answered.status === 'rejected') throw answered.reason
  return whyReport(answered.value, format)
}
