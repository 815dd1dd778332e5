import { few as firstOf } from '../../explain/text.ts'

/**
 * One line of the report about a service. `blind` means that a board or a policy cannot see the service because of it; `note`,
 * that something is missing or may surprise; `untold`, that what is counted and stored does not tell.
 */
export type Line = Readonly<{
  name: Name
  is: 'ok' | 'note' | 'blind' | 'untold'
  found: string
  /** What to paste, or to look at. */
  fix: readonly string[]
}>

/** What is judged, in the order of the report. Programs and people look for these names. */
export const NAMES = [
  'arrives',
  'operation',
  'agent names',
  'model',
  'price',
  'tokens',
  'first chunk',
  'errors',
  'kept',
  'messages',
  'roots',
  'late spans',
  'counted twice',
  'span names',
  'processes',
  'masked',
  'links',
  'limits',
  'metrics',
  'labels',
  'logs',
  'Phoenix',
] as const
export type Name = (typeof NAMES)[number]

type Make = (name: Name, found: string, ...fix: readonly string[]) => Line
const make =
  (is: Line['is']): Make =>
  (name, found, ...fix) => ({ name, is, found, fix })

export const ok = make('ok')
export const note = make('note')
export const blind = make('blind')
export const untold = make('untold')

/** To paste in a shell: one more attribute of the resource, beside those that are set. */
export const onResource = (attribute: string): string =>
  `export OTEL_RESOURCE_ATTRIBUTES="\${OTEL_RESOURCE_ATTRIBUTES:+$OTEL_RESOURCE_ATTRIBUTES,}${attribute}"`

/** "3 traces", "1 trace". */
export const some = (count: number, thing: string): string =>
  `${count.toLocaleString('en')} ${thing}${count === 1 || thing.endsWith('s') ? '' : 's'}`

const SHOWN = 4

/** The first few of many names. */
export const few = (names: readonly string[]): string => firstOf(names, { most: SHOWN })

/** How often each value is there, the most frequent first. A value may stand for many. */
export function tally(
  values: readonly (string | readonly [value: string, count: number])[],
): readonly (readonly [value: string, count: number])[] {
  const counts = new Map<string, number>()
  for (const one of values) {
    const [value, count] = typeof one === 'string' ? [one, 1] : one
    counts.set(value, (counts.get(value) ?? 0) + count)
  }
  return [...counts].sort(([, a], [, b]) => b - a)
}

export const told = (counts: readonly (readonly [string, number])[]): string =>
  few(counts.map(([value, count]) => `${value} ${count.toLocaleString('en')}`))
