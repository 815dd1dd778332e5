import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { randomOf } from '../../random/random.ts'
import { ENCODINGS, textOf } from './encodings.ts'
import { USED } from './harmless/used.ts'
import { KINDS, PLAIN_KINDS } from './kinds.ts'

const TRIES = 40
/** Stands in place of what unpack.yaml has found, such as e-mail addresses. */
const HIDDEN = '⟨hidden⟩'
const FOUND_BEFORE = ['e-mail']

const read = (name: string) =>
  parse(readFileSync(resolve(import.meta.dirname, '../../collector/privacy', `${name}.yaml`), 'utf8'))
const patterns = (read('patterns') as readonly string[]).map((text) => ({ text, regex: new RegExp(text) }))
const allowed = (read('mask').allowed_values as readonly string[]).map((text) => new RegExp(text))
/** RE2 looks for each of these by its first letter or digit; but for that, they are one pattern. */
const family = (text: string) => text.replace(/^[A-Z](?=\[A-Z\]\()/, 'A')

/** The patterns that find a value in which unpack.yaml has undone the ways to write an @. */
const find = (value: string) => {
  if (allowed.some((regex) => regex.test(value))) return []
  const unpacked = value.replace(/\\+u0040|%40|&#64;|＠/g, '@')
  return patterns.filter(({ regex }) => regex.test(unpacked)).map(({ text }) => text)
}

/** Values of each kind, as they are and in every encoding that is a text. */
const written = KINDS.flatMap((kind) =>
  Array.from({ length: TRIES }, (_, turn) => kind.make(randomOf(kind.name, turn))).map((secret) => ({
    kind: kind.name,
    plain: textOf(secret),
    encoded: ENCODINGS.flatMap(({ encode }) => {
      const spelled = encode(secret, kind)
      return spelled && 'text' in spelled ? [spelled.text] : []
    }),
  })),
)

test('every kind of secret is found by a pattern', () => {
  for (const { kind, plain } of written)
    assert.ok(
      FOUND_BEFORE.includes(kind) || find(plain).length > 0,
      `no pattern of patterns.yaml finds ${kind}: ${plain}`,
    )
})

test('every pattern finds a kind of secret', () => {
  const used = new Set([...written.flatMap(({ encoded }) => encoded).flatMap(find), HIDDEN].map(family))
  assert.deepEqual(
    patterns.map(({ text }) => text).filter((text) => !used.has(family(text))),
    [],
    'kinds.ts has no value that these are for',
  )
})

test('no pattern finds a value that a policy, a panel or a query uses, nor what known-leaks.yaml declares', () => {
  const harmless = Object.entries(USED).flatMap(([key, make]) =>
    Array.from({ length: TRIES }, (_, turn) => ({ key, value: make(randomOf(key, turn)) })),
  )
  const declared = PLAIN_KINDS.map((kind) => ({
    key: kind.name,
    value: { stringValue: textOf(kind.make(randomOf(1))) },
  }))
  for (const { key, value } of [...harmless, ...declared])
    if ('stringValue' in value) assert.deepEqual(find(value.stringValue ?? ''), [], `${key}: ${value.stringValue}`)
})
