import { readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Entry } from '../sim/ledger.ts'
import type { Run } from '../stack/own-stack.ts'
import { SHIPPED_POLICY } from '../stack/policy.ts'
import { ROOT, type Settings } from '../stack/settings.ts'

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

/** Writes the shipped list and a policy that keeps the rest, so that every trace is stored. Returns its path. */
export function shippedAndTheRest({ state }: Settings): string {
  const list = resolve(state, 'shipped-and-the-rest.yaml')
  const rest = '\n- name: keep-the-rest\n  type: always_sample\n'
  writeFileSync(list, readFileSync(resolve(ROOT, SHIPPED_POLICY), 'utf8') + rest)
  return list
}
