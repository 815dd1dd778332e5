import { type AnyValue, type Attribute, integer, text, toAttributes, toValue } from '../otlp/json.ts'

/** What may stand under any key, because somebody wrote it by hand. */
export const ODD: readonly (AnyValue | undefined)[] = [
  undefined,
  integer(7),
  integer(-5),
  integer(2n ** 63n - 1n),
  { doubleValue: 1.5 },
  { doubleValue: 'NaN' as unknown as number },
  { boolValue: true },
  ...[
    '',
    ' ',
    '{',
    'null',
    '[null]',
    '{"a":{"b":[1,"x",null]}}',
    '12.5',
    'abc',
    '/',
    'a\u2028b\u0085\n"\\',
    'a/'.repeat(3000),
  ].map(text),
  toValue([]),
  toValue(['a', 1, { k: 'v' }]),
  toValue({ role: 'user' }),
]

/** An attribute with such a value. Without one, it has a key only, as SDKs in Python send it. */
export const attributeOf = (key: string, value: AnyValue | undefined): Attribute => ({ key, ...(value && { value }) })

/** Times in nanoseconds that no clock shows. */
export const ODD_TIMES = ['0', '1', '9223372036854775807', '18446744073709551615']

/** The beginning of a value, for the title of a case. */
export const shown = (value: unknown) => JSON.stringify(value)?.slice(0, 80)

/** It must never be stored, shown or logged. */
export const SECRET = 'canary.fox@forest.example'

/** Keys and values that no SDK should send, and some do: twice the same key, a secret behind it, in it, or deep below it. */
export const ODD_ATTRIBUTES: readonly (readonly Attribute[])[] = [
  ...ODD.map((value) => [attributeOf('odd.key', value)]),
  ...['', 'a b', 'le', 'quantile', 'job', '__name__', SECRET, 'x'.repeat(5000)].map((key) =>
    toAttributes({ [key]: 'x' }),
  ),
  [...toAttributes({ note: 'first' }), ...toAttributes({ note: SECRET })],
  [...toAttributes({ note: SECRET }), ...toAttributes({ note: `last ${SECRET}` })],
  [{ key: 'note', value: { kvlistValue: { values: [...toAttributes({ a: SECRET }), ...toAttributes({ a: 'x' })] } } }],
  [{ key: 'note', value: { arrayValue: { values: [toValue({ a: [{ b: SECRET }] }), { bytesValue: 'eHg=' }] } } }],
  toAttributes({ note: ['x'.repeat(200_000)], 'gen_ai.agent.name': ['y'.repeat(200_000)] }),
  [{ key: 'note', value: { bytesValue: Buffer.from(SECRET).toString('base64') } }],
]
