import { type AnyValue, toValue } from '../../otlp/json.ts'
import type { Kind, Secret } from './kinds.ts'

/** One way to write a secret, and what to search for afterwards. */
export type Spelled = Readonly<{ needles: readonly string[] } & ({ text: string } | { value: AnyValue })>

export type Encoding = Readonly<{
  name: string
  /** Undefined if this kind cannot be written in this way. */
  encode: (secret: Secret, kind: Kind) => Spelled | undefined
  /** Only values of this kind are written in this way. */
  only?: string
  /** The value must not be a string, so it does not fit names and keys, which are always strings. */
  structured?: true
}>

export const textOf = ({ before, marker, after }: Secret): string => `${before}${marker}${after}`

/** Encodes before, marker and after separately, so that the encoded marker is known. */
const byPart = (encode: (text: string) => string, around: (text: string) => string = (text) => text) => {
  return (secret: Secret): Spelled => {
    const marker = encode(secret.marker)
    const text = around(`${encode(secret.before)}${marker}${encode(secret.after)}`)
    return { text, needles: marker === secret.marker ? [marker] : [marker, secret.marker] }
  }
}

/** Zero-width characters. One is put after every third character of a value, as in copied or hostile text. */
const NO_WIDTH = ['\u200b', '\u200c', '\u200d', '\u2060', '\ufeff', '\u00ad']
const joinedBy = (joint: string) => (text: string) => text.replace(/.{3}/gsu, (some) => `${some}${joint}`)

const FULL_WIDTH_OFFSET = 0xfee0
export const fullWidth = (text: string): string =>
  text.replace(/[!-~]/g, (letter) => String.fromCodePoint((letter.codePointAt(0) ?? 0) + FULL_WIDTH_OFFSET))

/** The escapes that JSON encoders write for characters with a meaning in HTML. */
const jsonEscapes = (text: string) =>
  JSON.stringify(text)
    .slice(1, -1)
    .replaceAll('/', '\\/')
    .replace(/[@+<>&']/g, (letter) => `\\u${(letter.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`)

const prose = (text: string) => `Please note ${text} for later, thanks.`
const json = (text: string) => JSON.stringify({ role: 'user', note: text, tries: 2 })

const holding =
  (hold: (text: string) => AnyValue) =>
  (secret: Secret): Spelled => ({
    value: hold(textOf(secret)),
    needles: [secret.marker],
  })

export const ENCODINGS: readonly Encoding[] = [
  { name: 'plain', encode: byPart((text) => text) },
  { name: 'in prose', encode: byPart((text) => text, prose) },
  { name: 'in JSON', encode: byPart((text) => text, json) },
  {
    name: 'JSON in JSON',
    encode: byPart(
      (text) => text,
      (text) => JSON.stringify({ parts: [json(text)] }),
    ),
  },
  { name: 'escaped', encode: byPart(jsonEscapes, (text) => `{"note":"${text}"}`) },
  {
    name: 'escaped twice',
    encode: byPart(
      (text) => jsonEscapes(jsonEscapes(text)),
      (text) => `{"body":"{\\"note\\":\\"${text}\\"}"}`,
    ),
  },
  {
    name: 'URL-encoded',
    encode: byPart(encodeURIComponent, (text) => `https://acorn.example/find?note=${text}&page=2`),
  },
  { name: 'full-width', encode: byPart(fullWidth) },
  ...NO_WIDTH.map(
    (joint): Encoding => ({
      name: `joined by U+${(joint.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`,
      encode: byPart(joinedBy(joint)),
    }),
  ),
  {
    name: 'in a list',
    structured: true,
    encode: holding((text) => toValue(['ok', text])),
  },
  {
    name: 'in a map',
    structured: true,
    encode: holding((text) => toValue({ note: text })),
  },
  {
    name: 'as a key in a map',
    structured: true,
    encode: holding((text) => toValue({ [text]: 'yes' })),
  },
  {
    name: 'deep in lists and maps',
    structured: true,
    encode: holding((text) => toValue([{ parts: [text] }])),
  },
  {
    name: 'joined by U+200B in a list',
    structured: true,
    encode: (secret) => {
      const { text, needles } = byPart(joinedBy('\u200b'))(secret) as { text: string; needles: string[] }
      return { value: toValue([text]), needles }
    },
  },
  {
    name: 'as a number',
    structured: true,
    encode: (secret, { numeric }) => {
      if (!numeric) return undefined
      const number = textOf(secret).replace(/\D/g, '')
      return { value: { intValue: number }, needles: [number.slice(secret.before.length)] }
    },
  },
  {
    name: 'as bytes',
    structured: true,
    encode: (secret) => ({
      value: { bytesValue: encode(secret, 'base64').text },
      needles: [secret.marker, encode(secret, 'base64').needle],
    }),
  },
]

/** How people and programs hide a value from any list of patterns. known-leaks.yaml says what to do about it. */
export const HIDING: readonly Encoding[] = [
  { name: 'base64', encode: (secret) => encoded('base64')(secret) },
  { name: 'hex', encode: (secret) => encoded('hex')(secret) },
  {
    name: 'spelled out',
    only: 'e-mail',
    encode: (secret) => {
      const text = textOf(secret).replace('@', ' at ').replaceAll('.', ' dot ')
      return { text, needles: [secret.marker.replaceAll('.', ' dot ')] }
    },
  },
  {
    name: 'as bytes in a list',
    structured: true,
    encode: (secret) => {
      const { text, needle } = encode(secret, 'base64')
      return { value: { arrayValue: { values: [{ bytesValue: text }] } }, needles: [secret.marker, needle] }
    },
  },
]

/** Encodings with groups of characters, each for this many bytes. */
const GROUPS = { base64: { letters: 4, bytes: 3 }, hex: { letters: 2, bytes: 1 } } as const

/** The needle depends only on the marker: it has no group with bytes from before or after the marker. */
function encode(secret: Secret, encoding: keyof typeof GROUPS): Readonly<{ text: string; needle: string }> {
  const { letters, bytes } = GROUPS[encoding]
  const text = Buffer.from(textOf(secret)).toString(encoding)
  const begin = Math.ceil(secret.before.length / bytes)
  const end = Math.floor((secret.before.length + secret.marker.length) / bytes)
  return { text, needle: text.slice(begin * letters, end * letters) }
}

const encoded =
  (encoding: keyof typeof GROUPS) =>
  (secret: Secret): Spelled => {
    const { text, needle } = encode(secret, encoding)
    return { text: `see ${text}`, needles: [needle] }
  }
