import assert from 'node:assert/strict'
import { test } from 'node:test'
import OpenAI from 'openai'
import { askWith, errorType, type Question } from './ask.ts'

type Send = (body: Record<string, unknown>, signal: AbortSignal | null | undefined) => Response | Promise<Response>

const question: Question = {
  agent: 'fox',
  model: 'big',
  fallbackAfter: undefined,
  prompt: { experiment: 'trade-prompt', variant: 'terse', version: '1' },
  messages: [{ role: 'user', content: 'What will you trade?' }],
  attempt: 1,
  seed: 42,
  mayUseTools: true,
  mayRecall: false,
  signal: new AbortController().signal,
}

const chunk = (choices: readonly object[], more: object = {}) =>
  `data: ${JSON.stringify({ id: 'chat-1', object: 'chat.completion.chunk', created: 1, model: 'big-v2', choices, ...more })}\n\n`
const delta = (piece: object, finish_reason: string | null = null) => chunk([{ index: 0, delta: piece, finish_reason }])
const usage = chunk([], { usage: { prompt_tokens: 120, completion_tokens: 8, total_tokens: 128 } })
const done = 'data: [DONE]\n\n'

const stream = (body: string | ReadableStream) =>
  new Response(body, { headers: { 'content-type': 'text/event-stream' } })

function asking(send: Send, clock = () => 0) {
  const client = new OpenAI({
    baseURL: 'http://model.test/v1',
    apiKey: 'none',
    maxRetries: 0,
    fetch: async (_url, init) => send(JSON.parse(String(init?.body)), init?.signal),
  })
  return (change: Partial<Question> = {}) => askWith(client, clock)({ ...question, ...change })
}

const failing = (send: Send, change: Partial<Question> = {}) =>
  asking(send)(change).then(
    () => assert.fail('it answered'),
    (error: unknown) => errorType(error),
  )

/** A stream that begins well and then breaks as fetch breaks when a connection is dropped. */
const breaking = () =>
  new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode(delta({ role: 'assistant', content: '{' }))),
    pull: (controller) => controller.error(new TypeError('terminated')),
  })

test('a streamed answer is put together, with tokens and the time to its first chunk', async () => {
  let now = 1000
  const pieces = [
    delta({ role: 'assistant', content: '{"mood"' }),
    delta({ content: ':1}' }),
    delta({}, 'stop'),
    usage,
    done,
  ]
  const encoder = new TextEncoder()
  const slowly = new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 10))
      now += 250
      const piece = pieces.shift()
      if (piece) controller.enqueue(encoder.encode(piece))
      else controller.close()
    },
  })
  const answer = await asking(
    () => stream(slowly),
    () => now,
  )()
  assert.deepEqual(answer, {
    id: 'chat-1',
    model: 'big-v2',
    text: '{"mood":1}',
    toolCalls: [],
    finishReason: 'stop',
    inputTokens: 120,
    outputTokens: 8,
    firstChunkSeconds: 0.25,
  })
})

test('tool calls that come in pieces are put together', async () => {
  const piece = (part: object, extra: object = {}) =>
    delta({ role: 'assistant', tool_calls: [{ index: 0, ...extra, function: part }] })
  const answer = await asking(() =>
    stream(
      piece({ name: 'calculate', arguments: '' }, { id: 'call-9', type: 'function' }) +
        piece({ arguments: '{"expression"' }) +
        piece({ arguments: ':"1+1"}' }) +
        delta({}, 'tool_calls') +
        usage +
        done,
    ),
  )()
  assert.deepEqual(answer.toolCalls, [{ id: 'call-9', name: 'calculate', arguments: '{"expression":"1+1"}' }])
  assert.deepEqual([answer.text, answer.finishReason], ['', 'tool_calls'])
})

test('a request names its agent and its seed, streams with usage, asks for JSON, and offers tools only when they may be used', async () => {
  const bodies: Record<string, unknown>[] = []
  const ask = asking((body) => {
    bodies.push(body)
    return stream(delta({ role: 'assistant', content: '{}' }, 'stop') + done)
  })
  await ask()
  await ask({ mayUseTools: false })
  await ask({ mayRecall: true })
  const [first, last, recalling] = bodies
  assert.deepEqual(
    [first?.user, first?.seed, first?.model, first?.stream, first?.stream_options, first?.response_format],
    ['fox', 42, 'big', true, { include_usage: true }, { type: 'json_object' }],
  )
  assert.ok(Array.isArray(first?.tools) && first.tools.length === 3)
  assert.ok(last && !('tools' in last))
  assert.ok(Array.isArray(recalling?.tools) && recalling.tools.length === 4)
})

test('a stream without a usage chunk counts no tokens', async () => {
  const answer = await asking(() => stream(delta({ role: 'assistant', content: 'hi' }, 'stop') + done))()
  assert.deepEqual([answer.inputTokens, answer.outputTokens], [0, 0])
})

test('a failed call has a short name: the HTTP status, or what kept the answer away', async () => {
  const status = (code: number) => () => new Response('{"error":{"message":"no","code":1}}', { status: code })
  const refuse = () => Promise.reject(new TypeError('fetch failed'))
  const stall: Send = (_body, signal) =>
    new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
  assert.equal(await failing(status(429)), '429')
  assert.equal(await failing(status(500)), '500')
  assert.equal(await failing(refuse), 'connection_error')
  assert.equal(await failing(() => stream(breaking())), 'connection_error')
  assert.equal(await failing(stall, { signal: AbortSignal.timeout(20) }), 'timeout')
  assert.equal(errorType(new OpenAI.APIConnectionTimeoutError()), 'timeout')
  assert.equal(errorType('thrown'), 'unknown')
})

test('a stream that ends in the middle is an error, never half an answer', async () => {
  for (const cut of [
    '',
    delta({ role: 'assistant', content: '{"mood"' }),
    delta({ role: 'assistant', content: '{' }) + done,
  ]) {
    assert.match(await failing(() => stream(cut)), /Error$/)
  }
})
