import { parse } from 'yaml'
import { z } from 'zod'
import { drawIn, type Format } from '../../workbench/draw.ts'
import { Refusal } from '../../workbench/refusal.ts'
import type { Item } from './corpus.ts'
import { type Harm, isHarmless, percentAltered } from './false-positives.ts'

/** A leak that is known and told: it fits an item when each of kind, spelling and slot that it names does. */
export type Declared = Readonly<{
  what: string
  why: string
  advice: string
  kind?: readonly string[]
  spelling?: readonly string[]
  slot?: readonly string[]
}>

const names = z.union([z.string(), z.array(z.string()).min(1)]).transform((given) => [given].flat())
const REMAINDER = z.array(
  z
    .strictObject({
      what: z.string(),
      why: z.string(),
      advice: z.string(),
      kind: names.optional(),
      spelling: names.optional(),
      slot: names.optional(),
    })
    .refine(({ kind, spelling, slot }) => kind ?? spelling ?? slot, 'names no kind, spelling or slot'),
)

/** Reads remainder.yaml. Throws `Refusal` when it is none. */
export function readRemainder(text: string, path: string): readonly Declared[] {
  const { data, error } = REMAINDER.safeParse(parse(text))
  if (data) return data as readonly Declared[]
  const [issue] = error.issues
  throw new Refusal(
    `${path}: ${issue?.path.join('.')}: ${issue?.message}; each item has what, why, advice, and a kind, spelling or slot`,
  )
}

/** As collector/README.md shows it. */
export const remainderTable = (remainder: readonly Declared[]): string =>
  drawIn('markdown')([
    ['what still leaks', 'why', 'what to do'],
    ...remainder.map(({ what, why, advice }) => [what, why, advice]),
  ]).replace('| --- | ---: | ---: |', '| --- | --- | --- |')

const fits = ({ kind, spelling, slot }: Declared, item: Item): boolean =>
  (kind?.includes(item.kind) ?? true) &&
  (spelling?.includes(item.spelling) ?? true) &&
  (slot?.includes(item.slot) ?? true)

export type Leak = Readonly<{ item: Item; exits: readonly string[]; declared: Declared | undefined }>
export type Leaks = Readonly<{
  sent: readonly Item[]
  leaks: readonly Leak[]
  /** Declared, and not seen to leak: the list must get shorter. */
  stale: readonly Declared[]
  harm: Harm
}>

/** Holds what was found at each exit against what was sent and what is declared. */
export function judge(
  sent: readonly Item[],
  found: ReadonlyMap<number, readonly string[]>,
  remainder: readonly Declared[],
  harm: Harm,
): Leaks {
  const leaks = [...found].flatMap(([index, exits]): Leak[] => {
    const item = sent[index]
    return item ? [{ item, exits, declared: remainder.find((declared) => fits(declared, item)) }] : []
  })
  const stale = remainder.filter((declared) => !leaks.some((leak) => leak.declared === declared))
  return { sent, leaks, stale, harm }
}

/** Nothing leaked but what is declared, all of that did, and the innocent are as they were. */
export const isTight = ({ leaks, stale, harm }: Leaks): boolean =>
  isHarmless(harm) && stale.length === 0 && leaks.every(({ declared }) => declared !== undefined)

const SHOWN = 20

/** A table by kind and one by slot, then what leaked that should not. */
export function leakReport(all: Leaks, format: Format): string {
  const { sent, leaks, stale, harm } = all
  const undeclared = leaks.filter(({ declared }) => !declared)
  if (format === 'json')
    return JSON.stringify(
      { sent: sent.length, undeclared, declared: leaks.length - undeclared.length, stale, harm },
      null,
      2,
    )
  const draw = drawIn(format)
  const table = (title: string, name: (item: Item) => string) => {
    const row = (label: string, of: (item: Item) => boolean) => {
      const some = leaks.filter(({ item }) => of(item))
      const told = some.filter(({ declared }) => declared).length
      const count = sent.filter(of).length
      return [label, ...[count, count - some.length, told, some.length - told].map(String)]
    }
    const labels = [...new Set(sent.map(name))]
    return draw([
      [title, 'sent', 'hidden', 'declared', 'leaked'],
      ...labels.map((label) => row(label, (item) => name(item) === label)),
      row('all', () => true),
    ])
  }
  return [
    table('kind', ({ kind }) => kind),
    table('spelling', ({ spelling }) => spelling),
    table('slot', ({ slot }) => slot),
    harmIn(harm),
    ...(undeclared.length > 0 ? [listed(undeclared)] : []),
    ...stale.map(
      ({ what }) =>
        `"${what}" in evidence/leak/known-leaks.yaml leaked nowhere: take it off the list, or it was not sent.`,
    ),
  ].join('\n\n')
}

/** One example for each attribute. */
function harmIn(harm: Harm): string {
  const { attributes, bytes, altered } = harm
  const keys = [...new Set(altered.map(({ key }) => key))]
  const lines = keys.slice(0, SHOWN).flatMap((key) => {
    const same = altered.filter((each) => each.key === key)
    const [example] = same
    const became = example?.became ? JSON.stringify(example.became) : 'nothing'
    return [`  ${key}, ${same.length} times: ${JSON.stringify(example?.was)} became ${became}`]
  })
  const told = `Of ${attributes} innocent attributes, ${bytes} bytes, ${altered.length} were altered: ${percentAltered(harm).toFixed(3)} % of the bytes.`
  return [told, ...lines].join('\n')
}

function listed(leaks: readonly Leak[]): string {
  const line = ({ item: { kind, spelling, slot, needles }, exits }: Leak) =>
    `  ${kind}, ${spelling}, ${slot}: "${needles[0]}" in ${exits.join(', ')}`
  const more = leaks.length > SHOWN ? [`  … and ${leaks.length - SHOWN} more`] : []
  return [`${leaks.length} leaked:`, ...leaks.slice(0, SHOWN).map(line), ...more].join('\n')
}
