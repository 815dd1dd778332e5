import type { ChatCompletionMessageParam } from 'openai/resources/chat/completions'
import { roll } from '../../random/random.ts'
import { seasonAt } from '../economy/seasons.ts'
import { AGENTS, type AgentName, CREATURES, GOODS, type World } from '../economy/world.ts'

export const PROMPT_NAME = 'trade'

const TERSE = { version: '1', advice: 'Buy what you need, sell what you can spare.' }
const PROMPTS = {
  terse: TERSE,
  careful: {
    version: '2',
    advice:
      'First think of what you eat each day and what you would miss most in winter. Then offer a fair price: ' +
      'more when a good is scarce, less when your larder is full. Never buy what you make yourself.',
  },
  'without-recall': TERSE,
  'with-recall': {
    version: '3',
    advice: `${TERSE.advice} To learn from your last turn, call recall_last_turn before you decide.`,
  },
} as const

export type Variant = keyof typeof PROMPTS
export const versionOf = (variant: Variant): string => PROMPTS[variant].version

export type Experiment = Readonly<{ id: string; arms: readonly [Variant, Variant] }>

/** The same question asked in two ways, so that boards have an A and a B to compare. */
export const ADVICE: Experiment = { id: 'trade-prompt', arms: ['terse', 'careful'] }
/** In half of the turns agents may ask what happened in their last one. The rest of the prompt is the same. */
export const RECALL: Experiment = { id: 'recall-last-turn', arms: ['without-recall', 'with-recall'] }

export type Prompt = Readonly<{
  experiment: string
  variant: Variant
  version: string
  mayRecall: boolean
  messages: readonly ChatCompletionMessageParam[]
}>

export const UNREADABLE =
  'I could not read that. Answer again with the JSON object alone: {"buy":…,"sell":…,"mood":…}, and nothing around it.'

/** What is the same in all prompts of a run. */
export type Asking = Readonly<{ rumour: string | undefined; experiment: Experiment }>

export function promptFor(agent: AgentName, world: World, { rumour, experiment }: Asking): Prompt {
  const variant = experiment.arms[roll(world.seed, world.tick, agent, experiment.id) < 0.5 ? 0 : 1]
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
    experiment: experiment.id,
    variant,
    version,
    mayRecall: variant === 'with-recall',
    messages: [
      { role: 'system', content: system },
      { role: 'user', content: user },
    ],
  }
}
