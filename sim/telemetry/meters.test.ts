import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type DataPoint, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import { GEN_AI, METRICS } from '../../vocabulary/attributes.ts'
import { metersWith } from './meters.ts'

class Reader extends MetricReader {
  protected override async onForceFlush() {}
  protected override async onShutdown() {}
}

test('open turns and the age of the oldest, by agent: an agent without one has none, and an age of zero', async () => {
  const reader = new Reader()
  let now = 1000
  const meters = metersWith(new MeterProvider({ readers: [reader] }).getMeter('test'), () => now)
  const valuesOf = async (name: string, agent: string) => {
    const { resourceMetrics } = await reader.collect()
    const metric = resourceMetrics.scopeMetrics
      .flatMap(({ metrics }) => metrics)
      .find(({ descriptor }) => descriptor.name === name)
    const points = (metric?.dataPoints ?? []) as readonly DataPoint<number>[]
    return points.filter(({ attributes }) => attributes[GEN_AI.AGENT] === agent).map(({ value }) => value)
  }
  const fox = async () => [
    ...(await valuesOf(METRICS.ACTIVE_TURNS, 'fox')),
    ...(await valuesOf(METRICS.OLDEST_TURN, 'fox')),
  ]

  assert.deepEqual(await fox(), [0, 0])
  const firstEnded = meters.turnBegan('fox')
  now = 3500
  const secondEnded = meters.turnBegan('fox')
  now = 4000
  assert.deepEqual(await fox(), [2, 3])
  assert.deepEqual(await valuesOf(METRICS.OLDEST_TURN, 'bear'), [0])
  firstEnded()
  assert.deepEqual(await fox(), [1, 0.5])
  secondEnded()
  assert.deepEqual(await fox(), [0, 0])
})
