import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Attributes, ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api'
import { TraceState } from '@opentelemetry/core'
import { JsonTraceSerializer, ProtobufLogsSerializer, ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { type AnyValue, fromAttributes, spansOf, type TraceRequest, text, toValue, traceRequest } from './json.ts'
import { decode, decodeIds, decodeLogs, encode } from './protobuf.ts'

const EVERY_TYPE: Attributes = {
  text: 'a “text”, 😀',
  'no text': '',
  yes: true,
  no: false,
  whole: 41,
  negative: -7,
  'largest whole': Number.MAX_SAFE_INTEGER,
  broken: 0.1,
  zero: 0,
  list: ['a', 'b'],
  numbers: [1, 2.5, -3],
  flags: [true, false],
  bytes: new Uint8Array([0, 255, 7]),
  map: { role: 'user', parts: [{ text: 'hello' }, { tries: 2 }] },
}

/** What the JavaScript SDK sends for spans that have every part. */
function sdkSpans() {
  const exporter = new InMemorySpanExporter()
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'forest', replicas: 3 }),
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
  })
  const sender = {
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
    traceState: new TraceState('ot=th:8,vendor=1'),
  }
  const tracer = provider.getTracer('acorn', '1.2.3', { schemaUrl: 'https://example.org/1' })
  const begun = tracer.startSpan(
    'chat',
    { kind: SpanKind.CLIENT, attributes: EVERY_TYPE, links: [{ context: sender, attributes: { why: 'retry' } }] },
    trace.setSpanContext(ROOT_CONTEXT, sender),
  )
  begun.addEvent('first chunk', { index: 1 })
  begun.recordException(new Error('no more acorns'))
  begun.setStatus({ code: SpanStatusCode.ERROR, message: 'refused' })
  begun.end()
  tracer.startSpan('bare').end()
  provider.getTracer('other').startSpan('of another scope', { root: true }).end()
  return exporter.getFinishedSpans()
}

/** Protobuf leaves out empty values, and JSON may hold them. In JSON, whole numbers are strings or numbers. */
function said(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(said)
  if (typeof part !== 'object' || part === null) return part
  const entries = Object.entries(part).flatMap(([key, value]) => {
    if (key === 'intValue') return [[key, String(value)]]
    const isEmpty = value === '' || value === 0 || value === undefined || (Array.isArray(value) && value.length === 0)
    return isEmpty && !key.endsWith('Value') ? [] : [[key, said(value)]]
  })
  return Object.fromEntries(entries)
}

describe('what the JavaScript SDK sends', () => {
  const spans = sdkSpans()
  const protobuf = ProtobufTraceSerializer.serializeRequest(spans)
  const json: TraceRequest = JSON.parse(Buffer.from(JsonTraceSerializer.serializeRequest(spans) ?? []).toString())
  assert.ok(protobuf)

  test('in protobuf is read as the SDK writes it in JSON', () => {
    assert.equal(spansOf(json).length, 3)
    assert.deepEqual(said(decode(protobuf)), said(json))
  })

  test('in JSON is written in protobuf and read again', () => assert.deepEqual(said(decode(encode(json))), said(json)))

  test('in protobuf is written again byte for byte', () => {
    assert.equal(encode(decode(protobuf)).toString('hex'), Buffer.from(protobuf).toString('hex'))
  })
})

const IDS = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }

test('values that no JavaScript SDK can send are also written and read', () => {
  const values: readonly AnyValue[] = [
    { intValue: '9223372036854775807' },
    { intValue: '-9223372036854775808' },
    { doubleValue: 9000 },
    toValue(Number.NaN),
    toValue(Number.NEGATIVE_INFINITY),
    { bytesValue: 'AP8H' },
    {
      kvlistValue: { values: [{ key: 'deep', value: { arrayValue: { values: [text('a'), { boolValue: false }] } } }] },
    },
    {},
  ]
  const attributes = values.map((value, index) => ({ key: String(index), value }))
  const request = traceRequest([{ ...IDS, attributes, startTimeUnixNano: '18446744073709551615' }], { resource: {} })
  const read = decode(encode(request))
  assert.deepEqual(spansOf(read), spansOf(request))
  assert.deepEqual(JSON.parse(JSON.stringify(read)), read)
})

/** One field of a message, whose length is written in two bytes. */
const field = (number: number, value: Buffer) =>
  Buffer.concat([Buffer.from([number * 8 + 2, (value.length & 0x7f) | 0x80, value.length >> 7]), value])

test('ids are read without the rest, even if the rest is nested too deeply to be read', () => {
  const request = traceRequest([{ ...IDS, name: 'chat' }], { resource: { 'service.name': 'forest' } })
  assert.deepEqual(decodeIds(encode(request)), traceRequest([IDS]))
  let value = Buffer.alloc(0)
  for (let depth = 0; depth < 200; depth++) value = field(5, field(1, value))
  const ids = [field(1, Buffer.from(IDS.traceId, 'hex')), field(2, Buffer.from(IDS.spanId, 'hex'))]
  const body = field(1, field(2, field(2, Buffer.concat([...ids, field(9, field(2, value))]))))
  assert.deepEqual(decodeIds(body), traceRequest([IDS]))
  assert.throws(() => decode(body), /too deep/)
})

test('kinds and status codes are written alike as names and as numbers, and read as numbers', () => {
  const [named, numbered] = [
    { ...IDS, kind: 'SPAN_KIND_CLIENT', status: { code: 'STATUS_CODE_ERROR' } },
    { ...IDS, kind: 3, status: { code: 2 } },
  ].map((span) => encode(traceRequest([span])))
  assert.deepEqual(named, numbered)
  assert.deepEqual(spansOf(decode(named ?? Buffer.alloc(0))), [{ ...IDS, kind: 3, status: { code: 2 } }])
  const unheardOf = { ...IDS, kind: 99, status: { code: 99 } }
  assert.deepEqual(spansOf(decode(encode(traceRequest([unheardOf])))), [unheardOf])
})

test('an empty request is valid', () => assert.deepEqual(decode(Buffer.alloc(0)), { resourceSpans: [] }))

test('fields of a later version are ignored, of every type and any length', () => {
  const later = [
    [0xa0, 0x06, 0x96, 0x01], // field 100, a varint
    [0xa1, 0x06, ...Array(8).fill(1)], // eight bytes
    [0xa5, 0x06, ...Array(4).fill(1)], // four bytes
    [0xa2, 0x06, 0xac, 0x02, ...Array(300).fill(1)], // 300 bytes
  ].flat()
  const body = Buffer.concat([encode(traceRequest([IDS])), Buffer.from(later)])
  assert.deepEqual(spansOf(decode(body)), [IDS])
})

test('a message that is cut off is refused', () => {
  const body = encode(traceRequest([IDS]))
  for (let length = 1; length < body.length; length++)
    assert.throws(() => decode(body.subarray(0, length)), /cut off/, `${length} bytes`)
})

test('log records of the JavaScript SDK are read with their context, event and attributes', () => {
  const exporter = new InMemoryLogRecordExporter()
  const provider = new LoggerProvider({ processors: [new SimpleLogRecordProcessor({ exporter })] })
  const span = {
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    traceFlags: TraceFlags.SAMPLED,
  }
  const logger = provider.getLogger('acorn')
  const attributes = { 'gen_ai.evaluation.name': 'allowed', 'gen_ai.evaluation.score.value': 0.5 }
  logger.emit({
    eventName: 'gen_ai.evaluation.result',
    body: 'not read',
    attributes,
    context: trace.setSpanContext(ROOT_CONTEXT, span),
  })
  logger.emit({ body: 'bare' })
  const bytes = ProtobufLogsSerializer.serializeRequest(exporter.getFinishedLogRecords())
  assert.ok(bytes)
  const records = decodeLogs(bytes).resourceLogs.flatMap(({ scopeLogs = [] }) =>
    scopeLogs.flatMap(({ logRecords = [] }) => logRecords),
  )
  assert.deepEqual(
    records.map((record) => [record.traceId, record.spanId, record.eventName, fromAttributes(record.attributes)]),
    [
      [span.traceId, span.spanId, 'gen_ai.evaluation.result', attributes],
      ['', '', undefined, {}],
    ],
  )
  assert.throws(() => decodeLogs(bytes.subarray(0, bytes.length - 3)), /these bytes are not an OTLP request/)
})
