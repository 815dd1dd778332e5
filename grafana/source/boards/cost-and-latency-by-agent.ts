import {
  HideSeriesConfigBuilder,
  LineStyleBuilder,
  TableSortByFieldStateBuilder,
} from '@grafana/grafana-foundation-sdk/common'
import { AGENT_COLOURS, REFUSAL_COLOURS } from '../agents.ts'
import type { Board } from '../board.ts'
import { CHECK_COLOURS } from '../colours.ts'
import { agentVariable } from '../datasources.ts'
import { agentBoard, boardLink, exploreTraces, link } from '../links.ts'
import {
  type Asked,
  bars,
  coloured,
  column,
  doubling,
  figure,
  heat,
  line,
  NO_TRAFFIC,
  overTime,
  redAbove,
  redBelow,
  rows,
  sideBySide,
  stacked,
  table,
  tinted,
  width,
} from '../panels.ts'
import * as ask from '../queries.ts'
import { turnsTable } from '../turns.ts'

// A turn asks the model two or three times. Below this, the newest hundred would all be routine.
const SLOW_TURN = '2s'
const SLOW_CALL = '1s'

// An agent decides every 5 s: a shorter step holds so few turns that a rate jumps, and a p95 is just the slowest one.
const STEP = '30s'
const QUANTILE_STEP = '1m'

const AGENT = '{{gen_ai_agent_name}}'

const SMALL = { width: 6, height: 3 }

const figures = [
  figure(
    {
      title: 'Cost per hour',
      description:
        'USD per hour at the pace of the last minute: tokens times the prices in grafana/prices.yaml. If it jumps, see below which agent it is, then open its turns.',
      ...SMALL,
    },
    ask.costPerHour,
    'currencyUSD',
  ).decimals(3),
  figure(
    {
      title: 'Cost in range',
      description:
        'USD spent between the two ends of the chosen range. Tokens are charged at the price of the moment they were used. It is too low while there are tokens without a price.',
      ...SMALL,
    },
    ask.spentInRange,
    'currencyUSD',
  ).decimals(3),
  figure(
    {
      title: 'Spent in 24 h',
      description:
        'USD of the chosen agents in the last 24 hours, whatever the range of the board. After less than a day of traffic it is what was spent so far. What each agent may spend stands in grafana/budgets.yaml.',
      ...SMALL,
    },
    ask.spentInADay,
    'currencyUSD',
  ).decimals(2),
  redBelow(
    figure(
      {
        title: 'Least budget left',
        description:
          'Of the agent that has least left of its budget for 24 hours. Red: it has spent nine tenths or more. See in the table below which agent it is. Nothing is cut off at zero; it then turns negative.',
        ...SMALL,
      },
      ask.leastBudgetLeft,
      'percentunit',
    ).decimals(0),
    0.1,
  ),
  redAbove(
    figure(
      {
        title: 'Unpriced tokens',
        description:
          'Tokens of models that grafana/prices.yaml does not know; they are in no cost on this board. If it is red, the alert ModelWithoutPrice names the model: give it a price and generate the rules.',
        ...SMALL,
      },
      ask.unpricedTokens,
      'short',
    ),
    1,
  ),
  figure(
    {
      title: 'p95 of a turn',
      description:
        'Of 100 turns in the range, 95 were faster. If it rises, compare it with the model call: if both rise, it is the model server; if only turns do, agents ask more often or retry.',
      ...SMALL,
    },
    ask.durationInRange(0.95, 'invoke_agent'),
    's',
  ).decimals(2),
  figure(
    {
      title: 'p95 of a call',
      description:
        'One chat call of the model with its retries, over the range. If it rises for all agents at once, look at the queue of the model server; if for one, at the length of its prompts.',
      ...SMALL,
    },
    ask.durationInRange(0.95, 'chat'),
    's',
  ).decimals(2),
  figure(
    {
      title: 'Turns refused',
      description:
        'Share of turns in the range that ended without an accepted order. Small models are refused often; a jump after a change of prompt or model is the thing to look for. The kinds are below.',
      ...SMALL,
    },
    ask.refusedShareInRange,
    'percentunit',
  ).decimals(1),
]

const byAgent = tinted(
  table(
    {
      title: 'Which agent stands out?',
      description:
        'One row for each agent, over the chosen range, dearest first; only the budget looks back 24 hours. Look for the row that differs: many tokens in means long prompts or many rounds, a high price for an accepted turn means refusals, a high p95 alone means waiting.',
      width: 24,
      height: 8,
    },
    NO_TRAFFIC,
  )
    .withTarget(rows('turns', ask.turnsInRangeByAgent))
    .withTarget(rows('refused', ask.refusedShareInRangeByAgent))
    .withTarget(rows('cost', ask.spentInRangeByAgent))
    .withTarget(rows('budget', ask.budgetLeftByAgent))
    .withTarget(rows('accepted', ask.costPerAcceptedByAgent))
    .withTarget(rows('in', ask.tokensInRangeByAgent('input')))
    .withTarget(rows('out', ask.tokensInRangeByAgent('output')))
    .withTarget(rows('p50', ask.durationInRangeByAgent(0.5, 'invoke_agent')))
    .withTarget(rows('p95', ask.durationInRangeByAgent(0.95, 'invoke_agent')))
    .transformations(
      sideBySide({
        gen_ai_agent_name: 'Agent',
        'Value #cost': 'Cost',
        'Value #budget': 'Budget left',
        'Value #accepted': '$ / accepted',
        'Value #turns': 'Turns',
        'Value #refused': 'Refused',
        'Value #in': 'Tokens in',
        'Value #out': 'Tokens out',
        'Value #p50': 'p50',
        'Value #p95': 'p95',
      }),
    )
    .sortBy([new TableSortByFieldStateBuilder().displayName('Cost').desc(true)])
    .overrideByName('Cost', column('currencyUSD', 4))
    .overrideByName('Budget left', column('percentunit', 0))
    .overrideByName('$ / accepted', [...column('currencyUSD', 6), ...width(95)])
    .overrideByName('Turns', column('short', 0))
    .overrideByName('Refused', column('percentunit', 1))
    .overrideByName('Tokens in', column('short', 1))
    .overrideByName('Tokens out', column('short', 1))
    .overrideByName('p50', column('suffix:s', 2))
    .overrideByName('p95', column('suffix:s', 2))
    .overrideByName('Agent', [
      { id: 'links', value: [{ title: 'The board of this agent', url: agentBoard('__value.text') }] },
    ]),
  'Agent',
  AGENT_COLOURS,
)

const costPerHour = coloured(
  stacked(
    overTime(
      {
        title: 'What does each agent cost per hour?',
        description:
          'USD per hour by agent; the upper edge is the total. A step that stays is a change of prompt, model or price; a peak is one expensive turn: click it and open the turns of that agent.',
        width: 12,
        height: 8,
      },
      'currencyUSD',
    ),
  )
    .decimals(3)
    .withTarget(line('cost', ask.costPerHourByAgent, AGENT))
    .dataLinks([
      link('Turns of this agent', exploreTraces(ask.turnsOfClicked)),
      link('The board of this agent', agentBoard('__field.labels.gen_ai_agent_name')),
    ]),
  AGENT_COLOURS,
)

const tokens = (type: 'input' | 'output', title: string, description: string) =>
  coloured(
    stacked(overTime({ title, description, width: 12, height: 8 }, 'short'))
      .interval(STEP)
      .withTarget(line('tokens', ask.tokensPerMinuteByAgent(type), AGENT))
      .dataLinks([link('Turns of this agent', exploreTraces(ask.turnsOfClicked))]),
    AGENT_COLOURS,
  )

const HIDDEN = new HideSeriesConfigBuilder().viz(true).legend(true).tooltip(true).build()
const DASHED = new LineStyleBuilder().fill('dash').dash([6, 4]).build()
const DASHED_SUFFIX = ' p50'

/** Solid p95, dashed p50, and the exemplars of traces that were kept. */
const duration = (asked: Asked, operation: ask.Operation, links: readonly [title: string, traceql: string][]) =>
  coloured(
    doubling(overTime(asked, 's'))
      .interval(QUANTILE_STEP)
      .withTarget(line('p95', ask.durationByAgent(0.95, operation), AGENT))
      .withTarget(line('p50', ask.durationByAgent(0.5, operation), `${AGENT}${DASHED_SUFFIX}`))
      .withTarget(line('kept', ask.keptDurationByAgent(0.95, operation), `${AGENT} kept`).exemplar(true))
      .overrideByQuery('kept', [{ id: 'custom.hideFrom', value: HIDDEN }])
      .overrideByQuery('p50', [
        { id: 'custom.lineStyle', value: DASHED },
        { id: 'custom.lineWidth', value: 1 },
        { id: 'custom.hideFrom', value: new HideSeriesConfigBuilder().legend(true).build() },
      ])
      .dataLinks(links.map(([title, traceql]) => link(title, exploreTraces(traceql)))),
    Object.fromEntries(
      Object.entries(AGENT_COLOURS).flatMap(([agent, colour]) => [
        [agent, colour],
        [`${agent}${DASHED_SUFFIX}`, colour],
      ]),
    ),
  )

const firstChunk = coloured(
  doubling(
    overTime(
      {
        title: 'When does the first word arrive? (p95)',
        description:
          'From sending a request to the first piece of the streamed reply. It grows with the queue of the model server and the length of the prompt, not with the length of the answer.',
        width: 12,
        height: 8,
      },
      's',
    ),
  )
    .interval(QUANTILE_STEP)
    .withTarget(line('p95', ask.firstChunkByAgent(0.95), AGENT))
    .dataLinks([link(`Calls of this agent over ${SLOW_CALL}`, exploreTraces(ask.slowCallsOfClicked(SLOW_CALL)))]),
  AGENT_COLOURS,
)

const refusals = coloured(
  bars(
    overTime(
      {
        title: 'What is being refused?',
        description:
          'Refused turns per minute by kind. parse_error: the reply could not be read, see the prompt. self_buy: the agent buys what it makes, the classic mistake of a small model. timeout: the model server took too long. The others are the market saying no. Click a bar to open such turns.',
        width: 12,
        height: 10,
      },
      'suffix:/min',
    ),
  )
    .interval(STEP)
    .withTarget(line('refused', ask.refusedPerMinuteByKind, '{{outcome}}'))
    .dataLinks([link('Turns refused like this', exploreTraces(ask.refusedTurnsOfClickedKind))]),
  REFUSAL_COLOURS,
)

const refusalsByAgent = heat(
  table(
    {
      title: 'Who is refused for what?',
      description:
        'Refused turns in the range, by kind and agent. One strong cell is a habit of one agent: read its failed turns below. A strong row is a habit of the prompt or the model.',
      width: 12,
      height: 10,
    },
    'nothing refused',
  )
    .withTarget(rows('refused', ask.refusedInRangeByAgentAndKind))
    .withTransformation({
      id: 'groupingToMatrix',
      options: { rowField: 'outcome', columnField: 'gen_ai_agent_name', valueField: 'Value', emptyValue: 'zero' },
    })
    .withTransformation({ id: 'organize', options: { renameByName: { 'outcome\\gen_ai_agent_name': 'Kind' } } }),
  'Kind',
)

const models = table(
  {
    title: 'What does each model cost?',
    description:
      'One row for each model that was asked: its pace now, its cost, and its tokens in and out in the range. A model with tokens but without a cost has no price in grafana/prices.yaml. If the fallback model costs more than usual, the first one fails: see who answers.',
    width: 12,
    height: 6,
  },
  NO_TRAFFIC,
)
  .withTarget(rows('in', ask.tokensInRangeByModel('input')))
  .withTarget(rows('out', ask.tokensInRangeByModel('output')))
  .withTarget(rows('now', ask.costPerHourByModel))
  .withTarget(rows('cost', ask.spentInRangeByModel))
  .transformations(
    sideBySide({
      gen_ai_request_model: 'Model',
      'Value #now': 'Per hour',
      'Value #cost': 'Cost',
      'Value #in': 'In',
      'Value #out': 'Out',
    }),
  )
  .sortBy([new TableSortByFieldStateBuilder().displayName('Cost').desc(true)])
  .overrideByName('Model', [
    { id: 'custom.minWidth', value: 110 },
    { id: 'custom.cellOptions', value: { type: 'auto', wrapText: true } },
  ])
  .overrideByName('Per hour', [...column('currencyUSD', 3), ...width(75)])
  .overrideByName('Cost', [...column('currencyUSD', 4), ...width(75)])
  .overrideByName('In', [...column('short', 1), ...width(70)])
  .overrideByName('Out', [...column('short', 1), ...width(70)])

const arms = table(
  {
    title: 'Which way of asking does better?',
    description:
      'The same question is asked in two ways, decided by chance for each turn (experiment.variant). Prefer the one that is refused less, unless an accepted turn costs more by it. In a quarter of an hour five points of refusals are chance; look at a day. Charged at the prices of now.',
    width: 12,
    height: 6,
  },
  NO_TRAFFIC,
)
  .withTarget(rows('turns', ask.byArm.turns))
  .withTarget(rows('refused', ask.byArm.refused))
  .withTarget(rows('tokens', ask.byArm.tokensPerTurn))
  .withTarget(rows('accepted', ask.byArm.costPerAccepted))
  .withTarget(rows('p95', ask.byArm.p95))
  .transformations(
    sideBySide({
      experiment_variant: 'Asked',
      'Value #turns': 'Turns',
      'Value #refused': 'Refused',
      'Value #tokens': 'Tokens',
      'Value #accepted': '$ / accepted',
      'Value #p95': 'p95',
    }),
  )
  .overrideByName('Asked', [{ id: 'custom.minWidth', value: 60 }])
  .overrideByName('Turns', column('locale', 0))
  .overrideByName('Refused', column('percentunit', 1))
  .overrideByName('Tokens', column('locale', 0))
  .overrideByName('$ / accepted', [...column('currencyUSD', 6), ...width(88)])
  .overrideByName('p95', [...column('suffix:s', 1), ...width(58)])

const retries = coloured(
  bars(
    overTime(
      {
        title: 'How many retries?',
        description:
          'Retries per minute by agent: the model server answered 429 or 5xx, or not in time. Now and then is nothing. Many at once is the server: see the Pipeline board. Each retry is a wait, and two are all there are before a call fails or another model is asked.',
        width: 8,
        height: 8,
      },
      'suffix:/min',
    ),
  )
    .interval(STEP)
    .decimals(1)
    .withTarget(line('retries', ask.retriesPerMinuteByAgent, AGENT)),
  AGENT_COLOURS,
)

const answering = bars(
  overTime(
    {
      title: 'Who answers?',
      description:
        'Calls per minute by model. The fallback model is asked when a call of the first one failed for good. If its part grows, look at what the model server answers on the Pipeline board; its answers are poorer, and you pay for both.',
      width: 8,
      height: 8,
    },
    'suffix:/min',
  ),
)
  .interval(STEP)
  .decimals(0)
  .withTarget(line('calls', ask.callsPerMinuteByModel, '{{gen_ai_request_model}}'))

const scores = coloured(
  overTime(
    {
      title: 'Which checks pass?',
      description:
        'Share of turns that pass each check: readable, allowed, affordable, traded. Readable falls first when a model is too small; allowed when it forgets the rules; traded when nobody wants its price. The board of an agent has the same for it alone.',
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

export const costAndLatencyByAgent: Board = {
  uid: 'cost-and-latency-by-agent',
  title: 'Cost and latency by agent',
  description:
    'Which agent costs most, which is slow, what was refused. Numbers count every turn; tables, links and exemplars lead to the traces that were kept.',
  variables: [agentVariable()],
  links: [
    boardLink('Ask Tempo', 'Opens Explore with the turns of the chosen agents', exploreTraces(ask.turnsOfChosen)),
  ],
  panels: [
    ...figures,
    byAgent,
    costPerHour,
    duration(
      {
        title: 'How long are turns? (p95, dashed p50)',
        description:
          'One turn of an agent: all its model calls, tools and waits. Diamonds are turns whose trace was kept: click one to open it. If only p95 rises, a few turns retry or wait; if p50 rises too, every turn got slower.',
        width: 12,
        height: 8,
      },
      'invoke_agent',
      [
        [`Turns of this agent over ${SLOW_TURN}`, ask.slowTurnsOfClicked(SLOW_TURN)],
        ['All turns of this agent', ask.turnsOfClicked],
      ],
    ),
    tokens(
      'input',
      'How many tokens a minute are read?',
      'Prompt tokens per minute by agent. They grow with the history and the tools in a prompt, and with every further round. If one agent grows steadily, its prompt is not cut.',
    ),
    tokens(
      'output',
      'How many tokens a minute are written?',
      'Tokens per minute in the replies, by agent: the dearer kind, and the slow one. If it rises, look whether replies became prose instead of the short JSON that was asked for.',
    ),
    duration(
      {
        title: 'How long are calls? (p95, dashed p50)',
        description:
          'One chat call, its retries included. Diamonds are calls whose trace was kept: click one to open it. If all agents rise together, it is the model server.',
        width: 12,
        height: 8,
      },
      'chat',
      [[`Calls of this agent over ${SLOW_CALL}`, ask.slowCallsOfClicked(SLOW_CALL)]],
    ),
    firstChunk,
    refusals,
    refusalsByAgent,
    models,
    arms,
    retries,
    answering,
    scores,
    turnsTable(
      {
        title: `Which turns took longer than ${SLOW_TURN}?`,
        description:
          'The newest hundred such turns whose trace was kept, slowest first. Open one: the widest bar in the waterfall is the reason. Empty is good news, or a policy that keeps no slow traces.',
        width: 24,
        height: 8,
      },
      ask.slowTurns(SLOW_TURN),
      'Duration',
    ),
    turnsTable(
      {
        title: 'Which turns failed?',
        description:
          'The newest hundred turns that ended in an error and whose trace was kept, newest first. Open one and read the place_order span: it says what was wrong with the reply.',
        width: 24,
        height: 8,
      },
      ask.failedTurns,
      'Start time',
    ),
  ],
}
