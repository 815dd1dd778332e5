import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { argumentsFor } from './arguments.ts'

const QUESTION = 'Is the clearing dry?'
const inner = z.strictObject({ place: z.string(), days: z.number().int().min(2).max(4) })
const Everything = z.strictObject({
  ...{ text: z.string(), count: z.number().int(), share: z.number(), sure: z.boolean(), nothing: z.null() },
  ...{ season: z.enum(['winter', 'summer']), only: z.literal('x'), maybe: z.string().nullable() },
  ...{ places: z.array(inner).min(2), deep: z.strictObject({ deeper: inner }), later: z.string().optional() },
})

test('arguments fit the schema, hold what is required, and are the same for the same key', () => {
  const schema = z.toJSONSchema(Everything)
  for (let seed = 0; seed < 50; seed++) {
    const value = Everything.parse(argumentsFor(schema, QUESTION, seed))
    assert.deepEqual(argumentsFor(schema, QUESTION, seed), value)
    assert.equal(value.text, 'clearing')
    assert.equal('later' in value, false)
  }
  const seen = Array.from({ length: 50 }, (_, seed) => JSON.stringify(argumentsFor(schema, QUESTION, seed)))
  assert.ok(new Set(seen).size > 20)
})

test('a schema in parts is followed', () => {
  const schema = {
    type: 'object',
    properties: { where: { $ref: '#/$defs/Place' } },
    required: ['where'],
    $defs: { Place: { type: 'object', properties: { name: { const: 'brook' } }, required: ['name'] } },
  }
  assert.deepEqual(argumentsFor(schema, QUESTION), { where: { name: 'brook' } })
})

test('a schema that points to itself, asks for too much or is none ends', () => {
  const loop = { type: 'object', properties: { next: { $ref: '#' } }, required: ['next'] }
  assert.ok(JSON.stringify(argumentsFor(loop, QUESTION)).length < 1000)
  assert.ok(JSON.stringify(argumentsFor({ $ref: '#' }, QUESTION)).length < 1000)
  const long = { type: 'object', properties: { list: { type: 'array', minItems: 1e9 } }, required: ['list'] }
  assert.ok(JSON.stringify(argumentsFor(long, QUESTION)).length < 1000)
  for (const none of [undefined, null, 7, 'object', []]) assert.deepEqual(argumentsFor(none, ''), {})
})
