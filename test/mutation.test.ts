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
  place = await testPlace({ BOOT: 'native' })
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
})

test('without the cases of a policy, its mutants are missed', async () => {
  const others = readCases(CASES).filter(
    ({ name }) => !/parse-error|giant|twelve|span|one-trace|request|root|agent|roots/.test(name),
  )
  const { text, holds } = await proveMutation(place, 'json', quiet, others)
  assert.ok(!holds)
  const verdicts = JSON.parse(text) as readonly Verdict[]
  const left = verdicts.filter((verdict) => verdict.caught === 'no' && !verdict.harmless).map(({ mutant }) => mutant)
  assert.ok(left.includes('keep-parse-errors left out'), left.join())
})
