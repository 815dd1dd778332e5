import {
  type Attribute,
  eachSpan,
  nanosOf,
  type Resource,
  type Scope,
  type Span,
  type TraceRequest,
} from '../../otlp/json.ts'
import { type Random, randomOf } from '../../random/random.ts'
import { type Sent, unseen } from './corpus.ts'
import { python, textOf } from './encodings.ts'
import { jsonIn } from './json-levels.ts'
import { KINDS, type Secret } from './kinds.ts'
import { PLANTED, recordedTraces } from './recorded.ts'

/** The encoding of every secret that a recording carries. */
export const AS_SENT = 'as an SDK sends it'

/** One place of a recorded value in which a secret can stand, and how it is written there. */
type Site = Readonly<{ begin: number; end: number; write: (secret: Secret) => string }>

/** A recorded attribute of one shape: of this SDK, under this key, as this kind of text. */
type Carrier = Readonly<{
  name: string
  span: Span
  scope: Scope | undefined
  resource: Resource | undefined
  key: string
  text: string
  sites: readonly Site[]
}>

const escapedFor = (depth: number, text: string): string =>
  depth === 0 ? text : escapedFor(depth - 1, JSON.stringify(text).slice(1, -1))

/** How many levels of JSON are around each planted text, in their order. */
function depthsOf(value: unknown, depth = 0): readonly number[] {
  if (typeof value === 'string') {
    const inner = jsonIn(value)
    if (inner !== undefined) return depthsOf(inner, depth + 1)
    return [...value.matchAll(PLANTED_TEXT)].map(() => depth)
  }
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap((inner) => depthsOf(inner, depth))
}
const PLANTED_TEXT = new RegExp(PLANTED.map((text) => text.replace(/[+.]/g, '\\$&')).join('|'), 'g')

/** In Python's way to print a text, and in JSON that is such a text. */
const inPython = (text: string) => python(text).slice(1, -1)

/** Where the user's words hold a secret: where the recorded one stands. */
function inWords(text: string): readonly Site[] {
  const isPython = /^\[?\{'/.test(text)
  const depths = depthsOf(text)
  return [...text.matchAll(PLANTED_TEXT)].map(({ 0: planted, index }, turn) => {
    const depth = depths[turn] ?? 0
    const write = (secret: Secret) => (isPython ? inPython(textOf(secret)) : escapedFor(depth, textOf(secret)))
    return { begin: index, end: index + planted.length, write }
  })
}

/** Where the arguments of a tool hold a secret: before an argument that every recorded tool has, under the key that announces it. */
function inArguments(text: string): readonly Site[] {
  return [...text.matchAll(/(\\*["'])(?:expression|sql)\1: ?\1/g)].map(({ 1: quote = '"', index }) => ({
    begin: index,
    end: index,
    write: ({ announced, marker, ...secret }) => {
      const value = announced ? marker : textOf({ ...secret, marker })
      const depth = quote.endsWith("'") ? 0 : Math.log2(quote.length) + 1
      const inside = quote.endsWith("'") ? inPython(value) : escapedFor(depth, value)
      return `${quote}${announced?.key ?? 'note'}${quote}: ${quote}${inside}${quote}, `
    },
  }))
}

/** One carrier for each shape of message that an SDK was recorded to send. */
export function carriers(): readonly Carrier[] {
  const found = new Map<string, Carrier>()
  for (const [sdk, requests] of recordedTraces())
    for (const { span, scope, resource } of requests.flatMap((request) => [...eachSpan(request)]))
      for (const { key, value } of span.attributes ?? []) {
        const text = value?.stringValue ?? ''
        const shape = `${sdk}, ${key.replace(/\.\d+\b/g, '.N')}, ${jsonIn(text) ? 'JSON' : 'text'}`
        for (const [what, sites] of [
          ['in words', inWords(text)],
          ['in arguments', inArguments(text)],
        ] as const) {
          const name = `${shape}, ${what}`
          if (sites.length > 0 && !found.has(name)) found.set(name, { name, span, scope, resource, key, text, sites })
        }
      }
  return [...found.values()]
}

/** The value with one secret in it, and with nothing else to hide. */
function planted({ text, sites }: Carrier, secret: Secret, turn: number): string {
  const { begin, end, write } = sites[turn % sites.length] as Site
  const clean = (part: string) => part.replace(PLANTED_TEXT, 'nothing')
  return `${clean(text.slice(0, begin))}${write(secret)}${clean(text.slice(end))}`
}

/** The recorded span, sent again, alone. */
function traceOf({ span, scope, resource, key }: Carrier, value: string, random: Random): TraceRequest {
  const attributes = (span.attributes ?? []).filter(
    ({ value: other }) => !PLANTED.some((text) => JSON.stringify(other).includes(text)),
  )
  const planted: readonly Attribute[] = [
    ...attributes.filter((attribute) => attribute.key !== key),
    { key, value: { stringValue: value } },
  ]
  const { parentSpanId: _, links: __, events: ___, ...alone } = span
  const [atMs, ids] = [
    Math.floor(Date.now() / 60_000) * 60_000 - 60_000,
    { traceId: random.hex(32), spanId: random.hex(16) },
  ]
  const times = { startTimeUnixNano: nanosOf(atMs), endTimeUnixNano: nanosOf(atMs + 1000) }
  return {
    resourceSpans: [
      {
        ...(resource && { resource }),
        scopeSpans: [{ ...(scope && { scope }), spans: [{ ...alone, ...ids, ...times, attributes: planted }] }],
      },
    ],
  }
}

/**
 * Each kind of secret in each recorded shape, or in so many of the shapes by turn. An SDK escapes what it sends in its own
 * way, which no writer of patterns would think of.
 */
export function* carried({ seed, shapes: limit }: Readonly<{ seed: number; shapes?: number }>): Generator<Sent> {
  const all = carriers()
  const shapes = Math.min(limit ?? all.length, all.length)
  const seen = new Set<string>()
  for (const [index, kind] of KINDS.entries())
    for (let turn = 0; turn < shapes; turn++) {
      const carrier = all[(index * shapes + turn) % all.length] as Carrier
      const random = randomOf(seed, 'carrier', kind.name, carrier.name)
      const secret = unseen(kind, random, seen)
      const request = traceOf(carrier, planted(carrier, secret, index + turn), random)
      yield {
        signal: 'traces',
        spans: 1,
        // Messages as the conventions write them. Phoenix shows others as a text.
        hasMessages: carrier.key === 'gen_ai.input.messages' && carrier.text.includes('"parts"'),
        traceIds: [...eachSpan(request)].map(({ span }) => span.traceId),
        body: JSON.stringify(request),
        items: [{ kind: kind.name, encoding: AS_SENT, field: carrier.name, needles: [secret.marker] }],
      }
    }
}
