import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChatCompletionMessageParam } from 'openai/resources/chat/completions'
import type { Answer } from '../agents/ask.ts'
import { inputMessages, outputMessages } from './messages.ts'

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

test('a long text is whole, whatever it is made of', () => {
  for (const text of ['a', '"', '\\', '\n', '\u0000', 'é', '🦊', '\ud83e']) {
    const long = text.repeat(50_000)
    const [asked] = JSON.parse(inputMessages([{ role: 'user', content: long }]))
    assert.equal(asked.parts[0].content, long)
    const [said] = JSON.parse(outputMessages(answer({ text: long, toolCalls: [{ ...call, arguments: long }] })))
    assert.deepEqual([said.parts[0].content, said.parts[1].arguments], [long, long])
  }
})
