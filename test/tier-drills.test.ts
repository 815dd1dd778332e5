import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import type { Outcome } from '../evidence/drills/balance.ts'
import { runDrills } from '../stack/commands/drill.ts'
import { ownSettings, quiet } from '../stack/own-stack.ts'
import type { Settings } from '../stack/settings.ts'
import { areAccountedFor } from './accounted.ts'

/** make drill DRILL=tiers runs all, with more kills and a longer outage. */
const SHORT = ['sampler-killed', 'gateway-killed', 'tiers-tempo-down', 'sampler-drained']
const BACKENDS = ['tempo', 'phoenix', 'jaeger', 'otlp']

let settings: Settings
let outcomes: ReadonlyMap<string, Outcome>

before(async () => {
  settings = await ownSettings({ BOOT: 'native' })
  const size = { seed: 7, kills: 1, outageSeconds: 2, bodies: 1 }
  const found = await runDrills(settings, { ...size, only: SHORT, atOnce: 2 }, quiet)
  outcomes = new Map(found.outcomes.map((outcome) => [outcome.drill, outcome]))
})

for (const name of SHORT)
  test(`${name}: with two gateways and three samplers, every span is accounted for`, () => {
    const { balances, broken } = outcomes.get(name) ?? { balances: [], broken: ['it did not run'] }
    assert.deepEqual(broken, [])
    assert.deepEqual(
      balances.map(({ backend }) => backend),
      BACKENDS,
    )
    areAccountedFor(balances)
  })

const lostIn = (drill: string) => (outcomes.get(drill)?.balances ?? []).map(({ sent, states }) => sent - states.stored)

test('only a killed sampler loses what it had not judged', () => {
  for (const lost of lostIn('sampler-killed')) assert.ok(lost > 0)
  for (const drill of ['tiers-tempo-down', 'sampler-drained'])
    assert.deepEqual(
      lostIn(drill),
      BACKENDS.map(() => 0),
      drill,
    )
})
