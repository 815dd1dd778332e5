import { readdirSync, readFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { valuesIn } from '../../evidence/leak/alterations.ts'
import { carried } from '../../evidence/leak/carriers.ts'
import { makeCorpus, type Sent } from '../../evidence/leak/corpus.ts'
import { type Harms, harmReport, harmsIn, isHarmless } from '../../evidence/leak/harm-report.ts'
import { makeHarmless } from '../../evidence/leak/harmless/corpus.ts'
import { isTight, judge, knownLeaksTable, type Leaks, leakReport, readKnownLeaks } from '../../evidence/leak/leak.ts'
import { recordedTraces } from '../../evidence/leak/recorded.ts'
import { redacted } from '../../evidence/leak/redactor.ts'
import { searcherFor } from '../../evidence/leak/search.ts'
import { type Caller, sumOf, withScratch } from '../../workbench/collector.ts'
import { UserError } from '../../workbench/user-error.ts'
import { waitFor } from '../../workbench/wait.ts'
import { BACKENDS, chosenBackends, exporterOf, served } from '../backends/backends.ts'
import { otlp } from '../backends/otlp.ts'
import { bootNative, haltNative } from '../boot.ts'
import { launcherFor } from '../collectors.ts'
import type { Result } from '../measured.ts'
import { otlpSink } from '../otlp-sink.ts'
import { portsOfItsOwn } from '../ports.ts'
import { bytesFrom, pageOf, phoenixProjects, phoenixSpans } from '../queries.ts'
import { type PortName, ROOT, type Settings, url } from '../settings.ts'
import { wholeNumber } from '../whole-number.ts'

export const KNOWN_LEAKS = 'evidence/leak/known-leaks.yaml'
const POLICY = 'collector/policies/keep-everything.yaml'
/** How many bodies of the corpus are in one request. */
const BODIES_AT_ONCE = 10

/**
 * Sends secrets of every kind through a scratch stack, then searches for them in every output: in the answers of the
 * backends, Prometheus and the collector, and in every file that they wrote. Throws `UserError` when it cannot.
 */
export const findLeaks = (settings: Settings, size: CorpusSize, options: Caller): Promise<Leaks> =>
  withScratch((state) => leaksOf(settings, state, size, options))

/** `shapes` is the number of recorded messages that each kind of secret is planted into; all, if it is left out. */
type CorpusSize = Readonly<{ seed: number; count: number; shapes?: number; policy?: string }>

const HARMLESS = { ids: 20_000, numbers: 100_000, pictures: { count: 2, bytes: 3_000_000 } }

/** Sends what is not private, and what real SDKs sent, through the redactor alone, and compares. Throws `UserError` when it cannot. */
export async function findHarm(settings: Settings, seed: number, options: Caller): Promise<Harms> {
  const launcher = await launcherFor(settings, options, 'native')
  const [harmless, recorded] = [[...makeHarmless({ seed, ...HARMLESS })], recordedTraces()]
  const arrived = await redacted(launcher, [...harmless, ...[...recorded.values()].flat()])
  return harmsIn(harmless, recorded, valuesIn(arrived))
}

/** Both, as a report. */
export async function runLeak(
  settings: Settings,
  { seed, count }: Readonly<{ seed: string | number; count: string | number }>,
  options: Caller,
): Promise<Result> {
  const size = { seed: wholeNumber('SEED', seed), count: wholeNumber('N', count) }
  options.say('  sending what is not private')
  const harms = await findHarm(settings, size.seed, options)
  const leaks = await findLeaks(settings, size, options)
  const knownLeaks = readKnownLeaks(readFileSync(resolve(ROOT, KNOWN_LEAKS), 'utf8'), KNOWN_LEAKS)
  const report: Result['report'] = (format) => {
    if (format === 'json') return leakReport(leaks, format)
    const both = `${leakReport(leaks, format)}\n\n${harmReport(harms, format)}`
    return format === 'markdown' ? `${both}\n\nThe known leaks:\n\n${knownLeaksTable(knownLeaks)}` : both
  }
  return { report, holds: isTight(leaks) && isHarmless(harms) }
}

async function leaksOf(settings: Settings, state: string, size: CorpusSize, { cancel, say }: Caller): Promise<Leaks> {
  const knownLeaks = readKnownLeaks(readFileSync(resolve(ROOT, KNOWN_LEAKS), 'utf8'), KNOWN_LEAKS)
  // What arrives while the corpus is sent is searched at the end: until then nobody knows what to search for.
  const taken: Readonly<{ path: string; body: Buffer }>[] = []
  const sink = await otlpSink((path, body) => void taken.push({ path, body }))
  const own = await isolatedSettings(settings, state, sink.url)
  try {
    await bootNative(own, {
      policy: size.policy ?? POLICY,
      only: ['prometheus', 'collector', ...served(chosenBackends(own)).map(({ id }) => id)],
      cancel,
      say,
    })
    const sent = [...makeCorpus(size), ...carried(size)]
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
    // Spans leave the queues when they are exported, so the queue files are searched all the time until then.
    await arrived(own, sent, cancel, () =>
      searchFiles(resolve(own.state, 'data/collector'), look, 'files of collector'),
    )
    say('  searching for them')
    await askEach(own, sent, look, cancel)
    const unshown = await messagesNotShown(own, sent)
    for (const { path, body } of taken) look(`${otlp.title} ${path}`, body)
    searchAllFiles()
    await haltNative(own, () => {})
    // The servers write some files when they stop.
    searchAllFiles()
    return judge(items, found, knownLeaks, unshown)
  } finally {
    await haltNative(own, () => {})
    sink.close()
  }
}

/**
 * Free ports, a temporary folder, all backends that run here, and a stand-in for one elsewhere, which takes logs too. No
 * secret may reach the user's own stack.
 */
async function isolatedSettings(settings: Settings, state: string, elsewhere: string): Promise<Settings> {
  const { RECORD: _, GRAFANA_HOME: __, VLLM_BASE_URL: ___, ...env } = settings.env
  const here = [...served(BACKENDS), otlp].map(({ id }) => id)
  const own = { BACKENDS: here.join(), [otlp.endpointVariable]: elsewhere, OTLP_BACKEND_HEADERS: '' }
  return { state, ports: await portsOfItsOwn(), env: { ...env, ...own } }
}

async function post(settings: Settings, sent: readonly Sent[], cancel: AbortSignal): Promise<void> {
  for (const [signal, path, list] of [
    ['traces', '/v1/traces', 'resourceSpans'],
    ['metrics', '/v1/metrics', 'resourceMetrics'],
    ['logs', '/v1/logs', 'resourceLogs'],
  ] as const) {
    const bodies = sent.filter((each) => each.signal === signal).map(({ body }) => body)
    for (let begin = 0; begin < bodies.length; begin += BODIES_AT_ONCE) {
      const parts = bodies.slice(begin, begin + BODIES_AT_ONCE).map((body) => body.slice(body.indexOf('[') + 1, -2))
      await accepted(url(settings, 'OTLP_HTTP_PORT', path), `{"${list}":[${parts.join()}]}`, cancel)
    }
  }
}

const PATIENCE_MS = 60_000

/** A body that is refused with 503 is sent again: the collector has too little memory for a moment. */
async function accepted(address: string, body: string, cancel: AbortSignal): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  const send = async () => {
    const response = await fetch(address, { method: 'POST', headers, body, signal: cancel })
    const said = await response.text()
    if (response.ok) return true
    if (response.status === 503) return false
    throw new UserError(
      `the collector refused a part of the corpus with HTTP ${response.status}: ${said.slice(0, 300)}`,
    )
  }
  if (!(await waitFor(send, { withinMs: PATIENCE_MS, everyMs: 200, cancel })))
    throw new UserError(`the collector refused a part of the corpus with HTTP 503 for ${PATIENCE_MS / 1000} s.`)
}

const ARRIVES_WITHIN_MS = 900_000
const traceIdsOf = (sent: readonly Sent[]) => sent.flatMap(({ traceIds }) => traceIds)

/** Waits until each backend has every trace, and Prometheus every metric: a search before that would miss some. */
async function arrived(
  settings: Settings,
  sent: readonly Sent[],
  cancel: AbortSignal,
  meanwhile: () => void,
): Promise<void> {
  const backends = served(chosenBackends(settings))
  const wanted = traceIdsOf(sent).length
  const spans = sent.reduce((sum, { spans }) => sum + spans, 0)
  const wantedLogs = sent.filter(({ signal }) => signal === 'logs').length
  let state = ''
  const isThere = async () => {
    const metrics = await pageOf(settings)
    meanwhile()
    const records = sumOf(metrics, 'otelcol_exporter_sent_log_records', `exporter="${exporterOf(otlp.id)}"`)
    const handedOn = backends.map(({ id }) =>
      sumOf(metrics, 'otelcol_exporter_sent_spans', `exporter="${exporterOf(id)}"`),
    )
    const stored = await Promise.all(backends.map(({ server }) => server.hasStored?.(settings, wanted) ?? true))
    state = `${handedOn.join(' and ')} of ${spans} spans were sent to ${backends.map(({ id }) => id).join(' and ')}, and ${records} of ${2 * wantedLogs} log records to ${otlp.id}`
    return records >= 2 * wantedLogs && handedOn.every((count) => count >= spans) && stored.every(Boolean)
  }
  if (!(await waitFor(isThere, { withinMs: ARRIVES_WITHIN_MS, everyMs: 200, cancel })))
    throw new UserError(`the corpus did not arrive within ${ARRIVES_WITHIN_MS / 1000} s: ${state}.`)
  // Two scrapes and two flushes of five seconds, so that counters and exemplars are where they end.
  await sleep(11_000, undefined, { signal: cancel })
  for (const { server } of backends) await server.flush?.(settings)
}

/** The messages of which Phoenix shows none: it could not read their JSON. */
async function messagesNotShown(settings: Settings, sent: readonly Sent[]): Promise<readonly string[]> {
  const shown = new Set<string>()
  for (const project of await phoenixProjects(settings))
    for (const { context, attributes } of await phoenixSpans(settings, project))
      if (Object.keys(attributes).some((key) => key.startsWith('llm.input_messages'))) shown.add(context.trace_id)
  const messages = sent.filter(({ hasMessages }) => hasMessages)
  return messages.filter(({ traceIds: [id = ''] }) => !shown.has(id)).map(({ items: [item] }) => item?.field ?? '')
}

type Look = (exit: string, bytes: Buffer) => void

/** Searches everything that the backends, Prometheus and the collector answer. */
async function askEach(settings: Settings, sent: readonly Sent[], look: Look, cancel: AbortSignal): Promise<void> {
  for (const { server } of served(chosenBackends(settings)))
    for await (const { where, bytes } of server.answers(settings, traceIdsOf(sent))) {
      cancel.throwIfAborted()
      look(where, bytes)
    }
  const ask = (port: PortName, path: string) => bytesFrom(url(settings, port, path))
  const range = new URLSearchParams({
    'match[]': '{__name__=~".+"}',
    query: '{__name__=~".+"}',
    start: String(Date.now() / 1000 - 3600),
    end: String(Date.now() / 1000 + 60),
  })
  for (const path of [`series?${range}`, `query_exemplars?${range}`, 'metadata?limit=1000000', `labels?${range}`])
    look('Prometheus', await ask('PROMETHEUS_PORT', `/api/v1/${path}`))
  look('the page of what agents send', await ask('COLLECTOR_EXPORTER_PORT', '/metrics'))
  look('the page of what is counted', await ask('COLLECTOR_COUNTED_PORT', '/metrics'))
  look("the collector's own metrics", await ask('COLLECTOR_METRICS_PORT', '/metrics'))
}

/** Searches every file in a folder; each is named after the service that wrote it. */
function searchFiles(folder: string, look: Look, name?: string): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = resolve(entry.parentPath, entry.name)
    const [service] = relative(folder, path).split('/')
    look(name ?? (folder.endsWith('logs') ? `the log ${service}` : `files of ${service}`), read(path))
  }
}

/** Servers remove some of their files while they run. */
function read(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0)
    throw error
  }
}
