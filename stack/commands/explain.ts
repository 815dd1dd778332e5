import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import { mermaidReport } from '../../explain/mermaid.ts'
import { type Elsewhere, pageReport } from '../../explain/page.ts'
import { type Explained, explain } from '../../explain/summary.ts'
import { inShort, MOST_LINKED, textReport } from '../../explain/text.ts'
import { exploreFixed } from '../../grafana/source/links.ts'
import { hexOf, type TraceRequest } from '../../otlp/json.ts'
import { type PlainSpan, plainSpans } from '../../otlp/plain.ts'
import { CALL_OPERATIONS, DIALECTS, GEN_AI, OTHER, WOODLAND } from '../../vocabulary/attributes.ts'
import { millisecondsOf } from '../../workbench/duration.ts'
import { UserError } from '../../workbench/user-error.ts'
import { variablesIn } from '../../workbench/variables.ts'
import { chosenBackends } from '../backends/backends.ts'
import { shippedList } from '../policy.ts'
import { tokenPriceOn } from '../prices.ts'
import { tempoSearch, tempoTrace } from '../queries.ts'
import { hasGrafana } from '../remembered.ts'
import { type Settings, shownAs, url } from '../settings.ts'

export const EXPLAIN_FORMATS = ['text', 'json', 'mermaid', 'html'] as const
export const LASTS = ['failed', 'slow', 'costly'] as const

export type AskedExplain = Readonly<{
  trace: string | undefined
  last: (typeof LASTS)[number] | undefined
  agent: string | undefined
  service: string | undefined
  file: string | undefined
  format: (typeof EXPLAIN_FORMATS)[number]
}>

type Wanted = Partial<Pick<AskedExplain, 'trace' | 'last' | 'agent' | 'service'>>

/** As long as grafana/tempo.yaml keeps a block, in hours. */
export const KEPT_HOURS = 48
const SHOWN_IDS = 3
const WHAT_TO_TYPE =
  'Type make explain TRACE=… with its id, or make explain LAST=failed (or slow, or costly), with AGENT=… or SERVICE=… if you like.'

/** Says what happened in one trace. Throws `UserError` when there is no such trace. */
export async function askExplain(settings: Settings, asked: AskedExplain): Promise<string> {
  const { file, agent, format } = asked
  refuseUnclear(asked)
  const spans = file === undefined ? await fromTempo(settings, asked) : await fromFile(file, asked.trace)
  // Past cost keeps its price.
  const explained = explain(spans, tokenPriceOn(dayOf(spans)), agent)
  // A search may find an agent by the name that the Collector gave it; then the spans above may name it better.
  if (agent !== undefined && asked.last === undefined && !explained.summary.turns.some((one) => one.agent === agent))
    throw new UserError(
      `AGENT=${agent} has no turn in this trace. It has turns of ${explained.summary.turns.map((one) => one.agent).join(', ') || 'no agent'}. Names of agents are written as the agents write them.`,
    )
  const whole = file === undefined ? await withLinked(settings, explained) : explained
  return format === 'html' ? written(settings, whole, file === undefined) : reports[format](whole)
}

/** Says what happened in the traces that this one links to: one step, because each tick links to the one before, for ever. */
async function withLinked(settings: Settings, { summary, ...rest }: Explained): Promise<Explained> {
  const linked = await Promise.all(
    summary.linked.map(async (one, index) => {
      if (index >= MOST_LINKED) return one
      // What is known of this trace is said, even if another cannot be read.
      const spans = await tempoTrace(settings, one.trace).catch(() => undefined)
      if (spans === undefined) return one
      const says = spans.length > 0 ? inShort(explain(spans, tokenPriceOn(dayOf(spans))).summary) : 'not kept'
      return { ...one, says }
    }),
  )
  return { ...rest, summary: { ...summary, linked } }
}

/** The page of one kept trace, as `FORMAT=html` writes it. Throws `UserError` when Tempo has no such trace. */
export async function tracePage(settings: Settings, trace: string): Promise<string> {
  const spans = await keptTrace(settings, trace)
  const explained = await withLinked(settings, explain(spans, tokenPriceOn(dayOf(spans))))
  return pageReport(explained, elsewhere(settings, explained.summary.trace))
}

/** The same trace in the other programs of this stack. */
const elsewhere = (settings: Settings, trace: string): Elsewhere => [
  ...(chosenBackends(settings).some(({ id }) => id === 'phoenix')
    ? [['Read it in Phoenix', url(settings, 'PHOENIX_PORT', `/redirects/traces/${trace}`)] as const]
    : []),
  ...(hasGrafana(settings)
    ? [['Open it in Grafana', url(settings, 'GRAFANA_PORT', exploreFixed(trace, 'search'))] as const]
    : []),
]

const dayOf = ([first]: readonly PlainSpan[]): Date => new Date(Number((first?.start ?? 0n) / 1_000_000n))

const reports = {
  text: ({ summary }: Explained) => textReport(summary),
  json: ({ summary }: Explained) => JSON.stringify(summary, null, 2),
  mermaid: ({ summary }: Explained) => mermaidReport(summary),
}

/** Writes the page, and answers with its path. */
function written(settings: Settings, explained: Explained, stored: boolean): string {
  const path = resolve(settings.state, 'explain', `${explained.summary.trace}.html`)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, pageReport(explained, stored ? elsewhere(settings, explained.summary.trace) : []))
  return shownAs(path)
}

/** Every span of a kept trace, from Tempo. Throws `UserError` with the reasons when it is not there. */
export function keptTrace(settings: Settings, trace: string): Promise<readonly PlainSpan[]> {
  refuseNoId(trace)
  return fromTempo(settings, { trace })
}

function refuseNoId(trace: string): void {
  if (/^[0-9a-f]{1,32}$/i.test(trace)) return
  throw new UserError(
    `TRACE=${trace} is no trace id: that is 32 digits from 0 to f, as Grafana, Phoenix and the log of the simulator show it.`,
  )
}

function refuseUnclear({ trace, last, file, agent, service }: AskedExplain): void {
  if (file === undefined && trace === undefined && last === undefined) {
    const alone = [agent && `AGENT=${agent}`, service && `SERVICE=${service}`].filter(Boolean).join(' ')
    throw new UserError(alone ? `${alone} alone names no trace. ${WHAT_TO_TYPE}` : `No trace is named. ${WHAT_TO_TYPE}`)
  }
  if (last !== undefined && (trace !== undefined || file !== undefined))
    throw new UserError(
      `LAST=${last} searches Tempo, so it does not go with ${trace === undefined ? 'FILE' : 'TRACE'}. Leave one of the two out.`,
    )
  if (trace !== undefined) refuseNoId(trace)
}

async function fromTempo(settings: Settings, asked: Wanted): Promise<readonly PlainSpan[]> {
  if (!chosenBackends(settings).some(({ id }) => id === 'tempo'))
    throw new UserError(
      'BACKENDS has no tempo, and kept traces are read from Tempo. Type make up BACKENDS=tempo,…, or make explain FILE=… with a file of OTLP JSON.',
    )
  const { trace } = asked
  try {
    if (trace === undefined) return await tempoTrace(settings, await newest(settings, asked))
    const id = trace.toLowerCase().padStart(32, '0')
    const spans = await tempoTrace(settings, id)
    if (spans.length === 0) throw new UserError(notThere(trace))
    return spans
  } catch (error) {
    if (error instanceof UserError) throw error
    const at = url(settings, 'TEMPO_PORT')
    const why =
      (error as Error).message === 'fetch failed' ? 'does not answer' : `could not answer (${(error as Error).message})`
    throw new UserError(
      `Tempo ${why} at ${at}. To see whether it runs: make status. To start it: make up. Without a Tempo: make explain FILE=… with a file of OTLP JSON.`,
    )
  }
}

const notThere = (
  trace: string,
) => `Tempo has no trace ${trace}${trace.length < 32 ? ' (an id has 32 digits; only zeros at its beginning may be missing)' : ''}. One of these is so:
  - the policies did not keep it. make why shows how they vote on a trace of a recording; make reload POLICY=collector/policies/keep-everything.yaml keeps all from now on;
  - it is not judged yet: the sampler waits some seconds after the root span, and ten minutes for a trace without one;
  - it is older than ${KEPT_HOURS} hours, so Tempo has deleted it, or no such trace was sent.
For a trace that was kept: make explain LAST=failed`

/** A text in TraceQL. */
const quoted = (text: string) => JSON.stringify(text)
const span = (key: string) => `span.${key}`

/** What each word means: TraceQL for one span, first the clearest. The thresholds are those of the policies. */
function questions(settings: Settings, last: (typeof LASTS)[number]): readonly string[] {
  const limits = variablesIn(shippedList(), settings.env)
  const limit = (name: string) => limits.get(name) ?? ''
  const operation = span(GEN_AI.OPERATION)
  const run = `${operation} =~ "invoke_agent|invoke_workflow"`
  const call = `${operation} =~ "${CALL_OPERATIONS.join('|')}"`
  return {
    failed: [
      `${run} && status = error`,
      `${operation} != nil && status = error`,
      `${span(DIALECTS.EVALUATION_OUTCOME)} = "fail"`,
    ],
    slow: [
      `((${call} && duration > ${limit('SLOW_CALL')}) || (${run} && duration > ${limit('SLOW_RUN')}) || ${span(DIALECTS.HAND_WRITTEN_LATENCY)} > ${millisecondsOf(limit('SLOW_CALL'))})`,
    ],
    costly: [
      `(${span(WOODLAND.TOKENS)} >= ${limit('TOKEN_HEAVY')} || (${call} && ${span(GEN_AI.INPUT_TOKENS)} >= ${limit('HEAVY_CALL')}) || ${span(DIALECTS.HAND_WRITTEN_INPUT)} >= ${limit('HEAVY_CALL')})`,
    ],
  }[last]
}

/** The id of the newest kept trace that is meant. */
async function newest(settings: Settings, { last = 'failed', agent, service }: Wanted): Promise<string> {
  const asked = questions(settings, last)
  const also = [
    ...(agent === undefined ? [] : [`${span(GEN_AI.AGENT)} = ${quoted(agent)}`]),
    ...(service === undefined ? [] : [`resource.${OTHER.SERVICE_NAME} = ${quoted(service)}`]),
  ]
  for (const question of asked) {
    const query = `{ ${[question, ...also].join(' && ')} } with (most_recent=true)`
    const found = await tempoSearch(settings, query, { limit: 20, hours: KEPT_HOURS })
    const [first] = found.toSorted((one, other) =>
      Number(BigInt(other.startTimeUnixNano ?? 0) - BigInt(one.startTimeUnixNano ?? 0)),
    )
    if (first) return first.traceID.padStart(32, '0')
  }
  const words = [`LAST=${last}`, ...(agent ? [`AGENT=${agent}`] : []), ...(service ? [`SERVICE=${service}`] : [])].join(
    ' ',
  )
  throw new UserError(
    `No kept trace of the last ${KEPT_HOURS} hours matches ${words}. ${also.length > 0 ? `Leave out ${agent ? 'AGENT' : 'SERVICE'}, or write it as the spans do` : 'Try another LAST'}; a new trace is found some seconds after its root. What is asked in TraceQL: { ${[asked[0], ...also].join(' && ')} }`,
  )
}

/** The spans of one trace from a file of OTLP JSON, or from stdin: one request, a request a line as the Collector writes, or an answer of Tempo. */
async function fromFile(file: string, trace: string | undefined): Promise<readonly PlainSpan[]> {
  const shown = file === '-' ? 'stdin' : file
  const requests = requestsIn(file === '-' ? await textOf(process.stdin) : textIn(file), shown)
  const traces = Map.groupBy(
    requests.flatMap((request) => plainSpans(request, idOf)),
    ({ traceId }) => traceId,
  )
  const ids = [...traces.keys()].filter((id) => trace === undefined || id.startsWith(trace.toLowerCase()))
  const [id] = ids
  const some = (all: readonly string[]) => `${all.slice(0, SHOWN_IDS).join(', ')}${all.length > SHOWN_IDS ? ', …' : ''}`
  if (traces.size === 0) throw new UserError(`${shown} has no span. ${FILE_RULE}`)
  if (id === undefined)
    throw new UserError(
      `TRACE=${trace} is no trace of ${shown}, which has ${traces.size}: ${some([...traces.keys()])}. Write one of them, or how it begins.`,
    )
  if (ids.length > 1)
    throw new UserError(
      trace === undefined
        ? `${shown} has ${ids.length} traces: say which with TRACE=…, for example ${some(ids)}.`
        : `TRACE=${trace} is how ${ids.length} traces of ${shown} begin: ${some(ids)}. Write more of it.`,
    )
  return traces.get(id) ?? []
}

const FILE_RULE =
  'A file has OTLP JSON: {"resourceSpans": […]}, one request or one a line, plain or gzipped; or what Tempo answers for a trace.'

function textIn(file: string): string {
  try {
    const bytes = readFileSync(resolve(process.cwd(), file))
    return (bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes).toString()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new UserError(
      `FILE=${file} cannot be read: ${{ ENOENT: 'there is no such file', EISDIR: 'it is a folder' }[code ?? ''] ?? message}. ${FILE_RULE}`,
    )
  }
}

/** OTLP writes an id in 16 or 32 hexadecimal digits; Tempo's answers have it in base64. */
const idOf = (id: string): string => (/^(?:[0-9a-f]{16}|[0-9a-f]{32})?$/i.test(id) ? id.toLowerCase() : hexOf(id))

type Answer = Readonly<{
  resourceSpans?: TraceRequest['resourceSpans']
  trace?: TraceRequest
  batches?: TraceRequest['resourceSpans']
}>

function requestsIn(content: string, shown: string): readonly TraceRequest[] {
  const whole = parsed(content)
  const parts =
    whole === undefined
      ? content.split('\n').map((one, index) => ({ one, at: `${shown}:${index + 1}` }))
      : [{ one: content, at: shown }]
  return parts
    .filter(({ one }) => one.trim() !== '')
    .map(({ one, at }) => {
      const answer = (parts.length === 1 ? whole : parsed(one)) as Answer | undefined
      const resourceSpans = answer?.resourceSpans ?? answer?.trace?.resourceSpans ?? answer?.batches
      if (!Array.isArray(resourceSpans)) throw new UserError(`${at} is no OTLP request of traces. ${FILE_RULE}`)
      return { resourceSpans }
    })
}

function parsed(content: string): unknown {
  try {
    return JSON.parse(content) ?? undefined
  } catch {
    return undefined
  }
}
