import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type AnyValue, endOf, integer, resourceSpans, type Span, startOf, text } from '../otlp/json.ts'
import { type Random, randomOf } from '../random/random.ts'
import { durationOf } from '../workbench/duration.ts'
import type { Request } from '../workbench/recording.ts'
import { SHORTEST_WAITS_SPEED, type Traffic } from '../workbench/replay.ts'
import { defaultOf } from '../workbench/variables.ts'

/** Kinds of generated traces that must be kept. */
export const MUST_KEEP = [
  'parse-error',
  'self-buy',
  'failed-call',
  'failed-agent-or-tool',
  'failed-evaluation',
  'slow-call',
  'slow-run',
  'token-heavy',
  'heavy-call',
] as const
export type Kind = (typeof MUST_KEEP)[number] | 'routine'
/** `number` counts the must-keep traces up to this one: a run of the same seed with this COUNT sends it again. */
export type Labelled = Readonly<{ id: string; kind: Kind; profile: string; spans: number; number: number }>

/** This traffic is made up, and so are its agents: the simulator may get more without a change here. */
export const AGENTS = ['squirrel', 'rabbit', 'fox', 'beaver', 'bear'] as const
/** Both have a price in grafana/prices.yaml. */
export const MODELS = ['Qwen/Qwen2.5-3B-Instruct', 'Qwen/Qwen2.5-1.5B-Instruct'] as const
/** What happened in a trace. The generator knows it; it does not come from a sampler. */
export type Turn = Readonly<{
  agent: (typeof AGENTS)[number]
  model: (typeof MODELS)[number]
  inputTokens: number
  outputTokens: number
  failed: boolean
}>

type Part = Readonly<{ afterMs: number; spans: readonly Span[] }>
type Parts = (spans: readonly Span[], random: Random) => readonly Part[]
type Profile = Readonly<{
  name: string
  shape?: (spans: readonly Span[], random: Random) => readonly Span[]
  sent: Parts
  /** Changes the time at which a trace begins. */
  begins?: (atMs: number) => number
  /** Its spans are sent in one request with spans of other traces, in turn. */
  mixed?: true
}>

/** Shorter than the waits of a replay (1 s after the root, 2 s without one), because a busy machine sends late. */
const [WITHIN_ROOT_MS, LATEST_CHILD_MS, WITHIN_WAIT_MS] = [600, 800, 1400]
const SECOND_MS = 1000
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
  startTimeUnixNano: String(startOf(span) + BigInt(byMs) * 1_000_000n),
  endTimeUnixNano: String(endOf(span) + BigInt(byMs) * 1_000_000n),
})
const shuffled = <T>(items: readonly T[], random: Random) =>
  items
    .map((item) => [random.number(), item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item)
const padded = (spans: readonly Span[], random: Random, more: object, count: number) => [
  ...spans,
  ...Array.from(
    { length: count },
    () => ({ ...spans[0], parentSpanId: spans[0]?.spanId, spanId: random.hex(16), attributes: [], ...more }) as Span,
  ),
]
/** Marks the spans that decide. It is not sent, because JSON leaves out symbols. */
const MARK = Symbol('decides')
export const isMarked = (span: Span) => MARK in span
/** Marks spans of another service. It is not sent either. */
const FOREIGN = Symbol('foreign')

/** Ways in which the spans of one trace reach the sampler. */
export const PROFILES: readonly Profile[] = [
  { name: 'whole in one request', sent: whole },
  { name: 'shuffled in one request', sent: (spans, random) => whole(shuffled(spans, random), random) },
  { name: 'one span at a time', sent: oneByOne },
  { name: 'one span at a time, root last', sent: (spans) => oneByOne(spans.toReversed()) },
  { name: 'one span at a time, shuffled', sent: (spans, random) => oneByOne(shuffled(spans, random)) },
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
  {
    name: 'each child late in its own way',
    sent: (spans, random) =>
      spans.map((span) => ({ afterMs: isRoot(span) ? 0 : random.below(LATEST_CHILD_MS), spans: [span] })),
  },
  { name: 'in one request with other traces', sent: whole, mixed: true },
  {
    name: 'all of a second at once',
    sent: whole,
    begins: (atMs) => Math.ceil(atMs / SECOND_MS) * SECOND_MS,
  },
  { name: 'sent twice', sent: (spans) => [0, 100].map((afterMs) => ({ afterMs, spans })) },
  {
    name: 'without its root',
    shape: (spans) => spans.map((span) => ({ parentSpanId: 'f'.repeat(16), ...span })),
    sent: whole,
  },
  {
    name: 'with two roots',
    shape: (spans, random) => [...spans, ...spans.filter(isRoot).map((span) => ({ ...span, spanId: random.hex(16) }))],
    sent: whole,
  },
  {
    name: 'with a parent that nobody sent',
    shape: (spans, random) => spans.map((span) => (isRoot(span) ? span : { ...span, parentSpanId: random.hex(16) })),
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
    name: 'of no length, but for what matters',
    shape: (spans) =>
      spans.map((span) => (isMarked(span) ? span : { ...span, endTimeUnixNano: span.startTimeUnixNano ?? '0' })),
    sent: whole,
  },
  {
    name: 'every status is ok',
    shape: (spans) => spans.map((span) => ({ ...span, status: span.status ?? { code: 1 } })),
    sent: whole,
  },
  {
    name: 'with spans of a foreign service',
    shape: (spans, random) =>
      padded(
        spans,
        random,
        {
          name: 'GET /',
          attributes: [{ key: 'http.request.method', value: text('GET') }],
          [FOREIGN]: true,
        },
        3,
      ),
    sent: whole,
  },
  {
    name: 'with attributes of odd types',
    shape: (spans, random) =>
      padded(
        spans,
        random,
        {
          attributes: [
            { key: 'error.type', value: integer(5) },
            { key: 'gen_ai.operation.name', value: {} },
            { key: 'woodland.tokens', value: text('many') },
          ],
        },
        2,
      ),
    sent: whole,
  },
  { name: 'a giant of two hundred spans', shape: (spans, random) => padded(spans, random, {}, 196), sent: whole },
  {
    name: 'sampled before by somebody else',
    shape: (spans) => spans.map((span) => ({ ...span, traceState: 'vendor=1,ot=th:8', flags: 257 })),
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

export const BEGINNING = new Date('2026-01-01T00:00:00Z')
/** The thresholds of slow and heavy come from the shipped list. */
const SHIPPED = readFileSync(join(import.meta.dirname, '../collector/policies/woodland.yaml'), 'utf8')
const SLOW_CALL_US = (durationOf(defaultOf(SHIPPED, 'SLOW_CALL')) ?? 0) / 1000
const SLOW_RUN_US = (durationOf(defaultOf(SHIPPED, 'SLOW_RUN')) ?? 0) / 1000
const TOKEN_HEAVY = Number(defaultOf(SHIPPED, 'TOKEN_HEAVY'))
const HEAVY_CALL = Number(defaultOf(SHIPPED, 'HEAVY_CALL'))
/** Refusals that no policy keeps, so they must be estimated from the sample. */
const REFUSALS = ['cannot_afford', 'nothing_to_sell', 'unknown_good', 'bad_quantity'] as const
const REFUSED_SHARE = 0.3

/**
 * One small tick: root, turn, call, order. It has one agent and not five, so that the estimates of agents are independent.
 * Also returns what happened in it.
 */
export function makeTrace(kind: Kind, random: Random): Readonly<{ spans: readonly Span[]; turn: Turn }> {
  const traceId = random.hex(32)
  const [root, turn, call, order] = [random.hex(16), random.hex(16), random.hex(16), random.hex(16)]
  const start = BigInt(BEGINNING.getTime()) * 1_000_000n
  const agent = AGENTS[random.below(AGENTS.length)] ?? 'fox'
  const model = MODELS[random.below(MODELS.length)] ?? MODELS[0]
  const span = (
    spanId: string,
    parentSpanId: string | undefined,
    name: string,
    us: number,
    attributes: Record<string, AnyValue | undefined>,
    more: object = {},
  ) => ({
    traceId,
    spanId,
    ...(parentSpanId ? { parentSpanId } : {}),
    name,
    startTimeUnixNano: String(start),
    endTimeUnixNano: String(start + BigInt(us) * 1000n),
    attributes: Object.entries(attributes).flatMap(([key, value]) => (value ? [{ key, value }] : [])),
    ...more,
  })
  const mark = (on: boolean) => (on ? { [MARK]: true } : {})
  const status = (isError: boolean) => (isError ? { status: { code: 2 } } : {})
  const operation = (name: string) => ({ 'gen_ai.operation.name': text(name), 'gen_ai.agent.name': text(agent) })
  // Values near the threshold and far from it, with a distance down to one microsecond and one token.
  const margin = (most: number) => Math.max(1, Math.floor(most ** random.number()))
  const us =
    kind === 'slow-call'
      ? SLOW_CALL_US + margin(8_000_000)
      : SLOW_CALL_US - (random.number() < 0.05 ? 0 : margin(1_900_000))
  const tokens =
    kind === 'token-heavy'
      ? TOKEN_HEAVY - 1 + margin(50_000)
      : TOKEN_HEAVY - (random.number() < 0.5 ? margin(5000) : 1 + random.below(5000))
  const outputTokens = 1 + random.below(tokens / 5)
  // A heavy call is of a sender that does not add up its tokens. A heavy tick has many calls, and none of them is heavy.
  const inputTokens =
    kind === 'heavy-call' ? HEAVY_CALL - 1 + margin(50_000) : Math.min(HEAVY_CALL - 1, tokens - outputTokens)
  const runUs = kind === 'slow-run' ? SLOW_RUN_US + margin(60_000_000) : us + 1000
  const [turnFails, toolFails] = kind === 'failed-agent-or-tool' ? [true, random.number() < 0.5] : [false, false]
  const wanted = kind === 'parse-error' ? 'parse_error' : kind === 'self-buy' ? 'self_buy' : undefined
  const isRefused = kind !== 'failed-call' && kind !== 'failed-agent-or-tool' && random.number() < REFUSED_SHARE
  const why = wanted ?? (isRefused ? REFUSALS[random.below(REFUSALS.length)] : undefined)
  const error = why === undefined ? undefined : text(why)
  // After a reply that cannot be read, the agent asks again, so only half of these turns fail.
  const isMended = kind === 'parse-error' && random.number() < 0.5
  const failed = kind === 'failed-call' || turnFails || (error !== undefined && !isMended)
  // As the Collector writes it: most runs are not judged by anybody.
  const isJudged = kind === 'failed-evaluation' || (kind === 'routine' && inputTokens % 4 === 0)
  const spans = [
    span(
      root,
      undefined,
      'invoke_workflow woodland_tick',
      runUs + 1000,
      {
        'gen_ai.operation.name': text('invoke_workflow'),
        'woodland.tokens': kind === 'heavy-call' ? undefined : integer(tokens),
      },
      mark(kind === 'token-heavy'),
    ),
    span(
      turn,
      root,
      `invoke_agent ${agent}`,
      runUs,
      {
        ...operation('invoke_agent'),
        'error.type': failed ? (error ?? text('500')) : undefined,
        'woodland.evaluation.outcome': isJudged ? text(kind === 'failed-evaluation' ? 'fail' : 'pass') : undefined,
      },
      {
        ...status(failed),
        ...mark((failed && wanted !== undefined) || turnFails || kind === 'slow-run' || kind === 'failed-evaluation'),
      },
    ),
    span(
      call,
      turn,
      `chat ${model}`,
      us,
      {
        ...operation('chat'),
        'gen_ai.request.model': text(model),
        'gen_ai.usage.input_tokens': integer(inputTokens),
        'gen_ai.usage.output_tokens': integer(outputTokens),
      },
      {
        ...status(kind === 'failed-call'),
        ...mark(kind === 'failed-call' || kind === 'slow-call' || kind === 'heavy-call' || kind === 'routine'),
      },
    ),
    span(
      order,
      turn,
      'execute_tool place_order',
      1000,
      { ...operation('execute_tool'), 'error.type': toolFails ? text('ValueError') : error },
      { ...status(error !== undefined || toolFails), ...mark(wanted !== undefined) },
    ),
  ]
  return { spans, turn: { agent, model, inputTokens, outputTokens, failed } }
}

type TrafficSize = Readonly<{ seed: number; mustKeep: number; perSecond: number; speed: number }>

/**
 * Traffic for which we know what must be kept: every kind in every profile in turn, and one routine trace for ten
 * others. `told` gets each trace before its first span is sent. Times are those of a replay at `speed`.
 */
export async function* makeTraffic(
  { seed, mustKeep, perSecond, speed }: TrafficSize,
  told: (trace: Labelled) => void,
): AsyncGenerator<Request> {
  const total = mustKeep + Math.floor(mustKeep / 10)
  let waiting: readonly Sent[] = []
  let made = 0
  let kept = 0
  for (let second = 0; made < total || waiting.length > 0; second++) {
    const until = Math.min(total, (second + 1) * perSecond)
    const begun: Sent[] = []
    for (; made < until; made++) {
      const isRoutine = made % 11 === 10
      const kind = isRoutine ? 'routine' : (MUST_KEEP[kept % MUST_KEEP.length] ?? 'routine')
      const turns = isRoutine ? Math.floor(made / 11) : Math.floor(kept / MUST_KEEP.length)
      const profile = PROFILES[turns % PROFILES.length]
      if (!profile) continue
      if (!isRoutine) kept++
      const random = randomOf(seed, made)
      const { spans } = makeTrace(kind, random)
      const parts = profile.sent(profile.shape?.(spans, random) ?? spans, random)
      told({
        id: spans[0]?.traceId ?? '',
        kind,
        profile: profile.name,
        spans: parts.reduce((sum, part) => sum + part.spans.length, 0),
        number: kept,
      })
      const atMs = (made / perSecond) * SECOND_MS
      const beganMs = profile.begins?.(atMs) ?? atMs
      for (const { afterMs, spans } of parts)
        begun.push({ atMs: beganMs + afterMs, spans, mixed: profile.mixed ?? false })
    }
    const now = (second + 1) * SECOND_MS
    const all = [...waiting, ...begun]
    waiting = all.filter(({ atMs }) => atMs >= now)
    const due = all.filter(({ atMs }) => atMs < now)
    const requests = [...due.filter(({ mixed }) => !mixed), ...mixedUp(due.filter(({ mixed }) => mixed))]
    for (const { atMs, spans } of requests.sort((a, b) => a.atMs - b.atMs))
      yield requestOf(BEGINNING.getTime() + atMs * speed, spans)
  }
}

type Sent = Readonly<{ atMs: number; spans: readonly Span[]; mixed: boolean }>
const MIXED_TRACES = 10

/** Mixes the spans of each ten traces: first the first span of each, then the second span of each. */
function mixedUp(parts: readonly Sent[]): Sent[] {
  const count = Math.ceil(parts.length / MIXED_TRACES)
  return Array.from({ length: count }, (_, index) => {
    const some = parts.slice(index * MIXED_TRACES, (index + 1) * MIXED_TRACES)
    const inTurn = some
      .flatMap(({ spans }) => spans.map((span, place) => ({ span, place })))
      .sort((a, b) => a.place - b.place)
    return { atMs: some.at(-1)?.atMs ?? 0, spans: inTurn.map(({ span }) => span), mixed: true }
  })
}

/** How many traces go into one request of paced traffic. */
const IN_REQUEST = 25

/** These traces at an even pace, each whole in one request, for samplers with the shortest waits. */
export const paced = (traces: readonly (readonly Span[])[], perSecond: number): Traffic => ({
  requests: async function* () {
    for (let from = 0; from < traces.length; from += IN_REQUEST)
      yield requestOf(
        (from / perSecond) * SECOND_MS * SHORTEST_WAITS_SPEED + 1,
        traces.slice(from, from + IN_REQUEST).flat(),
      )
  },
  speed: SHORTEST_WAITS_SPEED,
  stretch: 1,
  slowCall: '',
})

export function requestOf(atMs: number, spans: readonly Span[]): Request {
  const isForeign = (span: Span) => FOREIGN in span
  const services = [
    ['thousand-token-wood', spans.filter((span) => !isForeign(span))],
    ['next-door', spans.filter(isForeign)],
  ] as const
  const parts = services.flatMap(([name, from]) =>
    from.length > 0 ? [resourceSpans(from, { resource: { 'service.name': name } })] : [],
  )
  return { atMs, spans, body: Buffer.from(JSON.stringify({ resourceSpans: parts })) }
}
