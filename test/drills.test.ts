import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { type Outcome, SPAN_STATES } from '../evidence/drills/balance.ts'
import { runDrills } from '../stack/commands/drill.ts'
import { ownSettings, quiet } from '../stack/own-stack.ts'
import type { Settings } from '../stack/settings.ts'
import { UserError } from '../workbench/user-error.ts'
import { areAccountedFor } from './accounted.ts'

const KILLS = 5
/** One backend for each drill is enough in a pull request; make drill runs all. */
const SHORT = [
  ...['kill', 'tempo-down', 'phoenix-down', 'jaeger-down', 'phoenix-500', 'phoenix-429', 'phoenix-hangs', 'otlp-hangs'],
  ...[
    'tempo-killed',
    'phoenix-killed',
    'queue-full',
    'disk-full',
    'sigterm',
    'reload',
    'clocks',
    'burst',
    'odd',
    'long-runs',
  ],
]
/** Each drill loads all of them. */
const BACKENDS = ['tempo', 'phoenix', 'jaeger', 'otlp']
const size = { seed: 7, kills: KILLS, outageSeconds: 2, bodies: 230 }

let settings: Settings
let outcomes: ReadonlyMap<string, Outcome>

before(async () => {
  settings = await ownSettings({ BOOT: 'native', SLOW_CALL: '9s', TOKEN_HEAVY: '9000' })
  const found = await runDrills(settings, { ...size, only: SHORT, atOnce: 3 }, quiet)
  outcomes = new Map(found.outcomes.map((outcome) => [outcome.drill, outcome]))
})

const statesOf = (drill: string, backend: string) =>
  outcomes.get(drill)?.balances.find((balance) => balance.backend === backend)?.states

for (const name of SHORT) {
  test(`${name}: every span is accounted for`, () => {
    const { balances, broken } = outcomes.get(name) ?? { balances: [], broken: ['it did not run'] }
    assert.deepEqual(broken, [])
    assert.deepEqual(new Set(balances.map(({ backend }) => backend.split(',')[0])), new Set(BACKENDS))
    areAccountedFor(balances)
  })
}

test('when a backend is down, hangs or is busy, neither it nor another backend loses anything', () => {
  for (const drill of ['tempo-down', 'phoenix-down', 'jaeger-down', 'phoenix-429', 'phoenix-hangs', 'otlp-hangs'])
    for (const backend of BACKENDS) {
      const states = statesOf(drill, backend)
      const lost = SPAN_STATES.filter((state) => state !== 'stored' && (states?.[state] ?? 1) > 0)
      assert.deepEqual(lost, [], `${drill}, ${backend}`)
    }
})

test('a killed Phoenix loses at most what phoenix.env lets it hold in memory', () => {
  const { unstored = Number.NaN } = statesOf('phoenix-killed', 'phoenix') ?? {}
  // phoenix.env allows 200 spans in memory; two more requests of one trace each may be open.
  assert.ok(unstored <= 220, `${unstored} spans`)
})

test('a reload and a SIGTERM lose nothing', () => {
  for (const drill of ['sigterm', 'reload'])
    for (const { states } of outcomes.get(drill)?.balances ?? [])
      assert.deepEqual(
        { ...states, stored: 0, dropped: 0, refused: 0 },
        Object.fromEntries(SPAN_STATES.map((state) => [state, 0])),
      )
})

test('an unknown drill is refused, and the error lists the drills', () =>
  assert.rejects(
    runDrills(settings, { ...size, only: ['flood'] }, quiet),
    (error) =>
      error instanceof UserError &&
      /^DRILL=flood: there is no drill of this name\. There are kill, /.test(error.message),
  ))
