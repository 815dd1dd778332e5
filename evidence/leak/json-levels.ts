type Json = string | number | boolean | null | readonly Json[] | Readonly<{ [key: string]: Json }>
const MASK = '****'

/** The object, list or text that a text is in JSON. Any other text is only a text. */
export function jsonIn(text: string): Json | undefined {
  if (!/^\s*[[{"]/.test(text)) return undefined
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}

/**
 * What is wrong with the JSON of a masked text, and where: a text that is JSON, at any level of JSON in JSON, must be JSON
 * afterwards, with the same keys and the same values except those that hold a secret. A number that is masked becomes a text.
 */
export function faultsIn(
  was: Json,
  became: Json | undefined,
  isSecret: (text: string) => boolean,
  path = '$',
): readonly string[] {
  const changed = [`${path}: ${shown(was)} became ${shown(became)}`]
  if (typeof was === 'string') {
    const inner = jsonIn(was)
    if (inner !== undefined && typeof became === 'string')
      return faultsIn(inner, jsonIn(became), isSecret, `${path} (JSON)`)
    if (was === became) return []
    return typeof became === 'string' && became.includes(MASK) && isSecret(was) ? [] : changed
  }
  if (typeof was === 'number') return was === became || (became === MASK && isSecret(String(was))) ? [] : changed
  if (typeof was !== 'object' || was === null) return was === became ? [] : changed
  if (typeof became !== 'object' || became === null || Array.isArray(was) !== Array.isArray(became)) return changed
  const [before, after] = [Object.entries(was), Object.entries(became)]
  if (before.map(([key]) => key).join('\n') !== after.map(([key]) => key).join('\n')) return changed
  return before.flatMap(([key, value], index) => faultsIn(value, after[index]?.[1], isSecret, `${path}.${key}`))
}

const shown = (value: Json | undefined) => (JSON.stringify(value) ?? 'no JSON').slice(0, 300)
