import type { Board } from '../board.ts'
import { boardLink, exploreTraces } from '../links.ts'
import { figure, overTime } from '../panels.ts'
import * as ask from '../pipeline-queries.ts'
import { settings } from '../settings.ts'
import { column, key, sideBySide, table, width } from '../tables.ts'
import { line } from '../targets.ts'

const STEP = '30s'
const EXPORTER = '{{exporter}}'
const LOSSES = {
  unit: 'locale',
  decimals: 0,
  as: 'bars',
  height: 9,
  step: STEP,
  softMax: 5,
  none: 'nothing lost',
  most: true,
} as const
const { queuePercent, refusesAtMiB } = settings

const figures = [
  figure('Not answering', ask.targetsDown, { unit: 'locale', decimals: 0, redAbove: 1 }).description(
    'Servers that Prometheus asks for metrics and that did not answer last time. If it is red, the table below names the server; see its log (make logs) and start it again (make up). A backend that has no metrics, such as Phoenix, shows in the queue and the failures of its exporter.',
  ),
  figure('Lost by agents', ask.lostByAgentsInRange, { unit: 'locale', decimals: 0, redAbove: 1 }).description(
    'Spans in the range that the SDK of an agent gave up: its queue was full, or no collector took them in time. They are in no number of the collector. If it is red, look whether the collector answered then; if it did, raise OTEL_BSP_MAX_QUEUE_SIZE.',
  ),
  figure('Refused', ask.refusedInRange, { unit: 'locale', decimals: 0, redAbove: 1 }).description(
    'Spans in the range that the collector did not take: refused because it was short of memory, or failed because a processor could not mask them. Senders try again, so they are not lost yet. If it is red, see memory below, then the log of the collector.',
  ),
  figure('Undelivered', ask.notDeliveredInRange, { unit: 'locale', decimals: 0, redAbove: 1 }).description(
    'Kept spans in the range that a backend refused for good (a 4xx other than 429, or a 500) or that no longer fitted into the queue. They are lost to that backend only. If it is red, see below which exporter it is, and read the log of that backend.',
  ),
  figure('Fullest queue', ask.queueFill, {
    unit: 'percentunit',
    decimals: 0,
    redAbove: queuePercent / 100,
  }).description(
    `How full the fullest of the queues on disk is; each backend has one. It fills only while its backend is down or slow, and empties by itself. If it is red (over ${queuePercent} %), start that backend again: what waits is kept for ever and sent later, but a full queue turns new spans away.`,
  ),
  figure('Tempo discards', ask.discardedInRange, { unit: 'locale', decimals: 0, redAbove: 1 }).description(
    'Spans in the range that Tempo took in and threw away, because a trace was too large or there were too many live ones. If it is red, the panel below names the reason; the limit of that name stands in the Tempo manual under overrides.',
  ),
  figure('Values cut', ask.truncatedInRange, { unit: 'locale', decimals: 0 }).description(
    `Attribute names or values in the range that Tempo cut, in the middle of a character if need be: longer than max_attribute_bytes in grafana/tempo.yaml (${settings.largestAttributeMiB} MiB). The collector cuts values first, at the same length and with a mark, so this is zero. If it is not, a key was that long, or the two limits differ.`,
  ),
  figure('Requests in line', ask.waitingNow, { unit: 'locale', decimals: 0 }).description(
    'Requests that wait in the model server because its batch is full. Now and then a few is normal: all agents ask at once. If it stays above zero, every turn gets slower: fewer agents, shorter prompts or a larger server.',
  ),
]

const stages = sideBySide(
  // Kept spans come in bursts: over less than two minutes a backend that works well would show 0 a minute.
  table('How far do spans get?', { height: 12, step: '2m' }).description(
    'One stage below the other; a minute is the mean of the last two. Idle: how long ago it last moved. Between 4 and 5 it gets fewer by design: that is sampling, and where little is kept, 5 and 6 are idle for minutes. Find the first stage that is idle for long while the one above still moves: the fault lies between the two. All idle: the agents have stopped.',
  ),
  [key('stage', 'Stage', width(215))],
  [
    column('pace', 'A minute', ask.stagePerMinute, 'locale', 0),
    column('range', 'In range', ask.stageInRange, 'locale', 0),
    column('age', 'Idle', ask.stageAge, 's', 0),
  ],
  'Stage',
)

const targets = sideBySide(
  table('Who answers Prometheus?', { width: 14, height: 7, none: 'no server is asked' }).description(
    `Each server that is asked for metrics every ${settings.scrapeInterval}. Down, or a last answer long ago: see its log. Slow (seconds): the machine is busy, or there are too many series. Samples that only grow: something puts a name or an id into a label.`,
  ),
  [key('job', 'Server', width(75)), key('instance', 'Address', { id: 'custom.minWidth', value: 122 })],
  [
    column(
      'up',
      'State',
      ask.targetUp,
      'short',
      0,
      width(55),
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
    ),
    column('age', 'Age', ask.targetAge, 's', 0, width(62)),
    column('seconds', 'Took', ask.targetSeconds, 's', 0, width(60)),
    column('samples', 'Samples', ask.targetSamples, 'locale', 0, width(66)),
  ],
  'Server',
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
    overTime(
      'How many spans flow?',
      { unit: 'suffix:/s', decimals: 1, step: '1m', height: 12, colours: { accepted: '#808080' }, coloursInTurn: true },
      line('accepted', ask.acceptedPerSecond, 'accepted'),
      line('sent', ask.sentPerSecondByExporter, EXPORTER),
    ).description(
      'Spans a second that the collector accepts, and that it sends to each backend. All exporters lie on top of each other when all is well. If one falls away, that backend is down or refuses; if accepted falls, look at the agents.',
    ),
    targets,
    overTime(
      'How full are the queues?',
      { unit: 'percentunit', width: 10, height: 7, softMax: 0.01, coloursInTurn: true },
      line('fill', ask.queueFillByExporter, EXPORTER),
    ).description(
      'Spans that wait on disk for a backend, as a share of what fits. Flat at zero is right. A slope: that backend is down or slower than the stream; a fall after it: it is catching up. The queues of the other backends must not move.',
    ),
    overTime(
      'Where are spans lost?',
      {
        ...LOSSES,
        coloursInTurn: true,
        colours: {
          'given up by the agents': 'dark-green',
          'refused by the collector': 'blue',
          'failed in the collector': 'dark-blue',
        },
      },
      line('agents', ask.lostByAgents, 'given up by the agents'),
      line('refused', ask.refused, 'refused by the collector'),
      line('failed', ask.failed, 'failed in the collector'),
      line('sending', ask.notSentByExporter, `not delivered: ${EXPORTER}`),
      line('queueing', ask.notQueuedByExporter, `queue full: ${EXPORTER}`),
    ).description(
      'Spans in each half minute that did not get on, by place: lost in the agents, refused or failed in the collector, refused for good by a backend, or turned away by a full queue. The legend has the most in one half minute; all zero is right. Work on the first in the order of the legend: what is lost early never gets further.',
    ),
    overTime(
      'What does Tempo not keep whole?',
      {
        ...LOSSES,
        colours: {
          'discarded: live_traces_exceeded': 'orange',
          'discarded: trace_too_large': 'dark-orange',
          'discarded: unknown_error': 'dark-red',
          'values cut': 'dark-yellow',
          'blocks not written': 'dark-purple',
        },
      },
      line('discarded', ask.discardedByReason, 'discarded: {{reason}}'),
      line('cut', ask.truncated, 'values cut'),
      line('blocks', ask.failedFlushes, 'blocks not written'),
    ).description(
      'In each half minute: spans that Tempo discarded, by its reason, values it cut, and blocks it could not write. The legend has the most in one half minute; all zero is right. Blocks that fail: the disk is full or not writable (make doctor). Cut values: see the figure above.',
    ),
    overTime(
      'How busy is the model server?',
      { unit: 'locale', decimals: 0, coloursInTurn: true, colours: { waiting: 'dark-red' } },
      line('running', ask.runningByModel, '{{model_name}}'),
      line('waiting', ask.waitingNow, 'waiting'),
    ).description(
      'Requests that are being answered at each scrape, by model, and those that wait in line for any. Waiting while few are running: the server is short of memory for its cache. The fallback model at work: the first model fails, see its answers.',
    ),
    overTime(
      'Where does the model server spend time? (p95)',
      {
        // Without decimals: they would take the part below a second from the axis.
        unit: 's',
        doubling: true,
        step: '1m',
        colours: { 'in line': 'dark-red', 'first token': 'dark-yellow', 'in all': '#808080' },
      },
      line('queued', ask.queued, 'in line'),
      line('first', ask.firstToken, 'first token'),
      line('whole', ask.whole, 'in all'),
    ).description(
      'Of 100 requests 95 were faster: in line, to the first token, and in all, as the server itself measures. Line and first token up: too many requests or long prompts. Only all up: long replies. Agents slow but this is not: they retry, or the network is slow.',
    ),
    overTime(
      'What does the model server answer?',
      {
        unit: 'suffix:/min',
        decimals: 0,
        as: 'bars',
        step: '1m',
        colours: { '2xx': '#808080', '4xx': 'dark-orange', '5xx': 'dark-red', 'broken off': 'dark-purple' },
      },
      line('answers', ask.answersByStatus, '{{status}}'),
      line('aborted', ask.abortedPerMinute, 'broken off'),
    ).description(
      'Answers per minute by kind of status, and requests whose reply was broken off. 4xx: mostly 429, asked too often. 5xx: the server fails, read its log. Broken off: agents gave up waiting, or the connection was cut. Agents retry twice, so a few cost only time.',
    ),
    overTime(
      'How many tokens a second?',
      { unit: 'suffix:/s', decimals: 0, step: '1m', colours: { read: '#808080', written: 'blue' } },
      line('read', ask.readPerSecond, 'read'),
      line('written', ask.writtenPerSecond, 'written'),
    ).description(
      'Tokens that the model server reads and writes, all models. Writing tokens is what keeps it busy. If both fall while requests wait, it has reached its limit; if they fall together with requests, agents ask less.',
    ),
    overTime(
      'What does Tempo take in?',
      { unit: 'binBps', step: '1m', width: 8, height: 7 },
      line('bytes', ask.tempoBytesPerSecond, 'Tempo'),
    ).description(
      'Bytes a second of kept traces, before Tempo packs them. It follows the number of kept spans and the length of messages in them. If it grows and spans do not, prompts or replies have become longer.',
    ),
    overTime(
      'How much memory is held?',
      { unit: 'bytes', width: 8, height: 7, coloursInTurn: true },
      line('collector', ask.collectorMemory, 'collector'),
      line('tempo', ask.tempoMemory, 'Tempo'),
    ).description(
      `Resident memory of the collector and of Tempo. The collector refuses data from ${refusesAtMiB} MiB of heap on (memory_limiter). Ups and downs are normal; a slope that never falls is not: in the collector look for waiting traces and full queues, in Tempo for long queries.`,
    ),
    overTime(
      'How busy are cores?',
      { unit: 'short', decimals: 3, step: '1m', width: 8, height: 7, coloursInTurn: true },
      line('collector', ask.collectorCores, 'collector'),
      line('tempo', ask.tempoCores, 'Tempo'),
    ).description(
      'Processor time per second: 1 is one core. The collector spends most of it on masking, so it follows the bytes received; Tempo on queries, so it follows people who look. If one stays near the number of cores of the machine, data will come late.',
    ),
    overTime(
      'Which log records arrive, and are they stored?',
      {
        unit: 'locale',
        decimals: 0,
        as: 'bars',
        width: 24,
        height: 7,
        step: STEP,
        softMax: 5,
        most: true,
        coloursInTurn: true,
        colours: { refused: 'dark-red' },
      },
      line('events', ask.recordsByEvent, '{{service_name}} {{event_name}}'),
      line('stored', ask.recordsSentByExporter, `stored: ${EXPORTER}`),
      line('refused', ask.recordsRefused, 'refused'),
    ).description(
      'Log records in each half minute, by service and event, and how many were sent to a backend. They are not sampled. Tempo, Phoenix, Jaeger and Langfuse take no log records, so without the backend otlp they are masked, counted and dropped. Refused: the collector is short of memory, and senders try again.',
    ),
  ],
}
