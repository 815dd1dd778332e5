import { TableSortByFieldStateBuilder } from '@grafana/grafana-foundation-sdk/common'
import { AGENT_COLOURS } from '../agents.ts'
import type { Board } from '../board.ts'
import { POLICY_COLOURS, SERVER_COLOURS, VERDICT_COLOURS } from '../colours.ts'
import { tempoRef } from '../datasources.ts'
import { boardLink, exploreTraces, link } from '../links.ts'
import {
  bars,
  coloured,
  column,
  countOverTime,
  figure,
  line,
  NO_TRAFFIC,
  overTime,
  redAbove,
  rows,
  sideBySide,
  signed,
  table,
  tinted,
  width,
} from '../panels.ts'
import * as ask from '../sampling-queries.ts'
import { besideTempo, tintedQuoted } from '../tempo-rows.ts'

// A tick comes every 5 s: in less than a minute there are too few traces for a rate to be calm.
const STEP = '1m'
const SMALL = { width: 6, height: 3 }

const descending = (name: string) => new TableSortByFieldStateBuilder().displayName(name).desc(true)

/** Columns of the estimates, in their order. */
const ESTIMATES: readonly (readonly [from: string, to: string])[] = [
  ['gen_ai_agent_name', 'Agent'],
  ['Value #turns', 'Turns'],
  ['Value #turnsE', '≈ turns'],
  ['Value #turnsO', '± turns'],
  ['Value #failed', 'Failed'],
  ['Value #failedE', '≈ failed'],
  ['Value #failedO', '± failed'],
  ['Value #cost', 'Cost'],
  ['Value #costE', '≈ cost'],
  ['Value #costO', '± cost'],
]

/** Where there is nothing to compare with. */
const DASH = {
  id: 'mappings',
  value: [{ type: 'special', options: { match: 'null+nan', result: { text: '–', index: 0 } } }],
}

const figures = [
  figure(
    {
      title: 'Traces seen',
      description:
        'Traces that the sampler has judged in the range, each once. If it is zero while agents work, look at the Pipeline board: nothing arrives, or it waits for its root span.',
      ...SMALL,
    },
    ask.tracesInRange,
    'short',
  ).decimals(0),
  figure(
    {
      title: 'Traces kept',
      description:
        'Share of the judged traces that were stored. The shipped list keeps about a third of ordinary traffic. If it climbs towards 100 %, something fails in every tick, or a threshold is too low: see which policy it is.',
      ...SMALL,
    },
    ask.keptShareInRange,
    'percentunit',
  ).decimals(1),
  figure(
    {
      title: 'Spans dropped',
      description:
        'Share of the spans received that were not sent to Tempo: what sampling saves. It follows the traces kept; where the two differ, kept traces are longer or shorter than others. Metrics still count all of them.',
      ...SMALL,
    },
    ask.spansThrownAwayShare,
    'percentunit',
  ).decimals(1),
  figure(
    {
      title: 'Not stored a day',
      description:
        'What keeping everything would add in a day, at the pace of now: spans thrown away times the mean size of a span as Tempo receives it. Blocks on disk are smaller, as they are packed. If it is little, keep more.',
      ...SMALL,
    },
    ask.bytesNotStoredPerDay,
    'bytes',
  )
    .interval(STEP)
    .decimals(1),
  redAbove(
    figure(
      {
        title: 'Dropped too early',
        description:
          'Traces that were pushed out before they could be judged, because num_traces in collector/config.yaml were waiting already. Nothing is known of them but their metrics. If it is red, raise num_traces, and the memory with it.',
        ...SMALL,
      },
      ask.evictedInRange,
      'short',
    ).decimals(0),
    1,
  ),
  redAbove(
    figure(
      {
        title: 'Late spans lost',
        description:
          'Spans that came after their trace had been dropped. One of them may have been the reason to keep it. If it is red, a process sends later than the sampler waits: shorten its batch delay, or raise decision_wait_after_root_received.',
        ...SMALL,
      },
      ask.lostLateInRange,
      'short',
    ).decimals(0),
    1,
  ),
  redAbove(
    figure(
      {
        title: 'Policy errors',
        description:
          'Conditions of a policy that failed on a trace instead of answering. With error_mode ignore, as in the shipped list, this stays 0 and the log of the collector warns instead: look there too. If it is red, run make tune with the list in force.',
        ...SMALL,
      },
      ask.evaluationErrorsInRange,
      'short',
    ).decimals(0),
    1,
  ),
  figure(
    {
      title: 'Waiting for a verdict',
      description:
        'Traces in the memory of the sampler now. A few is normal: a trace waits one second after its root span. If it grows, roots do not arrive, and each trace waits 20 s; near num_traces (50,000) the oldest are pushed out.',
      ...SMALL,
    },
    ask.waiting,
    'short',
  ).decimals(0),
]

const verdicts = coloured(
  bars(
    overTime(
      {
        title: 'How many traces are kept, and how many dropped?',
        description:
          'Traces judged per minute. The sum is the pace of the agents. If the kept part grows, see on the right which policy grew; if all bars end, nothing arrives any more: see the Pipeline board.',
        width: 12,
        height: 8,
      },
      'suffix:/min',
    ),
  )
    .interval(STEP)
    .decimals(0)
    .withTarget(line('kept', ask.keptPerMinute, 'kept'))
    .withTarget(line('dropped', ask.droppedPerMinute, 'dropped'))
    .dataLinks([link('Kept traces', exploreTraces(ask.keptTraces))]),
  VERDICT_COLOURS,
)

const recorded = coloured(
  bars(
    overTime(
      {
        title: 'Why are traces kept?',
        description:
          'Kept traces in each half minute, by the policy that is recorded on them: the first in the list that voted. Click a bar to open such traces, a diamond to open one. If one policy fills the store, look whether its bound still fits your traffic (make tune SWEEP=…).',
        width: 12,
        height: 8,
      },
      'short',
    ),
  )
    .datasource(tempoRef)
    .noValue('nothing kept')
    .decimals(0)
    .withTarget(countOverTime('kept', ask.recordedByPolicy))
    .dataLinks([link('Traces kept for this', exploreTraces(ask.tracesOfPolicy))]),
  POLICY_COLOURS,
)

const policies = tintedQuoted(
  besideTempo(
    table(
      {
        title: 'What does each policy contribute?',
        description:
          'Every policy votes on every trace, so votes overlap. Recorded: it was the first to vote, so without it at most these would be lost. Alone: at least so many had no other vote. A policy with many votes but none alone can go; make tune counts it exactly. Time is what one vote takes.',
        width: 12,
        height: 10,
      },
      'nothing judged',
    ),
    {
      attribute: ask.POLICY,
      columns: ['Policy', 'Votes', 'Recorded', 'Alone ≥', 'Time'],
      traceql: ask.recordedByPolicy,
      stored: 'Recorded',
      questions: { Votes: ask.votesByPolicy, 'Alone ≥': ask.aloneAtLeastByPolicy, Time: ask.secondsByPolicy },
    },
  )
    .overrideByName('Policy', width(210))
    .overrideByName('Votes', column('locale', 0))
    .overrideByName('Recorded', column('locale', 0))
    .overrideByName('Alone ≥', column('locale', 0))
    .overrideByName('Time', column('s', 0))
    .sortBy([descending('Votes')]),
  'Policy',
  POLICY_COLOURS,
)

const kinds = tintedQuoted(
  besideTempo(
    table(
      {
        title: 'Which turns were thrown away?',
        description:
          'Turns by how they ended, in the range. Fine turns may go. Kinds that the list promises to keep (self_buy, parse_error) show 100 %, give or take one turn at either edge of the range; if not, spans were late or lost: see the figures above. Others are kept by luck: write a policy for a kind that you miss.',
        width: 12,
        height: 10,
      },
      NO_TRAFFIC,
    ),
    {
      attribute: ask.ERROR,
      columns: ['Ended as', 'Turns', 'Stored', 'Dropped', 'Kept'],
      traceql: ask.storedTurnsByOutcome,
      stored: 'Stored',
      questions: { Turns: ask.turnsByOutcome },
      calculated: [
        { name: 'Dropped', left: 'Turns', operator: '-', right: 'Stored' },
        { name: 'Kept', left: 'Stored', operator: '/', right: 'Turns' },
      ],
    },
  )
    .overrideByName('Ended as', width(130))
    .overrideByName('Turns', column('locale', 0))
    .overrideByName('Stored', column('locale', 0))
    .overrideByName('Dropped', column('locale', 0))
    .overrideByName('Kept', column('percentunit', 0))
    .sortBy([descending('Dropped')]),
  'Ended as',
  {},
  { nil: 'fine' },
)

const agents = tintedQuoted(
  besideTempo(
    table(
      {
        title: 'What was thrown away of each agent?',
        description:
          'Spans of each agent in the range: all of them, those in Tempo, and the rest, with the bytes that the rest would have taken (at the mean size of a stored span). An agent that is kept much more than others fails more; one that is kept less is the one you know least about.',
        width: 12,
        height: 8,
      },
      NO_TRAFFIC,
    ),
    {
      attribute: ask.AGENT,
      columns: ['Agent', 'Spans', 'Stored', 'Kept', 'Dropped', 'Bytes'],
      traceql: ask.storedSpansByAgent,
      stored: 'Stored',
      questions: { Spans: ask.spansByAgent, 'Bytes each': ask.bytesPerSpanByAgent },
      calculated: [
        { name: 'Kept', left: 'Stored', operator: '/', right: 'Spans' },
        { name: 'Dropped', left: 'Spans', operator: '-', right: 'Stored' },
        { name: 'Bytes', left: 'Dropped', operator: '*', right: 'Bytes each' },
      ],
      hidden: ['Bytes each'],
    },
  )
    .overrideByName('Agent', width(100))
    .overrideByName('Spans', column('locale', 0))
    .overrideByName('Stored', column('locale', 0))
    .overrideByName('Kept', column('percentunit', 0))
    .overrideByName('Dropped', column('locale', 0))
    .overrideByName('Bytes', column('bytes', 1))
    .sortBy([descending('Dropped')]),
  'Agent',
  AGENT_COLOURS,
)

const masked = coloured(
  bars(
    overTime(
      {
        title: 'Whose values were masked?',
        description:
          'Personal or secret values that became **** in kept spans, in each half minute, by agent. Masking comes before sampling, so dropped traces held about as many again. If one agent stands out, click it: its prompt or its model repeats what it should not know. Spans without an agent are left out.',
        width: 12,
        height: 8,
      },
      'short',
    ),
  )
    .datasource(tempoRef)
    .noValue('nothing masked in kept spans')
    .decimals(0)
    .withTarget(countOverTime('masked', ask.maskedByAgent))
    .dataLinks([link('Spans of this agent with masked values', exploreTraces(ask.maskedOfClicked))]),
  AGENT_COLOURS,
)

const estimates = tinted(
  table(
    {
      title: 'Do kept traces tell the truth?',
      description:
        'What was counted before sampling; ≈ what kept traces alone say, each weighted as the sampler wrote on it: once when kept for a reason, ten times when one in ten; ± how far that is off. In a quarter of an hour 20 % is chance, in a day 2 %. If it stays off, the list has no sample, a rate limit or a drop rule. Cost is estimated calls at what a call of that agent and model did cost.',
      width: 24,
      height: 8,
    },
    NO_TRAFFIC,
  )
    .withTarget(rows('turns', ask.truth.turns))
    .withTarget(rows('turnsE', ask.estimated.turns))
    .withTarget(rows('turnsO', ask.offByAgent.turns))
    .withTarget(rows('failed', ask.truth.failed))
    .withTarget(rows('failedE', ask.estimated.failed))
    .withTarget(rows('failedO', ask.offByAgent.failed))
    .withTarget(rows('cost', ask.truth.cost))
    .withTarget(rows('costE', ask.estimated.cost))
    .withTarget(rows('costO', ask.offByAgent.cost))
    .transformations(sideBySide(Object.fromEntries(ESTIMATES)))
    .sortBy([descending('Cost')])
    .overrideByName('Turns', column('locale', 0))
    .overrideByName('≈ turns', column('locale', 0))
    .overrideByName('Failed', column('locale', 0))
    .overrideByName('≈ failed', column('locale', 0))
    .overrideByName('Cost', column('currencyUSD', 4))
    .overrideByName('≈ cost', column('currencyUSD', 4))
    .overrideByName('± turns', [...column('percentunit', 0), DASH])
    .overrideByName('± failed', [...column('percentunit', 0), DASH])
    .overrideByName('± cost', [...column('percentunit', 0), DASH]),
  'Agent',
  AGENT_COLOURS,
)

const error = coloured(
  signed(
    {
      title: 'How far off are estimates from kept traces?',
      description:
        'All agents together; each point looks back as long as the chosen range, so lines start wild and come to rest. Above zero: kept traces claim too much. Lines that rest away from zero mean a list that keeps a biased part, and numbers over kept traces are then true of those only.',
      width: 12,
      height: 8,
    },
    'percentunit',
  )
    .axisSoftMin(-0.5)
    .axisSoftMax(0.5)
    .withTarget(line('turns', ask.offInTotal.turns, 'turns'))
    .withTarget(line('failed', ask.offInTotal.failed, 'failed turns'))
    .withTarget(line('seconds', ask.offInTotal.seconds, 'time of the model')),
  { turns: 'blue', 'failed turns': 'dark-red', 'time of the model': 'dark-purple' },
)

const saved = coloured(
  overTime(
    {
      title: 'How many spans arrive, and how many are stored?',
      description:
        'Spans a second: into the collector, and on to Tempo. The gap is what sampling saves. If stored meets received, everything is kept; if stored falls to zero while spans arrive, nothing is worth keeping or Tempo does not take it: see the Pipeline board.',
      width: 12,
      height: 8,
    },
    'suffix:/s',
  )
    .interval(STEP)
    .decimals(1)
    .withTarget(line('received', ask.spansAccepted, 'received'))
    .withTarget(line('stored', ask.spansStored, 'stored')),
  { received: VERDICT_COLOURS.dropped, stored: VERDICT_COLOURS.kept },
)

const late = coloured(
  bars(
    overTime(
      {
        title: 'What came too late?',
        description:
          'Spans that came after the verdict: those of a kept trace still join it, those of a dropped one are lost. Pushed out: traces that were never judged. A few that join are normal when a process sends late. If any are lost, let processes send sooner or the sampler wait longer.',
        width: 8,
        height: 7,
      },
      'short',
    ),
  )
    .decimals(0)
    .interval('30s')
    .axisSoftMax(5)
    .withTarget(line('joined', ask.lateJoined, 'late, joined their trace'))
    .withTarget(line('lost', ask.lateLost, 'late, lost'))
    .withTarget(line('evicted', ask.evicted, 'traces pushed out')),
  { 'late, joined their trace': 'blue', 'late, lost': 'dark-red', 'traces pushed out': 'dark-orange' },
)

const pending = coloured(
  overTime(
    {
      title: 'How many traces wait?',
      description:
        'Traces in the memory of the sampler at each scrape. It swings with the ticks. A steady climb means that roots stay away and each trace waits the full 20 s; then memory climbs with it.',
      width: 8,
      height: 7,
    },
    'short',
  )
    .decimals(0)
    .withTarget(line('waiting', ask.waiting, 'waiting')),
  SERVER_COLOURS,
)

const memory = coloured(
  overTime(
    {
      title: 'How much memory is held?',
      description:
        'Resident memory of the process: waiting traces, queues and counters. From 300 MiB of heap on the memory limiter refuses spans, and senders must try again. If it climbs with the traces that wait, lower num_traces or the waits; if alone, look at the number of series.',
      width: 8,
      height: 7,
    },
    'bytes',
  ).withTarget(line('memory', ask.memory, 'collector')),
  SERVER_COLOURS,
)

export const sampling: Board = {
  uid: 'sampling',
  title: 'Sampling',
  description: 'What the sampler keeps and why, what it throws away, and whether kept traces still tell the truth.',
  variables: [],
  links: [boardLink('Ask Tempo', 'Opens Explore with the traces that were kept', exploreTraces(ask.keptTraces))],
  panels: [
    ...figures,
    verdicts,
    recorded,
    policies,
    kinds,
    agents,
    saved,
    estimates,
    error,
    masked,
    late,
    pending,
    memory,
  ],
}
