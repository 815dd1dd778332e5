import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Client, credentials, status as grpcStatus, type ServiceError } from '@grpc/grpc-js'
import { parse } from 'yaml'
import { spanKey } from '../evidence/drills/balance.ts'
import {
  type AnyValue,
  fromAttributes,
  integer,
  nanosOf,
  resourceSpans,
  type Span,
  text,
  toAttributes,
  traceRequest,
} from '../otlp/json.ts'
import { encode } from '../otlp/protobuf.ts'
import { BACKENDS, collectorFile, served } from '../stack/backends/backends.ts'
import { servicesIn } from '../stack/compose-tiers.ts'
import { eventually, ownSettings, startStack } from '../stack/own-stack.ts'
import { pageOf, phoenixData, phoenixSpans, tempoTrace } from '../stack/queries.ts'
import { ROOT, type Settings, url } from '../stack/settings.ts'
import { DIALECTS } from '../vocabulary/attributes.ts'
import { sumOf } from '../workbench/collector.ts'
import { sendTo } from './collector.ts'

const KEEP_ALL = 'collector/policies/keep-everything.yaml'
const MIB = 1024 ** 2
const yaml = (file: string) => parse(readFileSync(resolve(ROOT, file), 'utf8'), { merge: true })

describe('the sizes in the files', () => {
  const { receivers, processors } = yaml('collector/config.yaml')
  const { grpc, http } = receivers.otlp.protocols
  const request: number = http.max_request_body_size
  const trace: number = processors.tail_sampling.maximum_trace_size_bytes
  const tempo = yaml('grafana/tempo.yaml')
  const tempoDoors = tempo.distributor.receivers.otlp.protocols
  const jaegerDoor = yaml('stack/backends/jaeger.yaml').receivers.otlp.protocols.http
  const attribute = Number(
    /truncate_all\(attributes, (\d+),/.exec(readFileSync(resolve(ROOT, 'collector/limits/cut.yaml'), 'utf8'))?.[1],
  )
  const queues = BACKENDS.map((backend) => {
    const [exporter] = Object.values<{ sending_queue: Queue }>(yaml(collectorFile(backend)).exporters)
    return { id: backend.id, queue: exporter?.sending_queue ?? assert.fail(backend.id) }
  })
  type Queue = { sizer: string; queue_size: number; batch?: { min_size: number; max_size: number } }

  test('a request is as large over gRPC as over HTTP, and holds more than two of the longest attributes', () => {
    assert.equal(grpc.max_recv_msg_size_mib * MIB, request)
    assert.ok(request > 2 * attribute)
  })

  test('a batch holds the longest span, which is as long as a request, with room for what masking adds', () => {
    for (const { id, queue } of queues) {
      assert.equal(queue.sizer, 'bytes', id)
      if (queue.batch) assert.ok(queue.batch.max_size >= 1.2 * request, id)
    }
  })

  test('a queue holds more than one of the largest traces', () => {
    for (const { id, queue } of queues) assert.ok(queue.queue_size >= 4 * trace, id)
  })

  test('Tempo and Jaeger take a request that is larger than the largest batch', () => {
    const batch = Math.max(...queues.map(({ queue }) => queue.batch?.max_size ?? 0))
    for (const size of [
      tempoDoors.http.max_request_body_size,
      tempoDoors.grpc.max_recv_msg_size_mib * MIB,
      jaegerDoor.max_request_body_size,
      tempo.overrides.defaults.ingestion.burst_size_bytes,
      tempo.overrides.defaults.ingestion.rate_limit_bytes,
    ])
      assert.ok(size > batch, `${size} is not more than ${batch}`)
  })

  test('Tempo takes a trace that is larger than the largest trace of the sampler, and its parts send it to each other', () => {
    const most: number = tempo.overrides.defaults.global.max_bytes_per_trace
    assert.ok(most >= 2 * trace)
    for (const size of [
      tempo.server.grpc_server_max_recv_msg_size,
      tempo.server.grpc_server_max_send_msg_size,
      tempo.querier.frontend_worker.grpc_client_config.max_send_msg_size,
    ])
      assert.ok(size >= most)
  })

  test('a sampler takes a request that is larger than the largest one of a gateway, whose queue holds several', () => {
    const { exporters } = yaml('collector/overlays/gateway.yaml')
    const sampler = yaml('collector/overlays/sampler.yaml').receivers.otlp.protocols.grpc.max_recv_msg_size_mib * MIB
    assert.ok(sampler >= 1.2 * request && sampler <= trace)
    for (const name of ['traces', 'metrics', 'logs']) {
      const { sending_queue, protocol } = exporters[`load_balancing/${name}`]
      const own = protocol.otlp.sending_queue
      for (const { sizer } of [sending_queue, own]) assert.equal(sizer, 'bytes')
      assert.ok(sending_queue.queue_size >= 4 * request && own.queue_size >= 1.2 * request, name)
    }
  })

  test('a gateway refuses from less memory than a sampler, SDK metrics first, and collects garbage before it does', () => {
    const own = yaml('collector/overlays/gateway.yaml').processors
    const refusesAt = (limiter: { limit_mib: number; spike_limit_mib: number }) =>
      limiter.limit_mib - limiter.spike_limit_mib
    assert.ok(refusesAt(own.memory_limiter) < refusesAt(processors.memory_limiter))
    for (const of of [own, processors]) assert.ok(refusesAt(of['memory_limiter/agents']) < refusesAt(of.memory_limiter))
    assert.equal(processors.memory_limiter.min_gc_interval_when_soft_limited, '0s')
    assert.equal(own.memory_limiter.min_gc_interval_when_soft_limited, '1s')
    const { environment, mem_limit = '' } = servicesIn().collector ?? assert.fail()
    assert.equal(environment.GOMEMLIMIT, `${processors.memory_limiter.limit_mib}MiB`)
    assert.ok(Number.parseInt(mem_limit, 10) > processors.memory_limiter.limit_mib + 200)
    assert.ok(http.response_headers['Retry-After'] > 0)
  })

  test('the Collector cuts before Tempo does', () => assert.equal(tempo.distributor.max_attribute_bytes, attribute))

  test('the memory limiter lets two of the largest traces and a request in', () => {
    const { limit_mib, spike_limit_mib } = processors.memory_limiter
    assert.ok((limit_mib - spike_limit_mib) * MIB > 4 * trace + 2 * request)
    assert.ok(spike_limit_mib * MIB > 2 * request, 'it checks once a second')
  })
})

test('the page about agents and the page of the Collector name the sizes and waits that are in the files', () => {
  const { receivers, processors } = yaml('collector/config.yaml')
  const { tail_sampling, memory_limiter } = processors
  const ofGateway = yaml('collector/overlays/gateway.yaml').processors.memory_limiter
  const secondsOf = (setting: string) => `${/:-(\d+)s\}$/.exec(setting)?.[1]}`
  const afterRoot = secondsOf(tail_sampling.decision_wait_after_root_received)
  const withoutRoot = secondsOf(tail_sampling.decision_wait)
  const requestMib = receivers.otlp.protocols.http.max_request_body_size / MIB
  const traceMib = tail_sampling.maximum_trace_size_bytes / MIB
  const attributeMib = yaml('grafana/tempo.yaml').distributor.max_attribute_bytes / MIB
  const said = {
    'docs/your-agents.md': [
      `decides ${afterRoot} s after the root`,
      `a trace waits ${withoutRoot} s,`,
      `A request may have ${requestMib} MiB`,
      `A trace may have ${traceMib} MiB`,
      `An attribute may have ${attributeMib} MiB`,
    ],
    'collector/README.md': [`\`${withoutRoot}s\`, \`${afterRoot}s\``],
    'docs/limits.md': [
      `a request | ${requestMib} MiB`,
      `a trace in the sampler | ${traceMib} MiB`,
      `an attribute | ${attributeMib} MiB`,
      // It refuses from the soft limit on.
      `memory | ${memory_limiter.limit_mib - memory_limiter.spike_limit_mib} MiB; of a gateway, which holds no traces, ${ofGateway.limit_mib - ofGateway.spike_limit_mib} MiB`,
    ],
  }
  for (const [file, sentences] of Object.entries(said)) {
    const page = readFileSync(resolve(ROOT, file), 'utf8').replaceAll(/\s+/g, ' ')
    for (const sentence of sentences) assert.ok(page.includes(sentence), `${file} does not say "${sentence}"`)
  }
})

type Protocol = 'HTTP' | 'gRPC'
type Answer = Readonly<{ ok: boolean; said: string }>
const EXPORT = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'

async function send(settings: Settings, protocol: Protocol, body: Buffer): Promise<Answer> {
  if (protocol === 'HTTP')
    return fetch(url(settings, 'OTLP_HTTP_PORT', '/v1/traces'), {
      method: 'POST',
      headers: { 'content-type': 'application/x-protobuf' },
      body: new Uint8Array(body),
    }).then(
      async (answer) => ({ ok: answer.ok, said: `${answer.status} ${Buffer.from(await answer.arrayBuffer())}` }),
      (error: Error) => ({ ok: false, said: `${error.message}: ${error.cause}` }),
    )
  const client = new Client(`127.0.0.1:${settings.ports.OTLP_GRPC_PORT}`, credentials.createInsecure(), {
    'grpc.max_send_message_length': -1,
  })
  const same = (bytes: Buffer) => bytes
  const answer = await new Promise<Answer>((done) => {
    client.makeUnaryRequest(EXPORT, same, same, body, (error: ServiceError | null) =>
      done({ ok: !error, said: error ? `${grpcStatus[error.code]} ${error.details}` : 'OK' }),
    )
  })
  client.close()
  return answer
}

const PROMPT = 'The fox asks for acorns and honey, winter is near. '
const prompt = (bytes: number) => PROMPT.repeat(Math.ceil(bytes / PROMPT.length)).slice(0, bytes)

function traceOf(count: number, attributes: (index: number) => Readonly<Record<string, AnyValue>>): readonly Span[] {
  const traceId = randomBytes(16).toString('hex')
  const ids = Array.from({ length: count }, () => randomBytes(8).toString('hex'))
  return ids.map((spanId, index) => ({
    traceId,
    spanId,
    ...(index > 0 ? { parentSpanId: ids[0] ?? '' } : {}),
    name: 'chat',
    startTimeUnixNano: nanosOf(Date.now() - 10),
    endTimeUnixNano: nanosOf(Date.now()),
    attributes: Object.entries(attributes(index)).map(([key, value]) => ({ key, value })),
  }))
}

const bodyOf = (spans: readonly Span[], service = 'long-prompts') =>
  encode(traceRequest(spans, { resource: { 'service.name': service, 'openinference.project.name': service } }))

describe('in the real stack', () => {
  const HERE = served(BACKENDS)
  let settings: Settings
  let end: () => Promise<void>

  before(async () => {
    settings = await ownSettings({ BACKENDS: HERE.map(({ id }) => id).join() })
    end = await startStack(settings, KEEP_ALL, ['collector', ...HERE.map(({ id }) => id)])
  })
  after(() => end?.())

  /** The trace as Tempo has it, once one answer has every span: while Tempo writes a block, answers may be partial. */
  const wholeTrace = async (spans: readonly Span[]) =>
    eventually(async () => {
      const stored = await tempoTrace(settings, spans[0]?.traceId ?? '')
      assert.equal(stored.length, spans.length)
      return stored
    })
  /** How many spans the Collector counted under this name with all of these labels. */
  const counted = async (metric: string, ...labels: readonly string[]) => {
    const page = await pageOf(settings, 'COLLECTOR_COUNTED_PORT')
    const lines = page.split('\n').filter((line) => labels.every((label) => line.includes(label)))
    return sumOf(lines.join('\n'), metric)
  }
  const calls = (name: 'traces_span_metrics' | 'traces_kept', ...labels: readonly string[]) =>
    counted(`${name}_calls_total`, ...labels)

  const areInEveryBackend = async (spans: readonly Span[]) => {
    const keys = spans.map(({ traceId, spanId }) => spanKey(traceId, spanId))
    for (const { id, server } of HERE)
      await eventually(async () => {
        const stored = await server.stored(settings)(keys)
        const missing = keys.filter((key) => stored.get(key) !== 1)
        assert.equal(missing.length, 0, `${id}: ${missing.length} of ${spans.length} missing`)
      })
  }

  for (const protocol of ['HTTP', 'gRPC'] as const)
    for (const [count, bytes, megabytes] of [
      [500, 15_000, 7.5],
      [92, 280_000, 26],
    ] as const)
      test(`${count} spans of ${bytes / 1000} KB in one trace and one request of ${megabytes} MB over ${protocol}: every backend has every span`, async () => {
        const spans = traceOf(count, (index) => ({ 'gen_ai.input.messages': text(`${index} ${prompt(bytes)}`) }))
        const body = bodyOf(spans)
        assert.ok(body.length > megabytes * 0.98e6)
        assert.deepEqual((await send(settings, protocol, body)).ok, true)
        await areInEveryBackend(spans)
        const stored = await wholeTrace(spans)
        const value = stored.find(({ spanId }) => spanId === spans[7]?.spanId)?.attributes['gen_ai.input.messages']
        assert.ok(value === `7 ${prompt(bytes)}`, 'the prompt was altered')
      })

  for (const [protocol, reason, counter, label] of [
    // The connection may end while the client still sends; then it sees only that.
    ['HTTP', /^400 .*request body too large|^fetch failed/, 'http_server_request_duration_count', 'status_code="400"'],
    ['gRPC', /^RESOURCE_EXHAUSTED .*larger than max/, 'rpc_server_call_duration_count', 'RESOURCE_EXHAUSTED'],
  ] as const)
    test(`a request over 32 MiB is refused over ${protocol} with the reason, and counted`, async () => {
      const before = sumOf(await pageOf(settings), counter, label)
      const spans = traceOf(9, () => ({ prompt: text(prompt(4 * MIB - 100)) }))
      const { ok, said } = await send(settings, protocol, bodyOf(spans))
      assert.equal(ok, false)
      assert.match(said, reason)
      await eventually(async () => assert.equal(sumOf(await pageOf(settings), counter, label), before + 1))
    })

  test('a trace over 64 MiB is dropped, and counted', async () => {
    const spans = traceOf(24, () => ({ prompt: text(prompt(3 * MIB)) }))
    for (const third of [0, 8, 16])
      assert.ok(
        (
          await send(
            settings,
            'HTTP',
            bodyOf(spans.slice(third, third + 8).map((span) => ({ ...span, parentSpanId: 'f'.repeat(16) }))),
          )
        ).ok,
      )
    await eventually(async () =>
      assert.equal(sumOf(await pageOf(settings), 'otelcol_processor_tail_sampling_traces_dropped_too_large'), 1),
    )
  })

  test('an attribute of 4 MiB is whole; a longer one is cut between two characters, marked, and counted by service', async () => {
    const mark = '⟪cut at 4 MiB⟫'
    const spans = traceOf(4, (index) => ({
      value:
        [
          text('x'.repeat(4 * MIB)),
          text(`x${'🦊'.repeat(MIB)}`),
          text(`xx${'é'.repeat(2 * MIB)}`),
          text('狐'.repeat(1_400_000)),
        ][index] ?? {},
    }))
    assert.ok((await send(settings, 'HTTP', bodyOf(spans, 'long-values'))).ok)
    const stored = await wholeTrace(spans)
    spans.forEach((span, index) => {
      const found = String(stored.find(({ spanId }) => spanId === span.spanId)?.attributes.value)
      const sent = String(fromAttributes(span.attributes).value)
      const isCut = index > 0
      assert.equal(found.endsWith(mark), isCut, String(index))
      assert.ok(!found.includes('\ufffd'), 'half a character')
      assert.ok(Buffer.byteLength(found) <= 4 * MIB && Buffer.byteLength(found) > 4 * MIB - 4)
      assert.ok(sent.startsWith(found.replace(mark, '')))
    })
    await eventually(async () =>
      assert.equal(await calls('traces_kept', 'service_name="long-values"', 'woodland_limit="attribute_cut"'), 3),
    )
  })

  /** Waits until Phoenix says this of a project. */
  const phoenixSays = (name: string, fields: string, wanted: unknown) =>
    eventually(async () => {
      const query = `query ($name: String!) { getProjectByName(name: $name) { ${fields} } }`
      const data = await phoenixData<{ getProjectByName: unknown }>(settings, query, { name })
      assert.deepEqual(data?.getProjectByName, wanted)
    })

  test('a call on two spans has its tokens and its cost once in Phoenix, and is whole in Tempo', async () => {
    const tokens = {
      genAi: { 'gen_ai.usage.input_tokens': integer(100), 'gen_ai.usage.output_tokens': integer(20) },
      openInference: { 'llm.token_count.prompt': integer(100), 'llm.token_count.completion': integer(20) },
    }
    const project = `traceCount tokenCountPrompt tokenCountTotal costSummary { total { cost } }
      spans(first: 9, filterCondition: "parent_id is None") { edges { node { cumulativeTokenCountTotal } } }`
    const shapes = [[tokens.genAi], [tokens.genAi, tokens.genAi], [tokens.openInference, tokens.genAi]]
    for (const [number, shape] of [...shapes, [tokens.genAi, tokens.openInference]].entries()) {
      const spans = traceOf(shape.length, (index) => ({
        'gen_ai.operation.name': text('chat'),
        'gen_ai.request.model': text('gpt-4o'),
        'openinference.span.kind': text('LLM'),
        ...shape[index],
      }))
      assert.ok((await send(settings, 'HTTP', bodyOf(spans, `told-${number}`))).ok)
      const stored = await wholeTrace(spans)
      for (const [index, span] of spans.entries()) {
        const { attributes = {} } = stored.find(({ spanId }) => spanId === span.spanId) ?? {}
        assert.equal(attributes['gen_ai.usage.input_tokens'], 100)
        assert.equal(attributes[DIALECTS.CALL_AGAIN], index === 1 ? 'above' : undefined)
      }
      await phoenixSays(`told-${number}`, project, {
        traceCount: 1,
        tokenCountPrompt: 100,
        tokenCountTotal: 120,
        costSummary: { total: { cost: (100 * 2.5 + 20 * 10) / 1_000_000 } },
        spans: { edges: [{ node: { cumulativeTokenCountTotal: 120 } }] },
      })
    }
  })

  test('impossible token counts are moved and counted, and Phoenix still answers for their project', async () => {
    const odd: readonly AnyValue[] = [
      integer(2n ** 63n - 1n),
      integer(2n ** 62n),
      integer(2n ** 62n),
      integer(-5),
      { doubleValue: Number.NaN },
      { doubleValue: 1e30 },
      text('many'),
      text('99999999999'),
      { boolValue: true },
      integer(1_000_000_001),
      toMap('prompt', 2n ** 62n),
    ]
    const fine: readonly AnyValue[] = [integer(7), integer(0), text('123')]
    const keys = ['gen_ai.usage.input_tokens', 'llm.token_count.completion'] as const
    const spans = traceOf(odd.length + fine.length, (index) =>
      Object.fromEntries([
        ['gen_ai.operation.name', text('chat')],
        ...keys.map((key) => [key, [...odd, ...fine][index] ?? {}] as const),
      ]),
    )
    assert.ok((await send(settings, 'gRPC', bodyOf(spans, 'odd-tokens'))).ok)
    const stored = await wholeTrace(spans)
    spans.forEach(({ spanId }, index) => {
      const { attributes = {} } = stored.find((span) => span.spanId === spanId) ?? {}
      for (const key of keys) {
        assert.equal(key in attributes, index >= odd.length, `${index} ${JSON.stringify(attributes)}`)
        assert.equal(typeof attributes[`woodland.invalid.${key}`], index >= odd.length ? 'undefined' : 'string')
      }
    })
    await phoenixSays('odd-tokens', 'tokenCountPrompt tokenCountTotal traceCount', {
      tokenCountPrompt: 130,
      tokenCountTotal: 260,
      traceCount: 1,
    })
    await eventually(async () =>
      assert.equal(
        await calls('traces_span_metrics', 'service_name="odd-tokens"', 'woodland_limit="token_count"'),
        odd.length,
      ),
    )
  })

  test('a span of a kind that has no letter is in every backend', async () => {
    const spans = traceOf(1, () => ({ 'openinference.span.kind': text('12.5') }))
    assert.ok((await send(settings, 'HTTP', bodyOf(spans))).ok)
    await areInEveryBackend(spans)
  })

  test('a kind that is no text does not hide the spans beside it in Phoenix', async () => {
    const kinds: readonly AnyValue[] = [integer(5), { arrayValue: { values: [text('LLM')] } }, text('LLM')]
    const spans = traceOf(kinds.length, (index) => ({ 'openinference.span.kind': kinds[index] ?? {} }))
    assert.ok((await send(settings, 'gRPC', bodyOf(spans, 'odd-kinds'))).ok)
    await eventually(async () => {
      const stored = await phoenixSpans(settings, 'odd-kinds')
      assert.deepEqual(stored.map((span) => span.span_kind).toSorted(), ['LLM', 'UNKNOWN', 'UNKNOWN'])
    })
  })

  test('messages, documents and values that are lists or maps are shown in Phoenix', async () => {
    const say = (role: string, content: string) => [
      { role, parts: [{ type: 'text', content }], ...(role === 'assistant' && { finish_reason: 'stop' }) },
    ]
    const sent = {
      'gen_ai.operation.name': 'chat',
      'gen_ai.input.messages': say('user', 'hi'),
      'gen_ai.output.messages': say('assistant', 'ho'),
      'gen_ai.system_instructions': [{ type: 'text', content: 'You add.' }],
      'gen_ai.tool.definitions': [{ type: 'function', name: 'add' }],
    }
    const found = {
      'gen_ai.operation.name': 'retrieval',
      'gen_ai.retrieval.documents': [{ id: 'a', score: 0.5, content: 'Rain.' }],
      'input.value': { query: 'weather' },
    }
    const spans = traceOf(2, (index) =>
      Object.fromEntries(toAttributes([sent, found][index] ?? {}).map(({ key, value = {} }) => [key, value])),
    )
    assert.ok((await send(settings, 'HTTP', bodyOf(spans, 'lists'))).ok)
    await eventually(async () => {
      const stored = await phoenixSpans(settings, 'lists')
      const of = (kind: string) => stored.find((span) => span.span_kind === kind)?.attributes ?? {}
      assert.equal(of('RETRIEVER')['input.value'], '{"query":"weather"}')
      assert.equal(of('RETRIEVER')['retrieval.documents.0.document.content'], 'Rain.')
      const attributes = of('LLM')
      assert.equal(attributes['llm.input_messages.0.message.content'], 'You add.')
      assert.equal(attributes['llm.input_messages.1.message.content'], 'hi')
      assert.equal(attributes['llm.output_messages.0.message.content'], 'ho')
      assert.ok('llm.tools.0.tool.json_schema' in attributes)
    })
  })

  test('a time that is no time adds no seconds, and does not hide the traces beside it from the search of Tempo', async () => {
    const now = BigInt(Date.now()) * 1_000_000n
    const one = (service: string, start: bigint, end: bigint) => {
      const [traceId, spanId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')]
      const times = { startTimeUnixNano: String(start), endTimeUnixNano: String(end) }
      return resourceSpans([{ traceId, spanId, name: 'run', ...times }], { resource: { 'service.name': service } })
    }
    const [high, low] = [2n ** 64n - 1n, 2n ** 63n]
    const odd = [
      [now, high],
      [now, low],
      [high, high],
      [0n, high],
      [0n, now],
      [now, now - 500_000_000n],
      [now, 0n],
    ] as const
    const all = [...odd.map(([start, end]) => one('odd-times', start, end)), one('beside', now, now + 1n)]
    await sendTo(url(settings, 'OTLP_HTTP_PORT'), '/v1/traces', { resourceSpans: all })
    const query = new URLSearchParams({ q: '{ resource.service.name = "beside" }' })
    await eventually(async () => {
      const answer = await fetch(url(settings, 'TEMPO_PORT', `/api/search?${query}`))
      assert.equal(((await answer.json()) as { traces: unknown[] }).traces.length, 1)
    })
    await eventually(async () =>
      assert.equal(
        await calls('traces_span_metrics', 'service_name="odd-times"', 'woodland_limit="span_time"'),
        odd.length,
      ),
    )
    assert.equal(await counted('traces_span_metrics_duration_seconds_sum', 'service_name="odd-times"'), 0)
    const slow = new URLSearchParams({ q: '{ resource.service.name = "odd-times" && duration > 1ms }' })
    const answer = await fetch(url(settings, 'TEMPO_PORT', `/api/search?${slow}`))
    assert.deepEqual(((await answer.json()) as { traces?: unknown[] }).traces ?? [], [])
  })
})

const toMap = (key: string, value: bigint): AnyValue => ({ kvlistValue: { values: [{ key, value: integer(value) }] } })
