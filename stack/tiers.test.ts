import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { COLLECTOR } from '../vocabulary/attributes.ts'
import { links } from './commands/up.ts'
import { ownFolder } from './own-folder.ts'
import { collectorOverlays } from './receiver-options.ts'
import { services, writePrometheusFiles } from './services.ts'
import { COLLECTOR_PORTS, ROOT, readSettings, type Settings } from './settings.ts'
import { collectors, judges, receivers, samplersOf } from './tiers.ts'

const shipped = readSettings(ownFolder())
const settings = (env: Record<string, string>): Settings => ({ ...shipped, env: { ...shipped.env, TIERS: '', ...env } })
const tiers = settings({ TIERS: '2x3' })

test('without TIERS there is one collector, with the ports of the stack; TIERS=no says so', () => {
  for (const one of [settings({}), settings({ TIERS: 'no' })]) {
    assert.deepEqual(collectors(one), [{ name: 'collector', settings: one }])
    assert.deepEqual([judges(one), receivers(one)], [collectors(one), collectors(one)])
  }
})

test('TIERS=2x3 is two gateways and three samplers; the first gateway has the ports of the stack, and no port is used twice', () => {
  const all = collectors(tiers)
  assert.deepEqual(
    all.map(({ name, tier }) => [name, tier]),
    [
      ['gateway-1', 'gateway'],
      ['gateway-2', 'gateway'],
      ['sampler-1', 'sampler'],
      ['sampler-2', 'sampler'],
      ['sampler-3', 'sampler'],
    ],
  )
  assert.equal(all[0]?.settings.ports, tiers.ports)
  const largest = collectors(settings({ TIERS: '9x9' })).slice(1)
  const ports = [
    ...Object.values(shipped.ports),
    ...largest.flatMap(({ settings: { ports } }) => COLLECTOR_PORTS.map((name) => ports[name])),
  ]
  // TIERS_PORT is the first port of the second gateway.
  assert.equal(new Set(ports).size, ports.length - 1)
})

test('a TIERS of another form is refused with the rule', () => {
  for (const size of ['2', '0x3', '2x', '10x3', '2x3x4', 'yes', '2X3'])
    assert.throws(() => collectors(settings({ TIERS: size })), new RegExp(`such as TIERS=2x3, not "${size}"`), size)
})

test('what would send or record unmasked or partial data is refused', () => {
  assert.throws(() => collectorOverlays(settings({ TIERS: '2x3', VOLUME: 'high' })), /TIERS and VOLUME=high cannot/)
  assert.throws(() => collectorOverlays(settings({ TIERS: '2x3', RECORD: 'yes' })), /TIERS and RECORD=yes cannot/)
})

test('gateways load no backend, samplers load all, each its overlay last, and every gateway knows every sampler', () => {
  const started = services(tiers, (name) => name).filter(({ name }) => /^(gateway|sampler)-\d$/.test(name))
  assert.equal(started.length, 5)
  for (const { name, command } of started) {
    const { file, args, env } = command()
    const files = args.filter((word) => word.endsWith('.yaml')).map((path) => path.replace(`${ROOT}/`, ''))
    const isGateway = name.startsWith('gateway')
    assert.equal(file, 'otelcol-tiers')
    assert.deepEqual(
      files.filter((path) => path.includes('/backends/')),
      isGateway ? [] : ['collector/backends/tempo.yaml', 'collector/backends/phoenix.yaml'],
    )
    assert.ok(files.includes(`collector/overlays/${isGateway ? 'gateway' : 'sampler'}.yaml`))
    assert.equal(env.COLLECTOR_NAME, name)
    assert.equal(env.QUEUE_DIR, resolve(shipped.state, 'data', name))
    assert.equal(env.SAMPLERS, isGateway ? samplersOf(tiers) : undefined)
    assert.equal(env.SAMPLER_QUEUES, isGateway ? 'true' : undefined)
  }
  const first = judges(tiers)[0]?.settings.ports.OTLP_GRPC_PORT
  assert.equal(JSON.parse(samplersOf(tiers)).static.hostnames[0], `127.0.0.1:${first}`)
})

test('with a certificate, agents reach gateways over TLS, and gateways reach samplers on this machine without', () => {
  const file = resolve(ROOT, 'package.json')
  const safe = settings({ TIERS: '1x1', OTLP_TLS_CERT: file, OTLP_TLS_KEY: file })
  assert.ok(collectorOverlays(safe, 'gateway').includes('collector/overlays/tls.yaml'))
  assert.ok(!collectorOverlays(safe, 'sampler').includes('collector/overlays/tls.yaml'))
})

test('make up says where each gateway receives, and that it is over TLS', () => {
  const file = resolve(ROOT, 'package.json')
  for (const [scheme, certificate] of [
    ['http', {}],
    ['https', { OTLP_TLS_CERT: file, OTLP_TLS_KEY: file }],
  ] as const) {
    const two = settings({ TIERS: '2x1', ...certificate })
    const said = links(two, 'docker').match(/^OTLP .*$/gm)
    const ports = receivers(two).map((one) => one.settings.ports.OTLP_HTTP_PORT)
    assert.deepEqual(
      said?.map((line) => line.split(/ +/)[1]),
      ports.map((port) => `${scheme}://127.0.0.1:${port}`),
    )
  }
})

test('the lists for Kubernetes name every dialect, label, limit, policy, pattern, board and rule', () => {
  for (const [room, part] of [
    ['collector', '{dialects,labels,limits,policies,privacy}/*.yaml'],
    ['grafana', '{dashboards/*.json,rules/*.yaml}'],
  ] as const) {
    type Lists = { configMapGenerator: { files: string[] }[] }
    const lists: Lists = parse(readFileSync(resolve(ROOT, room, 'kustomization.yaml'), 'utf8'))
    const named = lists.configMapGenerator.flatMap(({ files }) => files)
    for (const file of globSync(part, { cwd: resolve(ROOT, room) }))
      assert.ok(named.includes(file), `${room}/kustomization.yaml does not name ${file}`)
  }
})

test('Prometheus scrapes three pages of each, and each has the name of its collector on all of them', () => {
  writePrometheusFiles(tiers)
  const targets = (job: string) => parse(readFileSync(resolve(shipped.state, `prometheus/targets/${job}.yaml`), 'utf8'))
  for (const job of ['agents', 'counted', 'collector']) assert.equal(targets(job).length, 5, job)
  assert.deepEqual(targets('collector')[4].labels, { [COLLECTOR.NAME]: 'sampler-3' })
  assert.equal(targets('counted')[4].labels, undefined)
  for (const tier of ['gateway', 'sampler']) {
    const { exporters } = parse(readFileSync(resolve(ROOT, `collector/overlays/${tier}.yaml`), 'utf8'), { merge: true })
    for (const page of tier === 'gateway' ? ['counted'] : ['counted', 'agents'])
      assert.deepEqual(exporters[`prometheus/${page}`].const_labels, { [COLLECTOR.NAME]: `\${env:COLLECTOR_NAME}` })
  }
})
