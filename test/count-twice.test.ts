import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { nanosOf, type Span, toAttributes, traceRequest } from '../otlp/json.ts'
import { counter, metricsRequest, number } from '../otlp/metrics.ts'
import { readPage } from '../otlp/page.ts'
import { eventually, ownSettings } from '../stack/own-stack.ts'
import type { Running } from '../workbench/collector.ts'
import { collectorFor, sendTo } from './collector.ts'
import { CALL, IN } from './dialect-cases.ts'

/** What docs/limits.md says that a count cannot know. A line goes from there when its test fails. */
let collector: Running
before(async () => {
  collector = await collectorFor(await ownSettings())
})
after(() => collector?.stop())

const now = Date.now()
const call = (spanId: string, more: object): Span => ({
  ...{ traceId: 'a'.repeat(32), spanId: spanId.repeat(16), name: 'call' },
  ...{ startTimeUnixNano: nanosOf(now), endTimeUnixNano: nanosOf(now + 10) },
  attributes: toAttributes({ ...CALL, ...more }),
})
const isCounted = (service: string, wanted: number) =>
  eventually(async () => {
    const found = readPage(await collector.counted()).filter(
      ({ name, labels }) => name === 'gen_ai_usage_tokens_total' && labels.service_name === service,
    )
    assert.equal(
      found.reduce((sum, { value }) => sum + value, 0),
      wanted,
    )
  })

test('a span that is sent twice counts twice', async () => {
  const request = traceRequest([call('b', { [IN]: 10n })], { resource: { 'service.name': 'again' } })
  await sendTo(collector.otlp, '/v1/traces', request)
  await sendTo(collector.otlp, '/v1/traces', request)
  await isCounted('again', 20)
})

test('a total whose start is not known is counted from zero', async () => {
  const start = BigInt(now) * 1_000_000n
  for (const [value, after] of [
    [1000, 0n],
    [1005, 1_000_000_000n],
  ] as const)
    await sendTo(
      collector.otlp,
      '/v1/metrics',
      metricsRequest({ 'service.name': 'unknown-start' }, [
        counter('its.total', [number({}, value, { start, at: start + after })], 'cumulative'),
      ]),
    )
  await eventually(async () => {
    const found = readPage(await collector.agents()).find(({ name }) => name === 'its_total')
    assert.equal(found?.value, 1005)
  })
})

test('two totals of one series in one metric are added up', async () => {
  const start = BigInt(now) * 1_000_000n
  const points = [4, 7].map((value, index) =>
    number({}, value, { start, at: start + BigInt(index + 1) * 1_000_000_000n }),
  )
  await sendTo(
    collector.otlp,
    '/v1/metrics',
    metricsRequest({ 'service.name': 'put-together' }, [counter('its.totals', points, 'cumulative')]),
  )
  await eventually(async () => {
    const found = readPage(await collector.agents()).find(({ name }) => name === 'its_totals_total')
    assert.equal(found?.value, 11)
  })
})
