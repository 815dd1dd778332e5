import {
  type Attributes,
  context,
  createContextKey,
  type Link,
  type Span,
  type SpanContext,
  type SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { OTHER } from '../../vocabulary/attributes.ts'
import { allowedOf, type Capture, limited } from './capture.ts'

/** What the spans of one turn share: its agent, the last call of its first attempt, and the requests that are open. */
export type TurnScope = { readonly agent: string; firstAttempt?: SpanContext; readonly requests: Set<Span> }

const TURN = createContextKey('woodland.turn')

export const turnScope = () => context.active().getValue(TURN) as TurnScope | undefined

export const inTurn = <R>(span: Span, scope: TurnScope, run: () => R): R =>
  context.with(trace.setSpan(context.active(), span).setValue(TURN, scope), run)

export const inside = <R>(span: Span, run: () => R): R => context.with(trace.setSpan(context.active(), span), run)

export function fail(span: Span, type: string, message?: string): void {
  span.setAttribute(OTHER.ERROR_TYPE, type)
  span.setStatus({ code: SpanStatusCode.ERROR, message: message ?? type })
}

export type Begin = (
  name: string,
  kind: SpanKind,
  attributes: Attributes,
  options?: { links?: Link[]; root?: boolean },
) => Span

/**
 * Starts spans, with name, kind and attributes from the start so that a sampler can see them, and counts them. Every span
 * of the simulator is made here, so the limit of content capture holds for all.
 */
export function spansWith(tracer: Tracer, capture: Capture): { begin: Begin; started: () => number } {
  let started = 0
  return {
    begin: (name, kind, attributes, options = {}) => {
      started++
      return limited(tracer.startSpan(name, { kind, attributes: allowedOf(capture, attributes), ...options }), capture)
    },
    started: () => started,
  }
}
