import assert from 'node:assert/strict'
import { test } from 'node:test'
import OpenAI from 'openai'
import { newWorld, type Order } from '../economy/world.ts'
import type { Answer, Ask, Question } from './ask.ts'
import { type Models, placeOrderWith, type Turn, takeTurnWith } from './decide.ts'
import { ADVICE, RECALL, UNREADABLE } from './prompt.ts'
import { withRecall } from './recall.ts'
import { runTool, type ToolCall } from './tools.ts'

const world = newWorld(1)
const onlyOne: Models = { model: 'big', fallbackModel: undefined }
const withFallback: Models = { model: 'big', fallbackModel: 'small' }

const good = '{"buy":{"good":"honey","price":1,"quantity":1},"sell":null,"mood":0.9}'

const answer = (text: string, toolCalls: readonly ToolCall[] = []): Answer => ({
  id: 'id',
  model: 'big',
  text,
  toolCalls,
  finishReason: 'stop',
  inputTokens: 100,
  outputTokens: 20,
  firstChunkSeconds: 0.1,
})

const sum = (expression: string, id = 'call-1'): ToolCall => ({
  id,
  name: 'calculate',
  arguments: JSON.stringify({ expression }),
})

const failure = (status: number) => OpenAI.APIError.generate(status, { message: 'no' }, 'no', new Headers())

/** One turn of the fox against a model that says the lines of a script, the last one for ever. */
async function foxTurn(
  script: readonly (Answer | Error)[],
  { models = onlyOne, limit = new AbortController().signal, experiment = ADVICE, tick = 0 } = {},
): Promise<{ turn: Turn; questions: readonly Question[]; sent: readonly Order[] }> {
  const questions: Question[] = []
  const sent: Order[] = []
  let now = 0
  const ask: Ask = async (question) => {
    questions.push({ ...question, messages: [...question.messages] })
    now += 7
    const line = script[Math.min(questions.length, script.length) - 1]
    assert.ok(line)
    if (line instanceof Error) throw line
    return line
  }
  const turn = await takeTurnWith(
    {
      ask,
      useTool: withRecall(runTool, async (agent) => `the ${agent} did well`),
      placeOrder: placeOrderWith((order) => sent.push(order)),
      clock: () => now,
    },
    models,
    { rumour: undefined, experiment },
  )('fox', { ...world, tick }, limit)
  return { turn, questions, sent }
}

test('a readable reply is one attempt, one call, and its orders are sent', async () => {
  const { turn, questions, sent } = await foxTurn([answer(good)])
  assert.deepEqual(turn, {
    agent: 'fox',
    experiment: 'trade-prompt',
    variant: turn.variant,
    outcome: 'accepted',
    decision: JSON.parse(good),
    orders: sent,
    refused: [],
    attempts: 1,
    toolCalls: 0,
    calls: [{ attempt: 1, model: 'big', outcome: 'ok', inputTokens: 100, outputTokens: 20, ms: 7 }],
    ms: 7,
  })
  assert.deepEqual(sent, [
    { id: '0-fox-buy', tick: 0, agent: 'fox', side: 'buy', good: 'honey', price: 100, quantity: 1 },
  ])
  assert.deepEqual(
    questions.map(({ attempt, model, mayUseTools, fallbackAfter }) => [attempt, model, mayUseTools, fallbackAfter]),
    [[1, 'big', true, undefined]],
  )
})

test('after an unreadable reply it asks once more, showing the reply and what was wrong', async () => {
  const { turn, questions } = await foxTurn([answer('honey please'), answer(good)])
  assert.deepEqual([turn.outcome, turn.attempts], ['accepted', 2])
  assert.deepEqual(
    turn.calls.map(({ attempt }) => attempt),
    [1, 2],
  )
  const [first, second] = questions
  assert.deepEqual(second?.messages, [
    ...(first?.messages ?? []),
    { role: 'assistant', content: 'honey please' },
    { role: 'user', content: UNREADABLE },
  ])
  assert.notEqual(first?.seed, second?.seed, 'the same seed would draw the same nonsense')
})

test('two unreadable replies are a parse_error, and nothing is ordered', async () => {
  const { turn, questions, sent } = await foxTurn([answer('')])
  assert.deepEqual([turn.outcome, turn.attempts, turn.decision, turn.orders], ['parse_error', 2, undefined, []])
  assert.deepEqual([questions.length, sent], [2, []])
})

test('the result of a tool goes back to the model, an error too', async () => {
  const { turn, questions } = await foxTurn([
    answer('Let me see.', [sum('2*3'), { id: 'call-2', name: 'dowse', arguments: '{}' }]),
    answer(good),
  ])
  assert.deepEqual([turn.outcome, turn.toolCalls, turn.attempts], ['accepted', 2, 1])
  const [said, first, second] = questions[1]?.messages.slice(-3) ?? []
  assert.ok(said?.role === 'assistant' && said.tool_calls?.length === 2)
  assert.deepEqual(first, { role: 'tool', tool_call_id: 'call-1', content: '{"result":6}' })
  assert.ok(second?.role === 'tool' && second.tool_call_id === 'call-2')
  assert.match(String(second.content), /no tool \\"dowse\\"/)
})

test('after five rounds of tools it must decide without', async () => {
  const rounds = Array.from({ length: 5 }, (_, n) => answer('', [sum(`${n}+1`, `call-${n}`)]))
  const { turn, questions } = await foxTurn([...rounds, answer(good)])
  assert.deepEqual([turn.outcome, turn.toolCalls], ['accepted', 5])
  assert.deepEqual(
    questions.map(({ mayUseTools }) => mayUseTools),
    [true, true, true, true, true, false],
  )
})

test('an agent of the arm that may recalls its last turn once, and of the other arm never', async () => {
  const recall: ToolCall = { id: 'call-1', name: 'recall_last_turn', arguments: '{}' }
  const turns = await Promise.all(
    Array.from({ length: 20 }, (_, tick) =>
      foxTurn([answer('', [recall]), answer('', [{ ...recall, id: 'call-2' }]), answer(good)], {
        experiment: RECALL,
        tick,
      }),
    ),
  )
  const byArm = Map.groupBy(turns, ({ turn }) => turn.variant)
  assert.deepEqual([...byArm.keys()].sort(), ['with-recall', 'without-recall'])
  for (const [arm, all] of byArm)
    for (const { questions } of all) {
      const told = questions[2]?.messages.flatMap(({ role, content }) => (role === 'tool' ? [String(content)] : []))
      assert.equal(questions.filter(({ mayRecall }) => mayRecall).length, arm === 'with-recall' ? 1 : 0)
      assert.equal(told?.[0]?.includes('the fox did well'), arm === 'with-recall')
      assert.match(String(told?.[1]), /no tool \\"recall_last_turn\\"/)
    }
})

test('a model that never stops calling tools gets five rounds a turn, not five for each attempt', async () => {
  const { turn, questions } = await foxTurn([answer('', [sum('1+1')])])
  assert.deepEqual([turn.outcome, turn.toolCalls, questions.length], ['parse_error', 5, 7])
})

test('when the model fails the fallback takes over for the rest of the turn, and that is said once', async () => {
  const { turn, questions } = await foxTurn([failure(500), answer('', [sum('1+1')]), answer('what?'), answer(good)], {
    models: withFallback,
  })
  assert.equal(turn.outcome, 'accepted')
  assert.deepEqual(
    questions.map(({ model, attempt, fallbackAfter }) => [model, attempt, fallbackAfter]),
    [
      ['big', 1, undefined],
      ['small', 1, '500'],
      ['small', 1, undefined],
      ['small', 2, undefined],
    ],
  )
  assert.deepEqual(
    turn.calls.map(({ model, outcome, inputTokens }) => [model, outcome, inputTokens]),
    [
      ['big', '500', 0],
      ['small', 'ok', 100],
      ['small', 'ok', 100],
      ['small', 'ok', 100],
    ],
  )
})

test('when the fallback fails too the turn ends with its error', async () => {
  const { turn, questions } = await foxTurn([failure(500), failure(503)], { models: withFallback })
  assert.deepEqual([turn.outcome, turn.attempts, questions.length], ['503', 1, 2])
  assert.deepEqual(
    turn.calls.map(({ outcome }) => outcome),
    ['500', '503'],
  )
})

test('without another model there is nothing to fall back to', async () => {
  for (const models of [onlyOne, { model: 'big', fallbackModel: 'big' }]) {
    const { turn, questions } = await foxTurn([failure(429)], { models })
    assert.deepEqual([turn.outcome, questions.length], ['429', 1])
  }
})

test('the time limit ends the turn as a timeout, whatever was thrown, and no fallback is asked', async () => {
  const limit = new AbortController()
  let asked = 0
  const turn = await takeTurnWith(
    {
      ask: ({ signal }) => {
        asked++
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(new OpenAI.APIUserAbortError()))
          limit.abort()
        })
      },
      useTool: () => assert.fail('no tool was called'),
      placeOrder: () => assert.fail('nothing was answered'),
      clock: () => 0,
    },
    withFallback,
    { rumour: undefined, experiment: ADVICE },
  )('fox', world, limit.signal)
  assert.deepEqual([turn.outcome, turn.decision, asked], ['timeout', undefined, 1])
  assert.deepEqual(
    turn.calls.map(({ outcome }) => outcome),
    ['timeout'],
  )
  const late = await foxTurn([new TypeError('terminated')], { models: withFallback, limit: AbortSignal.abort() })
  assert.deepEqual([late.turn.outcome, late.questions.length], ['timeout', 1])
})

test('the outcome of a turn is the reason for which an order was refused', async () => {
  const side = (name: string, price: number, quantity: number) => ({ good: name, price, quantity })
  const mistakes: Record<string, object> = {
    self_buy: { buy: side('mushrooms', 1, 1) },
    cannot_afford: { buy: side('honey', 11, 1) },
    nothing_to_sell: { sell: side('honey', 1, 4) },
    unknown_good: { buy: side('truffles', 1, 1) },
    bad_quantity: { sell: side('honey', 1, 1.5) },
  }
  for (const [reason, orders] of Object.entries(mistakes)) {
    const { turn, questions, sent } = await foxTurn([answer(JSON.stringify({ ...orders, mood: 0.5 }))])
    assert.deepEqual([turn.outcome, turn.refused[0]?.reason, sent, questions.length], [reason, reason, [], 1])
    assert.equal(turn.decision?.mood, 0.5, 'a refused decision was still read')
  }
})

test('prices are rounded to hundredths of a pebble, and nothing is free', () => {
  const sent: Order[] = []
  const place = placeOrderWith((order) => sent.push(order))
  for (const price of [0.29, 1.006, 1.0049, 0.001, 10]) {
    place(JSON.stringify({ buy: { good: 'honey', price, quantity: 1 }, mood: 0.5 }), 'fox', world, 1)
  }
  assert.deepEqual(
    sent.map(({ price }) => price),
    [29, 101, 100, 1, 1000],
  )
  const tooMuch = place('{"buy":{"good":"honey","price":10.006,"quantity":1},"mood":0.5}', 'fox', world, 1)
  assert.ok(tooMuch.readable && tooMuch.refused[0]?.reason === 'cannot_afford')
})

test('one side refused leaves the other standing', () => {
  const sent: Order[] = []
  const reply =
    '{"buy":{"good":"mushrooms","price":1,"quantity":1},"sell":{"good":"mushrooms","price":2,"quantity":3},"mood":1}'
  const placement = placeOrderWith((order) => sent.push(order))(reply, 'fox', world, 1)
  assert.ok(placement.readable)
  assert.deepEqual(placement.refused, [
    { desired: { side: 'buy', good: 'mushrooms', price: 100, quantity: 1 }, reason: 'self_buy' },
  ])
  assert.deepEqual(
    sent.map(({ id, price, quantity }) => [id, price, quantity]),
    [['0-fox-sell', 200, 3]],
  )
  assert.deepEqual(placement.orders, sent)
})
