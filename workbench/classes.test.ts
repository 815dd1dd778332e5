import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { readClasses, study } from './classes.ts'
import type { Span } from './recording.ts'

const folder = mkdtempSync(join(tmpdir(), 'classes-test-'))
after(() => rmSync(folder, { recursive: true }))

const SHIPPED = join(import.meta.dirname, 'classes.yaml')
const span = (attributes: Record<string, string | number>, more: Partial<Span> = {}): Span => ({
  traceId: 'a'.repeat(32),
  spanId: 'b'.repeat(16),
  startTimeUnixNano: '1795223772818000000',
  endTimeUnixNano: '1795223772818000000',
  attributes: Object.entries(attributes).map(([key, value]) => ({
    key,
    value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value },
  })),
  ...more,
})
const CHAT = { 'gen_ai.operation.name': 'chat' }
const after2s = (extra: bigint) => ({ endTimeUnixNano: String(1795223772818000000n + 2_000_000_000n + extra) })

async function classesOf(one: Span, env: Record<string, string> = {}): Promise<string> {
  const requests = async function* () {
    yield { atMs: 1, body: '', spans: [one] }
  }
  const { traces } = await study(requests(), readClasses(SHIPPED, env), () => () => 0)
  return [...traces.values()].flatMap((trace) => trace.classes).join(' ')
}

describe('the shipped classes', () => {
  const cases: readonly (readonly [name: string, span: Span, classes: string])[] = [
    ['a parse error', span({ 'error.type': 'parse_error' }), 'parse-error'],
    ['a self-buy', span({ 'error.type': 'self_buy' }), 'self-buy'],
    ['a refused order is routine', span({ 'error.type': 'bad_quantity' }, { status: { code: 2 } }), 'routine'],
    ['a failed model call', span(CHAT, { status: { code: 2 } }), 'failed-call'],
    ['a status in words', span(CHAT, { status: { code: 'STATUS_CODE_ERROR' } }), 'failed-call'],
    ['a call of exactly 2 s is routine', span(CHAT, after2s(0n)), 'routine'],
    ['a nanosecond more is slow', span(CHAT, after2s(1n)), 'slow-call'],
    ['another slow span is routine', span({}, after2s(1n)), 'routine'],
    ['6000 tokens are heavy', span({ 'woodland.tokens': 6000 }), 'token-heavy'],
    ['5999 are not', span({ 'woodland.tokens': 5999 }), 'routine'],
    ['a number in words is none', span({ 'woodland.tokens': '6000' }), 'routine'],
  ]
  for (const [name, one, classes] of cases) test(name, async () => assert.equal(await classesOf(one), classes))

  test('take their thresholds from the variables of the policy', async () => {
    assert.equal(await classesOf(span(CHAT, after2s(1n)), { SLOW_CALL: '3s' }), 'routine')
    assert.equal(await classesOf(span({ 'woodland.tokens': 10 }), { TOKEN_HEAVY: '10' }), 'token-heavy')
  })
})

describe('a file of classes with a defect is refused with its line and the fix', () => {
  const cases: readonly (readonly [name: string, text: string, message: RegExp])[] = [
    ['no list', 'name: x\n', /:1: the file is a list/],
    ['no condition', '- name: slow\n  where: []\n', /:2: a class has at least one condition/],
    [
      'unknown condition',
      '- name: slow\n  where:\n    - faster_than: 2s\n',
      /:3: a condition is attribute with equals/,
    ],
    ['no unit', '- name: slow\n  where:\n    - longer_than: "2"\n', /:3: .*2s/],
    ['broken YAML', '- name: "slow\n', /:\d: it is not YAML/],
    [
      'a name that is taken',
      '- name: routine\n  where:\n    - status: error\n',
      /:1: routine is what no class describes/,
    ],
  ]
  for (const [name, text, message] of cases) {
    test(name, () => {
      const path = join(folder, `${name.replaceAll(' ', '-')}.yaml`)
      writeFileSync(path, text)
      assert.throws(() => readClasses(path, {}), message)
    })
  }
})
