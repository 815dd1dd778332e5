import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'yaml'
import { limited } from './limit.ts'

const LIMIT = { bytesPerDay: 86_400_000, largestTraceBytes: 5000 }
type Bytes = Readonly<{ bytes_per_second: number; burst_capacity: number }>
type Written = readonly {
  name: string
  type: string
  bytes_limiting?: Bytes
  and?: { and_sub_policy: readonly { type: string; bytes_limiting?: Bytes }[] }
}[]
const write = (list: string, limit = LIMIT) => parse(limited(list, limit)) as Written
const limitsOf = (list: Written) =>
  list.map(({ name, and, bytes_limiting }) => [name, bytes_limiting ?? and?.and_sub_policy.at(-1)?.bytes_limiting])

const RULE = (name: string) => `- name: ${name} # why\n  type: latency\n  latency: { threshold_ms: 5 }\n`
const SAMPLE = '- name: some\n  type: probabilistic\n  probabilistic:\n    sampling_percentage: 10\n'
const both = (inner: string) => `- name: both\n  type: and\n  and:\n    and_sub_policy:\n      - ${inner}\n`

test('rules share nine tenths and keep name and condition; the sample becomes what fits into a tenth', () => {
  const text = limited(RULE('slow') + SAMPLE + RULE('slower'), LIMIT)
  const list = parse(text) as Written
  assert.deepEqual(limitsOf(list), [
    ['slow', { bytes_per_second: 450, burst_capacity: 5000 }],
    ['slower', { bytes_per_second: 450, burst_capacity: 5000 }],
    ['sample-what-fits', { bytes_per_second: 100, burst_capacity: 5000 }],
  ])
  assert.deepEqual(list[0]?.and?.and_sub_policy[0], { name: 'slow', type: 'latency', latency: { threshold_ms: 5 } })
  assert.ok(text.includes('# why'))
})

test('without a sample the rules have all of it, and a list of samples alone has all of it, too', () => {
  assert.deepEqual(limitsOf(write(RULE('slow'))), [['slow', { bytes_per_second: 1000, burst_capacity: 5000 }]])
  const all = ['sample-what-fits', { bytes_per_second: 1000, burst_capacity: 5000 }]
  assert.deepEqual(limitsOf(write(SAMPLE)), [all])
})

test('a second of a large limit fits into it', () =>
  assert.deepEqual(limitsOf(write(RULE('slow'), { ...LIMIT, bytesPerDay: 864_000_000_000 })), [
    ['slow', { bytes_per_second: 10_000_000, burst_capacity: 10_000_000 }],
  ]))

test('a policy that is an and gets the limit as its last part; a policy that drops stays as it is', () => {
  const drop = '- name: none\n  type: drop\n  drop: { drop_sub_policy: [{ name: all, type: always_sample }] }\n'
  const [first, second] = write(both('{ name: long, type: latency, latency: { threshold_ms: 5 } }') + drop)
  assert.deepEqual(
    first?.and?.and_sub_policy.map(({ type }) => type),
    ['latency', 'bytes_limiting'],
  )
  assert.equal(second?.type, 'drop')
})

test('a policy that cannot have a limit, and a limit of nothing, are refused', () => {
  const rate = '- name: few\n  type: rate_limiting\n  rate_limiting: { spans_per_second: 5 }\n'
  assert.throws(() => write(RULE('slow') + rate), { message: /^"few" has the type rate_limiting, .* Take it out/ })
  const half = '{ name: half, type: probabilistic, probabilistic: { sampling_percentage: 50 } }'
  assert.throws(() => write(both(half)), { message: /^"both" has the type probabilistic/ })
  assert.throws(() => write(RULE('slow'), { ...LIMIT, bytesPerDay: 5 }), { message: /allow more/ })
})
