import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { before, test } from 'node:test'
import { parse, stringify } from 'yaml'
import { type Quiet, seenBy } from '../evidence/quiet.ts'
import { MUST_KEEP, makeTrace, PROFILES, paced } from '../evidence/traffic.ts'
import { randomOf } from '../random/random.ts'
import { launcherFor } from '../stack/collectors.ts'
import { runRecall } from '../stack/commands/recall.ts'
import { ownSettings, quiet } from '../stack/own-stack.ts'
import { shippedList } from '../stack/policy.ts'
import { ROOT, type Settings } from '../stack/settings.ts'
import { replay } from '../workbench/replay.ts'
import { withVariables } from '../workbench/variables.ts'

const COUNT = 3000

type Tallies = Readonly<Record<string, { sent: number; kept: number; torn: number }>>

let settings: Settings

before(async () => {
  // Thresholds in the environment of this test must not change the shipped list.
  settings = await ownSettings({ BOOT: 'native', SLOW_CALL: '9s', TOKEN_HEAVY: '9000' })
})

test('of three thousand must-keep traces in every profile, none is missed or kept only in part', async () => {
  const { report, holds } = await runRecall(settings, { seed: 7, count: COUNT }, quiet)
  type Told = { byKind: Tallies; byProfile: Tallies; missed: unknown[]; late: number; quiet: Quiet }
  const { byKind, byProfile, missed, late, quiet: seen } = JSON.parse(report('json')) as Told
  assert.deepEqual(missed, [])
  assert.ok(holds)
  assert.ok(PROFILES.length >= 20)
  assert.deepEqual(
    Object.keys(byProfile),
    PROFILES.map(({ name }) => name),
  )
  for (const kind of MUST_KEEP) {
    const { sent = 0, kept } = byKind[kind] ?? {}
    assert.ok(sent === kept && sent >= Math.floor(COUNT / MUST_KEEP.length) - late, `${kind}: ${kept} of ${sent}`)
  }
  // A profile has all kinds in turn, so the last turn may be missing.
  const fewest = COUNT / PROFILES.length - MUST_KEEP.length - late
  for (const [name, { sent }] of Object.entries(byProfile)) assert.ok(sent >= fewest, name)
  // Where one in ten is kept, half of the agents are seen after 7 runs (6.6) and 95 % after 29 (28.4); 300 agents spread so much.
  for (const [share, low, high] of [
    [0.5, 5, 9],
    [0.95, 22, 38],
  ] as const) {
    const runs = seenBy(seen, share) ?? Number.POSITIVE_INFINITY
    assert.ok(runs >= low && runs <= high, `${share}: ${runs}`)
  }
  const { sent = 0, kept = 0 } = byKind.routine ?? {}
  assert.ok(
    sent >= 300 - late && kept > 0 && kept < sent / 5,
    `${kept} of ${sent} routine traces: not everything is kept`,
  )
})

test('without a policy, its own class is missed, and no other', async () => {
  const list = parse(shippedList()) as { name: string }[]
  const file = resolve(settings.state, 'without-self-buys.yaml')
  writeFileSync(file, stringify(list.filter(({ name }) => name !== 'keep-self-buys')))
  const { report, holds } = await runRecall(settings, { seed: 7, count: 1000 }, quiet, file)
  assert.ok(!holds)
  const { missed } = JSON.parse(report('json')) as { missed: { kind: string }[] }
  assert.deepEqual(new Set(missed.map(({ kind }) => kind)), new Set(['self-buy']))
  const sent = 1000 / MUST_KEEP.length
  assert.ok(missed.length > sent * 0.75, `${missed.length} of ${sent}; the sample keeps one in ten`)
})

test('the policy in the README keeps every run of the agent that it names', async () => {
  const [, policy = ''] =
    /```yaml\n(- name: keep-night-auditor\n[\s\S]*?)```/.exec(readFileSync(resolve(ROOT, 'README.md'), 'utf8')) ?? []
  const shipped = shippedList()
  const list = resolve(settings.state, 'with-an-agent.yaml')
  writeFileSync(
    list,
    withVariables(shipped.replace('- name: sample-', `${policy.replaceAll('night-auditor', 'fox')}\n$&`), {}),
  )
  const made = Array.from({ length: 200 }, (_, index) => makeTrace('routine', randomOf(5, 'README', index)))
  const traffic = paced(
    made.map(({ spans }) => spans),
    1000,
  )
  const kept = await replay(await launcherFor(settings, quiet, 'native'), traffic, list)
  const foxes = made
    .filter(({ turn }) => turn.agent === 'fox')
    .map(({ spans }) => kept.get(spans[0]?.traceId ?? '')?.policy)
  assert.ok(foxes.length > 20)
  assert.deepEqual(new Set(foxes), new Set(['keep-fox']))
  assert.ok(kept.size < made.length / 2, `${kept.size}`)
})

test('a wrong count is refused, and the error has its name and value', () =>
  assert.rejects(runRecall(settings, { seed: 7, count: 'many' }, quiet), {
    message: 'COUNT must be a whole number of 1 or more, such as COUNT=3000, not "many".',
  }))
