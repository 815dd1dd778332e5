import { type Document, isNode, LineCounter, type ParseOptions, parseDocument } from 'yaml'
import type { z } from 'zod'
import { UserError } from './user-error.ts'

/** One YAML document that remembers its lines. */
type Located = Readonly<{ document: Document; lineOf: (node: unknown) => number }>

/** Reads YAML, or says in which line it is not YAML, and why. */
export function locatedYaml(
  text: string,
  options: ParseOptions = {},
): Located | Readonly<{ line: number; why: string }> {
  const lines = new LineCounter()
  const document = parseDocument(text, { ...options, lineCounter: lines })
  const [broken] = document.errors
  if (!broken) return { document, lineOf: (node) => lines.linePos((isNode(node) && node.range?.[0]) || 0).line }
  const { line } = lines.linePos(broken.pos[0])
  const tab = /^ *\t/.test(text.split('\n')[line - 1] ?? '') ? ' (the line begins with a tab; write spaces)' : ''
  const why = broken.code === 'MULTIPLE_DOCS' ? 'a second document begins here; keep one' : broken.message
  return { line, why: `it is not YAML: ${why.split('\n')[0]?.replace(/ at line \d+, column \d+:?$/, '')}${tab}` }
}

/** Reads YAML by a schema. Throws `UserError` with one line for each defect: file, line, rule and fix. */
export function readBySchema<T>(path: string, text: string, schema: z.ZodType<T>, options: ParseOptions = {}): T {
  const read = locatedYaml(text, options)
  if ('why' in read) throw new UserError(`${path}:${read.line}: ${read.why}`)
  const { document, lineOf } = read
  const parsed = schema.safeParse(document.toJS())
  if (parsed.success) return parsed.data
  const defects = parsed.error.issues.map(({ path: keys, message }) => {
    const nodes = [...keys.keys(), keys.length].map((length) => document.getIn(keys.slice(0, length), true))
    return `${path}:${lineOf(nodes.filter(isNode).at(-1))}: ${message}`
  })
  throw new UserError(defects.join('\n'))
}
