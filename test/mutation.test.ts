import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { readCases } from '../collector/proof/cases.ts'
import type { Verdict } from '../collector/proof/mutation.ts'
import type { Place } from '../stack/place.ts'
import { CASES, proveMutation } from '../stack/proof.ts'
import { testPlace } from './stack.ts'

const quiet = { cancel: new AbortController().signal, say: () => {} }

let place: Place

before(async () => {
  // The thresholds of who runs this must not become those of the list that ships.
  place = await testPlace({ BOOT: 'native', SLOW_CALL: '9s', TOKEN_HEAVY: '9000' })
})

after(() => rmSync(place.state, { recursive: true, force: true }))

test('every mutant of the shipped list that behaves otherwise is caught', async () => {
  const { text, holds } = await proveMutation(place, 'json', quiet)
  const verdicts = JSON.parse(text) as readonly Verdict[]
  assert.deepEqual(
    verdicts.filter((verdict) => verdict.caught === 'no' && !verdict.harmless),
    [],
  )
  assert.ok(holds)
  const telling = verdicts.filter(({ caught }) => caught !== 'no')
  assert.ok(telling.length >= 50, `${telling.length} mutants change anything`)
  for (const how of ['by the check', 'by a case'] as const) assert.ok(telling.some(({ caught }) => caught === how))
  // Nothing in these conditions can fail, so that they are harmless: a run that catches one has caught itself.
  assert.deepEqual(
    verdicts.flatMap(({ mutant, caught }) => (caught === 'no' ? [mutant] : [])),
    ['keep-parse-errors', 'keep-self-buys', 'keep-failed-calls', 'keep-slow-calls'].map(
      (name) => `${name}: error_mode: propagate`,
    ),
  )
})

test('without the cases of a policy, its mutants are missed, and those of no other', async () => {
  const others = () =>
    readCases(CASES).filter(
      ({ name, expected }) =>
        !/call|operation/.test(name) && expected.every(({ policy }) => policy !== 'keep-slow-calls'),
    )
  const { text, holds } = await proveMutation(place, 'json', quiet, others)
  assert.ok(!holds)
  const verdicts = JSON.parse(text) as readonly Verdict[]
  const left = verdicts.flatMap((verdict) => (verdict.caught === 'no' && !verdict.harmless ? [verdict.mutant] : []))
  for (const what of [' left out', ': > turned into >=', ': a longer bound', ': a shorter bound'])
    assert.ok(left.includes(`keep-slow-calls${what}`), left.join())
})
