import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, beforeEach, test } from 'node:test'
import protobuf from 'protobufjs'
import { toAttributes, traceRequest } from '../otlp/json.ts'
import { onLoopback } from '../otlp/loopback.ts'
import { encode } from '../otlp/protobuf.ts'
import { relay } from './relay.ts'

/** It stands for a Phoenix that answers as it is told to; the real one is in test/annotations.test.ts. */
const asked: { path: string; names: readonly string[] }[] = []
let answers: (path: string, nth: number) => number = () => 200
const answering = createServer(async (request, response) => {
  const { data } = JSON.parse(Buffer.concat(await request.toArray()).toString()) as { data: { name: string }[] }
  asked.push({ path: request.url ?? '', names: data.map(({ name }) => name) })
  response.writeHead(answers(request.url ?? '', asked.length)).end()
})
const phoenix = await onLoopback(answering)

let now = 0
const said: string[] = []
const ours = await onLoopback(
  relay({
    phoenix: phoenix.url,
    say: (line) => said.push(line),
    waitMs: 0,
    patienceMs: 1000,
    overtakenMs: 920,
    clock: () => now,
  }),
)
after(() => {
  for (const { close } of [phoenix, ours]) close()
})
beforeEach(() => {
  asked.length = 0
  said.length = 0
  answers = () => 200
})

const [trace, span] = ['a'.repeat(32), 'b'.repeat(16)]
const event = { name: 'gen_ai.evaluation.result', attributes: toAttributes({ 'gen_ai.evaluation.name': 'allowed' }) }
const evaluated = encode(traceRequest([{ traceId: trace, spanId: span, events: [event, event] }]))
const plain = encode(traceRequest([{ traceId: trace, spanId: span }]))

async function send(path: string, body: Uint8Array, type = 'application/x-protobuf'): Promise<number> {
  const response = await fetch(`${ours.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': type },
    body: Buffer.from(body),
  })
  await response.arrayBuffer()
  return response.status
}

test('a kept trace is taken once Phoenix has its span: all of its evaluations in one request', async () => {
  answers = () => 404
  assert.equal(await send('/v1/traces', evaluated), 503)
  answers = () => 200
  assert.equal(await send('/v1/traces', evaluated), 200)
  assert.deepEqual(
    asked.map(({ path, names }) => [path, names]),
    [
      ['/v1/span_annotations?sync=true', ['allowed', 'allowed']],
      ['/v1/span_annotations?sync=true', ['allowed', 'allowed']],
    ],
  )
})

test('a trace without evaluations is taken, and Phoenix is not asked', async () => {
  assert.equal(await send('/v1/traces', plain), 200)
  assert.equal(asked.length, 0)
})

test('while Phoenix cannot be asked, the answer is 503, so the Collector keeps the evaluations', async () => {
  for (const status of [500, 503, 507, 429]) {
    answers = () => status
    assert.equal(await send('/v1/traces', evaluated), 503, String(status))
    assert.equal(await send('/v1/logs', records(span)), 503, String(status))
  }
})

test('what Phoenix refuses for good is not sent again, and is said without its content', async () => {
  answers = () => 422
  assert.equal(await send('/v1/traces', evaluated), 400)
  assert.deepEqual(said, ['Phoenix refused 2 evaluations for good: HTTP 422.'])
})

test('a span that never comes does not hold the queue for ever', async () => {
  answers = (path) => (path.endsWith('true') ? 404 : 200)
  now = 0
  assert.equal(await send('/v1/traces', evaluated), 503)
  now = 1000
  assert.equal(await send('/v1/traces', evaluated), 503)
  now = 1001
  assert.equal(await send('/v1/traces', evaluated), 200)
  assert.equal(asked.at(-1)?.path, '/v1/span_annotations?sync=false')
  assert.match(said.join(), /no span for 2 evaluations/)
})

test('a span whose trace was overtaken by a much later one was refused, and holds up no others', async () => {
  const early = encode(traceRequest([{ traceId: trace, spanId: 'c'.repeat(16), events: [event] }]))
  answers = (path) => (path.endsWith('true') ? 404 : 200)
  now = 200_000
  assert.equal(await send('/v1/traces', early), 503)
  answers = () => 200
  now = 200_900
  assert.equal(await send('/v1/traces', evaluated), 200)
  answers = (path) => (path.endsWith('true') ? 404 : 200)
  assert.equal(await send('/v1/traces', early), 503, 'not so much later')
  answers = () => 200
  now = 200_950
  assert.equal(await send('/v1/traces', plain), 200)
  answers = (path) => (path.endsWith('true') ? 404 : 200)
  assert.equal(await send('/v1/traces', early), 503, 'Phoenix was not asked about a trace without evaluations')
  answers = () => 200
  assert.equal(await send('/v1/traces', evaluated), 200)
  now = 200_960
  answers = (path) => (path.endsWith('true') ? 404 : 200)
  assert.equal(await send('/v1/traces', early), 200)
  assert.equal(asked.at(-1)?.path, '/v1/span_annotations?sync=false')
})

test('of several log records in one request, Phoenix gets those beside one that it refuses', async () => {
  answers = (_, nth) => (nth === 1 ? 422 : 200)
  assert.equal(await send('/v1/logs', records(span, span, span)), 400)
  assert.equal(asked.length, 3)
})

test('a log record about a span that Phoenix does not have is handed over at once: perhaps its trace was dropped', async () => {
  answers = (path) => (path.endsWith('true') ? 404 : 200)
  assert.equal(await send('/v1/logs', records(span)), 200)
  assert.deepEqual(
    asked.map(({ path }) => path),
    ['/v1/span_annotations?sync=true', '/v1/span_annotations?sync=false'],
  )
})

test('a log record without a span is about its trace', async () => {
  assert.equal(await send('/v1/logs', records('')), 200)
  assert.deepEqual(
    asked.map(({ path }) => path),
    ['/v1/trace_annotations?sync=true'],
  )
})

test('a body that is not OTLP in protobuf is refused with the reason', async () => {
  assert.equal(await send('/v1/traces', Buffer.from('{}'), 'application/json'), 415)
  assert.equal(await send('/v1/traces', Buffer.from([10, 200])), 400)
  assert.equal(await send('/v1/metrics', evaluated), 404)
})

test('it stays up when Phoenix is not there', async () => {
  const lonely = await onLoopback(relay({ phoenix: 'http://127.0.0.1:1', say: () => {}, waitMs: 0 }))
  const headers = { 'content-type': 'application/x-protobuf' }
  const sent = await fetch(`${lonely.url}/v1/traces`, { method: 'POST', headers, body: evaluated })
  assert.equal(sent.status, 503)
  assert.equal((await fetch(`${lonely.url}/health`)).status, 200)
  lonely.close()
})

/** A record for each of these spans in protobuf, by the numbers of opentelemetry-proto. */
function records(...spanIds: readonly string[]): Uint8Array {
  const { root } = protobuf.parse(`syntax = "proto3";
    message Logs { repeated A a = 1; } message A { repeated B b = 2; } message B { repeated R r = 2; }
    message R { bytes trace = 9; bytes span = 10; string event = 12; }`)
  const type = root.lookupType('Logs')
  const r = spanIds.map((spanId) => ({
    trace: Buffer.from(trace, 'hex'),
    span: Buffer.from(spanId, 'hex'),
    event: 'gen_ai.evaluation.result',
  }))
  return type.encode(type.fromObject({ a: [{ b: [{ r }] }] })).finish()
}
