import { COLLECTOR, GEN_AI, MESSAGES, OPENINFERENCE, OTHER, WOODLAND } from '../../vocabulary/attributes.ts'
import type { Span } from '../queries.ts'
import { type Counted, countOf, type Pipeline } from './counted.ts'
import { few, type Line, note, ok, onResource, some, tally, told, untold } from './line.ts'
import { doubles } from './nesting.ts'
import { exampleFor } from './sdk.ts'
import { manyNames } from './span-names.ts'
import { hasRoot, isCallSpan, isLate, type Shown, type Stored, spansIn, type Trace } from './stored.ts'

export type Kept = Readonly<{
  service: string
  counted: Pick<Counted, 'groups'>
  stored: Stored
  pipeline: Pipeline
  /** How long the sampler waits without a root, and after it. */
  waits: Readonly<{ root: string; afterRoot: string }>
  window: string
}>

/** What the newest kept traces tell. */
export function byTraces(kept: Kept): readonly Line[] {
  const { service, stored, pipeline } = kept
  const mine = spansIn(stored.traces, service)
  if (stored.untold) return [untold('kept', `${stored.untold}; nor what only stored traces show`)]
  if (countOf(kept.counted.groups) === 0) return []
  if (mine.length === 0) return [nothingKept(kept), roots(kept, mine)]
  return [
    keptBy(stored.traces),
    messages(mine),
    roots(kept, mine),
    late(kept, mine),
    countedTwice(stored.traces, service),
    spanNames(mine, stored.traces.length),
    processes(mine, pipeline),
    masked(mine),
    links(mine),
    ...(stored.phoenix ? [inPhoenix(mine, stored.phoenix)] : []),
  ]
}

const KEEP_ALL = 'make reload POLICY=collector/policies/keep-everything.yaml   # keeps all; make reload alone goes back'

function nothingKept({ pipeline, waits, window }: Kept): Line {
  const wait =
    pipeline.waiting > 0 ? ` ${some(pipeline.waiting, 'trace')} of all services wait for the verdict now.` : ''
  return note(
    'kept',
    `no trace of the last ${window} is stored, so what only a trace shows is left out. The shipped list keeps what failed, what was slow and one in ten of the rest, ${waits.afterRoot} after the root.${wait}`,
    KEEP_ALL,
  )
}

function keptBy(traces: readonly Trace[]): Line {
  const policies = traces.map((trace) =>
    String(trace.find(({ scope }) => scope[COLLECTOR.POLICY])?.scope[COLLECTOR.POLICY] ?? 'a policy without a name'),
  )
  return ok('kept', `${told(tally(policies))}; below, what the newest ${some(traces.length, 'trace')} show`)
}

const has = ({ attributes }: Span, keys: readonly string[]) => keys.some((key) => attributes[key] !== undefined)

function messages(mine: readonly Span[]): Line {
  const calls = mine.filter((span) => isCallSpan(span) && !span.error)
  if (calls.length === 0) return ok('messages', 'no kept call went well, so none has to show a reply')
  const count = (keys: readonly string[]) => calls.filter((span) => has(span, keys)).length
  const [input, output, reasons] = [MESSAGES.INPUT, MESSAGES.OUTPUT, [GEN_AI.RESPONSE_FINISH_REASONS]].map(count)
  const found = `of ${some(calls.length, 'kept call')}, ${input} show the prompt, ${output} the reply, ${reasons} the finish reason`
  if (input && output) return ok('messages', found)
  return note('messages', `${found}, so no conversation is shown`, ...messageFix(exampleFor(calls)))
}

/** How an SDK is told to write messages on spans; most do so by default. */
const messageFix = (example = 'none'): readonly string[] =>
  ({
    'openai-v2': [
      'opentelemetry-instrumentation-openai-v2 sends them as log records. To have them on spans, use OpenInference for the calls:',
      'pip install openinference-instrumentation-openai   # then OpenAIInstrumentor().instrument(tracer_provider=provider)',
    ],
    traceloop: ['export TRACELOOP_TRACE_CONTENT=true'],
    'vercel-ai': ['experimental_telemetry: { isEnabled: true, recordInputs: true, recordOutputs: true }'],
    'pydantic-ai': ['Agent.instrument_all(InstrumentationSettings(include_content=True))'],
  })[example] ?? [
    `span.set_attribute("${OPENINFERENCE.INPUT}", prompt)   # and "${OPENINFERENCE.OUTPUT}", on the span of the call`,
  ]

function roots({ service, stored, pipeline, waits }: Kept, mine: readonly Span[]): Line {
  const all = [...stored.traces, ...stored.rootless]
  const rootless = all.filter((trace) => !hasRoot(trace))
  const waiting = `${some(pipeline.waiting, 'trace')} of all services wait for the verdict now`
  if (rootless.length === 0)
    return mine.length === 0
      ? untold('roots', `cannot be told without a kept trace; ${waiting}`)
      : ok('roots', `each of ${some(all.length, 'kept trace')} has its root`)
  const parents = spansIn(rootless, service).length
  return note(
    'roots',
    `${rootless.length} of ${some(all.length, 'kept trace')} have no root (${some(parents, 'span')} of this service). Such a trace is judged only after ${waits.root}; ${waiting}`,
    'End the outermost span, also when the program fails, and flush before it exits: provider.shutdown().',
    'If the outermost span is in another service, let that one send here too.',
  )
}

function late({ pipeline, waits }: Kept, mine: readonly Span[]): Line {
  const lateHere = mine.filter(isLate).length
  const others =
    pipeline.lateLost > 0
      ? `; of all services, ${some(pipeline.lateLost, 'span')} came too late for a trace that was already dropped`
      : ''
  if (lateHere === 0)
    return ok('late spans', `none came after the verdict on its trace, ${waits.afterRoot} after the root${others}`)
  return note(
    'late spans',
    `${lateHere} of ${some(mine.length, 'kept span')} came after the verdict, ${waits.afterRoot} after the root, so no policy saw them${others}`,
    'export OTEL_BSP_SCHEDULE_DELAY=1000   # send sooner; or wait longer:',
    'make reload DECISION_WAIT_AFTER_ROOT=12s',
  )
}

function countedTwice(traces: readonly Trace[], service: string): Line {
  const found = doubles(traces, service)
  if (found.length === 0) return ok('counted twice', 'no model call stands inside another one, or beside it')
  const pairs = tally(found.map(({ outer, inner, where }) => `${inner.scopeName} ${where} ${outer.scopeName}`))
  const tokensToo = found.filter(({ tokens }) => tokens === 'both').length
  const what =
    tokensToo > 0
      ? `with the same tokens (${tokensToo}), which are counted once where both came in one request`
      : 'their tokens are counted once; calls and seconds, too, where both came in one request and name one model'
  const [outer, inner] = [found[0]?.outer, found[0]?.inner]
  return note(
    'counted twice',
    `${some(found.length, 'call')} inside or beside another call: ${few(pairs.map(([pair]) => pair))}; ${what}`,
    outer && inner && /openai_agents/.test(outer.scopeName)
      ? 'Traceloop.init(…, block_instruments={Instruments.OPENAI})   # from traceloop.sdk.instruments import Instruments'
      : inner?.scopeName.startsWith('com.anthropic.sdk.')
        ? "export ANTHROPIC_OPEN_TELEMETRY=false   # Anthropic's SDK makes spans of its own as soon as a program has OpenTelemetry"
        : `Two instrumentations see one call. Switch one of the two off: do not call instrument() of ${inner?.scopeName}.`,
  )
}

function spanNames(mine: readonly Span[], traces: number): Line {
  const names = [...new Set(mine.map(({ name }) => name))]
  const [worst] = manyNames(names)
  if (!worst) return ok('span names', `${some(names.length, 'name')} in ${some(traces, 'kept trace')}`)
  return note(
    'span names',
    `${worst.names.length} names are one, ${worst.template} (such as ${few(worst.names.slice(0, 2))}): an id is in the name, so a search by name finds one run`,
    `Put the id in an attribute: tracer.start_as_current_span("${worst.template.replace(/[^A-Za-z_.]*\*.*$/, '')}", attributes={"run.id": id})`,
  )
}

/** Two processes with one identity, at the same time: after a restart, the old one sends no more. */
function processes(mine: readonly Span[], { resets }: Pipeline): Line {
  const byId = new Map<string, Map<string, { from: bigint; to: bigint }>>()
  for (const { resource, start, end } of mine) {
    const process = [resource['host.name'], resource['process.pid']].filter((part) => part !== undefined).join(' ')
    if (resource['process.pid'] === undefined) continue
    const id = String(resource[OTHER.SERVICE_INSTANCE] ?? 'none')
    const some = byId.get(id) ?? new Map()
    const seen = some.get(process)
    some.set(process, {
      from: seen && seen.from < start ? seen.from : start,
      to: seen && seen.to > end ? seen.to : end,
    })
    byId.set(id, some)
  }
  const FIX = `${onResource(`${OTHER.SERVICE_INSTANCE}=$(uuidgen)`)}   # in each process`
  for (const [id, some] of byId) {
    const all = [...some]
    const shared = all.filter(([name, one]) =>
      all.some(([other, two]) => other !== name && one.from <= two.to && two.from <= one.to),
    )
    if (shared.length > 1)
      return note(
        'processes',
        `${shared.length} processes run at once as service.instance.id ${id}: ${few(shared.map(([name]) => name).sort())}`,
        FIX,
      )
  }
  const ids = new Set(mine.map(({ resource }) => resource[OTHER.SERVICE_INSTANCE])).size
  const found = `${ids} service.instance.id${byId.size === 0 ? '; cannot be told: whether two processes share it, because no span has process.pid' : ''}`
  if (resets > 0)
    return note(
      'processes',
      `${found}. A metric went back ${some(resets, 'time')}: two processes of some service write one series`,
      FIX,
    )
  return ok('processes', found)
}

const withoutNumbers = (key: string) => key.replace(/\.\d+(?=\.|$)/g, '.*')

function masked(mine: readonly Span[]): Line {
  const touched = mine.filter(({ attributes }) => Number(attributes[COLLECTOR.MASKED]) > 0)
  if (touched.length === 0) return ok('masked', 'nothing private was found in kept spans')
  const keys = touched.flatMap(({ attributes }) =>
    Object.entries(attributes).flatMap(([key, value]) =>
      JSON.stringify(value)?.includes('****') ? [withoutNumbers(key)] : [],
    ),
  )
  const found = `on ${touched.length} of ${some(mine.length, 'kept span')}, in ${told(tally(keys))}`
  const needed = [GEN_AI.AGENT, GEN_AI.REQUEST_MODEL, GEN_AI.TOOL_NAME, GEN_AI.OPERATION].filter((key) =>
    keys.includes(key),
  )
  if (needed.length === 0) return ok('masked', found)
  return note(
    'masked',
    `${found}: boards group by ${few(needed)}`,
    'If it holds nothing private: collector/privacy/patterns.yaml says what looks so.',
  )
}

function links(mine: readonly Span[]): Line {
  const promises = mine.filter(({ resource }) => resource[WOODLAND.LINKS] === 'ids-only')
  const found = promises.reduce((sum, { links }) => sum + links.length, 0)
  if (promises.length === mine.length) return ok('links', `kept spans have ${some(found, 'link')}, and they are stored`)
  return untold(
    'links',
    'cannot be told: links are dropped before anything is counted. To have them stored, if they have no attributes:',
    onResource(`${WOODLAND.LINKS}=ids-only`),
  )
}

function inPhoenix(mine: readonly Span[], { project, asked, spans, problem }: Shown): Line {
  if (problem) return note('Phoenix', `does not tell about its project ${project}: ${problem}`)
  // A span that does no work of an agent, such as one of HTTP, has no kind there, and needs none.
  const operations = new Map(mine.map(({ spanId, attributes }) => [spanId, attributes[GEN_AI.OPERATION]]))
  const shown = spans.filter(({ context }) => operations.has(context.span_id))
  const unknown = shown.filter(({ span_kind, context }) => span_kind === 'UNKNOWN' && operations.get(context.span_id))
  const found = `the project ${project} has ${some(shown.length, 'span')} of its newest ${some(asked, 'trace')}`
  if (project === 'default')
    return note(
      'Phoenix',
      `${found}, among those of everybody without a project`,
      onResource(`${OPENINFERENCE.PROJECT}=my-agents`),
    )
  if (shown.length === 0) return note('Phoenix', `${found}: it stores a kept trace some seconds after Tempo`)
  if (unknown.length > 0)
    return note(
      'Phoenix',
      `${found}, ${unknown.length} without a kind (${few([...new Set(unknown.map(({ name }) => name))])})`,
      `span.set_attribute("${OPENINFERENCE.KIND}", "CHAIN")   # or LLM, TOOL, AGENT`,
    )
  return ok('Phoenix', found)
}
