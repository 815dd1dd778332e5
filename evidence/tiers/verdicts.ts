import { createReadStream, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { resourceSpans, type TraceRequest } from '../../otlp/json.ts'
import { plainSpans } from '../../otlp/plain.ts'
import { COLLECTOR } from '../../vocabulary/attributes.ts'
import { type Launcher, startCollector, withScratch } from '../../workbench/collector.ts'
import { startPosting } from '../../workbench/post.ts'
import type { Request } from '../../workbench/recording.ts'
import { SHORTEST_WAITS_SPEED } from '../../workbench/replay.ts'
import { UserError } from '../../workbench/user-error.ts'
import { type Labelled, makeTraffic } from '../traffic.ts'
import { startTiers, stopTiers } from './processes.ts'

/** Takes the place of the backends: what is kept is written to a file. */
export const KEPT_TO_FILE = `
exporters: { file/kept: { path: "\${env:KEPT_FILE}", flush_interval: 100ms, append: true } }
service: { pipelines: { traces/file: { receivers: [forward/stored], exporters: [file/kept] } } }
`

/** A trace that was kept: by which policy, and with how many spans. */
export type Kept = Readonly<{ policy: string; spans: number }>

/** What is in a file that `KEPT_TO_FILE` wrote, by trace id. */
export async function keptIn(file: string): Promise<ReadonlyMap<string, Kept>> {
  const kept = new Map<string, Kept>()
  if (!existsSync(file)) return kept
  for await (const line of createInterface({ input: createReadStream(file) })) {
    if (!line) continue
    for (const { traceId, scope } of plainSpans(JSON.parse(line) as TraceRequest)) {
      const { policy, spans } = kept.get(traceId) ?? { policy: String(scope[COLLECTOR.POLICY]), spans: 0 }
      kept.set(traceId, { policy, spans: spans + 1 })
    }
  }
  return kept
}

export type Verdicts = Readonly<{
  traces: number
  mustKeep: number
  services: number
  /** Traces that were kept by two tiers, by one Collector, and with another policy or another number of spans. */
  byTiers: number
  byOne: number
  different: number
  /** Traces that must be kept and were lost, in whole or in part. */
  lost: number
  /** Traces that two samplers judged. */
  split: number
  /** The smallest share of kept traces that one sampler judged. */
  leastShare: number
}>

const [GATEWAYS, SAMPLERS, SERVICES] = [2, 3, 8]
/** Longer than a part of the traffic takes on a busy machine, so that no verdict depends on it. At the end, all that waits is judged. */
const WAITS = { DECISION_WAIT: '300s', DECISION_WAIT_AFTER_ROOT: '60s' }
/** So many must-keep traces are sent to one Collector, then to two tiers, in turns. */
const PART = 3000
const PER_SECOND = 1500
const CONNECTIONS = 4
const TRIES = 600
const AGAIN_AFTER_MS = 200

/** Sends the same traffic through one Collector and through two tiers. The spans of each trace come from eight services, through both gateways. */
export async function compareVerdicts(
  { one: plain, tiers: launcher }: Readonly<{ one: Launcher; tiers: Launcher }>,
  { list, seed, mustKeep }: Readonly<{ list: string; seed: number; mustKeep: number }>,
): Promise<Verdicts> {
  return withScratch(async (folder) => {
    const [sink, policies] = [join(folder, 'sink.yaml'), join(folder, 'policies.yaml')]
    writeFileSync(sink, KEPT_TO_FILE)
    writeFileSync(policies, list)
    const fileOf = (name: string) => join(folder, `${name}.jsonl`)
    const env = { ...WAITS, POLICY_FILE: policies }
    const tiers = await startTiers(launcher, {
      folder,
      gateways: GATEWAYS,
      samplers: SAMPLERS,
      env,
      samplerFiles: [sink],
      samplerEnv: (index) => ({ KEPT_FILE: fileOf(`sampler-${index}`) }),
    })
    const alone = join(folder, 'one')
    mkdirSync(alone)
    const all = [...tiers.samplers, ...tiers.gateways]
    try {
      const one = await startCollector(plain, {
        folder: alone,
        overlays: [sink],
        env: { ...env, KEPT_FILE: fileOf('one') },
      })
      try {
        const labelled: Labelled[] = []
        for (let sent = 0, part = 0; sent < mustKeep; part++) {
          const size = { seed: seed + part, mustKeep: Math.min(PART, mustKeep - sent), perSecond: PER_SECOND }
          const requests: Request[] = []
          const traffic = makeTraffic({ ...size, speed: SHORTEST_WAITS_SPEED }, (trace) => void labelled.push(trace))
          for await (const request of traffic) requests.push(request)
          const bodies = requests.flatMap(spread)
          await sendAll([one.otlp], bodies, plain.cancel)
          await sendAll(
            tiers.gateways.map(({ now }) => now().otlp),
            bodies,
            plain.cancel,
          )
          sent += size.mustKeep
          plain.say(`  verdicts: ${sent} of ${mustKeep} traces that must be kept were sent to both`)
        }
        await Promise.all([one.stop(), stopTiers(tiers)])
        const expected = await keptIn(fileOf('one'))
        const found = await Promise.all(tiers.samplers.map((_, index) => keptIn(fileOf(`sampler-${index}`))))
        return compared(labelled, expected, found)
      } finally {
        await one.kill()
      }
    } finally {
      await Promise.all(all.map(({ now }) => now().kill()))
    }
  })
}

/** The spans of a request as eight services send them, each in a request of its own. */
function spread({ spans }: Request): readonly Buffer[] {
  const byService = Map.groupBy(spans, ({ spanId }) => Number.parseInt(spanId.slice(-2), 16) % SERVICES)
  return [...byService].map(([service, own]) =>
    Buffer.from(
      JSON.stringify({ resourceSpans: [resourceSpans(own, { resource: { 'service.name': `service-${service}` } })] }),
    ),
  )
}

/** Sends one request to each address in turn. A Collector that is short of memory refuses one for a moment. */
async function sendAll(to: readonly string[], bodies: readonly Buffer[], cancel: AbortSignal) {
  const posting = to.map((otlp) => startPosting(`${otlp}/v1/traces`, CONNECTIONS))
  let next = 0
  const connection = async () => {
    while (next < bodies.length) {
      cancel.throwIfAborted()
      const number = next++
      for (let tries = 1; ; tries++) {
        const answer = await posting[number % to.length]?.post(bodies[number] ?? Buffer.alloc(0))
        if (answer && 'status' in answer && answer.status === 200) break
        if (tries === TRIES) throw new UserError(`a request was not taken: ${JSON.stringify(answer)}`)
        await sleep(AGAIN_AFTER_MS)
      }
    }
  }
  try {
    await Promise.all(Array.from({ length: CONNECTIONS * to.length }, connection))
  } finally {
    await Promise.all(posting.map(({ stop }) => stop()))
  }
}

/** Compares what two tiers kept with what one Collector kept, trace by trace. */
export function compared(
  labelled: readonly Labelled[],
  expected: ReadonlyMap<string, Kept>,
  found: readonly ReadonlyMap<string, Kept>[],
): Verdicts {
  const places = Map.groupBy(
    found.flatMap((kept) => [...kept.keys()]),
    (id) => id,
  )
  const byTiers = new Map(found.flatMap((kept) => [...kept]))
  const isEqual = (id: string) =>
    byTiers.get(id)?.policy === expected.get(id)?.policy && byTiers.get(id)?.spans === expected.get(id)?.spans
  const must = labelled.filter(({ kind }) => kind !== 'routine')
  return {
    traces: labelled.length,
    mustKeep: must.length,
    services: SERVICES,
    byTiers: byTiers.size,
    byOne: expected.size,
    different: [...new Set([...byTiers.keys(), ...expected.keys()])].filter((id) => !isEqual(id)).length,
    lost: must.filter(({ id, spans }) => byTiers.get(id)?.spans !== spans).length,
    split: [...places.values()].filter(({ length }) => length > 1).length,
    leastShare: Math.min(...found.map(({ size }) => size)) / byTiers.size,
  }
}
