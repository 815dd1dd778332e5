import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newWorld, perGood } from '../economy/world.ts'
import { runTool, toolDefinitions } from './tools.ts'

const start = newWorld(1)
const world = { ...start, prices: { ...start.prices, honey: 125 } }

const raw = (name: string, args: string) => runTool({ id: 'call-1', name, arguments: args }, world)
const call = (name: string, args: unknown) => {
  const { content, error } = raw(name, JSON.stringify(args))
  return { ...JSON.parse(content), ...(error ? { type: error } : {}) }
}
const calculate = (expression: string) => call('calculate', { expression })
const convert = (value: number, from: string, to: string) => call('convert_units', { value, from, to })

test('the model is offered three tools, each with a schema of its arguments', () => {
  const offered = toolDefinitions.map((tool) => (tool.type === 'function' ? tool.function : undefined))
  assert.deepEqual(
    offered.map((tool) => tool?.name),
    ['calculate', 'convert_units', 'recent_prices'],
  )
  for (const tool of offered) {
    assert.ok(tool?.description)
    assert.equal(tool.parameters?.type, 'object')
  }
  assert.deepEqual(offered[0]?.parameters?.required, ['expression'])
})

test('calculate knows arithmetic, precedence and brackets', () => {
  assert.deepEqual(calculate('2 + 3 * 4'), { result: 14 })
  assert.deepEqual(calculate('(2 + 3) * -4'), { result: -20 })
  assert.deepEqual(calculate('10 - 4 - 3'), { result: 3 })
  assert.deepEqual(calculate('7 % 4 / 2'), { result: 1.5 })
})

test('calculate answers with an error when the result is not a number', () => {
  for (const expression of ['1 / 0', '0 / 0', '9e307 * 9e307', '', '1 +', '2 ** 3', '"a" + 1', '1, 2', 'true', '[1]']) {
    const { type, error } = calculate(expression)
    assert.equal(type, 'bad_arguments', expression)
    assert.ok(error)
  }
})

test('calculate runs nothing: names, members, calls and assignments are refused', () => {
  const code = [
    'x',
    'process.exit(1)',
    'globalThis',
    'this',
    'constructor',
    '__proto__',
    'constructor.constructor("return 1")()',
    '(1).toString()',
    'a = 1',
    '`1`',
    '1 ? 2 : 3',
    '(() => 1)()',
  ]
  for (const expression of code) assert.equal(calculate(expression).type, 'bad_arguments', expression)
})

test('calculate refuses an expression of more than 200 characters', () => {
  assert.deepEqual(calculate(`${'1+'.repeat(99)}1`), { result: 100 })
  assert.equal(calculate(`${'1+'.repeat(100)}1`).type, 'bad_arguments')
  assert.equal(calculate('('.repeat(200)).type, 'bad_arguments')
})

test("convert_units knows distances and weights, the wood's own among them", () => {
  assert.deepEqual(convert(1, 'miles', 'km'), { result: 1.609344 })
  assert.deepEqual(convert(0.45359237, 'kg', 'lb'), { result: 1 })
  assert.deepEqual(convert(2, 'cartloads', 'baskets'), { result: 32 })
  assert.deepEqual(convert(1, 'km', 'hops'), { result: 2000 })
})

test('convert_units refuses what cannot be converted, and never answers null', () => {
  for (const [from, to] of [
    ['km', 'kg'],
    ['km', 'furlongs'],
    ['', ''],
    ['constructor', 'toString'],
    ['km', '__proto__'],
    ['hasOwnProperty', 'kg'],
  ] as const) {
    const { type, error } = convert(1, from, to)
    assert.equal(type, 'bad_arguments', `${from} to ${to}`)
    assert.match(error, new RegExp(`"${from}" to "${to}"`))
  }
  assert.equal(convert(1e308, 'cartloads', 'lb').type, 'bad_arguments')
})

test('recent_prices tells the last price of one good or of all, in pebbles', () => {
  assert.deepEqual(call('recent_prices', { good: 'honey' }), { result: { honey: 1.25 } })
  assert.deepEqual(call('recent_prices', {}), {
    result: { ...perGood(() => null), honey: 1.25 },
  })
  assert.equal(call('recent_prices', { good: 'truffles' }).type, 'bad_arguments')
})

test('the answer to an unknown tool lists the tools there are', () => {
  for (const name of ['place_order', '', 'constructor', '__proto__', 'toString']) {
    const { type, error } = call(name, {})
    assert.equal(type, 'unknown_tool', name)
    assert.match(error, /calculate, convert_units, recent_prices/)
  }
})

test('arguments that are not JSON, not an object or of the wrong type go back as an error', () => {
  for (const args of ['', '{', 'null', '[]', '"1+1"', '{}', '{"expression":2}', '{"expression":null}']) {
    const { content, error } = raw('calculate', args)
    assert.equal(error, 'bad_arguments', args)
    assert.ok(JSON.parse(content).error)
  }
  assert.equal(raw('convert_units', '{"value":"1","from":"km","to":"miles"}').error, 'bad_arguments')
  assert.equal(raw('convert_units', '{"value":1e999,"from":"km","to":"miles"}').error, 'bad_arguments')
})
