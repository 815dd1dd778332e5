import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { isKept, recallOf, recallReport } from '../../evidence/recall.ts'
import { launcherFor } from '../collectors.ts'
import type { Result } from '../measured.ts'
import { SHIPPED_POLICY } from '../policy.ts'
import { ROOT, type Settings } from '../settings.ts'
import { wholeNumber } from '../whole-number.ts'

type Options = Readonly<{ cancel: AbortSignal; say: (line: string) => void }>

export type Sent = Readonly<{ seed: string | number; count: string | number }>

/** Sends must-keep traces through a list, by default the shipped one, and reports how many were kept. Throws `UserError` for a wrong number. */
export async function runRecall(
  settings: Settings,
  { seed, count }: Sent,
  options: Options,
  policy = SHIPPED_POLICY,
): Promise<Result> {
  const sent = { seed: wholeNumber('SEED', seed), count: wholeNumber('COUNT', count) }
  const launcher = await launcherFor(settings, options)
  const recall = await recallOf(launcher, { list: readFileSync(resolve(ROOT, policy), 'utf8'), ...sent })
  return { report: (format) => recallReport(recall, format), holds: isKept(recall) }
}
