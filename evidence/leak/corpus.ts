import { type AnyValue, nanosOf, text as string, type TraceRequest } from '../../otlp/json.ts'
import { type Random, randomOf } from '../../random/random.ts'
import { ENCODINGS, type Encoding, HIDING, type Spelled, textOf } from './encodings.ts'
import {
  type Field,
  LOG_SLOTS,
  type LogRecord,
  type Logs,
  METRIC_SLOTS,
  type Metric,
  type Metrics,
  type Signal,
  type Span,
  type Takes,
  TRACE_SLOTS,
  type Trace,
} from './fields.ts'
import { KINDS, type Kind, PLAIN_KINDS, type Secret } from './kinds.ts'

/** One secret that is sent: its kind, its encoding, its field, and the texts that must not be found. */
export type Item = Readonly<{ kind: string; encoding: string; field: string; needles: readonly string[] }>
export type Sent = Readonly<{
  signal: Signal
  traceIds: readonly string[]
  /** How many spans it has. */
  spans: number
  /** It has messages that Phoenix shows. */
  hasMessages?: boolean
  body: string
  items: readonly Item[]
}>

type Combination = Readonly<{ kind: Kind; encoding: Encoding }>

/** The keys of the values, as several SDKs write them. */
const KEYS = [
  'note',
  'input.value',
  'exception.message',
  'gen_ai.input.messages',
  'llm.input_messages.0.message.content',
  'http.request.header.x-note',
  'ai.prompt.lastMessage',
]

/**
 * Every kind in every encoding; each field begins with another kind. A row as long as the number of kinds has each kind once,
 * and a row as long as the number of combinations has each combination once. All fields of one turn have the same
 * encoding, so that a value is not masked only because of a value next to it.
 */
function combination(turn: number, offset: number, takes: Takes): Combination {
  const encoding = at(ENCODINGS, (turn % KINDS.length) + Math.floor(turn / KINDS.length))
  return {
    kind: at(KINDS, turn + offset),
    encoding: encoding.structured && takes !== 'value' ? at(ENCODINGS, 0) : encoding,
  }
}

/** Every kind and every encoding in every field, but not each kind in each encoding. */
export const SECRETS_OF_A_TEST = 10_000

/** So many that each kind is in each encoding somewhere. `make leak` sends them, unless N says otherwise. */
export const SECRETS_OF_A_RUN = 80_000

/** What `make leak` sends, from a seed: at least this many secrets. */
export function* makeCorpus({ seed, count }: Readonly<{ seed: number; count: number }>): Generator<Sent> {
  const seen = new Set<string>()
  for (let made = 0, turn = 0; made < count; turn++) {
    const sent = [oneTrace(randomOf(seed, 'trace', turn), turn, seen)]
    if (turn % METRICS_EVERY === 0) sent.push(oneMetrics(randomOf(seed, 'metrics', turn), turn / METRICS_EVERY, seen))
    if (turn % LOGS_EVERY === 1) sent.push(oneLog(randomOf(seed, 'logs', turn), (turn - 1) / LOGS_EVERY, seen))
    for (const each of sent) made += each.items.length
    yield* sent
  }
}

/** One body of metrics for this many traces: metrics have fewer fields that are stored, and each body makes new series. */
const METRICS_EVERY = 2
/** In the turns without metrics. */
const LOGS_EVERY = 2

function fill<Body>(
  fields: readonly Field<Body>[],
  body: Body,
  random: Random,
  turn: number,
  seen: Set<string>,
): Item[] {
  return fields.map((field, index) => {
    const { kind, encoding } = combination(turn, index, field.takes)
    const secret = unseen(kind, random, seen)
    const encoded = encoding.encode(secret, kind)
    const spelled = encoded?.key && field.takes === 'value' && field.hasNoKey ? undefined : encoded
    const used = spelled ? encoding.name : 'plain'
    const written: Spelled = spelled ?? { text: textOf(secret), needles: [secret.marker] }
    if (field.takes === 'value')
      field.put(body, 'text' in written ? string(written.text) : written.value, written.key ?? at(KEYS, turn))
    else if ('text' in written)
      field.put(body, field.takes === 'key' && random.below(2) === 0 ? `user.${written.text}` : written.text)
    return { kind: kind.name, encoding: used, field: field.name, needles: written.needles }
  })
}

const HIDDEN_IN = 'span attribute'
/** Half of a shorter marker can occur by chance. */
const SHORTEST_TO_SPLIT = 24

/** Kinds and encodings that no pattern can find, in an ordinary field. */
function hidden(trace: Trace, random: Random, turn: number, seen: Set<string>): Item[] {
  const { attributes } = trace.scopeSpans[0].spans[1]
  const add = (key: string, value: AnyValue) => void attributes.push({ key, value })
  const items: Item[] = []
  const tell = (kind: Kind, encoding: string, needles: readonly string[]) =>
    void items.push({ kind: kind.name, encoding, field: HIDDEN_IN, needles })

  const encoding = at(HIDING, Math.floor(turn / KINDS.length) + turn)
  const kinds = KINDS.filter(({ name }) => !encoding.only || encoding.only === name)
  const kind = at(kinds, turn)
  const spelled = encoding.encode(unseen(kind, random, seen), kind)
  if (spelled) {
    add('hidden', 'text' in spelled ? string(spelled.text) : spelled.value)
    tell(kind, encoding.name, spelled.needles)
  }

  const plain = at(PLAIN_KINDS, turn)
  const word = unseen(plain, random, seen)
  add('plain', string(`It is ${textOf(word)}.`))
  tell(plain, 'in prose', [word.marker])

  const other = at(KINDS, turn + 7)
  const split = unseen(other, random, seen)
  if (split.marker.length >= SHORTEST_TO_SPLIT) {
    const middle = split.before.length + split.marker.length / 2
    const text = textOf(split)
    add('first', string(text.slice(0, middle)))
    add('second', string(text.slice(middle)))
    tell(other, 'split over two attributes', [split.marker.slice(Math.ceil(split.marker.length / 2))])
  }
  return items
}

function at<T>(items: readonly T[], turn: number): T {
  const item = items[turn % items.length]
  if (item === undefined) throw new Error('there is nothing to choose from')
  return item
}

/** A secret of this kind that is not among those seen, and adds it to them. */
export function unseen(kind: Kind, random: Random, seen: Set<string>): Secret {
  for (;;) {
    const secret = kind.make(random)
    if (seen.has(secret.marker)) continue
    seen.add(secret.marker)
    return secret
  }
}

export const newSpan = (random: Random, atMs: number, traceId: string, parent?: string): Span => ({
  traceId,
  spanId: random.hex(16),
  ...(parent ? { parentSpanId: parent } : {}),
  traceState: '',
  name: 'chat',
  kind: 1,
  startTimeUnixNano: nanosOf(atMs),
  endTimeUnixNano: nanosOf(atMs + 1000),
  attributes: [],
  status: { code: 0, message: '' },
  events: [],
  links: [],
})

const service = (name: string) => ({
  attributes: [{ key: 'service.name', value: string(name) }],
  entityRefs: [{ schemaUrl: '', type: 'service', idKeys: ['service.name'], descriptionKeys: [] as string[] }],
})

/** Whole minutes, so that a run has few different times, and few digits of a time look like a secret number. */
const recently = () => Math.floor(Date.now() / 60_000) * 60_000 - 60_000

export function newTrace(random: Random): Trace {
  const [traceId, atMs] = [random.hex(32), recently()]
  const bare = newSpan(random, atMs, traceId)
  const rich = newSpan(random, atMs, traceId, bare.spanId)
  rich.events.push({ name: 'note', timeUnixNano: nanosOf(atMs), attributes: [] })
  rich.links.push({ traceId: random.hex(32), spanId: random.hex(16), traceState: '', attributes: [] })
  const scope = { name: 'acorn', version: '1', attributes: [] }
  return { resource: service(SERVICE), schemaUrl: '', scopeSpans: [{ scope, schemaUrl: '', spans: [bare, rich] }] }
}

/** One of this many senders promises that its links hold ids only, and breaks the promise. */
const PROMISES_EVERY = 10

/** The service that sends the whole corpus. */
export const SERVICE = 'acorn-shop'

export const bodyOf = (trace: Trace): string => JSON.stringify({ resourceSpans: [trace] } satisfies TraceRequest)
export const traceIdOf = (trace: Trace): string => trace.scopeSpans[0].spans[0].traceId

function oneTrace(random: Random, turn: number, seen: Set<string>): Sent {
  const trace = newTrace(random)
  const promises = turn % PROMISES_EVERY === 0
  if (promises) trace.resource.attributes.push({ key: 'woodland.links', value: string('ids-only') })
  const items = [...fill(TRACE_SLOTS, trace, random, turn, seen), ...hidden(trace, random, turn, seen)].map((item) =>
    promises && item.field.startsWith('link ') ? { ...item, field: `${item.field}, against a promise` } : item,
  )
  return {
    signal: 'traces',
    spans: trace.scopeSpans[0].spans.length,
    traceIds: [traceIdOf(trace)],
    body: bodyOf(trace),
    items,
  }
}

function oneMetrics(random: Random, turn: number, seen: Set<string>): Sent {
  const timeUnixNano = nanosOf(recently() + 30_000)
  const at = { timeUnixNano, startTimeUnixNano: nanosOf(recently()), attributes: [] }
  const exemplar = () => ({
    filteredAttributes: [],
    timeUnixNano,
    asDouble: 1,
    traceId: random.hex(32),
    spanId: random.hex(16),
  })
  const named = (name: string) => ({
    name: `acorn.${name}.${'abcdefgh'[turn % 8]}`,
    description: '',
    unit: '',
    metadata: [],
  })
  const metrics: Metric[] = [
    { ...named('stock'), gauge: { dataPoints: [{ ...at, attributes: [], asDouble: 1 }] } },
    {
      ...named('sold'),
      sum: {
        dataPoints: [{ ...at, attributes: [], asDouble: 1, exemplars: [exemplar()] }],
        aggregationTemporality: 2,
        isMonotonic: true,
      },
    },
    {
      ...named('wait'),
      histogram: {
        dataPoints: [
          {
            ...at,
            attributes: [],
            count: '1',
            sum: 1,
            bucketCounts: ['1', '0'],
            explicitBounds: [2],
            exemplars: [exemplar()],
          },
        ],
        aggregationTemporality: 2,
      },
    },
    {
      ...named('weight'),
      exponentialHistogram: {
        dataPoints: [
          {
            ...at,
            attributes: [],
            count: '1',
            sum: 1,
            scale: 0,
            zeroCount: '0',
            positive: { offset: 0, bucketCounts: ['1'] },
          },
        ],
        aggregationTemporality: 2,
      },
    },
    {
      ...named('size'),
      summary: {
        dataPoints: [{ ...at, attributes: [], count: '1', sum: 1, quantileValues: [{ quantile: 0.5, value: 1 }] }],
      },
    },
  ]
  const scope = { name: 'acorn', version: '1', attributes: [] }
  const body: Metrics = { resource: service(SERVICE), schemaUrl: '', scopeMetrics: [{ scope, schemaUrl: '', metrics }] }
  const items = fill(METRIC_SLOTS, body, random, turn, seen)
  return { signal: 'metrics', spans: 0, traceIds: [], body: JSON.stringify({ resourceMetrics: [body] }), items }
}

function oneLog(random: Random, turn: number, seen: Set<string>): Sent {
  const record = (): LogRecord => ({
    timeUnixNano: nanosOf(recently()),
    severityText: 'INFO',
    eventName: 'gen_ai.user.message',
    body: string('hello'),
    attributes: [],
  })
  const scope = { name: 'acorn', version: '1', attributes: [] }
  const logRecords: Logs['scopeLogs'][0]['logRecords'] = [record(), record()]
  const body: Logs = { resource: service(SERVICE), schemaUrl: '', scopeLogs: [{ scope, schemaUrl: '', logRecords }] }
  const items = fill(LOG_SLOTS, body, random, turn, seen)
  return { signal: 'logs', spans: 0, traceIds: [], body: JSON.stringify({ resourceLogs: [body] }), items }
}
