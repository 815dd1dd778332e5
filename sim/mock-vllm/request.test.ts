import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readRequest } from './request.ts'
import { tokens } from './tokens.ts'

const read = (body: unknown) => readRequest(JSON.stringify(body), ['big', 'small'], 1000)
const state = {
  season: 'winter',
  agent: 'fox',
  produces: 'mushrooms',
  needs: ['honey'],
  pebbles: 10,
  mood: 0.8,
  goods: { honey: 3 },
}
const line = `It is cold.\nState: ${JSON.stringify(state)}\nDecide.`

test('tokens are the text again, about four characters each, at least one per word', () => {
  for (const text of [line, '', ' ', '\n a bc  def\t', 'naïve 🦊 words']) assert.equal(tokens(text).join(''), text)
  assert.equal(tokens('a b c d').length, 4)
  const length = tokens(line).length
  assert.ok(line.length / length > 3 && line.length / length < 4.5, `${line.length / length}`)
})

test('finds the last State line of a user message, also in parts and behind a repair', () => {
  const found = (messages: unknown[]) => {
    const request = read({ messages })
    return 'state' in request ? request.state?.agent : request
  }
  const repair = [
    { role: 'assistant', content: 'hm' },
    { role: 'user', content: 'Again, please.' },
  ]
  assert.equal(found([{ role: 'user', content: line }]), 'fox')
  assert.equal(found([{ role: 'user', content: [{ type: 'text', text: line }] }, ...repair]), 'fox')
  assert.equal(
    found([
      { role: 'system', content: line },
      { role: 'user', content: 'hi' },
    ]),
    undefined,
  )
  assert.equal(found([{ role: 'user', content: 'State: {"half":' }]), undefined)
  assert.equal(found([{ role: 'user', content: 'State: {"agent": 1}' }]), undefined)
})

test('without a model the first answers, without a seed the messages are the seed', () => {
  const request = (content: string, more = {}) => {
    const request = read({ messages: [{ role: 'user', content }], ...more })
    assert.ok('seed' in request)
    return request
  }
  assert.equal(request('hi').model, 'big')
  assert.equal(request('hi').seed, request('hi', { temperature: 1 }).seed)
  assert.notEqual(request('hi').seed, request('ho').seed)
  assert.equal(request('hi', { seed: 7 }).seed, '7')
  assert.equal(request('hi', { max_tokens: 50, max_completion_tokens: 40 }).maxTokens, 40)
})

test('counts the rounds of tool calls since the last user message', () => {
  const round = [
    {
      role: 'assistant',
      content: null,
      tool_calls: [{ id: 'x', type: 'function', function: { name: 'f', arguments: '{}' } }],
    },
    { role: 'tool', tool_call_id: 'x', content: '1' },
  ]
  const rounds = (messages: unknown[]) => {
    const request = read({ messages })
    return 'toolRounds' in request ? request.toolRounds : request
  }
  const user = { role: 'user', content: 'hi' }
  assert.equal(rounds([user]), 0)
  assert.equal(rounds([user, ...round, ...round]), 2)
  assert.equal(rounds([user, ...round, user]), 0)
})

const hi = [{ role: 'user', content: 'hi' }]
for (const [what, body, status, message] of [
  ['no messages', { messages: [] }, 400, /^messages: /],
  ['a list', [], 400, /^the body: .*expected object/],
  ['an unknown role', { messages: [{ role: 'fox' }] }, 400, /^messages.0.role: /],
  ['a fraction as seed', { messages: hi, seed: 1.5 }, 400, /^seed: must be an integer/],
  ['two choices', { messages: hi, n: 2 }, 400, /^n: this server gives one choice/],
  ['stream options without a stream', { messages: hi, stream_options: {} }, 400, /stream=True/],
  [
    'another model',
    { messages: hi, model: 'gpt' },
    404,
    /The model `gpt` does not exist\. This server has big, small\./,
  ],
  [
    'a long prompt',
    { messages: [{ role: 'user', content: 'a '.repeat(1200) }] },
    400,
    /maximum context length is 1000 tokens\..* 1205 input/,
  ],
  ['long output', { messages: hi, max_tokens: 999 }, 400, /5 input tokens plus 999 'max_tokens'/],
] as const) {
  test(`refuses ${what}`, () => {
    const problem = read(body)
    assert.ok('status' in problem)
    assert.equal(problem.status, status)
    assert.match(problem.message, message)
  })
}
