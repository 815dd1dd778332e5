import assert from 'node:assert/strict'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'

const WAITING = `
import { onInterrupt } from '${resolve('sim/interrupt.ts')}'
onInterrupt(() => console.log('stopping'))
setTimeout(() => console.log('done'), 3000)
console.log('ready')
`

async function interrupted(...gapsMs: readonly number[]) {
  const child = execa('node', ['--import', 'tsx', '--input-type=module', '--eval', WAITING], {
    reject: false,
  })
  await once(child.stdout, 'data')
  for (const gap of gapsMs) {
    await sleep(gap)
    child.kill('SIGINT')
  }
  const { stdout, exitCode } = await child
  return { said: stdout.split('\n'), exitCode }
}

test('an interrupt that arrives twice within a second counts as one', async () => {
  assert.deepEqual(await interrupted(0, 100), { said: ['ready', 'stopping', 'done'], exitCode: 0 })
})

test('a second one ends the program at once', async () => {
  assert.deepEqual(await interrupted(0, 1200), { said: ['ready', 'stopping'], exitCode: 130 })
})
