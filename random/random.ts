import { hash } from 'node:crypto'

type Key = readonly (string | number)[]

const digits = (key: Key): string => hash('sha256', key.join('\u0000'))
const fraction = (hex: string): number => Number.parseInt(hex.slice(0, 12), 16) / 2 ** 48

/**
 * Dice without state: the same key always rolls the same number in [0, 1). So five agents that decide at once cannot
 * change each other's luck by finishing in another order. Use it where every roll has a name.
 */
export const roll = (...key: Key): number => fraction(digits(key))

/** A stream of rolls: the same key gives the same numbers in the same order. */
export type Random = Readonly<{
  /** In [0, 1). */
  number: () => number
  /** A whole number from 0 to `count` - 1. */
  below: (count: number) => number
  /** A text of so many hexadecimal digits. */
  hex: (count: number) => string
}>

/** The same dice for code that needs many rolls in a fixed order: it adds a counter to the key. */
export function randomOf(...key: Key): Random {
  let left = ''
  let block = 0
  const hex = (count: number) => {
    while (left.length < count) left += digits([...key, block++])
    const taken = left.slice(0, count)
    left = left.slice(count)
    return taken
  }
  const number = () => fraction(hex(12))
  return { number, below: (count) => Math.floor(number() * count), hex }
}
