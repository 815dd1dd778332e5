import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import { type Span, SpanStatusCode, type Tracer } from '@opentelemetry/api'
import { roll } from '../../random/random.ts'
import { answerTo, refuse, send } from './answer.ts'
import { attemptsLost, draw, type Kind, type Rates } from './faults.ts'
import { pauseWith, type Queue, queueOf, timingOf } from './latency.ts'
import { metricsOf } from './metrics.ts'
import { type Reply, repliesTo } from './reply.ts'
import { type ChatRequest, type Problem, readRequest } from './request.ts'
import { startRequestSpan } from './tracing.ts'

export type Settings = Readonly<{
  model: string
  fallbackModel: string
  rates: Rates
  maxNumSeqs: number
  maxModelLen: number
  /** Every latency is divided by it. */
  timeFactor: number
}>

type Engine = Readonly<{ queue: Queue; rates: Rates; speed: number }>
type Fault = Kind<'transport'> | null
type Job = Readonly<{
  request: ChatRequest
  engine: Engine
  fault: Fault
  id: string
  arrived: number
  span: Span
  out: ServerResponse
  gone: AbortSignal
}>

const VERSION = '0.22.1+mock' // the vLLM whose dialect this is
const MAX_BODY_BYTES = 4 * 1024 * 1024
const FALLBACK_SPEED = 1.7
/** A stream wakes up at most this often and sends all tokens that are due, so that 100 requests a second cost little. */
const CHUNK_MS = 20
/** Share of dropped and stalled streams that break in the middle; the others break before their first byte. */
const BREAKS_MIDWAY = 1 / 3
/** How long a gateway takes to say 429. */
const REFUSAL_SECONDS = 0.02
/** World time after which to try again. */
const RETRY_SECONDS = { rate_limit: 1, server_error: 0.5 }

/** What vLLM serves and this mock does not: the path, and the name that vLLM gives it in its error. */
const OTHER_APIS: Readonly<Record<string, string>> = {
  '/v1/completions': 'Completions',
  '/v1/responses': 'Responses',
  '/v1/messages': 'Messages',
  '/v1/embeddings': 'Embeddings',
}

const now = () => performance.now() / 1000

export function modelServer(settings: Settings, tracer: Tracer): Server {
  const { model, fallbackModel, maxModelLen, maxNumSeqs, timeFactor } = settings
  const engines: ReadonlyMap<string, Engine> = new Map([
    [model, { queue: queueOf(maxNumSeqs), rates: settings.rates, speed: 1 }],
    ...(fallbackModel === model
      ? []
      : [[fallbackModel, { queue: queueOf(maxNumSeqs), rates: () => 0, speed: FALLBACK_SPEED }] as const]),
  ])
  const models = [...engines.keys()]
  const metrics = metricsOf(new Map([...engines].map(([name, { queue }]) => [name, queue])))
  const pause = pauseWith(timeFactor)
  const card = {
    object: 'model',
    created: Math.floor(Date.now() / 1000),
    owned_by: 'vllm',
    parent: null,
    max_model_len: maxModelLen,
  }
  const data = models.map((id) => ({ id, root: id, ...card }))

  const routes = new Map<
    string,
    readonly [method: string, handle: (incoming: IncomingMessage, out: ServerResponse) => unknown]
  >([
    ['/health', ['GET', (_, out) => out.end()]],
    ['/version', ['GET', (_, out) => send(out, 200, { version: VERSION })]],
    ['/v1/models', ['GET', (_, out) => send(out, 200, { object: 'list', data })]],
    ['/metrics', ['GET', async (_, out) => out.setHeader('content-type', metrics.type).end(await metrics.text())]],
    ['/v1/chat/completions', ['POST', chat]],
    ...Object.entries(OTHER_APIS).map(([path, name]) => {
      const message = `The model does not support ${name} API: this mock answers /v1/chat/completions only.`
      const answer = (_: IncomingMessage, out: ServerResponse) => refuse(out, { ...problem(400), message })
      return [path, ['POST', answer]] as const
    }),
    ...data.map((each) => {
      const answer = (_: IncomingMessage, out: ServerResponse) => send(out, 200, each)
      return [`/v1/models/${each.id}`, ['GET', answer]] as const
    }),
  ])

  const server = createServer(async (incoming, out) => {
    const path = pathOf(incoming)
    const method = incoming.method === 'HEAD' ? 'GET' : (incoming.method ?? '')
    const [allowed, handle] = routes.get(path) ?? []
    out.on('finish', () => metrics.answered(handle ? path : 'none', method, out.statusCode))
    try {
      if (!allowed) refuse(out, path.startsWith('/v1/models/') ? noModel(path) : problem(404))
      else if (allowed !== method) refuse(out.setHeader('allow', allowed), problem(405))
      else await handle?.(incoming, out)
    } catch (error) {
      if (out.destroyed) return // the client went away
      console.error(`mock-vllm: ${method} ${path} failed: ${error instanceof Error ? error.message : error}`)
      if (out.headersSent) out.destroy()
      else refuse(out, problem(500))
    }
  })
  // Node closes an idle connection after 5 s, the pace of a client that ticks every 5 s. Close much later.
  server.keepAliveTimeout = 75_000
  return server

  async function chat(incoming: IncomingMessage, out: ServerResponse): Promise<void> {
    const arrived = now()
    const span = startRequestSpan(tracer, incoming.headers)
    const body = await bodyOf(incoming)
    if (body === null) return refuse(out, problem(413))
    const request = readRequest(body, models, maxModelLen)
    if ('status' in request) return refuse(out, request)
    const engine = engines.get(request.model)
    if (!engine) return refuse(out, problem(404))

    const gone = new AbortController()
    out.on('close', () => out.writableFinished || gone.abort())
    const id = `chatcmpl-${randomBytes(16).toString('hex')}`
    const { temperature } = request.body
    span.setAttributes({ 'gen_ai.request.id': id, 'gen_ai.request.max_tokens': request.maxTokens })
    span.setAttribute('gen_ai.response.model', request.model)
    if (typeof temperature === 'number') span.setAttribute('gen_ai.request.temperature', temperature)

    const fault = faultOf(request, engine.rates, Number(incoming.headers['x-stainless-retry-count']) || 0)
    try {
      if (fault === 'rate_limit') {
        await pause(REFUSAL_SECONDS, gone.signal)
        return tryAgain(fault, 429, span, out)
      }
      const job = { request, engine, fault, id, arrived, span, out, gone: gone.signal }
      const broken = await engine.queue.add(() => generate(job), { signal: gone.signal })
      if (broken === 'server_error') tryAgain(broken, 500, span, out)
      if (broken === 'stall') {
        if (!gone.signal.aborted) await once(gone.signal, 'abort')
        gone.signal.throwIfAborted()
      }
      if (broken === 'dropped') {
        fail(span, broken)
        out.socket?.destroySoon() // sends what was written first, so that a stream can break in the middle
      }
    } catch (error) {
      if (!gone.signal.aborted) throw error
      metrics.aborted(request.model) // the span does not end: vLLM sends no span after an abort
    }
  }

  /** Thinks, and writes as it goes, while it holds one of the engine's places. Returns the fault that broke it, or null. */
  async function generate(job: Job): Promise<Fault> {
    const { request, engine, fault, gone } = job
    const key = [request.seed, request.toolRounds]
    const scheduled = now()
    const replies = repliesTo(request, engine.rates)
    // The choices of one request are written at the same time. Even an empty one takes a step.
    const count = Math.max(1, ...replies.map(({ pieces }) => pieces.length))
    const work = {
      promptTokens: request.promptTokens,
      outputTokens: count,
      speed: engine.speed,
      slow: fault === 'slow',
    }
    const { prefillSeconds, decodeSeconds } = timingOf(work, ...key)
    await pause(prefillSeconds, gone)
    if (fault === 'server_error') return fault

    const firstToken = now()
    const breaks = fault === 'stall' || fault === 'dropped'
    const midway = request.body.stream && roll(...key, 'midway') < BREAKS_MIDWAY
    const shown = !breaks ? count : midway ? Math.ceil(count / 2) : 0
    const answer = answerTo(request, replies, job.id, job.out)
    if (!request.body.stream) await pause(breaks ? 0 : decodeSeconds, gone)
    else if (shown > 0) {
      answer.begin()
      const each = decodeSeconds / count
      for (let sent = 0; sent < shown; ) {
        const due = sent === 0 ? 1 : Math.floor(((now() - firstToken) * timeFactor) / each)
        const upTo = Math.min(shown, Math.max(sent + 1, due))
        for (const [index, { pieces }] of replies.entries())
          if (sent < pieces.length) answer.text(index, pieces.slice(sent, upTo).join(''))
        sent = upTo
        const rest = each * (shown - sent)
        if (rest > 0) await pause(Math.min(rest, Math.max(each, (CHUNK_MS / 1000) * timeFactor)), gone)
      }
    }
    if (breaks) return fault

    finish(job, replies, scheduled, firstToken)
    answer.end()
    return null
  }

  /** Ends the span before the last byte is sent, so that it ends before its parent in the client. */
  function finish(
    { request, span, arrived }: Job,
    replies: readonly Reply[],
    scheduled: number,
    firstToken: number,
  ): void {
    const ended = now()
    const output = replies.reduce((sum, { pieces }) => sum + pieces.length, 0)
    const spent = {
      queue: scheduled - arrived,
      prefill: firstToken - scheduled,
      decode: ended - firstToken,
      firstToken: firstToken - arrived,
      interToken: (ended - firstToken) / Math.max(1, output - 1),
      e2e: ended - arrived,
    }
    metrics.finished(request.model, replies[0]?.finish ?? 'stop', { prompt: request.promptTokens, output }, spent)
    span.setAttributes({
      'gen_ai.latency.time_in_queue': spent.queue,
      'gen_ai.latency.time_to_first_token': spent.firstToken,
      'gen_ai.latency.time_in_model_prefill': spent.prefill,
      'gen_ai.latency.time_in_model_decode': spent.decode,
      'gen_ai.latency.e2e': spent.e2e,
      'gen_ai.usage.prompt_tokens': request.promptTokens,
      'gen_ai.usage.completion_tokens': output,
    })
    endSpan(span)
  }

  /** Every client reads `retry-after`. The openai client reads `retry-after-ms` first, and for a 500 too. */
  function tryAgain(fault: keyof typeof RETRY_SECONDS, status: number, span: Span, out: ServerResponse): void {
    const ms = Math.ceil((RETRY_SECONDS[fault] * 1000) / timeFactor)
    if (fault === 'rate_limit') out.setHeader('retry-after', String(ms / 1000))
    fail(span, String(status))
    refuse(out.setHeader('retry-after-ms', String(ms)), problem(status))
  }
}

/** A retry repeats the body, so it draws the same fault. A slow model stays slow; other faults pass after a few attempts. */
function faultOf({ seed, toolRounds, agent }: ChatRequest, rates: Rates, attempt: number): Fault {
  const fault = draw('transport', rates, agent, seed, toolRounds)
  return fault === 'slow' || attempt < attemptsLost(seed, toolRounds) ? fault : null
}

function fail(span: Span, type: string): void {
  span.setAttribute('error.type', type).setStatus({ code: SpanStatusCode.ERROR })
  endSpan(span)
}

/** A millisecond early: the SDK rounds the start of a span to milliseconds, so two processes may differ by that much. */
function endSpan(span: Span): void {
  span.end(Date.now() - 1)
}

/** The whole body, or null when it is too large. The rest is read and thrown away, so that the client reads the answer. */
async function bodyOf(incoming: IncomingMessage): Promise<string | null> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of incoming) {
    bytes += part.length
    if (bytes <= MAX_BODY_BYTES) parts.push(part)
    else parts.length = 0
  }
  return bytes > MAX_BODY_BYTES ? null : Buffer.concat(parts).toString('utf8')
}

const TYPES: Readonly<Record<number, string>> = {
  400: 'BadRequestError',
  429: 'RateLimitError',
  500: 'InternalServerError',
}

/** Clients write the slash in the name of a model as %2F. */
function pathOf({ url = '' }: IncomingMessage): string {
  const [path = ''] = url.split('?', 1)
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

const noModel = (path: string): Problem => ({
  status: 404,
  type: 'NotFoundError',
  message: `The model \`${path.slice('/v1/models/'.length)}\` does not exist.`,
  param: 'model',
})

function problem(status: number): Problem {
  const message = STATUS_CODES[status] ?? 'Error'
  return { status, type: TYPES[status] ?? message, message, param: null }
}
