import { randomBytes } from 'node:crypto'
import { Agent, createServer, request as httpRequest } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { ROOT_CONTEXT, trace as traces } from '@opentelemetry/api'
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { onLoopback } from '../otlp/loopback.ts'

export const SPANS_PER_TRACE = 8
const TRACES_PER_REQUEST = 25
export const SPANS_PER_REQUEST = SPANS_PER_TRACE * TRACES_PER_REQUEST
const BODIES = 20
const CONNECTIONS = 4
/** The share that the shipped list keeps of what need not be kept. */
const SAMPLED = 0.1

export type Content = Readonly<{
  /** Of prompts and answers in a span. */
  bytes: number
  /** The share of traces that are kept. */
  kept: number
  /** Spans as OpenInference writes them, in the place of the simulator's. */
  isForeign?: boolean
  /** Without roots, a trace waits as long as the sampler waits. */
  hasRoots?: boolean
}>

const WORDS =
  'the fox offers three berries for one pebble and the bear wants honey before winter comes to the wood'.split(' ')
const prose = (bytes: number, turn: number) => {
  let text = ''
  for (let word = turn; text.length < bytes; word++) text += `${WORDS[word % WORDS.length]} `
  return text.slice(0, bytes)
}

export type Body = Readonly<{ body: Buffer; ids: readonly (readonly number[])[] }>

/** OTLP in protobuf, as agents send it. Some traces must be kept; one span in ten holds an e-mail address. */
function encode({ bytes: contentBytes, kept, isForeign, hasRoots = true }: Content, turn: number): Body {
  const exporter = new InMemorySpanExporter()
  const resource = resourceFromAttributes({ 'service.name': 'speed', 'openinference.project.name': 'speed' })
  const tracer = new TracerProvider({ resource, spanProcessors: [new SimpleSpanProcessor({ exporter })] }).getTracer(
    'speed',
  )
  const mustKeep = kept <= SAMPLED ? 0 : (kept - SAMPLED) / (1 - SAMPLED)
  for (let trace = 0; trace < TRACES_PER_REQUEST; trace++) {
    const count = turn * TRACES_PER_REQUEST + trace
    const isKept = Math.floor((count + 1) * mustKeep) > Math.floor(count * mustKeep)
    const elsewhere = {
      traceId: randomBytes(16).toString('hex'),
      spanId: randomBytes(8).toString('hex'),
      traceFlags: 1,
    }
    const outside = hasRoots ? ROOT_CONTEXT : traces.setSpanContext(ROOT_CONTEXT, elsewhere)
    const root = tracer.startSpan('invoke_agent fox', { attributes: attributes('invoke_agent') }, outside)
    const inside = traces.setSpan(ROOT_CONTEXT, root)
    for (let index = 1; index < SPANS_PER_TRACE; index++)
      tracer.startSpan('chat Qwen/Qwen2.5-3B-Instruct', { attributes: attributes('chat', index) }, inside).end()
    root.end()

    function attributes(operation: string, index = 0) {
      const secret = (trace * SPANS_PER_TRACE + index) % 10 === 0 ? ' ask fox.trader@forest.example ' : ''
      const input = `${prose((contentBytes * 3) / 4, count)}${secret}`
      const output = prose(contentBytes / 4, index)
      if (isForeign)
        return {
          'openinference.span.kind': operation === 'chat' ? 'LLM' : 'AGENT',
          'llm.model_name': 'Qwen/Qwen2.5-3B-Instruct',
          'llm.provider': 'openai',
          'llm.invocation_parameters': '{"temperature": 0.7, "max_tokens": 400}',
          'llm.input_messages.0.message.role': 'user',
          'llm.input_messages.0.message.content': input,
          'llm.output_messages.0.message.role': 'assistant',
          'llm.output_messages.0.message.content': output,
          'llm.token_count.prompt': 412,
          'llm.token_count.completion': 31,
          'llm.token_count.total': 443,
          'session.id': 'speed',
        }
      return {
        'gen_ai.operation.name': operation,
        'gen_ai.agent.name': 'fox',
        'gen_ai.provider.name': 'openai',
        'gen_ai.request.model': 'Qwen/Qwen2.5-3B-Instruct',
        'gen_ai.request.temperature': 0.7,
        'gen_ai.request.max_tokens': 400,
        'gen_ai.request.seed': count,
        'gen_ai.response.id': `chatcmpl-${randomBytes(8).toString('hex')}`,
        'gen_ai.usage.input_tokens': 412,
        'gen_ai.usage.output_tokens': 31,
        'gen_ai.conversation.id': 'speed',
        'server.address': '127.0.0.1',
        'server.port': 8000,
        'openinference.span.kind': 'LLM',
        'woodland.tick': count,
        'gen_ai.output.messages': output,
        'gen_ai.input.messages': input,
        ...(isKept && index === 3 ? { 'error.type': 'parse_error' } : {}),
      }
    }
  }
  const spans = exporter.getFinishedSpans()
  const body = Buffer.from(ProtobufTraceSerializer.serializeRequest(spans) ?? [])
  const ids = [...new Set(spans.map((span) => span.spanContext().traceId))]
  return { body, ids: ids.map((id) => placesOf(body, Buffer.from(id, 'hex'))) }
}

function placesOf(body: Buffer, part: Buffer): readonly number[] {
  const places: number[] = []
  for (let at = body.indexOf(part); at >= 0; at = body.indexOf(part, at + part.length)) places.push(at)
  return places
}

/** Requests of different traces, to send again and again. */
export const makeBodies = (content: Content): readonly Body[] =>
  Array.from({ length: BODIES }, (_, turn) => encode(content, turn))

/** The same body with new trace ids. */
export function fresh({ body, ids }: Body): Buffer {
  const copy = Buffer.from(body)
  for (const places of ids) {
    const id = randomBytes(16)
    for (const place of places) id.copy(copy, place)
  }
  return copy
}

const PATIENCE_MS = 50
/** A collector that refuses one request this often does not do so for want of memory. */
const TRIES = 1200

/** Sends this many spans over a few connections, to each address in turn, as fast as they are accepted. Returns the number of traces. */
export async function send(to: readonly string[], bodies: readonly Body[], spans: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  const requests = Math.ceil(spans / SPANS_PER_REQUEST)
  let next = 0
  const post = (otlp: string, body: Buffer) =>
    new Promise<number>((done, fail) => {
      const headers = { 'content-type': 'application/x-protobuf', 'content-length': body.length }
      httpRequest(`${otlp}/v1/traces`, { method: 'POST', agent, headers }, (answer) => {
        answer.resume()
        answer.on('end', () => done(answer.statusCode ?? 0))
      })
        .on('error', fail)
        .end(body)
    })
  const connection = async () => {
    while (next < requests) {
      const otlp = to[next % to.length] ?? ''
      const body = fresh(bodies[next++ % bodies.length] as Body)
      for (let status = 0, tries = 1; status !== 200; tries++) {
        status = await post(otlp, body)
        if (tries === TRIES) throw new Error(`the collector refused a request ${TRIES} times, with HTTP ${status}`)
        // The memory limiter refuses data for a moment.
        if (status === 503 || status === 429) await sleep(PATIENCE_MS)
        else if (status !== 200) throw new Error(`the collector answered HTTP ${status}`)
      }
    }
  }
  try {
    await Promise.all(Array.from({ length: CONNECTIONS }, connection))
  } finally {
    agent.destroy()
  }
  return requests * TRACES_PER_REQUEST
}

/** A backend that accepts everything, and counts the bytes. */
export async function sink() {
  let bytes = 0
  const server = createServer((question, answer) =>
    question
      .on('data', (part: Buffer) => {
        bytes += part.length
      })
      .on('end', () => answer.writeHead(200).end()),
  )
  return { ...(await onLoopback(server)), bytes: () => bytes }
}
