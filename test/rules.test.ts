import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { before, test } from 'node:test'
import { execa } from 'execa'
import { parse, stringify } from 'yaml'
import { parseBudgets, renderBudgetRules } from '../grafana/source/budgets.ts'
import { counted } from '../grafana/source/counting.ts'
import { renderPriceRules } from '../grafana/source/price-rules.ts'
import { parsePrices } from '../grafana/source/prices.ts'
import { build } from '../stack/native.ts'
import { ownFolder } from '../stack/own-folder.ts'
import { eventually, ownSettings, play, quiet, startStack } from '../stack/own-stack.ts'
import { prometheus } from '../stack/queries.ts'
import { writePrometheusFiles } from '../stack/services.ts'
import { ROOT, type Settings, url } from '../stack/settings.ts'

let settings: Settings
let promtool: string

before(async () => {
  settings = await ownSettings()
  promtool = (await build(settings, ['prometheus'], quiet))('promtool')
})

test('Prometheus itself finds nothing wrong with its configuration and rules', async () => {
  writePrometheusFiles(settings)
  const config = resolve(settings.state, 'prometheus/prometheus.yaml')
  const { stdout } = await execa(promtool, ['check', 'config', '--lint=all', '--lint-fatal', config])
  assert.match(stdout, /SUCCESS: .*prometheus\.yaml is valid/)
  assert.match(stdout, /SUCCESS: [1-9]\d* rules found/)
})

const FOLDER = resolve(ROOT, 'grafana/rules/test')
type Words = Readonly<Record<string, string>>
type Rules = { groups: readonly { rules: readonly { alert?: string; annotations?: Words }[] }[] }
type Expected = { exp_labels: Words; exp_annotations: Words }
type Tests = {
  rule_files: readonly string[]
  tests: readonly { alert_rule_test?: readonly { alertname: string; exp_alerts: readonly Expected[] }[] }[]
}
const yaml = <T>(file: string) => parse(readFileSync(file, 'utf8')) as T

const GRAFANA = 'http://grafana.test'
const links = new Map(
  yaml<Rules>(resolve(FOLDER, '../alerts.rules.yaml'))
    .groups.flatMap(({ rules }) => rules)
    .flatMap(({ alert, annotations = {} }) => (alert ? [[alert, annotations] as const] : [])),
)
/** What the link of an alert must be when it fires with these labels. */
const rendered = (link: string, labels: Words) =>
  link
    .replace('{{ $externalLabels.grafana }}', GRAFANA)
    .replace(/\{\{ \$labels\.(\w+) \| urlquery \}\}/g, (_, label: string) => encodeURIComponent(labels[label] ?? ''))
const linksOf = (alert: string, labels: Words) => {
  const { board = '', traces, __dashboardUid__ = '', __panelId__ = '' } = links.get(alert) ?? {}
  return {
    board: rendered(board, labels),
    ...(traces ? { traces: rendered(traces, labels) } : {}),
    __dashboardUid__,
    __panelId__,
  }
}

for (const file of readdirSync(FOLDER)) {
  test(`the rules give the results that ${file} expects`, async () => {
    // As they are written, because 0x48 is no number to promtool.
    const asWritten = { schema: 'failsafe' } as const
    const { rule_files, tests, ...rest } = parse(readFileSync(resolve(FOLDER, file), 'utf8'), asWritten) as Tests
    // What an alert says is in the file; its links are worked out here, and promtool renders them.
    const whole = {
      ...rest,
      rule_files: rule_files.map((rules) => resolve(FOLDER, rules)),
      tests: tests.map((one) => ({
        ...one,
        external_labels: { grafana: GRAFANA },
        alert_rule_test: one.alert_rule_test?.map((asked) => ({
          ...asked,
          exp_alerts: asked.exp_alerts.map(({ exp_labels, exp_annotations }) => ({
            exp_labels,
            exp_annotations: { ...exp_annotations, ...linksOf(asked.alertname, exp_labels) },
          })),
        })),
      })),
    }
    const folder = ownFolder()
    writeFileSync(join(folder, file), stringify(whole, asWritten))
    const { stdout } = await execa(promtool, ['test', 'rules', file], { cwd: folder })
    assert.match(stdout, /SUCCESS/)
  })
}

test('every alert has one test in which it fires and one in which it does not', () => {
  const rules = readdirSync(resolve(FOLDER, '..')).filter((name) => name.endsWith('.rules.yaml'))
  const alerts = rules
    .flatMap((name) => yaml<Rules>(resolve(FOLDER, '..', name)).groups)
    .flatMap((group) => group.rules.flatMap(({ alert }) => alert ?? []))
  assert.ok(alerts.length > 10)
  const tried = readdirSync(FOLDER)
    .flatMap((name) => yaml<Tests>(resolve(FOLDER, name)).tests)
    .flatMap((one) => one.alert_rule_test ?? [])
  for (const alert of alerts) {
    const cases = tried.filter(({ alertname }) => alertname === alert)
    assert.ok(
      cases.some(({ exp_alerts }) => exp_alerts.length > 0),
      `${alert} is never seen firing`,
    )
    assert.ok(
      cases.some(({ exp_alerts }) => exp_alerts.length === 0),
      `${alert} is never seen silent`,
    )
  }
})

/** Runs promtool with rules that are generated from other prices and budgets than the shipped ones. */
async function generatedSay(prices: string, budgets: string, tests: string): Promise<void> {
  const folder = ownFolder()
  writeFileSync(join(folder, 'prices.rules.yaml'), renderPriceRules(parsePrices(prices)))
  writeFileSync(join(folder, 'budgets.rules.yaml'), renderBudgetRules(parseBudgets(budgets)))
  const alerts = resolve(FOLDER, '../alerts.rules.yaml')
  const files = `rule_files: [prices.rules.yaml, budgets.rules.yaml, ${alerts}]`
  writeFileSync(
    join(folder, 'test.yaml'),
    `${files}\nevaluation_interval: 5s\ngroup_eval_order: [cost, spending]\nfuzzy_compare: true\ntests:\n${tests}`,
  )
  const { stdout } = await execa(promtool, ['test', 'rules', 'test.yaml'], { cwd: folder })
  assert.match(stdout, /SUCCESS/)
}

const tokens = (agent: string, model: string, type: string, values: string) =>
  `      - series: gen_ai_usage_tokens_total{service_name="wood",gen_ai_agent_name="${agent}",gen_ai_request_model="${model}",gen_ai_price_key="${model}",gen_ai_token_type="${type}"}
        values: ${values}
`
const LOOKING = `      - { series: 'up{job="counted"}', values: 1x4000 }
      - { series: gen_ai_catalogue_prices:count, values: 1x4000 }
`

test('a board counts a new counter exactly, and also what came before its process was started again within the range', () =>
  generatedSay(
    'models:\n  mine:\n    - { from: 2025-01-01, usd_per_hour: 3.6 }\n',
    'default: 1\n',
    `  - interval: 5s
    input_series:
      - { series: 'calls_total{agent="fox"}', values: _x12 1+10x30 1+10x30 }
      - { series: 'calls_total{agent="owl"}', values: _x12 1 7x60 }
    promql_expr_test:
      - expr: round(${counted('calls_total{agent="fox"}').replaceAll('$__range', '10m')}, 50)
        eval_time: 370s
        exp_samples: [{ labels: '{}', value: 600 }]
      - expr: ${counted('calls_total{agent="owl"}').replaceAll('$__range', '10m')}
        eval_time: 360s
        exp_samples: [{ labels: '{}', value: 7 }]
`,
  ))

test('the cost of a server by the hour is divided among the tokens of the last hour, and later ones get none of it', () =>
  generatedSay(
    'models:\n  mine:\n    - { from: 2025-01-01, usd_per_hour: 3.6 }\n',
    'default: 1\n',
    `  - interval: 5s
    start_timestamp: 2025-01-02T00:00:00Z
    input_series:
${LOOKING}${tokens('fox', 'mine', 'input', '_x12 300x30')}${tokens('fox', 'mine', 'output', '_x12 100x30')}${tokens('bear', 'mine', 'input', '_x12 600 1200x29')}
    promql_expr_test:
      - expr: agent_model:gen_ai_cost_usd_per_second:rate1m
        eval_time: 10m
        exp_samples: &shares
          - { labels: 'agent_model:gen_ai_cost_usd_per_second:rate1m{service_name="wood",gen_ai_agent_name="fox",gen_ai_request_model="mine"}', value: 0.00025 }
          - { labels: 'agent_model:gen_ai_cost_usd_per_second:rate1m{service_name="wood",gen_ai_agent_name="bear",gen_ai_request_model="mine"}', value: 0.00075 }
      - { expr: agent_model:gen_ai_cost_usd_per_second:rate1m, eval_time: 55m, exp_samples: *shares }
      - { expr: agent_model:gen_ai_cost_usd_per_second:rate1m, eval_time: 80m, exp_samples: [] }
      # From the first token to an hour after the last, five seconds later: 721 points.
      - expr: sum(sum_over_time(agent_model:gen_ai_cost_usd:increase[2h]))
        eval_time: 90m
        exp_samples: [{ labels: '{}', value: 3.605 }]
    alert_rule_test:
      - { alertname: ModelWithoutPrice, eval_time: 5m, exp_alerts: [] }
`,
  ))

test('a model whose price changes between token and hour is charged once at any time', () =>
  generatedSay(
    'models:\n  m:\n    - { from: 2025-01-01, input: 36, output: 36 }\n    - { from: 2025-01-02, usd_per_hour: 3.6 }\n    - { from: 2025-01-03, input: 72, output: 72 }\n',
    'default: 1\n',
    `  - interval: 5s
    start_timestamp: 2025-01-01T23:50:00Z
    input_series:
${LOOKING}${tokens('fox', 'm', 'input', '0+50x400')}
    promql_expr_test:
      - expr: agent_model:gen_ai_cost_usd:increase
        eval_time: 9m55s
        exp_samples: [{ labels: 'agent_model:gen_ai_cost_usd:increase{service_name="wood",gen_ai_agent_name="fox",gen_ai_request_model="m"}', value: 0.0018 }]
      - expr: agent_model:gen_ai_cost_usd:increase
        eval_time: 10m
        exp_samples: [{ labels: 'agent_model:gen_ai_cost_usd:increase{service_name="wood",gen_ai_agent_name="fox",gen_ai_request_model="m"}', value: 0.005 }]
      - { expr: 'count({__name__=~"gen_ai_price_.*"})', eval_time: 9m55s, exp_samples: [{ labels: '{}', value: 2 }] }
      - { expr: 'count({__name__=~"gen_ai_price_.*"})', eval_time: 10m, exp_samples: [{ labels: '{}', value: 1 }] }
    alert_rule_test:
      - { alertname: ModelWithoutPrice, eval_time: 10m, exp_alerts: [] }
      - { alertname: ModelWithoutPrice, eval_time: 15m, exp_alerts: [] }
`,
  ))

test('a part of the input is charged its own price and not that of the input, and reasoning is charged as output once', () =>
  generatedSay(
    'models:\n  m:\n    - { from: 2025-01-01, input: 10, output: 20, cache_read: 1, cache_creation: 12 }\n',
    'default: 1\n',
    `  - interval: 5s
    start_timestamp: 2025-01-02T00:00:00Z
    input_series:
${LOOKING}${tokens('fox', 'm', 'input', '_x24 1000000x30')}${tokens('fox', 'm', 'cache_read', '_x24 600000x30')}${tokens('fox', 'm', 'cache_creation', '_x24 100000x30')}${tokens('fox', 'm', 'output', '_x24 50000x30')}${tokens('fox', 'm', 'reasoning', '_x24 40000x30')}
    promql_expr_test:
      # 300,000 at 10, 600,000 at 1, 100,000 at 12, and 50,000 at 20 USD a million.
      - expr: sum(sum_over_time(agent_model:gen_ai_cost_usd:increase[4m]))
        eval_time: 4m
        exp_samples: [{ labels: '{}', value: 5.8 }]
    alert_rule_test:
      - { alertname: ModelWithoutPrice, eval_time: 4m, exp_alerts: [] }
`,
  ))

test('a listed agent has its own budget, any other agent the default', () =>
  generatedSay(
    'models:\n  m:\n    - { from: 2025-01-01, input: 1, output: 1 }\n',
    'default: 2\nagents: { fox: 0.5 }\n',
    `  - interval: 5s
    start_timestamp: 2025-01-02T00:00:00Z
    input_series:
${LOOKING}${tokens('fox', 'm', 'input', '0+50x60')}${tokens('bear', 'm', 'input', '0+50x60')}
    promql_expr_test:
      - expr: gen_ai_budget_usd_per_day
        eval_time: 3m
        exp_samples:
          - { labels: 'gen_ai_budget_usd_per_day{gen_ai_agent_name="fox"}', value: 0.5 }
          - { labels: 'gen_ai_budget_usd_per_day{gen_ai_agent_name="bear"}', value: 2 }
`,
  ))

/** Series that a rule names and that never exist here, each with the reason. */
const UNSEEN = new Map([
  [
    'otelcol_cumulativetodelta_datapoints_dropped',
    'only two processes that share a series without a start time have it',
  ],
  ['service:sdk_overflow:count', 'only a process with more than 500 sets of labels on one metric has it'],
  ['otelcol_exporter_enqueue_failed_spans', 'only a queue that is full has it'],
  ['otelcol_processor_tail_sampling_traces_dropped_too_large', 'no trace here has 64 MiB; test/limits.test.ts has one'],
  ['rpc_server_call_duration_count', 'everything here is sent over HTTP; test/limits.test.ts sends over gRPC'],
  [
    'agent_model:gen_ai_unpriced_tokens:increase',
    'every model here has a price; grafana/rules/test/prices.yaml has others',
  ],
  ['gen_ai_price_usd_per_hour', 'no model that ships costs by the hour; test/prices.test.ts has one'],
])

test('every series that a rule names exists in a live run, and a backend that refuses everything raises its alert', async () => {
  const free = await ownSettings({ TIME_FACTOR: '5', VLLM_PRESET: 'default' })
  // Spans for Phoenix go to Prometheus instead. It answers 404, so the exporter gives up.
  const odd = { ...free, ports: { ...free.ports, PHOENIX_PORT: free.ports.PROMETHEUS_PORT } }
  const everything = 'collector/policies/keep-everything.yaml'
  const end = await startStack(odd, everything, ['tempo', 'prometheus', 'collector', 'mock-vllm'])
  try {
    await play(odd, '--ticks', '30', '--seed', '3', '--tick-interval', '2s')
    const folder = resolve(FOLDER, '..')
    const texts = readdirSync(folder)
      .filter((name) => name.endsWith('.rules.yaml'))
      .flatMap((name) => yaml<Written>(resolve(folder, name)).groups)
      .flatMap((group) => group.rules)
    const named = new Set(texts.flatMap(({ expr }) => namesIn(expr)))
    assert.ok(named.size > 20, [...named].join())
    await eventually(async () => {
      const answer = await fetch(url(odd, 'PROMETHEUS_PORT', '/api/v1/label/__name__/values'))
      const { data } = (await answer.json()) as { data: readonly string[] }
      const absent = [...named].filter((name) => !data.includes(name))
      assert.deepEqual(absent.sort(), [...UNSEEN.keys()].sort())
    })
    await eventually(async () => {
      const firing = await prometheus(odd, 'ALERTS{alertstate="firing"}')
      const told = firing.map(({ labels }) => `${labels.alertname} ${labels.exporter}`)
      assert.deepEqual(told, ['ExportFails otlp_http/phoenix'])
    })
  } finally {
    await end()
  }
})

type Written = { groups: readonly { rules: readonly { expr: string }[] }[] }

const WORDS = /^(and|or|unless|on|by|without|group_left|offset|sum|count|max|min|absent|vector|time|rate|increase)$/
/** The series in an expression: every word that is not a keyword, function, label or text. */
const namesIn = (expr: string): readonly string[] =>
  expr
    .replace(/"(?:[^"\\]|\\.)*"/g, '')
    .replace(/\{[^}]*\}|\[[^\]]*\]/g, '')
    .replace(/\b(by|on|without|group_left) \([^)]*\)/g, '')
    .match(/(?<![\w:.])[a-z_][\w:]*(?!\w|\s*\()/g)
    ?.filter((word) => !WORDS.test(word) && !/^\d/.test(word)) ?? []
