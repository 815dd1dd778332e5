import type { PlainSpan, Values } from '../otlp/plain.ts'
import { COLLECTOR, GEN_AI, OTHER } from '../vocabulary/attributes.ts'

/** A span in a few words, for tests. Times are milliseconds since the trace began. */
export type Sketch = Readonly<{
  id: string
  under?: string
  name?: string
  from?: number
  to?: number
  /** `gen_ai.operation.name`. */
  does?: string
  agent?: string
  /** `error.type`; the span is an error then. */
  error?: string
  service?: string
  scopeName?: string
  policy?: string
  attributes?: Values
  events?: readonly Readonly<{ name: string; attributes?: Values }>[]
  /** Ids of traces. */
  links?: readonly string[]
}>

const BEGAN = 1_795_223_772_000_000_000n

export const sketched = (spans: readonly Sketch[]): readonly PlainSpan[] =>
  spans.map(({ id, under = '', name = id, from = 0, to = 100, error, events = [], links = [], ...rest }) => ({
    traceId: 'a'.repeat(32),
    spanId: id,
    parentSpanId: under,
    name,
    kind: 'SPAN_KIND_INTERNAL',
    start: BEGAN + BigInt(Math.round(from * 1e6)),
    end: BEGAN + BigInt(Math.round(to * 1e6)),
    error: error !== undefined,
    statusMessage: '',
    attributes: {
      ...(rest.does && { [GEN_AI.OPERATION]: rest.does }),
      ...(rest.agent && { [GEN_AI.AGENT]: rest.agent }),
      ...(error && { [OTHER.ERROR_TYPE]: error }),
      ...rest.attributes,
    },
    resource: { [OTHER.SERVICE_NAME]: rest.service ?? 'forest' },
    scopeName: rest.scopeName ?? '',
    scope: rest.policy ? { [COLLECTOR.POLICY]: rest.policy } : {},
    events: events.map((event) => ({ attributes: {}, ...event })),
    links: links.map((traceId) => ({ traceId, spanId: 'f'.repeat(16) })),
  }))
