import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  attributeOf,
  eachSpan,
  endOf,
  fromAttributes,
  fromValue,
  hexOf,
  integer,
  isError,
  nanosOf,
  nanosToMs,
  onlySpans,
  resourceSpans,
  type Span,
  spansOf,
  startOf,
  text,
  toAttributes,
  toValue,
  traceRequest,
} from './json.ts'

const span = (name: string): Span => ({ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), name })

test('a value keeps its type: a bigint is an integer, a number is a double, null is a value without a type', () => {
  const values = {
    a: 'x',
    b: true,
    c: 9n,
    d: 9,
    e: null,
    f: undefined,
    g: ['y', 1n],
    h: { deep: false },
    i: Number.NaN,
  }
  assert.deepEqual(toAttributes(values), [
    { key: 'a', value: text('x') },
    { key: 'b', value: { boolValue: true } },
    { key: 'c', value: integer(9) },
    { key: 'd', value: { doubleValue: 9 } },
    { key: 'e', value: {} },
    { key: 'g', value: { arrayValue: { values: [text('y'), integer(1)] } } },
    { key: 'h', value: { kvlistValue: { values: [{ key: 'deep', value: { boolValue: false } }] } } },
    { key: 'i', value: { doubleValue: 'NaN' } },
  ])
})

test('a value is read as a JavaScript value, also when empty parts were left out', () => {
  const plain = { a: 'x', b: false, c: ['y', 2.5], d: { deep: [true] }, e: '', f: 0 }
  assert.deepEqual(fromAttributes(toAttributes(plain)), plain)
  assert.deepEqual(
    [fromValue({ intValue: 7 }), fromValue(integer(7n)), fromValue({ bytesValue: 'AA==' })],
    [7, 7, 'AA=='],
  )
  assert.deepEqual([fromValue({ arrayValue: {} }), fromValue({ kvlistValue: {} })], [[], {}])
  assert.deepEqual([fromValue({}), fromValue(undefined), fromAttributes(undefined)], [undefined, undefined, {}])
  assert.equal(fromValue(toValue(Number.NEGATIVE_INFINITY)), Number.NEGATIVE_INFINITY)
})

test('an attribute is found by its key', () => {
  const attributes = toAttributes({ a: 'x', b: 2n })
  assert.deepEqual([attributeOf(attributes, 'b'), attributeOf(attributes, 'c')], [integer(2), undefined])
  assert.equal(attributeOf(undefined, 'a'), undefined)
})

test('spans are found with their scope and resource, whichever parts are missing', () => {
  const [one, two, three] = [span('one'), span('two'), span('three')]
  const forest = resourceSpans([one, two], { resource: { 'service.name': 'forest' }, scope: { name: 'acorn' } })
  const request = { resourceSpans: [forest, {}, { scopeSpans: [{}] }, resourceSpans([three])] }
  assert.deepEqual(spansOf(request), [one, two, three])
  assert.deepEqual(
    [...eachSpan(request)].map(({ span, scope, resource }) => [
      span.name,
      scope?.name,
      fromAttributes(resource?.attributes)['service.name'],
    ]),
    [
      ['one', 'acorn', 'forest'],
      ['two', 'acorn', 'forest'],
      ['three', undefined, undefined],
    ],
  )
  assert.deepEqual([spansOf({}), [...eachSpan({})]], [[], []])
  const [first] = eachSpan(request)
  assert.equal(first?.span, one, 'nothing is copied')
})

test('a request can be reduced to some spans; resources and scopes without spans are removed', () => {
  const forest = resourceSpans([span('one'), span('two')], { resource: { place: 'forest' } })
  const town = resourceSpans([span('three')], { resource: { place: 'town' } })
  const request = { resourceSpans: [forest, town, {}] }
  const only = onlySpans(request, ({ name }) => name === 'two')
  assert.deepEqual(only, traceRequest([span('two')], { resource: { place: 'forest' } }))
  assert.equal(request.resourceSpans.length, 3)
})

test('errors, times and ids are read in every form that senders write', () => {
  const codes = [2, 'STATUS_CODE_ERROR', 1, 'STATUS_CODE_OK', undefined]
  assert.deepEqual(
    codes.map((code) => isError({ status: code === undefined ? {} : { code } })),
    [true, true, false, false, false],
  )
  assert.equal(isError({}), false)
  const timed = { ...span('one'), startTimeUnixNano: '1795223772000000001', endTimeUnixNano: 1500 }
  assert.deepEqual([startOf(timed), endOf(timed), startOf(span('two'))], [1795223772000000001n, 1500n, 0n])
  assert.deepEqual(
    [nanosToMs('1500000'), nanosToMs(undefined), nanosOf(1795223772000)],
    [1.5, 0, '1795223772000000000'],
  )
  assert.equal(hexOf('t61rcWkgMzE='), 'b7ad6b7169203331')
  assert.equal(hexOf(''), '')
})
