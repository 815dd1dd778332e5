import { parse } from 'yaml'
import { type Attribute, attributeOf, type Otlp, type Span, type Value } from './recording.ts'

/** What a policy looks at in one trace, in words, and beside it what it looks for. Nothing here decides. */
export type Look = Readonly<{ value: string; bound?: string }>

type Fields = Readonly<Record<string, unknown>>
export type Policy = Readonly<{ name: string; type: string; settings: Fields }>

type Event = Readonly<{ name?: string; attributes?: readonly Attribute[] }>
/** A span of the trace with the attributes of who sent it. */
export type Seen = Readonly<{ span: Span & Readonly<{ events?: readonly Event[] }>; resource: readonly Attribute[] }>

/** Longer values would fill the page: prompts are attributes, too. */
const LONGEST = 60
const NOTHING: Look = { value: '–' }

/** The policies of a list that was checked, in its order. */
export const policiesIn = (list: string): readonly Policy[] => (parse(list, { merge: true }) as Fields[]).map(policyOf)

const policyOf = (raw: Fields): Policy => {
  const type = String(raw.type)
  return { name: String(raw.name), type, settings: (raw[type] ?? {}) as Fields }
}

export const seenIn = (requests: readonly Otlp[]): readonly Seen[] =>
  requests.flatMap(({ resourceSpans }) =>
    resourceSpans.flatMap(({ resource, scopeSpans = [] }) =>
      scopeSpans.flatMap(({ spans = [] }) => spans.map((span) => ({ span, resource: resource?.attributes ?? [] }))),
    ),
  )

/** The values of a trace that a policy names, the nearest to what it looks for. Nothing is known of a type: "–". */
export function looksAt({ type, settings }: Policy, trace: readonly Seen[]): Look {
  switch (type) {
    case 'always_sample':
      return { value: 'nothing', bound: 'keeps every trace' }
    case 'probabilistic':
      return { value: 'the trace id alone', bound: oneIn(Number(settings.sampling_percentage)) }
    case 'latency':
      return latency(settings, trace)
    case 'span_count':
      return {
        value: `${trace.length} spans`,
        bound: `looks for ${between(settings.min_spans || undefined, settings.max_spans || undefined)}`,
      }
    case 'status_code':
      return statusCode(settings, trace)
    case 'numeric_attribute':
      return numeric(settings, trace)
    case 'string_attribute':
    case 'boolean_attribute':
      return words(settings, trace)
    case 'ottl_condition':
      return together(
        ['span', 'spanevent'].flatMap((context) =>
          listed(settings[context]).map((condition) => nearest(String(condition), context, trace)),
        ),
        '; or ',
      )
    case 'rate_limiting':
    case 'bytes_limiting':
      return { value: 'what else is kept in that second', bound: 'asked here with this trace alone' }
    case 'not': {
      const { value, bound } = inside(type, settings, trace)
      return { value, bound: `not: ${bound ?? 'this'}` }
    }
    case 'and':
    case 'drop':
    case 'composite':
      return inside(type, settings, trace)
    default:
      return NOTHING
  }
}

export const shownLook = ({ value, bound }: Look): string => (bound === undefined ? value : `${value}, ${bound}`)

const inside = (type: string, settings: Fields, trace: readonly Seen[]) =>
  together(
    listed(settings[`${type}_sub_policy`]).map((part) => looksAt(policyOf(part as Fields), trace)),
    '; ',
  )

/** Several looks as one; only one alone keeps its bound apart. */
function together(looks: readonly Look[], between: string): Look {
  const [only = NOTHING, ...more] = looks
  return more.length === 0 ? only : { value: looks.map(shownLook).join(between) }
}

const listed = (value: unknown): readonly unknown[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value]

const oneIn = (percent: number) =>
  percent > 0 && Number.isInteger(100 / percent) ? `one in ${100 / percent}` : `${percent} in 100`

function between(from: unknown, to: unknown): string {
  return from === undefined ? `at most ${to}` : to === undefined ? `at least ${from}` : `${from} to ${to}`
}

function latency({ threshold_ms: above = 0, upper_threshold_ms: most }: Fields, trace: readonly Seen[]): Look {
  const nanos = extent(trace.map(({ span }) => span))
  const threshold = BigInt(Math.round(Number(above) * 1e6))
  const upTo = most ? `, at most ${shownTime(BigInt(Math.round(Number(most) * 1e6)))}` : ''
  return { value: shownTime(nanos, threshold), bound: `threshold ${shownTime(threshold)}${upTo}` }
}

function statusCode({ status_codes }: Fields, trace: readonly Seen[]): Look {
  const wanted = listed(status_codes).map(String)
  const having = trace.filter(({ span }) => wanted.includes(statusOf(span))).length
  return { value: `${having} of its ${trace.length} spans`, bound: `status ${wanted.join(' or ')}` }
}

function numeric({ key, min_value: from, max_value: to, invert_match }: Fields, trace: readonly Seen[]): Look {
  const [low, high] = [Number(from ?? Number.NEGATIVE_INFINITY), Number(to ?? Number.POSITIVE_INFINITY)]
  const bound = `looks for ${invert_match ? 'anything but ' : ''}${between(from, to)}`
  const values = valuesOf(String(key), trace)
  // Only whole numbers are compared by the sampler: others are shown when there is none.
  const missedBy = ({ intValue }: Value) =>
    intValue === undefined ? Number.POSITIVE_INFINITY : Math.max(low - Number(intValue), Number(intValue) - high, 0)
  const [best] = values.toSorted(
    (one, other) => compared(missedBy(one), missedBy(other)) || compared(Number(other.intValue), Number(one.intValue)),
  )
  return best ? { value: `${key} = ${shownValue(best)}`, bound } : { value: lacks(String(key), trace), bound }
}

function words({ key, values, value, invert_match }: Fields, trace: readonly Seen[]): Look {
  const wanted = values === undefined ? [value] : listed(values)
  const bound = `${invert_match ? 'looks for anything but' : 'looks for'} ${wanted.map((one) => cut(JSON.stringify(one))).join(' or ')}`
  const found = [...new Set(valuesOf(String(key), trace).map(shownValue))]
  const hits = wanted.map((one) => cut(JSON.stringify(one)))
  const sorted = found.toSorted((one, other) => Number(hits.includes(other)) - Number(hits.includes(one)))
  if (sorted.length === 0) return { value: lacks(String(key), trace), bound }
  const more = sorted.length > SHOWN_VALUES ? ` and ${sorted.length - SHOWN_VALUES} others` : ''
  return { value: `${key} = ${sorted.slice(0, SHOWN_VALUES).join(', ')}${more}`, bound }
}
const SHOWN_VALUES = 3

/** Values on spans and on their resources: the sampler's attribute policies look at both (0.159). */
function valuesOf(key: string, trace: readonly Seen[]): readonly Value[] {
  const resources = [...new Set(trace.map(({ resource }) => resource))]
  return [...resources, ...trace.map(({ span }) => span.attributes)].flatMap(
    (attributes) => attributeOf(attributes, key) ?? [],
  )
}

const lacks = (key: string, { length }: readonly Seen[]) =>
  length === 1 ? `its only span has no ${key}` : `none of its ${length} spans has ${key}`

/** What a condition compares: an attribute, a name, a status or how long the span took. */
type Path = Readonly<{ what: 'attribute' | 'name' | 'status' | 'time'; of: string; key: string; text: string }>
type Compared = Path & Readonly<{ operator: string | undefined; literal: string | undefined }>

const PATH =
  /(?<![\w.])(?:(span|resource|spanevent)\.)?(?:attributes\["([^"]+)"\]|\b(status\.code|name)\b|\(?\s*\bend_time(_unix_nano)?\s*-\s*(?:span\.)?start_time(?:_unix_nano)?\b\s*\)?)/g
const COMPARISON = /^\s*\)?\s*(==|!=|>=|<=|>|<)\s*(Duration\("[^"]*"\)|"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|\w+)/

/** The paths that a condition names, each once, with the literal it is compared to when that follows it. */
function pathsIn(condition: string, context: string): readonly Compared[] {
  // Words within quotes are no paths; those within brackets are keys.
  const bare = condition.replace(/(\[?)"(?:[^"\\]|\\.)*"/g, (quoted, bracket) =>
    bracket ? quoted : ' '.repeat(quoted.length),
  )
  const found = [...bare.matchAll(PATH)].map((match): Compared => {
    const [text, of = context, key, field] = match
    const what = key !== undefined ? 'attribute' : field === 'name' ? 'name' : field === undefined ? 'time' : 'status'
    const [, operator, literal] = COMPARISON.exec(condition.slice(match.index + text.length)) ?? []
    return { what, of, key: key ?? '', text: what === 'time' ? 'time' : `${of}.${key ?? field}`, operator, literal }
  })
  const isGuard = ({ literal }: Compared) => literal === undefined || literal === 'nil'
  const names = [...new Set(found.map(({ text }) => text))]
  // A guard against nil says nothing when the same path is compared to something, too.
  return names.flatMap((name) => {
    const uses = found.filter(({ text }) => text === name)
    const telling = uses.filter((use) => !isGuard(use))
    return telling.length > 0 ? telling : uses.slice(0, 1)
  })
}

type Thing = Seen & Readonly<{ event?: Event }>

function read({ what, of, key }: Path, { span, resource, event }: Thing): Value | undefined {
  if (what === 'time') return { intValue: String(lasted(span)) }
  if (what === 'status') return { stringValue: statusOf(span) }
  const owner = of === 'spanevent' ? event : span
  if (what === 'name') return { stringValue: owner?.name ?? '' }
  return attributeOf(of === 'resource' ? resource : owner?.attributes, key)
}

/**
 * The span that comes nearest to a condition: of those with most of the values that it asks for, and most of the
 * attributes that it names, the one that goes furthest towards its threshold, else the longest. The values are read and
 * the words beside them are the condition's own, so what it decides does not depend on this.
 */
function nearest(condition: string, context: string, trace: readonly Seen[]): Look {
  const paths = pathsIn(condition, context)
  const things: readonly Thing[] =
    context === 'spanevent'
      ? trace.flatMap((seen) => (seen.span.events ?? []).map((event) => ({ ...seen, event })))
      : trace
  if (paths.length === 0) return NOTHING
  if (things.length === 0) return { value: lacks('event', trace) }
  const met = (path: Compared, thing: Thing) => path.operator === '==' && literalOf(path) === plain(read(path, thing))
  const rank = (thing: Thing): readonly number[] => [
    // What a span is comes before how it ended: a call that went well is nearer to a failed call than a failed tool.
    paths.filter((path) => path.what === 'attribute' && met(path, thing)).length,
    paths.filter((path) => met(path, thing)).length,
    paths.filter((path) => read(path, thing)).length,
    ...paths.filter(isBounded).map((path) => towards(path, read(path, thing))),
    Number(lasted(thing.span)),
  ]
  const ranked = things.map((thing) => ({ thing, rank: rank(thing) }))
  const [best] = ranked.toSorted((one, other) =>
    one.rank.reduce((order, value, at) => order || compared(other.rank[at] ?? 0, value), 0),
  )
  if (!best) return NOTHING
  const parts = paths.map((path): Look => {
    const bound = boundOf(path)
    const somewhere = path.what !== 'attribute' || things.some((thing) => read(path, thing))
    const value = somewhere ? shownPath(path, read(path, best.thing)) : lacks(path.key, trace)
    return { value, ...(bound === undefined ? {} : { bound }) }
  })
  // What is as it is asked for needs no bound beside it, unless it is the only thing that is told.
  const told = parts.map((part, at) =>
    paths.length > 1 && paths[at] && met(paths[at], best.thing) ? { value: part.value } : part,
  )
  return together(told, '; ')
}

const isBounded = ({ operator = '' }: Compared) => /[<>]/.test(operator)
const towards = ({ operator = '' }: Compared, value: Value | undefined) => {
  const number = Number(plain(value) ?? Number.NaN)
  if (Number.isNaN(number)) return Number.NEGATIVE_INFINITY
  return operator.startsWith('<') ? -number : number
}

function shownPath(path: Compared, value: Value | undefined): string {
  if (path.what === 'time') return shownTime(BigInt(plain(value) ?? 0), nanosOf(path.literal))
  const name = path.what === 'attribute' ? path.key : path.text.replace(/^span\./, '')
  return `${name} = ${value === undefined ? 'nothing' : path.what === 'status' ? plain(value) : shownValue(value)}`
}

function boundOf(path: Compared): string | undefined {
  const { operator, literal } = path
  if (operator === undefined || literal === undefined) return undefined
  if (isBounded(path)) {
    const nanos = path.what === 'time' ? nanosOf(literal) : undefined
    return `threshold ${nanos === undefined ? literal : shownTime(nanos)}`
  }
  return `looks for ${operator === '!=' ? 'anything but ' : ''}${cut(literal.replace(/^STATUS_CODE_/, ''))}`
}

/** A literal as `plain` has the value that equals it. */
const literalOf = ({ literal = '' }: Compared): string =>
  literal.startsWith('"') ? literal.slice(1, -1).replace(/\\(.)/g, '$1') : literal.replace(/^STATUS_CODE_/, '')

/** A status code as the policies call it, whether it was sent as a number or in words. */
const STATUS = ['UNSET', 'OK', 'ERROR']
const statusOf = ({ status }: Span): string =>
  typeof status?.code === 'string' ? status.code.replace(/^STATUS_CODE_/, '') : (STATUS[status?.code ?? 0] ?? '')

const plain = (value: Value | undefined): string | undefined => {
  const found = value?.stringValue ?? value?.intValue ?? value?.doubleValue ?? value?.boolValue
  return found === undefined ? undefined : String(found)
}

/** Text stands in quotes, and a number with a fraction keeps its point: the sampler tells 6000 from "6000" and 6000.0. */
function shownValue(value: Value): string {
  const { stringValue, intValue, doubleValue, boolValue } = value
  if (stringValue !== undefined) return cut(JSON.stringify(stringValue))
  if (doubleValue !== undefined) return Number.isInteger(doubleValue) ? doubleValue.toFixed(1) : String(doubleValue)
  return intValue === undefined && boolValue === undefined ? cut(JSON.stringify(value)) : String(intValue ?? boolValue)
}

const cut = (text: string) => (text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text)
/** Order of numbers, with those that are none last. */
const compared = (one: number, other: number) =>
  one === other ? 0 : Number.isNaN(one) ? 1 : Number.isNaN(other) ? -1 : one - other

const lasted = ({ startTimeUnixNano, endTimeUnixNano }: Span): bigint =>
  BigInt(endTimeUnixNano ?? 0) - BigInt(startTimeUnixNano ?? 0)

/** From the first start to the last end, in nanoseconds. */
export function extent(spans: readonly Span[]): bigint {
  const starts = spans.map(({ startTimeUnixNano }) => BigInt(startTimeUnixNano ?? 0))
  const ends = spans.map(({ endTimeUnixNano }) => BigInt(endTimeUnixNano ?? 0))
  const least = starts.reduce((one, other) => (other < one ? other : one), starts[0] ?? 0n)
  return ends.reduce((one, other) => (other > one ? other : one), ends[0] ?? 0n) - least
}

const NANOS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 }

/** A duration as Go writes it, such as `1m30s` or `200ms`, in nanoseconds; undefined when it is none. */
export function durationOf(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)]
  return Math.round(parts.reduce((sum, [, number, unit = '']) => sum + Number(number) * (NANOS[unit] ?? 0), 0))
}

/** A literal that a time is compared to: Duration("2s"), or nanoseconds. */
function nanosOf(literal: string | undefined): bigint | undefined {
  const nanos = /^\d+$/.test(literal ?? '')
    ? Number(literal)
    : durationOf(/^Duration\("(.*)"\)$/.exec(literal ?? '')?.[1] ?? '')
  return nanos === undefined ? undefined : BigInt(nanos)
}

/** In seconds or milliseconds, with as many digits as tell it from the time beside it. */
export function shownTime(nanos: bigint, beside?: bigint): string {
  const isShort = nanos < 1_000_000_000n && nanos > -1_000_000_000n
  const [divisor, unit, most] = isShort ? [1e6, 'ms', 6] : [1e9, 's', 9]
  const exact = Number(nanos) / divisor
  for (let digits = isShort ? 1 : 2; digits < most; digits++) {
    const rounded = Number(exact.toFixed(digits))
    if (beside === undefined || nanos === beside || rounded !== Number(beside) / divisor) return `${rounded} ${unit}`
  }
  return `${exact} ${unit}`
}
