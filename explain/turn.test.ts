import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EVENTS, GEN_AI, OPENINFERENCE, WOODLAND } from '../vocabulary/attributes.ts'
import { type Sketch, sketched } from './sketch.ts'
import { turnReport } from './turn.ts'

const MODEL = { [GEN_AI.REQUEST_MODEL]: 'big' }
const tick: readonly Sketch[] = [
  { id: 'tick', does: 'invoke_workflow' },
  {
    id: 'fox',
    under: 'tick',
    does: 'invoke_agent',
    agent: 'fox',
    error: 'self_buy',
    attributes: { [OPENINFERENCE.INPUT]: 'a secret plan' },
  },
  { id: 'fox calls', under: 'fox', does: 'chat', agent: 'fox', to: 60, attributes: MODEL },
  {
    id: 'fox orders',
    under: 'fox',
    does: 'execute_tool',
    agent: 'fox',
    from: 60,
    error: 'self_buy',
    attributes: { [GEN_AI.TOOL_NAME]: 'place_order' },
    events: [
      {
        name: EVENTS.REFUSED,
        attributes: { [WOODLAND.REASON]: 'self_buy', [WOODLAND.GOOD]: 'honey', [WOODLAND.SIDE]: 'buy' },
      },
    ],
  },
  { id: 'bear', under: 'tick', does: 'invoke_agent', agent: 'bear', error: 'timeout' },
  { id: 'bear calls', under: 'bear', does: 'chat', agent: 'bear', error: 'timeout', attributes: MODEL },
]

test('an agent is told of its own turn alone: what failed, what was refused, whom it called', () => {
  const told = turnReport(sketched(tick), 'fox', 600) ?? ''
  assert.match(told, /^Your turn failed\. \| /)
  assert.match(told, /failed: fox: self_buy in place_order/)
  assert.match(told, /refused: fox buy honey: self_buy/)
  assert.match(told, / \| fox → big, place_order \(1 failed\)/)
  assert.doesNotMatch(told, /bear|timeout|plan|broken|USD/)
  assert.match(turnReport(sketched(tick), 'bear', 600) ?? '', /timeout/)
})

test('it is no longer than it may be', () => {
  assert.ok((turnReport(sketched(tick), 'fox', 600)?.length ?? 0) > 100)
  assert.equal(turnReport(sketched(tick), 'fox', 60)?.length, 60)
})

test('an agent without a turn in the trace is told nothing', () =>
  assert.equal(turnReport(sketched(tick), 'owl', 600), undefined))
