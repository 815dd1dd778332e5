import assert from 'node:assert/strict'
import { globSync, readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { openings, publishedTo } from './masked-exits.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(resolve(ROOT, path), 'utf8')
const SHIPPED = read('collector/config.yaml')

/** Every file that a Collector loads beside config.yaml. Only these files have a service. */
const overlays = readdirSync(resolve(ROOT, 'collector'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.yaml') && path !== 'config.yaml')
  .map((path) => `collector/${path}`)
  .filter((path) => /^service:/m.test(read(path)))

/** It receives from gateways only, which mask. */
const SAMPLER = 'collector/overlays/sampler.yaml'
/** It replays masked data into a scratch file and sends nothing. */
const REPLAY = 'workbench/replay.yaml'

const BACKENDS = globSync('collector/backends/*.yaml', { cwd: ROOT }).map(read)

test('the shipped collector sends nothing unmasked, prints no content, and cannot be reached from other machines', () => {
  assert.ok(BACKENDS.length >= 5)
  assert.deepEqual(openings(SHIPPED, ...BACKENDS), [])
})

test('the same is true with each overlay, except that of samplers and the replay of masked data, which writes only to a scratch file', () => {
  assert.ok(overlays.length >= 3)
  for (const overlay of overlays.filter((file) => file !== SAMPLER))
    assert.deepEqual(openings(SHIPPED, ...BACKENDS, read(overlay)), [], overlay)
  const replayed = openings(SHIPPED, read(REPLAY)).map((opening) => opening.split(' ')[0])
  assert.deepEqual([...new Set(replayed)].sort(), ['file/kept', 'nop'])
})

test('Compose publishes to this machine only', () => {
  assert.deepEqual(publishedTo(read('docker-compose.yml')), [])
  assert.deepEqual(publishedTo(read('stack/compose/record.yaml')), [])
})

test('the other servers listen on this machine only, unless a variable changes it', () => {
  const listening =
    /^\s*(?:http|grpc)_listen_address: *(\S+)|endpoint: "([^"]+)"|bind_addr: \[(.+)\]|^http_addr *= *(\S+)/gm
  for (const file of ['grafana/tempo.yaml', 'grafana/grafana.ini']) {
    const found = [...read(file).matchAll(listening)].map((match) => match.slice(1).find(Boolean) ?? '')
    assert.ok(found.length > 0, file)
    for (const address of found)
      assert.match(address.replace(/\$\{\w+:-([^}]*)\}/g, '$1'), /^(127\.0\.0\.1|localhost)/, file)
  }
})

const without = (text: string, ...parts: readonly string[]) =>
  parts.reduce((rest, part) => {
    assert.ok(rest.includes(part), `config.yaml has no "${part}"`)
    return rest.replace(part, '')
  }, text)
const WITH_DEBUG = `
exporters: { debug: { verbosity: detailed } }
service: { pipelines: { traces/tempo: { exporters: [otlp_http/tempo, debug] } } }
`

test('a sampler leaves out the redactor for spans and log records, which gateways have masked, and for nothing else', () => {
  const ways = openings(SHIPPED, ...BACKENDS, read(SAMPLER)).map((opening) =>
    opening.replace(/^.*?: otlp → (\S+).*$/, '$1'),
  )
  assert.deepEqual([...new Set(ways)].sort(), ['logs/in', 'traces/in'])
})

for (const [mistake, files, reason] of [
  [
    'a gateway that sends spans to the samplers before they are masked',
    [SHIPPED, read('collector/overlays/high-volume.yaml'), read('collector/overlays/gateway.yaml')],
    /load_balancing\/traces is reached without the redactor/,
  ],
  [
    'the redactor left out of the metrics of a gateway',
    [SHIPPED, read('collector/overlays/gateway.yaml').replace(' redaction/mask,', '')],
    /load_balancing\/metrics is reached without the redactor/,
  ],
  [
    'the redactor left out of traces',
    [without(SHIPPED, ' redaction/mask,')],
    /otlp_http\/tempo is reached without the redactor: otlp → traces\/in → forward\/judge → traces\/judge → forward\/stored → traces\/tempo/,
  ],
  ['unpack left out', [without(SHIPPED, ' transform/unpack,')], /without the redactor/],
  [
    'the redactor left out of metrics',
    [SHIPPED.replaceAll('redaction/mask, transform/repack, filter', 'transform/repack, filter')],
    /prometheus\/agents is reached without the redactor/,
  ],
  [
    'repack before the redactor',
    [SHIPPED.replaceAll('redaction/mask, transform/repack,', 'transform/repack, redaction/mask,')],
    /without the redactor/,
  ],
  [
    'a pipeline of its own',
    [SHIPPED, 'service: { pipelines: { traces/mine: { receivers: [otlp], exporters: [otlp_http/tempo] } } }'],
    /otlp → traces\/mine → otlp_http\/tempo/,
  ],
  [
    'an exporter in front of the redactor by a connector',
    [
      SHIPPED,
      'connectors: { forward/raw: null }\nservice: { pipelines: { traces/early: { receivers: [otlp], exporters: [forward/raw] }, traces/out: { receivers: [forward/raw], exporters: [otlp_http/phoenix] } } }',
    ],
    /forward\/raw → traces\/out → otlp_http\/phoenix/,
  ],
  [
    'logs past the redactor',
    [SHIPPED, 'service: { pipelines: { logs: { receivers: [otlp], exporters: [otlp_http/tempo] } } }'],
    /otlp → logs → otlp_http\/tempo/,
  ],
  [
    'the redactor left out of logs',
    [SHIPPED.replace(/(logs\/in:\n.*\n.*) redaction\/mask,/, '$1')],
    /otlp_http\/otlp is reached without the redactor: otlp → logs\/in → forward\/logs → logs\/otlp/,
  ],
  [
    'profiles, for which there is no redactor',
    [
      SHIPPED,
      'service: { pipelines: { profiles: { receivers: [otlp], processors: [transform/unpack, redaction/mask, transform/repack], exporters: [otlp_http/tempo] } } }',
    ],
    /otlp → profiles → otlp_http\/tempo/,
  ],
  [
    'a recording of what the sampler sees where that is not yet masked',
    [SHIPPED, read('collector/overlays/high-volume.yaml'), read('collector/overlays/record.yaml')],
    /file\/recording is reached without the redactor/,
  ],
  ['a debug exporter that prints content', [SHIPPED, WITH_DEBUG], /debug prints content/],
  ['the log level debug', [SHIPPED, 'service: { telemetry: { logs: { level: debug } } }'], /log level is debug/],
  [
    'OTLP for everyone',
    [SHIPPED.replaceAll('OTLP_ADDRESS:-127.0.0.1', 'OTLP_ADDRESS:-0.0.0.0')],
    /receivers\.otlp\.protocols\.grpc\.endpoint listens on/,
  ],
  ['OTLP without a default', [SHIPPED.replaceAll('OTLP_ADDRESS:-127.0.0.1', 'OTLP_ADDRESS')], /listens on/],
  [
    'metrics for everyone',
    [SHIPPED.replaceAll('METRICS_ADDRESS:-127.0.0.1', 'METRICS_ADDRESS:-[::]')],
    /exporters\.prometheus\/agents\.endpoint listens on/,
  ],
] as const) {
  test(`refused: ${mistake}`, () => {
    const [shipped, ...overlays] = files
    assert.match(openings(shipped, ...BACKENDS, ...overlays).join('\n'), reason)
  })
}

test('refused: a port that Compose publishes to everyone', () => {
  const compose = (port: string) => `services: { collector: { ports: [${port}] } }`
  for (const port of ['"4317:4317"', '"0.0.0.0:4317:4317"', '{ target: 4317, published: "4317" }'])
    assert.equal(publishedTo(compose(port)).length, 1, port)
  assert.equal(publishedTo('services: { collector: { network_mode: host } }').length, 1)
})
