import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { type Attributes, type AttributeValue, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { MeterProvider, type MetricData, MetricReader } from '@opentelemetry/sdk-metrics'
import { NodeSDK } from '@opentelemetry/sdk-node'
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace'
import OpenAI from 'openai'
import { EVENTS, GEN_AI, METRICS, OPENINFERENCE, OTHER, WOODLAND } from '../../vocabulary/attributes.ts'
import { askWith } from '../agents/ask.ts'
import { placeOrderWith, takeTurnWith } from '../agents/decide.ts'
import { ADVICE, promptFor, versionOf } from '../agents/prompt.ts'
import { withRecall } from '../agents/recall.ts'
import { runTool } from '../agents/tools.ts'
import { type Message, seal } from '../economy/queue.ts'
import { market, tickWith } from '../economy/tick.ts'
import { AGENTS, GOODS, newWorld } from '../economy/world.ts'
import type { Entry } from '../ledger.ts'
import { run } from '../run.ts'
import type { Capture } from './capture.ts'
import { metersWith } from './meters.ts'
import { tracedWith } from './traced.ts'

type Body = { user: string; model: string; messages: { role: string; content: string }[] }
/** A model by script: what it answers to a question, by agent, tick and how many calls the agent made in that tick. */
type Model = (ask: { agent: string; tick: number; nth: number; body: Body; signal: AbortSignal }) => Response

/** Spans in the order in which they started, with what they were at that moment, and in the order in which they ended. */
const begun: { id: string; name: string; kind: SpanKind; attributes: Attributes }[] = []
const ended: ReadableSpan[] = []
const timeline: string[] = []
const recorder: SpanProcessor = {
  onStart: (span) => {
    const { name, kind, attributes } = span
    begun.push({ id: span.spanContext().spanId, name, kind, attributes: { ...attributes } })
    timeline.push(`begin ${span.spanContext().spanId}`)
  },
  onEnd: (span) => {
    ended.push(span)
    timeline.push(`end ${span.spanContext().spanId}`)
  },
  forceFlush: async () => {},
  shutdown: async () => {},
}
process.env.OTEL_LOGS_EXPORTER = 'none'
new NodeSDK({ spanProcessors: [recorder], metricReaders: [], resourceDetectors: [] }).start()

beforeEach(() => {
  begun.length = 0
  ended.length = 0
  timeline.length = 0
})

class Reader extends MetricReader {
  protected override async onForceFlush() {}
  protected override async onShutdown() {}
}

const side = (good: string, price: number) => ({ good, price, quantity: 1 })
const decision = (orders: object) => JSON.stringify({ buy: null, sell: null, mood: 0.6, ...orders })

function sse(message: object, body: Body, finish = 'stop', end = 'data: [DONE]\n\n'): string {
  const about = { id: `chat-${body.user}`, object: 'chat.completion.chunk', created: 1, model: body.model }
  const chunks = [
    { ...about, choices: [{ index: 0, delta: { role: 'assistant', ...message }, finish_reason: finish }] },
    { ...about, choices: [], usage: { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 } },
  ]
  return chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('') + end
}

const stream = (body: string | ReadableStream) =>
  new Response(body, { headers: { 'content-type': 'text/event-stream' } })
const says = (content: string, body: Body) => stream(sse({ content }, body))
const uses = (name: string, args: string, body: Body) =>
  stream(
    sse(
      { tool_calls: [{ index: 0, id: 'call-1', type: 'function', function: { name, arguments: args } }] },
      body,
      'tool_calls',
    ),
  )
const fails = (status: number, headers: Record<string, string> = {}) =>
  new Response('{"error":{"message":"no"}}', { status, headers })

/** A body that starts and then goes no further: it ends with an error when the caller gives up, or at once. */
const halfway = (body: Body, signal: AbortSignal | undefined) => {
  const begin = new TextEncoder().encode(sse({ content: '{' }, body, 'stop', '').slice(0, 40))
  return stream(
    new ReadableStream({
      start(controller) {
        controller.enqueue(begin)
        signal?.addEventListener('abort', () => controller.error(signal.reason))
      },
      pull(controller) {
        if (!signal) controller.error(new TypeError('terminated'))
      },
    }),
  )
}

/** The creatures, a scripted model and everything between them that `main.ts` composes, watched or not. */
function wood(
  model: Model,
  {
    watched = true,
    retries = 0,
    fallbackModel = '',
    limitMs = (_agent: string): number => 60_000,
    capture = 'full' as Capture,
  } = {},
) {
  const reader = new Reader()
  const clock = () => performance.now()
  const meters = metersWith(new MeterProvider({ readers: [reader] }).getMeter('test'), clock)
  const server = new URL('http://model.test:8000/v1')
  const traced = tracedWith({ tracer: trace.getTracer('test'), meters, run: 'run-1', server, clock, capture })
  const wrap = <F>(plain: F, wrapped: (plain: F) => F): F => (watched ? wrapped(plain) : plain)

  const asked = new Map<string, number>()
  const requests: { traceparent: string | null }[] = []
  const send: typeof fetch = async (_url, init) => {
    const body: Body = JSON.parse(String(init?.body))
    const tick = Number(/"tick":(\d+)/.exec(body.messages[1]?.content ?? '')?.[1])
    const key = `${tick} ${body.user}`
    const nth = asked.get(key) ?? 0
    asked.set(key, nth + 1)
    requests.push({ traceparent: new Headers(init?.headers).get('traceparent') })
    await new Promise(setImmediate)
    return model({ agent: body.user, tick, nth, body, signal: init?.signal ?? new AbortController().signal })
  }
  const client = new OpenAI({
    baseURL: server.href,
    apiKey: 'none',
    maxRetries: retries,
    fetch: wrap(send, traced.fetch),
  })
  const queue: Message[] = []
  const carrier = () => (watched ? traced.carrier() : {})
  const takeTurn = takeTurnWith(
    {
      ask: wrap(askWith(client, clock), traced.ask),
      useTool: wrap(withRecall(runTool, undefined), traced.useTool),
      placeOrder: wrap(
        placeOrderWith((order) => queue.push(seal(order, carrier()))),
        traced.placeOrder,
      ),
      clock: () => 0,
    },
    { model: 'big', fallbackModel: fallbackModel || undefined },
    { rumour: undefined, experiment: ADVICE },
  )
  const watchedTurn = wrap(takeTurn, traced.takeTurn)
  const playTick = tickWith({
    decide: (agent, world) => watchedTurn(agent, world, AbortSignal.timeout(limitMs(agent))),
    receive: () => queue.splice(0),
    market: wrap(market, traced.market),
  })
  const ledger: Entry[] = []
  const play = (ticks: number) =>
    run(
      { world: newWorld(5), book: [] },
      {
        ticks,
        intervalMs: 0,
        stop: new AbortController().signal,
        playTick: wrap(playTick, traced.playTick),
        clock: () => 0,
        ledger: { write: (entry) => void ledger.push(entry), close: async () => {} },
        traceOf: watched ? traced.traceOf : () => '',
        onTick: () => {},
      },
    )
  const metrics = async (): Promise<MetricData[]> =>
    (await reader.collect()).resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics)
  return { play, metrics, ledger, requests, spansStarted: traced.spans }
}

const id = (span: ReadableSpan) => span.spanContext().spanId
const traceId = (span: ReadableSpan) => span.spanContext().traceId
const attribute = (span: ReadableSpan, key: string): AttributeValue | undefined => span.attributes[key]
const failure = (span: ReadableSpan) => [span.status.code === SpanStatusCode.ERROR, attribute(span, OTHER.ERROR_TYPE)]
const FINE = [false, undefined]
const broken = (type: string) => [true, type]
const eventsOf = (span: ReadableSpan) => span.events.map(({ name }) => name)
const linksOf = (span: ReadableSpan) => span.links.map(({ context }) => context.spanId)

/** Ended spans by name in the order of their start, of one agent if named. */
const spans = (name: string, agent?: string): readonly ReadableSpan[] => {
  const order = new Map(begun.map(({ id }, index) => [id, index]))
  return ended
    .filter((span) => span.name === name && (!agent || attribute(span, GEN_AI.AGENT) === agent))
    .sort((a, b) => (order.get(id(a)) ?? 0) - (order.get(id(b)) ?? 0))
}

const only = (name: string, agent?: string): ReadableSpan => {
  const [span, ...others] = spans(name, agent)
  assert.ok(span && others.length === 0, `${1 + others.length} spans "${name}" ${agent ?? ''}`)
  return span
}

/** A trace as text: names and kinds, children under their parents in the order of their start, agents by name. */
function tree(root: ReadableSpan): string {
  const order = new Map(begun.map(({ id }, index) => [id, index]))
  const lines = (span: ReadableSpan, depth: number): string[] => [
    `${'  '.repeat(depth)}${span.name} ${SpanKind[span.kind]}`,
    ...ended
      .filter(({ parentSpanContext }) => parentSpanContext?.spanId === id(span))
      .sort((a, b) =>
        a.name.startsWith('invoke_agent') && b.name.startsWith('invoke_agent')
          ? a.name.localeCompare(b.name)
          : (order.get(id(a)) ?? 0) - (order.get(id(b)) ?? 0),
      )
      .flatMap((child) => lines(child, depth + 1)),
  ]
  return lines(root, 0).join('\n')
}

/** A little of everything that is routine: a tool, a second attempt, a refusal, two trades, an order that waits. */
const busy: Model = ({ agent, tick, nth, body }) => {
  if (agent === 'squirrel' && tick === 0) {
    if (nth === 0) return uses('calculate', '{"expression":"1+1"}', body)
    return says(decision({ buy: side('firewood', 1.1) }), body)
  }
  if (agent === 'squirrel') return says(decision({ buy: side('berries', 6) }), body)
  if (agent === 'rabbit' && tick === 0) {
    if (nth === 0) return says('I am hungry.', body)
    return says(decision({ buy: side('mushrooms', 1), sell: side('berries', 5) }), body)
  }
  if (agent === 'fox' && tick === 0)
    return says(`\`\`\`json\n${decision({ sell: side('mushrooms', 0.9) })}\n\`\`\``, body)
  if (agent === 'beaver' && tick === 0) return says(decision({ sell: side('firewood', 0.9) }), body)
  if (agent === 'bear' && tick === 0) return says(decision({ buy: side('honey', 1) }), body)
  return says(decision({}), body)
}

test('the trace of a tick is the tree that world.md promises', async () => {
  await wood(busy).play(1)
  const chat = ['    chat big CLIENT', '      POST CLIENT']
  const order = '    execute_tool place_order INTERNAL'
  const turns: Readonly<Record<string, readonly string[]>> = {
    rabbit: [...chat, order, ...chat, order],
    squirrel: [...chat, '    execute_tool calculate INTERNAL', ...chat, order],
  }
  assert.deepEqual(tree(only('invoke_workflow woodland_tick')).split('\n'), [
    'invoke_workflow woodland_tick INTERNAL',
    ...AGENTS.toSorted().flatMap((agent) => [
      `  invoke_agent ${agent} INTERNAL`,
      ...(turns[agent] ?? [...chat, order]),
    ]),
    ...Array(3).fill('  process market CONSUMER'),
  ])
  const served = spans('POST').length // the model server adds a span of its own to each
  assert.ok(ended.length + served <= 50, `${ended.length + served} spans`)
})

test('names and kinds stand from the start; children end before parents, the root last', async () => {
  const { play, spansStarted } = wood(busy)
  await play(1)
  assert.equal(ended.length, begun.length, 'every span that began has ended')
  assert.equal(spansStarted(), begun.length)
  const starts = new Map(begun.map((one) => [one.id, one]))
  const place = new Map(ended.map((span, index) => [id(span), index]))
  const byId = new Map(ended.map((span) => [id(span), span]))
  for (const span of ended) {
    const start = starts.get(id(span))
    assert.deepEqual([start?.name, start?.kind], [span.name, span.kind])
    const parent = byId.get(span.parentSpanContext?.spanId ?? '')
    if (!parent) continue
    assert.ok((place.get(id(span)) ?? 0) < (place.get(id(parent)) ?? 0), `${span.name} ended after ${parent.name}`)
  }
  assert.equal(ended.at(-1)?.name, 'invoke_workflow woodland_tick')
})

test('every span below an agent carries its name from the start', async () => {
  await wood(busy).play(1)
  const byId = new Map(ended.map((span) => [id(span), span]))
  const agentAbove = (span: ReadableSpan): string | undefined => {
    if (span.name.startsWith('invoke_agent ')) return span.name.slice('invoke_agent '.length)
    const parent = byId.get(span.parentSpanContext?.spanId ?? '')
    return parent && agentAbove(parent)
  }
  const starts = new Map(begun.map((one) => [one.id, one.attributes]))
  for (const span of ended) assert.equal(starts.get(id(span))?.[GEN_AI.AGENT], agentAbove(span), span.name)
  assert.equal(ended.filter(agentAbove).length, ended.length - 4)
})

test('the root tells the tick: what world.md lists, with the tokens of all its calls', async () => {
  await wood(busy).play(1)
  const root = only('invoke_workflow woodland_tick')
  assert.equal(root.parentSpanContext, undefined)
  const expected: Attributes = {
    [GEN_AI.OPERATION]: 'invoke_workflow',
    [GEN_AI.WORKFLOW]: 'woodland_tick',
    [GEN_AI.CONVERSATION]: 'run-1',
    [WOODLAND.TICK]: 0,
    [WOODLAND.SEED]: 5,
    [WOODLAND.TRADES]: 2,
    [WOODLAND.PEBBLES_TOTAL]: 10 * AGENTS.length,
    [WOODLAND.TOKENS]: (AGENTS.length + 2) * 110,
    [OPENINFERENCE.KIND]: 'CHAIN',
  }
  for (const [key, value] of Object.entries(expected)) assert.equal(attribute(root, key), value, key)
  assert.equal(attribute(only('invoke_agent squirrel'), WOODLAND.TOKENS), 220)
})

test('a chat tells its request, its answer and its tokens', async () => {
  await wood(busy).play(1)
  const chat = only('chat big', 'fox')
  const expected: Attributes = {
    [GEN_AI.OPERATION]: 'chat',
    [GEN_AI.PROVIDER]: 'openai',
    [GEN_AI.REQUEST_MODEL]: 'big',
    [GEN_AI.REQUEST_TEMPERATURE]: 0.7,
    [GEN_AI.REQUEST_MAX_TOKENS]: 400,
    [GEN_AI.RESPONSE_ID]: 'chat-fox',
    [GEN_AI.RESPONSE_MODEL]: 'big',
    [GEN_AI.INPUT_TOKENS]: 100,
    [GEN_AI.OUTPUT_TOKENS]: 10,
    [OTHER.SERVER_ADDRESS]: 'model.test',
    [OTHER.SERVER_PORT]: 8000,
    [OTHER.EXPERIMENT]: 'trade-prompt',
    [GEN_AI.PROMPT_NAME]: 'trade',
  }
  for (const [key, value] of Object.entries(expected)) assert.equal(attribute(chat, key), value, key)
  assert.deepEqual(attribute(chat, GEN_AI.RESPONSE_FINISH_REASONS), ['stop'])
  assert.ok(Number.isInteger(attribute(chat, GEN_AI.REQUEST_SEED)))
  assert.match(String(attribute(chat, OTHER.VARIANT)), /^(terse|careful)$/)
  assert.equal(JSON.parse(String(attribute(chat, GEN_AI.INPUT_MESSAGES))).length, 2)
  assert.equal(JSON.parse(String(attribute(chat, GEN_AI.OUTPUT_MESSAGES)))[0].finish_reason, 'stop')
})

test('links lead from tick to tick, from second attempt to first, from trade to the orders it matched, and carry ids only', async () => {
  await wood(busy).play(2)
  const [first, second] = spans('invoke_workflow woodland_tick')
  assert.ok(first && second)
  assert.notEqual(traceId(first), traceId(second))
  assert.deepEqual([linksOf(first), linksOf(second)], [[], [id(first)]])

  const [chat, again] = spans('chat big', 'rabbit').filter((span) => traceId(span) === traceId(first))
  assert.ok(chat && again)
  assert.deepEqual([linksOf(chat), linksOf(again)], [[], [id(chat)]])

  const placed = (agent: string, tick: ReadableSpan) =>
    spans('execute_tool place_order', agent)
      .filter((span) => traceId(span) === traceId(tick))
      .map(id)
      .at(-1)
  const market = (good: string, tick: ReadableSpan) => {
    const span = spans('process market').find(
      (one) => traceId(one) === traceId(tick) && attribute(one, WOODLAND.GOOD) === good,
    )
    assert.ok(span, `no market for ${good}`)
    return new Set(linksOf(span))
  }
  assert.deepEqual(market('firewood', first), new Set([placed('squirrel', first), placed('beaver', first)]))
  assert.deepEqual(market('mushrooms', first), new Set([placed('rabbit', first), placed('fox', first)]))
  assert.deepEqual(market('berries', first), new Set(), 'an order that met nobody is not linked')
  assert.deepEqual(
    market('berries', second),
    new Set([placed('squirrel', second), placed('rabbit', first)]),
    'an order that waited is linked where it was made, in the tick before',
  )
  for (const { links } of ended) for (const link of links) assert.deepEqual(link.attributes ?? {}, {})
})

test('attribute keys are lower-case words with dots, values are plain', async () => {
  await wood(busy).play(2)
  for (const { name, attributes, events } of ended) {
    for (const [key, value] of [attributes, ...events.map((event) => event.attributes ?? {})].flatMap(Object.entries)) {
      assert.match(key, /^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$/, name)
      const plain = Array.isArray(value) ? value.every((one) => typeof one === 'string') : typeof value !== 'object'
      assert.ok(plain, `${name} ${key}`)
    }
  }
})

test('an unreadable reply fails its place_order only; the turn that recovers is fine', async () => {
  await wood(busy).play(1)
  const [first, second] = spans('execute_tool place_order', 'rabbit')
  assert.ok(first && second)
  assert.deepEqual([failure(first), failure(second)], [broken('parse_error'), FINE])
  assert.deepEqual([attribute(first, WOODLAND.ATTEMPT), attribute(second, WOODLAND.ATTEMPT)], [1, 2])
  assert.deepEqual(failure(only('invoke_agent rabbit')), FINE)
  for (const chat of spans('chat big')) assert.deepEqual(failure(chat), FINE)
})

test('a refused order fails its place_order and the turn, never the chat', async () => {
  await wood(busy).play(1)
  const placed = only('execute_tool place_order', 'bear')
  assert.deepEqual(failure(placed), broken('self_buy'))
  assert.deepEqual(eventsOf(placed), [EVENTS.REFUSED])
  assert.equal(placed.events[0]?.attributes?.[WOODLAND.REASON], 'self_buy')
  assert.deepEqual(failure(only('invoke_agent bear')), broken('self_buy'))
  assert.deepEqual(failure(only('chat big', 'bear')), FINE)
})

test('a repaired reply says so and is not an error', async () => {
  await wood(busy).play(1)
  const placed = only('execute_tool place_order', 'fox')
  assert.deepEqual([failure(placed), attribute(placed, WOODLAND.REPAIRED)], [FINE, true])
  assert.deepEqual(eventsOf(placed), [EVENTS.REPAIRED])
  assert.equal(attribute(only('execute_tool place_order', 'beaver'), WOODLAND.REPAIRED), undefined)
})

test('two unreadable replies fail the turn with parse_error', async () => {
  await wood(({ body }) => says('Hm.', body)).play(1)
  for (const span of spans('invoke_agent fox')) assert.deepEqual(failure(span), broken('parse_error'))
  assert.equal(spans('execute_tool place_order', 'fox').length, 2)
})

test('a wrong tool call is an error on its own span, and the turn goes on', async () => {
  await wood(({ agent, nth, body }) => {
    if (agent === 'fox' && nth === 0) return uses('calculate', '{"expression":"process.exit(1)"}', body)
    if (agent === 'bear' && nth === 0) return uses('dowse', '{}', body)
    return says(decision({}), body)
  }).play(1)
  assert.deepEqual(failure(only('execute_tool calculate', 'fox')), broken('bad_arguments'))
  const unknown = ended.filter((span) => span.attributes[OTHER.ERROR_TYPE] === 'unknown_tool')
  assert.deepEqual(
    unknown.map((span) => attribute(span, GEN_AI.AGENT)),
    ['bear'],
  )
  for (const agent of ['fox', 'bear']) assert.deepEqual(failure(only(`invoke_agent ${agent}`)), FINE)
})

test('each HTTP attempt is a span of its own that ends before the next begins, and a retry is an event and a count', async () => {
  const { play, metrics, requests } = wood(
    ({ agent, nth, body }) =>
      agent === 'fox' && nth < 2
        ? fails(nth === 0 ? 429 : 500, { 'retry-after-ms': '3' })
        : says(decision({ sell: side('mushrooms', 1) }), body),
    { retries: 2 },
  )
  await play(1)
  const chat = only('chat big', 'fox')
  const posts = spans('POST', 'fox')
  assert.deepEqual(posts.map(failure), [broken('429'), broken('500'), FINE])
  assert.deepEqual(
    posts.map((post) => attribute(post, OTHER.HTTP_STATUS)),
    [429, 500, 200],
  )
  assert.deepEqual(
    posts.map((post) => attribute(post, OTHER.HTTP_RESEND)),
    [undefined, 1, 2],
  )
  assert.ok(posts.every((post) => post.parentSpanContext?.spanId === id(chat)))
  for (const [n, post] of posts.slice(1).entries()) {
    const before = posts[n]
    assert.ok(before)
    const [end, begin] = [timeline.indexOf(`end ${id(before)}`), timeline.indexOf(`begin ${id(post)}`)]
    assert.ok(end < begin, 'the wait is no part of the attempt')
  }
  assert.deepEqual(failure(chat), FINE)
  assert.deepEqual(eventsOf(chat), [EVENTS.RETRY, EVENTS.RETRY])
  const sent = new Set(requests.map(({ traceparent }) => traceparent))
  assert.equal(sent.size, AGENTS.length + 2)
  for (const post of spans('POST')) assert.ok(sent.has(`00-${traceId(post)}-${id(post)}-01`))
  const retries = (await metrics()).find(({ descriptor }) => descriptor.name === METRICS.RETRIES)
  assert.equal(retries?.dataPoints.find(({ attributes }) => attributes[GEN_AI.AGENT] === 'fox')?.value, 2)
})

test('a failed call fails its chat and the turn with the same short name', async () => {
  await wood(({ agent, body }) => (agent === 'fox' ? fails(503) : says(decision({}), body))).play(1)
  for (const name of ['POST', 'chat big']) assert.deepEqual(failure(only(name, 'fox')), broken('503'))
  assert.deepEqual(failure(only('invoke_agent fox')), broken('503'))
  assert.equal(spans('execute_tool place_order', 'fox').length, 0)
})

test('the fallback model is an event on the agent, once, and its calls name it', async () => {
  await wood(
    ({ agent, nth, body }) => {
      if (agent !== 'fox') return says(decision({}), body)
      if (nth === 0) return fails(500)
      return nth === 1 ? uses('calculate', '{"expression":"1"}', body) : says(decision({}), body)
    },
    { fallbackModel: 'small' },
  ).play(1)
  const agent = only('invoke_agent fox')
  assert.deepEqual(failure(only('chat big', 'fox')), broken('500'))
  assert.equal(spans('chat small', 'fox').length, 2)
  assert.deepEqual(failure(agent), FINE)
  const fallbacks = agent.events.filter(({ name }) => name === EVENTS.FALLBACK)
  assert.deepEqual(
    fallbacks.map(({ attributes }) => attributes),
    [{ [GEN_AI.REQUEST_MODEL]: 'small', [OTHER.ERROR_TYPE]: '500' }],
  )
})

test('an answer that breaks off or never ends is an error on request, chat and turn, and no span stays open', async () => {
  await wood(
    ({ agent, body, signal }) => {
      if (agent === 'fox') return halfway(body, undefined)
      return agent === 'bear' ? halfway(body, signal) : says(decision({}), body)
    },
    { limitMs: (agent) => (agent === 'bear' ? 1000 : 60_000) },
  ).play(1)
  for (const [agent, type] of [
    ['fox', 'connection_error'],
    ['bear', 'timeout'],
  ] as const) {
    for (const name of ['POST', 'chat big'])
      assert.deepEqual(failure(only(name, agent)), broken(type), `${agent} ${name}`)
    assert.deepEqual(failure(only(`invoke_agent ${agent}`)), broken(type))
  }
  assert.equal(ended.length, begun.length)
  assert.equal(ended.at(-1)?.name, 'invoke_workflow woodland_tick')
})

test('the run is the same, watched or not: the ledgers differ in trace ids only', async () => {
  const watched = wood(busy)
  const alone = wood(busy, { watched: false })
  await watched.play(4)
  const spansSoFar = begun.length
  await alone.play(4)
  assert.equal(begun.length, spansSoFar, 'nothing is watched where nothing is wrapped')
  const withoutTraces = (entries: readonly Entry[]) => entries.map((entry) => ({ ...entry, trace: '' }))
  assert.deepEqual(withoutTraces(watched.ledger), withoutTraces(alone.ledger))
  const traces = spans('invoke_workflow woodland_tick').map(traceId)
  assert.deepEqual(new Set(watched.ledger.map((entry) => ('trace' in entry ? entry.trace : ''))), new Set(traces))
  assert.equal(traces.length, 4)
})

test('the metrics are those of the vocabulary, with those labels; no tick, trace, order or run among them', async () => {
  const { play, metrics } = wood((ask) => (ask.agent === 'bear' && ask.tick === 2 ? fails(500) : busy(ask)))
  await play(3)
  const found = Object.fromEntries(
    (await metrics()).map(({ descriptor, dataPoints }) => [
      descriptor.name,
      [...new Set(dataPoints.flatMap(({ attributes }) => Object.keys(attributes)))].sort(),
    ]),
  )
  const call = [GEN_AI.OPERATION, GEN_AI.PROVIDER, GEN_AI.REQUEST_MODEL, OTHER.SERVER_ADDRESS, OTHER.SERVER_PORT]
  assert.deepEqual(found, {
    [METRICS.TOKEN_USAGE]: [...call, GEN_AI.AGENT, GEN_AI.TOKEN_TYPE, OTHER.VARIANT].sort(),
    [METRICS.DURATION]: [...call, GEN_AI.AGENT, OTHER.ERROR_TYPE, OTHER.VARIANT].sort(),
    [METRICS.FIRST_CHUNK]: [...call, GEN_AI.AGENT, OTHER.VARIANT].sort(),
    [METRICS.EVALUATION]: [GEN_AI.AGENT, GEN_AI.EVALUATION_NAME],
    [METRICS.DECISIONS]: [GEN_AI.AGENT, OTHER.OUTCOME],
    [METRICS.ACTIVE_TURNS]: [GEN_AI.AGENT],
    [METRICS.OLDEST_TURN]: [GEN_AI.AGENT],
    [METRICS.RETRIES]: [GEN_AI.AGENT],
    [METRICS.TRADES]: [WOODLAND.GOOD],
    [METRICS.PEBBLES]: [GEN_AI.AGENT],
    [METRICS.MOOD]: [GEN_AI.AGENT],
    [METRICS.PRICE]: [WOODLAND.GOOD],
  })
  const values = (await metrics()).flatMap(({ dataPoints }) =>
    dataPoints.flatMap((one) => Object.values(one.attributes)),
  )
  for (const value of values) assert.doesNotMatch(String(value), /run-1|[0-9a-f]{16}|^\d+-[a-z]+-(buy|sell)$/)
})

test('decisions count turns, not attempts, and begin at zero so that the first has an increase', async () => {
  const { play, metrics } = wood(busy)
  const counted = async (name: string, label: string) => {
    const metric = (await metrics()).find(({ descriptor }) => descriptor.name === name)
    return (metric?.dataPoints ?? []).map(({ attributes, value }) => [
      attributes[GEN_AI.AGENT],
      attributes[label],
      value,
    ])
  }
  const before = await counted(METRICS.DECISIONS, OTHER.OUTCOME)
  assert.ok(before.length >= AGENTS.length * 7 && before.every(([, , value]) => value === 0))
  assert.equal((await counted(METRICS.TRADES, WOODLAND.GOOD)).length, GOODS.length)
  await play(1)
  const made = (await counted(METRICS.DECISIONS, OTHER.OUTCOME)).filter(([, , value]) => value !== 0)
  assert.deepEqual(
    made.sort(),
    AGENTS.toSorted().map((agent) => [agent, agent === 'bear' ? 'self_buy' : 'accepted', 1]),
  )
})

test('each turn is judged: readable, allowed, affordable, and traded when it offered something', async () => {
  await wood(busy).play(1)
  const root = only('invoke_workflow woodland_tick')
  const verdicts = (span: ReadableSpan, agent: string) =>
    Object.fromEntries(
      span.events
        .filter(({ name, attributes }) => name === EVENTS.EVALUATION && attributes?.[GEN_AI.AGENT] === agent)
        .map(({ attributes }) => [attributes?.[GEN_AI.EVALUATION_NAME], attributes?.[GEN_AI.EVALUATION_SCORE]]),
    )
  assert.deepEqual(verdicts(only('invoke_agent bear'), 'bear'), { readable: 1, allowed: 0, affordable: 1 })
  assert.deepEqual(verdicts(only('invoke_agent fox'), 'fox'), { readable: 1, allowed: 1, affordable: 1 })
  assert.deepEqual([verdicts(root, 'fox'), verdicts(root, 'bear')], [{ traded: 1 }, {}])
})

test('an evaluation says whether it passed, why, and which prompt was asked', async () => {
  await wood(busy).play(1)
  const turn = only('invoke_agent bear')
  const { variant } = promptFor('bear', newWorld(5), { rumour: undefined, experiment: ADVICE })
  const about = {
    [GEN_AI.AGENT]: 'bear',
    [GEN_AI.PROMPT_VERSION]: versionOf(variant),
    [OTHER.VARIANT]: variant,
  }
  assert.deepEqual(turn.events.filter(({ name }) => name === EVENTS.EVALUATION)[1]?.attributes, {
    [GEN_AI.EVALUATION_NAME]: 'allowed',
    [GEN_AI.EVALUATION_SCORE]: 0,
    [GEN_AI.EVALUATION_LABEL]: 'fail',
    [GEN_AI.EVALUATION_EXPLANATION]: 'The buy order was refused: self_buy.',
    ...about,
  })
  assert.equal(attribute(turn, GEN_AI.PROMPT_VERSION), versionOf(variant))
  const traded = only('invoke_workflow woodland_tick').events.find(
    ({ attributes }) => attributes?.[GEN_AI.AGENT] === 'fox',
  )
  assert.equal(traded?.attributes?.[GEN_AI.EVALUATION_LABEL], undefined)
})

test('a turn is open while it asks, and no turn is open after the run, also when one failed', async () => {
  let asking: Promise<MetricData[]> | undefined
  const { play, metrics } = wood((ask) => {
    if (ask.agent === 'fox') asking ??= metrics()
    return ask.agent === 'bear' ? fails(500) : busy(ask)
  })
  const openIn = (all: readonly MetricData[] = []) =>
    Object.fromEntries(
      all
        .filter(({ descriptor }) => descriptor.name === METRICS.ACTIVE_TURNS)
        .flatMap(({ dataPoints }) => dataPoints.map(({ attributes, value }) => [attributes[GEN_AI.AGENT], value])),
    )
  await play(2)
  assert.equal(openIn(await asking).fox, 1)
  assert.deepEqual(openIn(await metrics()), Object.fromEntries(AGENTS.map((agent) => [agent, 0])))
})

/** Says the canary wherever a model can say anything: in words, as a tool, in its arguments, as a good, unreadably. */
const CANARY = 'pineapple'
const chatty: Model = ({ agent, nth, body }) => {
  if (agent === 'squirrel' && nth === 0) return uses('calculate', `{"expression":"${CANARY}"}`, body)
  if (agent === 'fox' && nth === 0) return uses(CANARY, '{}', body)
  if (agent === 'rabbit' && nth === 0) return says(`I would like a ${CANARY}.`, body)
  if (agent === 'beaver') return says(decision({ buy: side(CANARY, 1) }), body)
  if (agent === 'bear') return says(`${decision({})} ${CANARY}`, body)
  return says(decision({}), body)
}

/** All that a run would send: spans as they ended, and the metrics. */
async function sentWith(capture: Capture): Promise<string> {
  const { play, metrics } = wood(chatty, { capture })
  await play(2)
  const spans = ended.map(({ name, attributes, status, events, links }) => ({
    name,
    attributes,
    status,
    events,
    links,
  }))
  return JSON.stringify([spans, await metrics()])
}

/** What every prompt says, in words. */
const PROMPT = 'creatures trade'

test('by default the content of messages is sent: the collector masks it', async () => {
  const sent = await sentWith('full')
  assert.ok(sent.includes(CANARY) && sent.includes(PROMPT))
})

for (const capture of ['metadata', 'off'] as const) {
  test(`with content capture "${capture}" no word of a prompt, a reply or a tool leaves, and all else does`, async () => {
    const sent = await sentWith(capture)
    for (const word of [CANARY, PROMPT, 'You are', 'I would like', 'expression']) assert.ok(!sent.includes(word), word)
    assert.deepEqual(
      AGENTS.filter((agent) => !sent.includes(`invoke_agent ${agent}`)),
      [],
    )
    const [chat] = spans('chat big', 'squirrel')
    assert.ok(chat && attribute(chat, GEN_AI.INPUT_TOKENS) === 100 && attribute(chat, GEN_AI.REQUEST_MODEL) === 'big')
    assert.deepEqual(spans('execute_tool place_order', 'beaver').map(failure)[0], broken('unknown_good'))
    const [refused] = spans('execute_tool place_order', 'beaver')[0]?.events ?? []
    assert.equal(refused?.attributes?.[WOODLAND.GOOD], 'invented')
  })
}

test('metadata says who spoke and how long; off says neither', async () => {
  await sentWith('metadata')
  const [chat] = spans('chat big', 'squirrel')
  const messages = JSON.parse(String(chat && attribute(chat, GEN_AI.INPUT_MESSAGES)))
  assert.deepEqual(
    messages.map(({ role }: { role: string }) => role),
    ['system', 'user'],
  )
  for (const { parts } of messages) {
    for (const part of parts) {
      assert.deepEqual(Object.keys(part), ['type', 'bytes'])
      assert.ok(part.bytes > 10)
    }
  }
  ended.length = 0
  await sentWith('off')
  for (const span of ended) {
    for (const key of [GEN_AI.INPUT_MESSAGES, GEN_AI.OUTPUT_MESSAGES, GEN_AI.TOOL_ARGUMENTS, GEN_AI.TOOL_RESULT])
      assert.equal(attribute(span, key), undefined, `${key} on ${span.name}`)
  }
})
