import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import {
  arrowsOf,
  askedIn,
  asksForMetrics,
  builtIn,
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

test('an edge of a node graph is an arrow with its numbers, red when something failed', () => {
  const edge = { source: 'agent fox', target: 'tool place order', mainstat: 4, secondarystat: 0.5, detail__failed: 25 }
  const [tool, service] = arrowsOf([edge, { source: 'wood', target: 'vllm', mainstat: 1.5 }], ['/min', 's'])
  assert.deepEqual(tool, {
    from: { kind: 'agent', name: 'fox' },
    to: { kind: 'tool', name: 'place order' },
    text: '4.00 /min, 0.50 s',
    says: 'fox → place order: 4.00 /min, 0.50 s, 25.00 % failed',
    failed: true,
  })
  assert.deepEqual([service?.from.name, service?.text, service?.failed], ['wood', '1.50 /min', false])
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
