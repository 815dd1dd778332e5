import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { toValue, traceRequest } from '../otlp/json.ts'
import { otlpSink } from '../stack/otlp-sink.ts'
import { eventually, ownSettings } from '../stack/own-stack.ts'
import type { Running } from '../workbench/collector.ts'
import { collectorFor } from './collector.ts'

let collector: Running
let sink: Awaited<ReturnType<typeof otlpSink>>
const arrived: Buffer[] = []

before(async () => {
  sink = await otlpSink((_, body) => void arrived.push(body))
  collector = await collectorFor(await ownSettings(), {
    policy: 'collector/policies/keep-everything.yaml',
    overlays: ['collector/backends/phoenix.yaml'],
    env: { DECISION_WAIT_AFTER_ROOT: '1s', PHOENIX_OTLP_ENDPOINT: sink.url },
  })
})
after(async () => {
  await collector?.stop()
  sink?.close()
})

/** JavaScript cannot write a byte that is no part of a character, so this stands for one. */
const BAD = '\u{E0FF}'
const withBadBytes = (text: string) => {
  const parts = text.split(BAD).map((part) => Buffer.from(part))
  return Buffer.concat(parts.flatMap((part, index) => (index === 0 ? [part] : [Buffer.from([0xff]), part])))
}

test('bytes that are no characters become U+FFFD wherever text may stand, because strict backends refuse a request with them', async () => {
  const text = `caf${BAD} au lait`
  const body = traceRequest([
    {
      traceId: 'ab'.repeat(16),
      spanId: 'cd'.repeat(8),
      name: text,
      status: { code: 2, message: text },
      startTimeUnixNano: '1795223772000000000',
      endTimeUnixNano: '1795223772500000000',
      attributes: [
        { key: 'input.value', value: toValue(text) },
        { key: 'gen_ai.usage.input_tokens', value: { intValue: '12' } },
        { key: 'of.python', value: {} },
      ],
      events: [{ name: text, timeUnixNano: '1795223772000000000', attributes: [{ key: 'a', value: toValue(text) }] }],
    },
  ])
  const answer = await fetch(`${collector.otlp}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: withBadBytes(JSON.stringify(body)),
  })
  assert.equal(answer.status, 200)
  await eventually(async () => assert.ok(arrived.length > 0))
  const [stored = Buffer.alloc(0)] = arrived
  assert.equal(stored.toString('latin1').split(Buffer.from('caf\uFFFD au lait').toString('latin1')).length - 1, 5)
  assert.ok(!stored.includes(Buffer.concat([Buffer.from('caf'), Buffer.from([0xff])])))
})
