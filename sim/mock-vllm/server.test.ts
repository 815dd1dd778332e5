import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, test } from 'node:test'
import { type Tracer, trace } from '@opentelemetry/api'
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import OpenAI from 'openai'
import { zodResponseFormat } from 'openai/helpers/zod'
import { z } from 'zod'
import { onLoopback } from '../../otlp/loopback.ts'
import { roll } from '../../random/random.ts'
import { attemptsLost, type Kind, ratesOf } from './faults.ts'
import { modelServer } from './server.ts'

const MODEL = 'big'
const opened: (() => void)[] = []
after(() => {
  for (const close of opened) close()
})

/** A server in which one kind of fault always strikes, or none. */
async function serve({
  kind,
  tracer = trace.getTracer('off'),
  ...more
}: {
  kind?: Kind
  tracer?: Tracer
  timeFactor?: number
  maxNumSeqs?: number
  model?: string
} = {}) {
  const rates = ratesOf('calm', kind ? [{ kind, agent: null, rate: 1 }] : [])
  const settings = {
    model: MODEL,
    fallbackModel: 'small',
    rates,
    maxNumSeqs: 16,
    maxModelLen: 4096,
    timeFactor: 1000,
    ...more,
  }
  const server = modelServer(settings, tracer)
  const { url, close } = await onLoopback(server)
  opened.push(close)
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'EMPTY', maxRetries: 2 })
  const metric = async (name: string) =>
    Number(
      (await (await fetch(`${url}/metrics`)).text())
        .split('\n')
        .find((line) => line.startsWith(name))
        ?.split(' ')[1] ?? 0,
    )
  return { url, client, metric, server }
}

const state = {
  ...{
    tick: 12,
    season: 'winter',
    agent: 'fox',
    produces: 'mushrooms',
    needs: ['acorns', 'honey'],
    pebbles: 10,
    mood: 0.8,
  },
  goods: { acorns: 1, mushrooms: 4, honey: 3 },
}
const question = {
  model: MODEL,
  user: 'fox',
  messages: [{ role: 'user' as const, content: `State: ${JSON.stringify(state)}` }],
}
const tool = { type: 'function' as const, function: { name: 'calculate', parameters: { type: 'object' } } }
const seedWhere = (holds: (seed: string) => boolean) =>
  Array.from({ length: 1000 }, (_, i) => i).find((i) => holds(String(i))) ?? -1
const lasting = (attempts: number) => seedWhere((seed) => attemptsLost(seed, 0) === attempts)
const breaking = (midway: boolean) =>
  seedWhere((seed) => roll(seed, 0, 'midway') < 1 / 3 === midway && attemptsLost(seed, 0) === 3)

test('a plain answer is a decision with usage that adds up', async () => {
  const { client } = await serve()
  const answer = await client.chat.completions.create({ ...question, seed: 1 })
  const [choice] = answer.choices
  assert.equal(JSON.parse(choice?.message.content ?? '').buy.good, 'acorns')
  assert.equal(choice?.finish_reason, 'stop')
  assert.match(answer.id, /^chatcmpl-[0-9a-f]{32}$/)
  const { prompt_tokens, completion_tokens, total_tokens } = answer.usage ?? {}
  assert.ok(prompt_tokens && completion_tokens && prompt_tokens + completion_tokens === total_tokens)
})

test('the same body gets the same answer, streamed or not, and ids that differ', async () => {
  const { client } = await serve()
  const plain = await Promise.all([1, 1, 2].map((seed) => client.chat.completions.create({ ...question, seed })))
  const [one, same, other] = plain.map(({ choices }) => choices[0]?.message.content)
  const streamed = await client.chat.completions.stream({ ...question, seed: 1 }).finalContent()
  assert.equal(one, same)
  assert.equal(one, streamed)
  assert.notEqual(one, other)
  assert.notEqual(plain[0]?.id, plain[1]?.id)
})

test('a stream has a role, contents, a finish, usage without choices, and an end', async () => {
  const { client, url } = await serve()
  const asked = { ...question, seed: 1, stream: true as const, stream_options: { include_usage: true } }
  const chunks = await all(await client.chat.completions.create(asked))
  assert.deepEqual(chunks[0]?.choices[0]?.delta, { role: 'assistant', content: '' })
  assert.ok(chunks.slice(1, -2).length >= 2 && chunks.slice(1, -2).every(({ choices }) => choices[0]?.delta.content))
  assert.equal(chunks.at(-2)?.choices[0]?.finish_reason, 'stop')
  assert.deepEqual(chunks.at(-1)?.choices, [])
  assert.ok((chunks.at(-1)?.usage?.completion_tokens ?? 0) > 10)
  const raw = await (await fetch(`${url}/v1/chat/completions`, { method: 'POST', body: JSON.stringify(asked) })).text()
  assert.ok(raw.endsWith('data: [DONE]\n\n'))
})

test('tool calls come whole, and streamed in pieces', async () => {
  const { client } = await serve()
  const asked = { ...question, seed: 1, tools: [tool], tool_choice: 'required' as const }
  const plain = await client.chat.completions.create(asked)
  const streamed = await client.chat.completions.stream(asked).finalChatCompletion()
  const calls = [plain, streamed].map(({ choices }) => {
    const call = choices[0]?.message.tool_calls?.[0]
    assert.ok(call?.type === 'function')
    assert.equal(choices[0]?.finish_reason, 'tool_calls')
    return { id: call.id, ...call.function }
  })
  assert.equal(calls[0]?.name, 'calculate')
  assert.match(JSON.parse(calls[0]?.arguments ?? '').expression, /^\d/)
  assert.deepEqual({ ...calls[1], parsed_arguments: undefined }, { ...calls[0], parsed_arguments: undefined })
})

const hello = { model: MODEL, messages: [{ role: 'user' as const, content: 'Say hello.' }] }

test('parse() of the official client gets a value of its schema, streamed or not, with an error for none', async () => {
  const { client } = await serve()
  const City = z.object({
    city: z.string(),
    people: z.int().min(1),
    districts: z.array(z.object({ name: z.string() })),
  })
  const asked = { ...hello, response_format: zodResponseFormat(City, 'city') }
  const plain = await client.chat.completions.parse({ ...asked, n: 2 })
  assert.equal(plain.choices.length, 2)
  for (const { message } of plain.choices) City.parse(message.parsed)
  const streamed = await client.chat.completions.stream(asked).finalChatCompletion()
  assert.deepEqual(City.parse(streamed.choices[0]?.message.parsed), plain.choices[0]?.message.parsed)
  const Code = z.object({ code: z.string().regex(/^[0-9]{5}$/) })
  await assert.rejects(
    client.chat.completions.parse({ ...hello, response_format: zodResponseFormat(Code, 'code') }),
    (error) => error instanceof OpenAI.BadRequestError && /"pattern".* is not followed/.test(error.message),
  )
})

test('a tool that must be called gets arguments of its schema', async () => {
  const { client } = await serve()
  const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
  const tools = [{ type: 'function' as const, function: { name: 'weather', parameters } }]
  const { choices } = await client.chat.completions.create({ ...hello, tools, tool_choice: 'required' })
  const call = choices[0]?.message.tool_calls?.[0]
  assert.ok(call?.type === 'function' && call.function.name === 'weather')
  assert.ok(JSON.parse(call.function.arguments).city.length > 0)
})

test('n choices differ, the first is that of one, and tokens are those of all, streamed or not', async () => {
  const { client } = await serve()
  const asked = { ...question, seed: 1 }
  const one = await client.chat.completions.create(asked)
  const three = await client.chat.completions.create({ ...asked, n: 3 })
  const texts = three.choices.map(({ message }) => message.content)
  assert.deepEqual(
    three.choices.map(({ index }) => index),
    [0, 1, 2],
  )
  assert.equal(texts[0], one.choices[0]?.message.content)
  assert.equal(new Set(texts).size, 3)
  assert.ok((three.usage?.completion_tokens ?? 0) > 2 * (one.usage?.completion_tokens ?? 0))
  const stream = client.chat.completions.stream({ ...asked, n: 3, stream_options: { include_usage: true } })
  const streamed = await stream.finalChatCompletion()
  assert.deepEqual(
    streamed.choices.map(({ message }) => message.content),
    texts,
  )
  assert.deepEqual(streamed.usage, three.usage)
})

test('a stop text ends the answer before it, and is told, streamed or not', async () => {
  const { client } = await serve()
  for (const stop of ['messages', ['nowhere', 'messages'], ['mock', 'messages']]) {
    const plain = (await client.chat.completions.create({ ...hello, stop })).choices[0]
    assert.equal(plain?.message.content, 'I read your 1 ')
    assert.deepEqual([plain.finish_reason, (plain as { stop_reason?: unknown }).stop_reason], ['stop', 'messages'])
    assert.equal(await client.chat.completions.stream({ ...hello, stop }).finalContent(), 'I read your 1 ')
  }
  const whole = await client.chat.completions.create({ ...hello, stop: ['nowhere'] })
  assert.match(whole.choices[0]?.message.content ?? '', /sentence to say\.$/)
  const empty = await client.chat.completions.create({ ...hello, stop: 'I read' })
  assert.deepEqual([empty.choices[0]?.message.content, empty.usage?.completion_tokens], ['', 0])
  const withStop = { ...hello, stop: 'messages', include_stop_str_in_output: true }
  assert.equal((await client.chat.completions.create(withStop)).choices[0]?.message.content, 'I read your 1 messages')
})

test('what vLLM serves and this mock does not is refused at once, in the words of vLLM', async () => {
  const { client } = await serve()
  for (const [name, asked] of [
    ['Messages', client.post('/messages', { body: { model: MODEL, max_tokens: 9, messages: [] } })],
    ['Embeddings', client.embeddings.create({ model: MODEL, input: 'x' })],
    ['Responses', client.responses.create({ model: MODEL, input: 'x' })],
    ['Completions', client.completions.create({ model: MODEL, prompt: 'x' })],
  ] as const)
    await assert.rejects(
      asked,
      (error) => error instanceof OpenAI.BadRequestError && error.message.includes(`does not support ${name} API`),
    )
  await assert.rejects(client.chat.completions.create({ ...hello, logprobs: true }), OpenAI.BadRequestError)
})

test('a model is answered by its name, with a slash in it too, and another is a NotFoundError', async () => {
  const { client, url } = await serve({ model: 'Qwen/big' })
  assert.equal((await client.models.retrieve('Qwen/big')).id, 'Qwen/big')
  assert.equal((await fetch(`${url}/v1/models/Qwen%2Fbig`)).status, 200)
  for (const name of ['gpt', '%', '__proto__']) await assert.rejects(client.models.retrieve(name), OpenAI.NotFoundError)
})

test('a 429 says when to retry, and the retry gets through', async () => {
  const { client, url, metric } = await serve({ kind: 'rate_limit' })
  await client.chat.completions.create({ ...question, seed: lasting(1) })
  assert.equal(await metric('http_requests_total{handler="/v1/chat/completions",method="POST",status="4xx"}'), 1)
  const body = JSON.stringify({ ...question, seed: lasting(1) })
  const refused = await fetch(`${url}/v1/chat/completions`, { method: 'POST', body })
  assert.deepEqual(
    [refused.status, refused.headers.get('retry-after'), refused.headers.get('retry-after-ms')],
    [429, '0.001', '1'],
  )
  assert.deepEqual(await refused.json(), {
    error: { message: 'Too Many Requests', type: 'RateLimitError', param: null, code: 429 },
  })
})

test('a 500 that outlasts the retries is an InternalServerError', async () => {
  const { client, metric } = await serve({ kind: 'server_error' })
  await assert.rejects(client.chat.completions.create({ ...question, seed: lasting(3) }), OpenAI.InternalServerError)
  assert.equal(await metric('http_requests_total{handler="/v1/chat/completions",method="POST",status="5xx"}'), 3)
  await client.chat.completions.create({ ...question, seed: lasting(2) })
})

test('a model that is not there is a NotFoundError with a number as code', async () => {
  const { client } = await serve()
  const failed = client.chat.completions.create({ ...question, model: 'gpt' })
  await assert.rejects(
    failed,
    (error) =>
      error instanceof OpenAI.NotFoundError && (error.code as unknown) === 404 && error.type === 'NotFoundError',
  )
})

test('the fallback model never has faults', async () => {
  const { client } = await serve({ kind: 'server_error' })
  const answer = await client.chat.completions.create({ ...question, seed: lasting(3), model: 'small' })
  assert.equal(answer.model, 'small')
})

test('a dropped connection is an APIConnectionError, in mid-stream an error of the stream', async () => {
  const { client } = await serve({ kind: 'dropped' })
  const once = { maxRetries: 0 }
  await assert.rejects(
    client.chat.completions.create({ ...question, seed: lasting(3) }, once),
    OpenAI.APIConnectionError,
  )
  const first = { ...question, seed: breaking(false), stream: true as const }
  await assert.rejects(client.chat.completions.create(first, once), OpenAI.APIConnectionError)
  const stream = await client.chat.completions.create({ ...first, seed: breaking(true) }, once)
  const chunks: Chunk[] = []
  await assert.rejects(all(stream, chunks))
  assert.match(textOf(chunks), /^\{.*[^}]$/)
})

test('a stalled answer lasts until the client goes away, and holds no place meanwhile', async () => {
  const { client, metric } = await serve({ kind: 'stall', maxNumSeqs: 1 })
  const asked = { ...question, seed: breaking(false) }
  const waiting = client.chat.completions.create(asked, { timeout: 300, maxRetries: 0 })
  const failed = assert.rejects(waiting, OpenAI.APIConnectionTimeoutError)
  await client.chat.completions.create({ ...asked, seed: lasting(1) }, { headers: { 'x-stainless-retry-count': '1' } })
  await failed

  const gone = new AbortController()
  const stream = await client.chat.completions.create(
    { ...asked, seed: breaking(true), stream: true },
    { signal: gone.signal },
  )
  const chunks: Chunk[] = []
  const reading = all(stream, chunks).catch(() => {}) // some versions of the client end, some throw
  await until(async () => /^\{.*[^}]$/.test(textOf(chunks)))
  await new Promise((resolve) => setTimeout(resolve, 200))
  gone.abort()
  await reading
  assert.match(textOf(chunks), /^\{.*[^}]$/)
  await until(
    async () => (await metric('vllm:request_success_total{model_name="big",engine="0",finished_reason="abort"}')) === 2,
  )
})

test('a slow answer takes 2.5 s of world time or more', async () => {
  const { client } = await serve({ kind: 'slow', timeFactor: 10 })
  const began = performance.now()
  await client.chat.completions.create({ ...question, seed: 1 })
  assert.ok(performance.now() - began > 245)
})

test('requests above max-num-seqs wait in line', async () => {
  const { client, metric } = await serve({ maxNumSeqs: 1, timeFactor: 2 })
  const answers = Promise.all([1, 2, 3].map((seed) => client.chat.completions.create({ ...question, seed })))
  await until(async () => (await metric('vllm:num_requests_waiting{model_name="big"')) === 2)
  assert.equal(await metric('vllm:num_requests_running{model_name="big"'), 1)
  await answers
})

test('metrics count what was asked and answered', async () => {
  const { client, metric } = await serve()
  const names = [
    'prompt_tokens_total',
    'generation_tokens_total',
    'request_success_total',
    'e2e_request_latency_seconds_count',
  ]
  const read = () => Promise.all(names.map((name) => metric(`vllm:${name}`)))
  assert.deepEqual(await read(), [0, 0, 0, 0])
  const { usage } = await client.chat.completions.create({ ...question, seed: 1 })
  assert.deepEqual(await read(), [usage?.prompt_tokens, usage?.completion_tokens, 1, 1])
})

test('a bad request is answered with the reason, in the shape of vLLM', async () => {
  const { url } = await serve()
  const path = `${url}/v1/chat/completions`
  const post = (body: string | Uint8Array<ArrayBuffer>) => fetch(path, { method: 'POST', body })
  const cases: [Promise<Response>, number, string][] = [
    [post('{'), 400, 'BadRequestError'],
    [post(''), 400, 'BadRequestError'],
    [post('null'), 400, 'BadRequestError'],
    [post(JSON.stringify({ messages: [{ role: 'user', content: [1] }] })), 400, 'BadRequestError'],
    [post(new Uint8Array([0xff, 0xfe, 0x00])), 400, 'BadRequestError'],
    [post('x'.repeat(4 * 1024 * 1024 + 1)), 413, 'Payload Too Large'],
    [fetch(path), 405, 'Method Not Allowed'],
    [fetch(`${url}/__proto__`), 404, 'Not Found'],
  ]
  for (const [asked, status, type] of cases) {
    const answer = await asked
    const { error } = (await answer.json()) as { error: Record<string, unknown> }
    assert.deepEqual([answer.status, error.code, error.type], [status, status, type])
    assert.deepEqual(Object.keys(error), ['message', 'type', 'param', 'code'])
  }
  assert.equal((await fetch(path)).headers.get('allow'), 'POST')
  assert.equal((await fetch(`${url}/health`)).status, 200)
})

test('health, version and models answer', async () => {
  const { url, client } = await serve()
  assert.equal(await (await fetch(`${url}/health`)).text(), '')
  assert.match(JSON.stringify(await (await fetch(`${url}/version`)).json()), /^\{"version":"\d/)
  const models = await all(client.models.list())
  assert.deepEqual(
    models.map(({ id, owned_by }) => [id, owned_by]),
    [
      [MODEL, 'vllm'],
      ['small', 'vllm'],
    ],
  )
})

test('the span ends before the last byte is written, so that it ends before its parent', async () => {
  const responses: ServerResponse[] = []
  const writtenAtEnd: unknown[] = []
  const onEnd = ({ endTime: [seconds, nanoseconds] }: ReadableSpan) => {
    writtenAtEnd.push(responses.at(-1)?.writableEnded)
    assert.ok(
      seconds * 1000 + nanoseconds / 1e6 <= Date.now() - 1,
      'two processes may see one moment a millisecond apart',
    )
  }
  const done = async () => {}
  const processor = { onStart: () => {}, onEnd, forceFlush: done, shutdown: done }
  const { client, server } = await serve({
    tracer: new TracerProvider({ spanProcessors: [processor] }).getTracer('test'),
  })
  server.on('request', (_, response) => responses.push(response))
  await client.chat.completions.create({ ...question, seed: 1 })
  await client.chat.completions.stream({ ...question, seed: 1 }).done()
  assert.deepEqual(writtenAtEnd, [false, false])
})

test('a request is a SERVER span of the caller’s trace, with times and counts but no content', async () => {
  const exporter = new InMemorySpanExporter()
  const tracer = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }).getTracer('test')
  const { client } = await serve({ tracer })
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const asked = { ...question, seed: 1, temperature: 0.7, max_tokens: 400 }
  const answer = await client.chat.completions.create(asked, { headers: { traceparent } })
  const [span] = exporter.getFinishedSpans()
  assert.ok(span)
  assert.deepEqual(
    [span.name, span.kind, span.spanContext().traceId, span.parentSpanContext?.spanId],
    ['llm_request', 1, traceparent.slice(3, 35), traceparent.slice(36, 52)],
  )
  const { 'gen_ai.latency.e2e': e2e, ...attributes } = span.attributes
  for (const part of ['time_in_queue', 'time_to_first_token', 'time_in_model_prefill', 'time_in_model_decode']) {
    const seconds = attributes[`gen_ai.latency.${part}`]
    assert.ok(typeof seconds === 'number' && seconds >= 0 && seconds <= Number(e2e), part)
    delete attributes[`gen_ai.latency.${part}`]
  }
  assert.deepEqual(attributes, {
    'gen_ai.request.id': answer.id,
    'gen_ai.request.max_tokens': 400,
    'gen_ai.request.temperature': 0.7,
    'gen_ai.response.model': MODEL,
    'gen_ai.usage.prompt_tokens': answer.usage?.prompt_tokens,
    'gen_ai.usage.completion_tokens': answer.usage?.completion_tokens,
  })
  assert.equal(JSON.stringify(span.attributes).includes('acorns'), false)
})

test('a failed request is a span with an error; an aborted request sends no span', async () => {
  const exporter = new InMemorySpanExporter()
  const tracer = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }).getTracer('test')
  const failing = await serve({ tracer, kind: 'server_error' })
  await assert.rejects(failing.client.chat.completions.create({ ...question, seed: lasting(3) }, { maxRetries: 0 }))
  assert.deepEqual(
    exporter.getFinishedSpans().map(({ status, attributes }) => [status.code, attributes['error.type']]),
    [[2, '500']],
  )
  exporter.reset()
  const stalling = await serve({ tracer, kind: 'stall' })
  await assert.rejects(
    stalling.client.chat.completions.create({ ...question, seed: lasting(3) }, { timeout: 100, maxRetries: 0 }),
  )
  await until(
    async () =>
      (await stalling.metric('vllm:request_success_total{model_name="big",engine="0",finished_reason="abort"}')) === 1,
  )
  assert.deepEqual(exporter.getFinishedSpans(), [])
})

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const limit = performance.now() + 60_000; !(await holds()); await new Promise(setImmediate))
    assert.ok(performance.now() < limit, 'it did not happen')
}

type Chunk = OpenAI.ChatCompletionChunk

async function all<T>(items: AsyncIterable<T>, seen: T[] = []): Promise<T[]> {
  for await (const item of items) seen.push(item)
  return seen
}

function textOf(chunks: readonly Chunk[]): string {
  return chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')
}
