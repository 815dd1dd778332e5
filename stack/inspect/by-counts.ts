import { CALL_OPERATIONS, EVENTS, GEN_AI } from '../../vocabulary/attributes.ts'
import { millisecondsOf } from '../../workbench/duration.ts'
import { type Counted, CUT, countOf, type Group, isCall } from './counted.ts'
import { blind, few, type Line, note, ok, some, tally, told } from './line.ts'

/** What else decides how the counts are to be read. */
export type Around = Readonly<{
  /** Other services with model calls in the kept traces of this one. */
  callers: readonly string[]
  /** The backends that are loaded. */
  backends: readonly string[]
  endpoint: string
  /** Over how long was counted, such as 10m. */
  window: string
}>

const countBy = (groups: readonly Group[], key: 'operation' | 'model' | 'provider' | 'error') =>
  tally(groups.map((group) => [group[key], group.count] as const))
const MINUTE_MS = 60_000

/** What is counted before sampling tells: all spans, kept or not. */
export function byCounts(counted: Counted, around: Around): readonly Line[] {
  const calls = counted.groups.filter(isCall)
  return [
    arrives(counted, around),
    ...(countOf(counted.groups) > 0
      ? [
          operation(counted, around),
          model(calls, around),
          price(counted),
          tokens(counted, calls, around),
          firstChunk(counted, calls),
          errors(counted, around),
          limits(counted),
        ]
      : []),
    metrics(counted),
    labels(counted),
    logs(counted, around),
  ]
}

function arrives({ service, groups, metrics, logs }: Counted, { endpoint, window }: Around): Line {
  const spans = countOf(groups)
  if (spans === 0)
    return blind(
      'arrives',
      `no span in ${window}, only ${[metrics.series > 0 ? 'metrics' : '', logs.length > 0 ? 'log records' : ''].filter(Boolean).join(' and ')}`,
      'Boards and policies read spans. Does your program set up a tracer? Then:',
      `export OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_ENDPOINT=${endpoint}`,
    )
  const found = `${some(spans, 'span')} in ${window}, ${(spans / (millisecondsOf(window) / MINUTE_MS)).toFixed(1)} a minute`
  if (service.startsWith('unknown_service'))
    return note('arrives', `${found}, from a program without a name`, 'export OTEL_SERVICE_NAME=my-agents')
  if (service === CUT)
    return note('arrives', `${found}; its name is too long to be a label: use at most 128 characters`)
  return ok('arrives', found)
}

const BY_HAND = `span.set_attribute("${GEN_AI.OPERATION}", "chat")   # on each model call, as in examples/opentelemetry/agent.ts`

function operation({ groups }: Counted, { callers }: Around): Line {
  const named = groups.filter(({ operation }) => operation !== '')
  const spans = countOf(groups)
  if (named.length > 0)
    return ok('operation', `on ${countOf(named)} of ${some(spans, 'span')}: ${told(countBy(named, 'operation'))}`)
  if (callers.length > 0)
    return ok('operation', `on no span, but it takes part in runs of ${few(callers)}, which has them`)
  return blind(
    'operation',
    `none of ${some(spans, 'span')} says what it does: no policy for calls, agents or tools can keep them, and no board shows them`,
    'Use an instrumentation of examples/README.md, or write it by hand:',
    BY_HAND,
  )
}

/** A service may leave its model calls to another one. */
const elsewhere = (callers: readonly string[]) => `it makes no model call; ${few(callers)} does in the same traces`

function model(calls: readonly Group[], { callers }: Around): Line {
  if (calls.length === 0)
    return callers.length > 0
      ? ok('model', elsewhere(callers))
      : blind(
          'model',
          'no span is a model call, so nothing is shown by model, and no policy for calls can keep it',
          `A call needs a span of its own, inside that of the agent: ${CALL_OPERATIONS.map((one) => `"${one}"`).join(' or ')}.`,
          BY_HAND,
        )
  const all = countOf(calls)
  const [nameless, without] = [calls.filter(({ model }) => !model), calls.filter(({ provider }) => !provider)]
  const models = countBy(calls, 'model').filter(([name]) => name !== '')
  const providers = countBy(calls, 'provider').filter(([name]) => name !== '')
  const attribute = (key: string, value: string) => `span.set_attribute("${key}", ${value})   # on the span of the call`
  if (models.length === 0)
    return blind('model', `none of ${some(all, 'call')} names a model`, attribute(GEN_AI.REQUEST_MODEL, 'model'))
  const found = `${told(models)}; provider ${few(providers.map(([name]) => name)) || 'not named'}`
  const fix = [
    ...(nameless.length > 0 ? [attribute(GEN_AI.REQUEST_MODEL, 'model')] : []),
    ...(without.length > 0 ? [attribute(GEN_AI.PROVIDER, '"openai"')] : []),
  ]
  const lacks = [
    ...(nameless.length > 0 ? [`${countOf(nameless)} of ${some(all, 'call')} name no model`] : []),
    ...(without.length > 0 ? [`${countOf(without)} of ${some(all, 'call')} name no provider`] : []),
  ]
  return lacks.length > 0 ? note('model', `${found}; ${lacks.join(', ')}`, ...fix) : ok('model', found)
}

function price({ tokens, unpriced }: Counted): Line {
  if (tokens.length === 0) return ok('price', 'nothing to price: no tokens are counted')
  const models = [...new Set(tokens.map(({ model }) => model).filter(Boolean))]
  if (unpriced.length === 0) return ok('price', `${few(models)}: in the price catalogue or in grafana/prices.yaml`)
  const named = unpriced.filter(Boolean)
  if (named.length === 0) return blind('price', 'tokens without a model have no price: see model above')
  return blind(
    'price',
    `no price holds for ${few(named)}: its tokens cost nothing on the boards`,
    'In grafana/prices.yaml, with your numbers in USD for a million tokens, then make prices:',
    ...named.slice(0, 3).flatMap((name) => [`  ${name}:`, `    - { from: ${TODAY()}, input: 0.00, output: 0.00 }`]),
  )
}

const TODAY = () => new Date().toISOString().slice(0, 10)

function tokens({ tokens }: Counted, calls: readonly Group[], { callers }: Around): Line {
  const of = (type: string) => countOf(tokens.filter((one) => one.type === type))
  if (tokens.length > 0) {
    const parts = ['cache_read', 'cache_creation', 'reasoning'].filter((type) => of(type) > 0)
    const inside = parts.map((type) => `${type} ${of(type).toLocaleString('en')}`).join(', ')
    return ok(
      'tokens',
      `input ${of('input').toLocaleString('en')}, output ${of('output').toLocaleString('en')}${inside ? `; of these ${inside}` : ''}`,
    )
  }
  if (calls.length === 0)
    return callers.length > 0
      ? ok('tokens', elsewhere(callers))
      : blind('tokens', 'none, because no span is a model call; tokens on agents are sums, so they are not counted')
  const well = calls.filter(({ failed }) => !failed)
  if (well.length === 0) return note('tokens', `none: all of ${some(countOf(calls), 'call')} failed`)
  return blind(
    'tokens',
    `none on ${some(countOf(well), 'call')} that went well: no cost, and no policy for heavy calls`,
    'A streamed call sends them only when asked: stream_options={"include_usage": True}. By hand, on the span of the call:',
    `span.set_attribute("${GEN_AI.INPUT_TOKENS}", usage.prompt_tokens)`,
    `span.set_attribute("${GEN_AI.OUTPUT_TOKENS}", usage.completion_tokens)`,
  )
}

function firstChunk({ firstChunks }: Counted, calls: readonly Group[]): Line {
  if (firstChunks > 0) return ok('first chunk', `${firstChunks} of ${some(countOf(calls), 'call')} tell when it came`)
  return ok('first chunk', 'no call tells when it came; only streamed calls can')
}

function errors({ groups }: Counted, { window }: Around): Line {
  const failed = groups.filter((group) => group.failed)
  if (failed.length === 0) return ok('errors', `no span failed in ${window}`)
  const found = `${some(countOf(failed), 'span')} failed`
  const typed = countBy(failed, 'error').filter(([type]) => type !== '' && type !== '_OTHER')
  const untyped = countOf(failed) - typed.reduce((sum, [, count]) => sum + count, 0)
  if (untyped === 0) return ok('errors', `${found}: ${told(typed)}`)
  return note(
    'errors',
    `${found}, ${untyped} without a type${typed.length > 0 ? `: ${told(typed)}` : ''}`,
    'span.record_exception(error); span.set_attribute("error.type", type(error).__name__)',
  )
}

const LIMITS: Readonly<Record<string, string>> = {
  attribute_cut: 'an attribute was longer than the limit, and was cut',
  attribute_count: 'a span had more attributes than the limit, and the last ones were dropped',
  token_count:
    'a number of tokens was impossible, and was moved to woodland.invalid.KEY or stands only under the key of the SDK',
  span_time: 'a span had no start, an end before its start, or a time after the year 2262',
}

function limits({ groups }: Counted): Line {
  const beyond = groups.filter(({ limit }) => limit !== '')
  if (beyond.length === 0) return ok('limits', 'no attribute was cut, no number of tokens was impossible')
  const kinds = [...new Set(beyond.map(({ limit }) => LIMITS[limit] ?? limit))]
  return note('limits', `on ${some(countOf(beyond), 'span')}: ${kinds.join('; ')} (docs/limits.md)`)
}

function metrics({ metrics: { series, processes } }: Counted): Line {
  if (series === 0) return ok('metrics', 'its SDK sends none, and none are needed: all is counted from spans')
  return ok(
    'metrics',
    `${some(series, 'series')} from ${processes} process${processes === 1 ? '' : 'es'}; deltas and totals are both added up`,
  )
}

function labels({ metrics: { series, overflowing, cut }, groups }: Counted): Line {
  if (overflowing > 0)
    return note(
      'labels',
      'a metric of its SDK has more than 500 sets of labels in one process, so an id is among them: only its total is counted',
      'Take that label out of the agent, or out of collector/dialects/metric-labels.yaml.',
    )
  if (cut > 0 || groups.some((group) => Object.values(group).includes(CUT)))
    return note(
      'labels',
      `a label has more than 128 characters and is shown as "${CUT}"`,
      'Use a short name for agent, model and tool.',
    )
  if (series === 0) return ok('labels', 'those of spans: agent, model, provider, operation, tool, error')
  return ok('labels', 'only those of collector/dialects/metric-labels.yaml; cannot be told: which others its SDK sent')
}

/** The only backend that takes all log records, and the one that takes those with an evaluation. */
const STORES_LOGS = 'otlp'
const TAKES_EVALUATIONS = 'annotations'

function logs({ logs }: Counted, { backends }: Around): Line {
  const records = countOf(logs)
  if (records === 0) return ok('logs', 'it sends no log records')
  const found = `${some(records, 'record')}: ${told(logs.map(({ event, count }) => [event || 'without an event', count]))}`
  if (backends.includes(STORES_LOGS)) return ok('logs', `${found}; the backend ${STORES_LOGS} stores them`)
  const areTaken = ({ event }: (typeof logs)[number]) =>
    event === EVENTS.EVALUATION && backends.includes(TAKES_EVALUATIONS)
  if (logs.every(areTaken)) return ok('logs', `${found}; Phoenix gets them as annotations`)
  const others = logs.some(areTaken) ? 'Phoenix gets the evaluations, the others are ' : ''
  return note(
    'logs',
    `${found}; ${others}counted and then dropped, because no backend here takes them`,
    `export OTEL_LOGS_EXPORTER=none   # or store them: make up BACKENDS=${[...backends, STORES_LOGS].join(',')} OTLP_BACKEND_ENDPOINT=…`,
  )
}
