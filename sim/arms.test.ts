import assert from 'node:assert/strict'
import { test } from 'node:test'
import { armsReport, difference } from './arms.ts'

const arm = (name: string, refused: number, turns: number) => ({ name, refused, turns })

test('the interval of a difference is that of the paper of Newcombe, for many turns and for few', () => {
  const rounded = (one: readonly [number, number], other: readonly [number, number]) =>
    Object.values(difference(arm('a', ...one), arm('b', ...other))).map((share) => share.toFixed(4))
  assert.deepEqual(rounded([56, 70], [48, 80]), ['0.2000', '0.0524', '0.3339'])
  assert.deepEqual(rounded([9, 10], [3, 10]), ['0.6000', '0.1705', '0.8090'])
  assert.deepEqual(rounded([0, 10], [0, 10]), ['0.0000', '-0.2775', '0.2775'])
})

test('an experiment says both shares, the difference, and whether chance does as much', () => {
  const two = armsReport([arm('with-recall', 20, 200), arm('without-recall', 22, 210)])
  assert.deepEqual(two, [
    'orders were refused: with-recall in 20 of 200 turns (10.0 %), without-recall in 22 of 210 turns (10.5 %)',
    'with-recall minus without-recall: -0.5 points, 95 % interval -6.4 to 5.6: chance may do as much.',
  ])
  assert.match(
    armsReport([arm('b', 5, 200), arm('a', 60, 200)])[1] ?? '',
    /^a minus b: 27\.5 points.*: more than chance\.$/,
  )
  assert.deepEqual(armsReport([arm('terse', 1, 5)]), [])
})
