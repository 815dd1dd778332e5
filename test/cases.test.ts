import assert from 'node:assert/strict'
import { readFileSync, rmSync } from 'node:fs'
import { resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Failure, judgeCases, readCases } from '../collector/proof/cases.ts'
import { singlePolicies } from '../collector/workbench/tune.ts'
import { benchOf } from '../stack/bench.ts'
import { type Place, ROOT } from '../stack/place.ts'
import { SHIPPED_POLICY } from '../stack/policy.ts'
import { testPlace } from './stack.ts'

const cases = readCases(resolve(ROOT, 'collector/policies/test'))
const shipped = readFileSync(resolve(ROOT, SHIPPED_POLICY), 'utf8')

let place: Place
let failures: readonly Failure[]

before(async () => {
  place = await testPlace()
  const bench = await benchOf(place, { cancel: new AbortController().signal, say: () => {} }, 'native')
  const config = readFileSync(resolve(ROOT, 'collector/config.yaml'), 'utf8')
  failures =
    (await judgeCases(bench, cases, { config, lists: [{ name: 'shipped', text: shipped }] })).get('shipped') ?? []
})

after(() => rmSync(place.state, { recursive: true, force: true }))

describe('with the shipped list', () => {
  assert.ok(cases.length >= 25)
  for (const { name } of cases) {
    test(name.replaceAll('-', ' '), () => {
      assert.deepEqual(
        failures.filter((failure) => failure.name === name).map(({ why }) => why),
        [],
      )
    })
  }
})

test('every policy of the shipped list has a case that only it keeps', () => {
  const kept = new Set(cases.flatMap(({ expected }) => expected.flatMap(({ policy }) => policy ?? [])))
  const names = singlePolicies(shipped).map(({ name }) => name)
  assert.deepEqual(
    names.filter((name) => !kept.has(name)),
    [],
    'add a folder to collector/policies/test',
  )
})
