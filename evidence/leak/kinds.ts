import type { Random } from '../../random/random.ts'
import { ANNOUNCED } from './announced.ts'
import { KEYS } from './keys.ts'
import { ALNUM, after, between, digits, from, LOWER, oneOf, token, whole, word } from './letters.ts'
import { PERSONAL } from './personal.ts'

/**
 * A generated value that is personal or secret. `marker` is the part that must not be found: it is so long and random
 * that it does not occur by chance.
 */
export type Secret = Readonly<{
  before: string
  marker: string
  after: string
  /** The word that announces it: as a key of JSON, and as people say it. Then `before` is that key in a line of text. */
  announced?: Readonly<{ key: string; spoken?: string }>
}>
export type Kind = Readonly<{
  name: string
  make: (random: Random) => Secret
  /** The same value can also be a number. */
  numeric?: true
}>

/** Kinds of personal and secret values. */
export const KINDS: readonly Kind[] = [...PERSONAL, ...KEYS, ...ANNOUNCED]

/** Kinds that look like ordinary words or numbers, so no pattern can find them. They are in known-leaks.yaml. */
export const PLAIN_KINDS: readonly Kind[] = [
  { name: 'name of a person', make: (random) => after('Maria ', word(11, random)) },
  {
    name: 'date of birth',
    make: (random) => {
      // The year distinguishes these from all other dates of a run. Three centuries have enough days.
      const day = new Date(Date.UTC(between(1600, 1899, random), random.below(12), between(1, 28, random)))
      return after('born on ', day.toISOString().slice(0, 10))
    },
  },
  {
    name: 'password of small letters, not in quotes',
    make: (random) => after(oneOf(['password: ', 'passwd=', 'the password is '], random), from(LOWER, 12, random)),
  },
  {
    name: 'PIN or code for one time',
    make: (random) => after(oneOf(['PIN: ', 'pin=', 'otp: ', 'code: '], random), digits(11, random)),
  },
  {
    name: 'id of a session, without a header',
    make: (random) => after(oneOf(['sessionid=', 'session=', 'sid='], random), token(ALNUM, 26, random)),
  },
  {
    name: 'short token after Bearer, without a header',
    make: (random) => after('Bearer ', token(ALNUM, 12, random)),
  },
  {
    name: 'passphrase of words',
    make: (random) => whole(Array.from({ length: 4 }, () => from(LOWER, 6, random)).join('-')),
  },
]
