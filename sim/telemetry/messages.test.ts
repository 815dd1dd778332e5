import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChatCompletionMessageParam } from 'openai/resources/chat/completions'
import type { Answer } from '../agents/ask.ts'
import { content, inputMessages, outputMessages } from './messages.ts'

/** What Tempo is told to keep of one attribute; longer ones it cuts in the middle of our JSON. */
const TEMPO_BYTES = 16_384

const answer = (change: Partial<Answer>): Answer => ({
  id: 'id',
  model: 'big',
  text: '',
  toolCalls: [],
  finishReason: 'stop',
  inputTokens: 0,
  outputTokens: 0,
  firstChunkSeconds: 0,
  ...change,
})

const call = { id: 'call-1', name: 'calculate', arguments: '{"expression":"1+1"}' }

test('messages are written in the parts of the GenAI conventions, in order', () => {
  const messages: ChatCompletionMessageParam[] = [
    { role: 'system', content: 'You are the fox.' },
    { role: 'user', content: 'State: {}' },
    {
      role: 'assistant',
      content: null,
      tool_calls: [{ id: 'call-1', type: 'function', function: { name: 'calculate', arguments: call.arguments } }],
    },
    { role: 'tool', tool_call_id: 'call-1', content: '{"result":2}' },
  ]
  assert.deepEqual(JSON.parse(inputMessages(messages)), [
    { role: 'system', parts: [{ type: 'text', content: 'You are the fox.' }] },
    { role: 'user', parts: [{ type: 'text', content: 'State: {}' }] },
    { role: 'assistant', parts: [{ type: 'tool_call', ...call }] },
    { role: 'tool', parts: [{ type: 'tool_call_response', id: 'call-1', response: '{"result":2}' }] },
  ])
})

test('an answer is written with its finish reason, with text, tool calls, both or neither', () => {
  assert.deepEqual(JSON.parse(outputMessages(answer({ text: 'hi', toolCalls: [call] }))), [
    {
      role: 'assistant',
      parts: [
        { type: 'text', content: 'hi' },
        { type: 'tool_call', ...call },
      ],
      finish_reason: 'stop',
    },
  ])
  assert.deepEqual(JSON.parse(outputMessages(answer({ finishReason: 'length' }))), [
    { role: 'assistant', parts: [], finish_reason: 'length' },
  ])
})

test('long texts are cut so that the JSON stays valid and within what a backend keeps, in bytes', () => {
  for (const text of ['a', '"', '\\', '\n', '\u0000', 'é', '€', '🦊', '\ud83e']) {
    const long = text.repeat(50_000)
    const input = inputMessages([
      { role: 'system', content: 'short' },
      { role: 'user', content: long },
      { role: 'tool', tool_call_id: 'call-1', content: long },
    ])
    const output = outputMessages(answer({ text: long, toolCalls: [{ ...call, arguments: long }] }))
    const alone = inputMessages([{ role: 'user', content: long }])
    for (const json of [input, output, alone]) assert.ok(Buffer.byteLength(json) <= TEMPO_BYTES, JSON.stringify(text))
    const [system, user, tool] = JSON.parse(input)
    assert.equal(system.parts[0].content, 'short', 'only what is long is cut')
    assert.match(user.parts[0].content, /…$/)
    assert.match(tool.parts[0].response, /…$/)
    const [said] = JSON.parse(output)
    assert.equal(said.finish_reason, 'stop')
    assert.equal(said.parts.length, 2)
  }
})

test('a long conversation fits too: every message keeps its place', () => {
  const many = Array.from(
    { length: 60 },
    (): ChatCompletionMessageParam => ({ role: 'user', content: 'x'.repeat(9000) }),
  )
  const json = inputMessages(many)
  assert.ok(Buffer.byteLength(json) <= TEMPO_BYTES)
  assert.equal(JSON.parse(json).length, 60)
})

test('a single text is cut to the same budget, and a short one left alone', () => {
  assert.equal(content('short'), 'short')
  for (const text of ['x', '🦊', '€']) {
    const cut = content(text.repeat(20_000))
    assert.ok(Buffer.byteLength(cut) <= TEMPO_BYTES)
    assert.match(cut, /…$/)
  }
})
