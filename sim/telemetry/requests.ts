import { type Attributes, context, propagation, type Span, SpanKind, trace } from '@opentelemetry/api'
import { EVENTS, GEN_AI, OPENINFERENCE, OTHER } from '../../vocabulary/attributes.ts'
import type { Meters } from './meters.ts'
import { type Begin, fail, inside, type TurnScope, turnScope } from './spans.ts'

export function endRequest(span: Span, scope: TurnScope | undefined): void {
  scope?.requests.delete(span)
  span.end()
}

/** A `fetch` with one span for each HTTP attempt. The span ends with the body, or with the call when the body never ends. */
export const fetchWith =
  (begin: Begin, meters: Meters, server: Attributes) =>
  (send: typeof fetch): typeof fetch =>
  async (input, init) => {
    const scope = turnScope()
    const url = new URL(input instanceof Request ? input.url : input)
    const headers = new Headers(init?.headers)
    const resent = Number(headers.get('x-stainless-retry-count') ?? 0)
    const method = init?.method ?? 'GET'
    if (scope && resent > 0) {
      trace.getActiveSpan()?.addEvent(EVENTS.RETRY, { [OTHER.HTTP_RESEND]: resent })
      meters.retried(scope.agent)
    }
    const span = begin(method, SpanKind.CLIENT, {
      [OTHER.HTTP_METHOD]: method,
      [OTHER.URL]: `${url.origin}${url.pathname}`,
      [OPENINFERENCE.KIND]: 'CHAIN',
      ...server,
      ...(scope ? { [GEN_AI.AGENT]: scope.agent } : {}),
      ...(resent > 0 ? { [OTHER.HTTP_RESEND]: resent } : {}),
    })
    scope?.requests.add(span)
    try {
      return await inside(span, async () => {
        propagation.inject(context.active(), headers, { set: (to, name, value) => to.set(name, value) })
        const response = await send(input, { ...init, headers })
        span.setAttribute(OTHER.HTTP_STATUS, response.status)
        if (!response.ok) fail(span, String(response.status))
        if (!response.body) {
          endRequest(span, scope)
          return response
        }
        const end = () => endRequest(span, scope)
        // The client cancels the body of an answer before it tries again. The wait after that does not belong to this attempt.
        const passing = new TransformStream({ flush: end, cancel: response.ok ? () => {} : end })
        return new Response(response.body.pipeThrough(passing), response)
      })
    } catch (error) {
      fail(span, init?.signal?.aborted ? 'timeout' : 'connection_error')
      endRequest(span, scope)
      throw error
    }
  }
