import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { makeBodies } from '../stack/load.ts'
import { ownSettings, quiet } from '../stack/own-stack.ts'
import { flow } from '../stack/scale/flow.ts'
import { type Lab, makeLab, runningOf, total, withTiers } from '../stack/scale/lab.ts'
import { residentBytes, throttle } from '../stack/scale/throttle.ts'

const { cancel } = quiet
/** Of a core, so that a load which one sender can make is more than a gateway can take. */
const SHARE = 0.4
const TOO_MUCH = { spansPerSecond: 6000, seconds: 15, atOnce: 400, cancel }
const LITTLE = { spansPerSecond: 200, seconds: 5, atOnce: 400, cancel }
/** Without limits of its own, a gateway left four of five requests without an answer within the ten seconds of an SDK. */
const UNANSWERED_SHARE = 0.2
const [RECOVERED_WITHIN_SECONDS, QUICK_MS] = [30, 2000]
/** The container of a gateway has 1280 MiB. */
const MOST_BYTES = 1024 ** 3

let lab: Lab

before(async () => {
  lab = await makeLab(await ownSettings({ BOOT: 'native' }), quiet)
})

test('a gateway that gets several times what it can do refuses with a time to try again, answers what it takes, and recovers', async () => {
  const bodies = makeBodies({ bytes: 1024, kept: 0.1 })
  await withTiers(lab, { gateways: 1, samplers: 1 }, async ({ gateways, samplers }) => {
    const [gateway = assert.fail()] = runningOf(gateways)
    const held = throttle([gateway.pid], SHARE)
    try {
      const over = await flow([gateway.otlp], bodies, TOO_MUCH)
      const answers = [...over.statuses].map(([status, count]) => `${count} × ${status || 'no answer'}`).join(', ')
      assert.ok((over.statuses.get(503) ?? 0) > 0, answers)
      assert.ok((over.statuses.get(200) ?? 0) > 0, answers)
      const sent = [...over.statuses.values()].reduce((sum, count) => sum + count)
      assert.ok((over.statuses.get(0) ?? 0) < UNANSWERED_SHARE * sent, answers)
      assert.equal(over.withoutHint, 0)
      assert.equal(over.held, 0)
      gateway.alive()
      assert.ok(residentBytes(gateway.pid) < MOST_BYTES)

      let after = over
      for (let seconds = 0; seconds < RECOVERED_WITHIN_SECONDS; seconds += LITTLE.seconds) {
        after = await flow([gateway.otlp], bodies, LITTLE)
        if (after.slowestMs < QUICK_MS && after.statuses.size === 1 && after.statuses.has(200)) break
      }
      assert.deepEqual([...after.statuses.keys()], [200])
      assert.ok(after.slowestMs < QUICK_MS, `${after.slowestMs} ms`)
    } finally {
      held.end()
    }
    assert.ok((await total(runningOf(samplers), 'otelcol_receiver_accepted_spans')) > 0)
  })
})
