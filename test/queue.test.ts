import assert from 'node:assert/strict'
import { readdirSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { toValue, traceRequest } from '../otlp/json.ts'
import { eventually, ownSettings } from '../stack/own-stack.ts'
import { sumOf } from '../workbench/collector.ts'
import { collectorFor, sendTo } from './collector.ts'

const settings = await ownSettings()

/** With a backend that does not answer, so that its queue fills. */
const start = () =>
  collectorFor(settings, {
    policy: 'collector/policies/keep-everything.yaml',
    overlays: ['collector/backends/tempo.yaml'],
    env: { DECISION_WAIT_AFTER_ROOT: '1s', TEMPO_OTLP_ENDPOINT: 'http://127.0.0.1:9' },
  })

test('after a power failure that left half a queue file, the Collector starts, and puts the half aside', async () => {
  const collector = await start()
  const span = {
    traceId: 'ab'.repeat(16),
    spanId: 'cd'.repeat(8),
    name: 'run',
    startTimeUnixNano: '1795223772000000000',
    endTimeUnixNano: '1795223772500000000',
    attributes: [{ key: 'input.value', value: toValue('x'.repeat(100_000)) }],
  }
  await sendTo(collector.otlp, '/v1/traces', traceRequest([span]))
  await eventually(async () => assert.ok(sumOf(await collector.metrics(), 'otelcol_exporter_queue_size') > 0))
  await collector.stop()
  const queues = join(settings.state, 'queue')
  const [queue = ''] = readdirSync(queues)
  truncateSync(join(queues, queue), Math.floor(statSync(join(queues, queue)).size / 2))
  const again = await start()
  await again.stop()
  assert.ok(readdirSync(queues).some((name) => name.startsWith(queue) && name.endsWith('.backup')))
})
