import type { ChatCompletionMessageParam } from 'openai/resources/chat/completions'
import type { Answer } from '../agents/ask.ts'

/** Below Tempo's `max_attribute_bytes` (16384), so that no backend cuts our JSON in the middle of a string. */
const BUDGET_BYTES = 12_000

type Part =
  | { type: 'text'; content: string }
  | { type: 'tool_call'; id: string; name: string; arguments: string }
  | { type: 'tool_call_response'; id: string; response: string }

/** `gen_ai.input.messages`: a JSON string, cut inside its texts so that it stays valid JSON. */
export function inputMessages(messages: readonly ChatCompletionMessageParam[]): string {
  return withinBudget((cut) => messages.map((message) => ({ role: message.role, parts: partsOf(message, cut) })))
}

/** `gen_ai.output.messages`; `finish_reason` is on the message because Phoenix shows it from there only. */
export function outputMessages({ text, toolCalls, finishReason }: Answer): string {
  return withinBudget((cut) => {
    const texts: Part[] = text ? [{ type: 'text', content: cut(text) }] : []
    const calls = toolCalls.map((call): Part => ({ type: 'tool_call', ...call, arguments: cut(call.arguments) }))
    return [{ role: 'assistant', parts: [...texts, ...calls], finish_reason: finishReason }]
  })
}

/** One text as a span attribute, cut to the same budget. */
export const content = (text: string): string =>
  text.length > BUDGET_BYTES / 3 ? `${text.slice(0, BUDGET_BYTES / 3)}…` : text

type Cut = (text: string) => string

function partsOf(message: ChatCompletionMessageParam, cut: Cut): Part[] {
  const text = typeof message.content === 'string' ? message.content : ''
  if (message.role === 'tool') return [{ type: 'tool_call_response', id: message.tool_call_id, response: cut(text) }]
  const calls = message.role === 'assistant' ? (message.tool_calls ?? []) : []
  return [
    ...(text ? [{ type: 'text' as const, content: cut(text) }] : []),
    ...calls.flatMap((call): Part[] =>
      call.type === 'function'
        ? [{ type: 'tool_call', id: call.id, name: call.function.name, arguments: cut(call.function.arguments) }]
        : [],
    ),
  ]
}

function withinBudget(build: (cut: Cut) => unknown): string {
  for (let limit = BUDGET_BYTES; ; limit /= 2) {
    const json = JSON.stringify(build((text) => (text.length > limit ? `${text.slice(0, limit)}…` : text)))
    if (Buffer.byteLength(json) <= BUDGET_BYTES || limit < 1) return json
  }
}
