import { GEN_AI, OTHER } from '../../vocabulary/attributes.ts'
import type { Span } from '../queries.ts'
import { isCallSpan, type Trace } from './stored.ts'

/** A model call inside another one, or beside it. Their tokens are equal, or only the inner one has some. */
type Double = Readonly<{ outer: Span; inner: Span; where: 'inside' | 'beside'; tokens: 'both' | 'inner' }>

const tokensOf = ({ attributes }: Span) =>
  [attributes[GEN_AI.INPUT_TOKENS] ?? 0, attributes[GEN_AI.OUTPUT_TOKENS] ?? 0].join()
const NONE = '0,0'
/** Of a stream, two instrumentations may count the output otherwise. */
const sameInput = (one: Span, other: Span) =>
  one.attributes[GEN_AI.INPUT_TOKENS] !== undefined &&
  one.attributes[GEN_AI.INPUT_TOKENS] === other.attributes[GEN_AI.INPUT_TOKENS]

/** An instrumentation that does not make its span the current one stands beside another, around it in time. */
const isAround = (outer: Span, inner: Span): boolean =>
  outer.scopeName !== inner.scopeName &&
  outer.start <= inner.start &&
  outer.end >= inner.end &&
  (outer.start < inner.start || outer.end > inner.end)

/** The calls of a service that stand inside another call, or beside one, and look like the same one. */
export function doubles(traces: readonly Trace[], service: string): readonly Double[] {
  return traces.flatMap((trace) => {
    const byId = new Map(trace.map((span) => [span.spanId, span]))
    const byParent = Map.groupBy(trace.filter(isCallSpan), ({ parentSpanId }) => parentSpanId)
    const outerOf = (span: Span): Span | undefined => {
      const seen = new Set([span.spanId])
      let above = byId.get(span.parentSpanId)
      while (above && !isCallSpan(above) && !seen.has(above.spanId)) {
        seen.add(above.spanId)
        above = byId.get(above.parentSpanId)
      }
      return above && isCallSpan(above) && above.spanId !== span.spanId ? above : undefined
    }
    return trace.flatMap((inner): readonly Double[] => {
      if (!isCallSpan(inner) || inner.resource[OTHER.SERVICE_NAME] !== service) return []
      const outer = outerOf(inner)
      if (!outer) {
        const beside = byParent
          .get(inner.parentSpanId)
          ?.find((other) => isAround(other, inner) && sameInput(other, inner))
        return beside ? [{ outer: beside, inner, where: 'beside', tokens: 'both' }] : []
      }
      if (tokensOf(outer) === NONE) return [{ outer, inner, where: 'inside', tokens: 'inner' }]
      return tokensOf(outer) === tokensOf(inner) ? [{ outer, inner, where: 'inside', tokens: 'both' }] : []
    })
  })
}
