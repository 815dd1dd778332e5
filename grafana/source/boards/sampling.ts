import type { Board } from '../board.ts'
import { AGENT_COLOURS, LATE_COLOURS, LINE_COLOURS, OFF_COLOURS, POLICY_COLOURS, VERDICT_COLOURS } from '../colours.ts'
import { boardLink, exploreTraces, link } from '../links.ts'
import { figure, NO_TRAFFIC, overTime } from '../panels.ts'
import * as ask from '../sampling-queries.ts'
import { settings } from '../settings.ts'
import { column, key, sideBySide, table, tinted, width } from '../tables.ts'
import { countOverTime, line } from '../targets.ts'
import { besideTempo, calculated, stored } from '../tempo-rows.ts'

// A tick comes every 5 s: in less than a minute there are too few traces for a rate to be calm.
const STEP = '1m'
const { decisionWait, decisionWaitAfterRoot, waitingTraces } = settings

const figures = [
  figure('Traces seen', ask.tracesInRange, { unit: 'locale', decimals: 0 }).description(
    'Traces that the sampler has judged in the range, each once. If it is zero while agents work, look at the Pipeline board: nothing arrives, or it waits for its root span.',
  ),
  figure('Traces kept', ask.keptShareInRange, { unit: 'percentunit', decimals: 1 }).description(
    'Share of the judged traces that were stored. The shipped list keeps about a third of ordinary traffic. If it climbs towards 100 %, something fails in every tick, or a threshold is too low: see which policy it is.',
  ),
  figure('Span drop', ask.spansThrownAwayShare, { unit: 'percentunit', decimals: 1 }).description(
    'Share of the spans received that were sent to no backend: what sampling saves. It follows the traces kept; where the two differ, kept traces are longer or shorter than others. Metrics still count all of them.',
  ),
  figure('Daily drop', ask.bytesNotStoredPerDay, { unit: 'bytes', decimals: 1, step: STEP }).description(
    'What keeping everything would add in a day, at the pace of now: spans thrown away times the mean size of a span as Tempo receives it. Blocks on disk are smaller, as they are packed. If that is little, you can keep more.',
  ),
  figure('Pushed out', ask.evictedInRange, { unit: 'locale', decimals: 0, redAbove: 1 }).description(
    'Traces that were pushed out before they could be judged, because num_traces in collector/config.yaml were waiting already. Nothing is known of them but their metrics. If it is red, raise num_traces, and the memory with it.',
  ),
  figure('Lost, late', ask.lostLateInRange, { unit: 'locale', decimals: 0, redAbove: 1 }).description(
    'Spans that came after their trace had been dropped. One of them may have been the reason to keep it. If it is red, a process sends later than the sampler waits: shorten its batch delay, or raise decision_wait_after_root_received.',
  ),
  figure('Vote errors', ask.evaluationErrorsInRange, { unit: 'locale', decimals: 0, redAbove: 1 }).description(
    'Conditions of a policy that failed on a trace instead of answering. With error_mode ignore, as in the shipped list, this stays 0 and the log of the collector warns instead: look there too. If it is red, run make tune with the list in force.',
  ),
  figure('Not judged yet', ask.waiting, { unit: 'locale', decimals: 0 }).description(
    `Traces in the memory of the sampler now. A few is normal: a trace waits ${decisionWaitAfterRoot} after its root span. If it grows, roots do not arrive, and each trace waits ${decisionWait}; near num_traces (${waitingTraces}) the oldest are pushed out.`,
  ),
]

const verdicts = overTime(
  'How many traces are kept?',
  { unit: 'suffix:/min', decimals: 0, as: 'bars', step: STEP, colours: VERDICT_COLOURS },
  line('kept', ask.keptPerMinute, 'kept'),
  line('dropped', ask.droppedPerMinute, 'dropped'),
)
  .dataLinks([link('Kept traces', exploreTraces(ask.keptTraces))])
  .description(
    'Traces judged per minute. The sum is the pace of the agents. If the kept part grows, see on the right which policy grew; if all bars end, nothing arrives any more: see the Pipeline board.',
  )

const recorded = overTime(
  'Why are traces kept?',
  { unit: 'locale', decimals: 0, as: 'bars', none: 'nothing kept', colours: POLICY_COLOURS },
  countOverTime('kept', ask.recordedByPolicy),
)
  .dataLinks([link('Traces kept for this', exploreTraces(ask.tracesOfPolicy))])
  .description(
    'Kept traces in each half minute, by the policy that is recorded on them: the first in the list that voted. Click a bar to open such traces, a diamond to open one. If one policy fills the store, look whether its bound still fits your traffic (make tune SWEEP=…).',
  )

const policies = besideTempo(
  table('What does each policy contribute?', { width: 24, height: 10, none: 'nothing judged' }).description(
    'Every policy votes on every trace, so votes overlap. Recorded: it was the first to vote, so without it at most these would be lost. Alone: at least so many had no other vote. A policy with many votes but none alone can go; make tune counts it exactly. Time is what one vote takes.',
  ),
  {
    attribute: ask.POLICY,
    name: 'Policy',
    pixels: 240,
    colours: POLICY_COLOURS,
    traceql: ask.recordedByPolicy,
    columns: [
      column('Votes', 'Votes', ask.votesByPolicy, 'locale', 0),
      stored('Recorded'),
      column('Alone ≥', 'Alone ≥', ask.aloneAtLeastByPolicy, 'locale', 0),
      column('Time', 'Time', ask.secondsByPolicy, 's', 0),
    ],
    sortBy: 'Votes',
  },
)

const kinds = besideTempo(
  table('Which turns were thrown away?', { width: 14 }).description(
    'Turns by how they ended, in the range. Fine turns may go. Kinds that the list promises to keep (self_buy, parse_error) show 100 %, give or take one turn at either edge of the range; if not, spans were late or lost: see the figures above. Others are kept by luck: write a policy for a kind that you miss.',
  ),
  {
    attribute: ask.ERROR,
    name: 'Ended as',
    pixels: 150,
    words: { nil: 'fine' },
    traceql: ask.storedTurnsByOutcome,
    columns: [
      column('Turns', 'Turns', ask.turnsByOutcome, 'locale', 0),
      stored('Stored'),
      calculated('Dropped', ['Turns', '-', 'Stored'], 'locale', 0),
      calculated('Kept', ['Stored', '/', 'Turns'], 'percentunit', 0),
    ],
    sortBy: 'Dropped',
  },
)

const agents = besideTempo(
  table('What was thrown away of each agent?', { width: 24 }).description(
    'Spans of each agent in the range: all of them, those in Tempo, and the rest, with the bytes that the rest would have taken (at the mean size of a stored span). An agent that is kept much more than others fails more; one that is kept less is the one you know least about.',
  ),
  {
    attribute: ask.AGENT,
    name: 'Agent',
    pixels: 200,
    colours: AGENT_COLOURS,
    traceql: ask.storedSpansByAgent,
    columns: [
      column('Spans', 'Spans', ask.spansByAgent, 'locale', 0),
      stored('Stored'),
      calculated('Kept', ['Stored', '/', 'Spans'], 'percentunit', 0),
      calculated('Dropped', ['Spans', '-', 'Stored'], 'locale', 0),
      calculated('Bytes', ['Dropped', '*', 'Bytes each'], 'bytes', 1),
    ],
    hidden: [{ hidden: 'Bytes each', expr: ask.bytesPerSpanByAgent }],
    sortBy: 'Dropped',
  },
)

const estimates = sideBySide(
  table('Do kept traces tell the truth?', { width: 24, height: 9, none: NO_TRAFFIC }).description(
    'What was counted before sampling; ≈ what kept traces alone say, each weighted as the sampler wrote on it: once when kept for a reason, ten times when one in ten. Off: how far that is from the truth. ± chance: as far as turns may be off by chance, 19 times of 20; above 100 % there are too few to tell. If they stay off by more, the list has no sample, a rate limit or a drop rule. Cost is the estimated number of calls, at what a call of that agent and model really cost.',
  ),
  [key('gen_ai_agent_name', 'Agent', ...tinted(AGENT_COLOURS), width(140))],
  [
    column('turns', 'Turns', ask.truth.turns, 'locale', 0),
    column('turnsE', '≈ turns', ask.estimated.turns, 'locale', 0),
    column('turnsO', 'Turns off', ask.offByAgent.turns, 'percentunit', 0),
    column('chance', '± chance', ask.chanceByAgent, 'percentunit', 0),
    column('failed', 'Failed', ask.truth.failed, 'locale', 0),
    column('failedE', '≈ failed', ask.estimated.failed, 'locale', 0),
    column('failedO', 'Failed off', ask.offByAgent.failed, 'percentunit', 0),
    column('cost', 'Cost', ask.truth.cost, 'currencyUSD', 4),
    column('costE', '≈ cost', ask.estimated.cost, 'currencyUSD', 4),
    column('costO', 'Cost off', ask.offByAgent.cost, 'percentunit', 0),
  ],
  'Cost',
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
    overTime(
      'How many spans are stored?',
      {
        unit: 'suffix:/s',
        decimals: 1,
        step: STEP,
        width: 10,
        colours: { received: VERDICT_COLOURS.dropped, stored: VERDICT_COLOURS.kept },
      },
      line('received', ask.spansAccepted, 'received'),
      line('stored', ask.spansStored, 'stored'),
    ).description(
      'Spans a second: into the collector, and on to the backend that takes most. The gap is what sampling saves. If stored meets received, everything is kept; if stored falls to zero while spans arrive, nothing is worth keeping or no backend takes it: see the Pipeline board.',
    ),
    agents,
    estimates,
    overTime(
      'How far off are estimates from kept traces?',
      {
        unit: 'percentunit',
        signed: true,
        softMin: -0.5,
        softMax: 0.5,
        colours: OFF_COLOURS,
      },
      line('turns', ask.offInTotal.turns, 'turns'),
      line('failed', ask.offInTotal.failed, 'failed turns'),
      line('seconds', ask.offInTotal.seconds, 'time of the model'),
    ).description(
      'All agents together; each point looks back as long as the chosen range, so lines start wild and come to rest. Above zero: kept traces claim too much. Lines that rest away from zero mean a list that keeps a biased part, and numbers over kept traces are then true of those only.',
    ),
    overTime(
      'Whose values were masked?',
      { unit: 'locale', decimals: 0, as: 'bars', none: 'nothing masked in kept spans', colours: AGENT_COLOURS },
      countOverTime('masked', ask.maskedByAgent),
    )
      .dataLinks([link('Spans of this agent with masked values', exploreTraces(ask.maskedOfClicked))])
      .description(
        'Personal or secret values that became **** in kept spans, in each half minute, by agent. Masking comes before sampling, so dropped traces held about as many again. If one agent stands out, click it: its prompt or its model repeats what it should not know. Spans without an agent are left out.',
      ),
    overTime(
      'What came too late?',
      {
        unit: 'locale',
        decimals: 0,
        as: 'bars',
        step: '30s',
        width: 8,
        height: 7,
        softMax: 5,
        colours: LATE_COLOURS,
      },
      line('joined', ask.lateJoined, 'late, joined their trace'),
      line('lost', ask.lateLost, 'late, lost'),
      line('evicted', ask.evicted, 'traces pushed out'),
    ).description(
      'Spans that came after the verdict: those of a kept trace still join it, those of a dropped one are lost. Pushed out: traces that were never judged. A few that join are normal when a process sends late. If any are lost, let processes send sooner or the sampler wait longer.',
    ),
    overTime(
      'How many traces wait?',
      { unit: 'locale', decimals: 0, width: 8, height: 7, colours: LINE_COLOURS },
      line('waiting', ask.waiting, 'waiting'),
    ).description(
      `Traces in the memory of the sampler at each scrape. It swings with the ticks. A steady climb means that roots stay away and each trace waits the full ${decisionWait}; then memory climbs with it.`,
    ),
    overTime(
      'How much memory is held?',
      { unit: 'bytes', width: 8, height: 7, colours: LINE_COLOURS },
      line('memory', ask.memory, 'collector'),
    ).description(
      `Resident memory of the process: waiting traces, queues and counters. From ${settings.refusesAtMiB} MiB of heap on the memory limiter refuses spans, and senders must try again. If it climbs with the traces that wait, lower num_traces or the waits; if alone, look at the number of series.`,
    ),
  ],
}
