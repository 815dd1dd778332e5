import type { Random } from '../../random/random.ts'
import { isCard } from './harmless/excluded.ts'
import type { Kind } from './kinds.ts'
import {
  after,
  between,
  DIGITS,
  digits,
  faked,
  from,
  half,
  headed,
  inGroups,
  LOWER,
  oneOf,
  token,
  UPPER,
  until,
  whole,
  word,
} from './letters.ts'

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

/** What identifies a person, an account or a machine. Each value is new. If a kind has check digits, they are right. */
export const PERSONAL: readonly Kind[] = [
  {
    name: 'e-mail',
    make: half(
      (random) => ({
        before: '',
        marker: `${from(LOWER, 4, random)}.${token(LOWER, 9, random)}`,
        after: `@${from(LOWER, 7, random)}.${oneOf(['example', 'co.uk', 'org'], random)}`,
      }),
      (random) => {
        // The names of Faker are few, and one name may be found in another secret.
        const [firstName, lastName] = [token(LOWER, 9, random), token(LOWER, 9, random)]
        const email = faked(random, ({ internet }) => internet.email({ firstName, lastName }))
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
    name: 'Brazilian CNPJ',
    make: (random) =>
      whole(
        `${digits(2, random)}.${digits(3, random)}.${digits(3, random)}/000${digits(1, random)}-${digits(2, random)}`,
      ),
  },
  {
    name: 'phone, after its word',
    make: (random) => {
      const number = `${areaCode(random)}${oneOf(['', ' ', '/'], random)}${digits(7, random)}`
      const key = oneOf(['phone', 'Phone', 'phone_number', 'telephone', 'mobile'], random)
      if (random.below(3) === 0) return after('Tel: ', number)
      return { ...after(`${key}: `, number), announced: { key, spoken: 'phone number' } }
    },
  },
  {
    name: 'social security number, after its word',
    make: (random) => {
      const key = oneOf(['ssn', 'SSN'], random)
      return {
        ...after(`${key}: `, `${between(100, 665, random)}${digits(6, random)}`),
        announced: { key, spoken: oneOf(['SSN', 'social security number'], random) },
      }
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
    name: 'street address',
    make: (random) => {
      const end = oneOf(['Street', 'Avenue', 'Road', 'Lane', 'Drive'], random)
      return { before: `${between(10, 9999, random)} `, marker: word(10, random), after: ` ${end}` }
    },
  },
]
