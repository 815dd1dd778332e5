import { biasOf, biasReport, isUnbiased } from '../../evidence/bias.ts'
import { BEGINNING } from '../../evidence/traffic.ts'
import type { Caller } from '../../workbench/collector.ts'
import { launcherFor } from '../collectors.ts'
import type { Result } from '../measured.ts'
import { shippedList } from '../policy.ts'
import type { Settings } from '../settings.ts'
import { wholeNumber } from '../whole-number.ts'
import { pricesOf } from '../workbench.ts'

export type Salted = Readonly<{ seed: string | number; traces: number; salts: number }>

/** Estimates all traces from the kept traces alone, with many salts, and compares the estimate with all traces. */
export async function runBias(
  settings: Settings,
  { seed, traces, salts }: Salted,
  options: Caller,
  weigh?: (weight: number) => number,
): Promise<Result> {
  const size = { seed: wholeNumber('SEED', seed), traces, salts, priceOf: pricesOf(BEGINNING) }
  const launcher = await launcherFor(settings, options)
  const bias = await biasOf(launcher, shippedList(), size, weigh)
  return { report: (format) => biasReport(bias, size, format), holds: isUnbiased(bias) }
}
