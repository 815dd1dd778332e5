import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { valueFor } from './schema.ts'

const seeds = Array.from({ length: 40 }, (_, seed) => seed)
const made = (schema: unknown, seed = 1) => {
  const found = valueFor(schema, seed, 'answer')
  assert.ok('value' in found, JSON.stringify(found))
  return found.value
}
const why = (schema: unknown) => {
  const found = valueFor(schema, 1)
  assert.ok('why' in found, JSON.stringify(found))
  return found.why
}

interface Tree {
  name: string
  children: Tree[]
}
const Tree: z.ZodType<Tree> = z.object({ name: z.string(), children: z.array(z.lazy(() => Tree)) })
interface Chain {
  next: Chain | null
}
const Chain: z.ZodType<Chain> = z.object({ next: z.lazy(() => Chain).nullable() })

for (const [what, reader] of Object.entries({
  'an object': z.strictObject({ city: z.string(), n: z.int(), share: z.number().min(0).max(1), yes: z.boolean() }),
  'limits of numbers': z.object({
    a: z.int().min(5).max(7),
    b: z.number().gt(0).lt(0.001),
    c: z.int().multipleOf(5),
    d: z.int().max(-3),
  }),
  'limits of text': z.object({ a: z.string().min(40), b: z.string().max(3), c: z.string().length(12) }),
  'an enum and a literal': z.object({ side: z.enum(['buy', 'sell']), kind: z.literal('order') }),
  lists: z.object({
    a: z.array(z.string()).min(2).max(2),
    b: z.array(z.object({ n: z.int() })),
    c: z.tuple([z.string(), z.int()]),
  }),
  'null or a value': z.object({ a: z.string().nullable(), b: z.union([z.int(), z.string()]) }),
  'a union of kinds': z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('a'), n: z.int() }),
    z.object({ kind: z.literal('b'), words: z.array(z.string()) }),
  ]),
  formats: z.object({ a: z.iso.date(), b: z.iso.datetime(), c: z.uuid(), d: z.email(), e: z.url(), f: z.ipv4() }),
  'a record': z.record(z.string(), z.int()),
  'an optional part': z.object({ a: z.string().optional() }),
  'both of two': z.intersection(z.object({ a: z.string() }), z.object({ b: z.int() })),
  'a tree': Tree,
  'a chain': Chain,
  'a list on top': z.array(z.int()).min(1),
}))
  test(`makes ${what}, another for another seed, the same for the same`, () => {
    const schema = z.toJSONSchema(reader)
    for (const seed of seeds) reader.parse(made(schema, seed))
    assert.deepEqual(made(schema, 3), made(schema, 3))
    assert.ok(new Set(seeds.map((seed) => JSON.stringify(made(schema, seed)))).size > 1)
  })

test('makes what Python clients ask for: definitions, titles, defaults', () => {
  const schema = {
    $defs: {
      Item: {
        properties: { name: { title: 'Name', type: 'string' }, n: { default: 1, type: 'integer' } },
        required: ['name'],
        title: 'Item',
        type: 'object',
      },
    },
    properties: {
      items: { items: { $ref: '#/$defs/Item' }, title: 'Items', type: 'array' },
      note: { anyOf: [{ type: 'string' }, { type: 'null' }] },
    },
    required: ['items'],
    title: 'Order',
    type: 'object',
  }
  const order = made(schema) as { items: { name: string; n: number }[] }
  assert.ok(order.items.length >= 1)
  for (const { name, n } of order.items) assert.ok(name.length > 0 && Number.isInteger(n))
})

test('a name that means something in JavaScript is a name like any other', () => {
  const value = made({
    type: 'object',
    properties: JSON.parse('{"__proto__": {"const": 1}}'),
    required: ['__proto__', 'constructor'],
  })
  assert.deepEqual(Object.keys(value as object), ['__proto__', 'constructor'])
})

for (const [what, schema, reason] of [
  [
    'a keyword that it does not know',
    { type: 'object', patternProperties: {} },
    /^"patternProperties" is not followed/,
  ],
  ['a negation', { not: { type: 'string' } }, /^"not" is not followed/],
  [
    'a pattern that no word has',
    { type: 'string', pattern: '^[0-9]{5}$' },
    /^"pattern": "\^\[0-9\]\{5\}\$" is not followed/,
  ],
  ['a pattern that cannot be read', { type: 'string', pattern: '(' }, /^"pattern"/],
  ['a reference to elsewhere', { $ref: 'https://example.com/x.json' }, /points outside the schema/],
  ['a reference to nothing', { $ref: '#/$defs/A' }, /points to nothing/],
  ['a value without an end', { $ref: '#' }, /without an end/],
  ['an object without an end', { type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] }, /without an end/],
  ['limits that nothing fits', { type: 'integer', minimum: 5, maximum: 3 }, /no number fits/],
  [
    'keywords that contradict',
    { allOf: [{ type: 'string', maxLength: 2 }, { minLength: 9 }] },
    /no text fits its limits/,
  ],
  ['an item that must not be there', { type: 'array', items: false, minItems: 1 }, /do not go together/],
  ['too few values', { type: 'array', items: { const: 1 }, uniqueItems: true, minItems: 2 }, /more different items/],
  ['an unknown type', { type: 'str' }, /the type "str" is not known/],
  ['no schema', 'x', /must be an object/],
  ['false', false, /no value fits/],
] as const)
  test(`refuses ${what}`, () => assert.match(why(schema), reason))
