import type { Dice } from '../traffic.ts'

/**
 * A made value that is personal or secret. `marker` is the part of it that nobody may find again: long and random
 * enough to stand nowhere by chance.
 */
export type Secret = Readonly<{ before: string; marker: string; after: string }>
export type Kind = Readonly<{
  name: string
  make: (dice: Dice) => Secret
  /** The same value is also met as a number. */
  numeric?: true
}>

const LOWER = 'abcdefghijklmnopqrstuvwxyz'
const UPPER = LOWER.toUpperCase()
const DIGITS = '0123456789'
const ALNUM = LOWER + UPPER + DIGITS

const from = (letters: string, count: number, dice: Dice) =>
  Array.from({ length: count }, () => letters[dice.below(letters.length)]).join('')
const digits = (count: number, dice: Dice) => from(DIGITS, count, dice)
function oneOf<const T>(items: readonly T[], dice: Dice): T {
  const item = items[dice.below(items.length)]
  if (item === undefined) throw new Error('there is nothing to choose from')
  return item
}
const between = (low: number, high: number, dice: Dice) => low + dice.below(high - low + 1)
const word = (count: number, dice: Dice) => `${from(UPPER, 1, dice)}${from(LOWER, count - 1, dice)}`
/** Letters and digits, both of them: no word of any language. */
const token = (letters: string, count: number, dice: Dice) => {
  const at = 2 + dice.below(count - 4)
  return `${from(letters, at, dice)}${digits(1, dice)}${from(letters, count - at - 1, dice)}`
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
/** The first characters say of which kind it is, and are no secret. */
const headed = (head: number, text: string): Secret => after(text.slice(0, head), text.slice(head))

function withCheckDigit(body: string): string {
  const sum = [...body].reverse().reduce((total, digit, index) => {
    const value = Number(digit) * (index % 2 === 0 ? 2 : 1)
    return total + (value > 9 ? value - 9 : value)
  }, 0)
  return `${body}${(10 - (sum % 10)) % 10}`
}

/** Country, length of what follows the check digits, and its letters. */
const IBANS = [
  ['DE', 18, DIGITS],
  ['FR', 23, DIGITS],
  ['GB', 18, 'bank'],
  ['ES', 20, DIGITS],
  ['NL', 14, 'bank'],
  ['PL', 24, DIGITS],
] as const satisfies (readonly [string, number, string])[]

function iban(dice: Dice): string {
  const [country, length, letters] = oneOf<readonly [string, number, string]>(IBANS, dice)
  const body = letters === 'bank' ? `${from(UPPER, 4, dice)}${digits(length - 4, dice)}` : from(letters, length, dice)
  const asNumber = [...`${body}${country}00`].map((letter) => Number.parseInt(letter, 36)).join('')
  const check = 98 - Number(BigInt(asNumber) % 97n)
  return `${country}${String(check).padStart(2, '0')}${body}`
}

const COUNTRIES = ['44', '49', '33', '1', '81', '353', '61'] as const
const areaCode = (dice: Dice) => `${between(2, 9, dice)}${digits(2, dice)}`

/** Kinds of personal and secret values. Each value is new; check digits are right where a kind has them. */
export const KINDS: readonly Kind[] = [
  {
    name: 'e-mail',
    make: (dice) => ({
      before: '',
      marker: `${from(LOWER, 4, dice)}.${token(LOWER, 9, dice)}`,
      after: `@${from(LOWER, 7, dice)}.${oneOf(['example', 'co.uk', 'org'], dice)}`,
    }),
  },
  {
    name: 'phone, international',
    make: (dice) => {
      const [gap, sizes] = oneOf(
        [
          [' ', [2, 4, 4]],
          ['-', [3, 3, 4]],
          ['', [10]],
          ['.', [3, 3, 4]],
        ],
        dice,
      )
      const country = oneOf(COUNTRIES, dice)
      const number = inGroups(`${areaCode(dice)}${digits(7, dice)}`, sizes, gap)
      // Ten digits in a row stand somewhere by chance; with the country they do not.
      return gap === '' ? after('+', `${country}${number}`) : after(`+${country}${gap}`, number)
    },
  },
  {
    name: 'phone, North America',
    make: (dice) => after('', `(${areaCode(dice)}) ${areaCode(dice)}${oneOf(['-', '.', ' '], dice)}${digits(4, dice)}`),
  },
  {
    name: 'phone, local',
    make: (dice) =>
      whole(inGroups(`${areaCode(dice)}${areaCode(dice)}${digits(4, dice)}`, [3, 3, 4], oneOf(['-', '.', ' '], dice))),
  },
  {
    name: 'payment card',
    make: (dice) => {
      const head = oneOf(['4', '51', '55', '2221', '6011', '65'], dice)
      const number = withCheckDigit(`${head}${digits(15 - head.length, dice)}`)
      return headed(4, inGroups(number, [4, 4, 4, 4], oneOf(['', ' ', '-', '.'], dice)))
    },
    numeric: true,
  },
  {
    name: 'American Express card',
    make: (dice) => {
      const number = withCheckDigit(`${oneOf(['34', '37'], dice)}${digits(12, dice)}`)
      return headed(2, inGroups(number, [4, 6, 5], oneOf(['', ' ', '-'], dice)))
    },
    numeric: true,
  },
  { name: 'IBAN', make: (dice) => headed(4, inGroups(iban(dice), [4, 4, 4, 4, 4, 4, 4], oneOf(['', ' '], dice))) },
  {
    name: 'social security number',
    make: (dice) => whole(`${between(100, 665, dice)}-${between(10, 99, dice)}-${between(1000, 9999, dice)}`),
  },
  {
    name: 'national insurance number',
    make: (dice) =>
      whole(
        inGroups(
          `${oneOf(['AB', 'JK', 'SE', 'PW'], dice)}${digits(6, dice)}${oneOf(['A', 'B', 'C', 'D'], dice)}`,
          [2, 2, 2, 2, 1],
          oneOf(['', ' '], dice),
        ),
      ),
  },
  {
    name: 'French social security number',
    make: (dice) => {
      const month = String(between(1, 12, dice)).padStart(2, '0')
      const place = String(between(1, 95, dice)).padStart(2, '0')
      const body = `${between(1, 2, dice)}${digits(2, dice)}${month}${place}${digits(6, dice)}`
      const key = 97 - (Number(body) % 97)
      return whole(inGroups(`${body}${String(key).padStart(2, '0')}`, [1, 2, 2, 2, 3, 3, 2], ' '))
    },
  },
  {
    name: 'Brazilian CPF',
    make: (dice) => whole(`${digits(3, dice)}.${digits(3, dice)}.${digits(3, dice)}-${digits(2, dice)}`),
  },
  {
    name: 'IPv4 address',
    make: (dice) =>
      whole(
        `${between(128, 223, dice)}.${between(100, 255, dice)}.${between(100, 255, dice)}.${between(100, 255, dice)}`,
      ),
  },
  {
    name: 'IPv6 address',
    make: (dice) => headed(9, ['2001', 'db8', ...Array.from({ length: 6 }, () => dice.hex(4))].join(':')),
  },
  {
    name: 'MAC address',
    make: (dice) => headed(3, Array.from({ length: 6 }, () => dice.hex(2)).join(oneOf([':', '-'], dice))),
  },
  {
    name: 'JSON web token',
    make: (dice) => {
      const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
      const claims = part({ sub: token(LOWER, 12, dice), iat: 1_700_000_000 + dice.below(9_000_000) })
      return { before: `${part({ alg: 'HS256', typ: 'JWT' })}.${claims}.`, marker: token(ALNUM, 43, dice), after: '' }
    },
  },
  {
    name: 'bearer token',
    make: (dice) => after(`${oneOf(['Bearer', 'bearer', 'BEARER'], dice)} `, token(ALNUM, 32, dice)),
  },
  {
    name: 'basic credentials',
    make: (dice) =>
      after('Basic ', Buffer.from(`${from(LOWER, 6, dice)}:${token(ALNUM, 13, dice)}`).toString('base64')),
  },
  {
    name: 'OpenAI key',
    make: (dice) => after(oneOf(['sk-', 'sk-proj-', 'sk-svcacct-'], dice), token(ALNUM, 40, dice)),
  },
  {
    name: 'Anthropic key',
    make: (dice) => after('sk-ant-api03-', `${token(ALNUM, 40, dice)}-${token(ALNUM, 20, dice)}`),
  },
  {
    name: 'AWS key id',
    make: (dice) => after(oneOf(['AKIA', 'ASIA', 'AROA', 'AIDA'], dice), token(UPPER, 16, dice)),
  },
  {
    name: 'GitHub token',
    make: (dice) =>
      dice.below(2) === 0
        ? after(oneOf(['ghp_', 'gho_', 'ghs_'], dice), token(ALNUM, 36, dice))
        : after('github_pat_', `${token(ALNUM, 22, dice)}_${token(ALNUM, 59, dice)}`),
  },
  { name: 'GitLab token', make: (dice) => after('glpat-', token(ALNUM, 20, dice)) },
  { name: 'Slack token', make: (dice) => after('xoxb-', `${digits(12, dice)}-${token(ALNUM, 24, dice)}`) },
  { name: 'Google key', make: (dice) => after('AIza', token(ALNUM, 35, dice)) },
  { name: 'Hugging Face token', make: (dice) => after('hf_', token(LOWER + UPPER, 34, dice)) },
  {
    name: 'Stripe key',
    make: (dice) => after(oneOf(['sk_live_', 'rk_live_', 'sk_test_'], dice), token(ALNUM, 24, dice)),
  },
  { name: 'npm token', make: (dice) => after('npm_', token(ALNUM, 36, dice)) },
  { name: 'SendGrid key', make: (dice) => after('SG.', `${token(ALNUM, 22, dice)}.${token(ALNUM, 43, dice)}`) },
  {
    name: 'private key',
    make: (dice) => {
      const title = `${oneOf(['RSA ', 'EC ', '', 'OPENSSH '], dice)}PRIVATE KEY`
      return { before: `-----BEGIN ${title}-----\n`, marker: token(ALNUM, 60, dice), after: `\n-----END ${title}-----` }
    },
  },
  {
    name: 'credentials in a URL',
    make: (dice) => ({
      before: `${oneOf(['https', 'postgres', 'amqp'], dice)}://${from(LOWER, 6, dice)}:`,
      marker: token(ALNUM, 14, dice),
      after: `@${from(LOWER, 6, dice)}.example/data`,
    }),
  },
  {
    name: 'password in text',
    make: (dice) =>
      after(oneOf(['password: ', 'Password=', 'PASSWORD: ', 'passwd=', 'pwd='], dice), token(ALNUM, 14, dice)),
  },
  {
    name: 'API key in text',
    make: (dice) => after(oneOf(['api_key=', 'apiKey: ', 'API-KEY: ', 'x-api-key: '], dice), token(ALNUM, 26, dice)),
  },
  {
    name: 'client secret in text',
    make: (dice) =>
      after(oneOf(['client_secret=', 'secret: ', 'access_token=', 'accessToken: '], dice), token(ALNUM, 28, dice)),
  },
  {
    name: 'street address',
    make: (dice) => {
      const end = oneOf(['Street', 'Avenue', 'Road', 'Lane', 'Drive'], dice)
      return { before: `${between(10, 9999, dice)} `, marker: word(10, dice), after: ` ${end}` }
    },
  },
]

/** Kinds that look like any other words or numbers: no pattern can tell them, and remainder.yaml says so. */
export const PLAIN_KINDS: readonly Kind[] = [
  { name: 'name of a person', make: (dice) => after('Maria ', word(11, dice)) },
  {
    name: 'date of birth',
    make: (dice) => {
      // The year tells these from all other dates of a run; there are as many as there are days in three centuries.
      const day = new Date(Date.UTC(between(1600, 1899, dice), dice.below(12), between(1, 28, dice)))
      return after('born on ', day.toISOString().slice(0, 10))
    },
  },
  {
    name: 'passphrase of words',
    make: (dice) => whole(Array.from({ length: 4 }, () => from(LOWER, 6, dice)).join('-')),
  },
]
