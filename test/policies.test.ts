import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Bench } from '../collector/workbench/collector.ts'
import { benchOf } from '../stack/bench.ts'
import { type Place, ROOT } from '../stack/place.ts'
import { activatePolicy } from '../stack/policy.ts'
import { activePolicy } from '../stack/services.ts'
import { testPlace } from './stack.ts'

const POLICIES = resolve(ROOT, 'collector/policies')
const DEFECTS = resolve(ROOT, 'collector/workbench/defects')

let place: Place
let bench: Bench
const activate = (file: string) => activatePolicy(place, file, { ...bench, say: () => {} })

before(async () => {
  place = await testPlace()
  bench = await benchOf(place, { cancel: new AbortController().signal, say: console.error }, 'native')
})

after(() => rmSync(place.state, { recursive: true, force: true }))

describe('every policy file that ships starts in the real collector', () => {
  const shipped = readdirSync(POLICIES).filter((name) => name.endsWith('.yaml'))
  assert.ok(shipped.includes('woodland.yaml') && shipped.length >= 4)
  for (const name of shipped) {
    test(name, async () => {
      await activate(resolve(POLICIES, name))
      assert.equal(readFileSync(activePolicy(place), 'utf8'), readFileSync(resolve(POLICIES, name), 'utf8'))
    })
  }
})

describe('a policy file with a defect is refused with its line and the reason, and changes nothing', () => {
  const files = readdirSync(DEFECTS)
  assert.ok(files.length >= 15)
  for (const name of files) {
    test(basename(name, '.bad.yaml').replaceAll('_', ' '), async () => {
      const text = readFileSync(resolve(DEFECTS, name), 'utf8')
      const [, line, reason] = /^# Expect line (\d+): (.+)$/m.exec(text) ?? []
      assert.ok(line && reason, `${name} must open with "# Expect line N: reason"`)
      mkdirSync(resolve(place.state, 'policies'), { recursive: true })
      writeFileSync(activePolicy(place), 'in force before\n')
      await assert.rejects(activate(resolve(DEFECTS, name)), (error: Error) => {
        assert.ok(error.message.includes(reason), error.message)
        assert.ok(error.message.includes(`${name}:${line}:`), error.message)
        return true
      })
      assert.equal(readFileSync(activePolicy(place), 'utf8'), 'in force before\n')
    })
  }
})

test('a policy file that is not there is named', async () => {
  await assert.rejects(
    activate('collector/policies/nowhere.yaml'),
    /collector\/policies\/nowhere\.yaml: there is no such file/,
  )
})
