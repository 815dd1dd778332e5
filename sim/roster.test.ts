import assert from 'node:assert/strict'
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { execa } from 'execa'
import type { Ask } from './agents/ask.ts'
import { ADVICE } from './agents/prompt.ts'
import { AGENTS } from './economy/world.ts'

const ROOT = resolve(import.meta.dirname, '..')
const ROSTER = 'sim/economy/world.ts'
const ROOMS = ['sim', 'vocabulary', 'random', 'explain', 'otlp']
const TICKS = 20

/** The simulator with one more agent, which is in the roster and nowhere else. */
function withStoat(): string {
  const copy = mkdtempSync(join(tmpdir(), 'roster-'))
  for (const name of [...ROOMS, 'package.json', 'tsconfig.json'])
    cpSync(join(ROOT, name), join(copy, name), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))
  const roster = readFileSync(join(copy, ROSTER), 'utf8')
  const lastLine = roster.match(/^ {2}\w+: \{ produces: .*\n(?=\})/m)?.[0]
  assert.ok(lastLine, `${ROSTER} lists no agents that this test can read`)
  const stoat = "  stoat: { produces: 'mushrooms', needs: ['acorns', 'berries'] },\n"
  writeFileSync(join(copy, ROSTER), roster.replace(lastLine, lastLine + stoat))
  return copy
}

test('one more agent is one line in one file: it decides, buys and sells, and the world still adds up', async (t) => {
  const copy = withStoat()
  t.after(() => rmSync(copy, { recursive: true }))
  const load = (path: string) => import(pathToFileURL(join(copy, 'sim', path)).href)
  const { placeOrderWith, takeTurnWith }: typeof import('./agents/decide.ts') = await load('agents/decide.ts')
  const { seal }: typeof import('./economy/queue.ts') = await load('economy/queue.ts')
  const { market, tickWith }: typeof import('./economy/tick.ts') = await load('economy/tick.ts')
  const { newWorld, totalPebbles }: typeof import('./economy/world.ts') = await load('economy/world.ts')
  const { ratesOf }: typeof import('./mock-vllm/faults.ts') = await load('mock-vllm/faults.ts')
  const { replyTo }: typeof import('./mock-vllm/reply.ts') = await load('mock-vllm/reply.ts')
  const { readRequest }: typeof import('./mock-vllm/request.ts') = await load('mock-vllm/request.ts')

  const ask: Ask = async ({ agent, messages, seed }) => {
    const request = readRequest(JSON.stringify({ messages, seed, user: agent }), ['mock'], 8192)
    assert.ok('state' in request)
    const { pieces, finish } = replyTo(request, ratesOf('calm', []))
    return {
      id: 'mock',
      model: 'mock',
      text: pieces.join(''),
      toolCalls: [],
      finishReason: finish,
      inputTokens: request.promptTokens,
      outputTokens: pieces.length,
      firstChunkSeconds: 0,
    }
  }
  const queue: string[] = []
  const takeTurn = takeTurnWith(
    {
      ask,
      useTool: () => assert.fail('no tool was offered'),
      placeOrder: placeOrderWith((order) => queue.push(seal(order, {}))),
      clock: () => 0,
    },
    { model: 'mock', fallbackModel: undefined },
    { rumour: undefined, experiment: ADVICE },
  )
  const playTick = tickWith({
    decide: (agent, world) => takeTurn(agent, world, new AbortController().signal),
    receive: () => queue.splice(0),
    market,
  })

  // Each tick throws when a good or a pebble is made or lost.
  const roles = new Set<string>()
  let state = { world: newWorld(1), book: [] as readonly string[] }
  for (let played = 0; played < TICKS; played++) {
    const { turns, clearings, after } = await playTick(state)
    assert.deepEqual(
      turns.map(({ agent, outcome }) => `${agent} ${outcome}`),
      [...AGENTS, 'stoat'].map((agent) => `${agent} accepted`),
    )
    for (const { buyer, seller } of clearings.flatMap(({ trades }) => trades))
      roles.add(`${buyer} buys`).add(`${seller} sells`)
    state = after
  }
  assert.equal(totalPebbles(state.world), 1000 * (AGENTS.length + 1))
  const expected = [...AGENTS, 'stoat'].flatMap((agent) => [`${agent} buys`, `${agent} sells`])
  assert.deepEqual([...roles].sort(), expected.sort())
})

test('with one more agent everything still type-checks: no other file has a list of its own', async (t) => {
  const copy = withStoat()
  t.after(() => rmSync(copy, { recursive: true }))
  await execa('tsc', ['--project', copy], { preferLocal: true, localDir: ROOT })
})

test('no file of the simulator but the roster and tests names an agent', () => {
  const names = new RegExp(`\\b(${AGENTS.join('|')})\\b`)
  const files = globSync('sim/**/*.ts', { cwd: ROOT }).filter((file) => !file.endsWith('.test.ts') && file !== ROSTER)
  assert.ok(files.length > 20)
  for (const file of files) assert.doesNotMatch(readFileSync(join(ROOT, file), 'utf8'), names, file)
})
