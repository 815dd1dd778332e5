import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { after, before, test } from 'node:test'
import packageJson from '../package.json' with { type: 'json' }
import type { Entry } from '../sim/ledger.ts'
import { eventually, ownSettings, play, type Run, startStack } from '../stack/own-stack.ts'
import { SHIPPED_POLICY } from '../stack/policy.ts'
import { phoenixSpans, prometheus, type Span, tempoSearch, tempoTrace } from '../stack/queries.ts'
import { type Settings, url } from '../stack/settings.ts'
import { entriesOf, type Kind, sumBy } from './runs.ts'

const TICKS = 80
const TIME_FACTOR = 5
const SLOW_CALL_MS = 2000 / TIME_FACTOR
const TOKEN_HEAVY = 5000
/** A span and the ledger measure the same call at slightly different times. So a call this near the threshold may be slow or not. */
const WATCHES_DIFFER_MS = 30

/** The SDK reads two clocks for each span, one after the other. A busy machine may stop it between the two for a time slice. */
const CLOCK_NS = 25_000_000n

/** Invented values of kinds that the redactor must mask; every prompt holds them. */
const SECRETS = {
  email: 'canary.fox@forest.example',
  phone: '+1 415 555 0132',
  card: '4111 1111 1111 1111',
  iban: 'DE89 3704 0044 0532 0130 00',
  ssn: '078-05-1120',
  ipv4: '203.0.113.77',
  jwt: 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlLWNhbmFyeQ',
  key: 'sk-proj-abcdefghijklmnopqrstuvwx',
  password: 'password=hunter2hunter2',
} as const

let settings: Settings
let end: () => Promise<void>
let run: Run
/** The kept traces, from Tempo. */
let kept: ReadonlyMap<string, readonly Span[]>

const of = <K extends Entry['kind']>(kind: K) => entriesOf(run, kind)
const queried = async (query: string, ...labels: readonly string[]) =>
  sumBy(
    await prometheus(settings, query),
    (sample) => labels.map((label) => sample.labels[label]).join(' '),
    ({ value }) => value,
  )

const REFUSALS = ['self_buy', 'cannot_afford', 'nothing_to_sell', 'unknown_good', 'bad_quantity']

/** Why the shipped policy must keep a tick, by the ledger alone: the first rule that applies, or undefined. */
function duty(tick: Kind<'tick'>): string | undefined {
  const turns = of('turn').filter((turn) => turn.tick === tick.tick)
  const calls = of('call').filter((call) => call.tick === tick.tick)
  if (turns.some(({ attempts, outcome }) => attempts > 1 || outcome === 'parse_error')) return 'keep-parse-errors'
  if (turns.some(({ outcome }) => outcome === 'self_buy')) return 'keep-self-buys'
  if (calls.some(({ outcome }) => outcome !== 'ok')) return 'keep-failed-calls'
  // The simulator judges each turn itself, and a refused order breaks a rule.
  if (turns.some(({ outcome }) => REFUSALS.includes(outcome))) return 'keep-failed-evaluations'
  if (calls.some(({ ms }) => ms > SLOW_CALL_MS)) return 'keep-slow-calls'
  if (tick.tokens >= TOKEN_HEAVY) return 'keep-token-heavy'
  return undefined
}

/** The ledger has no word of it: a tool or a turn that failed, and not because the market refused an order. */
const hasFailedTool = (spans: readonly Span[] = []) =>
  spans.some(
    ({ name, error, attributes }) =>
      error &&
      /^(?:execute_tool|invoke_agent|invoke_workflow) /.test(name) &&
      !REFUSALS.includes(String(attributes['error.type'])),
  )
/** The policies that are asked after that of failed tools. */
const LATER = ['keep-failed-evaluations', 'keep-slow-calls', 'keep-token-heavy', undefined]
const recordedOn = (tick: Kind<'tick'>) =>
  LATER.includes(duty(tick)) && hasFailedTool(kept.get(tick.trace)) ? 'keep-failed-agents-and-tools' : duty(tick)

const nearThreshold = (tick: number) =>
  of('call').some((call) => call.tick === tick && Math.abs(call.ms - SLOW_CALL_MS) <= WATCHES_DIFFER_MS)

before(async () => {
  settings = await ownSettings({
    TIME_FACTOR: String(TIME_FACTOR),
    TOKEN_HEAVY: String(TOKEN_HEAVY),
    VLLM_PRESET: 'default',
  })
  end = await startStack(settings, SHIPPED_POLICY, ['tempo', 'prometheus', 'phoenix', 'collector', 'mock-vllm'])
  const rumour = Object.values(SECRETS).join(' , ')
  run = await play(settings, '--ticks', String(TICKS), '--seed', '7', '--tick-interval', '1s', '--rumour', rumour)

  const decided = await eventually(async () => {
    const counts = await queried('otelcol_processor_tail_sampling_global_count_traces_sampled', 'sampled')
    assert.equal((counts.true ?? 0) + (counts.false ?? 0), TICKS, 'every trace is decided')
    return counts
  })
  kept = await eventually(async () => {
    const found = await tempoSearch(
      settings,
      `{ span.gen_ai.conversation.id = "${run.id}" && span.gen_ai.operation.name = "invoke_workflow" }`,
    )
    assert.equal(found.length, decided.true, 'Tempo has every trace that was kept')
    const traces = await Promise.all(found.map(async ({ traceID }) => tempoTrace(settings, traceID.padStart(32, '0'))))
    return new Map(traces.map((spans) => [spans[0]?.traceId ?? '', spans]))
  })
})

after(() => end?.())

test('the run has failures of several kinds, and mostly routine', () => {
  const duties = sumBy(
    of('tick'),
    (tick) => duty(tick) ?? 'routine',
    () => 1,
  )
  // On a busy machine an ordinary call is slow, too: only what the mock does wrong is counted here.
  const ordinary = (duties.routine ?? 0) + (duties['keep-slow-calls'] ?? 0)
  assert.ok(ordinary > TICKS * 0.5, `ordinary ticks: ${JSON.stringify(duties)}`)
  // A heavy tick of a busy machine is often kept as a slow one.
  assert.ok(
    of('tick').some(({ tokens }) => tokens >= TOKEN_HEAVY),
    'no tick is heavy',
  )
  for (const policy of ['keep-parse-errors', 'keep-self-buys', 'keep-slow-calls']) {
    assert.ok((duties[policy] ?? 0) > 0, `the run has no tick for ${policy}: ${JSON.stringify(duties)}`)
  }
})

test('every trace that must be kept is kept, and has the name of the policy that kept it', () => {
  for (const tick of of('tick')) {
    const policy = recordedOn(tick)
    const spans = kept.get(tick.trace)
    if (!policy || (policy === 'keep-slow-calls' && nearThreshold(tick.tick))) continue
    assert.ok(spans, `tick ${tick.tick} (${policy}) is not in Tempo`)
    for (const { scope, name } of spans) {
      const recorded = scope['tailsampling.policy']
      if (nearThreshold(tick.tick)) continue
      assert.equal(recorded, policy, `tick ${tick.tick}, ${name}`)
    }
  }
})

test('about one in ten of the routine traces is kept, by the sample policy', () => {
  const routine = of('tick').filter((tick) => !recordedOn(tick) && !nearThreshold(tick.tick))
  const sampled = routine.filter(({ trace }) => kept.has(trace))
  // 0.1 of about 50 traces: outside these bounds less than once in a thousand runs.
  assert.ok(
    sampled.length <= routine.length * 0.1 + 3.1 * Math.sqrt(routine.length * 0.09),
    `${sampled.length} of ${routine.length}`,
  )
  for (const { trace } of sampled) {
    assert.equal(kept.get(trace)?.[0]?.scope['tailsampling.policy'], 'sample-routine-10-percent')
  }
})

test('Phoenix holds the same traces as Tempo, span for span', async () => {
  const wanted = [...kept.values()]
    .flat()
    .map(({ traceId, spanId }) => `${traceId} ${spanId}`)
    .sort()
  const found = await eventually(async () => {
    const spans = await phoenixSpans(settings, packageJson.name)
    assert.equal(spans.length, wanted.length)
    return spans
  })
  assert.deepEqual(found.map(({ context }) => `${context.trace_id} ${context.span_id}`).sort(), wanted)
})

test('every kept trace has the shape that the README describes', () => {
  const PARENTS: readonly (readonly [RegExp, RegExp])[] = [
    [/^invoke_agent /, /^invoke_workflow woodland_tick$/],
    [/^process market$/, /^invoke_workflow woodland_tick$/],
    [/^chat /, /^invoke_agent /],
    [/^execute_tool /, /^invoke_agent /],
    [/^POST$/, /^chat /],
    [/^llm_request$/, /^POST$/],
  ]
  assert.ok(kept.size > 10)
  for (const [trace, spans] of kept) {
    const byId = new Map(spans.map((span) => [span.spanId, span]))
    const roots = spans.filter(({ parentSpanId }) => parentSpanId === '')
    assert.deepEqual(
      roots.map(({ name }) => name),
      ['invoke_workflow woodland_tick'],
      trace,
    )
    assert.equal(spans.filter(({ name }) => name.startsWith('invoke_agent ')).length, 5, trace)
    for (const span of spans) {
      for (const attributes of [span.attributes, span.scope, span.resource]) {
        assert.ok(
          !Object.keys(attributes).some((key) => /^carry\.|^redaction\.allowed/.test(key)),
          'no small talk of the redactor',
        )
      }
      if (span.parentSpanId === '') continue
      const parent = byId.get(span.parentSpanId)
      const [, wanted] = PARENTS.find(([name]) => name.test(span.name)) ?? []
      assert.ok(parent && wanted?.test(parent.name), `${span.name} under ${parent?.name} in ${trace}`)
      if (span.name !== 'llm_request') {
        assert.ok(
          span.start >= parent.start - CLOCK_NS && span.end <= parent.end + CLOCK_NS,
          `${span.name} stays within ${parent.name} in ${trace}`,
        )
        if (span.name !== 'process market')
          assert.ok(span.attributes['gen_ai.agent.name'], `${span.name} names its agent`)
      }
    }
  }
})

test('links lead from a tick to the one before, from a second attempt to the first, from a trade to its orders', () => {
  const all = [...kept.values()].flat()
  const root = (tick: number) =>
    kept.get(of('tick')[tick]?.trace ?? '')?.find(({ parentSpanId }) => parentSpanId === '')
  const pairs = of('tick').filter(({ tick }) => tick > 0 && root(tick) && root(tick - 1))
  assert.ok(pairs.length > 0)
  for (const { tick } of pairs) assert.equal(root(tick)?.links[0]?.spanId, root(tick - 1)?.spanId)

  const seconds = all.filter(({ name, attributes }) => name.startsWith('chat ') && attributes['woodland.attempt'] === 2)
  assert.ok(seconds.length > 0)
  for (const second of seconds) {
    const first = all.find(({ spanId }) => spanId === second.links[0]?.spanId)
    assert.equal(first?.attributes['woodland.attempt'], 1)
    assert.equal(first?.parentSpanId, second.parentSpanId)
  }

  const markets = all.filter(
    ({ name, attributes }) => name === 'process market' && Number(attributes['woodland.trades']) > 0,
  )
  assert.ok(markets.length > 0)
  for (const { links } of markets) assert.ok(links.length >= 2)
})

test('Prometheus counts every span before sampling, and the kept ones after', async () => {
  const simulator = `service_name="${packageJson.name}"`
  const spans = await eventually(async () => {
    const [sample] = await prometheus(settings, `sum(traces_span_metrics_calls_total{${simulator}})`)
    assert.equal(sample?.value, run.spans, 'spans counted before sampling')
    const stored = [...kept.values()].flat().filter(({ resource }) => resource['service.instance.id'] === run.id).length
    const [after] = await prometheus(settings, `sum(traces_kept_calls_total{${simulator}})`)
    assert.equal(Math.round(after?.value ?? 0) >= stored, true, 'kept spans, weighted, are not fewer than those stored')
    return stored
  })
  assert.ok(spans > 0)
})

test('tokens by agent, model and type in Prometheus equal those of the ledger, to the last token', async () => {
  const calls = of('call')
  const key = (type: string) => (call: (typeof calls)[number]) => `${call.agent} ${call.model} ${type}`
  const ledger = {
    ...sumBy(
      calls.filter(({ outcome }) => outcome === 'ok'),
      key('input'),
      ({ inputTokens }) => inputTokens,
    ),
    ...sumBy(
      calls.filter(({ outcome }) => outcome === 'ok'),
      key('output'),
      ({ outputTokens }) => outputTokens,
    ),
  }
  await eventually(async () => {
    const counted = await queried(
      `gen_ai_client_token_usage_sum{instance="${run.id}"}`,
      'gen_ai_agent_name',
      'gen_ai_request_model',
      'gen_ai_token_type',
    )
    assert.deepEqual(counted, ledger)
  })
})

test('decisions, calls and retries by agent in Prometheus equal those of the ledger', async () => {
  const turns = sumBy(
    of('turn'),
    ({ agent, outcome }) => `${agent} ${outcome}`,
    () => 1,
  )
  const counted = await queried(`woodland_decisions_total{instance="${run.id}"} > 0`, 'gen_ai_agent_name', 'outcome')
  assert.deepEqual(counted, turns)
  const calls = sumBy(
    of('call'),
    ({ agent }) => agent,
    () => 1,
  )
  const chats = `gen_ai_client_operation_duration_seconds_count{instance="${run.id}",gen_ai_operation_name="chat"}`
  assert.deepEqual(await queried(chats, 'gen_ai_agent_name'), calls)
  const trades = of('tick').reduce((sum, tick) => sum + tick.trades, 0)
  const [traded] = await prometheus(settings, `sum(woodland_trades_total{instance="${run.id}"})`)
  assert.equal(traded?.value, trades)
})

test('Phoenix shows messages and tokens of the kept calls', async () => {
  const stored = await phoenixSpans(settings, packageJson.name)
  const calls = stored.filter(
    ({ span_kind, attributes }) => span_kind === 'LLM' && 'llm.token_count.total' in attributes,
  )
  const answered = of('call').filter(({ trace, outcome }) => kept.has(trace) && outcome === 'ok')
  assert.equal(calls.length, answered.length)
  for (const { attributes } of calls) {
    assert.ok('llm.input_messages.0.message.content' in attributes, 'input messages')
    assert.ok('llm.output_messages.0.message.role' in attributes, 'output messages')
  }
})

test('every exemplar opens a trace that was stored', async () => {
  const parameters = new URLSearchParams({
    query: 'traces_kept_duration_seconds_bucket',
    start: String(Date.now() / 1000 - 3600),
    end: String(Date.now() / 1000 + 60),
  })
  const response = await fetch(url(settings, 'PROMETHEUS_PORT', `/api/v1/query_exemplars?${parameters}`))
  const { data } = (await response.json()) as {
    data: readonly { exemplars: readonly { labels: { trace_id: string } }[] }[]
  }
  const traces = new Set(data.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels.trace_id)))
  assert.ok(traces.size > 0, 'there are exemplars')
  for (const trace of traces) assert.ok(kept.has(trace), `the exemplar of ${trace} opens no stored trace`)
})

test('no secret of the prompts is in Tempo, Phoenix, Prometheus, a log or a queue file', async () => {
  const json = (value: unknown) =>
    JSON.stringify(value, (_key, item) => (typeof item === 'bigint' ? String(item) : item))
  const exits: Record<string, string> = {
    Tempo: json([...kept.values()]),
    Phoenix: json(await phoenixSpans(settings, packageJson.name)),
    Prometheus: json(await prometheus(settings, '{__name__=~".+"}')),
    'what the simulator said': run.said,
  }
  for (const folder of ['logs', 'data/collector', 'data/tempo', 'data/phoenix']) {
    for (const file of readdirSync(resolve(settings.state, folder), { recursive: true, withFileTypes: true })) {
      if (file.isFile()) exits[`${folder}/${file.name}`] = readFileSync(resolve(file.parentPath, file.name), 'latin1')
    }
  }
  assert.ok(exits.Tempo?.includes('They say: ****'), 'the masked sentence arrived')
  assert.ok(exits.Phoenix?.includes('They say: ****'), 'the masked sentence arrived')
  for (const [exit, content] of Object.entries(exits)) {
    for (const [kind, secret] of Object.entries(SECRETS)) {
      assert.ok(!content.includes(secret), `${kind} is in ${exit}`)
    }
  }
})

test('no policy failed on a span, and nothing was refused, dropped or left in a queue', async () => {
  const log = readFileSync(resolve(settings.state, 'logs/collector.log'), 'utf8')
  assert.ok(log.includes('Everything is ready'))
  assert.ok(!log.includes('failed to eval'), 'a condition failed')
  for (const metric of [
    'otelcol_processor_tail_sampling_sampling_policy_evaluation_error',
    'otelcol_processor_tail_sampling_sampling_trace_dropped_too_early',
    'otelcol_exporter_send_failed_spans',
    'otelcol_exporter_enqueue_failed_spans',
    'otelcol_receiver_refused_spans',
    'otelcol_exporter_queue_size',
  ]) {
    const [sample] = await prometheus(settings, `sum(${metric})`)
    assert.equal(sample?.value ?? 0, 0, metric)
  }
})
