import { resolve } from 'node:path'
import { readRecordings } from '../../evidence/foreign/recordings.ts'
import { scatteredOutcome } from '../../evidence/foreign/scattered.ts'
import { sdksReport, sdksSummary, verdictsOf } from '../../evidence/foreign/verdicts.ts'
import type { Caller } from '../../workbench/collector.ts'
import { launcherFor } from '../collectors.ts'
import type { Result } from '../measured.ts'
import { SHIPPED_POLICY } from '../policy.ts'
import { ROOT, type Settings } from '../settings.ts'

/** Any number does; the same one gives the same delays. */
const SEED = 7

/** Sends the recordings of real SDKs through the shipped configuration, and says for each SDK what it gets. */
export async function runSdks(settings: Settings, options: Caller): Promise<Result> {
  const recordings = readRecordings()
  // The recordings are read from files of the collector, which a container does not share.
  const launcher = await launcherFor(settings, options, 'native')
  const bodies = recordings.flatMap(({ runs }) => runs.map(({ body }) => body))
  const judged = verdictsOf(recordings, await scatteredOutcome(launcher, bodies, SEED, resolve(ROOT, SHIPPED_POLICY)))
  return {
    report: (format) => sdksReport(judged, format),
    summary: sdksSummary(judged),
    holds: judged.every(({ verdicts }) => [...verdicts.values()].every(({ is }) => is !== 'no')),
  }
}
