import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomOf } from '../../random/random.ts'
import { type Item, makeCorpus, SECRETS_OF_A_RUN, SECRETS_OF_A_TEST } from './corpus.ts'
import { ENCODINGS, HIDING } from './encodings.ts'
import { LOG_SLOTS, METRIC_SLOTS, TRACE_SLOTS } from './fields.ts'
import { KINDS, PLAIN_KINDS } from './kinds.ts'
import { searcherFor } from './search.ts'

const made = (seed: number, count: number) => [...makeCorpus({ seed, count })]
const itemsOf = (seed: number, count: number): readonly Item[] => made(seed, count).flatMap(({ items }) => items)
const different = (items: readonly Item[], name: (item: Item) => string) => new Set(items.map(name))

test('the same seed makes the same corpus except for the times, and another seed makes another one', () => {
  const bodies = (seed: number) => made(seed, 500).map(({ body }) => body.replace(/"\w+UnixNano":"\d+"/g, ''))
  assert.deepEqual(bodies(1), bodies(1))
  assert.notDeepEqual(bodies(1), bodies(2))
})

test('every kind is in every field, and every encoding too, in a run of the size that the tests send', () => {
  const items = itemsOf(1, SECRETS_OF_A_TEST)
  const kinds = [...KINDS, ...PLAIN_KINDS].map(({ name }) => name)
  assert.ok(KINDS.length >= 20)
  assert.deepEqual([...different(items, ({ kind }) => kind)].sort(), kinds.sort())
  const fields = [...TRACE_SLOTS, ...METRIC_SLOTS, ...LOG_SLOTS]
  assert.equal(
    [...different(items, ({ field }) => field)].filter((field) => !field.endsWith('promise')).length,
    fields.length,
  )
  for (const { name, takes } of fields) {
    const here = items.filter(({ field }) => field === name || field === `${name}, against a promise`)
    for (const kind of KINDS)
      assert.ok(
        here.some((item) => item.kind === kind.name),
        `${kind.name} in ${name}`,
      )
    for (const encoding of ENCODINGS) {
      const isForAll = KINDS.every((kind) => encoding.encode(kind.make(randomOf(1)), kind))
      if ((encoding.structured && takes !== 'value') || !isForAll) continue
      assert.ok(
        here.some((item) => item.encoding === encoding.name),
        `${encoding.name} in ${name}`,
      )
    }
  }
  for (const { name } of HIDING)
    assert.ok(
      items.some(({ encoding }) => encoding === name),
      name,
    )
})

test('every kind is written in every possible encoding, in a run of the size that make leak sends', () => {
  const pairs = different(itemsOf(1, SECRETS_OF_A_RUN), ({ kind, encoding }) => `${kind}, ${encoding}`)
  const missing = KINDS.flatMap((kind) =>
    ENCODINGS.filter((encoding) => encoding.encode(kind.make(randomOf(1)), kind))
      .map((encoding) => `${kind.name}, ${encoding.name}`)
      .filter((pair) => !pairs.has(pair)),
  )
  assert.deepEqual(missing, [])
})

test('each secret is new, and is in the sent data in a form that the search finds', () => {
  const sent = made(3, 3000)
  const items = sent.flatMap(({ items }) => items)
  assert.equal(different(items, ({ needles }) => needles[0] ?? '').size, items.length)
  const found = searcherFor(items.map(({ needles }) => needles))(Buffer.from(sent.map(({ body }) => body).join('\n')))
  const lost = items.filter((_, index) => !found.has(index))
  assert.deepEqual(lost, [])
})

test('cards have the check digit that makes them look real, also as numbers', () => {
  const bodies = made(5, 80_000).map(({ body }) => body)
  const cards = [...bodies.join().matchAll(/"intValue":"(\d{15,16})"/g)].map(([, digits = '']) => digits)
  assert.ok(cards.length > 5)
  for (const card of cards) {
    const sum = [...card].reverse().reduce((total, digit, index) => {
      const value = Number(digit) * (index % 2 === 1 ? 2 : 1)
      return total + (value > 9 ? value - 9 : value)
    }, 0)
    assert.equal(sum % 10, 0, card)
  }
})
