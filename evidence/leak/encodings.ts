import { type AnyValue, text as string, toValue } from '../../otlp/json.ts'
import type { Kind, Secret } from './kinds.ts'

/** One way to write a secret, and what to search for afterwards. */
export type Spelled = Readonly<
  {
    needles: readonly string[]
    /** The key of the attribute, if that is what announces the secret. */
    key?: string
  } & ({ text: string } | { value: AnyValue })
>

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

/** A sentence. Where a word announces the secret, people say it in these two ways. */
function prose(secret: Secret): Spelled {
  const { announced, marker } = secret
  if (!announced?.spoken) return { text: `Please note ${textOf(secret)} for later, thanks.`, needles: [marker] }
  const verb = marker.charCodeAt(0) % 2 === 0 ? 'is' : 'is:'
  return { text: `Please note that my ${announced.spoken} ${verb} ${marker} for later, thanks.`, needles: [marker] }
}

/** What a tool is told: the secret under the key that announces it, or in a note, with other values around it. */
const told = (secret: Secret): Readonly<Record<string, unknown>> =>
  secret.announced
    ? { user: 'maria', [secret.announced.key]: secret.marker, tries: 2 }
    : { role: 'user', note: textOf(secret), tries: 2 }

type Write = (fields: Readonly<Record<string, unknown>>) => string
const structured =
  (write: Write) =>
  (secret: Secret): Spelled => ({ text: write(told(secret)), needles: [secret.marker] })

/** JSON that is a text in JSON, this many times. */
const nested = (depth: number, fields: unknown): string =>
  depth === 1 ? JSON.stringify(fields) : JSON.stringify({ arguments: nested(depth - 1, fields), index: 0 })

/** A reply with a call of a tool, as OpenAI's API writes it: the arguments are JSON in a text. */
const toolCall: Write = (fields) =>
  JSON.stringify([
    { role: 'user', content: 'log me in' },
    {
      role: 'assistant',
      content: null,
      tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'login', arguments: JSON.stringify(fields) } }],
    },
  ])

/** The same in the words of the GenAI conventions, where arguments are an object. */
const message: Write = (fields) =>
  JSON.stringify([
    { role: 'user', parts: [{ type: 'text', content: 'log me in' }] },
    { role: 'assistant', parts: [{ type: 'tool_call', id: 'call_1', name: 'login', arguments: fields }] },
  ])

/** As Python prints a value. */
export function python(value: unknown): string {
  if (typeof value === 'string') {
    const inside = value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
    return inside.includes("'") && !inside.includes('"') ? `"${inside}"` : `'${inside.replaceAll("'", "\\'")}'`
  }
  if (Array.isArray(value)) return `[${value.map(python).join(', ')}]`
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value)
      .map(([key, inner]) => `${python(key)}: ${python(inner)}`)
      .join(', ')}}`
  return value === null ? 'None' : value === true ? 'True' : value === false ? 'False' : String(value)
}

/** A number has no quotes in JSON; what masks it needs some. */
const asNumber =
  (write: (number: string) => string) =>
  (secret: Secret, { numeric }: Kind): Spelled | undefined => {
    const number = textOf(secret).replace(/\D/g, '')
    return numeric ? { text: write(number), needles: [number.slice(secret.before.length)] } : undefined
  }

const holding =
  (hold: (text: string) => AnyValue) =>
  (secret: Secret): Spelled => ({
    value: hold(textOf(secret)),
    needles: [secret.marker],
  })

export const ENCODINGS: readonly Encoding[] = [
  { name: 'plain', encode: byPart((text) => text) },
  { name: 'in prose', encode: prose },
  { name: 'in JSON', encode: structured((fields) => JSON.stringify(fields)) },
  { name: 'JSON in JSON', encode: structured((fields) => nested(2, fields)) },
  { name: 'JSON in JSON in JSON', encode: structured((fields) => nested(3, fields)) },
  { name: 'four times JSON', encode: structured((fields) => nested(4, fields)) },
  { name: 'indented JSON', encode: structured((fields) => JSON.stringify({ fields }, null, 2)) },
  { name: 'message with a tool call', encode: structured(toolCall) },
  { name: 'message of the GenAI conventions', encode: structured(message) },
  { name: 'Python', encode: structured((fields) => python({ finish_reason: 'stop', message: fields, refusal: null })) },
  {
    name: 'JSON in Python',
    encode: structured((fields) => python([{ function: { arguments: JSON.stringify(fields), name: 'login' } }])),
  },
  {
    name: 'headers in JSON',
    encode: ({ announced, marker }) =>
      announced && { text: JSON.stringify({ Accept: ['*/*'], [announced.key]: [marker, 'x'] }), needles: [marker] },
  },
  { name: 'as a number in JSON', encode: asNumber((number) => `{"order": ${number}, "qty": 2}`) },
  {
    name: 'as numbers in JSON in JSON',
    encode: asNumber((number) => JSON.stringify({ arguments: `[7, ${number}, {"n":${number}}]` })),
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
    name: 'under its key',
    structured: true,
    encode: ({ announced, marker }) =>
      announced && { key: `user.${announced.key}`, value: string(marker), needles: [marker] },
  },
  {
    name: 'in a list under its key',
    structured: true,
    encode: ({ announced, marker }) =>
      announced && { key: `http.request.header.${announced.key}`, value: toValue([marker, 'ok']), needles: [marker] },
  },
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
  const before = Buffer.byteLength(secret.before)
  const begin = Math.ceil(before / bytes)
  const end = Math.floor((before + Buffer.byteLength(secret.marker)) / bytes)
  return { text, needle: text.slice(begin * letters, end * letters) }
}

const encoded =
  (encoding: keyof typeof GROUPS) =>
  (secret: Secret): Spelled => {
    const { text, needle } = encode(secret, encoding)
    return { text: `see ${text}`, needles: [needle] }
  }
