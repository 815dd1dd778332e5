import { type Attributes, SpanKind } from '@opentelemetry/api'
import { EVENTS, GEN_AI, OPENINFERENCE, WOODLAND } from '../../vocabulary/attributes.ts'
import type { PlaceOrder, UseTool } from '../agents/decide.ts'
import { RECALL_TOOL } from '../agents/recall.ts'
import { isTool } from '../agents/tools.ts'
import { type Begin, fail, inside } from './spans.ts'

/** Spans for what an agent does with a reply: the tools it calls, and the orders it places. To place orders is a tool too. */
export function toolsWith(begin: Begin) {
  const useTool =
    (use: UseTool): UseTool =>
    async (call, agent, world, mayRecall) => {
      // A model may invent a tool: its name is free text, and a span name is a label.
      const known = isTool(call.name) || call.name === RECALL_TOOL ? call.name : 'unknown'
      const span = begin(`execute_tool ${known}`, SpanKind.INTERNAL, {
        ...toolAttributes(agent, call.name, call.arguments),
        [GEN_AI.TOOL_CALL_ID]: call.id,
      })
      const result = await inside(span, () => use(call, agent, world, mayRecall))
      span.setAttributes({
        [GEN_AI.TOOL_RESULT]: result.content,
        [OPENINFERENCE.OUTPUT]: result.content,
      })
      if (result.error) fail(span, result.error)
      span.end()
      return result
    }

  const placeOrder =
    (place: PlaceOrder): PlaceOrder =>
    (reply, agent, world, attempt) => {
      const span = begin('execute_tool place_order', SpanKind.INTERNAL, {
        ...toolAttributes(agent, 'place_order', reply),
        [WOODLAND.ATTEMPT]: attempt,
      })
      const placement = inside(span, () => place(reply, agent, world, attempt))
      if (!placement.readable) fail(span, 'parse_error', placement.why)
      else {
        const { orders, refused, repaired } = placement
        span.setAttribute(GEN_AI.TOOL_RESULT, JSON.stringify(orders.map(inPebbles)))
        if (repaired) span.setAttribute(WOODLAND.REPAIRED, true).addEvent(EVENTS.REPAIRED)
        for (const { desired, reason } of refused) {
          span.addEvent(EVENTS.REFUSED, {
            [WOODLAND.REASON]: reason,
            [WOODLAND.GOOD]: desired.good,
            [WOODLAND.SIDE]: desired.side,
          })
        }
        if (refused[0]) fail(span, refused[0].reason)
      }
      span.end()
      return placement
    }

  return { useTool, placeOrder }
}

export const inPebbles = <T extends { price: number }>(item: T) => ({ ...item, price: item.price / 100 })

const toolAttributes = (agent: string, name: string, input: string): Attributes => ({
  [GEN_AI.OPERATION]: 'execute_tool',
  [GEN_AI.AGENT]: agent,
  [GEN_AI.TOOL_NAME]: name,
  [GEN_AI.TOOL_TYPE]: 'function',
  [GEN_AI.TOOL_ARGUMENTS]: input,
  [OPENINFERENCE.KIND]: 'TOOL',
  [OPENINFERENCE.AGENT]: agent,
  [OPENINFERENCE.INPUT]: input,
})
