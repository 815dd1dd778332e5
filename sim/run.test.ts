import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TakeTurn, Turn } from './agents/decide.ts'
import { type Message, open, seal } from './economy/queue.ts'
import { type AgentName, type Good, newWorld, type Order, totalPebbles } from './economy/world.ts'
import type { Entry } from './ledger.ts'
import { type Market, market, playTickWith, run, type State } from './run.ts'

type Offer = Readonly<{ side: Order['side']; good: Good; price: number; quantity?: number }>
type Offers = (agent: AgentName, tick: number) => readonly Offer[]

const start: State = { world: newWorld(3), book: [] }

/** A wood whose creatures place orders without asking a model; each has a trace context of its own. */
function wood(offers: Offers, { watch = market, delay = (_agent: AgentName): number => 0 } = {}) {
  const queue: Message[] = []
  const takeTurn: TakeTurn = async (agent, world) => {
    await new Promise((resolve) => setTimeout(resolve, delay(agent)))
    const orders = offers(agent, world.tick).map(
      (offer, index): Order => ({
        quantity: 1,
        ...offer,
        id: `${world.tick}-${agent}-${index}`,
        tick: world.tick,
        agent,
      }),
    )
    for (const order of orders) queue.push(seal(order, { traceparent: `00-${order.id}` }))
    const turn: Turn = {
      agent,
      variant: 'terse',
      outcome: 'accepted',
      decision: { mood: 0.5 },
      orders,
      refused: [],
      attempts: 1,
      toolCalls: 0,
      calls: [{ attempt: 1, model: 'big', outcome: 'ok', inputTokens: 10, outputTokens: 2, ms: 0 }],
      ms: 0,
    }
    return turn
  }
  const never = new AbortController().signal
  return playTickWith({
    takeTurn,
    market: watch,
    receive: () => queue.splice(0),
    tickLimits: () => ({ tick: never, agent: () => never }),
  })
}

const bookOf = (state: State) => state.book.map((message) => open(message).order.id)

/** The rabbit offers berries in tick 0; the fox wants some in the tick that is named. */
const foxComesIn =
  (arrival: number): Offers =>
  (agent, tick) => {
    if (agent === 'rabbit' && tick === 0) return [{ side: 'sell', good: 'berries', price: 100 }]
    if (agent === 'fox' && tick === arrival) return [{ side: 'buy', good: 'berries', price: 120 }]
    return []
  }

test('an unfilled order waits one tick, with its trace context, and trades if someone comes', async () => {
  const play = wood(foxComesIn(1))
  const first = await play(start)
  assert.deepEqual(bookOf(first.after), ['0-rabbit-0'])
  assert.deepEqual(open(first.after.book[0] ?? '').carrier, { traceparent: '00-0-rabbit-0' })
  const second = await play(first.after)
  assert.deepEqual(second.clearings[0]?.trades[0]?.orders, ['1-fox-0', '0-rabbit-0'])
  assert.deepEqual(bookOf(second.after), [])
})

test('after that tick it is gone', async () => {
  const play = wood(foxComesIn(2))
  const first = await play(start)
  const second = await play(first.after)
  assert.deepEqual([bookOf(first.after), bookOf(second.after)], [['0-rabbit-0'], []])
  const third = await play(second.after)
  assert.deepEqual(third.clearings[0]?.trades, [])
})

test('what is left of an order that was partly filled waits too', async () => {
  const { after } = await wood((agent) => {
    if (agent === 'rabbit') return [{ side: 'sell', good: 'berries', price: 100, quantity: 3 }]
    return agent === 'fox' ? [{ side: 'buy', good: 'berries', price: 120 }] : []
  })(start)
  assert.deepEqual(
    after.book.map((message) => open(message).order.quantity),
    [2],
  )
})

test('an order that waited is guarded again: who is broke by then is refused', async () => {
  const play = wood((agent, tick) => {
    if (agent === 'fox' && tick === 0) return [{ side: 'buy', good: 'honey', price: 900 }]
    if (agent === 'bear' && tick === 1) return [{ side: 'sell', good: 'honey', price: 900 }]
    return []
  })
  const { after } = await play(start)
  assert.deepEqual(bookOf(after), ['0-fox-0'])
  const { agents } = after.world
  const moved = { ...agents, fox: { ...agents.fox, pebbles: 100 }, bear: { ...agents.bear, pebbles: 1900 } }
  const second = await play({ ...after, world: { ...after.world, agents: moved } })
  assert.deepEqual(
    second.clearings.flatMap(({ refused }) => refused.map(({ order, reason }) => [order.id, reason])),
    [['0-fox-0', 'cannot_afford']],
  )
})

test('who decides first changes nothing', async () => {
  const offers: Offers = (agent) =>
    agent === 'rabbit' ? [{ side: 'sell', good: 'berries', price: 90 }] : [{ side: 'buy', good: 'berries', price: 100 }]
  const slow = (names: readonly AgentName[]) => (agent: AgentName) => 3 * names.indexOf(agent)
  const one = await wood(offers, { delay: slow(['fox', 'bear', 'squirrel', 'beaver', 'rabbit']) })(start)
  const other = await wood(offers, { delay: slow(['rabbit', 'beaver', 'squirrel', 'bear', 'fox']) })(start)
  assert.equal(one.clearings[0]?.trades.length, 1)
  assert.deepEqual([one.after, one.clearings], [other.after, other.clearings])
})

test('a market that makes or loses anything stops the run with an error that names the tick', async () => {
  const offers: Offers = () => [{ side: 'sell', good: 'berries', price: 100 }]
  const minting: Market = (world, good, messages) => {
    const { fox } = world.agents
    const agents = { ...world.agents, fox: { ...fox, pebbles: fox.pebbles + 1 } }
    return market({ ...world, agents }, good, messages)
  }
  const losing: Market = (world, good, messages) => {
    const { fox } = world.agents
    const agents = { ...world.agents, fox: { ...fox, goods: { ...fox.goods, honey: 0 } } }
    return market({ ...world, agents }, good, messages)
  }
  const later: State = { ...start, world: { ...start.world, tick: 9 } }
  await assert.rejects(wood(offers, { watch: minting })(later), /^Error: tick 9: pebbles are not conserved/)
  await assert.rejects(wood(offers, { watch: losing })(later), /^Error: tick 9: honey are not conserved/)
})

function playing({ ticks = 3, intervalMs = 0, stop = new AbortController().signal } = {}) {
  const ledger: Entry[] = []
  let played = 0
  const done = run(start, {
    ticks,
    intervalMs,
    stop,
    playTick: wood(() => []),
    clock: () => performance.now(),
    ledger: { write: (entry) => void ledger.push(entry), close: async () => {} },
    traceOf: ({ before }) => `trace-${before.tick}`,
    onTick: () => played++,
  })
  return { done, ledger, played: () => played }
}

test('the ledger has a line for each call, each turn and each tick, with the trace of its tick', async () => {
  const { done, ledger } = playing({ ticks: 2 })
  await done
  const count = (kind: Entry['kind']) => ledger.filter((entry) => entry.kind === kind).length
  assert.deepEqual([count('call'), count('turn'), count('tick')], [10, 10, 2])
  for (const entry of ledger) assert.ok(entry.kind !== 'run' && entry.trace === `trace-${entry.tick}`)
  const last = ledger.at(-1)
  assert.ok(last?.kind === 'tick')
  assert.deepEqual([last.tick, last.tokens, last.pebbles], [1, 60, totalPebbles(start.world) / 100])
})

test('a stop ends the wait between two ticks, and never a tick', { timeout: 5000 }, async () => {
  const stop = new AbortController()
  const { done, ledger, played } = playing({ ticks: 100, intervalMs: 60_000, stop: stop.signal })
  while (played() < 1) await new Promise((resolve) => setTimeout(resolve, 5))
  stop.abort()
  await done
  assert.equal(played(), 1)
  assert.equal(ledger.at(-1)?.kind, 'tick')
})
