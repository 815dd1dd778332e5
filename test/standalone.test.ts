import assert from 'node:assert/strict'
import { cpSync, globSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { resolve } from 'node:path'
import { before, test } from 'node:test'
import { execa } from 'execa'
import { build } from '../stack/native.ts'
import { ownFolder } from '../stack/own-folder.ts'
import { eventually, ownSettings, quiet } from '../stack/own-stack.ts'
import { ROOT, type Settings } from '../stack/settings.ts'
import { backendThatTakesAll, sendFailedCall } from './one-trace.ts'

const README = readFileSync(resolve(ROOT, 'collector/README.md'), 'utf8')
const blocks = [...README.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, text = '']) => text)
const otelcol =
  blocks.find((text) => text.includes('\notelcol-contrib ')) ?? assert.fail('there is no otelcol-contrib line')
const docker = blocks.find((text) => text.startsWith('docker run ')) ?? assert.fail('there is no docker run line')

let settings: Settings
const folder = ownFolder()

before(async () => {
  settings = await ownSettings()
})

test('collector/ alone, started by the line of its README, masks a failed call and hands it on', async () => {
  cpSync(resolve(ROOT, 'collector'), resolve(folder, 'collector'), { recursive: true })
  mkdirSync(resolve(folder, 'bin'))
  const programs = await build(settings, ['collector'], quiet)
  symlinkSync(programs('otelcol-woodland'), resolve(folder, 'bin/otelcol-contrib'))

  const backend = await backendThatTakesAll()
  const ports = Object.entries(settings.ports).filter(([name]) => /^(?:OTLP|COLLECTOR)_/.test(name))
  const queue = resolve(folder, 'queue')
  const line = otelcol
    .replace(/QUEUE_DIR=\S+/, `QUEUE_DIR=${queue}`)
    .replace('\notelcol-contrib ', '\nexec otelcol-contrib ')
  const collector = execa('sh', ['-c', line], {
    cwd: folder,
    env: {
      PATH: `${resolve(folder, 'bin')}:${settings.env.PATH}`,
      TEMPO_OTLP_ENDPOINT: `http://127.0.0.1:${backend.port}`,
      ...Object.fromEntries(ports.map(([name, port]) => [name, String(port)])),
    },
    extendEnv: false,
    reject: false,
    all: true,
  })
  try {
    await eventually(async () => {
      if (collector.exitCode !== null) assert.fail((await collector).all)
      assert.ok((await fetch(`http://127.0.0.1:${settings.ports.COLLECTOR_HEALTH_PORT}`)).ok)
    })
    const sent = await sendFailedCall(settings.ports.OTLP_HTTP_PORT)
    assert.equal(sent.status, 200)
    const text = await eventually(async () => {
      assert.ok(backend.taken.length > 0, 'the backend got nothing')
      return backend.taken.map(({ bytes }) => bytes).join('')
    })
    assert.match(text, /write to \*\*\*\* soon/)
    assert.match(text, /keep-failed-calls/, 'the gates are set: the policy is written on the trace')
    assert.ok(!text.includes('somebody'), 'the address is not masked')
  } finally {
    collector.kill()
    await collector
    backend.close()
  }
})

test('both lines name the gates and the image of .env', () => {
  const shipped = settings.env
  for (const line of [otelcol, docker]) assert.ok(line.includes(`--feature-gates=${shipped.COLLECTOR_FEATURE_GATES}\n`))
  assert.ok(docker.includes(` ${shipped.OTELCOL_IMAGE?.split('@')[0]} `))
})

test('the table has every variable that a file of collector/ reads, and no other', () => {
  const files = globSync('collector/**/*.yaml', { cwd: ROOT }).map((file) => readFileSync(resolve(ROOT, file), 'utf8'))
  const read = new Set(files.flatMap((text) => [...text.matchAll(/\$\{env:(\w+)/g)].map(([, name]) => name)))
  const [table = ''] = README.slice(README.indexOf('| variable |')).split('\n\n')
  const told = new Set([...table.matchAll(/^\|([^|]+)\|/gm)].flatMap(([, cell = '']) => cell.match(/[A-Z]\w+/g) ?? []))
  assert.deepEqual([...told].sort(), [...read].sort())
})
