import { base, en, Faker } from '@faker-js/faker'
import type { Random } from '../../random/random.ts'
import type { Secret } from './kinds.ts'

export const LOWER = 'abcdefghijklmnopqrstuvwxyz'
export const UPPER = LOWER.toUpperCase()
export const DIGITS = '0123456789'
export const ALNUM = LOWER + UPPER + DIGITS

/** Values by others, beside our own: the author of a pattern must not be the only one who writes its data. */
const faker = new Faker({ locale: [en, base] })
export function faked<T>(random: Random, make: (faker: Faker) => T): T {
  faker.seed(random.below(2 ** 31))
  return make(faker)
}
/** Half of the values are ours, half are those of Faker. */
export const half = (own: (random: Random) => Secret, others: (random: Random) => Secret) => (random: Random) =>
  random.below(2) === 0 ? own(random) : others(random)
/** Makes values until one has this form. */
export function until<T>(make: () => T, isRight: (made: T) => boolean): T {
  for (;;) {
    const made = make()
    if (isRight(made)) return made
  }
}

export const from = (letters: string, count: number, random: Random) =>
  Array.from({ length: count }, () => letters[random.below(letters.length)]).join('')
export const digits = (count: number, random: Random) => from(DIGITS, count, random)
export function oneOf<const T>(items: readonly T[], random: Random): T {
  const item = items[random.below(items.length)]
  if (item === undefined) throw new Error('there is nothing to choose from')
  return item
}
export const between = (low: number, high: number, random: Random) => low + random.below(high - low + 1)
export const word = (count: number, random: Random) => `${from(UPPER, 1, random)}${from(LOWER, count - 1, random)}`
/** Letters and digits, at least one of each, so it is not a word. */
export const token = (letters: string, count: number, random: Random) => {
  const at = 2 + random.below(count - 4)
  return `${from(letters, at, random)}${digits(1, random)}${from(letters, count - at - 1, random)}`
}
export const inGroups = (text: string, sizes: readonly number[], separator: string) => {
  const begins = sizes.map((_, index) => sizes.slice(0, index).reduce((sum, size) => sum + size, 0))
  return sizes
    .map((size, index) => text.slice(begins[index], (begins[index] ?? 0) + size))
    .filter((group) => group !== '')
    .join(separator)
}

export const whole = (marker: string): Secret => ({ before: '', marker, after: '' })
export const after = (before: string, marker: string): Secret => ({ before, marker, after: '' })
/** The first characters only show the kind; they are not secret. */
export const headed = (head: number, text: string): Secret => after(text.slice(0, head), text.slice(head))
