import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { logsRequest, nanosOf, toAttributes } from '../otlp/json.ts'
import packageJson from '../package.json' with { type: 'json' }
import { bootNative } from '../stack/boot.ts'
import { type AskedEvaluate, askEvaluate } from '../stack/commands/evaluate.ts'
import { verify } from '../stack/commands/verify.ts'
import { eventually, ownSettings, play, quiet, type Run, startStack } from '../stack/own-stack.ts'
import { stop } from '../stack/processes.ts'
import { bytesFrom, phoenixData, prometheus, type Span, tempoTrace } from '../stack/queries.ts'
import { type Settings, url } from '../stack/settings.ts'
import { UserError } from '../workbench/user-error.ts'
import { sendTo } from './collector.ts'

const KEEP_ALL = 'collector/policies/keep-everything.yaml'
const SERVICES = ['tempo', 'prometheus', 'phoenix', 'annotations', 'collector', 'mock-vllm']
const TICKS = 8

let settings: Settings
let end: () => Promise<void>
let run: Run

before(async () => {
  settings = await ownSettings({ TIME_FACTOR: '10', VLLM_PRESET: 'chaos', BACKENDS: 'tempo,phoenix,annotations' })
  end = await startStack(settings, KEEP_ALL, SERVICES)
  run = await play(settings, '--ticks', String(TICKS), '--seed', '7', '--tick-interval', '500ms')
})
after(() => end?.())

const tracesOf = ({ entries }: Run) => entries.flatMap((entry) => (entry.kind === 'tick' ? [entry.trace] : []))

/** Every evaluation of kept traces, by Tempo: span, name, agent, label and explanation. */
async function evaluated(...runs: readonly Run[]): Promise<readonly string[]> {
  const traces = await eventually(async () => {
    const found = await Promise.all(runs.flatMap(tracesOf).map((trace) => tempoTrace(settings, trace)))
    for (const spans of found)
      assert.ok(
        spans.some(({ parentSpanId }) => parentSpanId === ''),
        'each trace is whole',
      )
    return found
  })
  return traces.flatMap((spans) => spans.flatMap(linesOf)).sort()
}
const linesOf = ({ spanId, events }: Span) =>
  events
    .filter(({ name }) => name === 'gen_ai.evaluation.result')
    .map(({ attributes: of }) =>
      [
        spanId,
        of['gen_ai.evaluation.name'],
        of['gen_ai.agent.name'],
        of['gen_ai.evaluation.score.label'] ?? '-',
        of['gen_ai.evaluation.score.value'],
        of['gen_ai.evaluation.explanation'],
        of['gen_ai.prompt.version'],
        of['experiment.variant'],
      ].join(' '),
    )

type Stored = Readonly<{
  span_id: string
  name: string
  identifier: string
  annotator_kind: string
  result: Readonly<{ label?: string; score?: number; explanation?: string }> | null
  metadata: Readonly<Record<string, string>>
}>

/** The annotations of these spans, by Phoenix. */
async function annotated(spanIds: readonly string[]): Promise<readonly Stored[]> {
  const all: Stored[] = []
  const ids = [...new Set(spanIds)]
  for (let at = 0; at < ids.length; at += 50) {
    const asked = new URLSearchParams({ limit: '1000' })
    for (const id of ids.slice(at, at + 50)) asked.append('span_ids', id)
    const path = `/v1/projects/${packageJson.name}/span_annotations?${asked}`
    all.push(...(JSON.parse((await bytesFrom(url(settings, 'PHOENIX_PORT', path))).toString()).data as Stored[]))
  }
  return all
}
const lineOf = ({ span_id, name, identifier, result, metadata }: Stored) =>
  [
    span_id,
    name,
    identifier,
    result?.label ?? '-',
    result?.score,
    result?.explanation,
    metadata.prompt_version,
    metadata.arm,
  ].join(' ')
const spansIn = (lines: readonly string[]) => lines.map((line) => line.split(' ')[0] ?? '')

const areAnnotated = (expected: readonly string[]) =>
  eventually(async () => assert.deepEqual((await annotated(spansIn(expected))).map(lineOf).sort(), expected))

test('each evaluation of a kept trace is an annotation of its span in Phoenix, once', async () => {
  const expected = await evaluated(run)
  assert.ok(expected.length >= TICKS * 5 * 3 * 0.8, `only ${expected.length} evaluations`)
  assert.ok(expected.some((line) => / fail /.test(line)))
  await areAnnotated(expected)
})

test('in Phoenix, runs that failed an evaluation can be filtered', async () => {
  type Found = { node: { spans: { edges: readonly { node: { spanId: string } }[] } } }
  type Projects = { projects: { edges: readonly { node: { id: string; name: string } }[] } }
  const projects = await phoenixData<Projects>(settings, '{ projects { edges { node { id name } } } }')
  const id = projects?.projects.edges.find(({ node }) => node.name === packageJson.name)?.node.id ?? ''
  const query =
    'query ($id: ID!, $filter: String!) { node(id: $id) { ... on Project { spans(first: 1000, filterCondition: $filter) { edges { node { spanId } } } } } }'
  const found = await phoenixData<Found>(settings, query, { id, filter: "annotations['allowed'].label == 'fail'" })
  const failed = (await evaluated(run)).filter((line) => / allowed \w+ fail /.test(line))
  assert.ok(failed.length > 0)
  assert.deepEqual(found?.node.spans.edges.map(({ node }) => node.spanId).sort(), spansIn(failed).sort())
})

test('an evaluation that comes later reaches the boards and Phoenix, and replaces an earlier one of its name', async () => {
  const trace = tracesOf(run)[0] ?? ''
  const late = { trace, agent: 'fox', name: 'helpful', score: '0.5', label: 'fail', why: 'too expensive', by: 'human' }
  const said = await askEvaluate(settings, late)
  assert.match(said, /^helpful of invoke_agent fox, trace [0-9a-f]{32}, is counted on the boards\.\nPhoenix gets it/)
  const fox = (await tempoTrace(settings, trace)).find(({ name }) => name === 'invoke_agent fox')
  const found = () => annotated([fox?.spanId ?? '']).then((all) => all.filter(({ name }) => name === 'helpful'))
  await eventually(async () => {
    const [one] = await found()
    assert.deepEqual(one?.result, { label: 'fail', score: 0.5, explanation: 'too expensive' })
    assert.equal(one?.annotator_kind, 'HUMAN')
    assert.equal(one?.metadata.arm, fox?.attributes['experiment.variant'])
  })
  await askEvaluate(settings, { ...late, label: 'pass', why: undefined })
  await eventually(async () =>
    assert.deepEqual(
      (await found()).map(({ result }) => result?.label),
      ['pass'],
    ),
  )
  await eventually(async () => {
    const samples = await prometheus(
      settings,
      'sum by (outcome, gen_ai_agent_name) (gen_ai_evaluation_results_total{gen_ai_evaluation_name="helpful", woodland_evaluation_from="record"})',
    )
    assert.deepEqual(samples.map(({ labels, value }) => [labels.gen_ai_agent_name, labels.outcome, value]).sort(), [
      ['fox', 'fail', 1],
      ['fox', 'pass', 1],
    ])
  })
})

test('about a trace that was not kept, the answer says so, and nothing is counted', async () => {
  const asked: AskedEvaluate = {
    trace: 'f'.repeat(32),
    agent: undefined,
    name: 'nobody',
    score: '1',
    label: undefined,
    why: undefined,
    by: 'human',
  }
  const refused = (change: Partial<AskedEvaluate>, message: RegExp) =>
    assert.rejects(askEvaluate(settings, { ...asked, ...change }), (error) => {
      assert.ok(error instanceof UserError)
      assert.match(error.message, message)
      return true
    })
  await refused({}, /^Tempo has no trace f{32}\. One of these is so:\n {2}- the policies did not keep it/)
  await refused({ trace: 'fox' }, /^TRACE=fox is no trace id/)
  await refused({ trace: undefined }, /^TRACE is missing\. Type make evaluate TRACE=/)
  await refused({ name: undefined }, /^NAME is missing/)
  await refused({ score: 'high' }, /^SCORE=high is no number/)
  await refused({ score: undefined }, /^LABEL and SCORE are both missing/)
  await refused({ trace: tracesOf(run)[0], agent: 'owl' }, /^AGENT=owl has no turn in this trace\. It has turns of \w+/)
  const counted = await prometheus(settings, 'gen_ai_evaluation_results_total{gen_ai_evaluation_name="nobody"}')
  assert.deepEqual(counted, [])
})

/** As an SDK sends an evaluation of one of its own spans. */
async function sendRecord(traceId: string, spanId: string, name: string): Promise<void> {
  const attributes = toAttributes({ 'gen_ai.evaluation.name': name, 'gen_ai.evaluation.score.label': 'pass' })
  const record = {
    timeUnixNano: nanosOf(Date.now()),
    traceId,
    spanId,
    eventName: 'gen_ai.evaluation.result',
    attributes,
  }
  await sendTo(url(settings, 'OTLP_HTTP_PORT'), '/v1/logs', logsRequest([record]))
}

test('records about traces that were dropped hold up no others', async () => {
  const trace = tracesOf(run)[1] ?? ''
  const [root] = (await tempoTrace(settings, trace)).filter(({ parentSpanId }) => parentSpanId === '')
  for (let index = 0; index < 30; index++)
    await sendRecord(randomBytes(16).toString('hex'), randomBytes(8).toString('hex'), 'dropped')
  await sendRecord(trace, root?.spanId ?? '', 'after them')
  await eventually(async () =>
    assert.ok((await annotated([root?.spanId ?? ''])).some(({ name }) => name === 'after them')),
  )
})

test('make verify looks whether the relay takes spans', async () => {
  const said: string[] = []
  await verify(settings, { ...quiet, say: (line) => said.push(line) })
  assert.match(said.join('\n'), /^ok {3}Annotations took [1-9]\d* spans for Phoenix$/m)
})

test('while Phoenix is down nothing is lost, even when the Collector and the relay are started again', async () => {
  await stop(settings, 'phoenix', 10_000)
  const meanwhile = await play(settings, '--ticks', '4', '--seed', '9', '--tick-interval', '500ms')
  const expected = await evaluated(meanwhile)
  assert.ok(expected.length > 40)
  for (const name of ['collector', 'annotations']) await stop(settings, name, 30_000)
  const only = ['phoenix', 'annotations', 'collector']
  await bootNative(settings, { policy: KEEP_ALL, only, ...quiet })
  await areAnnotated(expected)
})
