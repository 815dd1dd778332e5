import { base, en, Faker } from '@faker-js/faker'
import type { Random } from '../../random/random.ts'
import { announcedKinds } from './announced.ts'
import { isCard } from './harmless/excluded.ts'

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

const LOWER = 'abcdefghijklmnopqrstuvwxyz'
const UPPER = LOWER.toUpperCase()
const DIGITS = '0123456789'
const ALNUM = LOWER + UPPER + DIGITS

/** Values by others, beside our own: the author of a pattern must not be the only one who writes its data. */
const faker = new Faker({ locale: [en, base] })
function faked<T>(random: Random, make: (faker: Faker) => T): T {
  faker.seed(random.below(2 ** 31))
  return make(faker)
}
/** Half of the values are ours, half are those of Faker. */
const half = (own: (random: Random) => Secret, others: (random: Random) => Secret) => (random: Random) =>
  random.below(2) === 0 ? own(random) : others(random)
/** Makes values until one has this form. */
function until<T>(make: () => T, isRight: (made: T) => boolean): T {
  for (;;) {
    const made = make()
    if (isRight(made)) return made
  }
}

const from = (letters: string, count: number, random: Random) =>
  Array.from({ length: count }, () => letters[random.below(letters.length)]).join('')
const digits = (count: number, random: Random) => from(DIGITS, count, random)
function oneOf<const T>(items: readonly T[], random: Random): T {
  const item = items[random.below(items.length)]
  if (item === undefined) throw new Error('there is nothing to choose from')
  return item
}
const between = (low: number, high: number, random: Random) => low + random.below(high - low + 1)
const word = (count: number, random: Random) => `${from(UPPER, 1, random)}${from(LOWER, count - 1, random)}`
/** Letters and digits, at least one of each, so it is not a word. */
const token = (letters: string, count: number, random: Random) => {
  const at = 2 + random.below(count - 4)
  return `${from(letters, at, random)}${digits(1, random)}${from(letters, count - at - 1, random)}`
}
const inGroups = (text: string, sizes: readonly number[], separator: string) => {
  const begins = sizes.map((_, index) => sizes.slice(0, index).reduce((sum, size) => sum + size, 0))
  return sizes
    .map((size, index) => text.slice(begins[index], (begins[index] ?? 0) + size))
    .filter((group) => group !== '')
    .join(separator)
}

const whole = (marker: string): Secret => ({ before: '', marker, after: '' })
const after = (before: string, marker: string): Secret => ({ before, marker, after: '' })
/** The first characters only show the kind; they are not secret. */
const headed = (head: number, text: string): Secret => after(text.slice(0, head), text.slice(head))

function withCheckDigit(body: string): string {
  const sum = [...body].reverse().reduce((total, digit, index) => {
    const value = Number(digit) * (index % 2 === 0 ? 2 : 1)
    return total + (value > 9 ? value - 9 : value)
  }, 0)
  return `${body}${(10 - (sum % 10)) % 10}`
}

/** The last two digits of a CPF make two sums right. */
function cpf(body: string): string {
  if (body.length === 11) return body
  const sum = [...body].reduce((total, digit, index) => total + Number(digit) * (body.length + 1 - index), 0)
  return cpf(`${body}${((sum * 10) % 11) % 10}`)
}

/** Country, number of characters after the check digits, and which characters. */
const IBANS = [
  ['DE', 18, DIGITS],
  ['FR', 23, DIGITS],
  ['GB', 18, 'bank'],
  ['ES', 20, DIGITS],
  ['NL', 14, 'bank'],
  ['PL', 24, DIGITS],
] as const satisfies (readonly [string, number, string])[]

function iban(random: Random): string {
  const [country, length, letters] = oneOf<readonly [string, number, string]>(IBANS, random)
  const body =
    letters === 'bank' ? `${from(UPPER, 4, random)}${digits(length - 4, random)}` : from(letters, length, random)
  const asNumber = [...`${body}${country}00`].map((letter) => Number.parseInt(letter, 36)).join('')
  const check = 98 - Number(BigInt(asNumber) % 97n)
  return `${country}${String(check).padStart(2, '0')}${body}`
}

/** Faker names its issuers so. */
const CARD_ISSUERS = ['visa', 'mastercard', 'discover', 'american_express', 'jcb', 'diners_club']

const COUNTRIES = ['44', '49', '33', '1', '81', '353', '61'] as const
const areaCode = (random: Random) => `${between(2, 9, random)}${digits(2, random)}`

/** Kinds of personal and secret values. Each value is new. If a kind has check digits, they are right. */
export const KINDS: readonly Kind[] = [
  {
    name: 'e-mail',
    make: half(
      (random) => ({
        before: '',
        marker: `${from(LOWER, 4, random)}.${token(LOWER, 9, random)}`,
        after: `@${from(LOWER, 7, random)}.${oneOf(['example', 'co.uk', 'org'], random)}`,
      }),
      (random) => {
        // The names of Faker are few, and half a name may be found in another secret.
        const lastName = token(LOWER, 9, random)
        const email = faked(random, ({ internet }) => internet.email({ lastName }))
        return { before: '', marker: email.slice(0, email.indexOf('@')), after: email.slice(email.indexOf('@')) }
      },
    ),
  },
  {
    name: 'phone, international',
    make: half(
      (random) => {
        const [gap, sizes] = oneOf(
          [
            [' ', [2, 4, 4]],
            ['-', [3, 3, 4]],
            ['', [10]],
            ['.', [3, 3, 4]],
          ],
          random,
        )
        const country = oneOf(COUNTRIES, random)
        const number = inGroups(`${areaCode(random)}${digits(7, random)}`, sizes, gap)
        // Ten digits can occur by chance; with the country code they do not.
        return gap === '' ? after('+', `${country}${number}`) : after(`+${country}${gap}`, number)
      },
      (random) => after('+', faked(random, ({ phone }) => phone.number({ style: 'international' })).slice(1)),
    ),
  },
  {
    name: 'phone, North America',
    make: (random) =>
      after('', `(${areaCode(random)}) ${areaCode(random)}${oneOf(['-', '.', ' '], random)}${digits(4, random)}`),
  },
  {
    name: 'phone, local',
    make: (random) =>
      whole(
        inGroups(`${areaCode(random)}${areaCode(random)}${digits(4, random)}`, [3, 3, 4], oneOf(['-', '.'], random)),
      ),
  },
  {
    name: 'phone, local, with spaces',
    make: (random) => whole(inGroups(`${areaCode(random)}${areaCode(random)}${digits(4, random)}`, [3, 3, 4], ' ')),
  },
  {
    name: 'payment card',
    make: half(
      (random) => {
        const head = oneOf(['4', '51', '55', '2221', '2720', '6011', '65'], random)
        const number = withCheckDigit(`${head}${digits(15 - head.length, random)}`)
        return headed(4, inGroups(number, [4, 4, 4, 4], oneOf(['', ' ', '-', '.'], random)))
      },
      (random) => {
        const issuer = oneOf(CARD_ISSUERS, random)
        const card = until(
          () => faked(random, ({ finance }) => finance.creditCardNumber(issuer)),
          (made) => isCard(made.replace(/\D/g, '')),
        )
        return headed(4, random.below(2) === 0 ? card : card.replace(/\D/g, ''))
      },
    ),
    numeric: true,
  },
  {
    name: 'American Express card',
    make: (random) => {
      const number = withCheckDigit(`${oneOf(['34', '37'], random)}${digits(12, random)}`)
      return headed(2, inGroups(number, [4, 6, 5], oneOf(['', ' ', '-'], random)))
    },
    numeric: true,
  },
  {
    name: 'IBAN',
    make: half(
      (random) => headed(4, inGroups(iban(random), [4, 4, 4, 4, 4, 4, 4], oneOf(['', ' '], random))),
      (random) =>
        headed(
          4,
          faked(random, ({ finance }) => finance.iban({ formatted: random.below(2) === 0 })),
        ),
    ),
  },
  {
    name: 'social security number',
    make: (random) => whole(`${between(100, 665, random)}-${between(10, 99, random)}-${between(1000, 9999, random)}`),
  },
  {
    name: 'national insurance number',
    make: (random) =>
      whole(
        inGroups(
          `${oneOf(['AB', 'JK', 'SE', 'PW'], random)}${digits(6, random)}${oneOf(['A', 'B', 'C', 'D'], random)}`,
          [2, 2, 2, 2, 1],
          oneOf(['', ' '], random),
        ),
      ),
  },
  {
    name: 'French social security number',
    make: (random) => {
      const month = String(between(1, 12, random)).padStart(2, '0')
      const place = String(between(1, 95, random)).padStart(2, '0')
      const body = `${between(1, 2, random)}${digits(2, random)}${month}${place}${digits(6, random)}`
      const key = 97 - (Number(body) % 97)
      return whole(inGroups(`${body}${String(key).padStart(2, '0')}`, [1, 2, 2, 2, 3, 3, 2], ' '))
    },
  },
  {
    name: 'Brazilian CPF',
    make: (random) => {
      const number = cpf(digits(9, random))
      return whole(`${inGroups(number.slice(0, 9), [3, 3, 3], '.')}-${number.slice(9)}`)
    },
  },
  {
    name: 'IPv4 address',
    make: (random) =>
      whole(
        `${between(128, 223, random)}.${between(100, 255, random)}.${between(100, 255, random)}.${between(100, 255, random)}`,
      ),
  },
  {
    name: 'IPv6 address',
    make: half(
      (random) =>
        random.below(2) === 0
          ? headed(9, ['2001', 'db8', ...Array.from({ length: 6 }, () => random.hex(4))].join(':'))
          : headed(10, `2001:db8::${Array.from({ length: 4 }, () => random.hex(4)).join(':')}`),
      (random) =>
        headed(
          5,
          faked(random, ({ internet }) => internet.ipv6()),
        ),
    ),
  },
  {
    name: 'MAC address',
    make: half(
      (random) => headed(3, Array.from({ length: 6 }, () => random.hex(2)).join(oneOf([':', '-'], random))),
      (random) =>
        headed(
          3,
          faked(random, ({ internet }) => internet.mac(':')),
        ),
    ),
  },
  {
    name: 'JSON web token',
    make: half(
      (random) => {
        const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
        const claims = part({ sub: token(LOWER, 12, random), iat: 1_700_000_000 + random.below(9_000_000) })
        return {
          before: `${part({ alg: 'HS256', typ: 'JWT' })}.${claims}.`,
          marker: token(ALNUM, 43, random),
          after: '',
        }
      },
      (random) => {
        const jwt = faked(random, ({ internet }) => internet.jwt({ refDate: '2026-11-28' }))
        const end = jwt.lastIndexOf('.') + 1
        return after(jwt.slice(0, end), jwt.slice(end))
      },
    ),
  },
  {
    name: 'bearer token',
    make: (random) => after(`${oneOf(['Bearer', 'bearer', 'BEARER'], random)} `, token(ALNUM, 32, random)),
  },
  {
    name: 'basic credentials',
    make: (random) =>
      after('Basic ', Buffer.from(`${from(LOWER, 6, random)}:${token(ALNUM, 13, random)}`).toString('base64')),
  },
  {
    name: 'OpenAI key, or one that looks like it',
    make: (random) => after(oneOf(['sk-', 'sk-proj-', 'sk-svcacct-', 'pk-'], random), token(ALNUM, 40, random)),
  },
  {
    name: 'key of small letters',
    make: (random) => after(oneOf(['sk-', 'sk-proj-', 'pk-'], random), from(LOWER, 40, random)),
  },
  {
    name: 'Langfuse key',
    make: (random) => after(oneOf(['sk-lf-', 'pk-lf-'], random), inGroups(random.hex(32), [8, 4, 4, 4, 12], '-')),
  },
  {
    name: 'Anthropic key',
    make: (random) => after('sk-ant-api03-', `${token(ALNUM, 40, random)}-${token(ALNUM, 20, random)}`),
  },
  {
    name: 'AWS key id',
    make: (random) => after(oneOf(['AKIA', 'ASIA', 'AROA', 'AIDA'], random), token(UPPER, 16, random)),
  },
  {
    name: 'GitHub token',
    make: (random) =>
      random.below(2) === 0
        ? after(oneOf(['ghp_', 'gho_', 'ghs_'], random), token(ALNUM, 36, random))
        : after('github_pat_', `${token(ALNUM, 22, random)}_${token(ALNUM, 59, random)}`),
  },
  { name: 'GitLab token', make: (random) => after('glpat-', token(ALNUM, 20, random)) },
  { name: 'Slack token', make: (random) => after('xoxb-', `${digits(12, random)}-${token(ALNUM, 24, random)}`) },
  { name: 'Google key', make: (random) => after('AIza', token(ALNUM, 35, random)) },
  { name: 'Hugging Face token', make: (random) => after('hf_', token(LOWER + UPPER, 34, random)) },
  {
    name: 'Stripe key',
    make: (random) => after(oneOf(['sk_live_', 'rk_live_', 'sk_test_'], random), token(ALNUM, 24, random)),
  },
  { name: 'npm token', make: (random) => after('npm_', token(ALNUM, 36, random)) },
  { name: 'SendGrid key', make: (random) => after('SG.', `${token(ALNUM, 22, random)}.${token(ALNUM, 43, random)}`) },
  {
    name: 'private key',
    make: (random) => {
      const title = `${oneOf(['RSA ', 'EC ', '', 'OPENSSH '], random)}PRIVATE KEY`
      return {
        before: `-----BEGIN ${title}-----\n`,
        marker: token(ALNUM, 60, random),
        after: `\n-----END ${title}-----`,
      }
    },
  },
  {
    name: 'credentials in a URL',
    make: (random) => ({
      before: `${oneOf(['https', 'postgres', 'amqp'], random)}://${from(LOWER, 6, random)}:`,
      marker: token(ALNUM, 14, random),
      after: `@${from(LOWER, 6, random)}.example/data`,
    }),
  },
  ...announcedKinds(ALNUM, token),
  {
    name: 'street address',
    make: (random) => {
      const end = oneOf(['Street', 'Avenue', 'Road', 'Lane', 'Drive'], random)
      return { before: `${between(10, 9999, random)} `, marker: word(10, random), after: ` ${end}` }
    },
  },
]

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
    name: 'passphrase of words',
    make: (random) => whole(Array.from({ length: 4 }, () => from(LOWER, 6, random)).join('-')),
  },
]
