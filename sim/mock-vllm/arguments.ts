import { roll } from '../../random/random.ts'

type Schema = Readonly<Record<string, unknown>>
const isSchema = (value: unknown): value is Schema => typeof value === 'object' && value !== null

/** Words of a question that may be names of things. */
const WORD = /\p{L}{4,}/gu
/** A schema may point to itself without end, and may ask for a billion items. */
const DEEPEST = 16
const MOST_ITEMS = 8

/**
 * Arguments that fit a tool's JSON schema, for agents that this server does not know: all required properties, with words of
 * the question as texts. Seeded by the key, so the same request gets the same arguments.
 */
export function argumentsFor(schema: unknown, question: string, ...key: readonly (string | number)[]): unknown {
  const words = question.match(WORD) ?? ['wood']
  const root = isSchema(schema) ? schema : {}

  const value = (of: unknown, path: string, depth = 0): unknown => {
    if (depth > DEEPEST) return null
    const inner = (part: unknown, name: string | number) => value(part, `${path}/${name}`, depth + 1)
    const { $ref, allOf, anyOf, oneOf, const: only, enum: among, type, ...more } = isSchema(of) ? of : {}
    const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(roll(...key, path) * list.length)]
    if (only !== undefined) return only
    if (Array.isArray(among)) return pick(among)
    if (typeof $ref === 'string') return value(pointed(root, $ref), path, depth + 1)
    for (const choices of [allOf, anyOf, oneOf]) if (Array.isArray(choices)) return value(choices[0], path, depth + 1)
    switch (Array.isArray(type) ? type[0] : (type ?? (isSchema(more.properties) ? 'object' : 'string'))) {
      case 'object': {
        const properties = isSchema(more.properties) ? more.properties : {}
        const required = Array.isArray(more.required) ? more.required.map(String) : []
        return Object.fromEntries(required.map((name) => [name, inner(properties[name], name)]))
      }
      case 'array':
        return Array.from({ length: Math.min(Number(more.minItems ?? 1), MOST_ITEMS) }, (_, index) =>
          inner(more.items, index),
        )
      case 'integer':
      case 'number': {
        const lowest = Number(more.minimum ?? 1)
        return lowest + Math.floor(roll(...key, path) * (Number(more.maximum ?? lowest + 8) - lowest + 1))
      }
      case 'boolean':
        return roll(...key, path) < 0.5
      case 'null':
        return null
      default:
        return pick(words)
    }
  }
  return value({ type: 'object', ...root }, '')
}

/** The part of a schema that `#/$defs/name` points to. */
const pointed = (root: Schema, pointer: string): unknown =>
  pointer
    .split('/')
    .slice(1)
    .reduce<unknown>((at, name) => (isSchema(at) ? at[name] : undefined), root)
