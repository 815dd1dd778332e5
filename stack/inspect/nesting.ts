import { GEN_AI, OTHER } from '../../vocabulary/attributes.ts'
import type { Span } from '../queries.ts'
import { isCallSpan, type Trace } from './stored.ts'

/** A model call inside another one. Their tokens are equal, or only the inner one has some. */
type Double = Readonly<{ outer: Span; inner: Span; tokens: 'both' | 'inner' }>

const tokensOf = ({ attributes }: Span) =>
  [attributes[GEN_AI.INPUT_TOKENS] ?? 0, attributes[GEN_AI.OUTPUT_TOKENS] ?? 0].join()
const NONE = '0,0'

/** The calls of a service that stand inside another call and look like the same one. */
export function doubles(traces: readonly Trace[], service: string): readonly Double[] {
  return traces.flatMap((trace) => {
    const byId = new Map(trace.map((span) => [span.spanId, span]))
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
      if (!outer) return []
      if (tokensOf(outer) === NONE) return [{ outer, inner, tokens: 'inner' }]
      return tokensOf(outer) === tokensOf(inner) ? [{ outer, inner, tokens: 'both' }] : []
    })
  })
}
