import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { ownFolder } from '../stack/own-folder.ts'
import { classified, classLists, readClasses, study } from './classes.ts'
import type { Decisions } from './replay.ts'

const folder = ownFolder()

const SHIPPED = join(import.meta.dirname, 'classes.yaml')
const VALUES = { SLOW_CALL: '3s', SLOW_RUN: '9s', TOKEN_HEAVY: '10', HEAVY_CALL: '7' }

test('each policy of the file is a class, with the values of its variables', () => {
  const classes = readClasses(SHIPPED, VALUES)
  const names = (parse(readFileSync(SHIPPED, 'utf8')) as readonly { name: string }[]).map(({ name }) => name)
  assert.deepEqual(
    classes.map(({ name }) => name),
    names,
  )
  for (const name of [
    'parse-error',
    'self-buy',
    'failed-call',
    'failed-agent-or-tool',
    'slow-call',
    'slow-run',
    'token-heavy',
    'heavy-call',
  ])
    assert.ok(names.includes(name), name)
  const textOf = (wanted: string) => classes.find(({ name }) => name === wanted)?.text ?? ''
  assert.match(textOf('slow-call'), /> Nanoseconds\(Duration\("3s"\)\)/)
  assert.match(textOf('token-heavy'), />= 10$/m)
  assert.throws(
    () => readClasses(SHIPPED, { ...VALUES, TOKEN_HEAVY: '' }),
    /classes\.yaml: TOKEN_HEAVY has no value: set it, or/,
  )
})

test('a trace is of every class that votes for it, in the order of the file, else routine', async () => {
  const classes = readClasses(SHIPPED, VALUES)
  const id = (digit: string) => digit.repeat(32)
  const spans = ['a', 'b', 'c'].map((digit) => ({ traceId: id(digit), spanId: id(digit).slice(16) }))
  const requests = async function* () {
    yield { atMs: 1, spans }
  }
  const vote = { policy: undefined, spans: 1, bytes: 1, weight: 1 }
  const votes = (...digits: string[]): Decisions => new Map(digits.map((digit) => [id(digit), vote]))
  const of: Readonly<Record<string, Decisions>> = { 'slow-call': votes('a', 'b'), 'self-buy': votes('b') }
  const decided = new Map(
    classLists(classes).map((list, index) => [list.name, of[classes[index]?.name ?? ''] ?? votes()]),
  )
  const { traces } = classified(await study(requests(), () => () => 0), classes, decided)
  assert.deepEqual(
    [...traces.values()].map(({ classes }) => classes),
    [['slow-call'], ['self-buy', 'slow-call'], ['routine']],
  )
})

describe('a file of classes with a defect is refused with its line and the fix', () => {
  const cases: readonly (readonly [name: string, text: string, message: RegExp])[] = [
    ['no list', 'name: x\n', /:1: it must be a list of policies/],
    ['no type', '- name: slow\n', /:1: "slow" has no type; write type/],
    ['no settings', '- name: slow\n  type: latency\n', /:1: "slow" needs threshold_ms or upper_threshold_ms/],
    ['broken YAML', '- name: "slow\n', /:\d: it is not YAML/],
    ['a name that is taken', '- name: routine\n  type: always_sample\n', /: routine is what no class describes/],
  ]
  for (const [name, text, message] of cases) {
    test(name, () => {
      const path = join(folder, `${name.replaceAll(' ', '-')}.yaml`)
      writeFileSync(path, text)
      assert.throws(() => readClasses(path, {}), message)
    })
  }
  test('no file', () =>
    assert.throws(() => readClasses(join(folder, 'none.yaml'), {}), /none\.yaml: there is no such file/))
})
