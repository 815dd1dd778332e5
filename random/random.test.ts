import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomOf, roll } from './random.ts'

const many = Array.from({ length: 10_000 }, (_, index) => index)

/** Whether 10,000 numbers fill the ten tenths of [0, 1) evenly: by chance a tenth holds 1000, give or take 30. */
function assertEven(numbers: readonly number[]): void {
  const tenths = Map.groupBy(numbers, (number) => Math.floor(number * 10))
  assert.deepEqual(
    [...tenths.keys()].sort((a, b) => a - b),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  )
  for (const [tenth, { length }] of tenths) assert.ok(Math.abs(length - 1000) < 150, `tenth ${tenth}: ${length}`)
}

test('a key rolls the number that it rolled when the recordings were made', () => {
  assert.equal(roll(7, 3, 'priority', 'fox'), 0.8590766323134993)
  assert.equal(roll('1', 'midway'), roll(1, 'midway'))
})

test('the parts of a key do not run together', () => {
  assert.notEqual(roll('a', 'bc'), roll('ab', 'c'))
  assert.notEqual(roll('a b'), roll('a', 'b'))
})

test('rolls fill their range evenly', () => {
  assertEven(many.map((index) => roll('even', index)))
})

test('a stream gives the same numbers for the same key, and others for another', () => {
  const draw = (key: string) => {
    const { number, below, hex } = randomOf('stream', key)
    return [number(), below(1000), hex(32), number(), hex(800)]
  }
  assert.deepEqual(draw('a'), draw('a'))
  assert.notDeepEqual(draw('a'), draw('b'))
})

test('a stream fills its range evenly', () => {
  const { number, below } = randomOf('even')
  assertEven(many.map(() => number()))
  assertEven(many.map(() => below(10) / 10))
})

test('a stream begins as its dice do: one hash is behind both', () => {
  assert.equal(randomOf('one', 'hash').number(), roll('one', 'hash', 0))
})

test('hex digits are as many as asked for, however many', () => {
  const { hex } = randomOf('hex')
  for (const count of [0, 2, 16, 32, 64, 65, 800]) assert.match(hex(count), new RegExp(`^[0-9a-f]{${count}}$`))
})
