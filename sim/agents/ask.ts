import OpenAI from 'openai'
import type { ChatCompletionMessageParam } from 'openai/resources/chat/completions'
import type { AgentName } from '../economy/world.ts'
import type { Prompt } from './prompt.ts'
import { recallDefinition } from './recall.ts'
import { type ToolCall, toolDefinitions } from './tools.ts'

export const REQUEST = { temperature: 0.7, maxTokens: 400 } as const

export type Question = Readonly<{
  agent: AgentName
  model: string
  /** The `error.type` for which the first model was given up, on the call that moves to the fallback. */
  fallbackAfter: string | undefined
  prompt: Pick<Prompt, 'experiment' | 'variant' | 'version'>
  messages: readonly ChatCompletionMessageParam[]
  /** Which attempt at a readable decision this call belongs to: 1 or 2. */
  attempt: number
  seed: number
  mayUseTools: boolean
  mayRecall: boolean
  signal: AbortSignal
}>

export type Answer = Readonly<{
  id: string
  model: string
  text: string
  toolCalls: readonly ToolCall[]
  finishReason: string
  inputTokens: number
  outputTokens: number
  /** Seconds from the request to the first chunk of the stream. */
  firstChunkSeconds: number
}>

export type Ask = (question: Question) => Promise<Answer>

/** One logical chat call, streamed; the client's own retries happen inside. Throws what the client throws. */
export const askWith =
  (client: OpenAI, clock: () => number): Ask =>
  async ({ agent, model, messages, seed, mayUseTools, mayRecall, signal }) => {
    const asked = clock()
    let firstChunk: number | undefined
    const stream = client.chat.completions.stream(
      {
        model,
        messages: [...messages],
        temperature: REQUEST.temperature,
        max_tokens: REQUEST.maxTokens,
        seed,
        user: agent,
        stream_options: { include_usage: true },
        ...(mayUseTools ? { tools: [...toolDefinitions, ...(mayRecall ? [recallDefinition] : [])] } : {}),
        response_format: { type: 'json_object' },
      },
      { signal },
    )
    stream.on('chunk', () => {
      firstChunk ??= clock()
    })
    const { id, model: answeredBy, choices, usage } = await stream.finalChatCompletion()
    const choice = choices[0]
    if (!choice) throw new OpenAI.OpenAIError('the answer holds no choices')
    return {
      id,
      model: answeredBy,
      text: choice.message.content ?? '',
      toolCalls: (choice.message.tool_calls ?? []).flatMap((call) =>
        call.type === 'function' ? [{ id: call.id, name: call.function.name, arguments: call.function.arguments }] : [],
      ),
      finishReason: choice.finish_reason,
      inputTokens: usage?.prompt_tokens ?? 0,
      outputTokens: usage?.completion_tokens ?? 0,
      firstChunkSeconds: ((firstChunk ?? clock()) - asked) / 1000,
    }
  }

/** The `error.type` of a failed call: the HTTP status where there is one, else what kept the answer away. */
export function errorType(error: unknown): string {
  if (error instanceof OpenAI.APIUserAbortError || error instanceof OpenAI.APIConnectionTimeoutError) return 'timeout'
  if (error instanceof OpenAI.APIError && error.status) return String(error.status)
  if (error instanceof OpenAI.APIConnectionError) return 'connection_error'
  // A stream that breaks in the middle is a TypeError of fetch underneath.
  if (error instanceof OpenAI.OpenAIError && error.cause instanceof TypeError) return 'connection_error'
  return error instanceof Error ? error.constructor.name : 'unknown'
}
