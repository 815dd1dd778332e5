import { AGENT_COLOURS, REFUSAL_COLOURS } from '../agents.ts'
import type { Board } from '../board.ts'
import { CHECK_COLOURS } from '../colours.ts'
import { questionsPanel } from '../cookbook.ts'
import { oneAgentVariable } from '../datasources.ts'
import { allAgentsBoard, boardLink, exploreTraces, link } from '../links.ts'
import * as own from '../one-agent-queries.ts'
import {
  bars,
  coloured,
  column,
  doubling,
  figure,
  line,
  NO_TRAFFIC,
  overTime,
  rows,
  sideBySide,
  table,
} from '../panels.ts'
import * as ask from '../queries.ts'
import { turnsTable } from '../turns.ts'

const SLOW_TURN = '2s'
const DEAR_TURN = 1000
const STEP = '30s'
const AGENT = '{{gen_ai_agent_name}}'
const SMALL = { width: 8, height: 3 }

const figures = [
  figure(
    {
      title: 'Cost in range',
      description:
        'USD that this agent spent between the two ends of the chosen range. If it is too much, see below whether it is many calls a turn or many tokens a call.',
      ...SMALL,
    },
    ask.spentInRange,
    'currencyUSD',
  ).decimals(4),
  figure(
    {
      title: 'Calls per turn',
      description:
        'Model calls for one decision, over the range. Two or three are usual: a tool or two, then the answer. Above six it loops: open its longest turns and read what it is told after each call.',
      ...SMALL,
    },
    own.callsPerTurn,
    'short',
  ).decimals(1),
  figure(
    {
      title: 'Turns refused',
      description:
        'Share of its turns in the range that ended without an accepted order. The kinds are below; one kind alone is a habit that the prompt can cure.',
      ...SMALL,
    },
    ask.refusedShareInRange,
    'percentunit',
  ).decimals(1),
  figure(
    {
      title: 'p95 of a turn',
      description:
        'Of 100 of its turns in the range, 95 were faster. If it is high and the call beside it is not, the agent asks too often; if both are, the model server is slow.',
      ...SMALL,
    },
    ask.durationInRange(0.95, 'invoke_agent'),
    's',
  ).decimals(2),
  figure(
    {
      title: 'p95 of a call',
      description:
        'One chat call of this agent with its retries. Compare it with the other agents on the board of all: if only this one is slow, its prompts are long.',
      ...SMALL,
    },
    ask.durationInRange(0.95, 'chat'),
    's',
  ).decimals(2),
  figure(
    {
      title: 'Retries a minute',
      description:
        'HTTP requests that had to be sent again for this agent. Now and then is nothing; a steady rate means that the model server refuses or drops it, and every retry is a wait.',
      ...SMALL,
    },
    own.retriesPerMinute,
    'suffix:/min',
  ).decimals(1),
]

const holdings = coloured(
  overTime(
    {
      title: 'Is it getting richer?',
      description:
        'Pebbles of this agent. All pebbles together never change, so what it gains others lose. A flat line at the bottom means that it can buy nothing, whatever it decides.',
      width: 8,
      height: 8,
    },
    'short',
  )
    .decimals(2)
    .withTarget(line('pebbles', own.pebbles, AGENT)),
  AGENT_COLOURS,
)

const moods = coloured(
  overTime(
    {
      title: 'How does it feel?',
      description:
        'Mood from 0.1 to 1, as the agent says of itself and as hunger and cold push it. A fall that stays means that it goes without what it needs: look at its refusals.',
      width: 8,
      height: 8,
    },
    'percentunit',
  )
    .max(1)
    .withTarget(line('mood', own.mood, AGENT)),
  AGENT_COLOURS,
)

const scores = coloured(
  overTime(
    {
      title: 'Which checks does it pass?',
      description:
        'Share of its turns that pass each check: readable, allowed, affordable, traded. Readable falls first when a model is too small; traded falls when prices are off.',
      width: 8,
      height: 8,
    },
    'percentunit',
  )
    .max(1)
    .interval(STEP)
    .withTarget(line('score', ask.scoreByCheck, '{{gen_ai_evaluation_name}}')),
  CHECK_COLOURS,
)

const tokens = overTime(
  {
    title: 'How long are its prompts and replies?',
    description:
      'Tokens per call, read and written. Prompts grow with the history and with what tools answer; replies grow when the model begins to explain itself instead of answering.',
    width: 12,
    height: 8,
  },
  'short',
)
  .interval(STEP)
  .withTarget(line('in', own.tokensPerCall('input'), 'read'))
  .withTarget(line('out', own.tokensPerCall('output'), 'written'))

const duration = doubling(
  overTime(
    {
      title: 'How long are its turns?',
      description:
        'p95 and p50 of its turns. If only p95 rises, a few turns retry or wait; if p50 rises too, every turn got slower. Click a point to open its slow turns.',
      width: 12,
      height: 8,
    },
    's',
  ),
)
  .interval('1m')
  .withTarget(line('p95', ask.durationByAgent(0.95, 'invoke_agent'), 'p95'))
  .withTarget(line('p50', ask.durationByAgent(0.5, 'invoke_agent'), 'p50'))
  .dataLinks([link(`Its turns over ${SLOW_TURN}`, exploreTraces(ask.slowTurnsOfClicked(SLOW_TURN)))])

const refusals = coloured(
  bars(
    overTime(
      {
        title: 'What is it refused for?',
        description:
          'Its refused turns per minute by kind. parse_error: the reply could not be read. self_buy: it buys what it makes. timeout: the model server took too long. Click a bar to open such turns.',
        width: 12,
        height: 8,
      },
      'suffix:/min',
    ),
  )
    .interval(STEP)
    .withTarget(line('refused', ask.refusedPerMinuteByKind, '{{outcome}}'))
    .dataLinks([link('Turns refused like this', exploreTraces(ask.refusedTurnsOfClickedKind))]),
  REFUSAL_COLOURS,
)

const tools = table(
  {
    title: 'Which tools does it use?',
    description:
      'Tool calls of this agent in the range, and how many went wrong. place_order is how a decision is handed in; it goes wrong when the order is refused. A tool that always fails is asked for in a way it does not understand.',
    width: 12,
    height: 8,
  },
  NO_TRAFFIC,
)
  .withTarget(rows('calls', own.toolsInRange))
  .withTarget(rows('errors', own.toolErrorsInRange))
  .transformations(sideBySide({ span_name: 'Tool', 'Value #calls': 'Calls', 'Value #errors': 'Errors' }))
  .overrideByName('Tool', [{ id: 'custom.width', value: 210 }])
  .overrideByName('Calls', column('short', 0))
  .overrideByName('Errors', column('short', 0))

export const oneAgent: Board = {
  uid: 'one-agent',
  title: 'One agent',
  description:
    'What one agent does differently: its cost, its pebbles and mood, its tools, its refusals, and the turns to read. Choose it above.',
  variables: [oneAgentVariable()],
  links: [
    boardLink('Ask Tempo', 'Opens Explore with the turns of this agent', exploreTraces(ask.turnsOfChosen)),
    boardLink('All agents', 'Compare it with the others', allAgentsBoard),
  ],
  panels: [
    ...figures,
    holdings,
    moods,
    scores,
    tokens,
    duration,
    refusals,
    tools,
    turnsTable(
      {
        title: `Which of its turns took longer than ${SLOW_TURN}?`,
        description:
          'The newest hundred such turns whose trace was kept, slowest first. Open one: the widest bar in the waterfall is the reason.',
        width: 24,
        height: 8,
      },
      ask.slowTurns(SLOW_TURN),
      'Duration',
    ),
    turnsTable(
      {
        title: 'Which of its turns were dear?',
        description: `The newest hundred kept turns with more than ${DEAR_TURN} tokens, dearest first. Open one and see which call has the long prompt; its text is easier to read in Phoenix: click when it began.`,
        width: 24,
        height: 8,
      },
      own.turnsByTokens(DEAR_TURN),
      'Tokens',
    ),
    turnsTable(
      {
        title: 'Which of its turns failed?',
        description:
          'The newest hundred of its turns that ended in an error and whose trace was kept. Open one and read the place_order span: it says what was wrong with the reply.',
        width: 24,
        height: 8,
      },
      ask.failedTurns,
      'Start time',
    ),
    questionsPanel(24, 15),
  ],
}
