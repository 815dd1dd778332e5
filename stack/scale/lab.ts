import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Member, startTiers, type Tiers } from '../../evidence/tiers/processes.ts'
import {
  type Caller,
  type Launcher,
  type Running,
  startCollector,
  sumOf,
  withScratch,
} from '../../workbench/collector.ts'
import { waitFor } from '../../workbench/wait.ts'
import { chosenBackends, collectorFile, served } from '../backends/backends.ts'
import { launcherFor, tiersLauncher } from '../collectors.ts'
import { type Content, makeBodies, SPANS_PER_REQUEST, SPANS_PER_TRACE, send, sink } from '../load.ts'
import { SHIPPED_POLICY } from '../policy.ts'
import { collectorEnvironment } from '../services.ts'
import { ROOT, type Settings } from '../settings.ts'

export type Lab = Caller & Readonly<{ settings: Settings; one: Launcher; tiers: Launcher }>

export async function makeLab(settings: Settings, options: Caller): Promise<Lab> {
  return {
    settings,
    ...options,
    one: await launcherFor(settings, options, 'native'),
    tiers: await tiersLauncher(settings, options),
  }
}

/** Every trace has a root, and all of it is in one request. */
const WAITS = { DECISION_WAIT: '5s', DECISION_WAIT_AFTER_ROOT: '1s' }

type Running2 = Tiers & Readonly<{ one: Running | undefined; sinkBytes: () => number }>
type Asked = Readonly<{
  gateways: number
  samplers: number
  /** Whether one Collector that does all runs beside them. */
  hasOne?: boolean
  gatewayFiles?: readonly string[]
  env?: Readonly<Record<string, string>>
}>

/** Starts two tiers, and one Collector beside them if it is asked for, with stand-ins that take everything in the place of the backends. */
export async function withTiers<T>(
  { settings, one: plain, tiers: launcher }: Lab,
  { gateways, samplers, hasOne, gatewayFiles = [], env = {} }: Asked,
  work: (running: Running2) => Promise<T>,
): Promise<T> {
  const backends = served(chosenBackends(settings))
  const files = backends.map((backend) => resolve(ROOT, collectorFile(backend)))
  const { GOGC = '', GOMEMLIMIT = '' } = collectorEnvironment(settings)
  const shared = { ...WAITS, POLICY_FILE: resolve(ROOT, SHIPPED_POLICY), GOGC, GOMEMLIMIT, ...env }
  const backend = await sink()
  const endpoints = Object.fromEntries(backends.map(({ endpointVariable }) => [endpointVariable, backend.url]))
  try {
    return await withScratch(async (folder) => {
      const tiers = await startTiers(launcher, {
        folder,
        gateways,
        samplers,
        env: shared,
        gatewayFiles,
        samplerFiles: files,
        samplerEnv: () => endpoints,
      })
      const running = [...tiers.gateways, ...tiers.samplers]
      let one: Running | undefined
      try {
        if (hasOne) {
          const own = join(folder, 'one')
          mkdirSync(own)
          one = await startCollector(plain, { folder: own, overlays: files, env: { ...shared, ...endpoints } })
        }
        return await work({ ...tiers, one, sinkBytes: backend.bytes })
      } finally {
        await Promise.all([...running.map(({ now }) => now().kill()), one?.kill()])
      }
    })
  } finally {
    backend.close()
  }
}

export const runningOf = (members: readonly Member[]): readonly Running[] => members.map(({ now }) => now())

/** The sum of a counter over several processes. */
export async function total(some: readonly Running[], name: string, label = ''): Promise<number> {
  const pages = await Promise.all(some.map(({ metrics }) => metrics()))
  return pages.reduce((sum, page) => sum + sumOf(page, name, label), 0)
}

const JUDGED = 'otelcol_processor_tail_sampling_global_count_traces_sampled'
const SENT = 'otelcol_exporter_sent_spans'
const BACKENDS = 2
const DONE_WITHIN_MS = 300_000
/** Each look makes a page of metrics, which costs CPU that is measured. */
const LOOK_EVERY_MS = 500

/** How much these processes have judged and handed on. */
async function doneBy(judges: readonly Running[]) {
  const [judged, kept, sent] = await Promise.all([
    total(judges, JUDGED),
    total(judges, JUDGED, 'sampled="true"'),
    total(judges, SENT),
  ])
  return { judged, kept, sent }
}

/** Sends these spans, and waits until they are judged and what is kept is with both backends. Returns the share that was kept. */
export async function sendAndSettle(
  { cancel }: Pick<Lab, 'cancel'>,
  to: readonly Running[],
  judges: readonly Running[],
  content: Content,
  spans: number,
): Promise<Readonly<{ spans: number; kept: number }>> {
  const bodies = makeBodies(content)
  const before = await doneBy(judges)
  const traces = await send(
    to.map(({ otlp }) => otlp),
    bodies,
    spans,
  )
  const done = await waitFor(
    async () => {
      const now = await doneBy(judges)
      const kept = now.kept - before.kept
      const isDone = now.judged - before.judged >= traces && now.sent - before.sent >= BACKENDS * kept * SPANS_PER_TRACE
      return isDone && { kept: kept / traces }
    },
    { withinMs: DONE_WITHIN_MS, everyMs: LOOK_EVERY_MS, cancel },
  )
  if (!done) throw new Error(`${traces} traces were not judged and sent within ${DONE_WITHIN_MS / 1000} s`)
  return { spans: traces * SPANS_PER_TRACE, kept: done.kept }
}

/** Bytes of a span as it is sent, by the requests that carry it. */
export const bytesOf = (content: Content): number => {
  const bodies = makeBodies(content)
  return bodies.reduce((sum, { body }) => sum + body.length, 0) / (bodies.length * SPANS_PER_REQUEST)
}
