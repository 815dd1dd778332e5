import { gzipSync } from 'node:zlib'
import { type Span, traceRequest } from '../../otlp/json.ts'
import { encode } from '../../otlp/protobuf.ts'
import { type Random, randomOf } from '../../random/random.ts'
import { type Kind, MUST_KEEP, makeTrace, requestOf } from '../traffic.ts'

/** A request that no client should send. */
type Odd = Readonly<{
  name: string
  method: string
  path: string
  headers: Readonly<Record<string, string>>
  body: Buffer
}>

const JSON_TYPE = 'application/json'
const PROTOBUF_TYPE = 'application/x-protobuf'
/** More than the collector reads of a request, which is 32 MiB. */
const TOO_LARGE_BYTES = 33 * 1024 * 1024
/** A few kilobytes when it is zipped. */
const BOMB_BYTES = 64 * 1024 * 1024
const DEEP = 10_000

type Node = Record<string, unknown> | unknown[]
type NodePosition = Readonly<{ node: Node; key: string | number }>

/** Every place in a JSON tree that holds a value. */
function placesOf(node: unknown): readonly NodePosition[] {
  if (typeof node !== 'object' || node === null) return []
  const keys = Array.isArray(node) ? node.keys() : Object.keys(node)
  return [...keys].flatMap((key) => [
    { node: node as Node, key },
    ...placesOf((node as Record<string | number, unknown>)[key]),
  ])
}

const anyOf = <T>(items: readonly T[], random: Random): T => items[random.below(items.length)] as T
const put = ({ node, key }: NodePosition, value: unknown) => {
  ;(node as Record<string | number, unknown>)[key] = value
}
const nested = (depth: number): unknown =>
  depth === 0 ? { stringValue: 'deep' } : { kvlistValue: { values: [{ key: 'k', value: nested(depth - 1) }] } }

const WRONG_VALUES: readonly unknown[] = [
  ...[null, true, 0, -1, 1e300, 2 ** 63, '', 'x', '😀', '\u0000', '\ud800', [], {}, [[]], { stringValue: {} }],
  ...['18446744073709551616', '-9223372036854775809', 'NaN', '0x10', 'Infinity', '1e3', ' 1'],
]
const WRONG_IDS = [
  '',
  '0',
  '0'.repeat(16),
  '0'.repeat(32),
  'z'.repeat(32),
  'ab'.repeat(40),
  'A'.repeat(32),
  'é'.repeat(16),
]
const WRONG_TIMES: readonly unknown[] = ['-1', -1, '18446744073709551615', '99999999999999999999', 1.5, 'yesterday', '']
const WRONG_ATTRIBUTES: readonly unknown[] = [
  { key: '', value: { stringValue: 'no key' } },
  { key: 'two', value: { stringValue: 'a', intValue: '1' } },
  { key: 'none', value: {} },
  { key: 'null', value: null },
  { key: 'no value' },
  { value: { stringValue: 'no key at all' } },
  { key: 'bytes', value: { bytesValue: '***' } },
  { key: 'int', value: { intValue: '9223372036854775808' } },
  { key: 'double', value: { doubleValue: 'NaN' } },
  { key: 'double', value: { doubleValue: 1e308 } },
  { key: 'list', value: { arrayValue: { values: [{ doubleValue: 'NaN' }, { stringValue: 'beside it' }] } } },
  { key: 'map', value: { kvlistValue: { values: [{ key: 'most', value: { doubleValue: 'Infinity' } }] } } },
  { key: 'deep', value: nested(200) },
  { key: 'openinference.span.kind', value: { stringValue: 'NO SUCH KIND' } },
  { key: 'openinference.span.kind', value: { intValue: '7' } },
  { key: 'input.value', value: { arrayValue: { values: [{}, { intValue: '1' }] } } },
  { key: 'llm.input_messages.x.message', value: { stringValue: 'no index' } },
  { key: 'a.b', value: { stringValue: '1' } },
  { key: 'a.b.c', value: { stringValue: '2' } },
  { key: 'metadata', value: { stringValue: '{"cut' } },
  { key: 'gen_ai.usage.input_tokens', value: { stringValue: 'many' } },
  { key: 'gen_ai.input.messages', value: { stringValue: '[{"role":7,"parts":"none"}]' } },
  { key: 'session.id', value: { boolValue: true } },
]
const WRONG_JSON = [
  '',
  ' ',
  '[]',
  'null',
  '"x"',
  '7',
  '{}',
  '{"resourceSpans":null}',
  '{"resourceSpans":[{}]}',
  '\ufeff{}',
]

type Tree = { resourceSpans: Node }
type Bend = (tree: Tree, spans: Record<string, unknown>[], random: Random) => void

/** Ways to change a valid request in JSON before it is encoded. */
const BENDS: Readonly<Record<string, Bend>> = {
  'a value of another type': (tree, _, random) => put(anyOf(placesOf(tree), random), anyOf(WRONG_VALUES, random)),
  'an odd trace id': (_, spans, random) =>
    void Object.assign(anyOf(spans, random), { traceId: anyOf(WRONG_IDS, random) }),
  'an odd span id': (_, spans, random) =>
    void Object.assign(anyOf(spans, random), { spanId: anyOf(WRONG_IDS, random) }),
  'an odd parent': (_, spans, random) =>
    void Object.assign(anyOf(spans, random), { parentSpanId: anyOf(WRONG_IDS, random) }),
  'an odd time': (_, spans, random) => {
    const key = anyOf(['startTimeUnixNano', 'endTimeUnixNano'], random)
    Object.assign(anyOf(spans, random), { [key]: anyOf(WRONG_TIMES, random) })
  },
  'an odd attribute': (_, spans, random) => {
    const span = anyOf(spans, random)
    span.attributes = [...(span.attributes as unknown[]), ...[0, 1].map(() => anyOf(WRONG_ATTRIBUTES, random))]
  },
  'an odd status, kind or flags': (_, spans, random) => {
    const key = anyOf(['status', 'kind', 'flags', 'droppedAttributesCount', 'traceState'], random)
    Object.assign(anyOf(spans, random), {
      [key]: anyOf([...WRONG_VALUES, { code: 99 }, { code: 'BAD' }, 99, -3], random),
    })
  },
  'odd events and links': (_, spans, random) => {
    const odd = {
      name: anyOf(WRONG_VALUES, random),
      timeUnixNano: anyOf(WRONG_TIMES, random),
      traceId: anyOf(WRONG_IDS, random),
    }
    Object.assign(anyOf(spans, random), { [anyOf(['events', 'links'], random)]: [odd, {}] })
  },
  'a key that nobody knows': (tree, _, random) => {
    const places = placesOf(tree).filter(({ node }) => !Array.isArray(node))
    put({ node: anyOf(places, random).node, key: 'nobodyKnows' }, nested(3))
  },
}

/** Ways to change the bytes of a request. */
const BYTES: Readonly<Record<string, (body: Buffer, random: Random) => Buffer>> = {
  'cut off': (body, random) => body.subarray(0, random.below(body.length)),
  'one bit turned': (body, random) => turned(body, random, 1),
  'ten bits turned': (body, random) => turned(body, random, 10),
  'a byte too many': (body, random) => {
    const at = random.below(body.length)
    return Buffer.concat([body.subarray(0, at), Buffer.from([random.below(256)]), body.subarray(at)])
  },
  'a piece missing': (body, random) => {
    const at = random.below(body.length)
    return Buffer.concat([body.subarray(0, at), body.subarray(at + 1 + random.below(20))])
  },
  'more behind it': (body, random) => Buffer.concat([body, Buffer.from(random.hex(40), 'hex')]),
  'nothing but noise': (body, random) => Buffer.from(random.hex(2 * Math.min(400, body.length)), 'hex'),
}

function turned(body: Buffer, random: Random, bits: number): Buffer {
  const copy = Buffer.from(body)
  for (let bit = 0; bit < bits; bit++) {
    const at = random.below(copy.length)
    copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8))
  }
  return copy
}

const post = (name: string, type: string, body: Buffer, more: Partial<Odd> = {}): Odd => ({
  name,
  method: 'POST',
  path: '/v1/traces',
  body,
  ...more,
  headers: { 'content-type': type, ...more.headers },
})

/** Requests that are malformed as a whole, one of each. */
function oddAtAll(json: Buffer, protobuf: Buffer): readonly Odd[] {
  const zipped = (name: string, body: Buffer, encoding = 'gzip') =>
    post(name, JSON_TYPE, body, { headers: { 'content-encoding': encoding } })
  const padded = Buffer.concat([json, Buffer.alloc(TOO_LARGE_BYTES, ' ')])
  return [
    ...WRONG_JSON.map((text) => post(`JSON ${JSON.stringify(text)}`, JSON_TYPE, Buffer.from(text))),
    post('JSON, said to be protobuf', PROTOBUF_TYPE, json),
    post('protobuf, said to be JSON', JSON_TYPE, protobuf),
    post('a type that nobody knows', 'text/plain', json),
    post('too large', JSON_TYPE, padded),
    post('too large, of noise', PROTOBUF_TYPE, Buffer.alloc(TOO_LARGE_BYTES, 0xa5)),
    post(
      'ten thousand lists in each other',
      JSON_TYPE,
      Buffer.from(`{"resourceSpans":${'['.repeat(DEEP)}${']'.repeat(DEEP)}}`),
    ),
    zipped('not zipped at all', json),
    zipped('zipped and cut off', gzipSync(json).subarray(0, 100)),
    zipped('zipped in a way that nobody knows', json, 'brotli-ish'),
    zipped('small when zipped, and too large', gzipSync(Buffer.alloc(BOMB_BYTES, ' '))),
    post('to no path', JSON_TYPE, json, { path: '/v1/trace' }),
    post('to the path of metrics', JSON_TYPE, json, { path: '/v1/metrics' }),
    post('to the path of logs', JSON_TYPE, json, { path: '/v1/logs' }),
    post('with PUT', JSON_TYPE, json, { method: 'PUT' }),
  ]
}

const KINDS: readonly Kind[] = [...MUST_KEEP, 'routine']

/** This many malformed requests, and those that are malformed as a whole. The same seed gives the same requests. */
export function* oddRequests(seed: number, count: number): Generator<Odd> {
  const valid = (number: number) =>
    makeTrace(anyOf(KINDS, randomOf('odd kind', seed, number)), randomOf('odd', seed, number)).spans
  const whole = oddAtAll(requestOf(0, valid(-1)).body, protobufOf(valid(-2)))
  yield* whole
  const bends = Object.entries(BENDS)
  const bytes = Object.entries(BYTES)
  const ways = bends.length + 2 * bytes.length
  for (let number = 0; number < count - whole.length; number++) {
    const random = randomOf('odd way', seed, number)
    const way = number % ways
    const bend = bends[way]
    if (bend) {
      const tree = JSON.parse(requestOf(0, valid(number)).body.toString())
      bend[1](tree, tree.resourceSpans[0].scopeSpans[0].spans, random)
      yield post(bend[0], JSON_TYPE, Buffer.from(JSON.stringify(tree)))
      continue
    }
    const [name, change] = bytes[(way - bends.length) % bytes.length] as (typeof bytes)[number]
    const isJson = way - bends.length < bytes.length
    const body = isJson ? requestOf(0, valid(number)).body : protobufOf(valid(number))
    yield post(`${isJson ? 'JSON' : 'protobuf'}, ${name}`, isJson ? JSON_TYPE : PROTOBUF_TYPE, change(body, random))
  }
}

/** A request with these spans in OTLP's protobuf. */
const protobufOf = (spans: readonly Span[]): Buffer =>
  encode(traceRequest(spans, { resource: { 'service.name': 'thousand-token-wood' } }))
