import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { portsOfBoards, writeDashboards } from '../grafana/source/dashboards.ts'
import { servicesIn } from './compose-tiers.ts'
import { composeEnvironment } from './docker.ts'
import type { Programs } from './native.ts'
import { ownFolder } from './own-folder.ts'
import { linked, services } from './services.ts'
import { ROOT, readSettings, type Settings } from './settings.ts'

/** A stack whose Phoenix has another port than in .env. */
function moved(): Settings {
  const state = ownFolder()
  const home = join(state, 'grafana')
  for (const file of ['bin/grafana', 'conf/defaults.ini', 'public/index.html']) {
    mkdirSync(resolve(home, file, '..'), { recursive: true })
    writeFileSync(join(home, file), '')
  }
  const settings = readSettings(state)
  return { ...settings, ports: { ...settings.ports, PHOENIX_PORT: 7006 }, env: { ...settings.env, GRAFANA_HOME: home } }
}

const addressesIn = (folder: string) =>
  readdirSync(folder).flatMap((name) => readFileSync(join(folder, name), 'utf8').match(/https?:\/\/[^/"\\ ]+/g) ?? [])

test('with Phoenix on another port, every link of the boards of a native Grafana has that port', () => {
  const settings = moved()
  const programs: Programs = () => ''
  const grafana = services(settings, programs).find(({ name }) => name === 'grafana')
  const folder = grafana?.command().env.DASHBOARDS_DIR ?? ''
  assert.deepEqual(readdirSync(folder), readdirSync(resolve(ROOT, 'grafana/dashboards')))
  assert.deepEqual([...new Set(addressesIn(folder))], ['http://127.0.0.1:7006'])
})

test('Grafana in Docker reads the same folder', () => {
  const settings = moved()
  const { STACK_STATE = '' } = composeEnvironment(settings)
  const { grafana } = servicesIn()
  const mount = grafana?.volumes.find(({ target }) => target === grafana.environment.DASHBOARDS_DIR)
  const folder = (mount?.source ?? '').replace(/\$\{STACK_STATE:-[^}]+\}/, STACK_STATE)
  writeDashboards(resolve(settings.state, 'dashboards'), settings.ports)
  assert.deepEqual([...new Set(addressesIn(folder))], ['http://127.0.0.1:7006'])
})

test('without Phoenix, boards have no link to it, and make boards leaves them so', () => {
  const settings = moved()
  const folder = resolve(settings.state, 'dashboards')
  assert.equal(portsOfBoards(folder), undefined, 'nothing runs')
  writeDashboards(folder, linked(settings))
  assert.deepEqual(portsOfBoards(folder), { PHOENIX_PORT: 7006 })
  writeDashboards(folder, linked({ ...settings, env: { ...settings.env, BACKENDS: 'tempo' } }))
  assert.deepEqual(addressesIn(folder), [])
  assert.deepEqual(portsOfBoards(folder), {})
})

test('a board that was removed is also removed from the folder', () => {
  const settings = moved()
  const folder = resolve(settings.state, 'dashboards')
  writeDashboards(folder, settings.ports)
  writeFileSync(join(folder, 'old.json'), '{}')
  writeDashboards(folder, settings.ports)
  assert.ok(!readdirSync(folder).includes('old.json'))
})
