import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { cpuSeconds, residentBytes, throttle } from './throttle.ts'

/** However busy the machine is, a process cannot use more than its share, so this holds at every speed. */
test('a process that never rests gets at most its share of a core, and goes on afterwards', {
  skip: existsSync('/proc/self/stat') ? false : 'make scale runs on Linux only',
}, async () => {
  const child = spawn(process.execPath, ['-e', 'for (;;) {}'], { stdio: 'ignore' })
  const pid = child.pid ?? 0
  try {
    assert.ok(residentBytes(pid) > 0)
    const SHARE = 0.1
    const held = throttle([pid], SHARE)
    const [before, began] = [cpuSeconds(pid), performance.now()]
    await sleep(3000)
    const used = (cpuSeconds(pid) - before) / ((performance.now() - began) / 1000)
    held.end()
    assert.ok(used < 2 * SHARE, `it used ${used} of a core`)
    const state = () => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0]
    assert.notEqual(state(), 'T')
  } finally {
    child.kill('SIGKILL')
  }
})
