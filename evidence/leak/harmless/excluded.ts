import { isIP } from 'node:net'

/** What may be masked in a harmless text: it cannot be told from something private. */
export type Excluded = Readonly<{ what: string; find: (text: string) => readonly string[] }>

/** Doubles every second digit from the right; the sum of all digits of the results ends in 0. */
function hasCheckDigit(digits: string): boolean {
  const sum = [...digits].reverse().reduce((total, digit, index) => {
    const value = Number(digit) * (index % 2 === 1 ? 2 : 1)
    return total + (value > 9 ? value - 9 : value)
  }, 0)
  return sum % 10 === 0
}

/** The first digits and the lengths of cards: Visa, Mastercard, American Express, Discover, JCB, Diners Club, UnionPay. */
const CARDS =
  /^(?:4\d{15}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|6(?:011|4[4-9]\d|5\d\d)\d{12}|35\d{14}|3(?:0[0-5]|[68]\d)\d{11}|62\d{14})$/

/** Moves the first four characters to the end and counts A as 10: the number is 1 modulo 97. */
function isIban(text: string): boolean {
  const plain = text.replace(/[ -]/g, '')
  if (!/^[A-Z]{2}\d\d[A-Z0-9]{11,30}$/.test(plain)) return false
  const digits = [...`${plain.slice(4)}${plain.slice(0, 4)}`].map((letter) => Number.parseInt(letter, 36)).join('')
  return BigInt(digits) % 97n === 1n
}

/** Digits alone. */
export const isCard = (digits: string): boolean => CARDS.test(digits) && hasCheckDigit(digits)

const matching = (pattern: RegExp, isOne: (text: string) => boolean) => (text: string) =>
  (text.match(pattern) ?? []).filter(isOne)

/** Only these. A rule that grows would hide what this corpus is for. */
export const EXCLUDED: readonly Excluded[] = [
  {
    what: 'digits with the beginning and the length of a payment card, and a right check digit',
    find: matching(/(?<![0-9A-Za-z])\d(?:[ .-]?\d){12,15}(?![0-9A-Za-z])/g, (text) => isCard(text.replace(/\D/g, ''))),
  },
  {
    what: 'an IBAN with right check digits',
    find: matching(/(?<![0-9A-Za-z])[A-Z]{2}\d\d(?:[ -]?[A-Z0-9]){11,30}(?![0-9A-Za-z])/g, isIban),
  },
  {
    what: 'an IPv4, IPv6 or MAC address',
    find: (text) => [
      ...matching(/(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])/g, (found) => isIP(found) === 4)(text),
      ...matching(/(?<![\w:])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])/g, (found) => isIP(found) === 6)(text),
      ...matching(
        /(?<![\w:-])(?:[0-9A-Fa-f]{2}([:-]))(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}(?![\w:-])/g,
        () => true,
      )(text),
    ],
  },
  {
    what: 'an e-mail address',
    find: matching(/[\w.%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}/g, () => true),
  },
]

/** Everything in a text that may be masked, longest first. */
export const excludedIn = (text: string): readonly string[] =>
  EXCLUDED.flatMap(({ find }) => find(text)).sort((a, b) => b.length - a.length)

const escaped = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')

/** Parts of a text: in the place of one that must be masked there is a mask; in the place of one that may be, perhaps. */
type Parts = Readonly<{ may?: readonly string[]; must?: readonly string[] }>

/** What stands in the place of a part: the mask of a number in JSON has quotes, and of an address the first group may stay. */
const MASK = '[\\s\\S]{0,80}?\\*{4}[\\s\\S]{0,80}?'

/** Whether the second text is the first with nothing changed but for these parts of it. */
export function isMaskedOnlyAt(was: string, became: string, { may = [], must = [] }: Parts): boolean {
  const parts = [...must, ...may]
  if (parts.length === 0) return was === became
  const pattern = new RegExp(parts.map(escaped).join('|'), 'g')
  let [rest, end] = ['', 0]
  for (const { 0: part, index } of was.matchAll(pattern)) {
    rest += `${escaped(was.slice(end, index))}(?:${must.includes(part) ? '' : `${escaped(part)}|`}${MASK})`
    end = index + part.length
  }
  return new RegExp(`^${rest}${escaped(was.slice(end))}$`).test(became)
}
