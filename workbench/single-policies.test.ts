import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'yaml'
import { singlePolicies } from './single-policies.ts'

test('each policy of a list becomes a list of its own, in its own words', () => {
  const text =
    '# Ours\n- name: one\n  type: always_sample # all\n\n- name: two\n  type: probabilistic\n  probabilistic: { sampling_percentage: 5 }\n'
  const [one, two] = singlePolicies(text)
  assert.equal(one?.name, 'one')
  assert.ok(one?.text.includes('always_sample # all'))
  assert.deepEqual(parse(two?.text ?? ''), [parse(text)[1]])
})

test('a policy that borrows from another is written out', () => {
  const text =
    '- &slow\n  name: slow\n  type: latency\n  latency: { threshold_ms: 500 }\n- <<: *slow\n  name: slower\n  latency: { threshold_ms: 900 }\n'
  const [, slower] = singlePolicies(text)
  assert.deepEqual(parse(slower?.text ?? ''), [{ name: 'slower', type: 'latency', latency: { threshold_ms: 900 } }])
})
