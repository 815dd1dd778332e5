import {
  type AnyValue,
  type Attribute,
  nanosOf,
  type Span,
  type TraceRequest,
  text,
  traceRequest,
} from '../../../otlp/json.ts'
import { type Random, randomOf } from '../../../random/random.ts'
import { IDS } from './ids.ts'
import { NUMBERS } from './numbers.ts'
import { fixedTexts, NEW_TEXTS, picture } from './texts.ts'
import { OTHERS, USED } from './used.ts'

export type Size = Readonly<{
  seed: number
  ids: number
  numbers: number
  /** How many pictures, of how many bytes each. */
  pictures: Readonly<{ count: number; bytes: number }>
}>

/** How a text stands in a value. Every id stands alone once, and once in one of the others by turn. */
const CARRIERS: Readonly<Record<string, (text: string) => string>> = {
  prose: (text) => `The run ${text} ended, and ${text}, too; see (${text}).`,
  json: (text) => JSON.stringify({ id: text, n: 1, all: [text] }),
  'json-in-json': (text) => JSON.stringify([{ role: 'tool', arguments: JSON.stringify({ id: text, ok: true }) }]),
  path: (text) => `https://api.example/v1/runs/${text}/steps?after=${text}`,
  pair: (text) => `trace=${text} id:${text} "${text}"`,
  repr: (text) => `{'id': '${text}', 'ok': True}`,
}

/** A key is made of words, as unpack.yaml wants it. */
const word = (name: string) => name.replaceAll(' ', '-').replaceAll(',', '')
const attribute = (key: string, value: AnyValue): Required<Attribute> => ({ key, value })

const SERVICE = { resource: { 'service.name': 'harmless' }, scope: { name: 'acorn', version: '1' } }

const AT_MS = Date.UTC(2026, 10, 28)
const TIMES = { startTimeUnixNano: nanosOf(AT_MS), endTimeUnixNano: nanosOf(AT_MS + 1000) }

const SPANS_IN_A_REQUEST = 20

function* requestsOf(
  seed: number,
  what: string,
  count: number,
  make: (random: Random, turn: number) => Partial<Span>,
): Generator<TraceRequest> {
  for (let turn = 0; turn < count; turn += SPANS_IN_A_REQUEST) {
    const traceId = randomOf(seed, what, 'trace', turn).hex(32)
    const turns = Array.from({ length: Math.min(SPANS_IN_A_REQUEST, count - turn) }, (_, index) => turn + index)
    const spans = turns.map((each) => {
      const random = randomOf(seed, what, each)
      return { traceId, spanId: random.hex(16), name: 'chat', kind: 1, ...TIMES, ...make(random, each) }
    })
    yield traceRequest(spans, SERVICE)
  }
}

const families = Object.entries(IDS)
const carriers = Object.entries(CARRIERS)

/** A span with one id of each family: alone, carried by a text, and some in the other fields of a span. */
function ofIds(random: Random, turn: number): Partial<Span> {
  const made = families.map(([family, make]) => ({ family, id: make(random) }))
  const attributes = made.flatMap(({ family, id }, index) => {
    const [name, carry] = carriers[(turn + index) % carriers.length] ?? ['alone', String]
    return [attribute(`ids.${family}.alone`, text(id)), attribute(`ids.${family}.${name}`, text(carry(id)))]
  })
  const some = (place: number) => made[(turn + place) % made.length]?.id ?? ''
  const event = {
    name: `saw ${some(2)}`,
    timeUnixNano: nanosOf(AT_MS),
    attributes: [attribute('ids.elsewhere.event', text(some(3)))],
  }
  return { attributes, name: `chat ${some(0)}`, status: { code: 2, message: `failed: ${some(1)}` }, events: [event] }
}

const SCALARS_IN_A_SPAN = 20
const numbers = Object.entries(NUMBERS).map(([family, { count, make }]) => ({
  family,
  make,
  count,
  times: count === 1 ? SCALARS_IN_A_SPAN : 1,
}))
const NUMBERS_IN_A_SPAN = numbers.reduce((sum, { count, times }) => sum + count * times, 0)

const ofNumbers = (random: Random): Partial<Span> => ({
  attributes: numbers.flatMap(({ family, make, times }) =>
    Array.from({ length: times }, (_, index) => attribute(`numbers.${family}.${index}`, make(random))),
  ),
})

const TEXTS_IN_A_SPAN = 10
/** The texts that are always the same: alone and as the content of a message. */
const ofFixedTexts = (): readonly Attribute[] =>
  Object.entries(fixedTexts()).flatMap(([family, texts]) =>
    texts.flatMap((each, index) => [
      attribute(`texts.${word(family)}.${index}`, text(each)),
      attribute(`texts.${word(family)}.${index}.json`, text(JSON.stringify([{ role: 'user', content: each }]))),
    ]),
  )

const ofNewTexts = (random: Random): readonly Attribute[] =>
  Object.entries(NEW_TEXTS).flatMap(([family, make]) => {
    const made = make(random)
    return [
      attribute(`texts.${word(family)}.alone`, text(made)),
      attribute(`texts.${word(family)}.json`, text(JSON.stringify({ parts: [{ type: 'text', content: made }] }))),
    ]
  })

const ofUsed = (random: Random): readonly Attribute[] =>
  Object.entries({ ...USED, ...OTHERS }).map(([key, make]) => attribute(key, make(random)))

/** Everything that must leave the redactor as it came, from a seed. */
export function* makeHarmless({ seed, ids, numbers: count, pictures }: Size): Generator<TraceRequest> {
  const spans = Math.ceil(ids / families.length)
  yield* requestsOf(seed, 'ids', spans, ofIds)
  yield* requestsOf(seed, 'numbers', Math.ceil(count / NUMBERS_IN_A_SPAN), ofNumbers)
  const fixed = ofFixedTexts()
  yield* requestsOf(seed, 'texts', Math.ceil(fixed.length / TEXTS_IN_A_SPAN), (_, turn) => ({
    attributes: fixed.slice(turn * TEXTS_IN_A_SPAN, (turn + 1) * TEXTS_IN_A_SPAN),
  }))
  yield* requestsOf(seed, 'new texts', spans, (random) => ({ attributes: [...ofNewTexts(random), ...ofUsed(random)] }))
  for (let index = 0; index < pictures.count; index++) {
    yield* requestsOf(seed, `picture ${index}`, 1, (random) => {
      const url = picture(random, pictures.bytes)
      const message = JSON.stringify([{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }])
      return {
        attributes: [
          attribute(
            index % 2 === 0 ? 'texts.picture.alone' : 'texts.picture.json',
            text(index % 2 === 0 ? url : message),
          ),
        ],
      }
    })
  }
}

/** The family of a value, by its place. */
export function familyOf(place: string): string | undefined {
  const [where = '', key = ''] = place.split(' ')
  const [group = '', family = ''] = key.split('.')
  if (where === 'span' && ['ids', 'numbers', 'texts'].includes(group)) return `${group}: ${family}`
  if (where === 'span' && key in USED) return 'attributes that this project uses'
  if (where === 'span' && key in OTHERS) return 'attributes of other SDKs'
  if (/^(?:span:name|status message|event 0)/.test(place)) return 'ids: in names, events and errors'
  return undefined
}
