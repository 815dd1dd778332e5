import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { parse, stringify } from 'yaml'
import { MUST_KEEP, PROFILES } from '../evidence/traffic.ts'
import { runRecall } from '../stack/commands/recall.ts'
import { ownSettings } from '../stack/own-stack.ts'
import { SHIPPED_POLICY } from '../stack/policy.ts'
import { ROOT, type Settings } from '../stack/settings.ts'

const COUNT = 3000
const quiet = { cancel: new AbortController().signal, say: () => {} }

type Tallies = Readonly<Record<string, { sent: number; kept: number; torn: number }>>

let settings: Settings

before(async () => {
  // Thresholds in the environment of this test must not change the shipped list.
  settings = await ownSettings({ BOOT: 'native', SLOW_CALL: '9s', TOKEN_HEAVY: '9000' })
})

after(() => rmSync(settings.state, { recursive: true, force: true }))

test('of three thousand must-keep traces in every profile, none is missed or kept only in part', async () => {
  const { report, holds } = await runRecall(settings, { seed: 7, count: COUNT }, quiet)
  type Told = { byKind: Tallies; byProfile: Tallies; missed: unknown[]; late: number }
  const { byKind, byProfile, missed, late } = JSON.parse(report('json')) as Told
  assert.deepEqual(missed, [])
  assert.ok(holds)
  assert.ok(PROFILES.length >= 20)
  assert.deepEqual(
    Object.keys(byProfile),
    PROFILES.map(({ name }) => name),
  )
  for (const kind of MUST_KEEP) {
    const { sent = 0, kept } = byKind[kind] ?? {}
    assert.ok(sent === kept && sent >= COUNT / MUST_KEEP.length - late, `${kind}: ${kept} of ${sent}`)
  }
  for (const [name, { sent }] of Object.entries(byProfile)) assert.ok(sent >= COUNT / PROFILES.length - 5 - late, name)
  const { sent = 0, kept = 0 } = byKind.routine ?? {}
  assert.ok(
    sent >= 300 - late && kept > 0 && kept < sent / 5,
    `${kept} of ${sent} routine traces: not everything is kept`,
  )
})

test('without a policy, its own class is missed, and no other', async () => {
  const list = parse(readFileSync(resolve(ROOT, SHIPPED_POLICY), 'utf8')) as { name: string }[]
  const file = resolve(settings.state, 'without-self-buys.yaml')
  writeFileSync(file, stringify(list.filter(({ name }) => name !== 'keep-self-buys')))
  const { report, holds } = await runRecall(settings, { seed: 7, count: 1000 }, quiet, file)
  assert.ok(!holds)
  const { missed } = JSON.parse(report('json')) as { missed: { kind: string }[] }
  assert.deepEqual(new Set(missed.map(({ kind }) => kind)), new Set(['self-buy']))
  const sent = 1000 / MUST_KEEP.length
  assert.ok(missed.length > sent * 0.75, `${missed.length} of ${sent}; the sample keeps one in ten`)
})

test('a wrong count is refused, and the error has its name and value', () =>
  assert.rejects(runRecall(settings, { seed: 7, count: 'many' }, quiet), {
    message: 'COUNT must be a whole number of 1 or more, such as COUNT=3000, not "many".',
  }))
