import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse, stringify } from 'yaml'
import { missed, mutantsOf, mutationReport, type Verdict } from './mutation.ts'

const shipped = readFileSync(join(import.meta.dirname, '../collector/policies/woodland.yaml'), 'utf8')
const ofOne = (policy: object) => mutantsOf(stringify([policy])).map(({ name }) => name.replace(/^.*?: /, ''))

test('there are at least fifty mutants, and no two are the same, nor is any the shipped list', () => {
  const mutants = mutantsOf(shipped)
  assert.ok(mutants.length >= 50, `${mutants.length}`)
  const meant = [shipped, ...mutants.map(({ text }) => text)].map((text) => JSON.stringify(parse(text)))
  const twice = mutants.filter((_, index) => meant.indexOf(meant[index + 1] ?? '') !== index + 1)
  assert.deepEqual(twice, [])
  assert.equal(new Set(mutants.map(({ name }) => name)).size, mutants.length)
})

test('every policy has mutants of its own, and of its settings', () => {
  const names = mutantsOf(shipped).map(({ name }) => name)
  const policies = parse(shipped) as { name: string }[]
  for (const { name } of policies) {
    assert.ok(names.includes(`${name} left out`), name)
    assert.ok(names.filter((mutant) => mutant.startsWith(`${name}: `)).length >= 5, name)
  }
})

test('each guard against a missing attribute is left out once', () => {
  const condition = 'span.attributes["a"] != nil and span.attributes["b"] != nil and span.attributes["a"] + 1 == 2'
  const names = ofOne({ name: 'keep-sums', type: 'ottl_condition', ottl_condition: { span: [condition] } })
  const guards = names.filter((name) => name.startsWith('no guard'))
  assert.deepEqual(guards, ['no guard "span.attributes["a"] != nil and"', 'no guard "span.attributes["b"] != nil and"'])
})

const VERDICTS: readonly Verdict[] = [
  { mutant: 'one', caught: 'by the check', why: 'it is empty.' },
  { mutant: 'two', caught: 'by a case', why: 'a-call-is-kept', cases: 3 },
  { mutant: 'three', caught: 'no', harmless: true, traces: 40 },
  { mutant: 'four', caught: 'no', harmless: false, traces: 40 },
]

test('the report says what caught each, and counts only those that change anything', () => {
  const text = mutationReport(VERDICTS, 'text')
  assert.match(text, /^one +the check +it is empty\.$/m)
  assert.match(text, /^two +a case +a-call-is-kept and 2 more$/m)
  assert.match(text, /^three +harmless +40 other traces/m)
  assert.match(text, /^four +MISSED +of 40 other traces/m)
  assert.match(text, /\n4 mutants: 1 change nothing, 2 of the other 3 are caught\.$/)
  assert.match(mutationReport(VERDICTS, 'markdown'), /^\| two \| a case \| a-call-is-kept and 2 more \|$/m)
  assert.deepEqual(JSON.parse(mutationReport(VERDICTS, 'json')), VERDICTS)
  assert.deepEqual(
    missed(VERDICTS).map(({ mutant }) => mutant),
    ['four'],
  )
})
