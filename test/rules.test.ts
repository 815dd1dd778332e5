import assert from 'node:assert/strict'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { execa } from 'execa'
import { parse } from 'yaml'
import { build } from '../stack/native.ts'
import { type Place, ROOT } from '../stack/place.ts'
import { writePrometheusFiles } from '../stack/services.ts'
import { testPlace } from './stack.ts'

let place: Place
let promtool: string

before(async () => {
  place = await testPlace()
  promtool = (await build(place, ['prometheus'], { cancel: new AbortController().signal, say: console.error })).promtool
})
after(() => rmSync(place.state, { recursive: true, force: true }))

test('Prometheus itself finds nothing wrong with its configuration and rules', async () => {
  writePrometheusFiles(place)
  const config = resolve(place.state, 'prometheus/prometheus.yaml')
  const { stdout } = await execa(promtool, ['check', 'config', '--lint=all', '--lint-fatal', config])
  assert.match(stdout, /SUCCESS: .*prometheus\.yaml is valid/)
  assert.match(stdout, /SUCCESS: [1-9]\d* rules found/)
})

const FOLDER = resolve(ROOT, 'grafana/rules/test')
for (const file of readdirSync(FOLDER)) {
  test(`the rules say what ${file} expects of them`, async () => {
    const { stdout } = await execa(promtool, ['test', 'rules', file], { cwd: FOLDER })
    assert.match(stdout, /SUCCESS/)
  })
}

type Rules = { groups: readonly { rules: readonly { alert?: string }[] }[] }
type Tests = {
  tests: readonly { alert_rule_test?: readonly { alertname: string; exp_alerts: readonly unknown[] }[] }[]
}
const yaml = <T>(file: string) => parse(readFileSync(file, 'utf8')) as T

test('every alert is tried once where it fires and once where it is silent', () => {
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
