import { TableSortByFieldStateBuilder } from '@grafana/grafana-foundation-sdk/common'
import type { Board } from '../board.ts'
import { EXPORTER_COLOURS, SERVER_COLOURS } from '../colours.ts'
import { boardLink, exploreTraces } from '../links.ts'
import {
  bars,
  coloured,
  column,
  doubling,
  figure,
  line,
  NO_TRAFFIC,
  overTime,
  redAbove,
  rows,
  sideBySide,
  table,
} from '../panels.ts'
import * as ask from '../pipeline-queries.ts'

const STEP = '30s'
const SMALL = { width: 6, height: 3 }
const EXPORTER = '{{exporter}}'
const MODEL = '{{model_name}}'

const LOSS_COLOURS = {
  'given up by the agents': 'dark-green',
  'refused by the collector': 'blue',
  'failed in the collector': 'dark-blue',
  ...Object.fromEntries(
    Object.entries(EXPORTER_COLOURS).flatMap(([exporter, colour]) => [
      [`not delivered: ${exporter}`, colour],
      [`queue full: ${exporter}`, `dark-${colour}`],
    ]),
  ),
}
const TEMPO_LOSS_COLOURS = {
  'discarded: live_traces_exceeded': 'orange',
  'discarded: trace_too_large': 'dark-orange',
  'discarded: unknown_error': 'dark-red',
  'values cut': 'dark-yellow',
  'blocks not written': 'dark-purple',
}

const figures = [
  redAbove(
    figure(
      {
        title: 'Not answering',
        description:
          'Servers that Prometheus asks for metrics and that did not answer last time. If it is red, the table below names the server; see its log (make logs) and start it again (make up). Phoenix has no metrics: look at the queue and the failures of its exporter.',
        ...SMALL,
      },
      ask.targetsDown,
      'short',
    ).decimals(0),
    1,
  ),
  redAbove(
    figure(
      {
        title: 'Lost by the agents',
        description:
          'Spans in the range that the SDK of an agent gave up: its queue was full, or no collector took them in time. They are in no number of the collector. If it is red, look whether the collector answered then; if it did, raise OTEL_BSP_MAX_QUEUE_SIZE.',
        ...SMALL,
      },
      ask.lostByAgentsInRange,
      'short',
    ).decimals(0),
    1,
  ),
  redAbove(
    figure(
      {
        title: 'Spans refused',
        description:
          'Spans in the range that the collector did not take: refused because it was short of memory, or failed because a processor could not mask them. Senders try again, so they are not lost yet. If it is red, see memory below, then the log of the collector.',
        ...SMALL,
      },
      ask.refusedInRange,
      'short',
    ).decimals(0),
    1,
  ),
  redAbove(
    figure(
      {
        title: 'Never delivered',
        description:
          'Kept spans in the range that a backend refused for good (a 4xx or a 500) or that no longer fitted into the queue. They are lost to that backend only. If it is red, see below which exporter it is, and read the log of that backend.',
        ...SMALL,
      },
      ask.notDeliveredInRange,
      'short',
    ).decimals(0),
    1,
  ),
  redAbove(
    figure(
      {
        title: 'Fullest queue',
        description:
          'How full the fuller of the two queues on disk is. It fills only while a backend is down or slow, and empties by itself. If it is red (over half), start that backend again: a full queue turns new spans away, and after ten minutes old ones are given up.',
        ...SMALL,
      },
      ask.queueFill,
      'percentunit',
    ).decimals(0),
    0.5,
  ),
  redAbove(
    figure(
      {
        title: 'Discarded by Tempo',
        description:
          'Spans in the range that Tempo took in and threw away, because a trace was too large or there were too many live ones. If it is red, the panel below names the reason; the limit of that name stands in the Tempo manual under overrides.',
        ...SMALL,
      },
      ask.discardedInRange,
      'short',
    ).decimals(0),
    1,
  ),
  figure(
    {
      title: 'Values cut by Tempo',
      description:
        'Attribute names or values in the range that were longer than max_attribute_bytes in grafana/tempo.yaml (16 KiB) and were cut there. A cut prompt is no longer valid JSON. If it is not zero, make the sender cut its messages, as the simulator does.',
      ...SMALL,
    },
    ask.truncatedInRange,
    'short',
  ).decimals(0),
  figure(
    {
      title: 'Requests in line',
      description:
        'Requests that wait in the model server because its batch is full. Now and then a few is normal: five agents ask at once. If it stays above zero, every turn gets slower: fewer agents, shorter prompts or a larger server.',
      ...SMALL,
    },
    ask.waitingNow,
    'short',
  ).decimals(0),
]

const stages = table(
  {
    title: 'How far do spans get?',
    description:
      'One stage below the other. Between 4 and 5 it gets fewer by design: that is sampling. Find the first stage whose last move is long ago while the one above still moves: the fault lies between the two. All long ago: the agents have stopped.',
    width: 12,
    height: 12,
  },
  NO_TRAFFIC,
)
  .withTarget(rows('pace', ask.stagePerMinute))
  .withTarget(rows('range', ask.stageInRange))
  .withTarget(rows('age', ask.stageAge))
  .transformations(
    sideBySide({
      stage: 'Stage',
      'Value #pace': 'A minute',
      'Value #range': 'In range',
      'Value #age': 'Last moved',
    }),
  )
  .sortBy([new TableSortByFieldStateBuilder().displayName('Stage').desc(false)])
  .overrideByName('Stage', [{ id: 'custom.width', value: 220 }])
  .overrideByName('A minute', column('locale', 0))
  .overrideByName('In range', column('locale', 0))
  .overrideByName('Last moved', column('s', 0))

const targets = table(
  {
    title: 'Who answers Prometheus?',
    description:
      'Each server that is asked for metrics every 5 s. Down, or a last answer long ago: see its log. Slow (seconds): the machine is busy, or there are too many series. Samples that only grow: something puts a name or an id into a label.',
    width: 12,
    height: 7,
  },
  'nobody is asked',
)
  .withTarget(rows('up', ask.targetUp))
  .withTarget(rows('age', ask.targetAge))
  .withTarget(rows('seconds', ask.targetSeconds))
  .withTarget(rows('samples', ask.targetSamples))
  .transformations(
    sideBySide({
      job: 'Server',
      instance: 'Address',
      'Value #up': 'State',
      'Value #age': 'Age',
      'Value #seconds': 'Took',
      'Value #samples': 'Samples',
    }),
  )
  .sortBy([new TableSortByFieldStateBuilder().displayName('Server').desc(false)])
  .overrideByName('Server', [{ id: 'custom.width', value: 85 }])
  .overrideByName('Address', [{ id: 'custom.width', value: 135 }])
  .overrideByName('State', [
    ...column('short', 0),
    { id: 'custom.cellOptions', value: { type: 'color-text' } },
    {
      id: 'mappings',
      value: [
        {
          type: 'value',
          options: { '0': { text: 'down', color: 'red', index: 0 }, '1': { text: 'up', color: 'green', index: 1 } },
        },
      ],
    },
  ])
  .overrideByName('Age', column('s', 0))
  .overrideByName('Took', column('s', 0))
  .overrideByName('Samples', column('locale', 0))

const queues = coloured(
  overTime(
    {
      title: 'How full are the queues?',
      description:
        'Spans that wait on disk for a backend, as a share of what fits. Flat at zero is right. A slope: that backend is down or slower than the stream; a fall after it: it is catching up. The other backend must not move.',
      width: 12,
      height: 7,
    },
    'percentunit',
  )
    .axisSoftMax(0.01)
    .withTarget(line('fill', ask.queueFillByExporter, EXPORTER)),
  EXPORTER_COLOURS,
)

const flow = coloured(
  overTime(
    {
      title: 'How many spans flow?',
      description:
        'Spans a second that the collector accepts, and that it sends to each backend. Both exporters lie on top of each other when all is well. If one falls away, that backend is down or refuses; if accepted falls, look at the agents.',
      width: 12,
      height: 12,
    },
    'suffix:/s',
  )
    .interval('1m')
    .decimals(1)
    .withTarget(line('accepted', ask.acceptedPerSecond, 'accepted'))
    .withTarget(line('sent', ask.sentPerSecondByExporter, EXPORTER)),
  { accepted: '#808080', ...EXPORTER_COLOURS },
)

const losses = coloured(
  bars(
    overTime(
      {
        title: 'Where are spans lost?',
        description:
          'Spans in each half minute that did not get on, by place: lost in the agents, refused or failed in the collector, refused for good by a backend, or turned away by a full queue. Empty is right. Work on the first in the order of the legend: what is lost early never gets further.',
        width: 12,
        height: 8,
      },
      'short',
    ),
  )
    .interval(STEP)
    .decimals(0)
    .noValue('nothing lost')
    .axisSoftMax(5)
    .withTarget(line('agents', ask.lostByAgents, 'given up by the agents'))
    .withTarget(line('refused', ask.refused, 'refused by the collector'))
    .withTarget(line('failed', ask.failed, 'failed in the collector'))
    .withTarget(line('sending', ask.notSentByExporter, `not delivered: ${EXPORTER}`))
    .withTarget(line('queueing', ask.notQueuedByExporter, `queue full: ${EXPORTER}`)),
  LOSS_COLOURS,
)

const tempoLosses = coloured(
  bars(
    overTime(
      {
        title: 'What does Tempo not keep whole?',
        description:
          'In each half minute: spans that Tempo discarded, by its reason, values it cut, and blocks it could not write. Flat at zero is right. Blocks that fail: the disk is full or not writable (make doctor). Cut values: see the figure above.',
        width: 12,
        height: 8,
      },
      'short',
    ),
  )
    .interval(STEP)
    .decimals(0)
    .axisSoftMax(5)
    .withTarget(line('discarded', ask.discardedByReason, 'discarded: {{reason}}'))
    .withTarget(line('cut', ask.truncated, 'values cut'))
    .withTarget(line('blocks', ask.failedFlushes, 'blocks not written')),
  TEMPO_LOSS_COLOURS,
)

const tempoIntake = coloured(
  overTime(
    {
      title: 'How much does Tempo take in?',
      description:
        'Bytes a second of kept traces, before Tempo packs them. It follows the number of kept spans and the length of messages in them. If it grows and spans do not, prompts or replies have become longer.',
      width: 8,
      height: 7,
    },
    'binBps',
  )
    .interval('1m')
    .withTarget(line('bytes', ask.tempoBytesPerSecond, 'otlp_http/tempo')),
  EXPORTER_COLOURS,
)

const busy = coloured(
  overTime(
    {
      title: 'How busy is the model server?',
      description:
        'Requests that are being answered at each scrape, by model, and those that wait in line for any. Waiting while few are running: the server is short of memory for its cache. The fallback model at work: the first model fails, see its answers.',
      width: 12,
      height: 8,
    },
    'short',
  )
    .decimals(0)
    .withTarget(line('running', ask.runningByModel, MODEL))
    .withTarget(line('waiting', ask.waitingNow, 'waiting')),
  { waiting: 'dark-red' },
)

const serverTimes = coloured(
  doubling(
    overTime(
      {
        title: 'Where does the model server spend time? (p95)',
        description:
          'Of 100 requests 95 were faster: in line, to the first token, and in all, as the server itself measures. Line and first token up: too many requests or long prompts. Only all up: long replies. Agents slow but this is not: they retry, or the network is slow.',
        width: 12,
        height: 8,
      },
      's',
    ),
  )
    .interval('1m')
    .withTarget(line('queued', ask.queued, 'in line'))
    .withTarget(line('first', ask.firstToken, 'first token'))
    .withTarget(line('whole', ask.whole, 'in all')),
  { 'in line': 'dark-red', 'first token': 'dark-yellow', 'in all': '#808080' },
)

const answers = coloured(
  bars(
    overTime(
      {
        title: 'What does the model server answer?',
        description:
          'Answers per minute by kind of status, and requests whose reply was broken off. 4xx: mostly 429, asked too often. 5xx: the server fails, read its log. Broken off: agents gave up waiting, or the connection was cut. Agents retry twice, so a few cost only time.',
        width: 12,
        height: 8,
      },
      'suffix:/min',
    ),
  )
    .interval('1m')
    .decimals(0)
    .withTarget(line('answers', ask.answersByStatus, '{{status}}'))
    .withTarget(line('aborted', ask.abortedPerMinute, 'broken off')),
  { '2xx': '#808080', '4xx': 'dark-orange', '5xx': 'dark-red', 'broken off': 'dark-purple' },
)

const tokens = coloured(
  overTime(
    {
      title: 'How many tokens a second?',
      description:
        'Tokens that the model server reads and writes, all models. Written tokens are what keeps it busy. If both fall while requests wait, it has reached its limit; if they fall together with requests, agents ask less.',
      width: 12,
      height: 8,
    },
    'suffix:/s',
  )
    .interval('1m')
    .decimals(0)
    .withTarget(line('read', ask.readPerSecond, 'read'))
    .withTarget(line('written', ask.writtenPerSecond, 'written')),
  { read: '#808080', written: 'blue' },
)

const memory = coloured(
  overTime(
    {
      title: 'How much memory is held?',
      description:
        'Resident memory of the collector and of Tempo. The collector refuses data at 400 MiB of heap (memory_limiter). A saw is normal; a slope that never falls is not: in the collector look for waiting traces and full queues, in Tempo for long queries.',
      width: 8,
      height: 7,
    },
    'bytes',
  )
    .withTarget(line('collector', ask.collectorMemory, 'collector'))
    .withTarget(line('tempo', ask.tempoMemory, 'Tempo')),
  SERVER_COLOURS,
)

const cores = coloured(
  overTime(
    {
      title: 'How many cores are busy?',
      description:
        'Processor time per second: 1 is one core. The collector spends most of it on masking, so it follows the bytes received; Tempo on queries, so it follows people who look. If one stays near the number of cores of the machine, data will come late.',
      width: 8,
      height: 7,
    },
    'short',
  )
    .interval('1m')
    .decimals(3)
    .withTarget(line('collector', ask.collectorCores, 'collector'))
    .withTarget(line('tempo', ask.tempoCores, 'Tempo')),
  SERVER_COLOURS,
)

export const pipeline: Board = {
  uid: 'pipeline',
  title: 'Pipeline',
  description:
    'Is it all flowing? Spans from the agents through the collector to the backends, what is lost on the way, and whether the servers are well.',
  variables: [],
  links: [
    boardLink(
      'Ask Tempo',
      'Opens Explore with the newest traces: if there are any, the pipeline works',
      exploreTraces(ask.newestTraces),
    ),
  ],
  panels: [
    ...figures,
    stages,
    flow,
    targets,
    queues,
    losses,
    tempoLosses,
    busy,
    serverTimes,
    answers,
    tokens,
    tempoIntake,
    memory,
    cores,
  ],
}
