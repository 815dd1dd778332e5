import { copyFileSync, createReadStream, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parse, stringify } from 'yaml'
import {
  type Launcher,
  type Running,
  type Scratch,
  startCollector,
  sumOf,
  UNMASKED,
  unjudgedOn,
  withScratch,
} from './collector.ts'
import { durationOf } from './duration.ts'
import { postPatiently, startPosting } from './post.ts'
import { lines, type Request } from './recording.ts'
import { UserError } from './user-error.ts'
import { defaultOf } from './variables.ts'

/**
 * What the sampler kept of one trace. `policy` is the one it recorded: the first that voted for it. `weight` is how many
 * traces it stands for, by the threshold in its trace state: 1 when it was kept for a reason, 10 when it is one in ten.
 */
export type Kept = Readonly<{ policy: string | undefined; spans: number; bytes: number; weight: number }>
export type Decisions = ReadonlyMap<string, Kept>

/** What is sent to a sampler, and how. */
export type Traffic = Readonly<{
  requests: () => AsyncIterable<Request>
  /** How many times faster than it was recorded. */
  speed: number
  /**
   * How many times slower everything goes, pace and waits alike. What is early and what is late stays so, and a busy machine
   * makes less difference. For generated traffic only, not for a recording.
   */
  stretch?: number
  /** The policies call what takes longer than this slow, e.g. `200ms`. */
  slowCall: string
  /** Called with each request when it is sent. A recording is long, so it is read only once, also when the caller needs its content. */
  watch?: (request: Request) => void
  /** Called with each request that the collector has accepted. */
  taken?: (request: Request) => void
}>

/** A list of policies, with settings of the sampler that differ from those of the shipped configuration. */
export type List = Readonly<{
  name: string
  text: string
  sampler?: Readonly<Record<string, unknown>>
  /** Called with each kept trace as the collector writes it: one OTLP request in JSON. */
  watch?: (line: Buffer) => void
}>

const OVERLAYS = [UNMASKED, join(import.meta.dirname, 'replay.yaml')]
const CONFIG = readFileSync(join(import.meta.dirname, '../collector/config.yaml'), 'utf8')
const secondsOf = (variable: string) => (durationOf(defaultOf(CONFIG, variable)) ?? 0) / 1e9
/** The waits of the shipped configuration in seconds. */
export const DECISION_WAIT = secondsOf('DECISION_WAIT')
export const AFTER_ROOT = secondsOf('DECISION_WAIT_AFTER_ROOT')
/** About how long a replay takes when nobody sets its speed. */
const COMFORTABLE_MS = 10_000
const PROGRESS_MS = 5000
/** With so many, the collector need not wait for this process. More would only change the order. */
const IN_FLIGHT = 8
/** Requests that are read and wait to be sent: while the sampler decides it accepts nothing, but reading goes on. */
const AHEAD = 64
/**
 * At full speed, more traces wait in the sampler than the shipped limits allow, and garbage collection costs time. So a
 * scratch collector may use 2 GB. Before that, Go collects more often, and replay.yaml makes the collector refuse data.
 */
const SCRATCH_MEMORY = { GOMEMLIMIT: '1600MiB', GOGC: '400' }

/** Marks a span in a request, well enough to show progress. */
const SPAN_SENT = Buffer.from('"startTimeUnixNano"')
/** Mark a trace, its policy and its spans in what the collector writes. */
const TRACE_KEPT = Buffer.from('"spans":[{"traceId":"')
const POLICY_KEPT = Buffer.from('{"key":"tailsampling.policy","value":{"stringValue":"')
const SPAN_KEPT = Buffer.from('"status":{')
const STATE_KEPT = Buffer.from('"traceState":"')
const LONGEST_NAME = 1000

/**
 * The waits of a replay, in whole seconds: the sampler decides once a second and cuts off fractions, so 0.5 s would be
 * 0 s. For generated traffic they shrink with the speed, but not below 2 s and 1 s. A recording that is replayed faster
 * gets longer waits, so that a busy machine does not split its traces.
 */
function waitsOf({ speed, stretch }: Traffic): Readonly<{ decisionSeconds: number; afterRootSeconds: number }> {
  const [shortest, shortestAfterRoot] = stretch === undefined && speed > 1 ? [UNHURRIED, UNHURRIED] : [2, 1]
  return {
    decisionSeconds: (stretch ?? 1) * Math.max(shortest, Math.ceil(DECISION_WAIT / speed)),
    afterRootSeconds: (stretch ?? 1) * Math.max(shortestAfterRoot, Math.ceil(AFTER_ROOT / speed)),
  }
}
const UNHURRIED = 3
/** For made traffic without a pace of its own: at this speed the waits are the shortest, 2 s and 1 s. */
export const SHORTEST_WAITS_SPEED = Math.ceil(DECISION_WAIT / 2)

/** The default speed for a recording of this length. Never slower than it was recorded. */
export const comfortableSpeed = (recordedMs: number): number => Math.max(1, Math.ceil(recordedMs / COMFORTABLE_MS))

/** Sends traffic through the shipped wiring with a policy file, and answers what was kept. */
export const replay = (launcher: Launcher, traffic: Traffic, policyFile: string): Promise<Decisions> =>
  withScratch(async (folder) => {
    const file = join(folder, 'kept.jsonl')
    const list = join(folder, 'policies.yaml')
    copyFileSync(policyFile, list)
    const scratch = { folder, overlays: OVERLAYS, env: { POLICY_FILE: list, KEPT_FILE: file } }
    await sendThrough(launcher, traffic, scratch, refuseEvictions)
    return readKept(launcher, file)
  })

/**
 * Tries many lists at the same time. Each gets its own sampler in one collector, with the shipped settings, except for
 * its list and the settings of `sampler`. So the traffic is sent only once. Names of lists must differ.
 */
export const replayEach = (
  launcher: Launcher,
  traffic: Traffic,
  lists: readonly List[],
): Promise<ReadonlyMap<string, Decisions>> =>
  withScratch(async (folder) => {
    const config = parse(CONFIG)
    const shipped = config.processors.tail_sampling
    const [judging, { receivers, exporters }] = judgingPipeline(config)
    const samplers = lists.map(({ name, text, sampler, watch }, index) => {
      const policies = join(folder, `list-${index}.yaml`)
      writeFileSync(policies, text)
      const settings = { ...shipped, ...sampler, policies: `\${file:${policies}}` }
      return { name, id: `list-${index}`, policies, settings, watch, kept: join(folder, `list-${index}.jsonl`) }
    })
    const each = <T>(entry: (one: (typeof samplers)[number]) => readonly [string, T]) =>
      Object.fromEntries(samplers.map(entry))
    const overlay = join(folder, 'lists.yaml')
    writeFileSync(
      overlay,
      stringify({
        processors: each(({ id, settings }) => [`tail_sampling/${id}`, settings]),
        exporters: each(({ id, kept }) => [`file/${id}`, { path: kept, flush_interval: '100ms' }]),
        service: {
          // Several samplers in one process would report under the same names.
          telemetry: { metrics: { level: 'none', views: null } },
          pipelines: {
            [judging]: { processors: [], exporters },
            'traces/kept': { processors: [], exporters: ['nop'] },
            ...each(({ id }) => [
              `traces/${id}`,
              { receivers, processors: [`tail_sampling/${id}`], exporters: [`file/${id}`] },
            ]),
          },
        },
      }),
    )
    const env = { POLICY_FILE: samplers[0]?.policies ?? '', KEPT_FILE: join(folder, 'kept.jsonl') }
    await sendThrough(launcher, traffic, { folder, overlays: [...OVERLAYS, overlay], env })
    const answers: [string, Decisions][] = []
    for (const { name, kept, watch } of samplers) answers.push([name, await readKept(launcher, kept, watch)])
    return new Map(answers)
  })

type Pipeline = Readonly<{ receivers: string[]; processors?: string[]; exporters: string[] }>

/** The pipeline in which the shipped configuration judges. */
function judgingPipeline(config: { service: { pipelines: Record<string, Pipeline> } }): readonly [string, Pipeline] {
  const found = Object.entries(config.service.pipelines).find(([, { processors }]) =>
    processors?.includes('tail_sampling'),
  )
  if (!found) throw new UserError('collector/config.yaml has no pipeline with the processor tail_sampling: restore it')
  return found
}

async function sendThrough(
  launcher: Launcher,
  traffic: Traffic,
  { folder, overlays, env }: Scratch,
  check: (collector: Running) => Promise<void> = async () => {},
): Promise<void> {
  const { decisionSeconds, afterRootSeconds } = waitsOf(traffic)
  const collector = await startCollector(launcher, {
    folder,
    overlays,
    env: {
      DECISION_WAIT: `${decisionSeconds}s`,
      DECISION_WAIT_AFTER_ROOT: `${afterRootSeconds}s`,
      SLOW_CALL: traffic.slowCall,
      ...SCRATCH_MEMORY,
      ...env,
    },
  })
  try {
    await send(launcher, collector, traffic)
    // A trace with a root is decided at most two ticks of the sampler after its wait. A trace without one is decided when
    // the collector stops; by now all of its spans have arrived.
    await sleep((afterRootSeconds + 2) * 1000, undefined, { signal: launcher.cancel })
    await check(collector)
  } finally {
    await telling(
      launcher,
      () => 'the collector judges and writes what is left',
      () => collector.stop(),
    )
  }
}

/** Says every few seconds how far the work is, until it ends. */
async function telling<T>({ say }: Launcher, text: () => string, work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => say(`  ${text()}`), PROGRESS_MS)
  try {
    return await work()
  } finally {
    clearInterval(timer)
  }
}

/** How long a recording lasts, from its first arrival to its last. A request without times says nothing about it. */
export async function recordedMs(launcher: Launcher, requests: AsyncIterable<Request>): Promise<number> {
  let [fromMs, toMs, seen] = [Number.POSITIVE_INFINITY, 0, 0]
  await telling(
    launcher,
    () => `${seen} requests looked at`,
    async () => {
      for await (const { atMs } of requests) {
        seen++
        if (atMs > 0) fromMs = Math.min(fromMs, atMs)
        toMs = Math.max(toMs, atMs)
      }
    },
  )
  return Math.max(0, toMs - fromMs)
}

/** Sends requests in their order, as far apart as they arrived; when the collector is slower, as fast as it takes them. */
async function send(launcher: Launcher, collector: Running, { requests, speed, stretch = 1, watch, taken }: Traffic) {
  const over = new AbortController()
  const cancel = AbortSignal.any([launcher.cancel, over.signal])
  const posting = startPosting(`${collector.otlp}/v1/traces`, IN_FLIGHT)
  // This also ends a request that the collector does not answer.
  const end = () => void posting.stop()
  cancel.addEventListener('abort', end, { once: true })
  const waiting = requests()[Symbol.asyncIterator]()
  const began = performance.now()
  let first = 0
  let sent = 0
  const sender = async () => {
    for (let next = await waiting.next(); !next.done; next = await waiting.next()) {
      const request = next.value
      first ||= request.atMs
      const early = ((request.atMs - first) / speed) * stretch - (performance.now() - began)
      if (early > 1) await sleep(early, undefined, { signal: cancel })
      watch?.(request)
      const refused = await postPatiently(collector, posting, request.body, cancel)
      if (refused !== undefined) {
        // Reading the request throws an error with the line and the reason; the collector does not know lines.
        void request.spans
        throw new UserError(`the collector refuses a request of the recording: ${refused}`)
      }
      taken?.(request)
      sent += countOf(request.body, SPAN_SENT)
    }
  }
  try {
    await telling(
      launcher,
      () => `${sent} spans sent`,
      () => Promise.all(Array.from({ length: AHEAD }, sender)),
    )
  } finally {
    // One sender may have failed while the others wait.
    over.abort()
    await posting.stop()
    await waiting.return?.()
  }
}

/** A trace that was removed to make room was never decided, so the table would be wrong. */
async function refuseEvictions(collector: Running): Promise<void> {
  const page = await collector.metrics()
  // The sampler counts an evicted trace only when its wait would have ended (0.161), so this compares what came with what is left.
  const evicted = unjudgedOn(page) - sumOf(page, 'otelcol_processor_tail_sampling_sampling_traces_on_memory')
  if (evicted > 0) {
    throw new UserError(
      `${evicted} traces were pushed out before they were judged; replay more slowly: SPEED=1 is as recorded`,
    )
  }
}

/**
 * Reads what a sampler wrote. The collector writes each trace as one line, with the fields in the same order and a status on
 * every span. So the line is searched, which takes a tenth of the time of parsing it.
 */
async function readKept(launcher: Launcher, path: string, watch?: (line: Buffer) => void): Promise<Decisions> {
  const kept = new Map<string, Kept>()
  // The collector creates the file when it starts. If a removed file counted as empty, the table would say that nothing was kept.
  if (!existsSync(path))
    throw new UserError(
      `${path} was removed while the collector wrote to it: leave the folder alone, and run this again`,
    )
  await telling(
    launcher,
    () => `${kept.size} kept traces read`,
    async () => {
      for await (const line of lines(createReadStream(path, { highWaterMark: 256 * 1024 }))) {
        launcher.cancel.throwIfAborted()
        watch?.(line)
        const trace = valueAfter(line, TRACE_KEPT)
        if (trace === undefined)
          throw new UserError(`the collector wrote a line without a trace: ${line.toString('utf8', 0, 200)}`)
        const policy = valueAfter(line, POLICY_KEPT)
        const before = kept.get(trace) ?? {
          spans: 0,
          bytes: 0,
          policy: undefined,
          weight: weightIn(valueAfter(line, STATE_KEPT)),
        }
        kept.set(trace, {
          policy: before.policy ?? policy,
          spans: before.spans + countOf(line, SPAN_KEPT),
          bytes: before.bytes + line.length,
          weight: before.weight,
        })
      }
    },
  )
  return kept
}

/** OpenTelemetry's `th` is the share of traces that are not kept: the hexadecimal digits after the point, without zeros at the end. */
export function weightIn(traceState: string | undefined): number {
  const digits = /(?:^|,)ot=(?:[^,]*;)?th:([0-9a-f]{1,14})/.exec(traceState ?? '')?.[1]
  return digits === undefined ? 1 : 1 / (1 - Number.parseInt(digits.padEnd(14, '0'), 16) / 2 ** 56)
}

/** The string of a field, when it is there. */
function valueAfter(line: Buffer, field: Buffer): string | undefined {
  const at = line.indexOf(field)
  if (at < 0) return undefined
  const value = at + field.length - 1
  const quoted = /^"(?:[^"\\]|\\.)*"/.exec(line.toString('utf8', value, value + LONGEST_NAME))?.[0]
  return quoted === undefined ? undefined : JSON.parse(quoted)
}

function countOf(text: Buffer, part: Buffer): number {
  let count = 0
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) count++
  return count
}
