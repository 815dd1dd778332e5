import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomOf } from '../../random/random.ts'
import { searcherFor } from './search.ts'

const found = (needles: readonly string[], text: string) => [
  ...searcherFor(needles.map((needle) => [needle]))(Buffer.from(text)),
]

test('each needle is found at the beginning, in the middle and at the end, and no other', () => {
  const needles = ['kmqx.w3fpqzrt', '4929 1183 5520', 'Zq8sPw2LmTn4']
  for (const [index, needle] of needles.entries()) {
    for (const text of [needle, `${needle} and more`, `before ${needle} and more`, `before ${needle}`])
      assert.deepEqual(found(needles, text), [index], text)
  }
  assert.deepEqual(found(needles, 'nothing of the kind'), [])
  assert.deepEqual(found(needles, 'short'), [])
})

test('the beginning or the end of a secret that a mask left is found', () => {
  const needle = 'abcdefghijKLMNOPQRST0123456789'
  for (const rest of ['abcdefghij****', '****0123456789']) assert.deepEqual(found([needle], rest), [0])
  assert.deepEqual(found([needle], 'abcdefgh****'), [])
})

test('needles are found as JSON, as JSON of ASCII only and as Prometheus writes them', () => {
  const needle = 'ab"１２３cd.efgh-ij'
  const ascii = JSON.stringify(needle).replace(/[１-３]/g, (digit) => `\\u${digit.charCodeAt(0).toString(16)}`)
  for (const text of [JSON.stringify(needle), ascii, 'x_ab____cd_efgh_ij_total'])
    assert.deepEqual(found([needle], text), [0])
})

test('a text that ends within a needle does not hold it', () => {
  const needle = 'ab"cd.efgh-ij'
  const text = `before ${JSON.stringify(needle).slice(0, -4)}`
  assert.deepEqual(found([needle], text), [])
})

test('the search distinguishes ten thousand needles in a text of a megabyte', () => {
  const random = randomOf('many needles')
  const needles = Array.from({ length: 10_000 }, () => random.hex(24))
  const sown = [17, 4711, 8000, 9999]
  const text = Array.from({ length: 40_000 }, (_, line) =>
    line % 13_000 === 0 ? needles[sown[line / 13_000] ?? 0] : random.hex(26),
  )
  assert.deepEqual(
    found(needles, text.join(' ')).sort((a, b) => a - b),
    sown,
  )
})

test('in base64 only the whole secret is searched for, because ten characters of it are five digits, which occur by chance', () => {
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const search = searcherFor([[base64('AB 08 11 66 ')]])
  assert.deepEqual([...search(Buffer.from(base64('XY 38 11 66 ')))], [])
  assert.deepEqual([...search(Buffer.from(`{"v":"${base64('AB 08 11 66 C')}"}`))], [0])
})
