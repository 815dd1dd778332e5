import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { nanosOf, type Span, toAttributes, traceRequest } from '../otlp/json.ts'
import { eventually, ownSettings, SHIPPED_WAITS, startStack } from '../stack/own-stack.ts'
import { SHIPPED_POLICY } from '../stack/policy.ts'
import { tempoSearch, tempoTrace } from '../stack/queries.ts'
import { type Settings, url } from '../stack/settings.ts'
import { sendTo } from './collector.ts'

const TRACES = 40
const APART_MS = 100
/** The batch delay of an SDK by default: the service that was called may send its span so much later than the root comes. */
const BATCH_DELAY_MS = 5000
const FRESH_WITHIN_MS = 10_000
const TRIES = 3

let settings: Settings
let end: () => Promise<void>

before(async () => {
  settings = await ownSettings({ ...SHIPPED_WAITS, BACKENDS: 'tempo' })
  end = await startStack(settings, SHIPPED_POLICY, ['tempo', 'collector'])
})
after(() => end?.())

const send = (span: Span, service: string) =>
  sendTo(url(settings, 'OTLP_HTTP_PORT'), '/v1/traces', traceRequest([span], { resource: { 'service.name': service } }))

/** Plays the traces, and returns how long after its root each was found by TraceQL, from the shortest to the longest. */
async function found(): Promise<readonly number[]> {
  const callee = `callee-${id()}`
  const arrivedMs = new Map<string, number>()
  const seenMs = new Map<string, number>()
  const play = async () => {
    const traceId = id() + id()
    const [root, call] = [id(), id()]
    const times = { startTimeUnixNano: nanosOf(Date.now() - 20), endTimeUnixNano: nanosOf(Date.now()) }
    await send({ traceId, spanId: root, name: 'invoke_agent caller', ...times }, 'caller')
    arrivedMs.set(traceId, Date.now())
    await sleep(BATCH_DELAY_MS)
    const attributes = toAttributes({ 'gen_ai.operation.name': 'chat', 'error.type': '500' })
    await send(
      { traceId, spanId: call, parentSpanId: root, name: 'chat', ...times, status: { code: 2 }, attributes },
      callee,
    )
  }
  const look = async () => {
    for (const { traceID } of await tempoSearch(
      settings,
      `{ resource.service.name = "${callee}" && status = error }`,
    )) {
      const traceId = traceID.padStart(32, '0')
      if (!seenMs.has(traceId)) seenMs.set(traceId, Date.now())
    }
    assert.equal(seenMs.size, TRACES)
  }
  const playing = Array.from({ length: TRACES }, async (_, number) => {
    await sleep(number * APART_MS)
    await play()
  })
  await Promise.all([...playing, eventually(look, 30)])
  for (const traceId of arrivedMs.keys())
    await eventually(async () => assert.equal((await tempoTrace(settings, traceId)).length, 2))
  return [...arrivedMs].map(([traceId, atMs]) => (seenMs.get(traceId) ?? Number.NaN) - atMs).sort((a, b) => a - b)
}

const id = () => randomBytes(8).toString('hex')

test('with the shipped waits, a failed call that comes 5 s after its root is kept, and TraceQL finds its trace within 10 s of the root', async () => {
  // A busy machine sends and answers late now and then. Waits that are too long or too short are so each time.
  for (let tries = TRIES; ; tries--)
    try {
      const waits = await found()
      const p95 = waits[Math.ceil(0.95 * TRACES) - 1] ?? Number.NaN
      assert.ok(p95 <= FRESH_WITHIN_MS, `p95 ${p95} ms`)
      assert.ok((waits[0] ?? 0) > BATCH_DELAY_MS, 'it waited for the call')
      return
    } catch (error) {
      if (tries === 1) throw error
    }
})
