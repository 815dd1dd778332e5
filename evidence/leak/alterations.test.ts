import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AnyValue, traceRequest } from '../../otlp/json.ts'
import { harmIn, isSame, percentAltered, valuesIn } from './alterations.ts'

const request = (value: AnyValue, name = 'chat') =>
  traceRequest([{ traceId: '1'.repeat(32), spanId: '2'.repeat(16), name, attributes: [{ key: 'x', value }] }])
const harm = (was: AnyValue, became: AnyValue, secrets: readonly string[] = []) =>
  harmIn([request(was)], valuesIn([request(became)]), (place) => (place === 'span x' ? 'x' : undefined), secrets)
const string = (stringValue: string): AnyValue => ({ stringValue })

for (const [what, was, became] of [
  ['a number that became text', { doubleValue: 0.5 }, string('0.5')],
  ['an integer that became a double', { intValue: '5' }, { doubleValue: 5 }],
  ['the last bit of a number', { doubleValue: 0.1 }, { doubleValue: 0.10000000000000002 }],
  ['an id that was masked in part', string('AB12-CD34-EF56'), string('AB12-****')],
  ['a joiner that is gone', string('👩‍🚀'), string('👩🚀')],
  ['a list that became text', { arrayValue: { values: [{ doubleValue: 1 }] } }, string('[1]')],
] as const)
  test(`${what} is altered`, () => assert.equal(harm(was, became).altered.length, 1))

test('a value that is the same is not altered', () => {
  for (const value of [{ doubleValue: 0.1 }, { intValue: 5 }, string(''), { boolValue: false }] as const)
    assert.equal(harm(value, value).altered.length, 0)
  assert.ok(isSame({ intValue: 5 }, { intValue: '5' }))
  assert.ok(!isSame({ doubleValue: 0 }, { doubleValue: -0 }))
})

test('an attribute that is gone counts with all its bytes', () => {
  const gone = harmIn([request(string('abcd'))], new Map(), (place) => (place === 'span x' ? 'x' : undefined))
  assert.equal(percentAltered(gone), 100)
})

test('a secret that was not masked is a fault; one that was masked alone is not', () => {
  assert.equal(harm(string('key sk-1'), string('key sk-1'), ['sk-1']).altered.length, 1)
  assert.equal(harm(string('key sk-1'), string('key ****'), ['sk-1']).altered.length, 0)
  assert.equal(harm(string('key sk-1'), string('****'), ['sk-1']).altered.length, 1)
})
