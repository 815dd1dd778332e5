import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { before, test } from 'node:test'
import { idOf, inTurn, type Outcome, outcomeOf, type Seen } from '../evidence/foreign/replay.ts'
import { type AnyValue, type Span, traceRequest } from '../otlp/json.ts'
import { randomOf } from '../random/random.ts'
import { launcherFor } from '../stack/collectors.ts'
import { ownSettings, quiet } from '../stack/own-stack.ts'
import { SHIPPED_POLICY } from '../stack/policy.ts'
import { ROOT } from '../stack/settings.ts'
import {
  AGENT,
  DIALECTS,
  IN,
  OP,
  OUT,
  PROVIDER,
  READ,
  REASONING,
  REQUEST,
  SHAPES,
  sentOf,
  WRITE,
} from './dialect-cases.ts'
import { ODD } from './odd-values.ts'

const isText = ({ stringValue = '' }: AnyValue) => stringValue !== ''
const isCount = ({ intValue, doubleValue }: AnyValue) => {
  const value = Number(intValue ?? doubleValue ?? Number.NaN)
  return value >= 0 && value <= 1e9
}
/** What the conventions say of the attributes that a dialect makes. */
const TYPES: Readonly<Record<string, (value: AnyValue) => boolean>> = {
  ...Object.fromEntries([OP, AGENT, REQUEST, PROVIDER].map((key) => [key, isText])),
  'gen_ai.response.model': isText,
  'gen_ai.tool.name': isText,
  'gen_ai.conversation.id': isText,
  ...Object.fromEntries([IN, OUT, READ, WRITE, REASONING].map((key) => [key, isCount])),
  'gen_ai.response.finish_reasons': ({ arrayValue }) => arrayValue?.values?.every(isText) ?? false,
}

const random = randomOf(5, 1)
const sent = Object.entries({ ...DIALECTS, ...SHAPES }).flatMap(([title, one]) => {
  const { span: like } = sentOf(one, random, 'odd')
  return Object.keys(one.sent).flatMap((key) =>
    ODD.map((value) => {
      const attributes =
        like.attributes?.map((each) => (each.key === key ? { key, ...(value && { value }) } : each)) ?? []
      const span: Span = { ...like, traceId: random.hex(32), spanId: random.hex(16), attributes }
      const from = { resource: { 'service.name': 'odd' }, scope: { name: one.scope ?? 'lab' } }
      return {
        case: `${title}: ${key} = ${JSON.stringify(value)?.slice(0, 60)}`,
        span,
        body: traceRequest([span], from),
      }
    }),
  )
})

let outcome: Outcome
before(async () => {
  const launcher = await launcherFor(await ownSettings({ BOOT: 'native' }), quiet, 'native')
  outcome = await outcomeOf(
    launcher,
    inTurn(
      sent.map(({ body }) => body),
      16,
    ),
    resolve(ROOT, SHIPPED_POLICY),
  )
})

test('whatever stands under a key of an SDK, the span arrives, and what a dialect makes of it has the type of the conventions', () => {
  assert.ok(sent.length > 5000)
  const wrong = sent.flatMap(({ case: title, span }) => {
    const seen: Seen | undefined = outcome.seen.get(idOf(span))
    if (!seen) return [`${title}: does not arrive`]
    return (seen.span.attributes ?? []).flatMap(({ key, value = {} }) => {
      const isMade = !span.attributes?.some((each) => each.key === key)
      return isMade && TYPES[key]?.(value) === false ? [`${title}: ${key} becomes ${JSON.stringify(value)}`] : []
    })
  })
  assert.deepEqual(wrong.slice(0, 20), [])
})

test('what is counted of such spans are numbers of zero or more', () => {
  const tokens = outcome.counted.filter(({ name }) => name.startsWith('gen_ai.usage.'))
  assert.ok(tokens.length > 20)
  assert.deepEqual(
    tokens.filter(({ value }) => !(value >= 0 && value < 1e12)),
    [],
  )
})
