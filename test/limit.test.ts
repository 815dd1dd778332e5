import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { before, test } from 'node:test'
import { parse } from 'yaml'
import { estimating } from '../evidence/bias.ts'
import { AGENTS, BEGINNING, type Kind, MUST_KEEP, makeTrace, paced } from '../evidence/traffic.ts'
import { randomOf } from '../random/random.ts'
import { launcherFor } from '../stack/collectors.ts'
import { limitedList } from '../stack/commands/limit.ts'
import { ownSettings, quiet } from '../stack/own-stack.ts'
import { checkPolicy, SHIPPED_POLICY, shippedList } from '../stack/policy.ts'
import type { Settings } from '../stack/settings.ts'
import { pricesOf } from '../stack/workbench.ts'
import type { Launcher } from '../workbench/collector.ts'
import { limited } from '../workbench/limit.ts'
import { replayEach } from '../workbench/replay.ts'
import { withVariables } from '../workbench/variables.ts'

/** Half of the traces are routine; the others are of every kind that must be kept. */
const TRACES = 6000
const PER_SECOND = 2000
const SECONDS = TRACES / PER_SECOND

let settings: Settings
let launcher: Launcher
let shipped: string

const kinds = new Map<string, Kind>()
const made = Array.from({ length: TRACES }, (_, index) => {
  const random = randomOf(11, 'limit', index)
  const kind: Kind = index % 2 === 0 ? 'routine' : (MUST_KEEP[(index >> 1) % MUST_KEEP.length] ?? 'routine')
  const trace = makeTrace(kind, random)
  kinds.set(trace.spans[0]?.traceId ?? '', kind)
  return trace
})

before(async () => {
  settings = await ownSettings({ BOOT: 'native' })
  launcher = await launcherFor(settings, quiet, 'native')
  shipped = withVariables(shippedList(), {})
})

/** What lists keep of the same traffic, and how many turns the kept traces of each say there were. */
async function judged(lists: Readonly<Record<string, string>>) {
  const estimates = new Map(Object.keys(lists).map((name) => [name, estimating(pricesOf(BEGINNING))]))
  const kept = await replayEach(
    launcher,
    paced(
      made.map(({ spans }) => spans),
      PER_SECOND,
    ),
    Object.entries(lists).map(([name, text]) => {
      const see = estimates.get(name)?.see
      return { name, text, ...(see && { watch: see }) }
    }),
  )
  return (name: string) => ({ kept: kept.get(name) ?? new Map(), estimate: estimates.get(name)?.of ?? assert.fail() })
}

test('the list that make limit writes is accepted', async () => {
  const file = resolve(settings.state, 'within.yaml')
  writeFileSync(file, limitedList(SHIPPED_POLICY, '20'))
  const warnings: string[] = []
  await checkPolicy({ ...launcher, say: (line) => warnings.push(line) }, file)
  assert.deepEqual(warnings, [])
})

test('below the limit every trace that must be kept is kept, by the same policy', async () => {
  const of = await judged({ shipped, ample: limited(shipped, { bytesPerDay: 1e12, largestTraceBytes: 1e7 }) })
  const rules = (name: string) =>
    [...of(name).kept].flatMap(([id, { policy }]) => (kinds.get(id) === 'routine' ? [] : [`${id} ${policy}`])).sort()
  assert.equal(rules('shipped').length, TRACES / 2)
  assert.deepEqual(rules('ample'), rules('shipped'))
})

test('above it each class keeps what its share allows, and counts from the kept traces stay right', async () => {
  const rules = (parse(shipped) as readonly unknown[]).length
  // 20 kB a second for each rule. Of each, some 250 kB arrive in each of three seconds.
  const share = 0.2e6
  const burst = 60_000
  const of = await judged({ scarce: limited(shipped, { bytesPerDay: share * 86_400, largestTraceBytes: burst }) })
  const { kept, estimate } = of('scarce')
  const bytes = new Map<string, number>()
  for (const { policy = '', bytes: more } of kept.values()) bytes.set(policy, (bytes.get(policy) ?? 0) + more)
  assert.equal(bytes.size, rules)
  const seconds = SECONDS + 4
  // A trace as JSON, in which its size is counted here, is twice to three times as large as in protobuf.
  for (const [policy, size] of bytes)
    assert.ok(size > burst && size < 3 * (burst + (0.9 / (rules - 1)) * share * seconds), `${policy}: ${size}`)
  const turns = AGENTS.map((agent) => estimate(agent, 'turns'))
  const value = turns.reduce((sum, turn) => sum + turn.value, 0)
  const error = Math.hypot(...turns.map((turn) => turn.error))
  assert.ok(kept.size < TRACES / 2 && Math.abs(value - TRACES) < 5 * error, `${value} ± ${error} of ${TRACES}`)
})
