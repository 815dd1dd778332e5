import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { biasIn, type Cell, type Draws } from '../evidence/bias.ts'
import { runBias } from '../stack/commands/bias.ts'
import { ownSettings, quiet } from '../stack/own-stack.ts'
import type { Settings } from '../stack/settings.ts'

const FEW = { seed: 3, traces: 3000, salts: 20 }

type Told = { cells: readonly Cell[]; coverage: number; draws: Draws }

let settings: Settings

before(async () => {
  settings = await ownSettings({ BOOT: 'native' })
})

test('counts, errors, tokens and cost by agent can be estimated from kept traces alone', async () => {
  const { cells, coverage, draws } = JSON.parse((await runBias(settings, FEW, quiet)).report('json')) as Told
  assert.equal(cells.length, 20)
  for (const cell of cells) {
    const { agent, quantity, truth, mean, error } = cell
    assert.ok(truth > 0 && error > 0, `${agent} ${quantity}`)
    // Of twenty cells one in a million lies five standard errors off by chance.
    assert.ok(Math.abs(mean - truth) < 5 * error, `${agent} ${quantity}: ${mean} for ${truth}, ± ${error}`)
  }
  assert.ok(coverage > 0.85 && coverage <= 1, `${coverage} of the intervals hold the truth`)
  assert.ok(draws.worth > 0.8 * FEW.salts, `${FEW.salts} salts are worth ${draws.worth}`)
})

test('without weights, the estimates from kept traces are far too low', async () => {
  const { report, holds } = await runBias(settings, { ...FEW, salts: 3 }, quiet, () => 1)
  assert.ok(!holds)
  for (const cell of (JSON.parse(report('json')) as Told).cells)
    assert.ok(biasIn(cell) < -0.2, `${cell.agent} ${cell.quantity}`)
})
