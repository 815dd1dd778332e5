import assert from 'node:assert/strict'
import { readdirSync, rmSync } from 'node:fs'
import { resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { execa } from 'execa'
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
