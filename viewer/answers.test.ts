import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import {
  askedIn,
  asksForMetrics,
  builtIn,
  flameRows,
  interpolate,
  prometheusRows,
  prometheusSeries,
  spanRows,
  tempoSeries,
  unsupported,
} from './answers.ts'

const text = (key: string, stringValue: string) => ({ key, value: { stringValue } })

test('a range query and an instant query of Prometheus become series with the names of their legend', () => {
  const metric = { gen_ai_agent_name: 'fox', le: '+Inf' }
  const [range] = prometheusSeries(
    [
      {
        metric,
        values: [
          [10, '1.5'],
          [15, 'NaN'],
          [20, '-Inf'],
        ],
      },
    ],
    '{{ gen_ai_agent_name }} p50',
  )
  assert.deepEqual(range, {
    name: 'fox p50',
    labels: metric,
    times: [10_000, 15_000, 20_000],
    values: [1.5, Number.NaN, -Infinity],
  })
  assert.deepEqual(prometheusSeries([{ metric, value: [10, '2'] }]), [
    { name: '', labels: metric, times: [10_000], values: [2] },
  ])
  assert.deepEqual(prometheusSeries([]), [])
})

test('an instant query of Prometheus becomes a table with a column for each label', () => {
  assert.deepEqual(prometheusRows([{ metric: { agent: 'fox' }, value: [10.5, '3'] }], 'Value #cost'), [
    { Time: 10_500, agent: 'fox', 'Value #cost': 3 },
  ])
})

test('TraceQL metrics keep the quotes of a label, lose them in the name, and count what is left out as zero', () => {
  const labels = [text('span.agent', 'fox')]
  const [series] = tempoSeries([{ labels, samples: [{ timestampMs: '1000' }, { timestampMs: '2000', value: 4 }] }], 0)
  assert.deepEqual(series, { name: 'fox', labels: { 'span.agent': '"fox"' }, times: [1000, 2000], values: [0, 4] })
  const [moment] = tempoSeries([{ labels: [...labels, { key: 'n', value: { intValue: '7' } }], value: 6 }], 5000)
  assert.deepEqual(moment, { name: '', labels: { 'span.agent': '"fox"', n: '7' }, times: [5000], values: [6] })
})

test('a search becomes one row for each span, with the id of its trace', () => {
  const span = { spanID: 's', startTimeUnixNano: '1795242755730000000', durationNanos: '703076225' }
  const attributes = [text('gen_ai.agent.name', 'fox'), { key: 'woodland.tokens', value: { intValue: '1057' } }]
  const rows = spanRows([
    { traceID: 't', rootTraceName: 'tick', spanSets: [{ spans: [{ ...span, attributes }, span] }] },
    { traceID: 'empty' },
  ])
  assert.equal(rows.length, 2)
  assert.deepEqual(rows[0], {
    traceIdHidden: 't',
    'Trace Service': undefined,
    'Trace Name': 'tick',
    'Span ID': 's',
    'Start time': 1_795_242_755_730,
    Name: undefined,
    'gen_ai.agent.name': 'fox',
    'woodland.tokens': 1057,
    Duration: 703_076_225,
  })
})

const span = (spanId: string, parentSpanId: string, name: string, [start, end]: [number, number], agent = '') => ({
  traceId: 'a'.repeat(32),
  spanId,
  parentSpanId,
  name,
  startTimeUnixNano: `${1_795_242_755_000_000_000n + BigInt(start)}`,
  endTimeUnixNano: `${1_795_242_755_000_000_000n + BigInt(end)}`,
  attributes: agent ? [text('gen_ai.agent.name', agent)] : [],
})

test('a flame is as wide as the time of all agents below it, each in its own colour', () => {
  const spans = [
    span('chat', 'fox', 'chat Qwen/Qwen2.5-3B', [10, 90]),
    span('tick', '', 'invoke_workflow woodland_tick', [0, 100]),
    span('fox', 'tick', 'invoke_agent fox', [0, 100], 'fox'),
    span('bear', 'tick', 'invoke_agent bear', [0, 60], 'bear'),
    span('lost', 'never stored', 'POST', [0, 5]),
  ]
  const rows = flameRows({ resourceSpans: [{ scopeSpans: [{ spans }] }] })
  assert.deepEqual(
    rows.map(({ level, label, value, self }) => [level, label, value, self]),
    [
      [0, 'trace', 165, 0],
      [1, 'no agent. invoke_workflow woodland_tick', 160, 0],
      [2, 'fox. invoke_agent', 100, 20],
      [3, 'fox. chat', 80, 80],
      [2, 'bear. invoke_agent', 60, 60],
      [1, 'no agent. POST', 5, 5],
    ],
  )
  assert.deepEqual(flameRows({}), [])
})

test('variables are replaced, and the dollar signs of PromQL stay', () => {
  const made = { ...builtIn('now-15m', 900, 5), agent: 'fox|bear' }
  const lookup = (name: string) => made[name as keyof typeof made]
  assert.equal(interpolate('x{a=~"$agent"}[$__range] by $1', lookup), 'x{a=~"fox|bear"}[900s] by $1')
  assert.equal(
    interpolate(`/d?a=\${agent:pipe}&from=\${__from}`, lookup, encodeURIComponent),
    '/d?a=fox%7Cbear&from=now-15m',
  )
  assert.equal(interpolate('[$__rate_interval]', lookup), '[20s]')
  assert.equal(builtIn('now-6h', 21_600, 60).__rate_interval, '65s')
})

test('TraceQL metrics queries are distinguished from TraceQL searches', () => {
  assert.ok(asksForMetrics('{ } | count_over_time() by (a)'))
  assert.ok(asksForMetrics('{ } | rate()'))
  assert.ok(!asksForMetrics('{ span.rate > 1 } | count() > 1'))
})

type Panel = { title: string; type: string; targets?: []; transformations?: [] }
const boards = globSync('grafana/dashboards/*.json', { cwd: resolve(import.meta.dirname, '..') }).map((file) =>
  readFileSync(resolve(import.meta.dirname, '..', file), 'utf8'),
)

test('the viewer can draw every panel of every board', () => {
  assert.ok(boards.length > 0)
  for (const board of boards)
    for (const { title, type, targets = [], transformations = [] } of JSON.parse(board).panels as Panel[])
      assert.deepEqual(unsupported(type, targets, transformations), [], title)
  assert.deepEqual(unsupported('heatmap', [{ datasource: { type: 'tempo' } }], [{ id: 'joinByField' }]), [
    'heatmap',
    'tempo traces',
    'joinByField',
  ])
})

test('every link of a board to Explore puts its query into the box', () => {
  const links = boards.flatMap((board) => board.match(/\/explore\?[^")\s]+/g) ?? [])
  assert.ok(links.length > 0)
  for (const link of links) {
    const { query, from } = askedIn(
      new URL(
        interpolate(link, () => 'x'),
        'http://viewer',
      ).search,
    )
    assert.match(query, /^\{/, link)
    assert.notEqual(from, '')
  }
  assert.deepEqual(askedIn(''), { query: '', from: 'now-1h' })
})
