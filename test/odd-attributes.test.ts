import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { before, test } from 'node:test'
import { idOf, inTurn, type Outcome, outcomeOf, type Seen } from '../evidence/foreign/replay.ts'
import {
  type AnyValue,
  type Attribute,
  type Span,
  type TraceRequest,
  toAttributes,
  traceRequest,
} from '../otlp/json.ts'
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
import { attributeOf, ODD, ODD_ATTRIBUTES, SECRET, shown } from './odd-values.ts'

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
      const attributes = like.attributes?.map((each) => (each.key === key ? attributeOf(key, value) : each)) ?? []
      const span: Span = { ...like, traceId: random.hex(32), spanId: random.hex(16), attributes }
      const from = { resource: { 'service.name': 'odd' }, scope: { name: one.scope ?? 'lab' } }
      return {
        case: `${title}: ${key} = ${shown(value)}`,
        span,
        body: traceRequest([span], from),
      }
    }),
  )
})

/** A call of one token, with something odd on it, on its event, its scope or its resource. */
type Places = Readonly<{ resource?: readonly Attribute[]; scope?: readonly Attribute[]; span?: readonly Attribute[] }>
const around = [
  ...ODD_ATTRIBUTES.flatMap((odd): Places[] => [
    { resource: [...toAttributes({ 'service.name': 'odd' }), ...odd] },
    { scope: odd },
    { span: odd },
  ]),
  ...['service.name', 'gen_ai.agent.name'].flatMap((key) =>
    ODD.map((value): Places => ({ resource: [attributeOf(key, value)] })),
  ),
].map((places: Places) => {
  const span: Span = {
    ...{ traceId: random.hex(32), spanId: random.hex(16), name: 'chat' },
    ...{ startTimeUnixNano: '1795223772818000000', endTimeUnixNano: '1795223772918000000' },
    attributes: [...toAttributes({ [OP]: 'chat', [REQUEST]: 'around', [IN]: 1n }), ...(places.span ?? [])],
    events: [{ name: SECRET, attributes: places.span ?? [] }],
    status: { message: SECRET },
  }
  const body: TraceRequest = {
    resourceSpans: [
      {
        resource: { attributes: places.resource ?? [] },
        scopeSpans: [{ scope: { name: SECRET, attributes: places.scope ?? [] }, spans: [span] }],
      },
    ],
  }
  return { places, span, body }
})

let outcome: Outcome
before(async () => {
  const launcher = await launcherFor(await ownSettings({ BOOT: 'native' }), quiet, 'native')
  outcome = await outcomeOf(
    launcher,
    inTurn(
      // First, while there is room for their series: the others fill the share of their service.
      [...around, ...sent].map(({ body }) => body),
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

test('whatever stands around a call, it arrives and is counted, and nothing private leaves', () => {
  const lost = around.filter(({ span }) => !outcome.seen.has(idOf(span)))
  assert.deepEqual(
    lost.map(({ places }) => JSON.stringify(places).slice(0, 200)),
    [],
  )
  const tokens = outcome.counted.filter(
    ({ name, labels }) => name === 'gen_ai.usage.tokens' && labels[REQUEST] === 'around',
  )
  assert.equal(
    tokens.reduce((sum, { value }) => sum + value, 0),
    around.length,
  )
  const long = tokens.filter(({ labels }) => Object.values(labels).some((label) => String(label).length > 128))
  assert.deepEqual(long, [])
  const at = outcome.text.indexOf(SECRET)
  assert.equal(at, -1, outcome.text.slice(Math.max(0, at - 300), at + 50))
})
