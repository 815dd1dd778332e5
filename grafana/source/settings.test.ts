import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'yaml'
import { generated } from './generate.ts'
import { defaultOf, fillIn, valueAt } from './settings.ts'

test('a number of the Collector is read from its file, with the default of a variable', () => {
  assert.equal(defaultOf('SLOW', 'p.yaml', `- x > Duration("\${env:SLOW:-3s}")`), '3s')
  assert.equal(valueAt('c.yaml', 'a/b', `a: { b: "\${env:WAIT:-20s}" }`), '20s')
  assert.equal(valueAt('c.yaml', 'a/b', 'x: &x { b: 5 }\na: { <<: *x }'), '5')
})

test('a number that is no longer there is named, with what to do', () => {
  assert.throws(() => defaultOf('SLOW', 'p.yaml', '- x > 3s'), /^Error: p\.yaml must read SLOW with a default.*: write/)
  assert.throws(
    () => valueAt('c.yaml', 'a/b', 'a: 1'),
    /^Error: c\.yaml must have a\.b, because .*: write it there, or/,
  )
})

test('a text takes its numbers from the settings, and leaves the templates of Prometheus alone', () => {
  assert.equal(fillIn('a.yaml', `> \${callsPerTurn} {{ $value }}`), '> 4 {{ $value }}')
  assert.throws(
    () => fillIn('a.yaml', `> \${many}`),
    /^Error: a\.yaml names \$\{many\}, which is no setting: use one of /,
  )
})

type Rules = { groups: { rules: { alert?: string; annotations?: Record<string, string> }[] }[] }

test('what Grafana shows of an alert as it is written holds no template, and detail says who and how much', () => {
  const files = [...generated()].filter(([path]) => path.endsWith('.rules.yaml'))
  const alerts = files
    .flatMap(([, text]) => (parse(text) as Rules).groups)
    .flatMap(({ rules }) => rules.filter(({ alert }) => alert))
  assert.ok(alerts.length > 10)
  for (const { alert, annotations: { summary = '', description = '', detail } = {} } of alerts) {
    for (const text of [summary, description]) assert.match(text, /^[^{}$]+$/, alert)
    if (detail) assert.match(detail, /\{\{.*\}\}/, alert)
  }
})
