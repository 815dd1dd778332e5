/**
 * OTLP traces in JSON. Every part may be missing, because senders leave out empty parts. Integers of 64 bits
 * are strings; some senders write numbers. Kinds and status codes are numbers; Tempo and some senders write their names.
 */

export type AnyValue = Readonly<{
  stringValue?: string
  boolValue?: boolean
  intValue?: string | number
  /** JSON has no NaN and no infinity, so these are strings; `fromValue` reads them. */
  doubleValue?: number
  arrayValue?: Readonly<{ values?: readonly AnyValue[] }>
  kvlistValue?: Readonly<{ values?: readonly Attribute[] }>
  /** In base64. */
  bytesValue?: string
}>
export type Attribute = Readonly<{ key: string; value?: AnyValue }>
type Attributed = Readonly<{ attributes?: readonly Attribute[]; droppedAttributesCount?: number }>

/** Nanoseconds since 1970. */
export type Nanos = string | number

export type SpanEvent = Attributed & Readonly<{ name?: string; timeUnixNano?: Nanos }>
export type SpanLink = Attributed & Readonly<{ traceId: string; spanId: string; traceState?: string; flags?: number }>
export type Status = Readonly<{ code?: number | string; message?: string }>
export type Span = Attributed &
  Readonly<{
    traceId: string
    spanId: string
    parentSpanId?: string
    traceState?: string
    flags?: number
    name?: string
    kind?: number | string
    startTimeUnixNano?: Nanos
    endTimeUnixNano?: Nanos
    events?: readonly SpanEvent[]
    droppedEventsCount?: number
    links?: readonly SpanLink[]
    droppedLinksCount?: number
    status?: Status
  }>
export type Scope = Attributed & Readonly<{ name?: string; version?: string }>
export type EntityRef = Readonly<{
  type?: string
  idKeys?: readonly string[]
  descriptionKeys?: readonly string[]
  schemaUrl?: string
}>
export type Resource = Attributed & Readonly<{ entityRefs?: readonly EntityRef[] }>
type ScopeSpans = Readonly<{ scope?: Scope; spans?: readonly Span[]; schemaUrl?: string }>
export type ResourceSpans = Readonly<{ resource?: Resource; scopeSpans?: readonly ScopeSpans[]; schemaUrl?: string }>

/** The body of one export of traces. */
export type TraceRequest = Readonly<{ resourceSpans: readonly ResourceSpans[] }>

type LogRecord = Attributed &
  Readonly<{
    timeUnixNano?: Nanos
    traceId?: string
    spanId?: string
    /** Empty when it is no event. Older senders write it as an attribute. */
    eventName?: string
  }>
export type ResourceLogs = Readonly<{
  resource?: Resource
  scopeLogs?: readonly Readonly<{ scope?: Scope; logRecords?: readonly LogRecord[] }>[]
}>

/** The body of one export of log records; only what is read here. */
export type LogsRequest = Readonly<{ resourceLogs: readonly ResourceLogs[] }>

// Building

export const text = (stringValue: string): AnyValue => ({ stringValue })
export const integer = (number: number | bigint): AnyValue => ({ intValue: String(number) })

/**
 * A value of JavaScript or YAML. A bigint becomes an integer and a number becomes a double, so that 9 and 9.0 stay two types;
 * null becomes a value without a type, which OTLP allows.
 */
export function toValue(value: unknown): AnyValue {
  if (typeof value === 'string') return text(value)
  if (typeof value === 'boolean') return { boolValue: value }
  if (typeof value === 'bigint') return integer(value)
  if (typeof value === 'number')
    return { doubleValue: Number.isFinite(value) ? value : (String(value) as unknown as number) }
  if (value === null) return {}
  if (Array.isArray(value)) return { arrayValue: { values: value.map(toValue) } }
  return { kvlistValue: { values: toAttributes(value as Readonly<Record<string, unknown>>) } }
}

/** Leaves out undefined values. */
export const toAttributes = (values: Readonly<Record<string, unknown>>): readonly Attribute[] =>
  Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [{ key, value: toValue(value) }]))

type From = Readonly<{ resource?: Readonly<Record<string, unknown>>; scope?: Scope }>

/** Spans of one resource and one scope. */
export const resourceSpans = (spans: readonly Span[], { resource, scope }: From = {}): ResourceSpans => ({
  ...(resource && { resource: { attributes: toAttributes(resource) } }),
  scopeSpans: [{ ...(scope && { scope }), spans }],
})

export const traceRequest = (spans: readonly Span[], from: From = {}): TraceRequest => ({
  resourceSpans: [resourceSpans(spans, from)],
})

/** Log records of one resource and one scope. */
export const logsRequest = <R>(logRecords: readonly R[], { resource, scope }: From = {}) => ({
  resourceLogs: [
    {
      ...(resource && { resource: { attributes: toAttributes(resource) } }),
      scopeLogs: [{ ...(scope && { scope }), logRecords }],
    },
  ],
})

export const nanosOf = (ms: number): string => String(BigInt(Math.round(ms)) * 1_000_000n)

// Reading

export const attributeOf = (attributes: readonly Attribute[] | undefined, key: string): AnyValue | undefined =>
  attributes?.find((attribute) => attribute.key === key)?.value

export type Plain = string | number | boolean | undefined | readonly Plain[] | Readonly<{ [key: string]: Plain }>

/** The value as a JavaScript value. An integer above 2^53 is rounded; for the exact value, read `intValue`. */
export function fromValue(value: AnyValue | undefined): Plain {
  const number = value?.intValue ?? value?.doubleValue
  if (number !== undefined) return Number(number)
  if (value?.arrayValue) return (value.arrayValue.values ?? []).map(fromValue)
  if (value?.kvlistValue) return fromAttributes(value.kvlistValue.values)
  return value?.stringValue ?? value?.boolValue ?? value?.bytesValue
}

export const fromAttributes = (attributes: readonly Attribute[] = []): Readonly<Record<string, Plain>> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, fromValue(value)]))

/** A span with its scope and its resource. */
type SpanWithSource = Readonly<{ span: Span; scope: Scope | undefined; resource: Resource | undefined }>

/** Does not copy spans, because a request can hold thousands. */
export function* eachSpan({ resourceSpans = [] }: Partial<TraceRequest>): Generator<SpanWithSource> {
  for (const { resource, scopeSpans = [] } of resourceSpans)
    for (const { scope, spans = [] } of scopeSpans) for (const span of spans) yield { span, scope, resource }
}

export const spansOf = ({ resourceSpans = [] }: Partial<TraceRequest>): readonly Span[] =>
  resourceSpans.flatMap(({ scopeSpans = [] }) => scopeSpans.flatMap(({ spans = [] }) => spans))

/** The same request with only some of its spans. Resources and scopes without spans are removed. */
export const onlySpans = (request: TraceRequest, isWanted: (span: Span) => boolean): TraceRequest => ({
  ...request,
  resourceSpans: request.resourceSpans.flatMap((part) => {
    const scopeSpans = (part.scopeSpans ?? []).flatMap((scope) => {
      const spans = (scope.spans ?? []).filter(isWanted)
      return spans.length > 0 ? [{ ...scope, spans }] : []
    })
    return scopeSpans.length > 0 ? [{ ...part, scopeSpans }] : []
  }),
})

export const isError = ({ status }: Pick<Span, 'status'>): boolean =>
  status?.code === 2 || status?.code === 'STATUS_CODE_ERROR'

export const startOf = ({ startTimeUnixNano = 0 }: Span): bigint => BigInt(startTimeUnixNano)
export const endOf = ({ endTimeUnixNano = 0 }: Span): bigint => BigInt(endTimeUnixNano)
export const nanosToMs = (nanos: Nanos | undefined): number => Number(nanos ?? 0) / 1e6

/** OTLP's JSON has ids in hexadecimal digits. Tempo answers in protobuf's own JSON, which has them in base64. */
export const hexOf = (base64: string): string =>
  Array.from(atob(base64), (byte) => byte.charCodeAt(0).toString(16).padStart(2, '0')).join('')
