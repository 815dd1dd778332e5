import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { ownFolder } from '../stack/own-folder.ts'
import { UserError } from '../workbench/user-error.ts'
import { readCases } from './cases.ts'

const CASES = join(import.meta.dirname, 'cases')
const DROPPED = 'traces: { it: dropped }\n'

/** Reads one case from a separate folder. */
function caseOf(traffic: string, expect = DROPPED, name = 'a-call-is-kept') {
  const parent = ownFolder()
  mkdirSync(join(parent, name))
  writeFileSync(join(parent, name, 'traffic.yaml'), traffic)
  writeFileSync(join(parent, name, 'expect.yaml'), expect)
  const [only] = readCases(parent)
  assert.ok(only)
  return only
}

const bodies = (traffic: string, expect?: string) =>
  caseOf(traffic, expect).requests.map(({ body }) => JSON.parse(body.toString()).resourceSpans[0])
const spansOf = (traffic: string, expect?: string) =>
  bodies(traffic, expect).flatMap(({ scopeSpans }) => scopeSpans[0].spans)

describe('traffic.yaml', () => {
  test('types of YAML become those of OTLP', () => {
    const [span] = spansOf(`
- spans:
    - attributes: { text: a, quoted: "9", whole: 9007199254740993, float: 9.0, half: 0.5, yes: true, list: [1, b], map: { k: 1.5 }, nothing: null }
`)
    assert.deepEqual(
      Object.fromEntries(span.attributes.map((one: { key: string; value: unknown }) => [one.key, one.value])),
      {
        text: { stringValue: 'a' },
        quoted: { stringValue: '9' },
        whole: { intValue: '9007199254740993' },
        float: { doubleValue: 9 },
        half: { doubleValue: 0.5 },
        yes: { boolValue: true },
        list: { arrayValue: { values: [{ intValue: '1' }, { stringValue: 'b' }] } },
        map: { kvlistValue: { values: [{ key: 'k', value: { doubleValue: 1.5 } }] } },
        nothing: {},
      },
    )
  })

  test('resource, scope, times, status and parents are sent', () => {
    const [request] = caseOf(`
- at: 1500ms
  resource: { service.name: fox }
  scope: woodland
  spans:
    - { name: tick, id: tick }
    - { name: call, parent: tick, start: 2us, lasts: 2s, status: error }
`).requests
    const { resource, scopeSpans } = JSON.parse(request?.body.toString() ?? '').resourceSpans[0]
    assert.deepEqual(resource.attributes, [{ key: 'service.name', value: { stringValue: 'fox' } }])
    assert.equal(scopeSpans[0].scope.name, 'woodland')
    const [tick, call] = scopeSpans[0].spans
    assert.equal(call.parentSpanId, tick.spanId)
    assert.equal(tick.parentSpanId, undefined)
    assert.deepEqual([tick.status.code, call.status.code], [0, 2])
    assert.equal(BigInt(call.endTimeUnixNano) - BigInt(call.startTimeUnixNano), 2_000_000_000n)
    assert.equal(BigInt(call.startTimeUnixNano) - BigInt(tick.startTimeUnixNano), 2000n)
    assert.equal((request?.atMs ?? 0) % 60_000, 1500)
  })

  test('a request sent many times is as many traces, a span sent many times is in one', () => {
    const spans = spansOf(
      '- times: 3\n  spans:\n    - { id: a }\n    - { times: 2 }\n',
      'traces: { it: { kept: 0 } }\n',
    )
    const idsOf = (key: string) => new Set(spans.map((span) => span[key])).size
    assert.deepEqual([spans.length, idsOf('traceId'), idsOf('spanId')], [9, 3, 9])
  })

  test('the same folder has the same ids, and another salt has others', () => {
    const idOf = (salt: number) => spansOf('- spans:\n    - {}\n', `${DROPPED}salt: ${salt}\n`)[0].traceId
    assert.equal(idOf(1), idOf(1))
    assert.notEqual(idOf(1), idOf(2))
  })
})

describe('a case with a defect is refused with its file, the line and the fix', () => {
  const SPAN = '- spans:\n    - {}\n'
  const cases: readonly (readonly [name: string, message: RegExp, traffic: string, expect?: string])[] = [
    ['no list', /traffic\.yaml:1: traffic must be a list of requests; start/, 'spans: []\n'],
    ['an empty file', /traffic\.yaml:1: traffic must be a list of requests; start/, ''],
    ['broken YAML', /traffic\.yaml:2: it is not YAML/, '- spans: [\n'],
    ['no spans', /traffic\.yaml:1: a request must have at least one span; add/, '- spans: []\n'],
    ['an unknown key', /traffic\.yaml:2: "nam" is not a known key; .* name, trace/, '- spans:\n    - { nam: x }\n'],
    ['no unit', /traffic\.yaml:1: a time must be a number with a unit; write 2s/, '- at: 5\n  spans:\n    - {}\n'],
    ['another unit', /traffic\.yaml:2: a time must be a number with a unit/, '- spans:\n    - { lasts: 5h }\n'],
    [
      'an unknown status',
      /traffic\.yaml:2: a status must be unset, ok or error/,
      '- spans:\n    - { status: failed }\n',
    ],
    ['never sent', /traffic\.yaml:1: times must be a whole number of 1 or more/, '- times: 0\n  spans:\n    - {}\n'],
    [
      'a name that is a number',
      /traffic\.yaml:2: this must be a text; put it in quotes/,
      '- spans:\n    - { name: 7 }\n',
    ],
    [
      'attributes in a list',
      /traffic\.yaml:2: attributes must be a map; write/,
      '- spans:\n    - { attributes: [a] }\n',
    ],
    ['an unknown verdict', /expect\.yaml:2: a verdict must be dropped, or \{ policy/, SPAN, 'traces:\n  it: keept\n'],
    ['a policy without spans', /expect\.yaml:2: a verdict must be dropped, or/, SPAN, 'traces:\n  it: { policy: x }\n'],
    ['no traces', /expect\.yaml:1: traces must map each trace to its verdict; write/, SPAN, 'salt: 1\n'],
    [
      'a trace that is not sent',
      /"other" is never sent; traffic\.yaml has it$/,
      SPAN,
      'traces: { it: dropped, other: dropped }\n',
    ],
    [
      'a trace without a verdict',
      /the trace "other" is sent and has no verdict; add other: dropped/,
      '- spans:\n    - {}\n    - { trace: other }\n',
    ],
  ]
  for (const [name, message, traffic, expect] of cases) {
    test(name, () =>
      assert.throws(
        () => caseOf(traffic, expect),
        (error) => {
          assert.ok(error instanceof UserError)
          assert.match(error.message, message)
          return true
        },
      ),
    )
  }

  test('a name that is not a sentence', () =>
    assert.throws(() => caseOf(SPAN, DROPPED, 'Case_1'), /Case_1: the name of a case must be a sentence in lower case/))

  test('a folder with one file', () => {
    const parent = ownFolder()
    mkdirSync(join(parent, 'a-call-is-kept'))
    assert.throws(
      () => readCases(parent),
      /traffic\.yaml is missing: a case must have traffic\.yaml and expect\.yaml; add/,
    )
  })
})

test('in the cases that ship, no two traces have one id', () => {
  const cases = readCases(CASES)
  assert.ok(cases.length > 0)
  const ids = cases.flatMap(({ expected }) => expected.flatMap(({ ids }) => ids))
  assert.equal(new Set(ids).size, ids.length)
})
