import type { Entry } from '../sim/ledger.ts'
import type { Run } from '../stack/own-stack.ts'

export type Kind<K extends Entry['kind']> = Extract<Entry, { kind: K }>

/** The entries of one kind in the ledger of a run. */
export const entriesOf = <K extends Entry['kind']>({ entries }: Run, kind: K) =>
  entries.filter((entry): entry is Kind<K> => entry.kind === kind)

/** Adds up a value of the items by a key; without a value, it counts them. */
export function sumBy<T>(
  items: readonly T[],
  key: (item: T) => string,
  value: (item: T) => number = () => 1,
): Readonly<Record<string, number>> {
  const sums: Record<string, number> = {}
  for (const item of items) sums[key(item)] = (sums[key(item)] ?? 0) + value(item)
  return sums
}
