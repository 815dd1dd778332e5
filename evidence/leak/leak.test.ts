import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { UserError } from '../../workbench/user-error.ts'
import type { Item } from './corpus.ts'
import { isTight, judge, type KnownLeak, knownLeaksTable, leakReport, readKnownLeaks } from './leak.ts'

const FILE = 'evidence/leak/known-leaks.yaml'
const read = (path: string) => readFileSync(resolve(import.meta.dirname, '../..', path), 'utf8')

const item = (kind: string, encoding = 'plain', field = 'span attribute'): Item => ({
  kind,
  encoding,
  field,
  needles: [kind],
})
const known: KnownLeak = { what: 'base64', why: '', advice: '', encoding: ['base64'] }
const sent = [item('e-mail'), item('e-mail', 'base64'), item('IBAN')]

test('a known leak is reported, any other is an error', () => {
  const told = judge(sent, new Map([[1, ['Tempo']]]), [known])
  assert.ok(isTight(told))
  const leaks = judge(
    sent,
    new Map([
      [1, ['Tempo']],
      [2, ['Phoenix']],
    ]),
    [known],
  )
  assert.ok(!isTight(leaks))
  assert.match(leakReport(leaks, 'text'), /1 leaked:\n {2}IBAN, plain, span attribute: "IBAN" in Phoenix/)
})

test('a known leak that does not leak any more is an error', () => {
  const leaks = judge(sent, new Map(), [known])
  assert.ok(!isTight(leaks))
  assert.match(leakReport(leaks, 'text'), /"base64" in .*known-leaks\.yaml leaked nowhere/)
})

test('an item of the list that names nothing, or names it wrongly, is refused with its place', () => {
  for (const [text, reason] of [
    ['- { what: a, why: b, advice: c }', /known-leaks\.yaml: 0: names no kind, encoding or field/],
    ['- { what: a, why: b, advice: c, kinds: d }', /0: Unrecognized key/],
    ['what: a', /expected array/],
  ] as const)
    assert.throws(
      () => readKnownLeaks(text, FILE),
      (error) => error instanceof UserError && reason.test(error.message),
    )
})

test('docs/measured/leak.md has the known leaks, with why and what to do', () => {
  const table = knownLeaksTable(readKnownLeaks(read(FILE), FILE))
  assert.ok(read('docs/measured/leak.md').includes(table), `docs/measured/leak.md must say:\n\n${table}`)
})

test('each pattern is a regular expression that begins with a letter of its own, which is found fast', () => {
  const patterns = parse(read('collector/privacy/patterns.yaml')) as readonly string[]
  assert.ok(patterns.length > 50)
  for (const pattern of patterns) {
    assert.doesNotThrow(() => new RegExp(pattern, 'u'.slice(1)), pattern)
    assert.doesNotMatch(
      pattern,
      /^(?:\[|\(|\.|\\[bswd])/,
      `${pattern} does not begin with a literal, so it is tried at every byte`,
    )
  }
  // RE2 finds each of these patterns by its first digit. Apart from that, they are equal.
  for (const family of [/^[0-9] \(/, /^[0-9]-/]) {
    const byDigit = patterns.filter((pattern) => family.test(pattern))
    assert.equal(byDigit.length, 10)
    assert.equal(new Set(byDigit.map((pattern) => pattern.slice(1))).size, 1)
  }
})
