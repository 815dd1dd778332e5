import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse, stringify } from 'yaml'
import { TYPES } from '../workbench/check.ts'
import { missed, mutantsOf, mutationReport, type Verdict } from './mutation.ts'

const shipped = readFileSync(join(import.meta.dirname, '../collector/policies/woodland.yaml'), 'utf8')
const ofOne = (policy: object) => mutantsOf(stringify([policy])).map(({ name }) => name.replace(/^.*?: /, ''))

test('there are at least fifty mutants, and no two are the same, and none is the shipped list', () => {
  const mutants = mutantsOf(shipped)
  assert.ok(mutants.length >= 50, `${mutants.length}`)
  const meant = [shipped, ...mutants.map(({ text }) => text)].map((text) => JSON.stringify(parse(text)))
  const twice = mutants.filter((_, index) => meant.indexOf(meant[index + 1] ?? '') !== index + 1)
  assert.deepEqual(twice, [])
  assert.equal(new Set(mutants.map(({ name }) => name)).size, mutants.length)
})

test('every policy has mutants of its own, and of its settings', () => {
  const names = mutantsOf(shipped).map(({ name }) => name)
  const policies = parse(shipped) as { name: string }[]
  for (const { name } of policies) {
    assert.ok(names.includes(`${name} left out`), name)
    assert.ok(names.filter((mutant) => mutant.startsWith(`${name}: `)).length >= 5, name)
  }
})

/** One policy of each type, with every setting that it reads (0.161). */
const OF_EACH_TYPE: readonly { type: string; [settings: string]: unknown }[] = [
  { type: 'always_sample' },
  { type: 'latency', latency: { threshold_ms: 2000, upper_threshold_ms: 9000 } },
  { type: 'numeric_attribute', numeric_attribute: { key: 'a', min_value: 5, max_value: 9, invert_match: false } },
  { type: 'probabilistic', probabilistic: { hash_salt: 'x', sampling_percentage: 10 } },
  { type: 'status_code', status_code: { status_codes: ['ERROR', 'UNSET'] } },
  {
    type: 'string_attribute',
    string_attribute: {
      key: 'a',
      values: ['b', 'c'],
      enabled_regex_matching: true,
      cache_max_size: 5,
      invert_match: true,
    },
  },
  { type: 'rate_limiting', rate_limiting: { spans_per_second: 50, burst_capacity: 100 } },
  {
    type: 'composite',
    composite: {
      max_total_spans_per_second: 100,
      policy_order: ['one', 'two'],
      composite_sub_policy: [
        { name: 'one', type: 'status_code', status_code: { status_codes: ['OK'] } },
        { name: 'two', type: 'always_sample' },
      ],
      rate_allocation: [{ policy: 'one', percent: 50 }],
    },
  },
  { type: 'and', and: { and_sub_policy: [{ name: 'one', type: 'latency', latency: { threshold_ms: 5 } }] } },
  { type: 'not', not: { not_sub_policy: { name: 'one', type: 'span_count', span_count: { min_spans: 5 } } } },
  { type: 'drop', drop: { drop_sub_policy: [{ name: 'one', type: 'latency', latency: { threshold_ms: 5 } }] } },
  { type: 'span_count', span_count: { min_spans: 2, max_spans: 9 } },
  { type: 'trace_state', trace_state: { key: 'a', values: ['b'] } },
  { type: 'boolean_attribute', boolean_attribute: { key: 'a', value: true, invert_match: false } },
  {
    type: 'ottl_condition',
    ottl_condition: {
      error_mode: 'ignore',
      span: ['span.attributes["a"] == "b"', '(span.end_time - span.start_time) > Duration("300ms")'],
      spanevent: ['spanevent.name == "retry"'],
    },
  },
  { type: 'bytes_limiting', bytes_limiting: { bytes_per_second: 500, burst_capacity: 900 } },
  { type: 'trace_flags' },
]

describe('every type of policy has mutants, of each of its settings', () => {
  test('that there are', () => assert.deepEqual(OF_EACH_TYPE.map(({ type }) => type).sort(), [...TYPES].sort()))

  for (const policy of OF_EACH_TYPE) {
    test(policy.type, () => {
      const list = [{ name: 'keep-it', ...policy }]
      const own = mutantsOf(stringify(list)).filter(({ name }) => name.startsWith('keep-it: '))
      assert.ok(own.length > 0, 'none')
      const texts = own.map(({ text }) => text)
      assert.deepEqual(
        [new Set(texts).size, texts.includes(stringify(list))],
        [texts.length, false],
        'no two are the same',
      )
      const changedIn = (path: readonly PropertyKey[]) => {
        const at = (of: unknown) => path.reduce<unknown>((node, key) => (node as never)?.[key], of)
        const before = JSON.stringify(at(list))
        return texts.map((text) => JSON.stringify(at(parse(text)))).filter((after) => after && after !== before).length
      }
      for (const path of leavesOf(policy[policy.type] ?? {}, [0, policy.type]))
        assert.ok(changedIn(path) > 0, `${path.join('.')} is never wrong`)
    })
  }

  test('a threshold is moved in the same way whether it is a number or a variable', () =>
    assert.deepEqual(
      ofOne(OF_EACH_TYPE.find(({ type }) => type === 'ottl_condition') ?? {}).filter((name) => name.includes('bound')),
      [
        'a longer bound in its 2. condition',
        'a shorter bound in its 2. condition',
        'a bound in another unit in its 2. condition',
      ],
    ))
})

/** The path of each value, except names and values that a mutant leaves out or replaces as a whole. */
function leavesOf(value: unknown, path: readonly PropertyKey[]): readonly (readonly PropertyKey[])[] {
  if (typeof value !== 'object' || value === null) return ['name', 'type'].includes(String(path.at(-1))) ? [] : [path]
  return Object.entries(value).flatMap(([key, inner]) => leavesOf(inner, [...path, key]))
}

test('a word is taken out of a list of words, and a limit in a condition is moved by one', () => {
  const condition = `IsMatch(span.attributes["a"], "^(?:chat|embeddings)$") and span.attributes["b"] >= \${env:B:-8000}`
  const names = ofOne({ name: 'keep-some', type: 'ottl_condition', ottl_condition: { span: [condition] } })
  for (const name of [
    'without chat in its list',
    'without embeddings in its list',
    'a bound of 7999',
    'a bound of 8001',
  ])
    assert.ok(names.includes(name), name)
  assert.ok(!names.some((name) => /Invalid|NaN/.test(name)))
})

test('each guard against a missing attribute is left out once', () => {
  const condition = 'span.attributes["a"] != nil and span.attributes["b"] != nil and span.attributes["a"] + 1 == 2'
  const names = ofOne({ name: 'keep-sums', type: 'ottl_condition', ottl_condition: { span: [condition] } })
  const guards = names.filter((name) => name.startsWith('no guard'))
  assert.deepEqual(guards, ['no guard "span.attributes["a"] != nil and"', 'no guard "span.attributes["b"] != nil and"'])
})

const VERDICTS: readonly Verdict[] = [
  { mutant: 'one', caught: 'by the check', why: 'it is empty.' },
  { mutant: 'two', caught: 'by a case', why: 'a-call-is-kept', cases: 3 },
  { mutant: 'three', caught: 'no', harmless: true, traces: 40 },
  { mutant: 'four', caught: 'no', harmless: false, traces: 40 },
]

test('the report says what found each mutant, and counts only mutants that change something', () => {
  const text = mutationReport(VERDICTS, 'text')
  assert.match(text, /^one +the check +it is empty\.$/m)
  assert.match(text, /^two +a case +a-call-is-kept and 2 more$/m)
  assert.match(text, /^three +harmless +it decides on 40 other traces as the shipped list does$/m)
  assert.match(text, /^four +MISSED +it decides differently on some of 40 other traces: add a case$/m)
  assert.match(text, /\n4 mutants: 1 change nothing; 2 of the other 3 are found\.$/)
  assert.match(mutationReport(VERDICTS, 'markdown'), /^\| two \| a case \| a-call-is-kept and 2 more \|$/m)
  assert.deepEqual(JSON.parse(mutationReport(VERDICTS, 'json')), VERDICTS)
  assert.deepEqual(
    missed(VERDICTS).map(({ mutant }) => mutant),
    ['four'],
  )
})
