import { Document, parse } from 'yaml'
import {
  type AnyValue,
  attributeOf,
  eachSpan,
  type Resource,
  type Span,
  type SpanEvent,
  type TraceRequest,
} from '../otlp/json.ts'
import { shownTime } from './duration.ts'

type Fields = Readonly<Record<string, unknown>>
type Policy = Readonly<{ name: string; type: string; settings: Fields }>

/** A span of the trace with the resource that sent it. */
export type Seen = Readonly<{ span: Span; resource: Resource | undefined }>

/** A policy's condition as it is written in the list, and the values that the trace has for what it names. Nothing here decides. */
export type Look = Readonly<{ condition: string; values: string }>

/** Longer values would fill the page: prompts are attributes too. */
const LONGEST = 60
const SHOWN = 4
const STATUS = ['UNSET', 'OK', 'ERROR']

/** The policies of a list that was checked, in its order. */
export const policiesIn = (list: string): readonly Policy[] =>
  (parse(list, { merge: true }) as Fields[]).map((raw) => {
    const type = String(raw.type)
    return { name: String(raw.name), type, settings: (raw[type] ?? {}) as Fields }
  })

export const seenIn = (requests: readonly TraceRequest[]): readonly Seen[] =>
  requests.flatMap((request) => [...eachSpan(request)])

export function lookOf(policy: Policy, trace: readonly Seen[]): Look {
  const { type, settings } = policy
  const conditions = ['span', 'spanevent'].flatMap((key) => settings[key] ?? [])
  const condition =
    type === 'ottl_condition'
      ? conditions.join(' or ')
      : `${type}${Object.keys(settings).length > 0 ? ` ${inOneLine(settings)}` : ''}`
  return { condition, values: valuesOf(policy, condition, trace) }
}

const inOneLine = (settings: Fields) =>
  new Document(settings).toString({ collectionStyle: 'flow', lineWidth: 0, flowCollectionPadding: true }).trim()

function valuesOf({ type, settings }: Policy, condition: string, trace: readonly Seen[]): string {
  if (type === 'probabilistic') return 'the trace id alone'
  if (type === 'span_count') return `${trace.length} spans`
  if (type === 'latency') return `${shownTime(extent(trace.map(({ span }) => span)))} from first start to last end`
  const keys = [
    ...new Set([
      ...keysIn(settings),
      ...[...condition.matchAll(/attributes\["([^"]+)"\]/g)].map(([, key = '']) => key),
    ]),
  ]
  const named = {
    keys,
    name: /\b(?:span|spanevent)\.name\b/.test(condition),
    status: /status\.code|status_codes/.test(condition),
    time: /\bend_time/.test(condition),
  }
  if (keys.length === 0 && !named.name && !named.status && !named.time) return '–'
  return valuesOfSpans(condition, named, trace)
}

/** Names of attributes in settings, also in those of policies inside. */
const keysIn = (settings: unknown): readonly string[] =>
  typeof settings !== 'object' || settings === null
    ? []
    : Object.entries(settings).flatMap(([name, value]) => (name === 'key' ? [String(value)] : keysIn(value)))

type Named = Readonly<{ keys: readonly string[]; name: boolean; status: boolean; time: boolean }>

/**
 * The values that the spans have for all that is named. Spans with the same values are shown once, with the longest of
 * their times. Those with a value from the condition come first, then the longest.
 */
function valuesOfSpans(condition: string, { keys, name, status, time }: Named, trace: readonly Seen[]): string {
  const words = new Set(condition.match(/[\w./-]+/g))
  const longest = new Map<string, Readonly<{ hits: number; nanos: bigint }>>()
  for (const { span, resource } of trace) {
    const values = keys.map((key) => [key, valueIn(span, resource, key)] as const)
    if (keys.length > 0 && values.every(([, value]) => value === undefined)) continue
    const told = [
      ...values.map(([key, value]) => `${key} = ${value ?? 'nothing'}`),
      ...(name ? [`name = ${JSON.stringify(span.name ?? '')}`] : []),
      ...(status ? [`status ${statusOf(span)}`] : []),
    ].join(', ')
    const nanos = lasted(span)
    const hits = values.filter(([, value]) => value && words.has(value.replace(/^"|"$/g, ''))).length
    const before = longest.get(told)
    if (!before || nanos > before.nanos) longest.set(told, { hits, nanos })
  }
  if (longest.size === 0) return `none of its ${trace.length} spans has ${keys.join(' or ')}`
  const sorted = [...longest].sort(
    ([, one], [, other]) => other.hits - one.hits || (other.nanos > one.nanos ? 1 : other.nanos < one.nanos ? -1 : 0),
  )
  const shown = sorted
    .slice(0, SHOWN)
    .map(([told, { nanos }]) => [told, ...(time ? [`longest ${shownTime(nanos)}`] : [])].filter(Boolean).join(', '))
  const more = sorted.length > SHOWN ? [`${sorted.length - SHOWN} others`] : []
  return [...shown, ...more].join('; ')
}

/** A value of a span, else of its events, else of its resource. For the sampler, 6000, "6000" and 6000.0 differ. */
function valueIn(span: Span, resource: Seen['resource'], key: string): string | undefined {
  const events = (span.events ?? []).map(({ attributes }: SpanEvent) => attributes)
  for (const attributes of [span.attributes, ...events, resource?.attributes]) {
    const value = attributeOf(attributes, key)
    if (value) return shownValue(value)
  }
  return undefined
}

function shownValue(value: AnyValue): string {
  const { stringValue, intValue, doubleValue, boolValue } = value
  const double = Number.isInteger(doubleValue) ? doubleValue?.toFixed(1) : doubleValue
  const text = String(intValue ?? boolValue ?? double ?? JSON.stringify(stringValue ?? value))
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text
}

/** A status as the policies call it, whether it was sent as a number or in words. */
const statusOf = ({ status }: Span): string =>
  typeof status?.code === 'string' ? status.code.replace(/^STATUS_CODE_/, '') : (STATUS[status?.code ?? 0] ?? '')

const lasted = ({ startTimeUnixNano, endTimeUnixNano }: Span): bigint =>
  BigInt(endTimeUnixNano ?? 0) - BigInt(startTimeUnixNano ?? 0)

/** From the first start to the last end, in nanoseconds. */
export function extent(spans: readonly Span[]): bigint {
  const starts = spans.map(({ startTimeUnixNano }) => BigInt(startTimeUnixNano ?? 0))
  const ends = spans.map(({ endTimeUnixNano }) => BigInt(endTimeUnixNano ?? 0))
  const least = starts.reduce((one, other) => (other < one ? other : one), starts[0] ?? 0n)
  return ends.reduce((one, other) => (other > one ? other : one), ends[0] ?? 0n) - least
}
