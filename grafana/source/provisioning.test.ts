import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'

const room = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string) => readFileSync(`${room}/${path}`, 'utf8')

const environment: Readonly<Record<string, string>> = {
  PROMETHEUS_URL: 'http://prometheus:9090',
  TEMPO_URL: 'http://tempo:3200',
  DASHBOARDS_DIR: '/dashboards',
}

/** What Grafana does with each string of a provisioning file: split at $$, expand each part, join with $. An unset variable is empty. */
const expand = (text: string) =>
  text
    .split('$$')
    .map((part) =>
      part.replace(/\$(?:\{(\w+)\}|__env\{(\w+)\}|(\w+))/g, (_, a, b, c) => environment[a ?? b ?? c] ?? ''),
    )
    .join('$')

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }
const expanded = (value: Json): Json => {
  if (typeof value === 'string') return expand(value)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(expanded)
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, expanded(inner)]))
}
const stringsIn = (value: Json): readonly string[] =>
  typeof value === 'string'
    ? [value]
    : typeof value === 'object' && value !== null
      ? Object.values(value).flatMap(stringsIn)
      : []

test('the expansion is the one measured on Grafana', () => {
  assert.equal(expand('$TEMPO_URL'), 'http://tempo:3200')
  assert.equal(expand('x{$$__tags}'), 'x{$__tags}')
  assert.equal(expand('x{$__tags}'), 'x{}')
  assert.equal(expand('$$'.concat('{__value.raw}')), '$'.concat('{__value.raw}'))
})

for (const path of globSync('provisioning/*/*.yaml', { cwd: room })) {
  test(`${path}: nothing expands to an empty text, and every macro of Grafana is written with two dollar signs`, () => {
    const raw = stringsIn(parse(read(path)))
    for (const text of raw) {
      assert.notEqual(expand(text), '', text)
      assert.doesNotMatch(text.replaceAll('$$', ''), /\$\{?__/, text)
    }
  })
}

test('the data sources have the uids that boards and links name', () => {
  const { datasources } = expanded(parse(read('provisioning/datasources/datasources.yaml'))) as {
    datasources: { name: string; uid: string; type: string; url: string; jsonData: Record<string, Json> }[]
  }
  assert.deepEqual(
    datasources.map(({ uid, type, url }) => ({ uid, type, url })),
    [
      { uid: 'prometheus', type: 'prometheus', url: 'http://prometheus:9090' },
      { uid: 'tempo', type: 'tempo', url: 'http://tempo:3200' },
    ],
  )
  const uids = datasources.map(({ uid }) => uid)
  const named = JSON.stringify(datasources).matchAll(/"datasourceUid":"([^"]+)"/g)
  for (const [, uid] of named) assert.ok(uids.includes(uid ?? ''), uid)
})

test('Grafana lets nobody sign in as anybody, and phones no one', () => {
  const ini = read('grafana.ini')
  for (const line of [
    'http_addr = 127.0.0.1',
    'org_role = Viewer',
    'viewers_can_edit = true',
    'disable_initial_admin_creation = true',
    'disable_login_form = true',
    'reporting_enabled = false',
    'check_for_updates = false',
    'check_for_plugin_updates = false',
    'news_feed_enabled = false',
    'disable_gravatar = true',
    'preinstall_disabled = true',
  ]) {
    assert.ok(ini.split('\n').includes(line), line)
  }
})

test('each job that Prometheus scrapes has a target file for Docker, and no other file lies beside them', () => {
  type Config = { scrape_configs: { job_name: string; file_sd_configs: { files: string[] }[] }[] }
  const jobs = ['prometheus.yaml', 'scrape/collector.yaml'].flatMap(
    (file) => (parse(read(file)) as Config).scrape_configs,
  )
  const named = jobs.flatMap((job) => job.file_sd_configs.flatMap(({ files }) => files.map(inRoom)))
  assert.deepEqual(named.sort(), globSync('targets/*.yaml', { cwd: room }).sort())
  for (const {
    job_name: job,
    file_sd_configs: [first],
  } of jobs)
    assert.deepEqual(first?.files.map(inRoom), [`targets/${job}.yaml`])
})

/** Prometheus reads a path from the folder of the file that names it. */
const inRoom = (path: string) => path.replace(/^\.\.\//, '')

test('Tempo reads every address, port and path from the environment, each with a default', () => {
  const names = [...read('tempo.yaml').matchAll(/\$\{(\w+)([^}]*)\}/g)]
  for (const [text, , fallback = ''] of names) assert.match(fallback, /^:-./, text)
  assert.deepEqual([...new Set(names.map(([, name]) => name))].sort(), [
    'TEMPO_BLOCK_RETENTION',
    'TEMPO_GOSSIP_PORT',
    'TEMPO_GRPC_PORT',
    'TEMPO_LISTEN_ADDR',
    'TEMPO_LOG_LEVEL',
    'TEMPO_OTLP_ADDR',
    'TEMPO_OTLP_GRPC_PORT',
    'TEMPO_OTLP_HTTP_PORT',
    'TEMPO_PORT',
    'TEMPO_REMOTE_WRITE_URL',
    'TEMPO_STATE_DIR',
  ])
})

test('traces and metrics are kept equally long', () => {
  const prometheus = parse(read('prometheus.yaml')) as { storage: { tsdb: { retention: { time: string } } } }
  assert.ok(read('tempo.yaml').includes(`TEMPO_BLOCK_RETENTION:-${prometheus.storage.tsdb.retention.time}}`))
})
