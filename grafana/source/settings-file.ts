import { readFileSync } from 'node:fs'
import { isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml'
import type { z } from 'zod'

type Path = readonly PropertyKey[]
type Defect = Readonly<{ line: number; key: string; value: string; rule: string }>

/** The content of a settings file, and a way to refuse it when it breaks a rule that a schema cannot express. */
export type Settings<T> = Readonly<{
  data: T
  refuseAt: (places: readonly Readonly<{ keys: Path; rule: string }>[]) => void
}>

const shown = (value: unknown) => (value === undefined ? 'missing' : value === null ? 'empty' : JSON.stringify(value))

const refuse = (path: string, defects: readonly Defect[]): never => {
  const lines = [...defects]
    .sort((a, b) => a.line - b.line)
    .map(({ line, key, value, rule }) => `${path}:${line}: ${key} is ${value}: ${rule}`)
  throw new Error(lines.join('\n'))
}

/** The text of a settings file. Throws an error with its name when it does not exist. */
export const readText = (path: string, what: string) => {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new Error(`${path}: cannot be read: the ${what} file must exist; restore it with git checkout`, { cause })
  }
}

/** Reads YAML by a schema. Throws one line for each defect: the file, the line, the value, the rule and the fix. */
export const parseSettings = <T>(
  text: string,
  path: string,
  schema: z.ZodType<T>,
  whatToDoWithTwins: string,
): Settings<T> => {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const [syntax] = document.errors
  if (syntax) {
    const { line } = lines.linePos(syntax.pos[0])
    const quoted = JSON.stringify(text.split('\n')[line - 1]?.trim() ?? '')
    const rule =
      syntax.code === 'DUPLICATE_KEY'
        ? `a key stands once; ${whatToDoWithTwins}`
        : `the file is YAML; ${syntax.message}`
    return refuse(path, [{ line, key: 'the text', value: quoted, rule }])
  }

  const lineOf = (keys: Path): number => {
    for (let length = keys.length; length >= 0; length -= 1) {
      const offset = startOf(document, keys.slice(0, length))
      if (offset !== undefined) return lines.linePos(offset).line
    }
    return 1
  }
  const defect = (keys: Path, rule: string): Defect => ({
    line: lineOf(keys),
    key: keys.join('.') || 'the file',
    value: shown(plain(document.getIn(keys))),
    rule,
  })

  const parsed = schema.safeParse(document.toJS())
  if (!parsed.success) {
    const misspelled = parsed.error.issues.filter(({ code }) => code === 'unrecognized_keys').map(({ path: at }) => at)
    const isConsequence = (at: Path) =>
      document.getIn(at) === undefined && misspelled.some((parent) => parent.join() === at.slice(0, -1).join())
    return refuse(
      path,
      parsed.error.issues.flatMap((issue): readonly Defect[] => {
        const places: readonly Path[] =
          issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key]) : [issue.path]
        return places.filter((place) => !isConsequence(place)).map((place) => defect(place, issue.message))
      }),
    )
  }
  return {
    data: parsed.data,
    refuseAt: (places) => {
      if (places.length > 0)
        refuse(
          path,
          places.map(({ keys, rule }) => defect(keys, rule)),
        )
    },
  }
}

const plain = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'toJSON' in value ? (value as { toJSON(): unknown }).toJSON() : value

const startOf = (document: ReturnType<typeof parseDocument>, keys: Path): number | undefined => {
  const key = keys.at(-1)
  const parent = document.getIn(keys.slice(0, -1), true)
  const pair = isMap(parent) ? parent.items.find((item) => isScalar(item.key) && item.key.value === key) : undefined
  const node = (pair?.key ?? document.getIn(keys, true)) as Node | null | undefined
  return node?.range?.[0]
}
