import assert from 'node:assert/strict'
import { test } from 'node:test'
import { REFUSALS, type Refusal } from '../economy/market.ts'
import type { Turn } from './decide.ts'
import { type Evaluation, evaluate, evaluateTrade } from './evaluation.ts'

const turn = (change: Partial<Turn> = {}): Turn => ({
  agent: 'fox',
  experiment: 'trade-prompt',
  variant: 'terse',
  outcome: 'accepted',
  decision: { buy: null, sell: null, mood: 0.5 },
  orders: [],
  refused: [],
  attempts: 1,
  toolCalls: 0,
  calls: [],
  ms: 1,
  ...change,
})

const refused = (...reasons: Refusal[]) =>
  turn({
    refused: reasons.map((reason) => ({ desired: { side: 'buy', good: 'honey', price: 1, quantity: 1 }, reason })),
  })

const scores = (evaluations: readonly Evaluation[]) =>
  Object.fromEntries(evaluations.map(({ name, score }) => [name, score]))

test('a turn that was read and kept to the rules passes', () => {
  assert.deepEqual(evaluate(turn()), [
    { name: 'readable', score: 1, label: 'pass', explanation: 'The first reply was read.' },
    { name: 'allowed', score: 1, label: 'pass', explanation: 'No order was refused for this.' },
    { name: 'affordable', score: 1, label: 'pass', explanation: 'No order was refused for this.' },
  ])
})

test('a turn without a decision is judged by its reading only', () => {
  assert.deepEqual(evaluate(turn({ decision: undefined, outcome: 'parse_error' })), [
    { name: 'readable', score: 0, label: 'fail', explanation: 'No reply was read: parse_error.' },
  ])
})

test('every refusal fails exactly one check: what is not allowed, or what is not affordable', () => {
  const failed = Object.fromEntries(REFUSALS.map((reason) => [reason, scores(evaluate(refused(reason)))]))
  const forbidden = { readable: 1, allowed: 0, affordable: 1 }
  const unaffordable = { readable: 1, allowed: 1, affordable: 0 }
  assert.deepEqual(failed, {
    self_buy: forbidden,
    unknown_good: forbidden,
    bad_quantity: forbidden,
    cannot_afford: unaffordable,
    nothing_to_sell: unaffordable,
  })
  assert.deepEqual(scores(evaluate(refused('self_buy', 'nothing_to_sell'))), { readable: 1, allowed: 0, affordable: 0 })
})

test('an explanation names the order and the reason, and no word of the reply', () => {
  const invented = turn({
    refused: [{ desired: { side: 'buy', good: 'my secret', price: 1, quantity: 1 }, reason: 'unknown_good' }],
  })
  assert.deepEqual(
    evaluate(invented).map(({ explanation }) => explanation),
    ['The first reply was read.', 'The buy order was refused: unknown_good.', 'No order was refused for this.'],
  )
})

test('a trade is a score without a label: an offer that nobody takes is no mistake', () => {
  assert.deepEqual(evaluateTrade(true), { name: 'traded', score: 1, explanation: 'The market took an order.' })
  assert.deepEqual(evaluateTrade(false), { name: 'traded', score: 0, explanation: 'The market took no order.' })
})
