import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { classified, classLists } from '../../workbench/classes.ts'
import type { Caller } from '../../workbench/collector.ts'
import type { Format } from '../../workbench/draw.ts'
import { readRecording } from '../../workbench/recording.ts'
import { replayEach } from '../../workbench/replay.ts'
import { findTrace, why, whyReport } from '../../workbench/why.ts'
import { checkPolicy } from '../policy.ts'
import { ROOT, type Settings } from '../settings.ts'
import { type AskedRecording, pricesOf, replayOf } from '../workbench.ts'

export type AskedWhy = AskedRecording & Readonly<{ trace: string | undefined; a: string; format: Format }>

/** How much faster than recorded the replay is. */
const FAST = 20

/** Reports why one trace of a recording is kept or dropped. Throws `UserError` when there is no such trace. */
export async function askWhy(settings: Settings, asked: AskedWhy, caller: Caller): Promise<string> {
  const { trace, a, format } = asked
  const { path, shown, timeFactor, env, launcher, classes } = await replayOf(settings, asked, caller)
  const traffic = { requests: () => readRecording(path), speed: FAST, slowCall: env.SLOW_CALL }
  const quiet = { ...launcher, say: () => {} }
  const found = await findTrace({ path, shown }, trace, async (known) =>
    classified(known, classes, await replayEach(quiet, traffic, classLists(classes))),
  )
  const failed = new AbortController()
  const lent = { ...launcher, cancel: AbortSignal.any([launcher.cancel, failed.signal]) }
  const answer = async () => {
    const list = readFileSync(resolve(ROOT, a), 'utf8')
    return why(lent, found, { list, env, classes, pricesOf, timeFactor })
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
