import type { ServerResponse } from 'node:http'
import type { Reply } from './reply.ts'
import type { ChatRequest, Problem } from './request.ts'

/** Writes the replies to the client: `begin`, then `text` for each part of a choice, then `end`. A plain answer is sent whole, at the end. */
type Answer = Readonly<{ begin: () => void; text: (choice: number, text: string) => void; end: () => void }>

export function answerTo(
  { model, body, promptTokens }: ChatRequest,
  replies: readonly Reply[],
  id: string,
  out: ServerResponse,
): Answer {
  const created = Math.floor(Date.now() / 1000)
  const written = replies.reduce((sum, { pieces }) => sum + pieces.length, 0)
  const usage = { prompt_tokens: promptTokens, total_tokens: promptTokens + written, completion_tokens: written }
  const call = ({ tool }: Reply, text: string) => ({
    id: tool?.id,
    type: 'function',
    function: { name: tool?.name, arguments: text },
  })

  if (!body.stream) {
    const choices = replies.map((reply, index) => {
      const { pieces, tool, finish, stop } = reply
      const text = pieces.join('')
      const message = {
        role: 'assistant',
        content: tool ? null : text,
        refusal: null,
        tool_calls: tool ? [call(reply, text)] : [],
      }
      return { index, message, logprobs: null, finish_reason: finish, stop_reason: stop }
    })
    const end = () => send(out, 200, { id, object: 'chat.completion', created, model, choices, usage })
    return { begin: () => {}, text: () => {}, end }
  }

  const event = (choices: unknown, more: object = {}) =>
    `data: ${JSON.stringify({ id, object: 'chat.completion.chunk', created, model, choices, ...more })}\n\n`
  const chunk = (index: number, delta: unknown, end: object = { finish_reason: null }) =>
    event([{ index, delta, logprobs: null, ...end }])
  return {
    begin: () => {
      out.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' })
      for (const [index, reply] of replies.entries()) {
        out.write(chunk(index, { role: 'assistant', content: '' }))
        if (reply.tool) out.write(chunk(index, { tool_calls: [{ index: 0, ...call(reply, '') }] }))
      }
    },
    text: (choice, text) => {
      const delta = replies[choice]?.tool
        ? { tool_calls: [{ index: 0, function: { arguments: text } }] }
        : { content: text }
      out.write(chunk(choice, delta))
    },
    end: () => {
      for (const [index, { finish, stop }] of replies.entries())
        out.write(chunk(index, {}, { finish_reason: finish, stop_reason: stop }))
      out.end(`${body.stream_options?.include_usage ? event([], { usage }) : ''}data: [DONE]\n\n`)
    },
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
