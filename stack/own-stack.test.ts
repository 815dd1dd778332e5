import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { execa } from 'execa'
import { ROOT } from './settings.ts'

/** Says the pid of its server and its folder when it runs, and then never ends by itself. */
const STACK = `
  const { ownSettings, startStack } = await import('./stack/own-stack.ts')
  const { runningPid } = await import('./stack/processes.ts')
  const settings = await ownSettings()
  await startStack(settings, 'collector/policies/keep-errors-only.yaml', ['mock-vllm'])
  console.log(JSON.stringify({ pid: runningPid(settings, 'mock-vllm'), state: settings.state }))
  setInterval(() => {}, 1000)`

const lives = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  test(`a program that ends with ${signal} leaves no server and no folder of its own stack behind`, async () => {
    const program = execa(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', STACK], {
      cwd: ROOT,
      reject: false,
    })
    const [line] = await once(program.stdout, 'data')
    const said = JSON.parse(String(line)) as { pid: number; state: string }
    assert.ok(lives(said.pid) && existsSync(said.state))
    program.kill(signal)
    const { exitCode } = await program
    assert.equal(exitCode, { SIGINT: 130, SIGTERM: 143 }[signal])
    for (let tries = 0; tries < 200 && lives(said.pid); tries++) await new Promise((done) => setTimeout(done, 20))
    assert.deepEqual([lives(said.pid), existsSync(said.state)], [false, false])
  })
