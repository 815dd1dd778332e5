import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { before, describe, test } from 'node:test'
import { execa } from 'execa'
import { launcherFor } from '../stack/collectors.ts'
import { ownFolder } from '../stack/own-folder.ts'
import { ownSettings, quiet, WAITING_AT_ONCE } from '../stack/own-stack.ts'
import { SHIPPED_POLICY } from '../stack/policy.ts'
import { tsx } from '../stack/service.ts'
import { ROOT, type Settings } from '../stack/settings.ts'
import { COMMITTED_RECORDING } from '../stack/workbench.ts'
import { type Launcher, startCollector } from '../workbench/collector.ts'
import { record, type World } from '../workbench/record.ts'
import { readRecording } from '../workbench/recording.ts'
import { replay, replayEach } from '../workbench/replay.ts'
import { UserError } from '../workbench/user-error.ts'

/**
 * A full disk for one program: no file of the collector can grow beyond this many kilobytes. An ordinary user cannot
 * fill a disk in a test. On a really full disk, only the text of the error is different.
 */
const withLimit = (launcher: Launcher, kilobytes: number): Launcher => ({
  ...launcher,
  collector: (...asked) => {
    const { file, args, env } = launcher.collector(...asked)
    return { file: 'sh', args: ['-c', `ulimit -f ${kilobytes * 2}; exec "$0" "$@"`, file, ...args], env }
  },
})

const list = resolve(ROOT, 'collector/policies/keep-everything.yaml')
const traffic = {
  requests: () => readRecording(resolve(ROOT, COMMITTED_RECORDING)),
  speed: 200,
  slowCall: '2s',
}
const FULL = /the disk is full \(.*\), so this was given up: make room/

const folder = ownFolder()
let settings: Settings
let launcher: Launcher

before(async () => {
  mkdirSync(join(folder, 'tmp'))
  process.env.TMPDIR = join(folder, 'tmp')
  settings = await ownSettings({ BOOT: 'native' })
  launcher = await launcherFor(settings, quiet, 'native')
})

const refused = (work: Promise<unknown>) =>
  assert.rejects(work, (error) => {
    assert.ok(error instanceof UserError, String(error))
    assert.match(error.message, FULL)
    assert.equal(error.message.split('\n').length, 1, error.message)
    return true
  })

/** Four ticks, which are about 200 kB of recording. */
const world: World = {
  cwd: ROOT,
  model: (port, otlp) => program('sim/mock-vllm/main.ts', otlp, '--port', String(port)),
  agents: (port, otlp, ledger) =>
    program(
      ...(['sim/main.ts', otlp, '--seed', '3', '--ticks', '4', '--ledger', ledger] as const),
      ...['--base-url', `http://127.0.0.1:${port}/v1`],
    ),
}

function program(script: string, otlp: string, ...args: string[]) {
  const env = { PATH: settings.env.PATH ?? '', TIME_FACTOR: '20', OTEL_EXPORTER_OTLP_ENDPOINT: otlp }
  return { ...tsx(script, ...args), env }
}

describe('a full disk ends the work', WAITING_AT_ONCE, () => {
  // The kept traces are 3026 kB. The disk is full at once, in the middle, and shortly before the end.
  for (const kilobytes of [1, 1500, 3000]) {
    test(`a disk that is full after ${kilobytes} kB ends a replay, which would have read too little`, async () => {
      await refused(replay(withLimit(launcher, kilobytes), traffic, list))
    })
  }

  test('so does a replay with many lists at the same time', async () => {
    const lists = [{ name: 'all', text: readFileSync(list, 'utf8') }]
    await refused(replayEach(withLimit(launcher, 1500), traffic, lists))
  })

  test('with enough room on the disk, the replay decides as usual', async () => {
    assert.equal((await replay(withLimit(launcher, 10_000), traffic, list)).size, 40)
  })

  test('a recording on a full disk ends, and leaves no partial file', async () => {
    const target = join(folder, 'recordings', 'full.jsonl.gz')
    await refused(record(withLimit(launcher, 100), world, resolve(ROOT, SHIPPED_POLICY), target))
    assert.ok(!existsSync(join(folder, 'recordings')))
  })
})

test('the live collector also accepts data when it cannot write the recording', async () => {
  const scratch = join(folder, 'live')
  mkdirSync(scratch)
  const overlays = [resolve(ROOT, 'collector/overlays/record.yaml')]
  const env = { POLICY_FILE: list, RECORDING_FILE: join(scratch, 'live.jsonl') }
  const collector = await startCollector(withLimit(launcher, 100), { folder: scratch, overlays, env })
  const answers: number[] = []
  for await (const { body } of traffic.requests()) {
    const headers = { 'content-type': 'application/json' }
    const sent = { method: 'POST', headers, body: new Uint8Array(body) }
    answers.push((await fetch(`${collector.otlp}/v1/traces`, sent)).status)
  }
  await refused(collector.stop())
  assert.deepEqual(new Set(answers), new Set([200]))
})

test('the error is one sentence, and the exit code is 1', async () => {
  const { file, args, cwd } = tsx('stack/main.ts', 'tune', '--a', list, '--format', 'json')
  const limited = ['-c', 'ulimit -f 3000; exec "$0" "$@"', file, ...args]
  const { exitCode, stderr, stdout } = await execa('sh', limited, { cwd, env: settings.env, reject: false })
  assert.equal(exitCode, 1)
  assert.equal(stdout, '')
  const told = stderr.split('\n').filter((line) => !line.startsWith('  '))
  assert.equal(told.length, 1, stderr)
  assert.match(told[0] ?? '', FULL)
})

test('nothing is left in the temporary folder', () => {
  assert.deepEqual(
    readdirSync(join(folder, 'tmp')).filter((name) => name.startsWith('workbench-')),
    [],
  )
})
