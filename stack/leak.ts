import { readdirSync, readFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeCorpus, type Sent } from '../evidence/leak/corpus.ts'
import { falsePositivesIn, type HarmlessTrace, makeHarmlessTraces } from '../evidence/leak/false-positives.ts'
import { isTight, judge, type Leaks, leakReport, readKnownLeaks } from '../evidence/leak/leak.ts'
import { searcherFor } from '../evidence/leak/search.ts'
import { type Attribute, spansOf, type TraceRequest } from '../otlp/json.ts'
import { sumOf, withScratch } from '../workbench/collector.ts'
import type { Format } from '../workbench/draw.ts'
import { UserError } from '../workbench/user-error.ts'
import { bootNative, haltNative } from './boot.ts'
import { portsOfItsOwn } from './ports.ts'
import { type Result, wholeNumber } from './proof.ts'
import { type PortName, ROOT, type Settings, url } from './settings.ts'

type Options = Readonly<{ cancel: AbortSignal; say: (line: string) => void }>

export const REMAINDER = 'evidence/leak/known-leaks.yaml'
const POLICY = 'collector/policies/keep-everything.yaml'
const SERVICES = ['tempo', 'prometheus', 'phoenix', 'collector']
const SECRETS_FOR_AN_INNOCENT = 2
/** So many bodies of the corpus travel in one request. */
const BODIES_AT_ONCE = 10

/**
 * Sends secrets of every kind through a whole stack of its own, then looks for them at every exit: in what Tempo,
 * Phoenix, Prometheus and the collector answer, and in every file that they wrote. Throws `UserError` when it cannot.
 */
export const findLeaks = (settings: Settings, size: CorpusSize, options: Options): Promise<Leaks> =>
  withScratch((state) => leaksOf(settings, state, size, options))

type CorpusSize = Readonly<{ seed: number; count: number; policy?: string }>

/** The same, as a report. */
export async function runLeak(
  settings: Settings,
  { seed, count }: Readonly<{ seed: string | number; count: string | number }>,
  format: Format,
  options: Options,
): Promise<Result> {
  const size = { seed: wholeNumber('SEED', seed), count: wholeNumber('N', count) }
  const leaks = await findLeaks(settings, size, options)
  return { text: leakReport(leaks, format), holds: isTight(leaks) }
}

async function leaksOf(settings: Settings, state: string, size: CorpusSize, { cancel, say }: Options): Promise<Leaks> {
  const knownLeaks = readKnownLeaks(readFileSync(resolve(ROOT, REMAINDER), 'utf8'), REMAINDER)
  const own = await isolatedSettings(settings, state)
  try {
    await bootNative(own, { policy: size.policy ?? POLICY, only: SERVICES, cancel, say })
    const harmless = [...makeHarmlessTraces({ seed: size.seed, count: size.count / SECRETS_FOR_AN_INNOCENT })]
    const sent = [...makeCorpus(size), ...harmless.map(asSent)]
    const items = sent.flatMap(({ items }) => items)
    const search = searcherFor(items.map(({ needles }) => needles))
    const found = new Map<number, string[]>()
    const look = (exit: string, bytes: Buffer) => {
      for (const index of search(bytes)) {
        const exits = found.get(index)
        if (!exits) found.set(index, [exit])
        else if (!exits.includes(exit)) exits.push(exit)
      }
    }
    const searchAllFiles = () => {
      for (const folder of ['data', 'logs']) searchFiles(resolve(own.state, folder), look)
    }
    say(`  sending ${items.length} secrets`)
    await post(own, sent, cancel)
    // What is handed on leaves the queues again, so they are read as long as it lasts.
    await arrived(own, sent, cancel, () =>
      searchFiles(resolve(own.state, 'data/collector'), look, 'files of collector'),
    )
    say('  looking for them')
    await askEach(own, sent, look, cancel)
    const spared = await arrivedAttributes(own, harmless, cancel)
    searchAllFiles()
    await haltNative(own, () => {})
    // What is written last, on the way out.
    searchAllFiles()
    return judge(
      items,
      found,
      knownLeaks,
      falsePositivesIn(harmless, (id) => spared.get(id) ?? []),
    )
  } finally {
    await haltNative(own, () => {})
  }
}

/** Free ports and a folder that is gone afterwards: nothing of this may reach the user's own backends. */
async function isolatedSettings(settings: Settings, state: string): Promise<Settings> {
  const { RECORD: _, GRAFANA_HOME: __, VLLM_BASE_URL: ___, ...env } = settings.env
  return { state, ports: await portsOfItsOwn(), env }
}

async function post(settings: Settings, sent: readonly Sent[], cancel: AbortSignal): Promise<void> {
  for (const [signal, path, list] of [
    ['traces', '/v1/traces', 'resourceSpans'],
    ['metrics', '/v1/metrics', 'resourceMetrics'],
  ] as const) {
    const bodies = sent.filter((each) => each.signal === signal).map(({ body }) => body)
    for (let begin = 0; begin < bodies.length; begin += BODIES_AT_ONCE) {
      const parts = bodies.slice(begin, begin + BODIES_AT_ONCE).map((body) => body.slice(body.indexOf('[') + 1, -2))
      await accepted(url(settings, 'OTLP_HTTP_PORT', path), `{"${list}":[${parts.join()}]}`, cancel)
    }
  }
}

const PATIENCE_MS = 60_000

/** Refused with 503, a body is sent again: the collector is short of memory for a moment. */
async function accepted(address: string, body: string, cancel: AbortSignal): Promise<void> {
  for (const until = Date.now() + PATIENCE_MS; ; await sleep(200)) {
    cancel.throwIfAborted()
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(address, { method: 'POST', headers, body, signal: cancel })
    const text = await response.text()
    if (response.ok) return
    if (response.status !== 503 || Date.now() > until)
      throw new UserError(
        `the collector refused a part of the corpus with HTTP ${response.status}: ${text.slice(0, 300)}`,
      )
  }
}

async function answer(address: string, cancel: AbortSignal, init: RequestInit = {}): Promise<Buffer> {
  const response = await fetch(address, { ...init, signal: AbortSignal.any([cancel, AbortSignal.timeout(60_000)]) })
  const bytes = Buffer.from(await response.arrayBuffer())
  if (!response.ok)
    throw new UserError(`${address} answered HTTP ${response.status}: ${bytes.toString().slice(0, 300)}`)
  return bytes
}

const ARRIVES_WITHIN_MS = 180_000
const traceIdsOf = (sent: readonly Sent[]) => sent.flatMap(({ traceIds }) => traceIds)

/** What is not there yet cannot be found: waits until both backends have every trace, and Prometheus every metric. */
async function arrived(
  settings: Settings,
  sent: readonly Sent[],
  cancel: AbortSignal,
  meanwhile: () => void,
): Promise<void> {
  const wanted = traceIdsOf(sent).length
  let state = ''
  for (const until = Date.now() + ARRIVES_WITHIN_MS; Date.now() < until; await sleep(200)) {
    cancel.throwIfAborted()
    const metrics = (await answer(url(settings, 'COLLECTOR_METRICS_PORT', '/metrics'), cancel)).toString()
    meanwhile()
    const spansTo = (exporter: string) => sumOf(metrics, 'otelcol_exporter_sent_spans', `exporter="${exporter}"`)
    const spans = ['otlp_http/tempo', 'otlp_http/phoenix'].map(spansTo)
    const stored = (await phoenixTraces(settings, cancel)) ?? 0
    state = `${spans.join(' and ')} of ${2 * wanted} spans were handed on, ${stored} of ${wanted} traces are in Phoenix`
    if (spans.every((count) => count >= 2 * wanted) && stored >= wanted) {
      // Two scrapes and two flushes of five seconds, so that counters and exemplars are where they end.
      await sleep(11_000, undefined, { signal: cancel })
      await answer(url(settings, 'TEMPO_PORT', '/flush'), cancel)
      return
    }
  }
  throw new UserError(`the corpus did not arrive within ${ARRIVES_WITHIN_MS / 1000} s: ${state}.`)
}

async function phoenixTraces(settings: Settings, cancel: AbortSignal): Promise<number | undefined> {
  const body = JSON.stringify({ query: '{ projects { edges { node { traceCount } } } }' })
  const headers = { 'content-type': 'application/json' }
  const bytes = await answer(url(settings, 'PHOENIX_PORT', '/graphql'), cancel, { method: 'POST', headers, body })
  type Answer = { data?: { projects: { edges: readonly { node: { traceCount: number } }[] } } }
  const { data } = JSON.parse(bytes.toString()) as Answer
  return data?.projects.edges.reduce((sum, { node }) => sum + node.traceCount, 0)
}

const asSent = ({ traceId, body }: HarmlessTrace): Sent => ({ signal: 'traces', traceIds: [traceId], body, items: [] })

/** The attributes of the harmless spans, as Tempo has them. */
async function arrivedAttributes(
  settings: Settings,
  harmless: readonly HarmlessTrace[],
  cancel: AbortSignal,
): Promise<ReadonlyMap<string, readonly Attribute[]>> {
  const arrived = new Map<string, readonly Attribute[]>()
  for (const { traceId } of harmless) {
    const bytes = await answer(url(settings, 'TEMPO_PORT', `/api/v2/traces/${traceId}`), cancel)
    const { trace } = JSON.parse(bytes.toString()) as { trace: TraceRequest }
    arrived.set(
      traceId,
      spansOf(trace).flatMap(({ attributes = [] }) => attributes),
    )
  }
  return arrived
}

type Look = (exit: string, bytes: Buffer) => void

/** Everything that the backends and the collector answer. */
async function askEach(settings: Settings, sent: readonly Sent[], look: Look, cancel: AbortSignal): Promise<void> {
  const ask = (port: PortName, path: string) => answer(url(settings, port, path), cancel)
  for (const id of traceIdsOf(sent)) {
    const trace = await ask('TEMPO_PORT', `/api/v2/traces/${id}`)
    if (!trace.includes('"spans"'))
      throw new UserError(`Tempo has lost trace ${id}, so nothing is known of its secrets.`)
    look('Tempo', trace)
  }
  look('Tempo: names of attributes', await ask('TEMPO_PORT', '/api/v2/search/tags?limit=100000'))
  const projects = JSON.parse((await ask('PHOENIX_PORT', '/v1/projects')).toString()) as {
    data: readonly { name: string }[]
  }
  for (const { name } of projects.data) {
    let cursor: string | null = null
    do {
      const page = new URLSearchParams({ limit: '1000', ...(cursor ? { cursor } : {}) })
      const bytes = await ask('PHOENIX_PORT', `/v1/projects/${encodeURIComponent(name)}/spans?${page}`)
      look('Phoenix', bytes)
      cursor = (JSON.parse(bytes.toString()) as { next_cursor: string | null }).next_cursor
    } while (cursor)
  }
  const range = new URLSearchParams({
    'match[]': '{__name__=~".+"}',
    query: '{__name__=~".+"}',
    start: String(Date.now() / 1000 - 3600),
    end: String(Date.now() / 1000 + 60),
  })
  for (const path of [`series?${range}`, `query_exemplars?${range}`, 'metadata?limit=1000000', `labels?${range}`])
    look('Prometheus', await ask('PROMETHEUS_PORT', `/api/v1/${path}`))
  look('the page that Prometheus reads', await ask('COLLECTOR_EXPORTER_PORT', '/metrics'))
  look("the collector's own metrics", await ask('COLLECTOR_METRICS_PORT', '/metrics'))
}

/** Every file below a folder, named by the folder of the service that wrote it. */
function searchFiles(folder: string, look: Look, name?: string): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = resolve(entry.parentPath, entry.name)
    const [service] = relative(folder, path).split('/')
    look(name ?? (folder.endsWith('logs') ? `the log ${service}` : `files of ${service}`), read(path))
  }
}

/** Servers remove files of their own while they run. */
function read(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0)
    throw error
  }
}
