import type { Board } from '../board.ts'
import { AGENT_COLOURS, CHECK_COLOURS, LINE_COLOURS, REFUSAL_COLOURS } from '../colours.ts'
import { questionsPanel } from '../cookbook.ts'
import { oneAgentVariable, serviceVariable } from '../datasources.ts'
import { allAgentsBoard, boardLink, exploreTraces, link } from '../links.ts'
import * as own from '../one-agent-queries.ts'
import { CREATURES_ONLY, figure, NO_TURNS, overTime } from '../panels.ts'
import * as ask from '../queries.ts'
import { settings } from '../settings.ts'
import { column, key, sideBySide, table, width } from '../tables.ts'
import { line } from '../targets.ts'
import { turnsTable } from '../turns.ts'

const STEP = '30s'
const AGENT = '{{gen_ai_agent_name}}'
const { slowCall, costlyTurn } = settings
const colours = AGENT_COLOURS
/** Its name is at the top of the board. */
const OF_ONE = { leaveOut: ['gen_ai.agent.name'] }

const figures = [
  figure('Cost in range', ask.spentInRange, { unit: 'currencyUSD', decimals: 4, width: 8 }).description(
    'USD that this agent spent between the two ends of the chosen range. If it is too much, see below whether it is many calls a turn or many tokens a call.',
  ),
  figure('Calls per turn', own.callsPerTurn, { unit: 'short', decimals: 1, width: 8, none: NO_TURNS }).description(
    `Model calls for one decision, over the range. One or two are usual: perhaps a tool, then the answer. Above ${settings.callsPerTurn} it loops, and AgentLoops fires: open its longest turns and read what it is told after each call.`,
  ),
  figure('Turns refused', ask.refusedShareInRange, {
    unit: 'percentunit',
    decimals: 1,
    width: 8,
    none: CREATURES_ONLY,
  }).description(
    'Share of its turns in the range that ended without an accepted order. The kinds are below; one kind alone is a habit that the prompt can cure.',
  ),
  figure('p95 of a turn', ask.durationInRange(0.95, 'invoke_agent'), {
    unit: 'suffix: s',
    decimals: 2,
    width: 8,
    none: NO_TURNS,
  }).description(
    'Of 100 of its turns in the range, 95 were faster. If it is high and the call beside it is not, the agent asks too often; if both are, the model server is slow.',
  ),
  figure('p95 of a call', ask.durationInRange(0.95, 'chat'), { unit: 'suffix: s', decimals: 2, width: 8 }).description(
    'One chat call of this agent with its retries. Compare it with the other agents on the board of all: if only this one is slow, its prompts are long.',
  ),
  figure('Retries a minute', own.retriesPerMinute, {
    unit: 'suffix:/min',
    decimals: 1,
    width: 8,
    none: CREATURES_ONLY,
  }).description(
    'HTTP requests that had to be sent again for this agent, as a mean over the range. Now and then is nothing; a steady rate means that the model server refuses or drops it, and every retry is a wait.',
  ),
]

export const oneAgent: Board = {
  uid: 'one-agent',
  title: 'One agent',
  description:
    'What one agent does differently: its cost, its pebbles and mood, its tools, its refusals, and the turns to read. Choose it above.',
  variables: [serviceVariable(), oneAgentVariable()],
  links: [
    boardLink('Ask Tempo', 'Opens Explore with the turns of this agent', exploreTraces(ask.turnsOfChosen)),
    boardLink('All agents', 'Compare it with the others', allAgentsBoard),
  ],
  panels: [
    ...figures,
    overTime(
      'Is it getting richer?',
      { unit: 'suffix: pebbles', decimals: 2, width: 8, none: CREATURES_ONLY, colours },
      line('pebbles', own.pebbles, AGENT),
    ).description(
      'Pebbles of this agent. All pebbles together never change, so what it gains others lose. A flat line at the bottom means that it can buy nothing, whatever it decides.',
    ),
    overTime(
      'How does it feel?',
      { unit: 'percentunit', max: 1, width: 8, none: CREATURES_ONLY, colours },
      line('mood', own.mood, AGENT),
    ).description(
      'Mood from 0.1 to 1: what the agent says of itself, moved by hunger and cold. A fall that stays means that it goes without what it needs: look at its refusals.',
    ),
    overTime(
      'Which checks does it pass?',
      { unit: 'percentunit', max: 1, step: STEP, points: true, width: 8, none: CREATURES_ONLY, colours: CHECK_COLOURS },
      line('score', ask.scoreByCheck, '{{gen_ai_evaluation_name}}'),
    ).description(
      'Share of its turns that pass each check: readable, allowed, affordable, traded. Readable falls first when a model is too small; traded falls when prices are off.',
    ),
    overTime(
      'How long are its prompts and replies?',
      { unit: 'short', step: STEP, points: true, colours: LINE_COLOURS },
      line('in', own.tokensPerCall('input'), 'read'),
      line('out', own.tokensPerCall('output'), 'written'),
    ).description(
      'Tokens per call, read and written. Prompts grow with the history and with what tools answer; replies grow when the model begins to explain itself instead of answering.',
    ),
    overTime(
      'How long are its turns?',
      { unit: 'suffix: s', decimals: 2, doubling: true, step: STEP, none: NO_TURNS, colours: LINE_COLOURS },
      line('p95', ask.durationByAgent(0.95, 'invoke_agent'), 'p95'),
      line('p50', ask.durationByAgent(0.5, 'invoke_agent'), 'p50'),
    )
      .dataLinks([link(`Its turns over ${slowCall}`, exploreTraces(ask.slowTurnsOfClicked(slowCall)))])
      .description(
        'p95 and p50 of its turns; each point looks back five minutes. If only p95 rises, a few turns retry or wait; if p50 rises too, every turn got slower. Click a point to open its slow turns.',
      ),
    overTime(
      'What is it refused for?',
      {
        unit: 'locale',
        decimals: 0,
        as: 'bars',
        step: '1m',
        softMax: 5,
        none: CREATURES_ONLY,
        colours: REFUSAL_COLOURS,
      },
      line('refused', ask.refusedByKind, '{{outcome}}'),
    )
      .dataLinks([link('Turns refused like this', exploreTraces(ask.refusedTurnsOfClickedKind))])
      .description(
        'Its refused turns in each minute, by kind. parse_error: the reply could not be read. self_buy: it buys what it makes. timeout: the model server took too long. Click a bar to open such turns.',
      ),
    sideBySide(
      table('Which tools does it use?', { none: 'no tool used' }).description(
        'Tool calls of this agent in the range, and how many went wrong. An agent hands in its decision with place_order; that goes wrong when the order is refused. If a tool always fails, the agent asks for it in a way that it does not understand.',
      ),
      [key('gen_ai_tool_name', 'Tool', width(210))],
      [
        column('calls', 'Calls', own.toolsInRange, 'locale', 0),
        column('errors', 'Errors', own.toolErrorsInRange, 'locale', 0),
      ],
    ),
    turnsTable(
      `Which of its turns took longer than ${slowCall}?`,
      ask.slowTurns(slowCall),
      'Duration',
      OF_ONE,
    ).description(
      'The newest hundred such turns whose trace was kept, slowest first. Open one: the widest bar in the waterfall is the reason.',
    ),
    turnsTable('Which of its turns were costly?', own.turnsByTokens(costlyTurn), 'Tokens', OF_ONE).description(
      `The newest hundred kept turns with more than ${costlyTurn} tokens, the longest first. Open one and see which call has the long prompt; where Phoenix runs, its text is easier to read there: click the start time.`,
    ),
    turnsTable('Which of its turns failed?', ask.failedTurns, 'Start time', OF_ONE).description(
      'The newest hundred of its turns that ended in an error and whose trace was kept. Open one and read the place_order span: it says what was wrong with the reply.',
    ),
    questionsPanel(24, 15),
  ],
}
