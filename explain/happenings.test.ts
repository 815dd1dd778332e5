import assert from 'node:assert/strict'
import { test } from 'node:test'
import { COLLECTOR, EVENTS, GEN_AI, OTHER, WOODLAND } from '../vocabulary/attributes.ts'
import { type Sketch, sketched } from './sketch.ts'
import { explain } from './summary.ts'
import { textReport } from './text.ts'

const told = (spans: readonly Sketch[], agent?: string) => explain(sketched(spans), () => undefined, agent).summary
const turn = (agent: string, more: Partial<Sketch> = {}): Sketch => ({
  id: agent,
  under: 'tick',
  does: 'invoke_agent',
  agent,
  ...more,
})

test('of many failures, the text has those of the agent that is asked for', () => {
  const all = ['squirrel', 'rabbit', 'fox'].map((agent) => turn(agent, { error: 'timeout' }))
  const spans = [{ id: 'tick', does: 'invoke_workflow' }, ...all]
  assert.match(textReport(told(spans, 'fox')), /^failed +fox: timeout/m)
  assert.match(textReport(told(spans)), /^failed +squirrel: timeout/m)
})

test('a failure is told where it began, and those that were dealt with are told apart', () => {
  const { failures, turns } = told([
    { id: 'tick', does: 'invoke_workflow' },
    turn('fox', { error: 'self_buy' }),
    {
      id: 'price',
      under: 'fox',
      does: 'execute_tool',
      attributes: { [GEN_AI.TOOL_NAME]: 'price' },
      error: 'bad_arguments',
    },
    { id: 'order', under: 'fox', does: 'execute_tool', attributes: { [GEN_AI.TOOL_NAME]: 'order' }, error: 'self_buy' },
    turn('bear', { error: 'ValueError' }),
    { id: 'call', under: 'bear', does: 'chat', attributes: { [GEN_AI.REQUEST_MODEL]: 'qwen' }, error: 'APIError' },
    { id: 'POST', under: 'call', error: '500', attributes: { [OTHER.HTTP_METHOD]: 'POST' } },
    turn('owl'),
    { id: 'retried', under: 'owl', does: 'chat' },
    { id: 'lost', under: 'retried', error: '429', attributes: { [OTHER.HTTP_METHOD]: 'POST' } },
  ])
  assert.deepEqual(
    failures.map(({ agent, where, error, fatal }) => [agent, where, error, fatal]),
    [
      ['fox', 'price', 'bad_arguments', false],
      ['fox', 'order', 'self_buy', true],
      ['bear', 'qwen', 'APIError', true],
    ],
  )
  assert.deepEqual(
    turns.map(({ agent, failed }) => [agent, failed]),
    [
      ['fox', { self_buy: 1 }],
      ['bear', { ValueError: 1 }],
      ['owl', {}],
    ],
  )
})

test('a failed call is the end of a turn that its SDK does not mark, unless the agent asked again', () => {
  const failed: Sketch = { id: 'call', under: 'fox', does: 'chat', error: '500', to: 40 }
  const fatal = (spans: readonly Sketch[]) => told(spans).failures.map((failure) => failure.fatal)
  assert.deepEqual(fatal([turn('fox'), failed]), [true])
  assert.deepEqual(fatal([turn('fox'), failed, { id: 'again', under: 'fox', does: 'chat', from: 50 }]), [false])
})

test('a message of an exception is told, but not one that repeats the type', () => {
  const events = [{ name: 'exception', attributes: { 'exception.message': 'division by zero' } }]
  const { failures } = told([turn('fox', { error: 'ZeroDivisionError', events }), turn('bear', { error: 'oops' })])
  assert.deepEqual(
    failures.map(({ message }) => message),
    ['division by zero', undefined],
  )
})

test('retries, second attempts and fallbacks', () => {
  const http = { [OTHER.HTTP_METHOD]: 'POST' }
  const { retries, repeats, fallbacks } = told([
    turn('fox', {
      events: [{ name: EVENTS.FALLBACK, attributes: { [GEN_AI.REQUEST_MODEL]: 'small', [OTHER.ERROR_TYPE]: '500' } }],
    }),
    { id: 'seen', under: 'fox', does: 'chat', attributes: { [GEN_AI.REQUEST_MODEL]: 'qwen' } },
    { id: 'a', under: 'seen', error: '429', attributes: http },
    { id: 'b', under: 'seen', error: '500', attributes: http },
    { id: 'c', under: 'seen', attributes: http },
    { id: 'said', under: 'fox', does: 'chat', events: [{ name: EVENTS.RETRY }], attributes: { [WOODLAND.ATTEMPT]: 2 } },
    { id: 'once', under: 'fox', does: 'chat', attributes: { [WOODLAND.ATTEMPT]: 1 } },
    { id: 'd', under: 'once', attributes: http },
  ])
  assert.deepEqual(
    retries.map(({ tries, after }) => [tries, after]),
    [
      [3, ['429', '500']],
      [2, []],
    ],
  )
  assert.deepEqual(repeats, ['fox'])
  assert.deepEqual(fallbacks, [{ agent: 'fox', model: 'small', after: '500' }])
})

test('refusals: orders that were refused, and answers that a filter withheld', () => {
  const refused = {
    name: EVENTS.REFUSED,
    attributes: { [WOODLAND.REASON]: 'self_buy', [WOODLAND.SIDE]: 'buy', [WOODLAND.GOOD]: 'honey' },
  }
  const { refusals } = told([
    turn('bear', { events: [refused] }),
    {
      id: 'call',
      under: 'bear',
      does: 'chat',
      attributes: { [GEN_AI.REQUEST_MODEL]: 'qwen', [GEN_AI.RESPONSE_FINISH_REASONS]: ['stop', 'content_filter'] },
    },
    {
      id: 'market',
      name: 'process market',
      events: [{ ...refused, attributes: { ...refused.attributes, [GEN_AI.AGENT]: 'fox' } }],
    },
  ])
  assert.deepEqual(
    refusals.map(({ agent, where, reason, what }) => [agent, where, reason, what]),
    [
      ['bear', 'bear', 'self_buy', 'buy honey'],
      ['bear', 'qwen', 'content_filter', 'an answer'],
      ['fox', 'process market', 'self_buy', 'buy honey'],
    ],
  )
})

test('evaluations of events and of agents written by hand; a score alone is neither passed nor failed', () => {
  const event = (name: string, label?: string, score?: number) => ({
    name: EVENTS.EVALUATION,
    attributes: {
      [GEN_AI.EVALUATION_NAME]: name,
      [GEN_AI.EVALUATION_LABEL]: label,
      [GEN_AI.EVALUATION_SCORE]: score,
      [GEN_AI.EVALUATION_EXPLANATION]: 'because',
    },
  })
  const { evaluations } = told([
    turn('fox', {
      events: [
        event('allowed', 'pass', 1),
        event('tone', 'Incorrect.\n', 0.2),
        event('length', undefined, 0.7),
        event('mood', 'grumpy'),
      ],
      attributes: {
        'eval.score.task_success': 0.4,
        'eval.score.none': 'x',
        'eval.score.grounded': 0.1,
        'eval.label.grounded': 'Hallucinated',
        'eval.label.polite': 'yes',
      },
    }),
  ])
  assert.deepEqual(
    evaluations.map(({ name, label, score, passed }) => [name, label, score, passed]),
    [
      ['allowed', 'pass', 1, true],
      ['tone', 'Incorrect.\n', 0.2, false],
      ['length', undefined, 0.7, undefined],
      ['mood', 'grumpy', undefined, undefined],
      ['task_success', undefined, 0.4, undefined],
      ['grounded', 'Hallucinated', 0.1, false],
      ['polite', 'yes', undefined, true],
    ],
  )
  assert.deepEqual([evaluations[0]?.agent, evaluations[0]?.explanation], ['fox', 'because'])
})

test('what was masked is counted once, though many spans share a resource', () => {
  const spans = sketched([
    {
      id: 'tick',
      policy: 'keep-slow-calls',
      attributes: { [COLLECTOR.MASKED]: 2, a: 'to ****', b: ['****'], c: 'clear' },
    },
    {
      id: 'two',
      under: 'tick',
      policy: 'keep-slow-calls',
      attributes: { a: '**** without a count is what the sender wrote' },
    },
    {
      id: 'three',
      under: 'tick',
      attributes: { [WOODLAND.LIMIT]: 'token_count' },
      events: [{ name: 'e', attributes: { [COLLECTOR.MASKED]: 1, a: '****' } }],
    },
  ])
  const resource = { [COLLECTOR.MASKED]: 1, 'user.email': '****' }
  const { masked, policies } = explain(
    spans.map((span) => ({ ...span, resource })),
    () => undefined,
  ).summary
  assert.deepEqual(masked, { values: 4, keys: { a: 2, b: 1, 'user.email': 1 }, limits: { token_count: 1 } })
  assert.deepEqual(policies, ['keep-slow-calls'])
})

test('what was asked and answered: the last words of the user and of the model, however they are written', () => {
  const asked = {
    '[{"role":"system","parts":[{"content":"Be brief."}]},{"role":"user","parts":[{"type":"text","content":"How far?"}]}]':
      'How far?',
    '{"messages":[[{"type":"system","data":{"content":"x"}},{"type":"human","data":{"content":"How far?"}}]]}':
      'How far?',
    '{"messages":[["user","How far?"]]}': 'How far?',
    '{"prompt":"How far?"}': 'How far?',
    '{"args":["How far?"],"kwargs":{}}': 'How far?',
    'How far?': 'How far?',
    '{"tick":3}': '{"tick":3}',
    '[null, 3, [[[[[[[[1]]]]]]]]': '[null, 3, [[[[[[[[1]]]]]]]]',
  }
  for (const [input, words] of Object.entries(asked)) {
    const calls: Sketch = { id: 'call', under: 'fox', does: 'chat', attributes: { [GEN_AI.INPUT_MESSAGES]: input } }
    assert.equal(told([turn('fox'), calls]).words.asked, words)
  }
  const output = '[{"role":"assistant","parts":[{"type":"tool_call","name":"calculate"}],"finish_reason":"tool_calls"}]'
  const call: Sketch = { id: 'call', under: 'fox', does: 'chat', attributes: { [GEN_AI.OUTPUT_MESSAGES]: output } }
  assert.equal(told([turn('fox'), call]).words.answered, 'calls calculate')
})

test('of several agents, the words of the one that failed, or of the one that is asked about', () => {
  const input = (agent: string) => ({ [GEN_AI.INPUT_MESSAGES]: `I am for the ${agent}` })
  const spans: readonly Sketch[] = ['fox', 'bear', 'owl'].flatMap((agent) => [
    turn(agent, agent === 'bear' ? { error: 'x' } : {}),
    { id: `call of ${agent}`, under: agent, does: 'chat', attributes: input(agent) },
  ])
  assert.deepEqual([told(spans).wordsOf, told(spans).words.asked], ['bear', 'I am for the bear'])
  assert.deepEqual([told(spans, 'owl').wordsOf, told(spans, 'owl').words.asked], ['owl', 'I am for the owl'])
})

test('other traces that spans link to are named once each, with the span that does; links within the trace are not', () => {
  const [own, first, before] = ['a', 'b', 'c'].map((digit) => digit.repeat(32))
  assert.ok(own && first && before)
  const { summary } = explain(
    sketched([
      { id: 'again', does: 'invoke_agent', agent: 'fox', links: [first, own] },
      { id: 'call', under: 'again', does: 'chat', agent: 'fox', links: [before, first] },
    ]),
    () => 1,
  )
  assert.deepEqual(summary.linked, [
    { trace: first, from: 'again' },
    { trace: before, from: 'call' },
  ])
  assert.match(textReport(summary), new RegExp(`^linked {4}again → ${first}\\n {10}call → ${before}$`, 'm'))
  const linked = summary.linked.map((one) => ({ ...one, says: 'not kept' }))
  assert.match(textReport({ ...summary, linked }), new RegExp(`^linked {4}again → ${first}: not kept$`, 'm'))
})
