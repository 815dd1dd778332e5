import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EVENTS } from '../../vocabulary/attributes.ts'
import { type Around, byCounts } from './by-counts.ts'
import { type Counted, CUT, type Group } from './counted.ts'
import type { Line, Name } from './line.ts'

const call: Group = {
  operation: 'chat',
  agent: 'owl',
  provider: 'openai',
  model: 'gpt-4o-mini',
  error: '',
  failed: false,
  limit: '',
  count: 4,
}
const well: Counted = {
  service: 'my-agents',
  groups: [call, { ...call, operation: 'invoke_agent', model: '', provider: '', count: 2 }],
  tokens: [
    { model: 'gpt-4o-mini', type: 'input', count: 1000 },
    { model: 'gpt-4o-mini', type: 'output', count: 50 },
    { model: 'gpt-4o-mini', type: 'cache_read', count: 10 },
  ],
  firstChunks: 0,
  agentsAbove: [],
  unpriced: [],
  logs: [],
  metrics: { series: 0, processes: 0, overflowing: 0, cut: 0 },
}
const alone: Around = { callers: [], backends: ['one', 'two'], endpoint: 'http://127.0.0.1:4318', window: '10m' }

const lines = (changed: Partial<Counted>, around: Partial<Around> = {}) =>
  new Map(byCounts({ ...well, ...changed }, { ...alone, ...around }).map((line) => [line.name, line]))
function line(name: Name, changed: Partial<Counted>, around: Partial<Around> = {}): Line {
  return lines(changed, around).get(name) ?? assert.fail(`there is no line ${name}`)
}
const is = (name: Name, changed: Partial<Counted>, around: Partial<Around> = {}) => line(name, changed, around).is

test('a service that sends all is well in every line', () => {
  assert.deepEqual([...new Set([...lines({}).values()].map(({ is }) => is))], ['ok'])
  assert.equal(line('arrives', {}).found, '6 spans in 10m, 0.6 a minute')
  assert.equal(line('operation', {}).found, 'on 6 of 6 spans: chat 4, invoke_agent 2')
  assert.equal(line('tokens', {}).found, 'input 1,000, output 50; of these cache_read 10')
})

test('without a span it is blind, whatever else arrives, and nothing else about spans is said', () => {
  const some = { groups: [], tokens: [], metrics: { series: 3, processes: 1, overflowing: 0, cut: 0 } }
  assert.equal(is('arrives', some), 'blind')
  assert.match(line('arrives', some).found, /only metrics$/)
  assert.deepEqual([...lines(some).keys()], ['arrives', 'metrics', 'labels', 'logs'])
})

test('a program without a name is told how to get one', () => {
  const { is, fix } = line('arrives', { service: 'unknown_service:python' })
  assert.deepEqual([is, fix], ['note', ['export OTEL_SERVICE_NAME=my-agents']])
  assert.equal(line('arrives', { service: CUT }).is, 'note')
})

test('without an operation it is blind, unless it takes part in runs of others', () => {
  const groups = [{ ...call, operation: '' }]
  assert.equal(is('operation', { groups, tokens: [] }), 'blind')
  assert.equal(is('model', { groups, tokens: [] }), 'blind')
  assert.equal(is('tokens', { groups, tokens: [] }), 'blind')
  for (const name of ['operation', 'model', 'tokens'] as const)
    assert.equal(is(name, { groups, tokens: [] }, { callers: ['my-other-agents'] }), 'ok')
})

test('agents without calls are blind by model and tokens, and not by operation', () => {
  const groups = [{ ...call, operation: 'invoke_agent' }]
  assert.equal(is('operation', { groups, tokens: [] }), 'ok')
  assert.equal(is('model', { groups, tokens: [] }), 'blind')
  assert.equal(is('tokens', { groups, tokens: [] }), 'blind')
})

test('no model is blind, some calls without a model or a provider are a note with the attribute to set', () => {
  assert.equal(is('model', { groups: [{ ...call, model: '' }] }), 'blind')
  const some = line('model', { groups: [call, { ...call, model: '', count: 1 }, { ...call, provider: '', count: 2 }] })
  assert.equal(some.is, 'note')
  assert.match(some.found, /1 of 7 calls name no model, 2 of 7 calls name no provider$/)
  assert.deepEqual(
    some.fix.map((one) => /"([^"]+)"/.exec(one)?.[1]),
    ['gen_ai.request.model', 'gen_ai.provider.name'],
  )
})

test('an unpriced model is blind, with the lines to paste', () => {
  const { is, fix } = line('price', { unpriced: ['gpt-6'] })
  assert.equal(is, 'blind')
  assert.deepEqual(
    [fix[1], fix[2]?.replace(/\d{4}-\d\d-\d\d/, 'DAY')],
    ['  gpt-6:', '    - { from: DAY, input: 0.00, output: 0.00 }'],
  )
})

test('no tokens on calls that went well is blind; calls that all failed have none', () => {
  assert.equal(is('tokens', { tokens: [] }), 'blind')
  assert.equal(is('tokens', { tokens: [], groups: [{ ...call, failed: true, error: 'timeout' }] }), 'note')
})

test('an error without a type is a note, whether nobody or the dialect named it', () => {
  const failed = { ...call, failed: true, error: 'timeout', count: 3 }
  assert.equal(line('errors', { groups: [failed] }).found, '3 spans failed: timeout 3')
  for (const error of ['', '_OTHER']) {
    const found = line('errors', { groups: [failed, { ...failed, error, count: 1 }] })
    assert.deepEqual([found.is, found.found], ['note', '4 spans failed, 1 without a type: timeout 3'])
  }
})

test('what was cut or impossible is a note', () => {
  const { is, found } = line('limits', { groups: [call, { ...call, limit: 'token_count', count: 1 }] })
  assert.equal(is, 'note')
  assert.match(found, /^on 1 span: a number of tokens was impossible/)
})

test('metrics of any temporality are well; an id among the labels is a note', () => {
  const metrics = { series: 12, processes: 2, overflowing: 0, cut: 0 }
  assert.equal(line('metrics', { metrics }).found, '12 series from 2 processes; deltas and totals are both added up')
  assert.equal(is('labels', { metrics }), 'ok')
  assert.equal(is('labels', { metrics: { ...metrics, overflowing: 1 } }), 'note')
  assert.equal(is('labels', { metrics: { ...metrics, cut: 1 } }), 'note')
  assert.equal(is('labels', { groups: [{ ...call, agent: CUT }] }), 'note')
})

test('log records are a note where no backend stores them', () => {
  const logs = [{ event: 'gen_ai.choice', count: 5 }]
  assert.equal(is('logs', { logs }), 'note')
  assert.match(line('logs', { logs }).fix.join(), /OTEL_LOGS_EXPORTER=none .* BACKENDS=one,two,otlp /)
  assert.equal(is('logs', { logs }, { backends: ['one', 'otlp'] }), 'ok')

  const evaluations = [{ event: EVENTS.EVALUATION, count: 2 }]
  const toPhoenix = { backends: ['phoenix', 'annotations'] }
  assert.equal(is('logs', { logs: evaluations }), 'note')
  assert.equal(is('logs', { logs: evaluations }, toPhoenix), 'ok')
  assert.match(
    line('logs', { logs: [...logs, ...evaluations] }, toPhoenix).found,
    /the others are counted and then dropped/,
  )
})
