import type { PlainSpan } from '../otlp/plain.ts'
import { GEN_AI } from '../vocabulary/attributes.ts'
import { explain } from './summary.ts'
import { cut, outcome, rowsOf } from './text.ts'

/** The rows that an agent can learn from. It knows what it was asked, and has no use for times and prices. */
const FOR_AGENTS = ['answered', 'failed', 'called', 'again', 'refused', 'evaluated']

/** The turn of one agent in a trace, in its own rows of `textReport`, at most so many characters. Undefined when it has none. */
export function turnReport(spans: readonly PlainSpan[], agent: string, most: number): string | undefined {
  const turn = spans.find(
    ({ attributes }) => attributes[GEN_AI.OPERATION] === 'invoke_agent' && attributes[GEN_AI.AGENT] === agent,
  )
  if (turn === undefined) return undefined
  const { summary } = explain(below(spans, turn), () => undefined)
  const lines = [`Your turn ${outcome(summary)}.`]
  let isTold = false
  for (const { label, text } of rowsOf(summary, Number.POSITIVE_INFINITY)) {
    // A row without a label goes on with the one above.
    if (label !== '') isTold = FOR_AGENTS.includes(label)
    if (isTold) lines.push(label === '' ? text : `${label}: ${text}`)
  }
  return cut(lines.join(' | '), most)
}

/** A span and all below it, as a trace of its own. */
function below(spans: readonly PlainSpan[], top: PlainSpan): readonly PlainSpan[] {
  const children = Map.groupBy(spans, ({ parentSpanId }) => parentSpanId)
  const found = new Set([top])
  for (const { spanId } of found) for (const child of children.get(spanId) ?? []) found.add(child)
  return [...found].map((span) => (span === top ? { ...top, parentSpanId: '' } : span))
}
