import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { calcPrice } from '@pydantic/genai-prices'
import { parse } from 'yaml'
import { readRecordings } from '../evidence/foreign/recordings.ts'
import { render } from '../grafana/source/board.ts'
import { boards } from '../grafana/source/boards.ts'
import { OF_THE_CONVENTIONS } from '../grafana/source/catalogue.ts'
import { isPerToken } from '../grafana/source/prices.ts'
import { LINES, OTHERS } from '../grafana/source/queries.ts'
import { postOtlp } from '../otlp/post.ts'
import packageJson from '../package.json' with { type: 'json' }
import type { Entry } from '../sim/ledger.ts'
import { chargedAt, eventually, ownSettings, play, type Run, startStack } from '../stack/own-stack.ts'
import { SHIPPED_POLICY } from '../stack/policy.ts'
import { pricesToday } from '../stack/prices.ts'
import { prometheus, prometheusRange, promqlTree, tempoMetrics, tempoSearch } from '../stack/queries.ts'
import { ROOT, type Settings, url } from '../stack/settings.ts'
import { entriesOf, sumBy } from './runs.ts'

const TICKS = 80
/** Long enough for the run on any machine. */
const RANGE = '30m'
const RANGE_SECONDS = 30 * 60

type Target = Readonly<{ refId: string; expr?: string; instant?: boolean; query?: string; metricsQueryType?: string }>
type Asked = Readonly<{ board: string; panel: string; target: Target }>

const asked: readonly Asked[] = boards.flatMap((board) => {
  const { panels = [] } = JSON.parse(JSON.stringify(render(board))) as Dashboard
  return panels.flatMap((panel) => {
    const { title = '', targets = [] } = panel as { title?: string; targets?: readonly Target[] }
    return targets.map((target) => ({ board: board.uid, panel: title, target }))
  })
})
const nameOf = ({ board, panel, target }: Asked) => `${board} / ${panel} / ${target.refId}`

let settings: Settings
let end: () => Promise<void>
let run: Run
/** The time of the queries, in seconds since 1970. At first soon after the last tick, so that rates over a minute include it. */
let askedAt: number

type Answer = Readonly<{ labels: Readonly<Record<string, string>>; value: number }>

/** Runs the queries that Grafana would run, with all agents chosen. For lines over time, returns their last value. */
async function answer(
  { target }: Asked,
  agents = '.*',
  at = askedAt,
  service = '.*',
  range = RANGE,
): Promise<readonly Answer[]> {
  const { expr, query = '', instant, metricsQueryType } = target
  if (expr) {
    const filled = expr
      .replaceAll('$agent', agents)
      .replaceAll('$service', service)
      .replaceAll('$__rate_interval', '1m')
      .replaceAll('$__range_s', String(RANGE_SECONDS))
      .replaceAll('$__range', range)
    return instant
      ? prometheus(settings, filled, at)
      : prometheusRange(settings, filled, { from: at - 60, to: at, step: 5 })
  }
  // World time runs faster in this test, so a slow call takes less real time.
  const filled = query.replaceAll('$agent', agents).replace(/duration > \w+/, 'duration > 10ms')
  if (metricsQueryType)
    return (await tempoMetrics(settings, filled)).map(({ labels, values }) => ({
      labels,
      value: values.reduce((sum, value) => sum + value, 0),
    }))
  return (await tempoSearch(settings, filled)).map(({ traceID, spanSets = [] }) => ({
    labels: { traceID },
    value: spanSets.reduce((sum, { matched }) => sum + matched, 0),
  }))
}

before(async () => {
  settings = await ownSettings({
    TIME_FACTOR: '5',
    VLLM_PRESET: 'chaos',
    VLLM_FALLBACK_MODEL: 'Qwen/Qwen2.5-1.5B-Instruct',
  })
  end = await startStack(settings, SHIPPED_POLICY, ['tempo', 'prometheus', 'phoenix', 'collector', 'mock-vllm'])
  run = await play(settings, '--ticks', String(TICKS), '--seed', '7', '--tick-interval', '1s')
  askedAt = Date.now() / 1000 + 15
  await eventually(async () => {
    const [judged] = await prometheus(settings, 'sum(otelcol_processor_tail_sampling_global_count_traces_sampled)')
    assert.equal(judged?.value, TICKS)
    assert.ok(Date.now() / 1000 > askedAt)
  })
})

after(() => end?.())

const agentOf = ({ labels }: Answer) =>
  labels.gen_ai_agent_name ?? labels['span.gen_ai.agent.name']?.replaceAll('"', '') ?? ''

const BELOW = 'agent-map / Whose are the calls that name no agent? (estimated)'

test('every query of every panel is answered with numbers, for all agents', async () => {
  const quiet: string[] = []
  for (const one of asked) {
    const answers = await answer(one)
    if (answers.length === 0) quiet.push(nameOf(one))
    assert.ok(
      answers.every(({ value }) => Number.isFinite(value)),
      `${nameOf(one)}: ${JSON.stringify(answers)}`,
    )
    const agents = new Set(answers.map(agentOf).filter((name) => name !== ''))
    // Only some replies hold personal data, so an agent may have had none.
    const expected = agentsOfRun().filter((agent) => !nameOf(one).includes('were masked') || agents.has(agent))
    if (agents.size > 0) assert.deepEqual([...agents].sort(), expected, nameOf(one))
  }
  // No creature calls another one, and their calls name them. test/callers.test.ts has agents that do, and some that do not.
  assert.deepEqual(quiet, [
    'agent-map / Which agents call other agents? (estimated) / calls',
    ...['cost', 'in', 'out'].map((column) => `${BELOW} / ${column}`),
  ])
})

const stats = async (panel: string, what: 'nodes' | 'edges', agents = '.*') => {
  const asks = asked.filter((one) => one.panel === panel && one.target.refId.startsWith(what))
  assert.ok(asks.length > 0)
  return (await Promise.all(asks.map((one) => answer(one, agents)))).flat()
}

test('the agent map has a node for both ends of each edge, each with its words and each field once', async () => {
  for (const panel of ['Who calls whom?', 'Which services call each other? (kept traces only)']) {
    const [nodes, edges] = [await stats(panel, 'nodes'), await stats(panel, 'edges')]
    const ids = new Set(nodes.map(({ labels }) => labels.id))
    const ends = edges.filter(({ labels }) => labels.stat === 'mainstat')
    assert.ok(ends.length > 0)
    for (const { labels } of ends)
      for (const end of [labels.source, labels.target]) assert.ok(ids.has(end), `${panel}: ${end} is no node`)
    for (const all of [nodes, edges]) {
      const keys = all.map(({ labels }) => `${labels.id} ${labels.stat}`)
      assert.equal(new Set(keys).size, keys.length, panel)
    }
    const titled = new Set(nodes.flatMap(({ labels }) => (labels.title ? [labels.id] : [])))
    assert.deepEqual(titled, ids, panel)
  }
  // An absent part of a circle would end it.
  const parts = Map.groupBy(
    (await stats('Who calls whom?', 'nodes')).filter(({ labels }) => labels.stat?.startsWith('arc__')),
    ({ labels }) => labels.id,
  )
  for (const [id, its] of parts) assert.equal(its.length, 4, id)
})

test('the agent map counts the calls of each agent to each model as the ledger does', async () => {
  const calls = (await stats('Who calls whom?', 'edges')).filter(
    ({ labels }) => labels.stat === 'mainstat' && labels.attribute === 'gen_ai.request.model',
  )
  const wanted = sumBy(of('call'), ({ agent, model }) => `${agent} ${model}`)
  assert.deepEqual(
    sumBy(
      calls,
      ({ labels }) => `${labels.from} ${labels.to}`,
      ({ value }) => Math.round((value * RANGE_SECONDS) / 60),
    ),
    wanted,
  )
})

test('on the agent map, the calls of an agent are those of its lines', async () => {
  const lines = (await stats('Who calls whom?', 'edges')).filter(({ labels }) => labels.stat === 'mainstat')
  const agents = (await stats('Who calls whom?', 'nodes')).filter(
    ({ labels }) => labels.stat === 'detail__calls' && labels.subtitle === 'agent',
  )
  const counted = ({ value }: { value: number }) => Math.round((value * RANGE_SECONDS) / 60)
  assert.ok(agents.length > 0)
  assert.deepEqual(
    sumBy(agents, ({ labels }) => `${labels.title}`, counted),
    sumBy(lines, ({ labels }) => `${labels.from}`, counted),
  )
})

test('with one agent chosen, a panel shows no other agent', async () => {
  let named = 0
  for (const one of asked.filter(({ board }) => board !== 'pipeline' && board !== 'sampling')) {
    for (const each of await answer(one, 'fox')) {
      if (agentOf(each) === '') continue
      named++
      assert.equal(agentOf(each), 'fox', nameOf(one))
    }
  }
  assert.ok(named > 20)
})

type Numbers = Readonly<Record<string, number>>
const of = <K extends Entry['kind']>(kind: K) => entriesOf(run, kind)
const by =
  (divide: (a: number, b: number) => number) =>
  (left: Numbers, right: Numbers): Numbers =>
    Object.fromEntries(Object.entries(left).map(([key, value]) => [key, divide(value, right[key] ?? 0)]))
const ratio = by((a, b) => a / b)
const agent = (entry: { agent: string }) => entry.agent
const model = (entry: { model: string }) => entry.model
const turns = () => of('turn')
const agentsOfRun = () => [...new Set(turns().map(agent))].sort()
const refused = () => turns().filter(({ outcome }) => outcome !== 'accepted')
const usd = () => {
  const prices = new Map(
    pricesToday()
      .filter(isPerToken)
      .map((price) => [price.model, price]),
  )
  return ({ model, inputTokens, outputTokens }: { model: string; inputTokens: number; outputTokens: number }) =>
    (inputTokens * (prices.get(model)?.input ?? Number.NaN) +
      outputTokens * (prices.get(model)?.output ?? Number.NaN)) /
    1e6
}
const p = (quantile: number, items: readonly { agent: string; ms: number }[]): Numbers =>
  Object.fromEntries(
    agentsOfRun().map((name) => {
      const sorted = items.filter((item) => item.agent === name).map(({ ms }) => ms / 1000)
      return [name, sorted.sort((a, b) => a - b)[Math.floor(quantile * sorted.length)] ?? Number.NaN]
    }),
  )

const FLEET = 'cost-and-latency-by-agent'
const TABLE = `${FLEET} / Which agent stands out?`
/** No more than the last digit of a float. */
const COST = 1e-9
/** Each bucket is twice as wide as the one before, so a quantile may be this far off. */
const BUCKET = 1

/** What a panel must show, from the ledger alone: by which label, and the allowed difference as a share. */
const truths: Readonly<Record<string, { label: string; within: number; expected: () => Numbers }>> = {
  [`${TABLE} / turns`]: { label: 'gen_ai_agent_name', within: 0, expected: () => sumBy(turns(), agent) },
  [`${TABLE} / refused`]: {
    label: 'gen_ai_agent_name',
    within: 0,
    expected: () => ratio(sumBy(refused(), agent), sumBy(turns(), agent)),
  },
  [`${TABLE} / cost`]: {
    label: 'gen_ai_agent_name',
    within: COST,
    expected: () => sumBy(of('call'), agent, usd()),
  },
  [`${TABLE} / budget`]: {
    label: 'gen_ai_agent_name',
    within: COST,
    expected: () => by((spent) => 1 - spent)(sumBy(of('call'), agent, usd()), {}),
  },
  [`${TABLE} / in`]: {
    label: 'gen_ai_agent_name',
    within: 0,
    expected: () => sumBy(of('call'), agent, ({ inputTokens }) => inputTokens),
  },
  [`${TABLE} / out`]: {
    label: 'gen_ai_agent_name',
    within: 0,
    expected: () => sumBy(of('call'), agent, ({ outputTokens }) => outputTokens),
  },
  [`${TABLE} / p50`]: { label: 'gen_ai_agent_name', within: BUCKET, expected: () => p(0.5, turns()) },
  [`${TABLE} / p95`]: { label: 'gen_ai_agent_name', within: BUCKET, expected: () => p(0.95, turns()) },
  [`${FLEET} / What does each model cost? / cost`]: {
    label: 'gen_ai_request_model',
    within: COST,
    expected: () => sumBy(of('call'), model, usd()),
  },
  [`${FLEET} / Which way of asking does better? / turns`]: {
    label: '',
    within: 0,
    expected: () => ({ '': turns().length }),
  },
  [`${FLEET} / Spent in 24 h / A`]: {
    label: '',
    within: COST,
    expected: () => sumBy(of('call'), () => '', usd()),
  },
  'agent-map / Which calls cost most, wait longest, fail? / cost': {
    label: 'callee',
    within: COST,
    expected: () => sumBy(of('call'), model, (call) => (usd()(call) * 100 * 3600) / RANGE_SECONDS),
  },
  'one-agent / Calls per turn / A': {
    label: '',
    within: 0,
    expected: () => ({ '': of('call').length / turns().length }),
  },
  'one-agent / Is it getting richer? / pebbles': {
    label: '',
    within: 1e-9,
    expected: () => ({ '': of('tick').at(-1)?.pebbles ?? Number.NaN }),
  },
  'sampling / Traces seen / A': { label: '', within: 0, expected: () => ({ '': TICKS }) },
  'sampling / Which turns were thrown away? / Turns': {
    label: 'span.error.type',
    within: 0,
    expected: () => sumBy(turns(), ({ outcome }) => `"${outcome === 'accepted' ? 'nil' : outcome}"`),
  },
  'sampling / Do kept traces tell the truth? / turns': {
    label: 'gen_ai_agent_name',
    within: 0,
    expected: () => sumBy(turns(), agent),
  },
  'sampling / Do kept traces tell the truth? / failed': {
    label: 'gen_ai_agent_name',
    within: 0,
    expected: () => sumBy(refused(), agent),
  },
}

describe('a board shows the same numbers as the ledger', () => {
  for (const [name, { label, within, expected }] of Object.entries(truths))
    test(name, async () => {
      const one = asked.find((each) => nameOf(each) === name)
      assert.ok(one, 'there is such a panel')
      // What is counted from spans is flushed and scraped apart from what the agents count.
      await eventually(async () => {
        const said = sumBy(
          await answer(one, '.*', await chargedAt(settings, run)),
          ({ labels }) => labels[label] ?? '',
          ({ value }) => value,
        )
        const wanted = expected()
        assert.deepEqual(Object.keys(said).sort(), Object.keys(wanted).sort())
        for (const [key, value] of Object.entries(wanted))
          assert.ok(
            Math.abs((said[key] ?? Number.NaN) - value) <= within * value,
            `${key}: ${said[key]}, and the ledger says ${value}`,
          )
      })
    })
})

/** A part of a PromQL query, as Prometheus parsed it. */
type Part = { type: string; name?: string; matchers?: readonly { name: string; type: string; value: string }[] }

function selectorsIn(part: unknown): readonly string[] {
  if (typeof part !== 'object' || part === null) return []
  const { type, matchers = [] } = part as Part
  const inside = Object.values(part).flatMap(selectorsIn)
  if (type !== 'vectorSelector' && type !== 'matrixSelector') return inside
  return [`{${matchers.map(({ name, type, value }) => `${name}${type}${JSON.stringify(value)}`).join(',')}}`, ...inside]
}

/** Series that exist only when something fails, a limit is reached or a model has no price, when a service sends metrics without an agent and no spans, or when prices.yaml has a server that costs by the hour. */
const RARE = [
  '{__name__="agent_model:gen_ai_unpriced_tokens:increase"}',
  '{__name__="gen_ai_price_usd_per_hour"}',
  '{__name__="otelcol_exporter_enqueue_failed_spans"}',
  '{__name__="otelcol_exporter_send_failed_spans"}',
  '{__name__="otelcol_processor_tail_sampling_traces_dropped_too_large"}',
  '{__name__="rpc_server_call_duration_count"}',
  '{__name__="service:sdk_overflow:count"}',
  '{collector!="",__name__="otelcol_processor_tail_sampling_count_traces_sampled"}', // with two tiers only
  '{error="limit",__name__="otelcol_deltatocumulative_datapoints"}',
  '{gen_ai_agent_name="",__name__="gen_ai_client_token_usage_sum"}',
  '{http_response_status_code="400",__name__="http_server_request_duration_count"}',
  '{otel_metric_overflow="true",__name__="traces_span_metrics_calls_total"}',
  '{otel_scope_name!="",otel_metric_overflow!="",le="",__name__!~".+_sum"}',
  '{reason="reset",__name__="otelcol_cumulativetodelta_datapoints_dropped"}',
  '{rpc_response_status_code="RESOURCE_EXHAUSTED",__name__="rpc_server_call_duration_count"}',
  '{woodland_limit!="",__name__="traces_kept_calls_total"}',
  '{woodland_limit!="",__name__="traces_span_metrics_calls_total"}',
]

test('every series that a rule uses exists', async () => {
  const folder = resolve(ROOT, 'grafana/rules')
  const absent = new Set<string>()
  let there = 0
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.yaml'))) {
    const { groups } = parse(readFileSync(resolve(folder, file), 'utf8')) as {
      groups: readonly { rules: readonly { expr: string }[] }[]
    }
    // The prices of the catalogue, thousands of them, are numbers and name no series.
    for (const { expr } of groups.flatMap(({ rules }) => rules).filter(({ expr }) => !expr.startsWith('vector('))) {
      for (const selector of new Set(selectorsIn(await promqlTree(settings, expr)))) {
        const [found] = await prometheus(settings, `count(last_over_time(${selector}[${RANGE}]))`)
        if (found) there++
        else absent.add(selector)
      }
    }
  }
  assert.deepEqual([...absent].sort(), RARE)
  assert.ok(there > 30)
})

test('Tempo holds exactly the kept traces', async () => {
  const [kept] = await prometheus(
    settings,
    'sum(otelcol_processor_tail_sampling_global_count_traces_sampled{sampled="true"})',
  )
  const share = asked.find((one) => nameOf(one) === 'sampling / Traces kept / A')
  const stored = asked.find((one) => nameOf(one) === 'sampling / Why are traces kept? / kept')
  assert.ok(kept && share && stored)
  assert.equal((await answer(share))[0]?.value, kept.value / TICKS)
  assert.equal(
    (await answer(stored)).reduce((sum, { value }) => sum + value, 0),
    kept.value,
  )
})

test('an agent that was idle over the range is no row and no node, though Prometheus still has its series', async () => {
  const panels = [
    'Which agent stands out?',
    'Who calls whom?',
    'Which tools does it use?',
    'Do kept traces tell the truth?',
    'Which evaluation fails?',
    'Which prompt does better?',
    'Whose runs fail?',
  ]
  for (const one of asked.filter(({ panel }) => panels.includes(panel)))
    assert.deepEqual(await answer(one, '.*', Date.now() / 1000, '.*', '10s'), [], nameOf(one))
})

test('the first board shows the agents of other SDKs beside the simulator, with exact tokens and cost', async () => {
  const panel = (column: string) => asked.find((one) => nameOf(one) === `${TABLE} / ${column}`) as Asked
  const inColumn = (column: string, service: string) => answer(panel(column), '.*', Date.now() / 1000, service)
  const shown = async (column: string, service: string) =>
    (await inColumn(column, service)).reduce((sum, { value }) => sum + value, 0)
  /** The agents that have a number there. */
  const agentsIn = async (column: string, service: string) =>
    (await inColumn(column, service)).filter(({ value }) => value > 0).map(agentOf)
  const own = await shown('in', packageJson.name)
  const recordings = readRecordings().filter(({ expected }) => expected.notSent.tokens === undefined)
  const otlp = url(settings, 'OTLP_HTTP_PORT', '/v1/traces')
  await Promise.all(
    recordings.map(async ({ runs }) => {
      for (const { body } of runs) {
        const { status } = await postOtlp(otlp, body)
        assert.equal(status, 200)
      }
    }),
  )
  let priced = 0
  for (const { service, expected } of recordings) {
    const { input = 0, output = 0, cache_read = 0, cache_creation = 0 } = expected.tokens
    const usage = {
      input_tokens: input,
      output_tokens: output,
      cache_read_tokens: cache_read,
      cache_write_tokens: cache_creation,
    }
    // The catalogue has no price for what your own server answers: the example of the Vercel AI SDK calls its provider local.
    // Without a provider, it finds the model by its name, and so do we.
    const { provider } = expected
    const from = provider === undefined ? {} : { providerId: OF_THE_CONVENTIONS[provider] ?? provider }
    const usd = calcPrice(usage, expected.model ?? '', from)?.total_price ?? 0
    priced += usd > 0 ? 1 : 0
    await eventually(async () => {
      assert.equal(await shown('in', service), input, service)
      assert.equal(await shown('out', service), output, service)
      const cost = await shown('cost', service)
      assert.ok(Math.abs(cost - usd) <= COST * usd, `${service}: ${cost}, and not ${usd}`)
      // It ran once, before the first scrape, and so it has no rate.
      const worked = new Set([...(await agentsIn('turns', service)), ...(await agentsIn('calls', service))])
      assert.deepEqual((await agentsIn('p95', service)).sort(), [...worked].sort(), service)
    })
  }
  assert.ok(priced >= 12, `${priced} of ${recordings.length}`)
  assert.equal(await shown('in', packageJson.name), own)
})

test('where calls name no agent, tokens and cost are estimated for the agents above them', async () => {
  const service = 'f05-openai-agents-oi'
  const only = async (panel: string) => {
    const one = asked.find((one) => nameOf(one) === panel) ?? assert.fail(panel)
    const rows = await answer(one, '.*', Date.now() / 1000, service)
    assert.equal(rows.length, 1, `${panel}: ${JSON.stringify(rows)}`)
    return rows[0] ?? assert.fail()
  }
  const costOfToken = async (panel: string) =>
    (await only(`${panel} / cost`)).value / ((await only(`${panel} / in`)).value + (await only(`${panel} / out`)).value)
  await eventually(async () => {
    const { labels } = await only(`${BELOW} / cost`)
    assert.equal(labels.woodland_caller_agent_name, 'calculator')
    const [estimated, exact] = [await costOfToken(BELOW), await costOfToken(TABLE)]
    assert.ok(Math.abs(estimated - exact) <= 1e-6 * exact, `${estimated}, and not ${exact}`)
  })
})

test('of many agents, those with most tokens have lines and areas of their own, and are on the map; the others share one area', async () => {
  const now = Date.now() / 1000
  const inPanel = (name: string, board = FLEET) =>
    answer(asked.find((one) => nameOf(one) === `${board} / ${name}`) as Asked, '.*', now)
  const tokens = new Map<string, number>()
  for (const column of ['in', 'out'])
    for (const row of await inPanel(`Which agent stands out? / ${column}`))
      tokens.set(agentOf(row), (tokens.get(agentOf(row)) ?? 0) + row.value)
  const most = [...tokens].toSorted(([, one], [, other]) => other - one).slice(0, LINES)
  const chosen = most.map(([agent]) => agent)
  assert.ok(tokens.size > 2 * LINES)

  const areas = await inPanel('What does each agent cost per hour? / cost')
  assert.deepEqual(areas.map(agentOf).sort(), [...chosen, OTHERS].sort())
  const [total] = await inPanel('Cost per hour / A')
  const upperEdge = areas.reduce((sum, { value }) => sum + value, 0)
  assert.ok(total !== undefined && Math.abs(upperEdge - total.value) <= 1e-9 * total.value, `${upperEdge}`)

  const withLines = (await inPanel('How long are calls? (p95, dashed p50) / p95')).map(agentOf)
  assert.deepEqual(
    withLines.filter((agent) => tokens.has(agent) && !chosen.includes(agent)),
    [],
  )
  assert.ok(withLines.some((agent) => chosen.includes(agent)))

  const onMap = async (...refIds: readonly string[]) => {
    const rows = await Promise.all(refIds.map((refId) => inPanel(`Who calls whom? / ${refId}`, 'agent-map')))
    return rows.flat().map(({ labels }) => labels)
  }
  const nodes = new Set((await onMap('nodesAgent', 'nodesModel', 'nodesTool')).map(({ id = '' }) => id))
  const ofTokens = [...nodes].map((id) => id.replace(/^agent /, '')).filter((agent) => tokens.has(agent))
  assert.deepEqual(ofTokens.sort(), chosen.toSorted())
  const ends = (await onMap('edgesModel', 'edgesTool')).flatMap(({ source = '', target = '' }) => [source, target])
  assert.ok(ends.length > LINES)
  assert.deepEqual(
    ends.filter((id) => id !== '' && !nodes.has(id)),
    [],
  )
  const called = [...nodes].filter((id) => !id.startsWith('agent '))
  assert.deepEqual(
    called.filter((id) => !ends.includes(id)),
    [],
    'nobody on the map calls it',
  )
})
