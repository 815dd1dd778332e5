import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { execa } from 'execa'
import { bootNative, haltNative, statusNative } from '../stack/boot.ts'
import { ROOT } from '../stack/place.ts'
import { SHIPPED_POLICY } from '../stack/policy.ts'
import { started } from '../stack/processes.ts'
import { tsx } from '../stack/services.ts'
import { testPlace } from './stack.ts'

const cancel = new AbortController().signal
const say = () => {}
let folder: string

before(() => {
  folder = mkdtempSync(resolve(tmpdir(), 'wood-boot-'))
})
after(() => rmSync(folder, { recursive: true, force: true }))

/** A PATH that holds only the named programs. */
function pathWith(name: string, ...programs: readonly string[]): string {
  const bin = resolve(folder, name)
  mkdirSync(bin, { recursive: true })
  for (const program of programs) {
    const found = (process.env.PATH ?? '').split(delimiter).map((entry) => resolve(entry, program))
    symlinkSync(
      found.find((file) => file.startsWith('/usr/bin') || file.startsWith('/bin')) ?? found[0] ?? '',
      resolve(bin, program),
    )
  }
  return bin
}

const fake = (bin: string, name: string, says: string) => {
  writeFileSync(resolve(bin, name), `#!/bin/sh\necho "${says}"\n`)
  chmodSync(resolve(bin, name), 0o755)
}

/** Builds in a process of its own, with another PATH and an empty cache, and answers what it complains of. */
async function buildWith(path: string, part: string): Promise<string> {
  const script = `
    import { build } from '${resolve(ROOT, 'stack/native.ts')}'
    import { readPlace } from '${resolve(ROOT, 'stack/place.ts')}'
    const place = readPlace()
    await build({ ...place, env: { ...place.env, XDG_CACHE_HOME: '${resolve(folder, 'cache')}' } }, ['${part}'], {
      cancel: new AbortController().signal, say: () => {} }).catch((error) => console.log(error.message))`
  const file = resolve(folder, `build-${part}.mts`)
  writeFileSync(file, script)
  const { stdout } = await execa(process.execPath, ['--import', import.meta.resolve('tsx'), file], {
    env: { PATH: path },
    extendEnv: false,
    cwd: ROOT,
  })
  return stdout
}

test('without Go the error names what needs it, which version, and the way around', async () => {
  assert.match(
    await buildWith(pathWith('no-go', 'sh'), 'tempo'),
    /Go is not installed: tempo must be built once; that needs Go \d.*Docker/,
  )
})

test('a Go that is too old is named with both versions', async () => {
  const bin = pathWith('old-go', 'sh')
  fake(bin, 'go', 'go1.19.1')
  assert.match(await buildWith(bin, 'tempo'), /Go 1\.19\.1 is too old: .* needs Go 1\.2\d/)
})

test('without Python, or with one that is too old, Phoenix says which it needs', async () => {
  assert.match(
    await buildWith(pathWith('no-python', 'sh'), 'phoenix'),
    /python3 is not installed: Phoenix needs Python 3\.\d+ or newer/,
  )
  const bin = pathWith('old-python', 'sh')
  fake(bin, 'python3', '3 9')
  assert.match(await buildWith(bin, 'phoenix'), /is Python 3\.9: Phoenix needs Python 3\.\d+ or newer/)
})

const stack = (env: Readonly<Record<string, string>>, ...args: readonly string[]) => {
  const command = tsx('stack/main.ts', ...args)
  return execa(command.file, command.args, { cwd: ROOT, env, reject: false, all: true })
}

test('a port that is none, or is given twice, is refused before anything happens', async () => {
  const none = await stack({ TEMPO_PORT: '3200x' }, 'status')
  assert.equal(none.exitCode, 1)
  assert.match(none.all, /^TEMPO_PORT=3200x is not a port: .* 1 to 65535/)
  const twice = await stack({ TEMPO_PORT: '9090' }, 'status')
  assert.match(twice.all, /PROMETHEUS_PORT and TEMPO_PORT are both 9090|TEMPO_PORT and PROMETHEUS_PORT are both 9090/)
})

test('an unknown way to boot is refused with the two there are', async () => {
  const { all, exitCode } = await stack({ BOOT: 'podman' }, 'up')
  assert.notEqual(exitCode, 0)
  assert.match(all, /podman.*native, docker/s)
})

test('every command explains itself', async () => {
  const { all, exitCode } = await stack({}, '--help')
  assert.equal(exitCode, 0)
  for (const command of ['up', 'down', 'status', 'logs', 'reload', 'doctor', 'verify'])
    assert.match(all, new RegExp(`^  ${command} `, 'm'))
})

test('a model server that is down is named before anything is started', async () => {
  const place = await testPlace({ VLLM_BASE_URL: 'http://127.0.0.1:9/v1' })
  await assert.rejects(
    bootNative(place, { policy: SHIPPED_POLICY, cancel, say }),
    /VLLM_BASE_URL=http:\/\/127\.0\.0\.1:9\/v1: the model server does not answer/,
  )
  assert.deepEqual(started(place), [])
  rmSync(place.state, { recursive: true, force: true })
})

test('a taken port is named with its holder, and nothing is started', async () => {
  const place = await testPlace()
  const squatter = createServer().listen(place.ports.TEMPO_PORT, '127.0.0.1')
  try {
    await assert.rejects(bootNative(place, { policy: SHIPPED_POLICY, cancel, say }), (error: Error) => {
      assert.match(
        error.message,
        new RegExp(`port ${place.ports.TEMPO_PORT} \\(TEMPO_PORT, for tempo\\) is taken by .*pid ${process.pid}`),
      )
      assert.match(error.message, /make up TEMPO_PORT=/)
      return true
    })
    assert.deepEqual(started(place), [])
  } finally {
    squatter.close()
    rmSync(place.state, { recursive: true, force: true })
  }
})

test('a service that dies while starting is reported with its last words, and the others are stopped', async () => {
  const place = await testPlace()
  mkdirSync(resolve(place.state, 'data/tempo'), { recursive: true })
  writeFileSync(resolve(place.state, 'data/tempo/wal'), 'a file where Tempo needs a folder')
  try {
    await assert.rejects(
      bootNative(place, { policy: SHIPPED_POLICY, only: ['tempo', 'prometheus'], cancel, say }),
      /^Error: tempo ended before it was ready\. Its last words:\n.*wal.*\nAll of them: .*logs\/tempo\.log$/s,
    )
    assert.deepEqual(started(place), [])
    assert.ok((await statusNative(place)).every(({ state }) => state === 'not running'))
  } finally {
    await haltNative(place, say)
    rmSync(place.state, { recursive: true, force: true })
  }
})
