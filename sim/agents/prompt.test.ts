import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AGENTS, CREATURES, newWorld, perGood, type World } from '../economy/world.ts'
import { ADVICE, type Asking, type Prompt, promptFor, RECALL, type Variant } from './prompt.ts'

const ASKING: Asking = { rumour: undefined, experiment: ADVICE }

const textOf = (prompt: Prompt, role: string): string => {
  const message = prompt.messages.find((one) => one.role === role)
  assert.ok(message && typeof message.content === 'string')
  return message.content
}

/** The same world in another tick draws another variant. */
function drawn(variant: Variant): Prompt {
  for (let tick = 0; tick < 50; tick++) {
    const prompt = promptFor('fox', { ...newWorld(1), tick }, ASKING)
    if (prompt.variant === variant) return prompt
  }
  throw new Error(`no ${variant} prompt in 50 ticks`)
}

test('the prompt ends with a line `State: {json}` that tells an agent all it knows, in pebbles', () => {
  const start = newWorld(1)
  const world: World = {
    ...start,
    tick: 40,
    agents: { ...start.agents, fox: { ...start.agents.fox, pebbles: 1234 } },
    prices: { ...start.prices, honey: 125 },
  }
  const last =
    textOf(promptFor('fox', world, ASKING), 'user')
      .split('\n')
      .at(-1) ?? ''
  assert.ok(last.startsWith('State: '))
  assert.deepEqual(JSON.parse(last.slice('State: '.length)), {
    tick: 40,
    season: 'winter',
    agent: 'fox',
    produces: 'mushrooms',
    needs: ['acorns', 'honey'],
    pebbles: 12.34,
    mood: 0.8,
    goods: perGood(() => 3),
    last_prices: { ...perGood(() => null), honey: 1.25 },
  })
})

test('the prompt says to each agent who it is, what it makes and needs, and the shape of the answer', () => {
  for (const agent of AGENTS) {
    const system = textOf(promptFor(agent, newWorld(1), ASKING), 'system')
    for (const word of [agent, CREATURES[agent].produces, ...CREATURES[agent].needs, '"buy"', '"sell"', '"mood"']) {
      assert.ok(system.includes(word), `${agent}: ${word}`)
    }
  }
})

test('the two variants ask in other words, under another version, about the same state', () => {
  const terse = drawn('terse')
  const careful = drawn('careful')
  assert.notEqual(textOf(terse, 'system'), textOf(careful, 'system'))
  assert.notEqual(terse.version, careful.version)
  assert.match(textOf(terse, 'user'), /^State: \{/m)
  assert.match(textOf(careful, 'user'), /^State: \{/m)
})

test('the arm that may recall says so, and is the same as the other but for that', () => {
  const arms = Array.from({ length: 20 }, (_, tick) =>
    promptFor('fox', { ...newWorld(1), tick }, { ...ASKING, experiment: RECALL }),
  )
  const [may, not] = [true, false].map((mayRecall) => arms.find((one) => one.mayRecall === mayRecall))
  assert.ok(may && not)
  assert.deepEqual(
    [may, not].map(({ experiment, variant }) => [experiment, variant]),
    [
      ['recall-last-turn', 'with-recall'],
      ['recall-last-turn', 'without-recall'],
    ],
  )
  const hint = ' To learn from your last turn, call recall_last_turn before you decide.'
  assert.equal(textOf(may, 'system').replace(hint, ''), textOf(not, 'system'))
  assert.notEqual(textOf(may, 'system'), textOf(not, 'system'))
})

test('the variant is drawn evenly, by seed, for each agent and tick', () => {
  const draw = (seed: number) =>
    Array.from({ length: 200 }, (_, tick) =>
      AGENTS.map((agent) => promptFor(agent, { ...newWorld(seed), tick }, ASKING).variant),
    ).flat()
  const drawn = draw(1)
  const share = drawn.filter((variant) => variant === 'careful').length / drawn.length
  assert.ok(share > 0.45 && share < 0.55, `careful in ${share}`)
  assert.deepEqual(draw(1), draw(1))
  assert.notDeepEqual(draw(1), draw(2))
})

test('a rumour is in the prompt, before the state, and only when there is one', () => {
  const user = (rumour: string | undefined) => textOf(promptFor('fox', newWorld(1), { ...ASKING, rumour }), 'user')
  assert.match(user('honey is poisoned'), /honey is poisoned\nState: /)
  assert.doesNotMatch(user(undefined), /They say/)
})
