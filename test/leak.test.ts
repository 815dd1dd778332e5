import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { before, test } from 'node:test'
import { SECRETS_OF_A_TEST } from '../evidence/leak/corpus.ts'
import { isTight, type Leaks, leakReport } from '../evidence/leak/leak.ts'
import { findLeaks } from '../stack/commands/leak.ts'
import { ownSettings, quiet } from '../stack/own-stack.ts'
import type { Settings } from '../stack/settings.ts'

/** Recorded messages for each kind of secret; make leak plants each kind into all. */
const SHAPES = 3

let settings: Settings
let leaks: Leaks

before(async () => {
  settings = await ownSettings({ BACKENDS: 'tempo,phoenix,jaeger' })
  leaks = await findLeaks(settings, { seed: 7, count: SECRETS_OF_A_TEST, shapes: SHAPES }, quiet)
})

test('no secret is found in any backend, file, log or label, except the known leaks of known-leaks.yaml', () => {
  assert.ok(leaks.sent.length >= SECRETS_OF_A_TEST)
  assert.ok(isTight(leaks), leakReport(leaks, 'text'))
})

test('Phoenix shows every recorded message, in spite of the masks in it', () => {
  assert.ok(leaks.sent.filter(({ field }) => field.includes('gen_ai.input.messages')).length > 10)
  assert.deepEqual(leaks.unshown, [])
})

test('each item of known-leaks.yaml still leaks; otherwise it must be removed', () => {
  assert.deepEqual(leaks.stale, [])
  assert.ok(leaks.leaks.some(({ item, exits }) => item.encoding === 'base64' && exits.includes('Phoenix')))
})

test('every output was searched: known leaks were found in each backend, in its files and in a queue', () => {
  const exits = new Set(leaks.leaks.flatMap(({ exits }) => exits))
  const answers = ['Tempo', 'Phoenix', 'Jaeger']
  assert.ok(
    [...exits].some((exit) => exit.startsWith('OTLP /v1/logs')),
    'no known leak was found in stored log records',
  )
  for (const exit of [...answers, 'files of phoenix', 'files of tempo', 'files of jaeger', 'files of collector'])
    assert.ok(exits.has(exit), `no known leak was found in ${exit}`)
})

test('with VOLUME=high no secret is found either, although the sampler sees them unmasked and a condition fails on them', async () => {
  const policy = resolve(settings.state, 'quotes.yaml')
  const fails = 'span.status.message != "" and Duration(span.status.message) > Duration("1s")'
  writeFileSync(
    policy,
    `- name: fails
  type: ottl_condition
  ottl_condition: { error_mode: ignore, span: ['${fails}'] }
- name: keep-the-rest
  type: always_sample
`,
  )
  const high = { ...settings, env: { ...settings.env, VOLUME: 'high' } }
  const found = await findLeaks(high, { seed: 8, count: SECRETS_OF_A_TEST, shapes: 1, policy }, quiet)
  assert.ok(isTight(found), leakReport(found, 'text'))
})
