import assert from 'node:assert/strict'
import { test } from 'node:test'
import { logsRequest, type Span, toAttributes, traceRequest } from '../otlp/json.ts'
import { EVENTS, GEN_AI, OTHER } from '../vocabulary/attributes.ts'
import { annotationsOf, annotationsOfRecords } from './annotations.ts'

const TRACE = 'a'.repeat(32)
const SPAN = 'b'.repeat(16)
/** As JSON, because undefined fields are not sent. */
const sent = (value: unknown) => JSON.parse(JSON.stringify(value))

const of = (span: Partial<Span>) => sent(annotationsOf(traceRequest([{ traceId: TRACE, spanId: SPAN, ...span }])))
const event = (values: Readonly<Record<string, unknown>>, name: string = EVENTS.EVALUATION) => ({
  name,
  attributes: toAttributes(values),
})

test('each evaluation event of a span becomes an annotation of it, with whose run it was', () => {
  const events = [
    event({
      [GEN_AI.EVALUATION_NAME]: 'allowed',
      [GEN_AI.EVALUATION_SCORE]: 0n,
      [GEN_AI.EVALUATION_LABEL]: 'fail',
      [GEN_AI.EVALUATION_EXPLANATION]: 'self_buy',
      [GEN_AI.AGENT]: 'fox',
      [GEN_AI.PROMPT_VERSION]: '2',
      [OTHER.VARIANT]: 'careful',
      'woodland.evaluation.outcome': 'fail',
    }),
    event({ [GEN_AI.EVALUATION_NAME]: 'other' }, 'exception'),
  ]
  assert.deepEqual(of({ events }), [
    {
      span_id: SPAN,
      name: 'allowed',
      annotator_kind: 'CODE',
      identifier: 'fox',
      result: { label: 'fail', score: 0, explanation: 'self_buy' },
      metadata: { agent: 'fox', prompt_version: '2', arm: 'careful', outcome: 'fail' },
    },
  ])
})

test('one evaluation of several agents on one span stays several annotations', () => {
  const traded = (agent: string) => event({ [GEN_AI.EVALUATION_NAME]: 'traded', [GEN_AI.AGENT]: agent })
  const found = annotationsOf(traceRequest([{ traceId: TRACE, spanId: SPAN, events: [traded('fox'), traded('bear')] }]))
  assert.equal(new Set(found.map(({ name, identifier }) => `${name} ${identifier}`)).size, 2)
})

test('what Phoenix would refuse is sent in another way: a missing name, its own name, a score that is no number', () => {
  const events = [
    event({ [GEN_AI.EVALUATION_LABEL]: 'pass' }),
    event({ [GEN_AI.EVALUATION_NAME]: 'note' }),
    event({ [GEN_AI.EVALUATION_NAME]: 'odd', [GEN_AI.EVALUATION_SCORE]: Number.NaN }),
    event({ [GEN_AI.EVALUATION_NAME]: 'text', [GEN_AI.EVALUATION_SCORE]: 'high' }),
  ]
  assert.deepEqual(
    of({ events }).map(({ name, result }: { name: string; result: unknown }) => [name, result]),
    [
      ['unnamed', { label: 'pass' }],
      ['note (evaluation)', {}],
      ['odd', {}],
      ['text', {}],
    ],
  )
})

test('attributes of agents written by hand: a score for each name, and its label', () => {
  const attributes = toAttributes({
    'eval.score.task_success': 0.4,
    'eval.label.task_success': 'fail',
    'eval.score.tone': 1n,
    'eval.score.none': 'x',
    [GEN_AI.AGENT]: 'fox',
  })
  assert.deepEqual(
    of({ attributes }).map((one: Record<string, unknown>) => [one.name, one.result, one.identifier]),
    [
      ['task_success', { label: 'fail', score: 0.4 }, 'fox'],
      ['tone', { score: 1 }, 'fox'],
    ],
  )
})

test('log records: of a span, of a whole trace, and what belongs to nothing', () => {
  const record = (more: object, values: Readonly<Record<string, unknown>> = {}) => ({
    attributes: toAttributes({ [GEN_AI.EVALUATION_NAME]: 'thumbs', ...values }),
    ...more,
  })
  const logRecords = [
    record({ eventName: EVENTS.EVALUATION, traceId: TRACE, spanId: SPAN }, { 'woodland.evaluation.by': 'HUMAN' }),
    record({ traceId: TRACE }, { 'event.name': EVENTS.EVALUATION, 'woodland.evaluation.by': 'somebody' }),
    record({ eventName: EVENTS.EVALUATION }),
    record({ eventName: 'gen_ai.user.message', traceId: TRACE, spanId: SPAN }),
  ]
  const found = annotationsOfRecords(logsRequest(logRecords))
  assert.deepEqual(
    found.map((one) => ['span_id' in one ? one.span_id : one.trace_id, one.annotator_kind]),
    [
      [SPAN, 'HUMAN'],
      [TRACE, 'CODE'],
    ],
  )
})
