import { z } from 'zod'
import { roll } from '../../random/random.ts'

type Json = string | number | boolean | null | readonly Json[] | Readonly<{ [key: string]: Json }>
type Schema = Readonly<Record<string, unknown>>
type Place = Readonly<{ root: Schema; key: readonly (string | number)[]; depth: number }>

/** Below this depth every choice is the shortest one, so that a schema that refers to itself comes to an end. */
const DEEP = 5
/** A schema that needs more has no shortest choice. */
const TOO_DEEP = 40

const WORDS = ['acorn', 'beech', 'bramble', 'clover', 'fern', 'hazel', 'heather', 'moss', 'thistle', 'willow']
/** They describe a schema and constrain no value. */
const NOTES = ['title', 'description', 'default', 'examples', 'deprecated', 'readOnly', 'writeOnly', 'strict']
const FOLLOWED: Readonly<Record<string, readonly string[]>> = {
  every: [
    'type',
    'enum',
    'const',
    'anyOf',
    'oneOf',
    'allOf',
    '$ref',
    '$defs',
    'definitions',
    '$schema',
    '$id',
    '$comment',
  ],
  string: ['minLength', 'maxLength', 'pattern', 'format'],
  number: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  array: ['items', 'prefixItems', 'minItems', 'maxItems', 'uniqueItems'],
  object: ['properties', 'required', 'additionalProperties', 'propertyNames', 'minProperties', 'maxProperties'],
}
const KNOWN = new Set([...NOTES, ...Object.values(FOLLOWED).flat()])

class NotFollowed extends Error {}

/** A value that a JSON schema allows, the same for the same key; or why this server cannot make one. */
export function valueFor(
  schema: unknown,
  ...key: readonly (string | number)[]
): Readonly<{ value: Json } | { why: string }> {
  try {
    const root = schemaIn(schema)
    const value = make(root, { root, key, depth: 0 })
    const wrong = check(root, value)
    return wrong ? { why: wrong } : { value }
  } catch (error) {
    if (error instanceof NotFollowed) return { why: error.message }
    throw error
  }
}

/** A second opinion from a library, because two keywords may contradict each other. It does not read every schema. */
function check(schema: Schema, value: Json): string | undefined {
  let reader: z.ZodType
  try {
    reader = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0])
  } catch {
    return undefined
  }
  const [issue] = reader.safeParse(value).error?.issues ?? []
  return issue && `its keywords do not go together at ${issue.path.join('.') || 'the top'} (${issue.message})`
}

function schemaIn(schema: unknown): Schema {
  if (schema === true) return {}
  if (schema === false) throw new NotFollowed('no value fits a schema that is false')
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema))
    throw new NotFollowed('a schema must be an object')
  return schema as Schema
}

function make(given: unknown, place: Place): Json {
  const schema = schemaIn(given)
  if (place.depth > TOO_DEEP) throw new NotFollowed('it asks for a value without an end')
  const unknown = Object.keys(schema).find((keyword) => !KNOWN.has(keyword))
  if (unknown) throw new NotFollowed(`"${unknown}" is not followed`)
  const { $ref, allOf, anyOf, oneOf, ...rest } = schema
  if (typeof $ref === 'string') return make({ ...rest, ...schemaIn(at(place.root, $ref)) }, deeper(place))
  if (Array.isArray(allOf))
    return make(allOf.map(schemaIn).reduce(both, { ...rest, ...(anyOf ? { anyOf } : {}) }), deeper(place))
  const branches = anyOf ?? oneOf
  if (Array.isArray(branches))
    return oneOfThem(
      branches.map((branch) => both(rest, schemaIn(branch))),
      place,
    )
  if ('const' in schema) return schema.const as Json
  if (Array.isArray(schema.enum)) return pick(schema.enum as readonly Json[], place)
  const type = typeOf(schema, place)
  switch (type) {
    case 'string':
      return text(schema, place)
    case 'integer':
    case 'number':
      return number(schema, type === 'integer', place)
    case 'boolean':
      return dice(place, 'boolean') < 0.5
    case 'null':
      return null
    case 'array':
      return list(schema, place)
    case 'object':
      return object(schema, place)
    default:
      throw new NotFollowed(`the type ${JSON.stringify(type)} is not known`)
  }
}

const deeper = (place: Place, ...step: readonly (string | number)[]): Place => ({
  ...place,
  key: [...place.key, ...step],
  depth: place.depth + 1,
})
const dice = ({ key }: Place, name: string): number => roll(...key, name)
function pick<T>(choices: readonly T[], place: Place): T {
  const chosen = choices[Math.floor(dice(place, 'pick') * choices.length)]
  if (chosen === undefined) throw new NotFollowed('there is nothing to choose from')
  return chosen
}

/** What a reference within the same schema points to: `#`, `#/$defs/Name`. */
function at(root: Schema, reference: string): unknown {
  const [start, ...steps] = reference.split('/')
  if (start !== '#') throw new NotFollowed(`"$ref": "${reference}" points outside the schema`)
  let found: unknown = root
  for (const step of steps) {
    const name = decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~')
    found = typeof found === 'object' && found !== null ? (found as Schema)[name] : undefined
  }
  if (found === undefined) throw new NotFollowed(`"$ref": "${reference}" points to nothing`)
  return found
}

/** Both schemas at once, as `allOf` means it, where they are objects of different properties or say the same. */
function both(a: Schema, b: Schema): Schema {
  const properties = { ...(a.properties as object), ...(b.properties as object) }
  const required = [...((a.required as string[]) ?? []), ...((b.required as string[]) ?? [])]
  return {
    ...a,
    ...b,
    ...(Object.keys(properties).length > 0 ? { properties } : {}),
    ...(required.length > 0 ? { required: [...new Set(required)] } : {}),
  }
}

/** The first branch that can be made, in the order of the dice; deep inside, those that end come first. */
function oneOfThem(branches: readonly Schema[], place: Place): Json {
  const ends = ({ type, enum: some, const: one }: Schema) =>
    type === 'null' ? 0 : (some ?? one ?? (type && type !== 'object')) ? 1 : 2
  const order = branches
    .map((branch, index) => ({ branch, luck: roll(...place.key, 'branch', index) }))
    .sort((a, b) => (place.depth > DEEP ? ends(a.branch) - ends(b.branch) : 0) || a.luck - b.luck)
  let why: NotFollowed | undefined
  for (const { branch } of order) {
    try {
      return make(branch, deeper(place))
    } catch (error) {
      if (!(error instanceof NotFollowed)) throw error
      why = error
    }
  }
  throw why ?? new NotFollowed('there is nothing to choose from')
}

function typeOf({ type, ...schema }: Schema, place: Place): unknown {
  if (Array.isArray(type)) return place.depth > DEEP && type.includes('null') ? 'null' : pick(type, place)
  if (type !== undefined) return type
  const implied = ['object', 'array', 'number', 'string'].find((name) =>
    Object.keys(schema).some((keyword) => FOLLOWED[name]?.includes(keyword)),
  )
  return implied ?? 'string'
}

const digits = (place: Place, count: number) =>
  Array.from({ length: count }, (_, i) => Math.floor(roll(...place.key, 'digit', i) * 10)).join('')
const two = (place: Place, name: string, from: number, to: number) =>
  String(from + Math.floor(dice(place, name) * (to - from + 1))).padStart(2, '0')
const date = (place: Place) => `2026-${two(place, 'month', 1, 12)}-${two(place, 'day', 1, 28)}`
const time = (place: Place) =>
  `${two(place, 'hour', 0, 23)}:${two(place, 'minute', 0, 59)}:${two(place, 'second', 0, 59)}Z`

/** Addresses come from ranges that are reserved for examples. */
const FORMATS: Readonly<Record<string, (place: Place) => string>> = {
  date,
  time,
  'date-time': (place) => `${date(place)}T${time(place)}`,
  duration: (place) => `P${1 + Math.floor(dice(place, 'days') * 9)}D`,
  uuid: (place) =>
    `${digits(place, 8)}-${digits(place, 4)}-4${digits(place, 3)}-8${digits(place, 3)}-${digits(place, 12)}`,
  email: (place) => `${pick(WORDS, place)}@example.com`,
  hostname: (place) => `${pick(WORDS, place)}.example.com`,
  uri: (place) => `https://example.com/${pick(WORDS, place)}`,
  ipv4: (place) => `192.0.2.${1 + Math.floor(dice(place, 'host') * 254)}`,
  ipv6: (place) => `2001:db8::${1 + Math.floor(dice(place, 'host') * 254)}`,
}

function text({ minLength, maxLength, format, pattern }: Schema, place: Place): string {
  const formatted = FORMATS[String(format)]?.(place)
  let made = formatted ?? pick(WORDS, place)
  for (let i = 0; made.length < limit(minLength, 0); i++) made += ` ${pick(WORDS, deeper(place, i))}`
  if (formatted === undefined) made = made.slice(0, limit(maxLength, Number.POSITIVE_INFINITY))
  if (made.length < limit(minLength, 0) || made.length > limit(maxLength, Number.POSITIVE_INFINITY))
    throw new NotFollowed('no text fits its limits')
  if (typeof pattern === 'string' && !matches(pattern, made))
    throw new NotFollowed(`"pattern": ${JSON.stringify(pattern)} is not followed`)
  return made
}

function matches(pattern: string, value: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(value)
  } catch {
    return false
  }
}

const limit = (value: unknown, otherwise: number): number => (typeof value === 'number' ? value : otherwise)

function number(schema: Schema, whole: boolean, place: Place): number {
  const step = limit(schema.multipleOf, whole ? 1 : 0.01)
  if (!(step > 0) || (whole && !Number.isInteger(step))) throw new NotFollowed(`"multipleOf": ${step} is not followed`)
  const above = limit(schema.exclusiveMinimum, Number.NEGATIVE_INFINITY)
  const below = limit(schema.exclusiveMaximum, Number.POSITIVE_INFINITY)
  const highest = limit(schema.maximum, Number.POSITIVE_INFINITY)
  const least = Math.max(limit(schema.minimum, Number.NEGATIVE_INFINITY), above)
  const most = Math.min(highest, below)
  const low = Number.isFinite(least) ? least : Math.min(0, most - 100 * step)
  const high = Number.isFinite(most) ? most : low + 100
  let first = Math.ceil(low / step)
  let last = Math.floor(high / step)
  if (first * step <= above) first++
  if (last * step >= below) last--
  if (first > last) {
    // Between two steps there are other numbers, if no step was asked for.
    if (whole || schema.multipleOf !== undefined || !(low < high)) throw new NotFollowed('no number fits its limits')
    return low + (high - low) / 2
  }
  const value = (first + Math.floor(dice(place, 'number') * (last - first + 1))) * step
  return whole ? value : Number(value.toPrecision(12))
}

function list({ items, prefixItems, minItems, maxItems, uniqueItems }: Schema, place: Place): readonly Json[] {
  const before = Array.isArray(prefixItems) ? prefixItems : []
  const least = Math.max(limit(minItems, 0), before.length)
  const wanted = place.depth > DEEP ? least : Math.max(least, 1 + Math.floor(dice(place, 'items') * 3))
  const count = Math.min(wanted, limit(maxItems, wanted), items === false ? before.length : wanted)
  const made: Json[] = []
  for (let i = 0; made.length < count; i++) {
    if (i > count + 50) throw new NotFollowed('it asks for more different items than there are')
    const item = make(before[made.length] ?? items ?? {}, deeper(place, i))
    if (!uniqueItems || !made.some((other) => JSON.stringify(other) === JSON.stringify(item))) made.push(item)
  }
  return made
}

function object(schema: Schema, place: Place): Readonly<Record<string, Json>> {
  const properties = schemaIn(schema.properties ?? {})
  const required = Array.isArray(schema.required) ? (schema.required as readonly string[]) : []
  const more = schema.additionalProperties ?? {}
  const names = Object.keys(properties).filter((name) => place.depth <= DEEP || required.includes(name))
  const others = required.filter((name) => !Object.hasOwn(properties, name))
  const made = [...names, ...others].map((name): [string, Json] => [
    name,
    make(Object.hasOwn(properties, name) ? properties[name] : more, deeper(place, name)),
  ])
  const isMap = made.length === 0 && typeof more === 'object' && 'additionalProperties' in schema && place.depth <= DEEP
  const least = Math.max(limit(schema.minProperties, 0), isMap ? Math.min(2, limit(schema.maxProperties, 2)) : 0)
  const entries = new Map(made)
  for (let i = 0; entries.size < least; i++) {
    if (i > least + 50) throw new NotFollowed('it asks for more names of properties than there are')
    const name = make(schema.propertyNames ?? { type: 'string' }, deeper(place, 'name', i))
    entries.set(String(name), make(more, deeper(place, String(name))))
  }
  // fromEntries and not an assignment, so that a property may be called __proto__.
  return Object.fromEntries(entries)
}
