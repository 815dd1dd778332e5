import type { ServerResponse } from 'node:http'
import type { Reply } from './reply.ts'
import type { ChatRequest, Problem } from './request.ts'

/** Writes a reply to the client: `begin`, then `text` for each part, then `end`. A plain answer is sent whole, at the end. */
export type Answer = Readonly<{ begin: () => void; text: (text: string) => void; end: () => void }>

export function answerTo(
  { model, body, promptTokens }: ChatRequest,
  reply: Reply,
  id: string,
  out: ServerResponse,
): Answer {
  const { pieces, tool, finish } = reply
  const created = Math.floor(Date.now() / 1000)
  const usage = {
    prompt_tokens: promptTokens,
    total_tokens: promptTokens + pieces.length,
    completion_tokens: pieces.length,
  }
  const call = (text: string) => ({ id: tool?.id, type: 'function', function: { name: tool?.name, arguments: text } })

  if (!body.stream) {
    const text = pieces.join('')
    const message = {
      role: 'assistant',
      content: tool ? null : text,
      refusal: null,
      tool_calls: tool ? [call(text)] : [],
    }
    const choices = [{ index: 0, message, logprobs: null, finish_reason: finish, stop_reason: null }]
    const end = () => send(out, 200, { id, object: 'chat.completion', created, model, choices, usage })
    return { begin: () => {}, text: () => {}, end }
  }

  const event = (choices: unknown, more: object = {}) =>
    `data: ${JSON.stringify({ id, object: 'chat.completion.chunk', created, model, choices, ...more })}\n\n`
  const chunk = (delta: unknown, finish_reason: string | null = null) =>
    event([{ index: 0, delta, logprobs: null, finish_reason }])
  return {
    begin: () => {
      out.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' })
      out.write(chunk({ role: 'assistant', content: '' }))
      if (tool) out.write(chunk({ tool_calls: [{ index: 0, ...call('') }] }))
    },
    text: (text) =>
      out.write(chunk(tool ? { tool_calls: [{ index: 0, function: { arguments: text } }] } : { content: text })),
    end: () =>
      out.end(`${chunk({}, finish)}${body.stream_options?.include_usage ? event([], { usage }) : ''}data: [DONE]\n\n`),
  }
}

/** An error in vLLM's shape: unlike OpenAI's, its code is a number. */
export function refuse(out: ServerResponse, { status, message, type, param }: Problem): void {
  send(out, status, { error: { message, type, param, code: status } })
}

export function send(out: ServerResponse, status: number, body: unknown): void {
  out.statusCode = status
  out.setHeader('content-type', 'application/json').end(JSON.stringify(body))
}
