import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import {
  COLLECTOR,
  DIALECTS,
  EVALUATION_LABELS,
  EVENTS,
  GEN_AI,
  LOGS,
  METRICS,
  OPENINFERENCE,
  OTHER,
  VLLM,
  WOODLAND,
} from './attributes.ts'

const ROOT = resolve(import.meta.dirname, '..')

/** Names that others set: the Collector and its files, Tempo, Prometheus, vLLM, SDKs and span metrics. */
const FOREIGN = [
  /^tailsampling\.cached_decision$/,
  /^redaction\.(masked|redacted|allowed|ignored)\.(count|keys)$/,
  /^carry\.[a-z]+$/,
  /^[<>][a-z]+>?$/,
  /^recording\.arrival$/,
  /^evaluation\.[0-3]\.(name|outcome)$/,
  /^llm(\.token_count(\.[a-z_]+)*)?$/,
  /^gen_ai\.usage\.[a-z_.]*tokens$/,
  /^gen_ai\.latency\.[a-z_]+$/,
  /^gen_ai\.(system_instructions|tool\.definitions|retrieval\.documents)$/,
  /^(shard|woodland\.apart|gen_ai\.system|otel\.(metric\.overflow|scope\.name))$/,
  /^(otelcol|tempo|prometheus|vllm|otel_sdk|traces_span_metrics|traces_kept|traces_service_graph)[a-z_:.]*/,
  /^gen_ai_(price_key|price_usd_per_token|price_usd_per_hour|budget_usd_per_day)$/,
  /^(job|instance|le|alertname|alertstate|severity|outcome|span_kind|status_code|service_name|trace_id)$/,
]

const names = [GEN_AI, WOODLAND, DIALECTS, COLLECTOR, VLLM, OPENINFERENCE, OTHER, LOGS, EVENTS].flatMap(
  (group) => Object.values(group) as string[],
)
const metrics = Object.values(METRICS) as string[]
const underscored = (name: string) => name.replaceAll('.', '_')

const isAttribute = (name: string) => names.includes(name) || FOREIGN.some((foreign) => foreign.test(name))
const isLabelOrSeries = (name: string) =>
  names.some((known) => underscored(known) === name) ||
  metrics.some((metric) => name === underscored(metric) || name.startsWith(`${underscored(metric)}_`)) ||
  FOREIGN.some((foreign) => foreign.test(name))

function used(patterns: readonly string[], ...uses: readonly RegExp[]): ReadonlyMap<string, string> {
  const files = patterns.flatMap((pattern) => globSync(pattern, { cwd: ROOT, exclude: (name) => name === 'dialects' }))
  assert.ok(files.length > 0, `no file matches ${patterns}`)
  return new Map(
    files.flatMap((file) => {
      // Links of boards hold queries with quotes and blanks escaped.
      const text = readFileSync(resolve(ROOT, file), 'utf8')
        .replaceAll('\\"', '"')
        .replaceAll(/%[0-9A-F]{2}/g, ' ')
      return uses.flatMap((use) => [...text.matchAll(use)].map(([, name]) => [name ?? '', file] as const))
    }),
  )
}

test('somebody sets every attribute that a file of the collector, a case or Tempo names', () => {
  const found = used(
    ['collector/**/*.yaml', 'evidence/**/*.yaml', 'workbench/**/*.yaml', 'grafana/tempo.yaml', 'README.md'],
    /\battributes\["([^"]+)"\]/g,
    /\{ (?:scope: (?:span|resource), )?name: ([a-z_]+(?:\.[a-z_]+)+)/g,
    /(?<=\battributes: \{[^}]*)\b([a-z_]+(?:\.[a-z_]+)+)(?=: )/g,
    /^\s+key: ([a-z_.]+)$/gm,
    /\bkey: ([a-z_]+(?:\.[a-z_]+)+)/g,
    /\b(?:span|resource|instrumentation)\.((?!attributes|name|trace_state|links|status|start_time|end_time|kind|id|trace_id|span_id|parent_span_id)[a-z_]+(?:\.[a-z_]+)+)/g,
  )
  assert.ok(found.size > 10)
  for (const [name, file] of found) assert.ok(isAttribute(name), `${file} names ${name}, which nobody sets`)
})

test('a dialect adds only attributes that this project knows, whatever it reads', () => {
  const found = used(['collector/dialects/*.yaml'], /\bset\((?:span\.)?attributes\["([^"]+)"\]/g)
  assert.ok(found.size > 20)
  for (const [name, file] of found) assert.ok(isAttribute(name), `${file} adds ${name}, which nothing reads`)
})

test('the Collector knows the labels of evaluations by the same words as everything else', () => {
  const text = (file: string) => readFileSync(resolve(ROOT, 'collector', file), 'utf8')
  const words = { passed: EVALUATION_LABELS.PASS, failed: EVALUATION_LABELS.FAIL }
  const readers = [
    ...['eval-scores', 'evaluations', 'evaluation-records'].map((name) => `dialects/${name}`),
    'labels/span-labels',
  ]
  for (const [outcome, known] of Object.entries(words)) {
    const [comment, ...lines] = text(`dialects/evaluation-${outcome}.yaml`).trimEnd().split('\n')
    assert.match(comment ?? '', /^# /)
    assert.deepEqual(lines, [...known])
    for (const reader of readers)
      assert.ok(text(`${reader}.yaml`).includes(`/dialects/evaluation-${outcome}.yaml}", "\\n"), ToLowerCase(`), reader)
  }
})

test('somebody sets every attribute in a TraceQL question', () => {
  const found = used(
    ['grafana/dashboards/*.json', 'grafana/traceql.yaml'],
    /\b(?:span|resource|instrumentation)\.([a-z_]+(?:\.[a-z_]+)+)/g,
  )
  assert.ok(found.size > 2)
  for (const [name, file] of found) assert.ok(isAttribute(name), `${file} names ${name}, which nobody sets`)
})

test('somebody exports every series and label in PromQL of the boards and rules', () => {
  const found = used(
    ['grafana/dashboards/*.json', 'grafana/rules/*.yaml', 'README.md'],
    /\b((?:gen_ai|woodland|traces|otelcol|otel_sdk|otel_log|tempo|experiment)_[a-z_]+)\b(?!:)/g,
  )
  assert.ok(found.size > 5)
  for (const [name, file] of found) {
    const rule = /^gen_ai_cost_usd_per_second$/.test(name)
    assert.ok(rule || isLabelOrSeries(name), `${file} names ${name}, which nobody exports`)
  }
})
