import assert from 'node:assert/strict'
import { test } from 'node:test'
import { faultsIn, jsonIn } from './json-levels.ts'

const isSecret = (text: string) => text.includes('hunter22') || text === '4929123456781236'
const faults = (was: string, became: string) => faultsIn(jsonIn(was) ?? '', jsonIn(became), isSecret)
const inJson = (text: string) => JSON.stringify({ arguments: text, n: 1 })
const LOGIN = '{"user": "maria", "password": "hunter22", "card": 4929123456781236}'
const MASKED = '{"user": "maria", "password": "****", "card": "****"}'

test('a secret that is masked alone is no fault, at any level', () => {
  assert.deepEqual(faults(LOGIN, MASKED), [])
  assert.deepEqual(faults(inJson(LOGIN), inJson(MASKED)), [])
  assert.deepEqual(faults(inJson(inJson(LOGIN)), inJson(inJson(MASKED))), [])
})

for (const [what, became, where] of [
  ['a number without quotes', LOGIN.replace('4929123456781236', '****'), /no JSON/],
  ['a key that is gone', MASKED.replace('password', 'pass'), /\$/],
  ['a neighbour that changed', MASKED.replace('maria', '****'), /\$\.user: "maria" became "\*{4}"/],
  ['a text that became a number', MASKED.replace('"maria"', '5'), /\$\.user/],
] as const)
  test(`${what} is a fault, at any level`, () => {
    assert.match(faults(LOGIN, became).join(), where)
    assert.match(faults(inJson(LOGIN), inJson(became)).join(), /\$\.arguments \(JSON\)/)
  })
