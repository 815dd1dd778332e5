import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VLLM } from '../vocabulary/attributes.ts'
import { covered, merged, overlap } from './intervals.ts'
import { scenesOf } from './roles.ts'
import { type Sketch, sketched } from './sketch.ts'
import { criticalPath, timeOf } from './time.ts'
import { treeOf } from './tree.ts'

const spent = (spans: readonly Sketch[]) => {
  const tree = treeOf(sketched(spans))
  const path = criticalPath(tree).map(({ node, start, end }) => [node?.span.spanId, start, end])
  return { ...timeOf(tree, scenesOf(tree)), path }
}

test('intervals that overlap or touch are one, and cover no moment twice', () => {
  const some = [
    { start: 5, end: 8 },
    { start: 0, end: 3 },
    { start: 2, end: 5 },
    { start: 20, end: 21 },
  ]
  assert.deepEqual(merged(some), [
    { start: 0, end: 8 },
    { start: 20, end: 21 },
  ])
  assert.equal(covered(some), 9)
  assert.ok(overlap([{ start: 0, end: 2 }], [{ start: 1, end: 3 }]))
  assert.ok(!overlap([{ start: 0, end: 2 }], [{ start: 2, end: 3 }]), 'to touch is not to overlap')
  assert.ok(!overlap(merged(some), [{ start: 9, end: 20 }]))
})

test('the critical path goes through the child that ended last, and through the span itself where no child is', () => {
  const { path, parts, steps } = spent([
    { id: 'tick' },
    { id: 'fox', under: 'tick', agent: 'fox', does: 'invoke_agent', from: 5, to: 60 },
    { id: 'bear', under: 'tick', agent: 'bear', does: 'invoke_agent', from: 10, to: 90 },
    { id: 'call', under: 'bear', does: 'chat', from: 20, to: 70 },
    { id: 'tool', under: 'bear', does: 'execute_tool', from: 72, to: 88 },
  ])
  assert.deepEqual(path, [
    ['tick', 0, 5],
    ['fox', 5, 10],
    ['bear', 10, 20],
    ['call', 20, 70],
    ['bear', 70, 72],
    ['tool', 72, 88],
    ['bear', 88, 90],
    ['tick', 90, 100],
  ])
  assert.deepEqual(parts, { own: 34, model: 50, tool: 16 })
  assert.equal(
    steps.reduce((sum, { ms }) => sum + ms, 0),
    100,
    'the steps fill the whole trace',
  )
  assert.deepEqual(steps[0], { agent: 'bear', what: 'a model without a name', ms: 50 })
})

test('agents that work at the same time each have their own time, and none has more than the trace', () => {
  const { agents, atOnce } = spent([
    { id: 'tick' },
    { id: 'fox', under: 'tick', agent: 'fox', does: 'invoke_agent', from: 0, to: 90 },
    { id: 'bear', under: 'tick', agent: 'bear', does: 'invoke_agent', from: 10, to: 100 },
    { id: 'one', under: 'bear', does: 'chat', from: 10, to: 60 },
    { id: 'other', under: 'bear', does: 'chat', from: 40, to: 80 },
    { id: 'owl', under: 'fox', agent: 'owl', does: 'invoke_agent', from: 20, to: 40 },
  ])
  assert.deepEqual(
    agents.map(({ agent, turns, ms, modelMs }) => [agent, turns, ms, modelMs]),
    [
      ['fox', 1, 90, 0],
      ['bear', 1, 90, 70],
      ['owl', 1, 20, 0],
    ],
  )
  assert.equal(atOnce, 2, 'the fox waits for the owl, so these two are one')
})

test('time in the server of a model is split into waiting, reading and writing; the rest is the call', () => {
  const server = { [VLLM.QUEUE]: 0.02, [VLLM.PREFILL]: 0.01, [VLLM.DECODE]: 0.03 }
  const { parts } = spent([
    { id: 'turn', agent: 'fox', does: 'invoke_agent', to: 100 },
    { id: 'call', under: 'turn', does: 'chat', from: 10, to: 90 },
    { id: 'POST', under: 'call', from: 12, to: 88, attributes: { 'http.request.method': 'POST' } },
    { id: 'llm_request', under: 'POST', from: 20, to: 80, service: 'vllm', attributes: server },
  ])
  const rounded = Object.fromEntries(Object.entries(parts).map(([part, ms]) => [part, Math.round(ms * 1000) / 1000]))
  assert.deepEqual(rounded, { own: 20, model: 20, queue: 20, prefill: 10, decode: 30 })
})

test('the wait of a call between two requests is no time of the model', () => {
  const request = (id: string, from: number, to: number, error?: string): Sketch => ({
    id,
    under: 'call',
    from,
    to,
    ...(error && { error }),
    attributes: { 'http.request.method': 'POST' },
  })
  const { parts } = spent([
    { id: 'call', does: 'chat', agent: 'fox' },
    request('first', 2, 10, '429'),
    request('second', 60, 95),
  ])
  assert.deepEqual(parts, { model: 2 + 8 + 35 + 5, retry: 50 })
})

test('time that no span covers is said to be so', () => {
  const { parts } = spent([
    { id: 'one', to: 40 },
    { id: 'two', from: 60 },
  ])
  assert.deepEqual(parts, { own: 80, nothing: 20 })
})
