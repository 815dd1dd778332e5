import { roll } from '../../random/random.ts'

/**
 * An invented person, whose data must be masked. Names, domains, numbers and addresses come from ranges that are reserved
 * for examples, where such a range exists. Check digits are correct.
 */
export function personalNote(...key: readonly (string | number)[]): string {
  const dice = (name: string, sides: number) => Math.floor(roll(...key, name) * sides)
  const pick = (name: string, choices: readonly string[]) => choices[dice(name, choices.length)] ?? ''
  const digits = (name: string, length: number) => String(dice(name, 10 ** length)).padStart(length, '0')
  const first = pick('first', ['Hazel', 'Rowan', 'Linden', 'Briar', 'Fern', 'Aspen'])
  const last = pick('last', ['Bramble', 'Thistledown', 'Underhill', 'Oakes', 'Marsh', 'Burrow'])
  const [a = '', b = '', c = ''] = [digits('a', 4), digits('b', 4), digits('c', 3)]
  const facts = [
    `e-mail ${first}.${last}@example.${pick('domain', ['com', 'org', 'net'])}`.toLowerCase(),
    `phone ${200 + dice('area', 700)}-555-01${digits('phone', 2)}`,
    `card 4${c} ${a} ${b} ${lastCardGroup(`4${c}${a}${b}${digits('d', 3)}`)}`,
    `IBAN ${iban(`${pick('bank', ['WEST', 'MIDL', 'NWBK'])}${digits('account', 14)}`)}`,
    `social security number 987-65-432${dice('ssn', 10)}`,
    `address 203.0.113.${dice('ip', 255)}`,
    `home ${1 + dice('house', 99)} ${pick('street', ['Acorn', 'Hollow', 'Beech'])} Street`,
  ]
  const chosen = facts.map((fact, i) => ({ fact, luck: roll(...key, i) })).sort((x, y) => x.luck - y.luck)
  return `For the receipt: ${first} ${last}, ${chosen
    .slice(0, 2 + dice('facts', 2))
    .map(({ fact }) => fact)
    .join(', ')}.`
}

/** The last four digits of a card of sixteen: three given, one that makes the Luhn sum a multiple of ten. */
function lastCardGroup(fifteen: string): string {
  const sum = [...fifteen].reduce((total, digit, i) => {
    const doubled = i % 2 === 0 ? Number(digit) * 2 : Number(digit)
    return total + (doubled > 9 ? doubled - 9 : doubled)
  }, 0)
  return `${fifteen.slice(-3)}${(10 - (sum % 10)) % 10}`
}

/** A British account number with its two check digits (ISO 7064: the whole is 1 modulo 97). */
function iban(account: string): string {
  const number = [...`${account}GB00`].map((letter) => Number.parseInt(letter, 36)).join('')
  return `GB${String(98n - (BigInt(number) % 97n)).padStart(2, '0')}${account}`
}
