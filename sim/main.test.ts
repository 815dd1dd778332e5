import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, suite, test } from 'node:test'
import { onLoopback } from '../otlp/loopback.ts'
import { AGENTS } from './economy/world.ts'
import { type Entry, readLedger } from './ledger.ts'

const main = new URL('main.ts', import.meta.url).pathname
const folder = mkdtempSync(join(tmpdir(), 'sim-'))
after(() => rmSync(folder, { recursive: true }))

/** A port on which nothing answers, so that no server of this machine is taken for the model. */
async function deadPort(): Promise<string> {
  const { port, close } = await onLoopback(createServer())
  close()
  return String(port)
}

async function start(args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, ['--import', 'tsx', main, ...args], {
    env: {
      PATH: process.env.PATH,
      OTEL_SDK_DISABLED: 'true',
      VLLM_PORT: await deadPort(),
      VLLM_PRESET: 'calm',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 120_000, // a test that fails must not leave a simulator that plays for ever; a busy machine starts one in 20 s
  })
  const said = Promise.all([text(child.stderr), text(child.stdout)]).then((both) => both.join(''))
  const ended = once(child, 'exit').then(async ([code]) => ({ code: code as number | null, said: await said }))
  return { child, ended }
}

const sim = async (args: readonly string[], env?: Record<string, string>) => (await start(args, env)).ended

const quick = ['--time-factor', '50', '--seed', '7', '--tick-interval', '1ms']
/** Divides no limit of the world evenly. */
const oddFactor = ['--time-factor', '37']

/** Each mock-vllm that a simulator has started: the kernel lists them as its children. */
function childrenOf({ pid }: ChildProcess): readonly number[] {
  const path = `/proc/${pid}/task/${pid}/children`
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split(/\s+/).filter(Boolean).map(Number) : []
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function until(holds: () => boolean, what: string): Promise<void> {
  for (let waited = 0; !holds(); waited += 20) {
    assert.ok(waited < 60_000, `still waiting: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

// Each waits for processes most of its time, so they wait together.
suite('the simulator as a process', { concurrency: 3 }, () => {
  test('three ticks against its own mock-vllm end with code 0 and a ledger', async () => {
    const path = join(folder, 'new', 'ledger.jsonl')
    const { code, said } = await sim(['--ticks', '3', ...quick, '--ledger', path])
    assert.equal(code, 0, said)
    const [first, ...rest] = readLedger(path)
    assert.ok(first?.kind === 'run' && first.seed === 7)
    const count = (kind: Entry['kind']) => rest.filter((entry) => entry.kind === kind).length
    assert.deepEqual([count('tick'), count('turn')], [3, 3 * AGENTS.length])
    assert.ok(count('call') >= 3 * AGENTS.length)
    const last = rest.at(-1)
    assert.ok(last?.kind === 'tick' && last.tick === 2 && last.pebbles === 10 * AGENTS.length)
  })

  test('a ledger is never overwritten: an existing file is one clear sentence, before anything is played', async () => {
    const path = join(folder, 'kept.jsonl')
    writeFileSync(path, 'precious')
    const { code, said } = await sim(['--ticks', '1', ...quick, '--ledger', path])
    assert.equal(code, 1)
    assert.match(said, /^sim: the ledger ".*kept\.jsonl" cannot be made: .*--ledger or LEDGER\.\n$/)
    assert.equal(readFileSync(path, 'utf8'), 'precious')
  })

  test('a model server that does not answer is a clear error with what to do', async () => {
    const { code, said } = await sim(['--ticks', '1'], { VLLM_BASE_URL: `http://127.0.0.1:${await deadPort()}/v1` })
    assert.equal(code, 1)
    assert.match(
      said,
      /^sim: the model server at http:\/\/127\.0\.0\.1:\d+\/v1 does not answer: .*\n.*VLLM_BASE_URL.*\n$/,
    )
  })

  test('a model that the server does not serve is named, with those it does, and mock-vllm is ended', async () => {
    const { child, ended } = await start(['--ticks', '1', '--model', 'gpt-acorn'])
    let mocks: readonly number[] = []
    await until(() => {
      mocks = childrenOf(child).length > 0 ? childrenOf(child) : mocks
      return child.exitCode !== null
    }, 'the simulator to end')
    const { code, said } = await ended
    assert.equal(code, 1)
    assert.match(said, /sim: the model server at \S+ does not serve "gpt-acorn"\. It serves: Qwen\/\S+/)
    assert.doesNotMatch(said, /\n\s+at /)
    assert.ok(mocks.length > 0)
    await until(() => !mocks.some(isAlive), 'mock-vllm to end')
  })

  test('SIGTERM ends the run after the tick that has begun: code 0, whole lines, no mock-vllm left behind', async () => {
    const path = join(folder, 'stopped.jsonl')
    const { child, ended } = await start([...quick, ...oddFactor, '--ledger', path])
    await until(() => existsSync(path) && readFileSync(path, 'utf8').includes('"kind":"tick"'), 'the first tick')
    const mocks = childrenOf(child)
    assert.equal(mocks.length, 1)
    child.kill('SIGTERM')
    const { code, said } = await ended
    assert.equal(code, 0, said)
    const all = readLedger(path)
    const ticks = all.filter(({ kind }) => kind === 'tick').length
    assert.equal(all.filter(({ kind }) => kind === 'turn').length, AGENTS.length * ticks)
    assert.equal(all.at(-1)?.kind, 'tick')
    await until(() => !mocks.some(isAlive), 'mock-vllm to end')
  })

  test('wrong usage ends with code 1 and the rule', async () => {
    const { code, said } = await sim(['--ticks', 'many'])
    assert.equal(code, 1)
    assert.match(said, /^error: option '--ticks <count>' argument 'many' is invalid\. It must be a whole number/)
  })
})
