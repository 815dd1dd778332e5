import { type AnyValue, type Attribute, text as string } from '../../otlp/json.ts'

// Parts of OTLP that are always there and are filled in one by one.
type Named = { name: string; attributes: Attribute[] }
export type Span = Named & {
  traceId: string
  spanId: string
  parentSpanId?: string
  traceState: string
  kind: number
  startTimeUnixNano: string
  endTimeUnixNano: string
  status: { code: number; message: string }
  events: (Named & { timeUnixNano: string })[]
  links: { traceId: string; spanId: string; traceState: string; attributes: Attribute[] }[]
}
type EntityRef = { schemaUrl: string; type: string; idKeys: string[]; descriptionKeys: string[] }
type Resource = { attributes: Attribute[]; entityRefs: EntityRef[] }
type Scope = Named & { version: string }

/** One resource with one scope and two spans: one bare, one with an event and a link. */
export type Trace = {
  resource: Resource
  schemaUrl: string
  scopeSpans: [{ scope: Scope; schemaUrl: string; spans: [bare: Span, rich: Span] }]
}

type Exemplar = {
  filteredAttributes: Attribute[]
  timeUnixNano: string
  asDouble: number
  traceId: string
  spanId: string
}
type Point = { attributes: Attribute[]; timeUnixNano: string; exemplars?: Exemplar[] } & Record<string, unknown>
type Points = { dataPoints: [Point]; aggregationTemporality?: number; isMonotonic?: boolean }
export type Metric = {
  name: string
  description: string
  unit: string
  metadata: Attribute[]
  gauge?: Points
  sum?: Points
  histogram?: Points
  exponentialHistogram?: Points
  summary?: Points
}
/** One resource with one scope and a metric of each type. */
export type Metrics = {
  resource: Resource
  schemaUrl: string
  scopeMetrics: [{ scope: Scope; schemaUrl: string; metrics: Metric[] }]
}

export type LogRecord = {
  timeUnixNano: string
  severityText: string
  eventName: string
  body: AnyValue
  attributes: Attribute[]
}
/** One resource with one scope and two log records: one whose whole body is a field, and one with a body in layers. */
export type Logs = {
  resource: Resource
  schemaUrl: string
  scopeLogs: [{ scope: Scope; schemaUrl: string; logRecords: [plain: LogRecord, layered: LogRecord] }]
}

/** What a field holds: any value, a key, or other text. */
export type Takes = 'value' | 'key' | 'text'
type Put<Body> =
  | { takes: 'value'; hasNoKey?: true; put: (body: Body, value: AnyValue, key: string) => void }
  | { takes: 'key' | 'text'; put: (body: Body, text: string) => void }
export type Signal = 'traces' | 'metrics' | 'logs'
/** A field of OTLP in which a sender can write any text. */
export type Field<Body> = Readonly<{ name: string; signal: Signal }> & Put<Body>

const yes = string('yes')

type Has = { attributes: Attribute[] }
const fieldsOf = <Body>(signal: Signal) => {
  const field = (name: string, put: Put<Body>): Field<Body> => ({ name, signal, ...put })
  return {
    text: (name: string, put: (body: Body, text: string) => void) => field(name, { takes: 'text', put }),
    value: (name: string, put: (body: Body, value: AnyValue, key: string) => void) =>
      field(name, { takes: 'value', put }),
    key: (name: string, put: (body: Body, key: string) => void) => field(name, { takes: 'key', put }),
    attributes: (name: string, of: (body: Body) => Has | undefined): readonly Field<Body>[] => [
      field(`${name} attribute`, {
        takes: 'value',
        put: (body, value, key) => void of(body)?.attributes.push({ key, value }),
      }),
      field(`${name} key`, {
        takes: 'key',
        put: (body, key) => void of(body)?.attributes.push({ key, value: yes }),
      }),
    ],
  }
}

const { text, attributes } = fieldsOf<Trace>('traces')
const scopeOf = (trace: Trace) => trace.scopeSpans[0]
const bare = (trace: Trace) => scopeOf(trace).spans[0]
const rich = (trace: Trace) => scopeOf(trace).spans[1]

const ofSpan = (name: string, span: (trace: Trace) => Span): readonly Field<Trace>[] => [
  text(`${name} name`, (trace, text) => {
    span(trace).name = text
  }),
  text(`${name} status message`, (trace, text) => {
    span(trace).status = { code: 2, message: text }
  }),
  text(`${name} trace state`, (trace, text) => {
    span(trace).traceState = [span(trace).traceState, `vendor=${text}`].filter(Boolean).join(',')
  }),
  ...attributes(name, span),
]

const entity = (change: (ref: EntityRef, text: string) => void) => (trace: Trace, text: string) => {
  const ref = trace.resource.entityRefs[0]
  if (ref) change(ref, text)
}

export const TRACE_SLOTS: readonly Field<Trace>[] = [
  ...attributes('resource', ({ resource }) => resource),
  text('resource schema URL', (trace, text) => {
    trace.schemaUrl = text
  }),
  text(
    'resource entity type',
    entity((ref, text) => {
      ref.type = text
    }),
  ),
  text(
    'resource entity schema URL',
    entity((ref, text) => {
      ref.schemaUrl = text
    }),
  ),
  text(
    'resource entity key',
    entity((ref, text) => {
      ref.descriptionKeys.push(text)
    }),
  ),
  ...attributes('scope', (trace) => scopeOf(trace).scope),
  text('scope name', (trace, text) => {
    scopeOf(trace).scope.name = text
  }),
  text('scope version', (trace, text) => {
    scopeOf(trace).scope.version = text
  }),
  text('scope schema URL', (trace, text) => {
    scopeOf(trace).schemaUrl = text
  }),
  ...ofSpan('bare span', bare),
  ...ofSpan('span', rich),
  text('sampling entry of a trace state', (trace, text) => {
    rich(trace).traceState = [`ot=${text}`, rich(trace).traceState].filter(Boolean).join(',')
  }),
  text('event name', (trace, text) => {
    const [event] = rich(trace).events
    if (event) event.name = text
  }),
  ...attributes('event', (trace) => rich(trace).events[0]),
  ...attributes('link', (trace) => rich(trace).links[0]),
  text('link trace state', (trace, text) => {
    const [link] = rich(trace).links
    if (link) link.traceState = `vendor=${text}`
  }),
]

const ofMetrics = fieldsOf<Metrics>('metrics')
const metricsOf = (body: Metrics) => body.scopeMetrics[0].metrics
const TYPES = ['gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary'] as const
const metric = (body: Metrics, type: (typeof TYPES)[number]) => metricsOf(body).find((metric) => type in metric)
const point = (body: Metrics, type: (typeof TYPES)[number]) => metric(body, type)?.[type]?.dataPoints[0]

/** Metrics of all types have a name, a description and a unit. Only those of sums are tested. */
const ofSum = (name: string, change: (metric: Metric, text: string) => void) =>
  ofMetrics.text(name, (body, text) => {
    const sum = metric(body, 'sum')
    if (sum) change(sum, text)
  })

export const METRIC_SLOTS: readonly Field<Metrics>[] = [
  ...ofMetrics.attributes('resource of metrics', ({ resource }) => resource),
  ofMetrics.text('resource schema URL of metrics', (body, text) => {
    body.schemaUrl = text
  }),
  ...ofMetrics.attributes('scope of metrics', (body) => body.scopeMetrics[0].scope),
  ofMetrics.text('scope name of metrics', (body, text) => {
    body.scopeMetrics[0].scope.name = text
  }),
  ofMetrics.text('scope version of metrics', (body, text) => {
    body.scopeMetrics[0].scope.version = text
  }),
  ofMetrics.text('scope schema URL of metrics', (body, text) => {
    body.scopeMetrics[0].schemaUrl = text
  }),
  ofSum('metric name', (metric, text) => {
    metric.name = text
  }),
  ofSum('metric description', (metric, text) => {
    metric.description = text
  }),
  ofSum('metric unit', (metric, text) => {
    metric.unit = text
  }),
  ofSum('metric metadata', (metric, text) => {
    metric.metadata.push({ key: 'note', value: string(text) })
  }),
  ...TYPES.flatMap((type) =>
    ofMetrics.attributes(`point of ${type === 'exponentialHistogram' ? 'exponential histogram' : type}`, (body) =>
      point(body, type),
    ),
  ),
  ...(['sum', 'histogram'] as const).flatMap((type) =>
    ofMetrics.attributes(`exemplar of ${type}`, (body) => {
      const exemplar = point(body, type)?.exemplars?.[0]
      return exemplar && { attributes: exemplar.filteredAttributes }
    }),
  ),
]

const ofLogs = fieldsOf<Logs>('logs')
const plain = (body: Logs) => body.scopeLogs[0].logRecords[0]
const layered = (body: Logs) => body.scopeLogs[0].logRecords[1]
/** Puts a key with a value into a layer of the body, beside what is there. */
const inBody = (record: LogRecord, key: string, value: AnyValue) => {
  const [layer] = record.body.kvlistValue?.values ?? []
  const values = layer?.value?.kvlistValue?.values ?? []
  record.body = {
    kvlistValue: { values: [{ key: 'message', value: { kvlistValue: { values: [...values, { key, value }] } } }] },
  }
}

export const LOG_SLOTS: readonly Field<Logs>[] = [
  ...ofLogs.attributes('resource of logs', ({ resource }) => resource),
  ofLogs.text('resource schema URL of logs', (body, text) => {
    body.schemaUrl = text
  }),
  ...ofLogs.attributes('scope of logs', (body) => body.scopeLogs[0].scope),
  ofLogs.text('scope name of logs', (body, text) => {
    body.scopeLogs[0].scope.name = text
  }),
  ofLogs.text('scope version of logs', (body, text) => {
    body.scopeLogs[0].scope.version = text
  }),
  ofLogs.text('scope schema URL of logs', (body, text) => {
    body.scopeLogs[0].schemaUrl = text
  }),
  ...ofLogs.attributes('log record', plain),
  {
    name: 'log body',
    signal: 'logs',
    takes: 'value',
    hasNoKey: true,
    put: (body, value) => {
      plain(body).body = value
    },
  },
  ofLogs.text('log severity', (body, text) => {
    plain(body).severityText = text
  }),
  ofLogs.text('log event name', (body, text) => {
    plain(body).eventName = text
  }),
  ofLogs.value('value inside a log body', (body, value, key) => inBody(layered(body), key, value)),
  ofLogs.key('key inside a log body', (body, key) => inBody(layered(body), key, yes)),
]
