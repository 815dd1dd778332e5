import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { nanosOf, type Span, toAttributes, traceRequest } from '../otlp/json.ts'
import { readPage } from '../otlp/page.ts'
import { eventually, ownSettings } from '../stack/own-stack.ts'
import type { Running } from '../workbench/collector.ts'
import { collectorFor, sendTo } from './collector.ts'
import { AGENT, CALL, IN, OP } from './dialect-cases.ts'

// What looks for the span above a span must not take as long for each as the trace is long.
let collector: Running
before(async () => {
  collector = await collectorFor(await ownSettings(), {
    policy: 'collector/policies/keep-everything.yaml',
    overlays: ['collector/backends/phoenix.yaml'],
    env: { DECISION_WAIT_AFTER_ROOT: '2s', PHOENIX_OTLP_ENDPOINT: 'http://127.0.0.1:1' },
  })
})
after(() => collector?.stop())

const START = nanosOf(Date.now())
const id = (index: number) => index.toString(16).padStart(16, '0')
const span = (traceId: string, index: number, attributes: object, parent?: number): Span => ({
  ...{ traceId: traceId.repeat(32), spanId: id(index), name: 'step' },
  ...(parent !== undefined && { parentSpanId: id(parent) }),
  ...{ startTimeUnixNano: START, endTimeUnixNano: START, attributes: toAttributes({ [AGENT]: 'owl', ...attributes }) },
})
const send = (service: string, spans: readonly Span[]) =>
  sendTo(
    collector.otlp,
    '/v1/traces',
    traceRequest(spans, { resource: { 'service.name': service }, scope: { name: 'com.anthropic.sdk.python' } }),
  )

test('a trace of 60,000 calls in one request does not hold up the traces of others', async () => {
  const root = span('a', 1, { [OP]: 'invoke_agent' })
  const calls = Array.from({ length: 60_000 }, (_, index) => span('a', index + 2, { ...CALL, [IN]: index + 1 }, 1))
  await send('long', [root, ...calls])
  await send('short', [span('b', 1, { [OP]: 'invoke_agent' })])
  await eventually(async () => {
    const page = readPage(await collector.counted())
    for (const metric of ['traces_span_metrics_calls_total', 'traces_kept_calls_total'])
      for (const [service, wanted] of Object.entries({ long: 60_001, short: 1 })) {
        const found = page.filter(({ name, labels }) => name === metric && labels.service_name === service)
        const sum = found.reduce((total, { value }) => total + value, 0)
        assert.equal(sum, wanted, `${metric} of ${service}`)
      }
  })
})

test('a span of 200,000 attributes keeps the first ones, and does not hold up the spans of others', async () => {
  // Keys of letters, among them those that announce a secret.
  const letters = (index: number) => [...String(index)].map((digit) => 'wdkeypasor'[Number(digit)]).join('')
  const many = Object.fromEntries(Array.from({ length: 200_000 }, (_, index) => [`k_${letters(index)}`, 'v']))
  await send('wide', [span('c', 1, { [OP]: 'invoke_agent', ...many })])
  await eventually(async () => {
    const page = readPage(await collector.counted())
    const wide = page.find(
      ({ name, labels }) => name === 'traces_span_metrics_calls_total' && labels.service_name === 'wide',
    )
    assert.deepEqual(
      [wide?.value, wide?.labels.woodland_limit, wide?.labels.gen_ai_operation_name],
      [1, 'attribute_count', 'invoke_agent'],
    )
  })
})
