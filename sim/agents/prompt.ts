import type { ChatCompletionMessageParam } from 'openai/resources/chat/completions'
import { roll } from '../../random/random.ts'
import { seasonAt } from '../economy/seasons.ts'
import { AGENTS, type AgentName, CREATURES, GOODS, type World } from '../economy/world.ts'

/** The experiment: the same question asked in two ways, so that boards have an A and a B to compare. */
export const EXPERIMENT = { id: 'trade-prompt', prompt: 'trade' }

const PROMPTS = {
  terse: { version: '1', advice: 'Buy what you need, sell what you can spare.' },
  careful: {
    version: '2',
    advice:
      'First think of what you eat each day and what you would miss most in winter. Then offer a fair price: ' +
      'more when a good is scarce, less when your larder is full. Never buy what you make yourself.',
  },
} as const

export type Variant = keyof typeof PROMPTS
export const versionOf = (variant: Variant): string => PROMPTS[variant].version
export type Prompt = Readonly<{ variant: Variant; version: string; messages: readonly ChatCompletionMessageParam[] }>

export const UNREADABLE =
  'I could not read that. Answer again with the JSON object alone: {"buy":…,"sell":…,"mood":…}, and nothing around it.'

export function promptFor(agent: AgentName, world: World, rumour: string | undefined): Prompt {
  const variant: Variant = roll(world.seed, world.tick, agent, EXPERIMENT.id) < 0.5 ? 'terse' : 'careful'
  const { version, advice } = PROMPTS[variant]
  const { produces, needs } = CREATURES[agent]
  const { pebbles, mood, goods } = world.agents[agent]
  const season = seasonAt(world.tick)
  const state = {
    tick: world.tick,
    season,
    agent,
    produces,
    needs,
    pebbles: pebbles / 100,
    mood,
    goods,
    last_prices: Object.fromEntries(
      GOODS.map((good) => [good, world.prices[good] === null ? null : world.prices[good] / 100]),
    ),
  }
  const system =
    `You are the ${agent} of a small wood, where ${AGENTS.length} creatures trade. You make ${produces}; ` +
    `each day you need ${needs.join(' and ')}. ${advice} Answer with one JSON object: ` +
    '{"buy":{"good","price","quantity"},"sell":{"good","price","quantity"},"mood":0..1}. ' +
    'Prices are pebbles for one unit; buy or sell may be null.'
  const user = [`It is ${season}.`, ...(rumour ? [`They say: ${rumour}`] : []), `State: ${JSON.stringify(state)}`].join(
    '\n',
  )
  return {
    variant,
    version,
    messages: [
      { role: 'system', content: system },
      { role: 'user', content: user },
    ],
  }
}
