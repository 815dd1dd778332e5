import { parse } from 'yaml'
import { z } from 'zod'
import { drawIn, type Format } from '../../workbench/draw.ts'
import { UserError } from '../../workbench/user-error.ts'
import { AS_SENT } from './carriers.ts'
import type { Item } from './corpus.ts'

/** A known leak. It covers a leaked item if all of kind, encoding and field that it names are those of the item. */
export type KnownLeak = Readonly<{
  what: string
  why: string
  advice: string
  kind?: readonly string[]
  encoding?: readonly string[]
  field?: readonly string[]
}>

const names = z.union([z.string(), z.array(z.string()).min(1)]).transform((given) => [given].flat())
const REMAINDER = z.array(
  z
    .strictObject({
      what: z.string(),
      why: z.string(),
      advice: z.string(),
      kind: names.optional(),
      encoding: names.optional(),
      field: names.optional(),
    })
    .refine(({ kind, encoding, field }) => kind ?? encoding ?? field, 'names no kind, encoding or field'),
)

/** Reads known-leaks.yaml. Throws `UserError` when its content is wrong. */
export function readKnownLeaks(text: string, path: string): readonly KnownLeak[] {
  const { data, error } = REMAINDER.safeParse(parse(text))
  if (data) return data as readonly KnownLeak[]
  const [issue] = error.issues
  throw new UserError(
    `${path}: ${issue?.path.join('.')}: ${issue?.message}; each item must have what, why, advice, and a kind, encoding or field`,
  )
}

/** The table of known leaks in docs/measured/leak.md. */
export const knownLeaksTable = (knownLeaks: readonly KnownLeak[]): string =>
  drawIn('markdown')([
    ['what still leaks', 'why', 'what to do'],
    ...knownLeaks.map(({ what, why, advice }) => [what, why, advice]),
  ]).replace('| --- | ---: | ---: |', '| --- | --- | --- |')

const fits = ({ kind, encoding, field }: KnownLeak, item: Item): boolean =>
  (kind?.includes(item.kind) ?? true) &&
  (encoding?.includes(item.encoding) ?? true) &&
  (field?.includes(item.field) ?? true)

export type Leak = Readonly<{ item: Item; exits: readonly string[]; known: KnownLeak | undefined }>
export type Leaks = Readonly<{
  sent: readonly Item[]
  leaks: readonly Leak[]
  /** Known leaks that did not leak, so they must be removed from the list. */
  stale: readonly KnownLeak[]
  /** The recorded messages that are not shown any more where messages are shown. */
  unshown: readonly string[]
}>

/** Compares what was found in each output with what was sent and with the known leaks. */
export function judge(
  sent: readonly Item[],
  found: ReadonlyMap<number, readonly string[]>,
  knownLeaks: readonly KnownLeak[],
  unshown: readonly string[] = [],
): Leaks {
  const leaks = [...found].flatMap(([index, exits]): Leak[] => {
    const item = sent[index]
    return item ? [{ item, exits, known: knownLeaks.find((known) => fits(known, item)) }] : []
  })
  const stale = knownLeaks.filter((known) => !leaks.some((leak) => leak.known === known))
  return { sent, leaks, stale, unshown }
}

/** Only the known leaks leaked, all of them did, and every message is shown. */
export const isTight = ({ leaks, stale, unshown }: Leaks): boolean =>
  unshown.length === 0 && stale.length === 0 && leaks.every(({ known }) => known !== undefined)

const SHOWN = 40

/** Tables by kind, by encoding and by field, then the unknown leaks. */
export function leakReport(all: Leaks, format: Format): string {
  const { sent, leaks, stale, unshown } = all
  const undeclared = leaks.filter(({ known }) => !known)
  if (format === 'json')
    return JSON.stringify(
      { sent: sent.length, undeclared, known: leaks.length - undeclared.length, stale, unshown },
      null,
      2,
    )
  const draw = drawIn(format)
  /** An item without a name is in no row. */
  const table = (title: string, name: (item: Item) => string | undefined) => {
    const row = (label: string, of: (item: Item) => boolean) => {
      const some = leaks.filter(({ item }) => of(item))
      const told = some.filter(({ known }) => known).length
      const count = sent.filter(of).length
      return [label, ...[count, count - some.length, told, some.length - told].map(String)]
    }
    const labels = [...new Set(sent.map(name))].filter((label) => label !== undefined)
    return draw([
      [title, 'sent', 'hidden', 'known leaks', 'leaked'],
      ...labels.map((label) => row(label, (item) => name(item) === label)),
      row('all', (item) => name(item) !== undefined),
    ])
  }
  return [
    table('kind', ({ kind }) => kind),
    table('encoding', ({ encoding }) => encoding),
    table('field', ({ encoding, field }) => (encoding === AS_SENT ? undefined : field)),
    table('message of an SDK', ({ encoding, field }) => (encoding === AS_SENT ? field.split(',')[0] : undefined)),
    ...(undeclared.length > 0 ? [listed(undeclared)] : []),
    ...unshown.map((field) => `The messages of ${field} are not shown: their JSON is broken.`),
    ...stale.map(
      ({ what }) =>
        `"${what}" in evidence/leak/known-leaks.yaml leaked nowhere. Remove it from the list, or check that it was sent.`,
    ),
  ].join('\n\n')
}

function listed(leaks: readonly Leak[]): string {
  const line = ({ item: { kind, encoding, field, needles }, exits }: Leak) =>
    `  ${kind}, ${encoding}, ${field}: "${needles[0]}" in ${exits.join(', ')}`
  const more = leaks.length > SHOWN ? [`  … and ${leaks.length - SHOWN} more`] : []
  return [`${leaks.length} leaked:`, ...leaks.slice(0, SHOWN).map(line), ...more].join('\n')
}
