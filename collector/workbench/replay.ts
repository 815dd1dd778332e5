import { copyFileSync, createReadStream, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { parse, stringify } from 'yaml'
import { type Bench, type Running, type Scratch, startCollector, withScratch } from './collector.ts'
import { attributeOf, type Otlp, type Request, spansOf } from './recording.ts'
import { Refusal } from './refusal.ts'

/** What the sampler kept of one trace. `policy` is the one it recorded: the first that voted for it. */
export type Kept = Readonly<{ policy: string | undefined; spans: number; bytes: number }>
export type Decisions = ReadonlyMap<string, Kept>

/** What is sent to a sampler, and how. */
export type Traffic = Readonly<{
  requests: () => AsyncIterable<Request>
  /** How many times faster than it was recorded. */
  speed: number
  /** What the policies take for slow, e.g. `200ms`. */
  slowCall: string
}>

/** A list of policies, with settings of the sampler that differ from those of the shipped configuration. */
export type List = Readonly<{ name: string; text: string; sampler?: Readonly<Record<string, unknown>> }>

const OVERLAY = join(import.meta.dirname, 'replay.yaml')
/** The waits of collector/config.yaml in seconds; test/workbench.test.ts holds them to it. */
export const DECISION_WAIT = 20
export const AFTER_ROOT = 1
/** A replay that has nothing else to do takes about this long. */
const COMFORTABLE_MS = 10_000
const REFUSED_AGAIN_MS = 100
const PROGRESS_MS = 5000

/**
 * The waits of a replay in whole seconds, for the sampler decides once a second and cuts off fractions: 0.5 s
 * after the root would be none at all. So they shrink with the recording, but stay at 2 s and 1 s.
 */
const waitsAt = (speed: number) => ({
  decisionSeconds: Math.max(2, Math.ceil(DECISION_WAIT / speed)),
  afterRootSeconds: AFTER_ROOT,
})

/** The speed at which a recording of this length is replayed in comfort. Never slower than it was. */
export const comfortableSpeed = (recordedMs: number): number => Math.max(1, Math.ceil(recordedMs / COMFORTABLE_MS))

/** Sends traffic through the shipped wiring with a policy file, and answers what was kept. */
export const replay = (bench: Bench, traffic: Traffic, policyFile: string): Promise<Decisions> =>
  withScratch(async (folder) => {
    const file = join(folder, 'kept.jsonl')
    const list = join(folder, 'policies.yaml')
    copyFileSync(policyFile, list)
    await sendThrough(bench, traffic, { folder, overlays: [OVERLAY], env: { POLICY_FILE: list, KEPT_FILE: file } })
    return readKept(file)
  })

/**
 * Asks many lists at once. In one collector each gets a sampler of its own, set as the shipped one is but for its
 * list and what the list says otherwise, so that traffic sent once answers for all. Names of lists must differ.
 */
export const replayEach = (
  bench: Bench,
  traffic: Traffic,
  { config, lists }: { config: string; lists: readonly List[] },
): Promise<ReadonlyMap<string, Decisions>> =>
  withScratch(async (folder) => {
    const shipped = parse(config).processors.tail_sampling
    const samplers = lists.map(({ name, text, sampler }, index) => {
      const policies = join(folder, `list-${index}.yaml`)
      writeFileSync(policies, text)
      const settings = { ...shipped, ...sampler, policies: `\${file:${policies}}` }
      return { name, id: `list-${index}`, policies, settings, kept: join(folder, `list-${index}.jsonl`) }
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
          telemetry: { metrics: { level: 'none' } },
          pipelines: {
            'traces/kept': { processors: [], exporters: ['nop'] },
            ...each(({ id }) => [
              `traces/${id}`,
              { receivers: ['forward/kept'], processors: [`tail_sampling/${id}`], exporters: [`file/${id}`] },
            ]),
          },
        },
      }),
    )
    const env = { POLICY_FILE: samplers[0]?.policies ?? '', KEPT_FILE: join(folder, 'kept.jsonl') }
    await sendThrough(bench, traffic, { folder, overlays: [OVERLAY, overlay], env })
    const answers: [string, Decisions][] = []
    for (const { name, kept } of samplers) answers.push([name, await readKept(kept)])
    return new Map(answers)
  })

async function sendThrough(
  bench: Bench,
  { requests, speed, slowCall }: Traffic,
  { folder, overlays, env }: Scratch,
): Promise<void> {
  const { decisionSeconds, afterRootSeconds } = waitsAt(speed)
  const collector = await startCollector(bench, {
    folder,
    overlays,
    env: {
      DECISION_WAIT: `${decisionSeconds}s`,
      DECISION_WAIT_AFTER_ROOT: `${afterRootSeconds}s`,
      SLOW_CALL: slowCall,
      ...env,
    },
  })
  try {
    await send(bench, collector, requests(), speed)
    // A trace with its root is judged within two ticks of the sampler after its wait. What has none is judged
    // by stopping, on the spans that came: all of them, by now.
    await sleep((afterRootSeconds + 2) * 1000, undefined, { signal: bench.cancel })
    await refuseEvictions(collector)
  } finally {
    await collector.stop()
  }
}

/** Sends requests in their order, as far apart as they arrived. */
async function send({ cancel, say }: Bench, collector: Running, requests: AsyncIterable<Request>, speed: number) {
  const began = performance.now()
  let first: number | undefined
  let sent = 0
  let told = began
  for await (const { atMs, body, spans } of requests) {
    first ??= atMs
    const early = (atMs - first) / speed - (performance.now() - began)
    if (early > 1) await sleep(early, undefined, { signal: cancel })
    await post(collector, body, cancel)
    sent += spans.length
    if (performance.now() - told > PROGRESS_MS) {
      told = performance.now()
      say(`  ${sent} spans sent`)
    }
  }
}

async function post(collector: Running, body: string, cancel: AbortSignal): Promise<void> {
  for (;;) {
    cancel.throwIfAborted()
    collector.alive()
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${collector.otlp}/v1/traces`, {
      method: 'POST',
      headers,
      body,
      signal: cancel,
    }).catch(async (error: Error) => {
      // The collector may be ending: let it be seen to have ended, for its own words say more.
      await sleep(200)
      cancel.throwIfAborted()
      collector.alive()
      throw new Refusal(`the collector does not take the recording: ${error.message}`)
    })
    const answer = await response.text()
    if (response.ok) return
    // The memory limiter asks for patience.
    if (response.status === 429 || response.status === 503) await sleep(REFUSED_AGAIN_MS, undefined, { signal: cancel })
    else throw new Refusal(`the collector refuses a request of the recording: HTTP ${response.status} ${answer}`)
  }
}

/** A trace that had to make room was never judged, so the table would be wrong. */
async function refuseEvictions(collector: Running): Promise<void> {
  const page = await fetch(collector.metrics).then(
    (response) => response.text(),
    () => '',
  )
  const evicted = /^otelcol_processor_tail_sampling_sampling_trace_dropped_too_early\S* (\d+)/m.exec(page)?.[1]
  if (evicted && evicted !== '0') {
    throw new Refusal(
      `${evicted} traces were pushed out before they were judged; replay more slowly: SPEED=1 is as recorded`,
    )
  }
}

async function readKept(path: string): Promise<Decisions> {
  const kept = new Map<string, Kept>()
  if (!existsSync(path)) return kept
  const file = createReadStream(path)
  for await (const line of createInterface({ input: file })) {
    const otlp: Otlp = JSON.parse(line)
    const total = spansOf(otlp).length
    for (const { scopeSpans = [] } of otlp.resourceSpans) {
      for (const { scope, spans = [] } of scopeSpans) {
        const policy = attributeOf(scope?.attributes, 'tailsampling.policy')?.stringValue
        for (const { traceId } of spans) {
          const { spans: before, bytes, policy: known } = kept.get(traceId) ?? { spans: 0, bytes: 0, policy: undefined }
          // The sampler hands on one trace at a time, so a line's bytes are its trace's.
          kept.set(traceId, {
            policy: known ?? policy,
            spans: before + 1,
            bytes: bytes + Buffer.byteLength(line) / total,
          })
        }
      }
    }
  }
  return kept
}
