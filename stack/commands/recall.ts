import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { quietAgents, quietReport } from '../../evidence/quiet.ts'
import { isKept, recallData, recallOf, recallReport } from '../../evidence/recall.ts'
import type { Caller } from '../../workbench/collector.ts'
import { launcherFor } from '../collectors.ts'
import type { Result } from '../measured.ts'
import { SHIPPED_POLICY } from '../policy.ts'
import { ROOT, type Settings } from '../settings.ts'
import { wholeNumber } from '../whole-number.ts'

export type Sent = Readonly<{ seed: string | number; count: string | number }>

/** Enough agents for a share of one in a hundred, and enough runs to see nearly all of them. */
const QUIET = { agents: 300, runs: 60 }

/** Sends must-keep traces through a list, by default the shipped one, and reports how many were kept, and how long an agent of ordinary runs stays unseen. Throws `UserError` for a wrong number. */
export async function runRecall(
  settings: Settings,
  { seed, count }: Sent,
  options: Caller,
  policy = SHIPPED_POLICY,
): Promise<Result> {
  const sent = { seed: wholeNumber('SEED', seed), count: wholeNumber('COUNT', count) }
  const launcher = await launcherFor(settings, options)
  const list = readFileSync(resolve(ROOT, policy), 'utf8')
  const recall = await recallOf(launcher, { list, ...sent })
  const quiet = await quietAgents(launcher, list, { seed: sent.seed, ...QUIET })
  return {
    report: (format) =>
      format === 'json'
        ? JSON.stringify({ ...recallData(recall), quiet }, null, 2)
        : [recallReport(recall, format), quietReport(quiet, format)].join('\n\n'),
    holds: isKept(recall),
  }
}
