import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UserError } from '../../workbench/user-error.ts'
import { COSTS_HEAD, costRow, measuredCosts, measuredWaiting } from '../measured-costs.ts'
import { readSettings } from '../settings.ts'
import { type AskedPlan, PLAN_DEFAULTS, plan } from './plan.ts'

const settings = { ...readSettings(), env: { ...readSettings().env, BACKENDS: 'tempo,phoenix' } }
const asked: AskedPlan = { ...PLAN_DEFAULTS, spans: '50000/s', format: 'text' }
const planned = (more: Partial<AskedPlan>) => plan(settings, { ...asked, ...more })

test('the committed tables can be read, and a row is written as it is read', () => {
  const [first, ...others] = measuredCosts()
  assert.ok(first && others.length >= 3)
  assert.equal(costRow(first).length, COSTS_HEAD.length)
  assert.deepEqual(
    measuredWaiting().map(({ kilobytes }) => kilobytes),
    [1, 4],
  )
})

test('says how many gateways and samplers, and why', () => {
  const said = planned({})
  assert.match(said, /^50000 spans\/s in 1250\.0 traces\/s of 40 spans with 1 KB of content/)
  assert.match(said, /^gateways +\d+ +\d+\.\d cores work/m)
  assert.match(said, /^samplers +\d+ +by (?:CPU|memory|number of traces);/m)
  assert.match(said, /^USD a day +– +name your prices: CORE_USD=/m)
  assert.match(
    planned({ coreUsd: '0.04', gbUsd: '0.5' }),
    /^USD a day +\d+\.\d\d +\d+\.\d\d for \d+ cores, the rest for \d/m,
  )
})

test('the same rate in other units gives the same plan; more spans need more', () => {
  assert.equal(planned({ spans: '3000000/min' }), planned({}))
  const gateways = (said: string) => Number(/^gateways +(\d+)/m.exec(said)?.[1])
  assert.ok(gateways(planned({ spans: '100000/s' })) > gateways(planned({})))
})

test('a size beyond what was measured is said to be a guess', () => {
  assert.match(planned({ kilobytes: '64' }), /64 KB is outside of what was measured \(1 to 4 KB\)/)
  assert.doesNotMatch(planned({ kilobytes: '2' }), /outside/)
})

test('a value that is not possible is refused with its name, the rule and an example', () => {
  const refused: readonly (readonly [Partial<AskedPlan>, RegExp])[] = [
    [{ spans: '' }, /^SPANS must be a number of spans above 0 .*such as SPANS=50000\/s.*, not ""/],
    [{ spans: '50000' }, /not "50000"/],
    [{ spans: '0/s' }, /not "0\/s"/],
    [{ spans: '-5/s' }, /not "-5\/s"/],
    [{ spans: '1e9/s' }, /not "1e9\/s"/],
    [{ spans: '999999999999/s' }, /at most 100000000\/s/],
    [{ spansPerTrace: '0' }, /^SPANS_PER_TRACE must be a number/],
    [{ spansPerTrace: 'many' }, /not "many"/],
    [{ kilobytes: '0' }, /^KB must be a number above 0/],
    [{ run: '60' }, /^RUN must be how long a run takes, up to 24h, such as RUN=90s/],
    [{ run: '48h' }, /not "48h"/],
    [{ kept: '0.1' }, /^KEPT must be a share from 0% to 100%, such as KEPT=12\.5%, not "0\.1"/],
    [{ kept: '101%' }, /not "101%"/],
    [{ withoutRoot: 'x' }, /^WITHOUT_ROOT must be a share/],
    [{ coreUsd: 'cheap' }, /^CORE_USD must be a price in USD/],
    [{ gbUsd: '-1' }, /^GB_USD must be a price in USD/],
  ]
  for (const [more, rule] of refused)
    assert.throws(
      () => planned(more),
      (error) => error instanceof UserError && rule.test(error.message),
      String(rule),
    )
})
