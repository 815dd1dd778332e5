import { randomBytes } from 'node:crypto'
import { Agent, createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ROOT_CONTEXT, trace as traces } from '@opentelemetry/api'
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { execa } from 'execa'
import { type Launcher, type Running, startCollector, sumOf, withScratch } from '../workbench/collector.ts'
import { UserError } from '../workbench/user-error.ts'
import type { Backend } from './backends/backend.ts'
import { chosenBackends, collectorFile, served } from './backends/backends.ts'
import { launcherFor } from './collectors.ts'
import { SHIPPED_POLICY } from './policy.ts'
import { collectorEnvironment } from './services.ts'
import { ROOT, type Settings } from './settings.ts'

type Cost = Readonly<{ usPerSpan: number; keptShare: number; megabytes: number }>
type Shape = Readonly<{
  name: string
  overlays?: readonly string[]
  /** Another configuration in the place of the shipped one. */
  instead?: string
  /** Another folder in the place of `collector/`. */
  folder?: string
  /** Spans as OpenInference writes them, in the place of the simulator's. */
  isForeign?: boolean
  kept: number
  env?: Readonly<Record<string, string>>
}>

const SPANS_PER_TRACE = 8
const TRACES_PER_REQUEST = 25
const BODIES = 20
const CONNECTIONS = 4
const SAMPLED = 0.1
const KB = 1024
const HIGH_VOLUME = resolve(ROOT, 'collector/overlays/high-volume.yaml')
/** The defaults of Go. */
const UNTUNED = { GOGC: '100', GOMEMLIMIT: 'off' }
const speedFile = (name: string) => resolve(ROOT, `evidence/speed/${name}.yaml`)
const PASSTHROUGH = 'passthrough'

const SHAPES: readonly Shape[] = [
  { name: PASSTHROUGH, instead: speedFile('passthrough'), kept: 0, env: UNTUNED },
  { name: 'textbook', instead: speedFile('textbook'), kept: 0.3, env: UNTUNED },
  { name: 'no masking', overlays: [speedFile('unmasked')], kept: 0.1 },
  { name: 'no dialects', overlays: [speedFile('no-dialects')], kept: 0.1 },
  { name: 'as shipped', kept: 0.1 },
  { name: 'as shipped', kept: 0.3 },
  { name: 'high volume', overlays: [HIGH_VOLUME], kept: 0.1 },
  { name: 'high volume', overlays: [HIGH_VOLUME], kept: 0.3 },
  { name: 'OpenInference, no dialects', isForeign: true, overlays: [speedFile('no-dialects')], kept: 0.1 },
  { name: 'OpenInference', isForeign: true, kept: 0.1 },
]

/** The shipped shapes again, with `collector/` of another commit. */
const atCommit = (commit: string, folder: string): readonly Shape[] =>
  SHAPES.filter(({ name }) => name === 'as shipped' || name === 'high volume').map((shape) => ({
    ...shape,
    name: `${shape.name} at ${commit}`,
    folder,
    overlays: (shape.overlays ?? []).map((file) => inFolder(file, folder)),
  }))

const SHIPPED = resolve(ROOT, 'collector')
const inFolder = (path: string, folder: string) =>
  path.startsWith(SHIPPED) ? folder + path.slice(SHIPPED.length) : path

/** Writes `collector/` of this commit below a folder. Throws `UserError` when git does not know the commit. */
async function extract(commit: string, below: string): Promise<string> {
  const archive = await execa('git', ['-C', ROOT, 'archive', commit, 'collector'], {
    encoding: 'buffer',
    reject: false,
  })
  if (archive.failed)
    throw new UserError(
      `BASE=${commit} is no commit of this repository with a folder collector/. git log shows those there are`,
    )
  await execa('tar', ['-x', '-C', below], { input: archive.stdout })
  return join(below, 'collector')
}

const WORDS =
  'the fox offers three berries for one pebble and the bear wants honey before winter comes to the wood'.split(' ')
const prose = (bytes: number, turn: number) => {
  let text = ''
  for (let word = turn; text.length < bytes; word++) text += `${WORDS[word % WORDS.length]} `
  return text.slice(0, bytes)
}

type Body = Readonly<{ body: Buffer; ids: readonly (readonly number[])[] }>

/** OTLP in protobuf, as agents send it. Some traces must be kept; one span in ten holds an e-mail address. */
function encode(contentBytes: number, { kept, isForeign }: Shape, turn: number, hasRoots: boolean): Body {
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

/** The same body with new trace ids. */
function fresh({ body, ids }: Body): Buffer {
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

/** Sends this many spans over a few connections, as fast as the collector accepts them. */
async function send(otlp: string, bodies: readonly Body[], spans: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  const requests = Math.ceil(spans / (SPANS_PER_TRACE * TRACES_PER_REQUEST))
  let next = 0
  const post = (body: Buffer) =>
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
      const body = fresh(bodies[next++ % bodies.length] as Body)
      for (let status = 0, tries = 1; status !== 200; tries++) {
        status = await post(body)
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

async function metric(collector: Running, name: string, labels = ''): Promise<number> {
  return sumOf(await (await fetch(collector.metrics)).text(), name, labels)
}

const JUDGED = 'otelcol_processor_tail_sampling_global_count_traces_sampled'
const DONE_WITHIN_MS = 120_000

/** Waits until every trace is decided on and all kept traces are sent. Returns the share that was kept. */
async function settled(collector: Running, traces: number): Promise<number> {
  for (const until = Date.now() + DONE_WITHIN_MS; Date.now() < until; await sleep(100)) {
    if ((await metric(collector, JUDGED)) < traces) continue
    const kept = await metric(collector, JUDGED, 'sampled="true"')
    const sent = await metric(collector, 'otelcol_exporter_sent_spans')
    if (sent >= 2 * kept * SPANS_PER_TRACE) return kept / traces
  }
  throw new Error(
    `the collector did not decide on ${traces} traces and send the kept ones within ${DONE_WITHIN_MS / 1000} s`,
  )
}

/** A backend that accepts everything. */
async function sink() {
  const server = createServer((question, answer) => question.resume().on('end', () => answer.writeHead(200).end()))
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, close: () => server.closeAllConnections() ?? server.close() }
}

type Lab = Readonly<{ launcher: Launcher; live: Readonly<Record<string, string>>; backends: readonly Backend[] }>

async function withShape<T>(
  { launcher, live, backends }: Lab,
  shape: Shape,
  work: (collector: Running) => Promise<T>,
): Promise<T> {
  const { overlays = [], instead, folder: other = SHIPPED, env = {} } = shape
  const replaced: Launcher = {
    ...launcher,
    collector: (...asked) => {
      const { args, ...command } = launcher.collector(...asked)
      return { ...command, args: instead ? ['--config', instead] : args.map((path) => inFolder(path, other)) }
    },
  }
  const backend = await sink()
  try {
    return await withScratch(async (folder) => {
      const collector = await startCollector(replaced, {
        folder,
        overlays: [...backends.map((one) => inFolder(resolve(ROOT, collectorFile(one)), other)), ...overlays],
        env: {
          COLLECTOR_DIR: other,
          POLICY_FILE: inFolder(resolve(ROOT, SHIPPED_POLICY), other),
          DECISION_WAIT: '5s',
          DECISION_WAIT_AFTER_ROOT: '1s',
          // As make up starts it.
          GOGC: live.GOGC ?? '',
          GOMEMLIMIT: live.GOMEMLIMIT ?? '',
          ...env,
          ...Object.fromEntries(backends.map(({ endpointVariable }) => [endpointVariable, backend.url])),
        },
      })
      try {
        return await work(collector)
      } finally {
        await collector.stop()
      }
    })
  } finally {
    backend.close()
  }
}

const WARM_UP_SPANS = 2000

async function cost(lab: Lab, shape: Shape, contentBytes: number, spans: number): Promise<Cost> {
  const bodies = Array.from({ length: BODIES }, (_, turn) => encode(contentBytes, shape, turn, true))
  return withShape(lab, shape, async (collector) => {
    const judges = shape.name !== PASSTHROUGH
    const warm = await send(collector.otlp, bodies, WARM_UP_SPANS)
    if (judges) await settled(collector, warm)
    const before = await metric(collector, 'otelcol_process_cpu_seconds')
    const traces = await send(collector.otlp, bodies, spans)
    const keptShare = judges ? await settled(collector, warm + traces) : 0
    const seconds = (await metric(collector, 'otelcol_process_cpu_seconds')) - before
    const megabytes = (await metric(collector, 'otelcol_process_memory_rss')) / KB ** 2
    return { usPerSpan: (seconds * 1e6) / (traces * SPANS_PER_TRACE), keptShare, megabytes }
  })
}

const PENDING_SPANS = 20_000
/** Garbage is collected often, so the memory shows what the collector holds. */
const TIDY = { GOGC: '10', GOMEMLIMIT: 'off' }

/** Bytes of memory for a span that waits for the decision, with its content. */
async function pending(lab: Lab, contentBytes: number): Promise<number> {
  const shape: Shape = { name: 'as shipped', kept: 0, env: { DECISION_WAIT: '300s', ...TIDY } }
  const bodies = Array.from({ length: BODIES }, (_, turn) => encode(contentBytes, shape, turn, false))
  return withShape(lab, shape, async (collector) => {
    const before = await metric(collector, 'otelcol_process_memory_rss')
    await send(collector.otlp, bodies, PENDING_SPANS)
    return ((await metric(collector, 'otelcol_process_memory_rss')) - before) / PENDING_SPANS
  })
}

const ROUNDS = 5
const SIZES = [
  { bytes: KB, spans: 30_000 },
  { bytes: 4 * KB, spans: 10_000 },
]

/** The value below which this share of the values lies. */
export const quantile = (values: readonly number[], q: number) =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN

/**
 * The CPU cost of one span in each variant of the pipeline, beside a pipeline that drops it: lines of Markdown. Variants take
 * turns, and the median of five turns counts. `BASE` names a commit whose `collector/` takes turns too; `SHAPE` one variant.
 * Throws `UserError` when git does not know the commit.
 */
export async function speed(settings: Settings, say: (line: string) => void): Promise<readonly string[]> {
  const launcher = await launcherFor(settings, { cancel: new AbortController().signal, say }, 'native')
  const lab = { launcher, live: collectorEnvironment(settings), backends: served(chosenBackends(settings)) }
  const { SHAPE: only, BASE: base } = process.env
  return withScratch(async (folder) => {
    const all = [...SHAPES, ...(base ? atCommit(base, await extract(base, folder)) : [])]
    const shapes = all.filter(({ name }) => !only || name === PASSTHROUGH || name.startsWith(only))
    const lines: string[] = []
    const waiting: string[] = []
    for (const { bytes, spans } of SIZES) {
      const found = new Map<Shape, readonly Cost[]>()
      for (let round = 0; round < ROUNDS; round++)
        for (const shape of shapes) {
          const one = await cost(lab, shape, bytes, spans)
          found.set(shape, [...(found.get(shape) ?? []), one])
          say(
            `${shape.name}, ${bytes / KB} KB, turn ${round + 1} of ${ROUNDS}: ${one.usPerSpan.toFixed(1)} µs a span, ${(one.keptShare * 100).toFixed(0)} % kept`,
          )
        }
      const middle = (costs: readonly Cost[], of: (cost: Cost) => number) => quantile(costs.map(of), 0.5)
      const least = middle([...found.values()][0] ?? [], ({ usPerSpan }) => usPerSpan)
      for (const [{ name }, costs] of found) {
        const usPerSpan = middle(costs, (one) => one.usPerSpan)
        const kept = name === PASSTHROUGH ? '–' : `${(middle(costs, (one) => one.keptShare) * 100).toFixed(0)} %`
        const megabytes = middle(costs, (one) => one.megabytes).toFixed(0)
        lines.push(
          `| ${[name, `${bytes / KB} KB`, kept, usPerSpan.toFixed(1), Math.round(1e6 / usPerSpan), `${(usPerSpan / least).toFixed(1)} ×`, megabytes].join(' | ')} |`,
        )
      }
      if (!only) waiting.push(`${((await pending(lab, bytes)) / KB).toFixed(1)} KiB at ${bytes / KB} KB of content`)
    }
    return [
      '| pipeline | content | kept | CPU µs per span | spans/s per core | CPU, compared with passthrough | resident MB |',
      '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
      ...lines,
      '',
      `Memory of a span that waits for the decision: ${waiting.join(', ') || 'not measured'}.`,
    ]
  })
}
