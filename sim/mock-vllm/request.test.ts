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
  ['too many choices', { messages: hi, n: 65 }, 400, /^n: this mock gives at most 64 choices/],
  ['no choice', { messages: hi, n: 0 }, 400, /^n: /],
  ['probabilities', { messages: hi, logprobs: true, top_logprobs: 2 }, 400, /^This mock has no probabilities/],
  ['top probabilities alone', { messages: hi, top_logprobs: 2 }, 400, /`logprobs` must be set to true/],
  ['an echo', { messages: hi, echo: true }, 400, /^`echo` is not followed/],
  ['forbidden words', { messages: hi, bad_words: ['fox'] }, 400, /^`bad_words` is not followed/],
  ['functions of old', { messages: hi, functions: [{ name: 'f' }] }, 400, /^`functions` is not followed/],
  ['a tag grammar', { messages: hi, response_format: { type: 'structural_tag' } }, 400, /^`structural_tag`/],
  [
    'a schema that is missing',
    { messages: hi, response_format: { type: 'json_schema' } },
    400,
    /'json_schema' field must/,
  ],
  [
    'a schema that it cannot follow',
    { messages: hi, response_format: { type: 'json_schema', json_schema: { name: 'a', schema: { not: {} } } } },
    400,
    /features not supported by this mock: "not" is not followed\.$/,
  ],
  [
    'a picture',
    { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:' } }] }] },
    400,
    /^big is not a multimodal model: .*image_url/,
  ],
  ['a choice of tools without tools', { messages: hi, tool_choice: 'required' }, 400, /`tools` must be set/],
  [
    'a tool that is not there',
    { messages: hi, tools: [{ function: { name: 'f' } }], tool_choice: { function: { name: 'g' } } },
    400,
    /does not match any of the specified `tools`/,
  ],
  ['a share above 1', { messages: hi, top_p: 1.5 }, 400, /^top_p: /],
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

test('takes what asks for nothing, what it does not know, and the role of functions', () => {
  const nothing = {
    logprobs: false,
    top_logprobs: 0,
    echo: false,
    logit_bias: {},
    bad_words: [],
    min_tokens: 0,
    n: null,
  }
  const unknown = { top_k: 5, chat_template_kwargs: { enable_thinking: false }, parallel_tool_calls: true, store: true }
  const request = read({ messages: [...hi, { role: 'function', name: 'f', content: '1' }], ...nothing, ...unknown })
  assert.ok('body' in request, JSON.stringify(request))
  assert.deepEqual([request.choices, request.stops], [1, []])
})
