import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { spansOf } from '../../otlp/json.ts'
import { randomOf } from '../../random/random.ts'
import { readRecordings } from '../foreign/recordings.ts'
import { ENCODINGS, textOf } from './encodings.ts'
import { USED } from './harmless/used.ts'
import { KINDS } from './kinds.ts'

const TRIES = 80

const read = (name: string) =>
  parse(readFileSync(resolve(import.meta.dirname, '../../collector/privacy', `${name}.yaml`), 'utf8'))
const patterns = (read('patterns') as readonly string[]).map((text) => ({ text, regex: new RegExp(text, 'u') }))

/** RE2 looks for each of these by its first letter or digit; apart from that, they are one pattern. */
const family = (text: string) =>
  /^[A-Z](?:\[[A-Z]+\]\[|\(\?:\[[A-Z]+\]\[|\[A-Z\]\[)/.test(text) ? 'IBAN' : text.replace(/^[0-9](?= \(|-)/, '0')

/** The patterns that find something in a value that needs no decoding. unpack.yaml takes out the address of this machine. */
const find = (value: string) =>
  patterns.filter(({ regex }) => regex.test(value.replaceAll('127.0.0.1', 'localhost'))).map(({ text }) => text)

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
    assert.ok(find(plain).length > 0, `no pattern of patterns.yaml finds ${kind}: ${plain}`)
})

test('every pattern finds a kind of secret', () => {
  const used = new Set(
    written
      .flatMap(({ encoded }) => encoded)
      .flatMap(find)
      .map(family),
  )
  assert.deepEqual(
    patterns.map(({ text }) => text).filter((text) => !used.has(family(text))),
    [],
    'kinds.ts has no value that these are for',
  )
})

test('no pattern finds a value that a policy, a panel or a query uses, so these cost no second search', () => {
  const harmless = Object.entries(USED).flatMap(([key, make]) =>
    Array.from({ length: TRIES }, (_, turn) => ({ key, value: make(randomOf(key, turn)) })),
  )
  for (const { key, value } of harmless)
    if ('stringValue' in value) assert.deepEqual(find(value.stringValue ?? ''), [], `${key}: ${value.stringValue}`)
})

test('no pattern finds a key that SDKs use, so its spans cost no second search; only a key that ends as the name of a secret does', () => {
  const spans = readRecordings().flatMap(({ runs }) => runs.flatMap(({ body }) => spansOf(body)))
  const keys = new Set(spans.flatMap(({ attributes = [] }) => attributes.map(({ key }) => key)))
  assert.ok(keys.size > 400)
  // It ends as "token" does, and is on one span of a run.
  const known = 'haystack.agent.steps_taken'
  // unpack.yaml writes the keys of an item so.
  for (const key of keys)
    if (!key.endsWith('token') && key !== known) assert.deepEqual(find(JSON.stringify({ [key]: 1 })), [], key)
})
