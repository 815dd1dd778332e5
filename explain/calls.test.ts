import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Values } from '../otlp/plain.ts'
import { DIALECTS, GEN_AI } from '../vocabulary/attributes.ts'
import { graphOf, type Price, usageOf } from './calls.ts'
import { scenesOf } from './roles.ts'
import { type Sketch, sketched } from './sketch.ts'
import { treeOf } from './tree.ts'

const called = (spans: readonly Sketch[]) => {
  const tree = treeOf(sketched(spans))
  return graphOf(tree, scenesOf(tree)).map(({ from, to, count, failed }) =>
    [`${from.name} → ${to.kind} ${to.name}`, count, ...Object.entries(failed).flat()].join(' '),
  )
}
const used = (spans: readonly Sketch[], price: Price) => usageOf(scenesOf(treeOf(sketched(spans))), price)
const model = (name: string, more: Values = {}) => ({ [GEN_AI.REQUEST_MODEL]: name, ...more })
const tool = (name: string) => ({ [GEN_AI.TOOL_NAME]: name })
const tokens = (input: number, output: number) => ({ [GEN_AI.INPUT_TOKENS]: input, [GEN_AI.OUTPUT_TOKENS]: output })

test('workflow, agents, models and tools: who called whom, how often, and what failed', () => {
  const spans: readonly Sketch[] = [
    { id: 'tick', does: 'invoke_workflow', attributes: { [GEN_AI.WORKFLOW]: 'woodland' } },
    { id: 'fox', under: 'tick', does: 'invoke_agent', agent: 'fox', error: 'self_buy' },
    { id: 'one', under: 'fox', does: 'chat', attributes: model('qwen'), error: '500' },
    { id: 'step', under: 'fox' },
    { id: 'two', under: 'step', does: 'chat', attributes: model('qwen') },
    { id: 'http', under: 'two', name: 'POST' },
    { id: 'calculate', under: 'step', does: 'execute_tool', attributes: tool('calculate') },
    { id: 'owl', under: 'fox', does: 'invoke_agent', agent: 'owl' },
    { id: 'three', under: 'owl', does: 'embeddings', attributes: model('small') },
  ]
  assert.deepEqual(called(spans), [
    'woodland → agent fox 1 self_buy 1',
    'fox → model qwen 2 500 1',
    'fox → tool calculate 1',
    'fox → agent owl 1',
    'owl → model small 1',
  ])
})

test('an agent that is a tool of another is called by the tool', () => {
  const spans: readonly Sketch[] = [
    { id: 'fox', does: 'invoke_agent', agent: 'fox' },
    { id: 'ask', under: 'fox', does: 'execute_tool', attributes: tool('ask_owl') },
    { id: 'owl', under: 'ask', does: 'invoke_agent', agent: 'owl' },
    { id: 'again', under: 'owl', does: 'execute_tool', attributes: tool('ask_owl') },
    { id: 'inner', under: 'again', does: 'invoke_agent', agent: 'owl' },
  ]
  assert.deepEqual(called(spans), [
    'the program → agent fox 1',
    'fox → tool ask_owl 1',
    'ask_owl → agent owl 2',
    'owl → tool ask_owl 1',
  ])
})

test('spans of two libraries for one turn are one turn, and for one call one call', () => {
  const spans: readonly Sketch[] = [
    { id: 'run', does: 'invoke_agent', agent: 'fox' },
    { id: 'same', under: 'run', does: 'invoke_agent', agent: 'fox' },
    { id: 'outer', under: 'same', does: 'chat', attributes: model('qwen') },
    { id: 'inner', under: 'outer', does: 'chat', attributes: model('qwen', tokens(10, 5)) },
    { id: 'alone', under: 'same', does: 'chat', attributes: model('qwen') },
    { id: 'twin', under: 'alone', does: 'chat', attributes: model('qwen') },
  ]
  assert.deepEqual(called(spans), ['the program → agent fox 1', 'fox → model qwen 2'])
  const [usage] = used(spans, () => 1)
  assert.deepEqual([usage?.calls, usage?.input, usage?.output], [2, 10, 5])
})

test('a call that another library saw beside it counts once', () => {
  const call = { under: 'run', does: 'chat', attributes: model('qwen', tokens(10, 5)) }
  const spans: readonly Sketch[] = [
    { id: 'run', does: 'invoke_agent', agent: 'fox', from: 0, to: 100 },
    { id: 'outer', from: 10, to: 50, ...call },
    { id: 'sdk', from: 12, to: 48, ...call, scopeName: 'com.anthropic.sdk.python' },
    { id: 'parallel', from: 13, to: 49, ...call },
    { id: 'other', from: 60, to: 70, ...call, scopeName: 'another' },
    {
      id: 'alone',
      from: 80,
      to: 90,
      ...call,
      attributes: model('qwen', tokens(11, 5)),
      scopeName: 'com.anthropic.sdk.python',
    },
  ]
  assert.deepEqual(called(spans), ['the program → agent fox 1', 'fox → model qwen 4'])
  assert.equal(used(spans, () => 1)[0]?.input, 41)
})

test('the agent above is nearer to the truth than the name of the service', () => {
  const guessed = { [DIALECTS.AGENT_FROM]: 'service' }
  const spans: readonly Sketch[] = [
    { id: 'run', does: 'invoke_agent', agent: 'forest', attributes: guessed },
    { id: 'fox', under: 'run', does: 'invoke_agent', agent: 'fox' },
    { id: 'call', under: 'fox', does: 'chat', agent: 'forest', attributes: model('qwen', guessed) },
  ]
  assert.deepEqual(called(spans), ['run → agent fox 1', 'fox → model qwen 1'])
  const alone: readonly Sketch[] = [{ id: 'call', does: 'chat', agent: 'forest', attributes: model('qwen', guessed) }]
  assert.deepEqual(called(alone), ['the program → agent forest 1', 'forest → model qwen 1'])
})

test('only calls count: sums on agents and workflows do not, and neither do numbers that are no tokens', () => {
  const spans: readonly Sketch[] = [
    { id: 'tick', does: 'invoke_workflow', attributes: tokens(100, 100) },
    { id: 'fox', under: 'tick', does: 'invoke_agent', agent: 'fox', attributes: tokens(100, 100) },
    { id: 'one', under: 'fox', does: 'chat', attributes: model('qwen', tokens(10, 4)) },
    {
      id: 'two',
      under: 'fox',
      does: 'chat',
      attributes: model('qwen', { ...tokens(20, 6), [GEN_AI.INPUT_TOKENS]: '20' }),
    },
  ]
  const usage = used(spans, (_, __, type) => (type === 'input' ? 2 : 3))
  assert.deepEqual(
    usage.map(({ agent, model, calls, input, output, usd }) => [agent, model, calls, input, output, usd]),
    [['fox', 'qwen', 2, 10, 10, 10 * 2 + 10 * 3]],
  )
})

test('what a cache gave is a part of the input, with a price of its own where there is one', () => {
  const spans: readonly Sketch[] = [
    {
      id: 'call',
      does: 'chat',
      agent: 'fox',
      attributes: model('qwen', {
        ...tokens(100, 10),
        [GEN_AI.CACHE_READ_TOKENS]: 60,
        [GEN_AI.CACHE_CREATION_TOKENS]: 20,
        [GEN_AI.REASONING_TOKENS]: 8,
        [GEN_AI.PROVIDER]: 'wood',
      }),
    },
  ]
  const asked: unknown[] = []
  const prices = { input: 10, output: 100, cache_read: 1, cache_creation: 12 }
  const price: Price = (name, provider, type) => {
    asked.push([name, provider])
    return prices[type]
  }
  assert.equal(used(spans, price)[0]?.usd, 20 * 10 + 60 * 1 + 20 * 12 + 10 * 100)
  assert.deepEqual(new Set(asked.map((one) => JSON.stringify(one))), new Set(['["qwen","wood"]']))
  const plain: Price = (_, __, type) => (type === 'input' || type === 'output' ? prices[type] : undefined)
  assert.equal(used(spans, plain)[0]?.usd, 100 * 10 + 10 * 100, 'without one it costs what input costs')
})

test('a model without a price has no cost, which is not zero; a call that used nothing costs nothing', () => {
  const spans: readonly Sketch[] = [{ id: 'one', does: 'chat', agent: 'fox', attributes: model('qwen', tokens(1, 1)) }]
  assert.deepEqual(
    used(spans, () => undefined).map(({ usd }) => usd),
    [undefined],
  )
  const failed: readonly Sketch[] = [{ id: 'one', does: 'chat', agent: 'fox', error: '500', attributes: model('qwen') }]
  assert.deepEqual(
    used(failed, () => undefined).map(({ usd }) => usd),
    [0],
  )
})
