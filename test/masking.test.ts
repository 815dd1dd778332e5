import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { before, describe, test } from 'node:test'
import { parse } from 'yaml'
import {
  type AnyValue,
  attributeOf,
  eachSpan,
  type Span,
  type TraceRequest,
  toValue,
  traceRequest,
} from '../otlp/json.ts'
import { ownSettings } from '../stack/own-stack.ts'
import { ROOT, type Settings } from '../stack/settings.ts'
import { withScratch } from '../workbench/collector.ts'
import { collectorFor, sendTo } from './collector.ts'

/** `key` is the key of the attribute. */
type Case = Readonly<{ case: string; in: unknown; out?: unknown; key?: string }>
const table = parse(readFileSync(resolve(ROOT, 'evidence/leak/masking.yaml'), 'utf8'), {
  intAsBigInt: true,
}) as readonly Case[]

/** Keys that announce a secret, and values that are hard to quote. */
const KEYS = ['password', 'DB_PASSWORD', 'apiKey', 'x-api-key', 'aws_secret_access_key', 'client_secret', 'accessToken']
const VALUES = ['x1y2z3', 'swordfish', 'a"b\\c"d1', 'tab\there', 'é1234', 'back\\', '\\"', 'two words, {1}']
/** A JSON text in JSON, this many times. */
const inJson = (value: unknown, depth: number): string =>
  depth === 0 ? JSON.stringify(value) : JSON.stringify({ arguments: inJson(value, depth - 1), next: 1 })
const DEPTHS = [0, 1, 2, 3]
const announced = KEYS.flatMap((key) =>
  VALUES.flatMap((value) =>
    DEPTHS.map((depth) => ({
      case: `the value of ${key} is masked alone, ${depth} times in JSON`,
      in: inJson({ user: 'maria', [key]: value, tries: [1, 2] }, depth),
      out: inJson({ user: 'maria', [key]: '****', tries: [1, 2] }, depth),
    })),
  ),
)
const CARD = 4_111_111_111_111_111
const NUMBERS = [
  [CARD],
  [1, CARD],
  [CARD, 2],
  [
    [CARD, 5],
    [6, CARD],
  ],
  Array.from({ length: 40 }, () => CARD),
  { a: Array.from({ length: 12 }, () => ({ b: CARD, c: 'x', d: [CARD, CARD] })) },
  { a: [{ b: CARD }] },
]
const masked = (value: unknown) => JSON.parse(JSON.stringify(value).replaceAll(String(CARD), '"****"')) as unknown
const cards = NUMBERS.flatMap((value) =>
  DEPTHS.map((depth) => ({
    case: `a card in JSON becomes text, ${depth} times in JSON`,
    in: inJson(value, depth),
    out: inJson(masked(value), depth),
  })),
)

const cases: readonly Case[] = [...table, ...announced, ...cards]
const KEY = 'input.value'
/** Texts that are JSON, one beside the other, as MLflow sends every value. */
const QUOTED = ['"TOOL"', '"forecast"'].map((text, index) => ({ key: `quoted.value${index}`, value: toValue(text) }))
/** Each case has a twin with these attributes and this one too. SDKs in Python send such ones; MapEach of 0.161 fails on them. */
const WITHOUT_VALUE = { key: 'gen_ai.request.max_tokens', value: {} }
const idOf = (index: number) => createHash('md5').update(String(index)).digest('hex')

let settings: Settings
let stored: ReadonlyMap<string, Span>
before(async () => {
  settings = await ownSettings()
  stored = await withScratch(async (folder) => {
    const recording = join(folder, 'masked.jsonl')
    const collector = await collectorFor(settings, {
      policy: 'collector/policies/keep-everything.yaml',
      overlays: ['collector/overlays/record.yaml'],
      env: { RECORDING_FILE: recording },
    })
    const spans = cases.flatMap(({ in: value, key = KEY }, index) =>
      [[], [WITHOUT_VALUE, ...QUOTED]].map((more, twin) => ({
        traceId: idOf(index + twin * cases.length),
        spanId: idOf(index).slice(16),
        name: 'chat',
        startTimeUnixNano: '1795223772000000000',
        endTimeUnixNano: '1795223772500000000',
        attributes: [{ key, value: toValue(value) }, ...more],
      })),
    )
    await sendTo(collector.otlp, '/v1/traces', traceRequest(spans))
    await collector.stop()
    const requests = readFileSync(recording, 'utf8').trim().split('\n')
    return new Map(
      requests
        .flatMap((line) => [...eachSpan(JSON.parse(line) as TraceRequest)])
        .map(({ span }) => [span.traceId, span]),
    )
  })
})

/** Keys of a map have no order. */
const sorted = (value: AnyValue | undefined): unknown =>
  JSON.parse(JSON.stringify(value ?? 'nothing'), (name, part) =>
    name === 'values' && Array.isArray(part) && part.every((item) => 'key' in item)
      ? [...part].sort((a, b) => (a.key < b.key ? -1 : 1))
      : name === 'intValue'
        ? String(part)
        : part,
  )

describe('what is private is masked alone, and all else comes out as it went in', () => {
  assert.ok(table.length > 150 && announced.length > 200)
  const names = [...new Set(cases.map(({ case: name }) => name))]
  for (const name of names)
    test(name, () => {
      for (const [index, { case: own, in: value, out = value, key = KEY }] of cases.entries()) {
        if (own !== name) continue
        const [span, twin] = [index, index + cases.length].map((at) => stored.get(idOf(at)))
        const isQuoted = ({ key }: { key: string }) => key.startsWith('quoted.')
        assert.deepEqual(
          twin?.attributes?.filter((one) => !isQuoted(one)),
          span?.attributes,
        )
        assert.deepEqual(twin?.attributes?.filter(isQuoted), QUOTED)
        assert.deepEqual(
          sorted(attributeOf(span?.attributes, key)),
          sorted(toValue(out)),
          JSON.stringify(sorted(toValue(value))),
        )
        const others = (span?.attributes ?? []).filter((one) => one.key !== key)
        const count = out === value ? [] : [{ key: 'redaction.masked.count', value: { intValue: '1' } }]
        assert.deepEqual(others, count, `the count of masked values of ${JSON.stringify(sorted(toValue(value)))}`)
      }
    })
})
