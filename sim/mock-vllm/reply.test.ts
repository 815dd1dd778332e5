import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Kind, ratesOf } from './faults.ts'
import { replyTo } from './reply.ts'
import { type ChatRequest, readRequest } from './request.ts'

const state = {
  ...{
    tick: 12,
    season: 'winter',
    agent: 'fox',
    produces: 'mushrooms',
    needs: ['acorns', 'honey'],
    pebbles: 10,
    mood: 0.8,
  },
  goods: { acorns: 1, berries: 3, mushrooms: 4, firewood: 3, honey: 3 },
  last_prices: { acorns: 1.2, berries: null },
}
const tools = ['recent_prices', 'calculate', 'convert_units'].map((name) => ({ type: 'function', function: { name } }))
const round = [
  { role: 'assistant', tool_calls: [{ id: 'x', function: { name: 'f', arguments: '{}' } }] },
  { role: 'tool', content: '1' },
]

function request(seed: number, more: object = {}, rounds = 0): ChatRequest {
  const messages = [{ role: 'user', content: `State: ${JSON.stringify(state)}` }, ...Array(rounds).fill(round).flat()]
  const read = readRequest(JSON.stringify({ messages, seed, user: 'fox', ...more }), ['m'], 4096)
  assert.ok('state' in read, JSON.stringify(read))
  return read
}
const always = (kind?: Kind) => ratesOf('calm', kind ? [{ kind, agent: null, rate: 1 }] : [])
const text = (seed: number, kind?: Kind, more = {}) => replyTo(request(seed, more), always(kind)).pieces.join('')
const seeds = Array.from({ length: 100 }, (_, seed) => seed)
const isDecision = (json: string) => {
  const { buy, sell, mood } = JSON.parse(json)
  assert.ok(buy.good === 'acorns' && sell.good === 'mushrooms' && mood >= 0 && mood <= 1)
}

test('decides in JSON, the same for the same body, another for another seed', () => {
  for (const seed of seeds) isDecision(text(seed))
  assert.equal(text(1), text(1))
  assert.ok(new Set(seeds.map((seed) => text(seed))).size > 50)
})

test('malformed, truncated and prose cannot be read; fenced and reasoning can', () => {
  for (const seed of seeds) {
    for (const kind of ['malformed', 'truncated', 'prose'] as const) {
      const broken = text(seed, kind)
      assert.throws(() => JSON.parse(broken))
      assert.throws(() => JSON.parse(broken.slice(broken.indexOf('{'), broken.lastIndexOf('}') + 1)), broken)
    }
    isDecision(/```json\n(.*)\n```/.exec(text(seed, 'fenced'))?.[1] ?? '')
    isDecision(/^<think>.*<\/think>\n(.*)$/.exec(text(seed, 'reasoning'))?.[1] ?? '')
  }
  assert.equal(replyTo(request(1), always('truncated')).finish, 'length')
  assert.equal(replyTo(request(1), always('prose')).finish, 'stop')
})

test('personal data is a note beside a decision that stays readable', () => {
  const leaked = text(3, 'personal_data')
  isDecision(leaked)
  assert.match(JSON.parse(leaked).note, /^For the receipt: /)
  assert.equal('note' in JSON.parse(text(3)), false)
})

test('max_tokens cuts the reply', () => {
  const reply = replyTo(request(1, { max_tokens: 7 }), always())
  assert.deepEqual([reply.pieces.length, reply.finish], [7, 'length'])
  assert.equal(replyTo(request(1, { max_tokens: 400 }), always()).finish, 'stop')
})

test('about 35 % of turns begin with a tool that was offered, a third round never comes', () => {
  const called = (rounds: number) =>
    seeds.filter((seed) => replyTo(request(seed, { tools }, rounds), always()).tool).length
  assert.ok(Math.abs(called(0) - 35) < 12, `${called(0)}`)
  assert.ok(called(1) > 5 && called(1) < 35, `${called(1)}`)
  assert.equal(called(2), 0)
  const names = seeds.map((seed) => replyTo(request(seed, { tools }), always()).tool?.name)
  assert.deepEqual(new Set(names), new Set([undefined, 'recent_prices', 'calculate', 'convert_units']))
})

test('calls no tool when the request has no tools or tool_choice is "none"; calls the tool that tool_choice names', () => {
  const calls = (more: object) => seeds.map((seed) => replyTo(request(seed, more), always()).tool?.name)
  assert.deepEqual(new Set(calls({})), new Set([undefined]))
  assert.deepEqual(new Set(calls({ tools, tool_choice: 'none' })), new Set([undefined]))
  assert.deepEqual(
    new Set(calls({ tools, tool_choice: { type: 'function', function: { name: 'calculate' } } })),
    new Set(['calculate']),
  )
  assert.equal(new Set(calls({ tools, tool_choice: 'required' })).size, 3)
})

test('tool calls can be wrong in name or arguments', () => {
  const asked = request(1, { tools, tool_choice: 'required' })
  assert.equal(replyTo(asked, always('unknown_tool')).tool?.name, 'check_weather')
  assert.throws(() => JSON.parse(replyTo(asked, always('bad_arguments')).pieces.join('')))
  for (const seed of seeds)
    JSON.parse(replyTo(request(seed, { tools, tool_choice: 'required' }), always()).pieces.join(''))
})

test('a request without a State gets a sentence, or JSON when it asks for JSON', () => {
  const messages = [{ role: 'user', content: 'Who are you?' }]
  assert.match(text(1, 'malformed', { messages }), /^I read your 1 messages; .*\.$/)
  assert.match(text(1, 'personal_data', { messages }), /^I read .* For the receipt: /)
  assert.deepEqual(JSON.parse(text(1, undefined, { messages, response_format: { type: 'json_object' } })), {
    answer: 'I am a mock.',
  })
})

test('an agent that is not one of ours calls one tool with fitting arguments, then answers', () => {
  const parameters = { type: 'object', properties: { place: { type: 'string' } }, required: ['place'] }
  const forecast = [{ type: 'function', function: { name: 'forecast', parameters } }]
  const ask = (rounds: number, more: object = {}) => {
    const messages = [{ role: 'user', content: 'How is the weather?' }, ...Array(rounds).fill(round).flat()]
    const read = readRequest(JSON.stringify({ messages, tools: forecast, ...more }), ['m'], 4096)
    assert.ok('state' in read)
    return replyTo(read, always())
  }
  const { tool, pieces, finish } = ask(0)
  assert.deepEqual([tool?.name, finish], ['forecast', 'tool_calls'])
  assert.match(pieces.join(''), /^\{"place":"[^"]+"\}$/)
  for (const answer of [ask(1), ask(0, { tool_choice: 'none' })])
    assert.deepEqual([answer.tool, answer.finish], [null, 'stop'])
})
