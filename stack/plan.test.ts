import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Coefficients, costOf, LIMITS, type Load, planOf } from './plan.ts'

const measured = (kilobytes: number, kept: number, one: number, gateways: number, samplers: number) => ({
  ...{ kilobytes, kept, one, gateways, samplers },
  hopBytes: 500 + kilobytes * 1024,
  keptBytes: 600 + kilobytes * 1024,
})
const coefficients: Coefficients = {
  costs: [
    measured(1, 0.1, 90, 80, 30),
    measured(1, 0.3, 110, 80, 50),
    measured(4, 0.1, 120, 110, 45),
    measured(4, 0.3, 150, 110, 75),
  ],
  waiting: [
    { kilobytes: 1, kib: 4 },
    { kilobytes: 4, kib: 7 },
  ],
}
const load: Load = {
  spansPerSecond: 10_000,
  spansPerTrace: 40,
  kilobytes: 1,
  runSeconds: 60,
  kept: 0.1,
  withoutRoot: 0,
  backends: 2,
}

test('the cost of a span is what was measured there, and lies on straight lines between and beyond', () => {
  assert.deepEqual(costOf(coefficients, load), { one: 90, gateways: 80, samplers: 30 })
  assert.deepEqual(costOf(coefficients, { kilobytes: 2.5, kept: 0.2, backends: 2 }), {
    one: 117.5,
    gateways: 95,
    samplers: 50,
  })
  assert.equal(costOf(coefficients, { kilobytes: 1, kept: 0, backends: 2 }).samplers, 20)
})

test('a kept span costs its share for each backend', () => {
  assert.equal(costOf(coefficients, { kilobytes: 1, kept: 0.1, backends: 1 }).samplers, 25)
  assert.equal(costOf(coefficients, { kilobytes: 1, kept: 0.1, backends: 4 }).samplers, 40)
})

test('cores of the gateways are planned with the room that the autoscaler leaves, and there are two at least', () => {
  assert.equal(LIMITS.busyShare, 0.7)
  const found = planOf(load, coefficients)
  assert.equal(found.gatewayCores, 0.8)
  assert.equal(found.gateways, 2)
  assert.equal(planOf({ ...load, spansPerSecond: 50_000 }, coefficients).gateways, 6)
})

test('samplers are as many as the scarcest of CPU, memory and traces needs', () => {
  // 250 traces a second wait 67 s; their spans wait 37 s on average, with 4 KiB each.
  const ordinary = planOf(load, coefficients)
  assert.equal(ordinary.waitingTraces, 250 * 67)
  assert.equal(ordinary.waitingBytes, 10_000 * 37 * 4096)
  assert.equal(ordinary.samplersBy, 'memory')
  assert.equal(planOf({ ...load, runSeconds: 1, kept: 1 }, coefficients).samplersBy, 'CPU')
  assert.equal(planOf({ ...load, spansPerTrace: 2 }, coefficients).samplersBy, 'number of traces')
  const least = planOf({ ...load, spansPerSecond: 10 }, coefficients)
  assert.equal(least.samplers, 1)
})

test('traces without a root wait as long as the sampler waits, and need more memory', () => {
  const half = planOf({ ...load, withoutRoot: 0.5 }, coefficients)
  assert.equal(half.waitingTraces, 250 * (0.5 * 67 + 0.5 * 615))
  assert.ok(half.samplers > 3 * planOf(load, coefficients).samplers)
})

test('traffic, days and queues follow from bytes', () => {
  const found = planOf(load, coefficients)
  assert.equal(found.hopBytesPerSecond, 10_000 * 1524)
  assert.equal(found.keptBytesPerSecond, 1000 * 1624)
  assert.equal(found.keptGigabytesPerDay, (1000 * 1624 * 86_400 * 2) / 1e9)
  assert.equal(found.queueSeconds, (found.samplers * 2 ** 30) / (1000 * 1624))
})
