import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  fromAttributes,
  logsRequest,
  nanosOf,
  spansOf,
  type TraceRequest,
  toAttributes,
  traceRequest,
} from '../otlp/json.ts'
import { readPage } from '../otlp/page.ts'
import { eventually, ownSettings } from '../stack/own-stack.ts'
import type { Settings } from '../stack/settings.ts'
import type { Running } from '../workbench/collector.ts'
import { collectorFor, sendTo } from './collector.ts'

const RESULTS = 'gen_ai_evaluation_results_total'
const NAME = 'gen_ai.evaluation.name'
const LABEL = 'gen_ai.evaluation.score.label'
const SCORE = 'gen_ai.evaluation.score.value'
const OUTCOME = 'woodland.evaluation.outcome'
const FAILED = 'woodland.evaluation.failed'

type Values = Readonly<Record<string, unknown>>

let settings: Settings
let collector: Running

before(async () => {
  settings = await ownSettings()
  const stored = join(settings.state, 'stored.yaml')
  const file = (name: string) => `file/${name}: { path: ${join(settings.state, name)}.jsonl, flush_interval: 50ms }`
  writeFileSync(
    stored,
    `exporters: { ${file('kept')}, ${file('logs')} }
service: { pipelines: {
  traces/apart: { receivers: [forward/stored], exporters: [file/kept] },
  logs/apart: { receivers: [forward/logs], exporters: [file/logs] } } }\n`,
  )
  collector = await collectorFor(settings, {
    overlays: [stored],
    env: { DECISION_WAIT: '5s', DECISION_WAIT_AFTER_ROOT: '1s' },
  })
})
after(() => collector?.stop())

const post = (path: string, body: unknown) => sendTo(collector.otlp, path, body)

const event = (values: Values, name = 'gen_ai.evaluation.result') => ({ name, attributes: toAttributes(values) })

type Sent = Readonly<{ attributes: Values; events?: readonly ReturnType<typeof event>[] }>

/** Sends traces of one span each in one request, and answers their ids. */
async function sendAll(service: string, all: readonly Sent[]): Promise<readonly string[]> {
  const spans = all.map(({ attributes, events = [] }) => ({
    traceId: randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    name: 'invoke_agent',
    startTimeUnixNano: nanosOf(Date.now() - 10),
    endTimeUnixNano: nanosOf(Date.now()),
    attributes: toAttributes(attributes),
    events,
  }))
  await post('/v1/traces', traceRequest(spans, { resource: { 'service.name': service } }))
  return spans.map(({ traceId }) => traceId)
}
const send = async (service: string, attributes: Values, events: Sent['events'] = []): Promise<string> =>
  (await sendAll(service, [{ attributes, events }]))[0] ?? ''

const record = (values: Values, more: object = { eventName: 'gen_ai.evaluation.result' }) => ({
  timeUnixNano: nanosOf(Date.now()),
  attributes: toAttributes(values),
  ...more,
})
const sendRecords = (service: string, ...logRecords: readonly object[]) =>
  post('/v1/logs', logsRequest(logRecords, { resource: { 'service.name': service } }))

/** What was counted of one service: all labels but its own, in their order, and the number. */
async function counted(service: string): Promise<Readonly<Record<string, number>>> {
  const samples = readPage(await collector.counted())
  return Object.fromEntries(
    samples
      .filter(({ name, labels }) => name === RESULTS && labels.service_name === service)
      .map(({ labels: { service_name: _, job: __, instance: ___, ...labels }, value }) => [
        Object.entries(labels)
          .map(([label, text]) => `${label}=${text}`)
          .sort()
          .join(' '),
        value,
      ]),
  )
}
const isCounted = (service: string, expected: Readonly<Record<string, number>>) =>
  eventually(async () => assert.deepEqual(await counted(service), expected))

/** The spans that backends get, by trace. */
async function kept(trace: string) {
  const file = join(settings.state, 'kept.jsonl')
  return eventually(async () => {
    const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []
    const spans = lines.flatMap((line) => spansOf(JSON.parse(line) as TraceRequest))
    const found = spans.find(({ traceId }) => traceId === trace)
    assert.ok(found, `${trace} is kept`)
    return {
      attributes: fromAttributes(found.attributes),
      events: (found.events ?? []).map((one) => fromAttributes(one.attributes)),
    }
  })
}

const TURN = { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': 'fox' }

test('each event of a span counts once, by evaluation, outcome, agent, prompt version and arm', async () => {
  const asked = { ...TURN, 'gen_ai.prompt.version': '2', 'experiment.variant': 'careful', outcome: 'of the span' }
  const events = [
    event({ [NAME]: 'allowed', [LABEL]: 'fail', [SCORE]: 0 }),
    event({ [NAME]: 'readable', [LABEL]: ' Pass.\n', [SCORE]: 1 }),
    event({ [NAME]: 'tone', [SCORE]: 0.7 }),
    event({ [NAME]: 'mood', [LABEL]: 'grumpy' }),
    event({ [NAME]: 'no evaluation' }, 'gen_ai.choice'),
  ]
  for (let turn = 0; turn < 3; turn++) await send('events', asked, events)
  const about = 'experiment_variant=careful gen_ai_agent_name=fox gen_ai_evaluation_name'
  const rest = 'woodland_evaluation_from=event'
  await isCounted('events', {
    [`${about}=allowed gen_ai_prompt_version=2 outcome=fail ${rest}`]: 3,
    [`${about}=readable gen_ai_prompt_version=2 outcome=pass ${rest}`]: 3,
    [`${about}=tone gen_ai_prompt_version=2 outcome=scored ${rest}`]: 3,
    [`${about}=mood gen_ai_prompt_version=2 outcome=scored ${rest}`]: 3,
  })
})

test('an event may say whose run it was: on the span of a workflow there is no agent', async () => {
  await send('workflow', { 'gen_ai.operation.name': 'invoke_workflow' }, [
    event({ [NAME]: 'traded', [LABEL]: 'yes', 'gen_ai.agent.name': 'bear', 'experiment.variant': 'terse' }),
    event({ [NAME]: 'whole', [LABEL]: 'no' }),
  ])
  await isCounted('workflow', {
    'experiment_variant=terse gen_ai_agent_name=bear gen_ai_evaluation_name=traded outcome=pass woodland_evaluation_from=event': 1,
    'gen_ai_evaluation_name=whole outcome=fail woodland_evaluation_from=event': 1,
  })
})

test('attributes of agents written by hand count alike, and one name in two places is one series', async () => {
  const alone = { ...TURN, 'eval.score.task_success': 0.4, 'eval.label.task_success': 'fail' }
  const third = {
    ...TURN,
    'eval.score.a': 1,
    'eval.score.b': 0.5,
    'eval.score.task_success': 0.1,
    'eval.label.task_success': 'incorrect',
    'eval.label.a': 'correct',
    // A model that judges may give no score, and may end its word with a new line.
    'eval.label.c': 'FAIL\n',
  }
  await sendAll('by-hand', [{ attributes: alone }, { attributes: third }])
  const about = (name: string, outcome: string) =>
    `gen_ai_agent_name=fox gen_ai_evaluation_name=${name} outcome=${outcome} woodland_evaluation_from=attribute`
  await isCounted('by-hand', {
    [about('task_success', 'fail')]: 2,
    [about('a', 'pass')]: 1,
    [about('b', 'scored')]: 1,
    [about('c', 'fail')]: 1,
  })
})

test('log records count too, of older and newer senders, and other records do not', async () => {
  await sendRecords(
    'records',
    record({ [NAME]: 'helpful', [LABEL]: 'thumbs_down\n', 'gen_ai.agent.name': 'fox', 'gen_ai.prompt.version': '1' }),
    record({ [NAME]: 'helpful', [LABEL]: 'thumbs up', 'event.name': 'gen_ai.evaluation.result' }, {}),
    record({ [NAME]: 'helpful', [LABEL]: 'fail', outcome: 'x' }, { eventName: 'gen_ai.choice' }),
  )
  await isCounted('records', {
    'gen_ai_agent_name=fox gen_ai_evaluation_name=helpful gen_ai_prompt_version=1 outcome=fail woodland_evaluation_from=record': 1,
    'gen_ai_agent_name=records gen_ai_evaluation_name=helpful outcome=pass woodland_evaluation_from=record': 1,
  })
})

/** As Phoenix 20.26.1 has them in its evaluators. What a refusal is worth depends on the question. */
const LABELS = {
  pass: [
    'complete',
    'concise',
    'correct',
    'relevant',
    'faithful',
    'grounded',
    'no_pii_detected',
    'non-toxic',
    'no_friction',
  ],
  fail: [
    ...['incomplete', 'verbose', 'incorrect', 'unrelated', 'irrelevant', 'unfaithful', 'hallucinated', 'pii_detected'],
    ...['toxic', 'friction'],
  ],
  scored: ['refused', 'answered'],
}
test("the labels of Phoenix's own evaluators say whether a run passed", async () => {
  await sendRecords(
    'labels',
    ...Object.values(LABELS).flatMap((labels) => labels.map((label) => record({ [NAME]: 'any', [LABEL]: label }))),
  )
  await isCounted(
    'labels',
    Object.fromEntries(
      Object.entries(LABELS).map(([outcome, { length }]) => [
        `gen_ai_agent_name=labels gen_ai_evaluation_name=any outcome=${outcome} woodland_evaluation_from=record`,
        length,
      ]),
    ),
  )
})

test('a run that failed an evaluation is kept and says which; one that passed is ordinary', async () => {
  const failed = await send('kept', TURN, [
    event({ [NAME]: 'allowed', [LABEL]: 'fail' }),
    event({ [NAME]: 'readable', [LABEL]: 'pass' }),
    event({ [NAME]: 'polite', [LABEL]: 'no' }),
  ])
  const byHand = await send('kept', { ...TURN, 'eval.score.task': 0, 'eval.label.task': 'failed', 'eval.score.x': 1 })
  const labelOnly = await send('kept', { ...TURN, 'eval.label.task': 'fail' })
  assert.deepEqual((await kept(failed)).attributes[FAILED], ['allowed', 'polite'])
  const { attributes, events } = await kept(failed)
  assert.equal(attributes[OUTCOME], 'fail')
  assert.deepEqual(
    events.map((one) => [one[OUTCOME], one['gen_ai.agent.name']]),
    [
      ['fail', 'fox'],
      ['pass', 'fox'],
      ['fail', 'fox'],
    ],
  )
  assert.deepEqual((await kept(byHand)).attributes[FAILED], ['task'])
  assert.equal((await kept(byHand)).attributes[OUTCOME], 'fail')
  assert.deepEqual((await kept(labelOnly)).attributes[FAILED], ['task'])

  // One in ten is kept as a sample, and none for its evaluation.
  const passed = await Promise.all(
    Array.from({ length: 20 }, () =>
      send('ordinary', { ...TURN, 'eval.score.x': 0.2 }, [event({ [NAME]: 'allowed', [LABEL]: 'pass' })]),
    ),
  )
  await sleep(4000)
  const text = readFileSync(join(settings.state, 'kept.jsonl'), 'utf8')
  assert.ok(passed.filter((trace) => text.includes(trace)).length < 12)
})

test('what a sender says of itself in our words is not believed', async () => {
  await send('liar', { ...TURN, [OUTCOME]: 'user-4711' }, [
    event({ [NAME]: 'allowed', [LABEL]: 'pass', [OUTCOME]: 'user-4711', outcome: 'user-4711' }),
  ])
  await isCounted('liar', {
    'gen_ai_agent_name=fox gen_ai_evaluation_name=allowed outcome=pass woodland_evaluation_from=event': 1,
  })
})

test('a long name is one label, and a secret in an explanation is masked', async () => {
  const trace = await send('long', TURN, [
    event({ [NAME]: 'n'.repeat(200), [LABEL]: 'fail', 'gen_ai.evaluation.explanation': 'write to alice@example.com' }),
  ])
  await isCounted('long', {
    'gen_ai_agent_name=fox gen_ai_evaluation_name=over 128 characters outcome=fail woodland_evaluation_from=event': 1,
  })
  assert.match(String((await kept(trace)).events[0]?.['gen_ai.evaluation.explanation']), /^write to \*+/)
})

test('no span is counted a second time for its evaluations', async () => {
  const samples = readPage(await collector.counted())
  assert.deepEqual(
    [...new Set(samples.map(({ name }) => name))].filter((name) => /^gen_ai_evaluation_/.test(name)),
    [RESULTS],
  )
})

test('open turns of any SDK are on the page of agents, as a gauge or an up-down counter; another kind under that name is not', async () => {
  const nanos = nanosOf(Date.now())
  const points = (value: number, attributes: Values = {}) => ({
    dataPoints: [
      { asDouble: value, startTimeUnixNano: nanos, timeUnixNano: nanos, attributes: toAttributes(attributes) },
    ],
  })
  const name = 'gen_ai.agent.active_turns'
  const sum = (isMonotonic: boolean) => ({ ...points(7), aggregationTemporality: 2, isMonotonic })
  const sent: Readonly<Record<string, readonly object[]>> = {
    owl: [
      { name, unit: '{turn}', gauge: points(2) },
      { name: 'gen_ai.agent.oldest_turn', unit: 's', gauge: points(31, { 'gen_ai.agent.name': 'night-owl' }) },
    ],
    wren: [{ name, unit: '{turn}', sum: sum(false) }],
    cuckoo: [{ name, unit: '{turn}', sum: sum(true) }],
  }
  for (const [service, metrics] of Object.entries(sent))
    await post('/v1/metrics', {
      resourceMetrics: [
        { resource: { attributes: toAttributes({ 'service.name': service }) }, scopeMetrics: [{ metrics }] },
      ],
    })
  await eventually(async () => {
    const samples = readPage(await collector.agents())
    assert.deepEqual(
      samples
        .filter((one) => one.name.startsWith('gen_ai_agent_'))
        .map((one) => [one.name, one.labels.job, one.labels.gen_ai_agent_name, one.value])
        .sort(),
      [
        ['gen_ai_agent_active_turns', 'owl', 'owl', 2],
        ['gen_ai_agent_active_turns', 'wren', 'wren', 7],
        ['gen_ai_agent_oldest_turn_seconds', 'owl', 'night-owl', 31],
      ],
    )
  })
})
