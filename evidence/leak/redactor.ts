import { createReadStream, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import type { TraceRequest } from '../../otlp/json.ts'
import { type Launcher, startCollector, withScratch } from '../../workbench/collector.ts'
import { postPatiently, startPosting } from '../../workbench/post.ts'
import { lines } from '../../workbench/recording.ts'
import { UserError } from '../../workbench/user-error.ts'

const COLLECTOR = join(import.meta.dirname, '../../collector')
const POLICY = join(COLLECTOR, 'policies/keep-everything.yaml')
/** The last processor of the redactor. Those behind it translate what other SDKs write, which changes values on purpose. */
const LAST = 'transform/repack'
const IN_FLIGHT = 4
const PROGRESS_MS = 5000

/** The shipped pipeline up to the redactor, with a file that gets all that comes out of it. */
function overlay(file: string): string {
  const { service } = parse(readFileSync(join(COLLECTOR, 'config.yaml'), 'utf8')) as {
    service: { pipelines: Record<string, { processors: string[]; exporters: string[] }> }
  }
  const { processors = [], exporters = [] } = service.pipelines['traces/in'] ?? {}
  if (!processors.includes(LAST))
    throw new UserError(`collector/config.yaml: the pipeline traces/in has no processor ${LAST}: restore it`)
  const upToRedactor = processors.slice(0, processors.indexOf(LAST) + 1)
  return stringify({
    // What is sent here comes faster than the world sends it.
    processors: { memory_limiter: { check_interval: '100ms', limit_mib: 2000, spike_limit_mib: 400 } },
    exporters: { 'file/redacted': { path: file } },
    service: { pipelines: { 'traces/in': { processors: upToRedactor, exporters: [...exporters, 'file/redacted'] } } },
  })
}

/**
 * Sends traces to the real Collector with the shipped configuration, and answers them as they are behind the redactor,
 * before anything is sampled. Each span must have an id of its own. Throws `UserError` when the Collector refuses a request.
 */
export const redacted = (launcher: Launcher, requests: readonly TraceRequest[]): Promise<readonly TraceRequest[]> =>
  withScratch(async (folder) => {
    const file = join(folder, 'redacted.jsonl')
    const overlays = [join(folder, 'redactor.yaml')]
    for (const path of overlays) writeFileSync(path, overlay(file))
    const env = { POLICY_FILE: POLICY, DECISION_WAIT: '1s', GOMEMLIMIT: '1600MiB' }
    const collector = await startCollector(launcher, { folder, overlays, env })
    const posting = startPosting(`${collector.otlp}/v1/traces`, IN_FLIGHT)
    const end = () => void posting.stop()
    launcher.cancel.addEventListener('abort', end, { once: true })
    let sent = 0
    const progress = setInterval(() => launcher.say(`  ${sent} of ${requests.length} requests sent`), PROGRESS_MS)
    const waiting = requests.values()
    const sender = async () => {
      for (const request of waiting) {
        const body = Buffer.from(JSON.stringify(request))
        const refused = await postPatiently(collector, posting, body, launcher.cancel)
        if (refused !== undefined) throw new UserError(`the Collector refused a request: ${refused}`)
        sent++
      }
    }
    try {
      await Promise.all(Array.from({ length: IN_FLIGHT }, sender))
    } finally {
      clearInterval(progress)
      launcher.cancel.removeEventListener('abort', end)
      await posting.stop()
      await collector.stop()
    }
    const arrived: TraceRequest[] = []
    for await (const line of lines(createReadStream(file))) arrived.push(JSON.parse(line.toString()) as TraceRequest)
    return arrived
  })
