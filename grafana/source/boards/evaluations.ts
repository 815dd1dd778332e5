import type { Board } from '../board.ts'
import { AGENT_COLOURS, CHECK_COLOURS } from '../colours.ts'
import { agentVariable, serviceVariable } from '../datasources.ts'
import * as ask from '../evaluations-queries.ts'
import { agentBoard, boardLink, exploreTraces, link } from '../links.ts'
import { figure, overTime } from '../panels.ts'
import { settings } from '../settings.ts'
import { column, key, sideBySide, table, tinted, width } from '../tables.ts'
import { line } from '../targets.ts'
import { turnsTable } from '../turns.ts'

const NONE = 'nobody evaluates these runs'
const NO_TURNS_SENT = 'no agent sends open turns'
const STEP = '1m'
const { passRateFall, stuckTurnSeconds } = settings

const evaluation = key(
  'gen_ai_evaluation_name',
  'Evaluation',
  { id: 'custom.minWidth', value: 105 },
  {
    id: 'links',
    value: [{ title: 'Runs that failed it', url: exploreTraces(ask.failedRunsOfRow) }],
  },
)
const agent = key('gen_ai_agent_name', 'Agent', ...tinted(AGENT_COLOURS), {
  id: 'links',
  value: [{ title: 'The board of this agent', url: agentBoard('__value.text') }],
})
const rates = (by: string) => [
  // An evaluation that has scores only has no rate.
  column('rate', 'Passed', ask.passRate(by), 'percentunit', 1, width(80), { id: 'noValue', value: '–' }),
  column('failed', 'Failed', ask.failed(by), 'locale', 0, width(70)),
  column('all', 'All', ask.all(by), 'locale', 0, width(60)),
]

export const evaluations: Board = {
  uid: 'evaluations',
  title: 'Evaluations and open turns',
  description:
    'Which evaluations pass, of which agent and prompt, and which runs failed one. Counted before sampling, whatever SDK sent it; a run that failed an evaluation is kept. And which turns are still open.',
  variables: [serviceVariable(), agentVariable()],
  links: [
    boardLink(
      'Ask Tempo',
      'Opens Explore with the runs that failed an evaluation',
      exploreTraces(ask.failedRunsOfChosen),
    ),
  ],
  panels: [
    figure('Passed', ask.passRate(), { unit: 'percentunit', decimals: 1, none: NONE }).description(
      'Share of all evaluations in the range that passed. A label in words that are not known, or a score alone, is in no rate: collector/dialects/evaluation-passed.yaml and evaluation-failed.yaml have the words. If it falls, see below which evaluation it is.',
    ),
    figure('Failed', ask.failed(), { unit: 'locale', decimals: 0, none: NONE }).description(
      'Evaluations in the range that failed, kept or not. A run with one is kept by keep-failed-evaluations, so the table at the end has its trace. An evaluation that came later, as a log record, could not keep its run.',
    ),
    figure('Open turns', ask.openTurns(), { unit: 'locale', decimals: 0, none: NO_TURNS_SENT }).description(
      'Turns that have begun and not ended, as agents say themselves (gen_ai.agent.active_turns). If it only grows, turns do not end: see the table of open turns for the agent.',
    ),
    figure('Oldest open turn', ask.oldestTurn(), {
      unit: 's',
      decimals: 0,
      redAbove: stuckTurnSeconds,
      none: NO_TURNS_SENT,
    }).description(
      `Age of the turn that has been open for longest (gen_ai.agent.oldest_turn). Red: more than ${stuckTurnSeconds} s, and TurnStuck fires. Its trace is judged without its root then, so look at what has already come of it.`,
    ),
    sideBySide(
      table('Which evaluation fails?', { width: 10, none: NONE }).description(
        'One row for each evaluation in the range, by the share that passed. Click a name to open the kept runs that failed it. All: with those that have a score only.',
      ),
      [evaluation],
      rates(ask.BY_EVALUATION),
      'Failed',
    ),
    sideBySide(
      table('Which prompt does better?', { width: 14, none: NONE }).description(
        'The same by version of the prompt and arm of the experiment, as the spans say. Prefer the one that passes more, when both have some hundred evaluations: with fewer, some points are chance. With the backends phoenix and annotations, Phoenix filters runs by what was said of them.',
      ),
      [evaluation, key('gen_ai_prompt_version', 'Prompt', width(70)), key('experiment_variant', 'Arm', width(90))],
      rates(ask.BY_ARM),
      'Evaluation',
    ),
    overTime(
      'Does a pass rate fall?',
      { unit: 'percentunit', max: 1, step: STEP, points: true, width: 10, none: NONE, colours: CHECK_COLOURS },
      line('rate', ask.passRateOverTime(ask.BY_EVALUATION), '{{gen_ai_evaluation_name}}'),
    )
      .dataLinks([link('Runs that failed this evaluation', exploreTraces(ask.failedRunsOfClicked))])
      .description(
        `Share of evaluations that passed, by name. PassRateFalls fires when half an hour is ${passRateFall} points below the day. Compare the time of the fall with changes of prompt and model; click the line to open runs that failed.`,
      ),
    sideBySide(
      table('Whose runs fail?', { width: 14, none: NONE }).description(
        'One row for each agent and evaluation. One agent alone is a matter of its prompt or tools; all agents at once are a matter of the model. The score is the mean of the metric gen_ai.evaluation.score, for agents that send it; an evaluation without labels has nothing else. Click an agent for its board.',
      ),
      [agent, evaluation],
      [
        ...rates(ask.BY_AGENT),
        column('score', 'Score', ask.meanScore(ask.BY_AGENT), 'locale', 2, width(65), {
          id: 'noValue',
          value: '–',
        }),
      ],
      'Failed',
    ),
    sideBySide(
      table('Which turns are still open?', { width: 24, height: 6, none: NO_TURNS_SENT }).description(
        'Open turns of each agent, and the age of the oldest, at the last export of its metrics. An agent that waits has one turn that only gets older: look for its last spans in Tempo, and at the queue of the model server.',
      ),
      [agent],
      [
        column('open', 'Open', ask.openTurns('by (gen_ai_agent_name)'), 'locale', 0),
        column('oldest', 'Oldest', ask.oldestTurn('by (gen_ai_agent_name)'), 's', 0),
      ],
      'Oldest',
    ),
    turnsTable('Which runs failed an evaluation?', ask.failedRuns, 'Start time').description(
      'The newest hundred spans with an evaluation that failed, whose trace was kept. Open one: its events say which evaluation and why. make explain TRACE=… says it in words; where Phoenix runs, its start time leads there.',
    ),
  ],
}
