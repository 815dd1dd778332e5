import type { ChatCompletionMessageParam } from 'openai/resources/chat/completions'
import type { Answer } from '../agents/ask.ts'

type Part =
  | { type: 'text'; content: string }
  | { type: 'tool_call'; id: string; name: string; arguments: string }
  | { type: 'tool_call_response'; id: string; response: string }

/** `gen_ai.input.messages`, as a JSON string. It is whole: the Collector cuts what is too long for a backend. */
export const inputMessages = (messages: readonly ChatCompletionMessageParam[]): string =>
  JSON.stringify(messages.map((message) => ({ role: message.role, parts: partsOf(message) })))

/** `gen_ai.output.messages`; `finish_reason` is on the message because Phoenix shows it from there only. */
export function outputMessages({ text, toolCalls, finishReason }: Answer): string {
  const texts: Part[] = text ? [{ type: 'text', content: text }] : []
  const calls = toolCalls.map((call): Part => ({ type: 'tool_call', ...call }))
  return JSON.stringify([{ role: 'assistant', parts: [...texts, ...calls], finish_reason: finishReason }])
}

function partsOf(message: ChatCompletionMessageParam): Part[] {
  const text = typeof message.content === 'string' ? message.content : ''
  if (message.role === 'tool') return [{ type: 'tool_call_response', id: message.tool_call_id, response: text }]
  const calls = message.role === 'assistant' ? (message.tool_calls ?? []) : []
  return [
    ...(text ? [{ type: 'text' as const, content: text }] : []),
    ...calls.flatMap((call): Part[] =>
      call.type === 'function'
        ? [{ type: 'tool_call', id: call.id, name: call.function.name, arguments: call.function.arguments }]
        : [],
    ),
  ]
}
