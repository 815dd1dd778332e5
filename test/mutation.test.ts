import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { before, test } from 'node:test'
import { parse } from 'yaml'
import { type Case, readCases } from '../evidence/cases.ts'
import { type Mutant, madeTraffic, missed, tryMutants, type Verdict } from '../evidence/mutation.ts'
import { launcherFor } from '../stack/collectors.ts'
import { CASES, runMutation } from '../stack/commands/mutation.ts'
import { ownSettings, quiet } from '../stack/own-stack.ts'
import { SHIPPED_POLICY } from '../stack/policy.ts'
import { ROOT, type Settings } from '../stack/settings.ts'
import type { Launcher } from '../workbench/collector.ts'
import { UserError } from '../workbench/user-error.ts'

const readText = (path: string) => readFileSync(resolve(ROOT, path), 'utf8')
const cases = readCases(CASES)

let settings: Settings
let launcher: Launcher
let holds: boolean
let verdicts: readonly Verdict[]

before(async () => {
  // Thresholds in the environment of this test must not change the shipped list.
  settings = await ownSettings({ BOOT: 'native', SLOW_CALL: '9s', TOKEN_HEAVY: '9000' })
  launcher = await launcherFor(settings, quiet)
  const proof = await runMutation(settings, quiet)
  holds = proof.holds
  verdicts = JSON.parse(proof.report('json'))
})

/** Tries the mutants on some of the cases only. Results of the check are reused. */
function tryOn(some: readonly Case[]): Promise<readonly Verdict[]> {
  const whys = new Map(
    verdicts.map((verdict) => [verdict.mutant, verdict.caught === 'by the check' ? verdict.why : '']),
  )
  const check = async ({ name }: Mutant) => whys.get(name) || undefined
  return tryMutants(launcher, readText(SHIPPED_POLICY), {
    cases: some,
    check,
    others: madeTraffic(1000),
  })
}

test('every mutant of the shipped list that decides differently is found', () => {
  assert.deepEqual(missed(verdicts), [])
  assert.ok(holds)
  const telling = verdicts.filter(({ caught }) => caught !== 'no')
  assert.ok(telling.length >= 50, `only ${telling.length} mutants change something`)
  for (const how of ['by the check', 'by a case'] as const) assert.ok(telling.some(({ caught }) => caught === how))
})

test('a mutant that changes nothing is not found: no condition can fail, so error_mode has no effect', () =>
  assert.deepEqual(
    verdicts.flatMap(({ mutant, caught }) => (caught === 'no' ? [mutant] : [])),
    (parse(readText(SHIPPED_POLICY)) as readonly { name: string; type: string }[])
      .filter(({ type }) => type === 'ottl_condition')
      .flatMap(({ name }) => [
        // Self-buys have a policy of their own, which comes first.
        ...(name === 'keep-failed-agents-and-tools' ? [`${name}: without self_buy in its list`] : []),
        `${name}: error_mode: propagate`,
      ]),
  ))

test('without the cases about calls, mutants of the policies about calls are missed, and no others', async () => {
  const isAboutCalls = ({ name, expected }: Case) =>
    /call|operation/.test(name) || expected.some(({ policy }) => policy && /calls/.test(policy))
  const left = missed(await tryOn(cases.filter((one) => !isAboutCalls(one)))).map(({ mutant }) => mutant)
  for (const mutant of [
    'left out',
    ' after keep-slow-runs',
    ': > turned into >=',
    ': a longer bound',
    ': a shorter bound',
  ])
    assert.ok(
      left.some((name) => name.startsWith('keep-slow-calls') && name.endsWith(mutant)),
      left.join(),
    )
  for (const mutant of ['keep-failed-calls left out', 'keep-self-buys after keep-failed-calls'])
    assert.ok(left.includes(mutant), left.join())
  assert.deepEqual(
    left.filter((name) => !/^keep-(slow|failed|heavy)-calls|after keep-(slow|failed|heavy)-calls/.test(name)),
    [],
  )
})

test('when the shipped list fails a case, no verdict on its mutants is given', () => {
  const turned = cases.map((one) =>
    one.name === 'a-parse-error-is-kept' ? { ...one, expected: one.expected.map((it) => ({ ...it, spans: 9 })) } : one,
  )
  return assert.rejects(
    tryOn(turned),
    /^Error: the shipped list itself fails a-parse-error-is-kept: it arrives with 4 spans, and should be whole with 9\. Repair/,
  )
})

test('when the collector cannot be started, this does not count as finding a mutant', () =>
  assert.rejects(
    tryMutants(launcher, readText(SHIPPED_POLICY), {
      cases,
      check: () => Promise.reject(new UserError('the collector could not be started')),
      others: [],
    }),
    /^Error: the collector could not be started$/,
  ))

test('when the check refuses the shipped list, no verdict on its mutants is given either', () =>
  assert.rejects(
    tryMutants(launcher, readText(SHIPPED_POLICY), { cases, check: async () => 'no.', others: [] }),
    /^Error: the check refuses the shipped list itself: no\. Repair/,
  ))
