import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { readRecording } from '../collector/workbench/recording.ts'
import type { Swept } from '../collector/workbench/sweep.ts'
import type { Why } from '../collector/workbench/why.ts'
import { type Place, ROOT } from '../stack/place.ts'
import { SHIPPED_POLICY } from '../stack/policy.ts'
import { askSweep, askWhy, CLASSES, COMMITTED_RECORDING } from '../stack/workbench.ts'
import { testPlace } from './stack.ts'

const quiet = { cancel: new AbortController().signal, say: () => {} }
const ASKED = { a: SHIPPED_POLICY, recording: COMMITTED_RECORDING, classes: CLASSES, format: 'json' } as const
/** The recording was made ten times faster than the clock, so that 2 s of its world are 200 ms. */
const SLOW_NANOS = 200_000_000n

let place: Place
/** The longest model call of each trace that has no error. */
const longest = new Map<string, bigint>()

before(async () => {
  place = await testPlace({ BOOT: 'native' })
  const failed = new Set<string>()
  for await (const { spans } of readRecording(resolve(ROOT, COMMITTED_RECORDING))) {
    for (const { traceId, attributes = [], startTimeUnixNano, endTimeUnixNano, status } of spans) {
      const text = (key: string) => attributes.find((attribute) => attribute.key === key)?.value?.stringValue
      if (['parse_error', 'self_buy'].includes(text('error.type') ?? '')) failed.add(traceId)
      if (text('gen_ai.operation.name') !== 'chat') continue
      if (status?.code === 2) failed.add(traceId)
      const nanos = BigInt(endTimeUnixNano ?? 0) - BigInt(startTimeUnixNano ?? 0)
      if (nanos > (longest.get(traceId) ?? 0n)) longest.set(traceId, nanos)
    }
  }
  for (const trace of failed) longest.delete(trace)
})

after(() => rmSync(place.state, { recursive: true, force: true }))

const asked = async (trace: string) => JSON.parse(await askWhy(place, { ...ASKED, trace }, quiet)) as Why
const secondsOf = (nanos: bigint) => (Number(nanos) / 1e9).toFixed(3).replace(/0$/, '')

describe('why', () => {
  test('a dropped trace missed the threshold by as much as the recording says', async () => {
    const [trace = '', nanos = 0n] =
      [...longest]
        .filter(([, time]) => time < SLOW_NANOS && time > SLOW_NANOS / 2n)
        .sort(([, a], [, b]) => Number(b - a))[0] ?? []
    assert.ok(trace, 'the recording has a near miss')
    const { keptBy, votes, classes } = await asked(trace)
    assert.equal(keptBy, undefined)
    assert.deepEqual(classes, [])
    assert.deepEqual(
      votes.map(({ policy, vote }) => [policy, vote]),
      votes.map(({ policy }) => [policy, false]),
    )
    const slow = votes.find(({ policy }) => policy === 'keep-slow-calls')
    assert.ok(slow?.looksAt.includes(`took ${secondsOf(nanos)} s, threshold 200ms`), slow?.looksAt)
  })

  test('a kept trace names its voters, by the beginning of its id', async () => {
    const [trace = ''] = [...longest].find(([, time]) => time > SLOW_NANOS) ?? []
    const { keptBy, votes, classes, trace: whole } = await asked(trace.slice(0, 12))
    assert.equal(whole, trace)
    assert.equal(keptBy, 'keep-slow-calls')
    assert.deepEqual(classes, ['slow-call'])
    assert.ok(votes.find(({ policy }) => policy === 'keep-slow-calls')?.vote)
    assert.ok(!votes.find(({ policy }) => policy === 'keep-parse-errors')?.vote)
  })

  test('a trace that is not there, not one, or no id is refused with the fix', async () => {
    await assert.rejects(asked('00000000000000'), /not among the 40 traces .* Try one of them: [0-9a-f]{32}/)
    await assert.rejects(asked('fox'), /TRACE=fox is no trace id/)
    await assert.rejects(asked(''), /name a trace, such as TRACE=/)
    const first = [...longest.keys()].map((id) => id[0] ?? '')
    const twice = first.find((digit, index) => first.indexOf(digit) !== index) ?? ''
    await assert.rejects(asked(twice), /is the beginning of \d+ traces, .* write more digits/)
  })
})

describe('a sweep', () => {
  const swept = async (range: string) => {
    const text = await askSweep(place, { ...ASKED, b: undefined, speed: '20', range }, quiet)
    return (JSON.parse(text) as { swept: readonly Swept[] }).swept
  }
  const kept = (row: Swept | undefined) => row?.table.total.kept ?? -1

  test('of a longer and longer bound keeps fewer and fewer, and loses only slow calls', async () => {
    const rows = await swept('slow-call=1s..5s/1s')
    assert.deepEqual(
      rows.map(({ value }) => value),
      ['1 s', '2 s', '3 s', '4 s', '5 s'],
    )
    for (const [index, row] of rows.entries()) assert.ok(index === 0 || kept(row) <= kept(rows[index - 1]))
    assert.ok(kept(rows[0]) > kept(rows[4]))
    const missed = (row: Swept | undefined) =>
      row?.table.classes.filter(({ mustKeep, missed }) => mustKeep && missed > 0).map((of) => of.class)
    assert.deepEqual(missed(rows[1]), [], 'at the value in force nothing is missed')
    assert.ok(rows[1]?.isInForce)
    assert.deepEqual(missed(rows[4]), ['slow-call'])
  })

  test('of a number that the list does not read names those it reads', async () => {
    await assert.rejects(
      swept('moonlight=1..5'),
      /MOONLIGHT, which the list does not read; it reads slow-call and token-heavy/,
    )
  })
})
