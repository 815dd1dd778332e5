import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { execa } from 'execa'
import { freePorts, portsOfItsOwn } from './ports.ts'
import { ROOT } from './settings.ts'

/** So many that three programs would choose some of them twice. */
const COUNT = 300

test('a port that one program was given is given to no other, also while nobody listens on it', async () => {
  const script = `
    import { freePorts } from '${ROOT}/stack/ports.ts'
    console.log((await freePorts(${COUNT})).join())
    process.stdin.resume()`
  const args = ['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', script]
  const programs = [1, 2].map(() => execa(process.execPath, args, { cwd: ROOT, buffer: false, reject: false }))
  try {
    const given = await Promise.all(programs.map(async ({ stdout }) => String((await once(stdout, 'data'))[0])))
    const all = [...given.flatMap((line) => line.split(',').map(Number)), ...(await freePorts(COUNT))]
    assert.equal(all.length, 3 * COUNT)
    assert.equal(new Set(all).size, all.length)
  } finally {
    for (const program of programs) program.kill()
    await Promise.all(programs)
  }
})

test('two stacks have no port in common, nor one of their tiers', async () => {
  const [one, other] = [await portsOfItsOwn(), await portsOfItsOwn()]
  const both = [...Object.values(one), ...Object.values(other)]
  assert.equal(new Set(both).size, both.length)
  assert.ok(
    Math.abs(one.TIERS_PORT - other.TIERS_PORT) >= 170,
    'of nine gateways and nine samplers, with ten ports each',
  )
})

test('a program can have many stacks, one after the other', async () => {
  for (let stack = 0; stack < 60; stack++) assert.ok((await portsOfItsOwn()).TIERS_PORT > 0)
})
