import {
  eachSpan,
  endOf,
  fromAttributes,
  isError,
  type Plain,
  type Resource,
  type Scope,
  startOf,
  type TraceRequest,
} from './json.ts'

export type Values = Readonly<Record<string, Plain>>

/** A span with plain values, and with those of its resource and scope. Times are nanoseconds since 1970; 0 when it has none. */
export type PlainSpan = Readonly<{
  traceId: string
  spanId: string
  /** Empty when it has no parent. */
  parentSpanId: string
  name: string
  kind: string
  start: bigint
  end: bigint
  error: boolean
  statusMessage: string
  attributes: Values
  resource: Values
  /** The name of what made the span: an SDK or an instrumentation. */
  scopeName: string
  scope: Values
  events: readonly Readonly<{ name: string; attributes: Values }>[]
  links: readonly Readonly<{ traceId: string; spanId: string }>[]
}>

/** Every span of a request. `idOf` reads an id: OTLP has hexadecimal digits; for Tempo's answers, pass `hexOf`. */
export function plainSpans(
  request: Partial<TraceRequest>,
  idOf: (id: string) => string = (id) => id.toLowerCase(),
): readonly PlainSpan[] {
  // Spans of one resource or scope share one object, so that what stands on it is read once.
  const read = new Map<Resource | Scope | undefined, Values>()
  const valuesOf = (part: Resource | Scope | undefined): Values => {
    const known = read.get(part) ?? fromAttributes(part?.attributes)
    read.set(part, known)
    return known
  }
  return Array.from(eachSpan(request), ({ span, scope, resource }) => ({
    traceId: idOf(span.traceId),
    spanId: idOf(span.spanId),
    parentSpanId: idOf(span.parentSpanId ?? ''),
    name: span.name ?? '',
    kind: String(span.kind),
    start: startOf(span),
    end: endOf(span),
    error: isError(span),
    statusMessage: span.status?.message ?? '',
    attributes: fromAttributes(span.attributes),
    resource: valuesOf(resource),
    scopeName: scope?.name ?? '',
    scope: valuesOf(scope),
    events: (span.events ?? []).map(({ name = '', attributes }) => ({ name, attributes: fromAttributes(attributes) })),
    links: (span.links ?? []).map((link) => ({ traceId: idOf(link.traceId), spanId: idOf(link.spanId) })),
  }))
}
