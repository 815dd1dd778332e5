import { HideSeriesConfigBuilder, LineStyleBuilder } from '@grafana/grafana-foundation-sdk/common'
import type { Board } from '../board.ts'
import { AGENT_COLOURS, CHECK_COLOURS, MODEL_COLOURS, OTHERS_COLOUR, REFUSAL_COLOURS } from '../colours.ts'
import { agentVariable, serviceVariable } from '../datasources.ts'
import { agentBoard, boardLink, exploreTraces, link } from '../links.ts'
import { CREATURES_ONLY, figure, NO_TURNS, overTime } from '../panels.ts'
import * as ask from '../queries.ts'
import { settings } from '../settings.ts'
import { column, heat, key, sideBySide, table, tinted, width } from '../tables.ts'
import { line, rows } from '../targets.ts'
import { turnsTable } from '../turns.ts'

// An agent decides every 5 s: a shorter step holds so few turns that a rate jumps.
const STEP = '30s'
const QUANTILE_STEP = '30s'

const AGENT = '{{gen_ai_agent_name}}'
const { slowCall } = settings
const colours = AGENT_COLOURS
const FEW_LINES = `Lines are drawn for the ${ask.LINES} agents with most tokens in the range; the box Agent chooses others.`
const FEW_AREAS = `The ${ask.LINES} agents with most tokens in the range have their own colour; the box Agent chooses others.`

/** Areas by agent, whose upper edge is the total. No link leads to those that share one area. */
const areas = (
  title: string,
  look: Readonly<{ unit: string; decimals?: number; step?: string }>,
  target: ReturnType<typeof line>,
  ...links: readonly ReturnType<typeof link>[]
) =>
  overTime(title, { ...look, as: 'areas', colours: { ...colours, [ask.OTHERS]: OTHERS_COLOUR } }, target)
    .dataLinks([link('Turns of this agent', exploreTraces(ask.turnsOfClicked)), ...links])
    .overrideByName(ask.OTHERS, [{ id: 'links', value: [] }])

const figures = [
  figure('Cost per hour', ask.costPerHour, { unit: 'currencyUSD', decimals: 3 }).description(
    'USD per hour at the pace of the last minute: tokens times the prices of the catalogue, or of grafana/prices.yaml. Where a price depends on the size of the prompt, its base price counts. If it jumps, see below which agent it is, then open its turns.',
  ),
  figure('Cost in range', ask.spentInRange, { unit: 'currencyUSD', decimals: 3 }).description(
    'USD spent between the two ends of the chosen range. Tokens are charged at the price of the moment they were used. It is too low while there are tokens without a price.',
  ),
  figure('Spent in 24 h', ask.spentInADay, { unit: 'currencyUSD', decimals: 2 }).description(
    'USD of the chosen agents in the last 24 hours, whatever the range of the board is. After less than a day of traffic it is what was spent so far. grafana/budgets.yaml says what each agent may spend.',
  ),
  figure('Least budget left', ask.leastBudgetLeft, {
    unit: 'percentunit',
    decimals: 0,
    redBelow: settings.budgetLeftPercent / 100,
  }).description(
    `Of the agent that has the smallest part left of its budget for 24 hours. Red: less than ${settings.budgetLeftPercent} %. The table below shows which agent it is. Nothing is cut off at zero; the number then turns negative.`,
  ),
  figure('Unpriced tokens', ask.unpricedTokens, { unit: 'short', redAbove: 1 }).description(
    'Tokens of models that neither the price catalogue nor grafana/prices.yaml knows; they are in no cost on this board. If it is red, the alert ModelWithoutPrice names the model, and its text is the line to paste. Then run make prices.',
  ),
  figure('p95 of a turn', ask.durationInRange(0.95, 'invoke_agent'), {
    unit: 'suffix: s',
    decimals: 2,
    none: NO_TURNS,
  }).description(
    'Of 100 turns in the range, 95 were faster. If it rises, compare it with the model call: if both rise, it is the model server; if only turns do, agents ask more often or retry.',
  ),
  figure('p95 of a call', ask.durationInRange(0.95, 'chat'), { unit: 'suffix: s', decimals: 2 }).description(
    'One chat call of the model with its retries, over the range. If it rises for all agents at once, look at the queue of the model server; if for one, at the length of its prompts.',
  ),
  figure('Turns refused', ask.refusedShareInRange, {
    unit: 'percentunit',
    decimals: 1,
    none: CREATURES_ONLY,
  }).description(
    'Share of turns in the range that ended without an accepted order. Small models are refused often; a jump after a change of prompt or model is the thing to look for. The kinds are below.',
  ),
]

const byAgent = sideBySide(
  table('Which agent stands out?', { width: 24, height: 10 }).description(
    'One row for each agent, over the chosen range, most costly first; only the budget, of which is written what is left, looks back 24 hours. In and out are tokens. Look for the row that differs: many in means long prompts or many rounds, more calls than turns means rounds and retries, a high p95 alone means waiting. Failed: turns and calls that ended in an error. p50 and p95 are those of a turn; of an agent that sends no turns, those of a call. Refused: the market of the creatures said no. A call that names no agent counts under its service: make inspect SERVICE=… has the fix, and the Agent map estimates whose it is. If the service has no name either, it is (no agent name).',
  ),
  [
    key('gen_ai_agent_name', 'Agent', ...tinted(colours), width(160), {
      id: 'links',
      value: [{ title: 'The board of this agent', url: agentBoard('__value.text') }],
    }),
  ],
  [
    column('cost', 'Cost', ask.spentInRangeByAgent, 'currencyUSD', 4),
    column('budget', 'Budget', ask.budgetLeftByAgent, 'percentunit', 0),
    column('turns', 'Turns', ask.turnsInRangeByAgent, 'locale', 0),
    column('calls', 'Calls', ask.callsInRangeByAgent, 'locale', 0),
    column('failed', 'Failed', ask.failedShareInRangeByAgent, 'percentunit', 1),
    column('refused', 'Refused', ask.refusedShareInRangeByAgent, 'percentunit', 1),
    column('in', 'In', ask.tokensInRangeByAgent('input'), 'short', undefined),
    column('out', 'Out', ask.tokensInRangeByAgent('output'), 'short', undefined),
    column('p50', 'p50', ask.durationInRangeByAgent(0.5), 'suffix: s', 2),
    column('p95', 'p95', ask.durationInRangeByAgent(0.95), 'suffix: s', 2),
  ],
  'Cost',
)

const costPerHour = areas(
  'What does each agent cost per hour?',
  { unit: 'currencyUSD', decimals: 3 },
  line('cost', ask.costPerHourByAgent, AGENT),
  link('The board of this agent', agentBoard('__field.labels.gen_ai_agent_name')),
).description(
  `USD per hour by agent; the upper edge is the total. A step that stays is a change of prompt, model or price; a peak is one expensive turn: click it and open the turns of that agent. ${FEW_AREAS}`,
)

const tokens = (title: string, type: 'input' | 'output') =>
  areas(title, { unit: 'short', step: STEP }, line('tokens', ask.tokensPerMinuteByAgent(type), AGENT))

const HIDDEN = new HideSeriesConfigBuilder().viz(true).legend(true).tooltip(true).build()
const DASHED = new LineStyleBuilder().fill('dash').dash([6, 4]).build()

/**
 * Solid p95, dashed p50, and the exemplars of traces that were kept. Both lines of an agent have one name, so that
 * they have one colour, also where Grafana chooses it by the name.
 */
const duration = (title: string, operation: ask.Operation, links: readonly [title: string, traceql: string][]) =>
  overTime(
    title,
    {
      unit: 'suffix: s',
      decimals: 2,
      doubling: true,
      step: QUANTILE_STEP,
      colours,
      ...(operation === 'invoke_agent' ? { none: NO_TURNS } : {}),
    },
    line('p95', ask.durationByAgent(0.95, operation), AGENT),
    line('p50', ask.durationByAgent(0.5, operation), AGENT),
    line('kept', ask.keptDurationByAgent(operation), `${AGENT} kept`).exemplar(true),
  )
    .overrideByQuery('kept', [{ id: 'custom.hideFrom', value: HIDDEN }])
    .overrideByQuery('p50', [
      { id: 'custom.lineStyle', value: DASHED },
      { id: 'custom.lineWidth', value: 1 },
      { id: 'custom.hideFrom', value: new HideSeriesConfigBuilder().legend(true).build() },
    ])
    .dataLinks(links.map(([title, traceql]) => link(title, exploreTraces(traceql))))

const slowCalls = [`Calls of this agent over ${slowCall}`, ask.slowCallsOfClicked(slowCall)] as const

const firstChunk = overTime(
  'When does the first word arrive? (p95)',
  {
    unit: 'suffix: s',
    decimals: 2,
    doubling: true,
    step: QUANTILE_STEP,
    none: 'no call says when its first word came',
    colours,
  },
  line('p95', ask.firstChunkByAgent(0.95), AGENT),
)
  .dataLinks([link(slowCalls[0], exploreTraces(slowCalls[1]))])
  .description(
    `From sending a request to the first piece of the streamed reply. It grows with the queue of the model server and the length of the prompt, not with the length of the answer. ${FEW_LINES}`,
  )

const refusals = overTime(
  'What is being refused?',
  {
    unit: 'locale',
    decimals: 0,
    as: 'bars',
    step: '1m',
    softMax: 5,
    height: 10,
    none: CREATURES_ONLY,
    colours: REFUSAL_COLOURS,
  },
  line('refused', ask.refusedByKind, '{{outcome}}'),
)
  .dataLinks([link('Turns refused like this', exploreTraces(ask.refusedTurnsOfClickedKind))])
  .description(
    'Refused turns in each minute, by kind. parse_error: the reply could not be read, see the prompt. self_buy: the agent buys what it makes, the classic mistake of a small model. timeout: the model server took too long. For the other kinds the market said no. Click a bar to open such turns.',
  )

const refusalsByAgent = heat(
  table('Who is refused for what?', { height: 10, none: 'nothing refused' })
    .withTarget(rows('refused', ask.refusedInRangeByAgentAndKind))
    .withTransformation({
      id: 'groupingToMatrix',
      options: { rowField: 'outcome', columnField: 'gen_ai_agent_name', valueField: 'Value', emptyValue: 'zero' },
    })
    .withTransformation({ id: 'organize', options: { renameByName: { 'outcome\\gen_ai_agent_name': 'Kind' } } })
    .description(
      'Refused turns in the range, by kind and agent. One strong cell is a habit of one agent: read its failed turns below. A strong row is a habit of the prompt or the model.',
    ),
  'Kind',
)

const models = sideBySide(
  table('What does each model cost?', { width: 24, height: 6 }).description(
    'One row for each model that was asked: its pace now, its cost, and its tokens in and out in the range. A model with tokens but without a cost has no price: see the alert ModelWithoutPrice. If the fallback model costs more than usual, the first one fails: see who answers.',
  ),
  [key('gen_ai_request_model', 'Model', width(380))],
  [
    column('now', 'Per hour', ask.costPerHourByModel, 'currencyUSD', 3),
    column('cost', 'Cost', ask.spentInRangeByModel, 'currencyUSD', 4),
    column('in', 'In', ask.tokensInRangeByModel('input'), 'locale', 0),
    column('out', 'Out', ask.tokensInRangeByModel('output'), 'locale', 0),
  ],
  'Cost',
)

const arms = sideBySide(
  table('Which way of asking does better?', { width: 24, height: 5, none: CREATURES_ONLY }).description(
    'The same question is asked in two ways; chance decides for each turn (experiment.variant). Prefer the one that is refused less, unless an accepted turn costs more with it. In a quarter of an hour five points of refusals are chance; look at a day. Costs are at the prices of now.',
  ),
  [key('experiment_variant', 'Asked')],
  [
    column('turns', 'Turns', ask.byArm.turns, 'locale', 0),
    column('refused', 'Refused', ask.byArm.refused, 'percentunit', 1),
    column('tokens', 'Tokens', ask.byArm.tokensPerTurn, 'locale', 0),
    column('accepted', '$ / accepted', ask.byArm.costPerAccepted, 'currencyUSD', 6),
    column('p95', 'p95', ask.byArm.p95, 'suffix: s', 1),
  ],
)

export const costAndLatencyByAgent: Board = {
  uid: 'cost-and-latency-by-agent',
  title: 'Cost and latency by agent',
  description:
    'Which agent costs most, which is slow, what fails. Numbers are counted from every span, whatever SDK sent it; tables, links and exemplars lead to the traces that were kept.',
  variables: [serviceVariable(), agentVariable()],
  links: [
    boardLink('Ask Tempo', 'Opens Explore with the turns of the chosen agents', exploreTraces(ask.turnsOfChosen)),
  ],
  panels: [
    ...figures,
    byAgent,
    costPerHour,
    duration('How long are turns? (p95, dashed p50)', 'invoke_agent', [
      [`Turns of this agent over ${slowCall}`, ask.slowTurnsOfClicked(slowCall)],
      ['All turns of this agent', ask.turnsOfClicked],
    ]).description(
      `One turn of an agent: all its model calls, tools and waits. Each point looks back five minutes. Diamonds are turns whose trace was kept: click one to open it. If only p95 rises, a few turns retry or wait; if p50 rises too, every turn got slower. ${FEW_LINES}`,
    ),
    tokens('How many tokens a minute are read?', 'input').description(
      `Prompt tokens per minute by agent. They grow with the history and the tools in a prompt, and with every further round. If one agent grows steadily, its prompt is not cut. ${FEW_AREAS}`,
    ),
    tokens('How many tokens a minute are written?', 'output').description(
      `Tokens per minute in the replies, by agent: these cost more and take longer. If they rise, see whether replies became prose instead of the short JSON that was asked for. ${FEW_AREAS}`,
    ),
    duration('How long are calls? (p95, dashed p50)', 'chat', [[...slowCalls]]).description(
      `One chat call, its retries included. Each point looks back five minutes. Diamonds are calls whose trace was kept: click one to open it. If all agents rise together, it is the model server. ${FEW_LINES}`,
    ),
    firstChunk,
    refusals,
    refusalsByAgent,
    models,
    arms,
    overTime(
      'How many retries?',
      { unit: 'suffix:/min', decimals: 1, as: 'bars', step: STEP, width: 8, softMax: 5, none: CREATURES_ONLY, colours },
      line('retries', ask.retriesPerMinuteByAgent, AGENT),
    ).description(
      'Retries per minute by agent: the model server answered 429 or 5xx, or not in time. Now and then is nothing. Many at once is the server: see the Pipeline board. Each retry is a wait, and after two the call fails or another model is asked.',
    ),
    overTime(
      'Who answers?',
      { unit: 'suffix:/min', decimals: 0, as: 'bars', step: STEP, width: 8, shadesOf: MODEL_COLOURS.others },
      line('first', ask.callsOfModelAskedMost, '{{gen_ai_request_model}}'),
      line('others', ask.callsOfOtherModels, '{{gen_ai_request_model}}'),
    )
      .overrideByQuery('first', [{ id: 'color', value: { mode: 'fixed', fixedColor: MODEL_COLOURS.first } }])
      .description(
        'Calls per minute by model; the one that was asked most in the range is brown. The fallback model is asked when a call of the first one failed for good. If its part grows, look at what the model server answers on the Pipeline board; its answers are poorer, and you pay for both.',
      ),
    overTime(
      'Which checks pass?',
      { unit: 'percentunit', max: 1, step: STEP, points: true, width: 8, none: CREATURES_ONLY, colours: CHECK_COLOURS },
      line('score', ask.scoreByCheck, '{{gen_ai_evaluation_name}}'),
    ).description(
      'Share of turns that pass each check: readable, allowed, affordable, traded. Readable falls first when a model is too small; allowed when it forgets the rules; traded when nobody wants its price. The board of an agent has the same for it alone.',
    ),
    turnsTable(`Which turns took longer than ${slowCall}?`, ask.slowTurns(slowCall), 'Duration').description(
      'The newest hundred such turns whose trace was kept, slowest first. Open one: the widest bar in the waterfall is the reason. An empty table is good news, or the policy keeps no slow traces.',
    ),
    turnsTable('Which turns failed?', ask.failedTurns, 'Start time').description(
      'The newest hundred turns that ended in an error and whose trace was kept, newest first. Open one and read the place_order span: it says what was wrong with the reply.',
    ),
  ],
}
