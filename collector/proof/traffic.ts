import { createHash } from 'node:crypto'
import type { Request, Span, Value } from '../workbench/recording.ts'

/** What a trace of the generator is, and must therefore become. */
export const MUST_KEEP = ['parse-error', 'self-buy', 'failed-call', 'slow-call', 'token-heavy'] as const
export type Kind = (typeof MUST_KEEP)[number] | 'routine'
export type Labelled = Readonly<{ id: string; kind: Kind; profile: string; spans: number }>

/** Rolls the same numbers for the same key. */
export type Dice = Readonly<{ number: () => number; below: (count: number) => number; hex: (digits: number) => string }>

export function diceOf(...key: readonly (string | number)[]): Dice {
  let bytes = Buffer.alloc(0)
  let turn = 0
  const take = (count: number) => {
    if (bytes.length < count) {
      bytes = createHash('sha512')
        .update(`${key.join(' ')} ${turn++}`)
        .digest()
    }
    const taken = bytes.subarray(0, count)
    bytes = bytes.subarray(count)
    return taken
  }
  const number = () => take(6).readUIntBE(0, 6) / 2 ** 48
  return { number, below: (count) => Math.floor(number() * count), hex: (digits) => take(digits / 2).toString('hex') }
}

type Part = Readonly<{ afterMs: number; spans: readonly Span[] }>
type Parts = (spans: readonly Span[], dice: Dice) => readonly Part[]
type Profile = Readonly<{ name: string; shape?: (spans: readonly Span[], dice: Dice) => readonly Span[]; sent: Parts }>

/** Under the waits of a replay: 1 s after the root, 2 s without one. */
const [WITHIN_ROOT_MS, WITHIN_WAIT_MS] = [600, 1400]
/** The spans of a trace come from the generator in this order: root, turn, call, order. */
const isRoot = (span: Span) => !('parentSpanId' in span)
const whole: Parts = (spans) => [{ afterMs: 0, spans }]
const oneByOne = (spans: readonly Span[]) => spans.map((span, index) => ({ afterMs: index * 20, spans: [span] }))
const rest = (spans: readonly Span[], first: readonly Span[]) => spans.filter((span) => !first.includes(span))
const twoParts = (first: (spans: readonly Span[]) => readonly Span[], gapMs: number): Parts => {
  return (spans) => [
    { afterMs: 0, spans: first(spans) },
    { afterMs: gapMs, spans: rest(spans, first(spans)) },
  ]
}
const moved = (span: Span, byMs: number): Span => ({
  ...span,
  startTimeUnixNano: String(BigInt(span.startTimeUnixNano ?? 0) + BigInt(byMs) * 1_000_000n),
  endTimeUnixNano: String(BigInt(span.endTimeUnixNano ?? 0) + BigInt(byMs) * 1_000_000n),
})
const shuffled = <T>(items: readonly T[], dice: Dice) =>
  items
    .map((item) => [dice.number(), item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item)
const padded = (spans: readonly Span[], dice: Dice, more: object, count: number) => [
  ...spans,
  ...Array.from(
    { length: count },
    () => ({ ...spans[0], parentSpanId: spans[0]?.spanId, spanId: dice.hex(16), attributes: [], ...more }) as Span,
  ),
]
const isMarked = (span: Span) => 'marked' in span

/** Ways in which the spans of one trace reach the sampler. */
export const PROFILES: readonly Profile[] = [
  { name: 'whole in one request', sent: whole },
  { name: 'shuffled in one request', sent: (spans, dice) => whole(shuffled(spans, dice), dice) },
  { name: 'one span at a time', sent: oneByOne },
  { name: 'one span at a time, root last', sent: (spans) => oneByOne(spans.toReversed()) },
  { name: 'one span at a time, shuffled', sent: (spans, dice) => oneByOne(shuffled(spans, dice)) },
  { name: 'root first, the rest later', sent: twoParts((spans) => spans.filter(isRoot), WITHIN_ROOT_MS) },
  {
    name: 'root long after the rest',
    sent: twoParts((spans) => spans.filter((span) => !isRoot(span)), WITHIN_WAIT_MS),
  },
  { name: 'two halves', sent: twoParts((spans) => spans.slice(0, spans.length / 2), 50) },
  {
    name: 'two processes, half a second apart',
    sent: twoParts((spans) => spans.filter((_, index) => index % 2 === 1), 500),
  },
  { name: 'what matters comes first', sent: twoParts((spans) => spans.filter(isMarked), WITHIN_ROOT_MS) },
  {
    name: 'what matters comes last',
    sent: twoParts((spans) => spans.filter((span) => !isMarked(span)), WITHIN_ROOT_MS),
  },
  { name: 'sent twice', sent: (spans) => [0, 100].map((afterMs) => ({ afterMs, spans })) },
  {
    name: 'without its root',
    shape: (spans) => spans.map((span) => ({ parentSpanId: 'f'.repeat(16), ...span })),
    sent: whole,
  },
  {
    name: 'with two roots',
    shape: (spans, dice) => [...spans, ...spans.filter(isRoot).map((span) => ({ ...span, spanId: dice.hex(16) }))],
    sent: whole,
  },
  {
    name: 'with a parent that nobody sent',
    shape: (spans, dice) => spans.map((span) => (isRoot(span) ? span : { ...span, parentSpanId: dice.hex(16) })),
    sent: whole,
  },
  { name: 'a clock one hour ahead', shape: (spans) => spans.map((span) => moved(span, 3_600_000)), sent: whole },
  { name: 'a clock one hour behind', shape: (spans) => spans.map((span) => moved(span, -3_600_000)), sent: whole },
  {
    name: 'two clocks a minute apart',
    shape: (spans) => spans.map((span, index) => (index % 2 ? moved(span, 60_000) : span)),
    sent: whole,
  },
  {
    name: 'every status is ok',
    shape: (spans) => spans.map((span) => ({ ...span, status: span.status ?? { code: 1 } })),
    sent: whole,
  },
  {
    name: 'with spans of a foreign service',
    shape: (spans, dice) =>
      padded(
        spans,
        dice,
        { name: 'GET /', attributes: [{ key: 'http.request.method', value: { stringValue: 'GET' } }] },
        3,
      ),
    sent: whole,
  },
  {
    name: 'with attributes of odd types',
    shape: (spans, dice) =>
      padded(
        spans,
        dice,
        {
          attributes: [
            { key: 'error.type', value: { intValue: '5' } },
            { key: 'gen_ai.operation.name', value: {} },
            { key: 'woodland.tokens', value: { stringValue: 'many' } },
          ],
        },
        2,
      ),
    sent: whole,
  },
  { name: 'with forty more spans', shape: (spans, dice) => padded(spans, dice, {}, 40), sent: whole },
  {
    name: 'sampled before by somebody else',
    shape: (spans) => spans.map((span) => ({ ...span, traceState: 'vendor=1', flags: 257 })),
    sent: whole,
  },
  {
    name: 'a single span',
    shape: (spans) =>
      spans
        .filter(isMarked)
        .slice(0, 1)
        .map(({ ...span }) => {
          delete (span as { parentSpanId?: string }).parentSpanId
          return span
        }),
    sent: whole,
  },
]

const BEGINNING_MS = Date.UTC(2026, 0, 1)
const text = (stringValue: string) => ({ stringValue })
const integer = (number: number) => ({ intValue: String(number) })
const SLOW_CALL_US = 2_000_000
const TOKEN_HEAVY = 6000

/** One small tick: root, turn, call, order. `marked` stands on the span that decides, and is not sent. */
export function makeTrace(kind: Kind, dice: Dice): readonly Span[] {
  const traceId = dice.hex(32)
  const [root, turn, call, order] = [dice.hex(16), dice.hex(16), dice.hex(16), dice.hex(16)]
  const start = BigInt(BEGINNING_MS) * 1_000_000n
  const span = (
    spanId: string,
    parentSpanId: string | undefined,
    name: string,
    us: number,
    attributes: Record<string, Value>,
    more: object = {},
  ) => ({
    traceId,
    spanId,
    ...(parentSpanId ? { parentSpanId } : {}),
    name,
    startTimeUnixNano: String(start),
    endTimeUnixNano: String(start + BigInt(us) * 1000n),
    attributes: Object.entries(attributes).map(([key, value]) => ({ key, value })),
    ...more,
  })
  const mark = (on: boolean) => (on ? { marked: true } : {})
  const operation = (name: string) => ({ 'gen_ai.operation.name': text(name) })
  // Margins of every size, the smallest ones too: one microsecond, one token.
  const margin = (most: number) => Math.max(1, Math.floor(most ** dice.number()))
  const us =
    kind === 'slow-call'
      ? SLOW_CALL_US + margin(8_000_000)
      : SLOW_CALL_US - (dice.number() < 0.05 ? 0 : margin(1_900_000))
  const tokens = kind === 'token-heavy' ? TOKEN_HEAVY - 1 + margin(50_000) : TOKEN_HEAVY - margin(5000)
  const error = { 'parse-error': 'parse_error', 'self-buy': 'self_buy' }[kind as string]
  const isCall = kind === 'failed-call' || kind === 'slow-call'
  return [
    span(
      root,
      undefined,
      'invoke_workflow woodland_tick',
      us + 2000,
      { ...operation('invoke_workflow'), 'woodland.tokens': integer(tokens) },
      mark(kind === 'token-heavy'),
    ),
    span(turn, root, 'invoke_agent fox', us + 1000, operation('invoke_agent')),
    span(call, turn, 'chat model', us, operation('chat'), {
      ...(kind === 'failed-call' ? { status: { code: 2 } } : {}),
      ...mark(isCall || kind === 'routine'),
    }),
    span(
      order,
      turn,
      'execute_tool place_order',
      1000,
      { ...operation('execute_tool'), ...(error ? { 'error.type': text(error) } : {}) },
      mark(error !== undefined),
    ),
  ]
}

export type Wish = Readonly<{ seed: number; mustKeep: number; perSecond: number; speed: number }>

/**
 * Traffic of which it is known what must be kept: every kind in every profile in turn, and one routine trace for ten
 * others. Each trace is told to `told` before its first span is sent. Times are those of a replay at `speed`.
 */
export async function* makeTraffic(
  { seed, mustKeep, perSecond, speed }: Wish,
  told: (trace: Labelled) => void,
): AsyncGenerator<Request> {
  const total = Math.ceil(mustKeep * 1.1)
  let waiting: { atMs: number; spans: readonly Span[] }[] = []
  let made = 0
  let kept = 0
  for (let second = 0; made < total || waiting.length > 0; second++) {
    const until = Math.min(total, (second + 1) * perSecond)
    for (; made < until; made++) {
      const isRoutine = made % 11 === 10
      const kind = isRoutine ? 'routine' : (MUST_KEEP[kept % MUST_KEEP.length] ?? 'routine')
      const profile = PROFILES[Math.floor(kept / MUST_KEEP.length) % PROFILES.length]
      if (!profile) continue
      if (!isRoutine) kept++
      const dice = diceOf(seed, made)
      const spans = makeTrace(kind, dice)
      const parts = profile.sent(profile.shape?.(spans, dice) ?? spans, dice)
      told({
        id: spans[0]?.traceId ?? '',
        kind,
        profile: profile.name,
        spans: parts.reduce((sum, part) => sum + part.spans.length, 0),
      })
      const began = (made / perSecond) * 1000
      waiting.push(...parts.map((part) => ({ atMs: began + part.afterMs, spans: part.spans })))
    }
    const now = (second + 1) * 1000
    const due = waiting.filter(({ atMs }) => atMs < now).sort((a, b) => a.atMs - b.atMs)
    waiting = waiting.filter(({ atMs }) => atMs >= now)
    for (const { atMs, spans } of due) yield requestOf(BEGINNING_MS + atMs * speed, spans)
  }
}

const unmarked = (key: string, value: unknown) => (key === 'marked' ? undefined : value)

export const requestOf = (atMs: number, spans: readonly Span[]): Request => ({
  atMs,
  spans,
  body: Buffer.from(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }, unmarked)),
})
