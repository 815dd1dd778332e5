import { type AnyValue, eachSpan, fromValue, type TraceRequest } from '../../otlp/json.ts'
import { excludedIn, isMaskedOnlyAt } from './harmless/excluded.ts'

/** One value of a span, with the place where it stands. */
type Placed = Readonly<{ place: string; value: AnyValue }>

/** The values of each span, by its ids. */
export type Values = ReadonlyMap<string, readonly Placed[]>

/** Every value of every span that a sender chooses: of its attributes, events, scope and resource, and its texts. */
export function valuesIn(requests: readonly TraceRequest[]): Values {
  const spans = new Map<string, Placed[]>()
  for (const { span, scope, resource } of requests.flatMap((request) => [...eachSpan(request)])) {
    const values: Placed[] = []
    // With a colon, because an attribute may be called name, too.
    const text = (place: string, stringValue = '') => void values.push({ place, value: { stringValue } })
    const all = (
      where: string,
      { attributes = [] }: { attributes?: readonly { key: string; value?: AnyValue }[] } = {},
    ) => {
      // An attribute without a value holds nothing that could be altered.
      for (const { key, value = {} } of attributes)
        if (Object.keys(value).length > 0) values.push({ place: `${where} ${key}`, value })
    }
    all('resource', resource)
    all('scope', scope)
    text('scope:name', scope?.name)
    text('scope:version', scope?.version)
    text('span:name', span.name)
    text('status message', span.status?.message)
    all('span', span)
    for (const [index, event] of (span.events ?? []).entries()) {
      text(`event ${index}:name`, event.name)
      all(`event ${index}`, event)
    }
    spans.set(`${span.traceId}/${span.spanId}`, values)
  }
  return spans
}

/** An int is never a double, 0 is not -0, and a list is compared item by item. */
export function isSame(a: AnyValue, b: AnyValue | undefined): boolean {
  if (b === undefined) return false
  if (a.intValue !== undefined) return b.intValue !== undefined && String(a.intValue) === String(b.intValue)
  if (a.doubleValue !== undefined) return Object.is(Number(a.doubleValue), Number(b.doubleValue ?? Number.NaN))
  if (a.arrayValue) {
    const [some, others] = [a.arrayValue.values ?? [], b.arrayValue?.values ?? []]
    return (
      b.arrayValue !== undefined && some.length === others.length && some.every((one, at) => isSame(one, others[at]))
    )
  }
  if (a.kvlistValue) return JSON.stringify(a) === JSON.stringify(b)
  return a.stringValue === b.stringValue && a.boolValue === b.boolValue
}

const textOf = (value: AnyValue | undefined): string | undefined => {
  const plain = fromValue(value)
  if (plain === undefined) return undefined
  return typeof plain === 'string' ? plain : (value?.intValue?.toString() ?? JSON.stringify(plain))
}

/** What became of a value: it is the same, it was masked where it may or must be, or it was altered. */
function outcome(
  was: AnyValue,
  became: AnyValue | undefined,
  secrets: readonly string[],
): 'same' | 'masked' | 'altered' {
  const [before, after] = [textOf(was), textOf(became)]
  const must = secrets.filter((secret) => before?.includes(secret))
  if (isSame(was, became)) return must.length === 0 ? 'same' : 'altered'
  if (before === undefined || after === undefined || before === after) return 'altered'
  return isMaskedOnlyAt(before, after, { must, may: excludedIn(before) }) ? 'masked' : 'altered'
}

export type Altered = Readonly<{ family: string; place: string; was: AnyValue; became: AnyValue | undefined }>
export type Family = Readonly<{ values: number; bytes: number; altered: number; alteredBytes: number; masked: number }>
export type Harm = Readonly<{ families: ReadonlyMap<string, Family>; altered: readonly Altered[] }>

const bytesOf = (value: AnyValue) => Buffer.byteLength(textOf(value) ?? '')

/** The part in which two texts differ: between their common beginning and their common end. */
function difference(
  was: AnyValue,
  became: AnyValue | undefined,
): Readonly<{ begin: number; was: string; became: string }> {
  const [a, b] = [textOf(was) ?? '', textOf(became) ?? '']
  const shorter = Math.min(a.length, b.length)
  let [begin, end] = [0, 0]
  while (begin < shorter && a[begin] === b[begin]) begin++
  while (end < shorter - begin && a.at(-1 - end) === b.at(-1 - end)) end++
  return { begin, was: a.slice(begin, a.length - end), became: b.slice(begin, b.length - end) }
}
const changed = (was: AnyValue, became: AnyValue | undefined) =>
  Math.max(1, Buffer.byteLength(difference(was, became).was))

const [EXAMPLES, CONTEXT, SHOWN] = [3, 30, 100]

/** Some examples of each family, with the part that changed and what stands before it. */
export function examplesOf({ altered }: Harm): string {
  const example = ({ place, was, became }: Altered) => {
    const { begin, ...parts } = difference(was, became)
    const before = (textOf(was) ?? '').slice(Math.max(0, begin - CONTEXT), begin)
    const type = (value: AnyValue | undefined) => Object.keys(value ?? {})[0] ?? 'nothing'
    const types = type(was) === type(became) ? '' : ` (${type(was)} became ${type(became)})`
    return `    ${place}: after ${JSON.stringify(before)}, ${JSON.stringify(parts.was.slice(0, SHOWN))} became ${JSON.stringify(parts.became.slice(0, SHOWN))}${types}`
  }
  return [...new Set(altered.map(({ family }) => family))]
    .map((name) => {
      const same = altered.filter(({ family }) => family === name)
      return [`  ${name}, ${same.length} times:`, ...same.slice(0, EXAMPLES).map(example)].join('\n')
    })
    .join('\n')
}

/**
 * Compares what was sent with what left the redactor. `familyOf` names the family of a place, or leaves it out. These
 * secrets are in the values that were sent.
 */
export function harmIn(
  sent: readonly TraceRequest[],
  arrived: Values,
  familyOf: (place: string) => string | undefined,
  secrets: readonly string[] = [],
): Harm {
  const families = new Map<string, Family>()
  const altered: Altered[] = []
  for (const [spanId, values] of valuesIn(sent)) {
    const there = new Map((arrived.get(spanId) ?? []).map(({ place, value }) => [place, value]))
    for (const { place, value } of values) {
      const family = familyOf(place)
      if (family === undefined) continue
      const became = there.get(place)
      const is = outcome(value, became, secrets)
      const isAltered = is === 'altered'
      if (isAltered) altered.push({ family, place, was: value, became })
      const before = families.get(family) ?? { values: 0, bytes: 0, altered: 0, alteredBytes: 0, masked: 0 }
      families.set(family, {
        values: before.values + 1,
        bytes: before.bytes + bytesOf(value),
        altered: before.altered + Number(isAltered),
        alteredBytes: before.alteredBytes + (isAltered ? changed(value, became) : 0),
        masked: before.masked + Number(is === 'masked'),
      })
    }
  }
  return { families, altered }
}

export const percentAltered = ({ families }: Harm): number => {
  const sum = (of: (family: Family) => number) =>
    [...families.values()].reduce((total, family) => total + of(family), 0)
  return (
    (100 * sum(({ alteredBytes }) => alteredBytes)) /
    Math.max(
      1,
      sum(({ bytes }) => bytes),
    )
  )
}
