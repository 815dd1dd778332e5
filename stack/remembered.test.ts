import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { parseEnv } from 'node:util'
import { execa } from 'execa'
import { up } from './commands/up.ts'
import { ownFolder } from './own-folder.ts'
import { forget, remember } from './remembered.ts'
import { portVariables, ROOT, readSettings } from './settings.ts'

const state = ownFolder()
/** The port of Phoenix for a command that is started with this environment. */
async function portWith(env: Readonly<Record<string, string>> = {}): Promise<string> {
  const script = `
    import { readSettings } from './stack/settings.ts'
    console.log(readSettings('${state}').ports.PHOENIX_PORT)`
  const args = ['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', script]
  const { stdout } = await execa(process.execPath, args, { cwd: ROOT, env, extendEnv: false })
  return stdout
}

test('until it is down, a stack has the ports with which it was started, and a start with others is refused', async () => {
  const settings = readSettings(state)
  const ports = { ...settings.ports, PHOENIX_PORT: 7006 }
  remember(settings, { boot: 'native', variables: portVariables({ ports }) })
  assert.deepEqual([await portWith(), await portWith({ PHOENIX_PORT: '7007' })], ['7006', '7007'])
  const options = { policy: '', boot: undefined, cancel: new AbortController().signal, say: () => {} }
  await assert.rejects(
    up({ ...settings, ports: { ...ports, PHOENIX_PORT: 7007 } }, options),
    /^Error: the stack is up with PHOENIX_PORT=7006, and PHOENIX_PORT=7007 needs a new start: run make down first\.$/,
  )
  forget(settings)
  assert.equal(await portWith(), parseEnv(readFileSync(resolve(ROOT, '.env'), 'utf8')).PHOENIX_PORT)
})
