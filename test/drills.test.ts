import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { FATES, type Outcome } from '../evidence/drills/balance.ts'
import { DRILLS } from '../evidence/drills/drills.ts'
import { proveNoLoss } from '../stack/drill.ts'
import { type Place, Trouble } from '../stack/place.ts'
import { testPlace } from './stack.ts'

const KILLS = 5
/** What one backend shows, the other need not show again in every pull request; make drill runs them all. */
const LONG = ['tempo-500', 'tempo-429', 'tempo-503', 'tempo-hangs', 'phoenix-503']
const SHORT = DRILLS.map(({ name }) => name).filter((name) => !LONG.includes(name))
const quiet = { cancel: new AbortController().signal, say: () => {} }
const size = { seed: 7, kills: KILLS, outageSeconds: 2, bodies: 230 }

let place: Place
let outcomes: ReadonlyMap<string, Outcome>

before(async () => {
  place = await testPlace({ BOOT: 'native', SLOW_CALL: '9s', TOKEN_HEAVY: '9000' })
  const found = await proveNoLoss(place, { ...size, only: SHORT, atOnce: 3 }, 'text', quiet)
  outcomes = new Map(found.outcomes.map((outcome) => [outcome.drill, outcome]))
})

after(() => rmSync(place.state, { recursive: true, force: true }))

const fatesOf = (drill: string, backend: string) =>
  outcomes.get(drill)?.balances.find((balance) => balance.backend === backend)?.fates

for (const name of SHORT) {
  test(`${name}: every span is accounted for`, () => {
    const { balances, broken } = outcomes.get(name) ?? { balances: [], broken: ['it did not run'] }
    assert.deepEqual(broken, [])
    assert.ok(balances.length > 0)
    for (const { backend, sent, fates, strangers } of balances) {
      assert.deepEqual({ backend, unknown: fates.unknown, strangers }, { backend, unknown: 0, strangers: 0 })
      assert.ok(sent > 200 && fates.stored > 0, `${backend}: ${fates.stored} of ${sent}`)
      assert.equal(
        FATES.reduce((sum, fate) => sum + fates[fate], 0),
        sent,
      )
    }
  })
}

test('a backend that is down, hangs or is busy loses nothing, and neither does the other', () => {
  for (const drill of ['tempo-down', 'phoenix-down', 'phoenix-429', 'phoenix-hangs'])
    for (const backend of ['tempo', 'phoenix']) {
      const fates = fatesOf(drill, backend)
      const lost = FATES.filter((fate) => fate !== 'stored' && (fates?.[fate] ?? 1) > 0)
      assert.deepEqual(lost, [], `${drill}, ${backend}`)
    }
})

test('what the Phoenix of this stack may lose when it is killed is what it may hold in memory', () => {
  const { unstored = Number.NaN } = fatesOf('phoenix-killed', 'phoenix') ?? {}
  // phoenix.env lets it hold 200 spans; two requests of one trace each may be under way.
  assert.ok(unstored <= 220, `${unstored} spans`)
})

test('a reload and an orderly end lose nothing', () => {
  for (const drill of ['sigterm', 'reload'])
    for (const { fates } of outcomes.get(drill)?.balances ?? [])
      assert.deepEqual(
        { ...fates, stored: 0, dropped: 0, refused: 0 },
        Object.fromEntries(FATES.map((fate) => [fate, 0])),
      )
})

test('a drill that does not exist is refused with the names of those that do', () =>
  assert.rejects(
    proveNoLoss(place, { ...size, only: ['flood'] }, 'text', quiet),
    (error) => error instanceof Trouble && /^DRILL=flood: there is no such drill; there are kill, /.test(error.message),
  ))
