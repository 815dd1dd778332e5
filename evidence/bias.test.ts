import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Span, toAttributes, traceRequest } from '../otlp/json.ts'
import { UserError } from '../workbench/user-error.ts'
import { type Cell, drawsIn, estimating, isUnbiased } from './bias.ts'

const span = (traceState: string | undefined, isError: boolean, attributes: Record<string, unknown>): Span => ({
  traceId: 'a'.repeat(32),
  ...(traceState ? { traceState } : {}),
  status: isError ? { code: 2 } : {},
  spanId: 'b'.repeat(16),
  attributes: toAttributes(attributes),
})
const turn = (traceState: string | undefined, agent: string, isError = false) =>
  span(traceState, isError, { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': agent })
const call = (traceState: string | undefined, agent: string, tokens: number) =>
  span(traceState, true, {
    'gen_ai.operation.name': 'chat',
    'gen_ai.agent.name': agent,
    'gen_ai.request.model': 'small',
    'gen_ai.usage.input_tokens': BigInt(tokens - 1),
    'gen_ai.usage.output_tokens': 1n,
  })
const line = (...spans: readonly Span[]) => Buffer.from(JSON.stringify(traceRequest(spans)))

const ONE_IN_TEN = 'ot=th:e6666666666666'
const ALL = 'ot=th:0'
const priceOf = (model: string, input: number, output: number) =>
  model === 'small' ? input * 0.01 + output : undefined

test('a kept trace counts as often as its threshold says, and its error follows from that', () => {
  const { see, of, seen } = estimating(priceOf)
  see(line(turn(ALL, 'fox', true), call(ALL, 'fox', 101)))
  see(line(turn(ONE_IN_TEN, 'fox', true), call(ONE_IN_TEN, 'fox', 201)))
  see(line(turn(ONE_IN_TEN, 'fox'), call(ONE_IN_TEN, 'fox', 50), call(ONE_IN_TEN, 'fox', 51)))
  see(line(turn(ONE_IN_TEN, 'bear')))
  const near = (given: number, wanted: number) =>
    assert.ok(Math.abs(given - wanted) < 1e-9 * wanted, `${given} for ${wanted}`)
  near(of('fox', 'turns').value, 21)
  near(of('fox', 'errors').value, 11)
  near(of('fox', 'tokens').value, 101 + 2010 + 1010)
  near(of('fox', 'USD').value, 2 + 10 * 3 + 10 * (0.99 + 1 + 0.5 + 1 - 0.5))
  // A trace that is always kept has no error. Two calls of one trace are kept or dropped together.
  near(of('fox', 'turns').error, Math.sqrt(2 * 90))
  near(of('fox', 'tokens').error, Math.sqrt(90 * (201 ** 2 + 101 ** 2)))
  assert.equal(of('owl', 'turns').value, 0)
  assert.equal(seen(), 4)
})

test('no estimate is made from a trace with two weights, or with a model without a price', () => {
  const says = (text: RegExp) => (error: unknown) => error instanceof UserError && text.test(error.message)
  assert.throws(
    () => estimating(priceOf).see(line(turn(ALL, 'fox'), call(ONE_IN_TEN, 'fox', 9))),
    says(/usetracestate/),
  )
  assert.throws(
    () => estimating(() => undefined).see(line(call(ALL, 'fox', 9))),
    says(/small has no price in grafana\/prices\.yaml/),
  )
})

/** Independent draws of one in ten, from a fixed sequence, so that the test is always the same. */
function draws(salts: number, traces: number): Uint8Array[] {
  let state = 1
  const roll = () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9
    const mixed = Math.imul(state ^ (state >>> 13), 0x297a2d39)
    return ((mixed ^ (mixed >>> 16)) >>> 0) % 10 === 0 ? 1 : 0
  }
  return Array.from({ length: salts }, () => Uint8Array.from({ length: traces }, roll))
}

test('independent salts count each; salts with the same sample count as one', () => {
  const apart = drawsIn(draws(20, 5000))
  assert.ok(Math.abs(apart.worth - 20) < 2 && apart.related === 0 && apart.pairs === 190, JSON.stringify(apart))
  const [one = new Uint8Array(), ...others] = draws(20, 5000)
  const same = drawsIn(others.map(() => one))
  assert.ok(Math.abs(same.worth - 1) < 1e-6, JSON.stringify(same))
  // A pair of salts that never keep the same trace.
  const shy = others[0]?.map((drawn, trace) => (one[trace] ? 0 : drawn)) ?? one
  assert.equal(drawsIn([one, shy, ...others.slice(1)]).related, 1)
})

test('a bias of more than one per cent, wrong intervals, and related salts each fail', () => {
  const cell: Cell = { agent: 'fox', quantity: 'turns', truth: 1000, mean: 1009, error: 3, covered: 0.95 }
  const salts = { salts: 100, worth: 100, pairs: 4950, related: 12 }
  assert.ok(isUnbiased({ cells: [cell], draws: salts }))
  assert.ok(!isUnbiased({ cells: [cell, { ...cell, mean: 989 }], draws: salts }))
  assert.ok(!isUnbiased({ cells: [{ ...cell, covered: 0.92 }], draws: salts }))
  assert.ok(!isUnbiased({ cells: [{ ...cell, covered: 0.98 }], draws: salts }))
  assert.ok(!isUnbiased({ cells: [cell], draws: { ...salts, worth: 70 } }))
})
