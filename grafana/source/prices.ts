import { readFileSync } from 'node:fs'
import { isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml'
import { z } from 'zod'

export type Price = {
  readonly model: string
  /** First day it holds, 00:00 UTC. */
  readonly from: string
  /** USD per million tokens. */
  readonly input: number
  readonly output: number
}

const isDay = (text: string) => {
  const day = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text)
}

// Real prices lie between 0.01 and 600. Outside a thousand times that span on either side, the unit is wrong, not the price.
const SMALLEST = 0.0001
const LARGEST = 10_000

const PER_MILLION = 'a price is a number of USD per million tokens'
const usdPerMillion = z
  .number({ error: `${PER_MILLION}; write it without quotes or currency, e.g. 0.06` })
  .min(0, { error: `${PER_MILLION}, zero or more; write 0 only for a model that is really free` })
  .max(LARGEST, { error: `${PER_MILLION}, at most ${LARGEST}; is this the price of something else?` })
  .refine((usd) => usd <= 0 || usd >= SMALLEST, {
    error: `${PER_MILLION}, not per token; multiply it by 1,000,000`,
    abort: true,
  })

const FIELDS = 'from, input, output'
const entry = z.strictObject(
  {
    from: z
      .string({ error: 'from is the first day the price holds; write it as YYYY-MM-DD, e.g. 2026-11-01' })
      .refine((text) => /^\d{4}-\d{2}-\d{2}$/.test(text) && isDay(text), {
        error: 'from is a day that exists; write it as YYYY-MM-DD, e.g. 2026-11-01',
      }),
    input: usdPerMillion,
    output: usdPerMillion,
  },
  {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `an entry has only ${FIELDS}; rename or remove it`
        : `an entry has ${FIELDS}; write e.g. { from: 2026-11-01, input: 0.06, output: 0.18 }`,
  },
)

const file = z.strictObject(
  {
    models: z
      .record(
        z.string().regex(/\S/, { error: 'a model has a name; write it as the request names it' }),
        z
          .array(entry, { error: 'a model has a list of dated prices; start the line below it with "- { from: …"' })
          .min(1, { error: 'a model has at least one dated price; add one or remove the model' }),
        { error: 'models maps each model to its dated prices; write "models:" and a model below it' },
      )
      .refine((models) => Object.keys(models).length > 0, { error: 'models names at least one model; add one' }),
  },
  {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? 'the file has only the key models; rename or remove it'
        : 'the file has the key models; write "models:" and each model below it',
  },
)

type Path = readonly PropertyKey[]
type Defect = { readonly line: number; readonly key: string; readonly value: string; readonly rule: string }

const shown = (value: unknown) => (value === undefined ? 'missing' : value === null ? 'empty' : JSON.stringify(value))

const refuse = (path: string, defects: readonly Defect[]): never => {
  const lines = [...defects]
    .sort((a, b) => a.line - b.line)
    .map(({ line, key, value, rule }) => `${path}:${line}: ${key} is ${value}: ${rule}`)
  throw new Error(lines.join('\n'))
}

/** Reads the price file. A defect is an error that names the file, the line, the value, the rule and the fix. */
export const readPrices = (path: string): readonly Price[] => parsePrices(readText(path), path)

const readText = (path: string) => {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new Error(`${path}: cannot be read: the price file must exist; restore it with git checkout`, { cause })
  }
}

export const parsePrices = (text: string, path = 'grafana/prices.yaml'): readonly Price[] => {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const [syntax] = document.errors
  if (syntax) {
    const { line } = lines.linePos(syntax.pos[0])
    const quoted = JSON.stringify(text.split('\n')[line - 1]?.trim() ?? '')
    const rule =
      syntax.code === 'DUPLICATE_KEY'
        ? 'a key stands once; put both prices into one list'
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

  const parsed = file.safeParse(document.toJS())
  if (!parsed.success) {
    const misspelled = parsed.error.issues.filter(({ code }) => code === 'unrecognized_keys').map(({ path: at }) => at)
    const isConsequence = (at: Path) =>
      document.getIn(at) === undefined && misspelled.some((parent) => parent.join() === at.slice(0, -1).join())
    return refuse(
      path,
      parsed.error.issues.flatMap((issue): readonly Defect[] => {
        const places: readonly Path[] =
          issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key]) : [issue.path]
        return places
          .filter((place) => !isConsequence(place))
          .map((place) => ({
            line: lineOf(place),
            key: place.join('.') || 'the file',
            value: shown(plain(document.getIn(place))),
            rule: issue.message,
          }))
      }),
    )
  }

  const repeated = Object.entries(parsed.data.models).flatMap(([model, entries]) =>
    entries.flatMap(({ from }, index): readonly Defect[] =>
      entries.findIndex((other) => other.from === from) === index
        ? []
        : [
            {
              line: lineOf(['models', model, index, 'from']),
              key: `models.${model}.${index}.from`,
              value: shown(from),
              rule: 'a model has one price per day; keep one of the two',
            },
          ],
    ),
  )
  if (repeated.length > 0) return refuse(path, repeated)

  return Object.entries(parsed.data.models).flatMap(([model, entries]) =>
    [...entries].sort((a, b) => a.from.localeCompare(b.from)).map((price) => ({ model, ...price })),
  )
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

/** The prices that hold on a day, one per model. */
export const pricesOn = (prices: readonly Price[], day: Date): readonly Price[] => {
  const today = day.toISOString().slice(0, 10)
  return prices.filter(
    ({ model, from }) =>
      from <= today && !prices.some((newer) => newer.model === model && newer.from > from && newer.from <= today),
  )
}
