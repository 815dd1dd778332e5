import assert from 'node:assert/strict'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { execa } from 'execa'

/** Ends by itself soon after the second interrupt, if that is not what ends it. Its clock says when the interrupts come. */
const program = (secondMs: number) => `
import { onInterrupt } from '${resolve('sim/interrupt.ts')}'
const times = [0, ${secondMs}]
const clock = () => {
  if (times.length === 1) setImmediate(() => { console.log('done'); process.exit(0) })
  return times.shift()
}
onInterrupt(() => console.log('stopping'), clock)
setInterval(() => {}, 1000)
console.log('ready')
`

async function interruptedTwice(secondMs: number) {
  const child = execa('node', ['--import', 'tsx', '--input-type=module', '--eval', program(secondMs)], {
    reject: false,
  })
  // It says something when it listens, and when it has heard the first.
  for (const _ of ['first', 'second']) {
    await once(child.stdout, 'data')
    child.kill('SIGINT')
  }
  const { stdout, exitCode } = await child
  return { said: stdout.split('\n'), exitCode }
}

test('an interrupt that arrives twice within a second counts as one', async () => {
  assert.deepEqual(await interruptedTwice(900), { said: ['ready', 'stopping', 'done'], exitCode: 0 })
})

test('a second one ends the program at once', async () => {
  assert.deepEqual(await interruptedTwice(1100), { said: ['ready', 'stopping'], exitCode: 130 })
})
