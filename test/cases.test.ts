import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { before, describe, test } from 'node:test'
import { type Failure, judgeCases, readCases } from '../evidence/cases.ts'
import { launcherFor } from '../stack/collectors.ts'
import { ownSettings, quiet } from '../stack/own-stack.ts'
import { shippedList } from '../stack/policy.ts'
import { ROOT, type Settings } from '../stack/settings.ts'
import { singlePolicies } from '../workbench/single-policies.ts'

const cases = readCases(resolve(ROOT, 'evidence/cases'))
const shipped = shippedList()
const policies = singlePolicies(shipped)

let settings: Settings
let failures: ReadonlyMap<string, readonly Failure[]>

/** The shipped list without one of its policies. */
const without = (name: string) => ({
  name,
  text: policies.flatMap((policy) => (policy.name === name ? [] : policy.text)).join('\n'),
})

before(async () => {
  // Thresholds in the environment of this test must not change the shipped list.
  settings = await ownSettings({ SLOW_CALL: '9s', TOKEN_HEAVY: '9000' })
  const launcher = await launcherFor(settings, quiet, 'native')
  const lists = [{ name: 'shipped', text: shipped }, ...policies.map(({ name }) => without(name))]
  failures = await judgeCases(launcher, cases, lists)
})

describe('with the shipped list', () => {
  for (const { name } of cases) {
    test(name.replaceAll('-', ' '), () => {
      const failed = failures.get('shipped')?.filter((failure) => failure.name === name)
      assert.deepEqual(
        failed?.map(({ why }) => why),
        [],
      )
    })
  }
})

describe('a case shows what only it keeps:', () => {
  assert.ok(policies.length > 0)
  for (const { name } of policies) {
    test(name, () => {
      const lost = failures.get(name)?.filter(({ why }) => /is dropped|is kept 0 times/.test(why)) ?? []
      assert.ok(
        lost.length > 0,
        `no case loses its trace without ${name}: add one to evidence/cases that no other policy keeps`,
      )
    })
  }
})
