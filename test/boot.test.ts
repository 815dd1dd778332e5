import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { execa } from 'execa'
import { traceRequest } from '../otlp/json.ts'
import { bootNative, haltNative, reloadCollector, statusNative } from '../stack/boot.ts'
import { launcherFor } from '../stack/collectors.ts'
import { lastRecording, reload, upSince } from '../stack/commands/reload.ts'
import { ownFolder } from '../stack/own-folder.ts'
import { eventually, ownSettings, quiet, SHIPPED_WAITS } from '../stack/own-stack.ts'
import { activePolicy, policyBefore, SHIPPED_POLICY, shippedList } from '../stack/policy.ts'
import { started } from '../stack/processes.ts'
import { pageOf } from '../stack/queries.ts'
import { portVariables, ROOT, type Settings, url } from '../stack/settings.ts'
import { waitsFile } from '../stack/waits.ts'
import { COMMITTED_RECORDING } from '../stack/workbench.ts'
import type { Launcher } from '../workbench/collector.ts'
import { main, sendTo } from './collector.ts'

const folder = ownFolder()

/** A PATH with only the named programs. */
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

const fake = (bin: string, name: string, script: string) => {
  writeFileSync(resolve(bin, name), `#!/bin/sh\n${script}\n`)
  chmodSync(resolve(bin, name), 0o755)
}

/** Builds in a separate process with another PATH and an empty cache, and returns the error. */
async function buildWith(path: string, ...parts: readonly string[]): Promise<string> {
  const script = `
    import { build } from '${resolve(ROOT, 'stack/native.ts')}'
    import { readSettings } from '${resolve(ROOT, 'stack/settings.ts')}'
    const settings = readSettings()
    await build({ ...settings, env: { ...settings.env, XDG_CACHE_HOME: '${resolve(folder, 'cache')}' } }, ${JSON.stringify(parts)}, {
      cancel: new AbortController().signal, say: () => {} }).catch((error) => console.log(error.message))`
  const file = resolve(folder, 'build.mts')
  writeFileSync(file, script)
  const { stdout } = await execa(process.execPath, ['--import', import.meta.resolve('tsx'), file], {
    env: { PATH: path },
    extendEnv: false,
    cwd: ROOT,
  })
  return stdout
}

test('without Go, the error says what needs it, which version, and what to do instead', async () => {
  assert.match(
    await buildWith(pathWith('no-go', 'sh'), 'tempo'),
    /Go is not installed: tempo must be built once; that needs Go \d.*Docker/,
  )
})

test('a Go that is too old is named with both versions', async () => {
  const bin = pathWith('old-go', 'sh')
  fake(bin, 'go', 'echo go1.19.1')
  assert.match(await buildWith(bin, 'tempo'), /Go 1\.19\.1 is too old: .* needs Go 1\.2\d/)
})

test('two collectors that are generated are built in one go', async () => {
  const bin = pathWith('two-go', 'sh', 'touch')
  // What go does: it says its version, finds no package in a folder without a Go file, generates one, and writes a program.
  const go = `case "$1 $2" in
  env*) echo go1.99.0 ;;
  list*) set -- *.go; test -e "$1" || { echo "no Go files"; exit 1; } ;;
  tool*) touch main.go ;;
  build*) while [ "$1" != -o ]; do shift; done; touch "$2" ;;
esac`
  fake(bin, 'go', go)
  assert.equal(await buildWith(bin, 'collector', 'collector-tiers'), '')
  assert.deepEqual(
    readdirSync(resolve(folder, 'cache/thousand-token-wood')).map((name) => name.replace(/-\d.*/, '')),
    ['collector', 'collector-tiers'],
  )
})

test('without Python, or with an old one, the error says which version Phoenix needs', async () => {
  assert.match(
    await buildWith(pathWith('no-python', 'sh'), 'phoenix'),
    /python3 is not installed: phoenix needs Python 3\.\d+ or newer/,
  )
  const bin = pathWith('old-python', 'sh')
  fake(bin, 'python3', 'echo 3.9')
  assert.match(await buildWith(bin, 'phoenix'), /is Python 3\.9: phoenix needs Python 3\.\d+ or newer/)
})

test('a wrong port, or a port that is given twice, is refused before anything happens', async () => {
  const none = await main({ TEMPO_PORT: '3200x' }, 'status')
  assert.equal(none.exitCode, 1)
  assert.match(none.all, /^TEMPO_PORT=3200x is not a port: .* 1 to 65535/)
  const twice = await main({ TEMPO_PORT: '9090' }, 'status')
  assert.match(twice.all, /PROMETHEUS_PORT and TEMPO_PORT are both 9090|TEMPO_PORT and PROMETHEUS_PORT are both 9090/)
})

test('an unknown BOOT is refused, and the error lists the two values', async () => {
  const { all, exitCode } = await main({ BOOT: 'podman' }, 'up')
  assert.notEqual(exitCode, 0)
  assert.match(all, /podman.*native, docker/s)
})

test('every command has a help text', async () => {
  const { all, exitCode } = await main({}, '--help')
  assert.equal(exitCode, 0)
  for (const command of ['up', 'down', 'status', 'logs', 'reload', 'doctor', 'verify'])
    assert.match(all, new RegExp(`^  ${command} `, 'm'))
})

test('a model server that is down is named before anything is started', async () => {
  const settings = await ownSettings({ VLLM_BASE_URL: 'http://127.0.0.1:9/v1' })
  await assert.rejects(
    bootNative(settings, { policy: SHIPPED_POLICY, ...quiet }),
    /VLLM_BASE_URL=http:\/\/127\.0\.0\.1:9\/v1: the model server does not answer/,
  )
  assert.deepEqual(started(settings), [])
})

test('options that cannot be used together are refused before anything is started', async () => {
  const settings = await ownSettings({ VOLUME: 'high', RECORD: 'yes' })
  await assert.rejects(bootNative(settings, { policy: SHIPPED_POLICY, ...quiet }), /Leave out one of the two/)
  assert.deepEqual(started(settings), [])
})

for (const [name, value, why] of [
  [
    'DECISION_WAIT',
    '0.5s',
    /must be a whole number of seconds from 1s to 24h, such as DECISION_WAIT=20s .*not "0\.5s"/,
  ],
  ['DECISION_WAIT_AFTER_ROOT', '0s', /DECISION_WAIT_AFTER_ROOT must be .*not "0s"/],
  ['DECISION_WAIT', 'ten minutes', /not "ten minutes"/],
  ['DECISION_WAIT', '25h', /not "25h"/],
] as const)
  test(`${name}=${value} is refused before anything is started, and the error has the rule`, async () => {
    const settings = await ownSettings({ [name]: value })
    await assert.rejects(bootNative(settings, { policy: SHIPPED_POLICY, ...quiet }), why)
    assert.deepEqual(started(settings), [])
  })

/** A stack for which nothing is built yet, and what is said while it starts. */
async function unbuilt() {
  const said: string[] = []
  const settings = await ownSettings({ XDG_CACHE_HOME: ownFolder() })
  return { settings, said, options: { ...quiet, say: (line: string) => void said.push(line) } }
}

test('the error for a taken port names the program that holds it, before anything is built or started', async () => {
  const { settings, said, options } = await unbuilt()
  const squatter = createServer().listen(settings.ports.TEMPO_PORT, '127.0.0.1')
  try {
    await assert.rejects(bootNative(settings, { policy: SHIPPED_POLICY, ...options }), (error: Error) => {
      assert.match(
        error.message,
        new RegExp(`port ${settings.ports.TEMPO_PORT} \\(TEMPO_PORT, for tempo\\) is taken by .*pid ${process.pid}`),
      )
      assert.match(error.message, /make up TEMPO_PORT=/)
      return true
    })
    assert.deepEqual([started(settings), said], [[], []])
  } finally {
    squatter.close()
  }
})

test('a policy file that cannot be read is refused before anything is built', async () => {
  const { settings, said, options } = await unbuilt()
  await assert.rejects(
    bootNative(settings, { policy: 'collector/policies', ...options }),
    /^Error: collector\/policies: it is a folder; name a file of policies.*\nNothing was changed\.$/,
  )
  assert.deepEqual([started(settings), said], [[], []])
})

test('make doctor names a tool that is too old and a port that is taken, and asks for no port of a backend that is not loaded', async () => {
  const bin = pathWith('doctor', 'sh')
  fake(bin, 'go', 'echo go1.19.1')
  const { settings } = await unbuilt()
  const { TEMPO_PORT, JAEGER_PORT } = settings.ports
  const squatters = [TEMPO_PORT, JAEGER_PORT].map((port) => createServer().listen(port, '127.0.0.1'))
  const env = { PATH: bin, XDG_CACHE_HOME: settings.env.XDG_CACHE_HOME ?? '', BACKENDS: 'tempo', TIERS: '1x1' }
  const { stdout, exitCode } = await main({ ...portVariables(settings), ...env }, 'doctor')
  for (const squatter of squatters) squatter.close()
  assert.equal(exitCode, 1)
  assert.match(
    stdout,
    /^BAD {2}Go +go1\.19\.1\n {5}Go 1\.19\.1 is too old: collector, prometheus, tempo, collector-tiers must be built once;/m,
  )
  assert.match(stdout, new RegExp(`^BAD {2}TEMPO_PORT ${TEMPO_PORT} .*\n.*make up TEMPO_PORT=…$`, 'm'))
  assert.doesNotMatch(stdout, /JAEGER/)
})

test('a service that ends while it starts is reported with its last log lines, and the others are stopped', async () => {
  const settings = await ownSettings()
  mkdirSync(resolve(settings.state, 'data/tempo'), { recursive: true })
  writeFileSync(resolve(settings.state, 'data/tempo/wal'), 'a file where Tempo needs a folder')
  try {
    await assert.rejects(
      bootNative(settings, { policy: SHIPPED_POLICY, only: ['tempo', 'prometheus'], ...quiet }),
      /^Error: tempo ended before it was ready\. Its last log lines:\n.*wal.*\nThe whole log: .*logs\/tempo\.log$/s,
    )
    assert.deepEqual(started(settings), [])
    assert.ok((await statusNative(settings)).every(({ state }) => state === 'not running'))
  } finally {
    await haltNative(settings, quiet.say)
  }
})

describe('make reload', () => {
  const ERRORS_ONLY = 'collector/policies/keep-errors-only.yaml'
  let settings: Settings
  let launcher: Launcher
  let said: string[]

  before(async () => {
    settings = await ownSettings()
    await bootNative(settings, { policy: SHIPPED_POLICY, only: ['collector'], ...quiet })
    launcher = await launcherFor(settings, { ...quiet, say: (line) => void said.push(line) }, 'native')
  })
  after(async () => {
    await haltNative(settings, quiet.say)
  })

  const reloadWith = async (policy: string, recording = COMMITTED_RECORDING): Promise<string> => {
    said = []
    await reload(settings, { policy, recording, launcher, tell: () => reloadCollector(settings) })
    return said.join('\n')
  }
  const inForce = () => readFileSync(activePolicy(settings), 'utf8')
  const collectorPid = async () => (await statusNative(settings)).find(({ name }) => name === 'collector')?.state
  const metrics = () => pageOf(settings)
  const since = () => upSince({ settings })

  /** A trace without a root, so that the sampler keeps waiting. */
  async function send(): Promise<void> {
    const [traceId, spanId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')]
    const ids = { traceId, spanId, parentSpanId: 'f'.repeat(16) }
    const times = { startTimeUnixNano: '1795223772000000000', endTimeUnixNano: '1795223772500000000' }
    const body = traceRequest([{ name: 'chat', ...ids, ...times }])
    await sendTo(url(settings, 'OTLP_HTTP_PORT'), '/v1/traces', body)
  }

  test('a second start says which services are already running, with their settings', async () => {
    const lines: string[] = []
    await bootNative(settings, {
      policy: SHIPPED_POLICY,
      only: ['collector'],
      ...quiet,
      say: (line) => void lines.push(line),
    })
    assert.match(
      lines.join('\n'),
      /already running, with the settings of its start: collector \(to change them, make down first/,
    )
  })

  test('shows what would be lost, and still puts the list in force', async () => {
    const pid = await collectorPid()
    const text = await reloadWith(ERRORS_ONLY)
    assert.match(text, /keep-errors-only\.yaml:4: warning: no policy samples/)
    assert.match(text, /difference {2}on workbench\/recordings\/seed-7-ticks-40-chaos\.jsonl\.gz: 40 traces/)
    const lost = Number(/WARNING: (\d+) traces that must be kept are lost with this list:\n/.exec(text)?.[1])
    assert.match(text, /lost with this list:\n( {2}[0-9a-f]{32} {2}slow-call\n)+/)
    assert.match(text, new RegExp(`^ {2}slow-call \\(must keep\\) +\\d+ +\\d+ +${lost} +0$`, 'm'))
    assert.match(text, /^ {2}parse-error \(must keep\) +(\d+) +\1 +0 +0$/m)
    assert.match(text, /^ {2}bytes +\d{7} +\d{7}$/m)
    assert.match(text, /^ {2}USD +0\.\d{6} +0\.\d{6}$/m)
    assert.ok(text.indexOf('WARNING') < text.indexOf('is in force'), 'it is shown before')
    assert.match(text, /uses it, ready again after [\d.]+ s/)
    assert.ok(lost > 0 && text.includes(`\n${lost} must-keep traces of that recording are lost with this list.`))
    assert.match(text, /To go back: make reload POLICY=.*before\.yaml$/)
    assert.equal(inForce(), readFileSync(resolve(ROOT, ERRORS_ONLY), 'utf8'))
    assert.equal(await collectorPid(), pid, 'the process is the same')
    await eventually(async () => assert.match(await metrics(), /policy="keep-errors"/))
  })

  test('says when the list is already in force, and reloads', async () => {
    const before = await since()
    const text = await reloadWith(ERRORS_ONLY)
    assert.match(text, /difference {2}none: the list is already in force/)
    assert.doesNotMatch(text, /WARNING/)
    assert.notEqual(await since(), before)
  })

  test('the command that it prints goes back, also when the difference cannot be shown', async () => {
    // On a busy machine the check of the list takes longer than a trace waits, so new ones come until the reload.
    const sending = setInterval(() => void send().catch(() => {}), 1000)
    await eventually(async () => assert.match(await metrics(), /traces_on_memory(\{.*\})? [1-9]/))
    const broken = resolve(folder, 'cut-off.jsonl')
    writeFileSync(broken, '{"resourceSpans": [')
    const text = await reloadWith(policyBefore(settings), broken).finally(() => clearInterval(sending))
    assert.match(text, /difference {2}cannot be shown on .*cut-off\.jsonl: .*cut-off\.jsonl:1: the line is cut off/)
    assert.match(text, /early {7}\d+ traces? (was|were) still waiting and decided at once, by the list before/)
    assert.equal(inForce(), shippedList())
  })

  test('changes the waits that the environment names, keeps the others, and refuses a bad one', async () => {
    const reloadFor = (env: Record<string, string>) => {
      said = []
      const own = { ...settings, env: { ...settings.env, ...SHIPPED_WAITS, ...env } }
      const tell = () => reloadCollector(settings)
      return reload(own, { policy: SHIPPED_POLICY, recording: COMMITTED_RECORDING, launcher, tell })
    }
    const decided = async () => assert.match(await metrics(), /global_count_traces_sampled\{.*\} 1$/m)
    await reloadFor({ DECISION_WAIT: '2s' })
    assert.match(said.join('\n'), /^ {2}waits {7}DECISION_WAIT=2s$/m)
    await send()
    await eventually(decided)
    await reloadFor({ DECISION_WAIT_AFTER_ROOT: '3s' })
    assert.match(
      readFileSync(waitsFile(settings), 'utf8'),
      /decision_wait: 2s\n.*decision_wait_after_root_received: 3s/,
    )
    const before = await since()
    await assert.rejects(reloadFor({ DECISION_WAIT: '1.5s' }), /not "1\.5s"/)
    assert.equal(await since(), before)
    await reloadFor({ DECISION_WAIT: '20s' })
  })

  test('does not change the running collector when the file has a defect', async () => {
    const [before, list] = [await since(), inForce()]
    const bad = 'workbench/defects/unknown_policy_type.bad.yaml'
    await assert.rejects(reloadWith(bad), /unknown_policy_type\.bad\.yaml:2: .*Nothing was changed\.$/s)
    assert.equal(await since(), before)
    assert.equal(inForce(), list)
  })

  test('puts the list before in force again when the collector ends at the reload, and shows its last log lines', async () => {
    const list = inForce()
    const queues = resolve(settings.state, 'data/collector')
    rmSync(queues, { recursive: true })
    writeFileSync(queues, 'a file where the queues need a folder')
    await assert.rejects(reloadWith(ERRORS_ONLY, 'nowhere.jsonl'), ({ message }: Error) => {
      assert.match(
        message,
        /^the collector ended when it reloaded\. Its last log lines:\n.*collector is not a directory$/ms,
      )
      assert.match(message, /The list before is in force again\. To start .*: make up POLICY=.*active\.yaml$/)
      return true
    })
    assert.equal(inForce(), list)
    await assert.rejects(reloadWith(ERRORS_ONLY), /the collector is not running here, or not ready.*make up/)
  })

  test('uses the newest recording, or the committed one when there is no other', () => {
    const made = resolve(settings.state, 'recordings')
    mkdirSync(made, { recursive: true })
    const at = (name: string, hour: number, content = 'x') => {
      writeFileSync(resolve(made, name), content)
      utimesSync(resolve(made, name), new Date(2100, 0, 1, hour), new Date(2100, 0, 1, hour))
    }
    at('empty.jsonl', 9, '')
    at('seed-1.ledger.jsonl', 9)
    at('notes.txt', 9)
    assert.ok(!lastRecording(settings).startsWith(made))
    at('old.jsonl.gz', 7)
    at('live.jsonl', 8)
    assert.equal(lastRecording(settings), resolve(made, 'live.jsonl'))
  })
})
