import assert from 'node:assert/strict'
import { test } from 'node:test'
import { traceRequest } from '../../otlp/json.ts'
import { encode } from '../../otlp/protobuf.ts'
import { randomOf } from '../../random/random.ts'
import { makeTrace } from '../traffic.ts'
import { spanKey } from './balance.ts'
import { spanKeys } from './fault-proxy.ts'

const field = (number: number, ...parts: readonly (Buffer | readonly number[])[]) => {
  const value = Buffer.concat(parts.map((part) => Buffer.from(part)))
  const length = value.length < 128 ? [value.length] : [(value.length % 128) + 128, Math.floor(value.length / 128)]
  return Buffer.concat([Buffer.from([number * 8 + 2, ...length]), value])
}
const [TRACE, SPAN] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331']
const span = (...more: readonly Buffer[]) =>
  field(2, field(1, Buffer.from(TRACE, 'hex')), field(2, Buffer.from(SPAN, 'hex')), ...more)

test('the ids of all spans are read, past fields of every kind and of any length', () => {
  const others = [
    Buffer.from([0x30, 0x96, 0x01]), // kind, a varint
    Buffer.from([0x39, ...Array(8).fill(1)]), // a time, eight bytes
    Buffer.from([0x85, 0x01, ...Array(4).fill(1)]), // flags, four bytes
    field(5, Buffer.alloc(300, 'n')),
  ]
  const body = field(
    1,
    field(1, Buffer.from('resource')),
    field(2, field(1, Buffer.from('scope')), span(...others), span()),
  )
  assert.deepEqual(spanKeys(body), [spanKey(TRACE, SPAN), spanKey(TRACE, SPAN)])
  assert.deepEqual(spanKeys(Buffer.alloc(0)), [])
})

test('what is written for odd requests is read', () => {
  const { spans } = makeTrace('routine', randomOf('a test'))
  assert.deepEqual(
    spanKeys(encode(traceRequest(spans))),
    spans.map(({ traceId, spanId }) => spanKey(traceId, spanId)),
  )
})

test('a message that is cut off is refused', () => {
  assert.throws(() => spanKeys(Buffer.from([0x0a])), /cut off/)
})
