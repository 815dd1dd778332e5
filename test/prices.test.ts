import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { series } from '../grafana/source/metrics.ts'
import { isPerToken, type TokenPrice } from '../grafana/source/prices.ts'
import packageJson from '../package.json' with { type: 'json' }
import { chargedAt, eventually, ownSettings, play, quiet, type Run, startStack } from '../stack/own-stack.ts'
import { SHIPPED_POLICY } from '../stack/policy.ts'
import { applyPrices, pricesAt } from '../stack/prices.ts'
import { phoenixCost, phoenixSpans, prometheus } from '../stack/queries.ts'
import { ROOT, type Settings } from '../stack/settings.ts'
import { entriesOf, type Kind, sumBy } from './runs.ts'

const MODEL = 'Qwen/Qwen2.5-3B-Instruct'
const SAME = 1e-9

let settings: Settings
let end: () => Promise<void>
/** Separate prices, and what is generated from them, for this test, so that the shipped ones do not change. */
let folder: string
let into: string
let run: Run

const callsOf = (run: Run) => entriesOf(run, 'call')
const byAgentAndModel = ({ agent, model }: { agent: string; model: string }) => `${agent} ${model}`

const asked = async (query: string, at?: number) =>
  sumBy(
    await prometheus(settings, query, at),
    ({ labels }) =>
      byAgentAndModel({ agent: labels.gen_ai_agent_name ?? '', model: labels.gen_ai_request_model ?? '' }),
    ({ value }) => value,
  )
const usdWith = (prices: readonly TokenPrice[]) => (call: Kind<'call'>) => {
  const { input = Number.NaN, output = Number.NaN } = prices.find(({ model }) => model === call.model) ?? {}
  return (call.inputTokens * input + call.outputTokens * output) / 1e6
}
const today = () => pricesAt(new Date(), folder).filter(isPerToken)
const ledger = (run: Run) => {
  const spent = sumBy(callsOf(run), byAgentAndModel, usdWith(today()))
  return Object.fromEntries(Object.entries(spent).filter(([, usd]) => usd > 0))
}

const same = (found: Record<string, number>, wanted: Record<string, number>) => {
  assert.deepEqual(Object.keys(found).sort(), Object.keys(wanted).sort())
  for (const [key, usd] of Object.entries(wanted))
    assert.ok(Math.abs((found[key] ?? Number.NaN) - usd) <= SAME, `${key}: ${found[key]} is not ${usd}`)
}
const positive = (sums: Record<string, number>) => Object.fromEntries(Object.entries(sums).filter(([, usd]) => usd > 0))

const said: string[] = []
const apply = async (isUp = true) => {
  said.length = 0
  const options = { ...quiet, say: (line: string) => void said.push(line) }
  await applyPrices(settings, { isUp, folder, into }, options)
  return said.join('\n')
}
const GENERATED = ['rules', 'scrape']
const pricesFile = () => join(folder, 'prices.yaml')
const texts = () =>
  GENERATED.flatMap((name) =>
    readdirSync(join(into, name)).map((file) => [
      file,
      file.endsWith('.yaml') && readFileSync(join(into, name, file), 'utf8'),
    ]),
  )
const priceOf = async (type: string) => {
  const [price] = await prometheus(
    settings,
    `${series.price}{gen_ai_price_key="${MODEL}",gen_ai_token_type="${type}"} * 1e6`,
  )
  return price?.value
}
const changed = (entry: string) => {
  const shipped = readFileSync(resolve(ROOT, 'grafana/prices.yaml'), 'utf8')
  writeFileSync(
    pricesFile(),
    shipped.replace(`  ${MODEL}:\n`, (model) => `${model}    - ${entry}\n`),
  )
}
const day = new Date().toISOString().slice(0, 10)

before(async () => {
  settings = await ownSettings({ TIME_FACTOR: '5', VLLM_PRESET: 'default' })
  end = await startStack(settings, SHIPPED_POLICY, ['tempo', 'prometheus', 'phoenix', 'collector', 'mock-vllm'])
  into = join(settings.state, 'prometheus')
  folder = join(settings.state, 'grafana')
  for (const name of GENERATED) {
    rmSync(join(into, name))
    cpSync(resolve(ROOT, 'grafana', name), join(into, name), { recursive: true })
  }
  mkdirSync(folder)
  for (const name of ['prices.yaml', 'budgets.yaml']) cpSync(resolve(ROOT, 'grafana', name), join(folder, name))
  run = await play(settings, '--ticks', '60', '--seed', '7', '--tick-interval', '1s')
})
after(() => end?.())

test('tokens × price by agent and model in Prometheus equals the ledger × prices.yaml', async () => {
  const at = await chargedAt(settings, run)
  const price = `on (gen_ai_price_key, gen_ai_token_type) group_left () ${series.price}`
  const counted = await asked(`${series.countedTokens} * ${price}`, at)
  same(positive(counted), ledger(run))
})

test('the cost rule, summed over a range, equals the ledger × prices.yaml, by agent and model', async () => {
  const at = await chargedAt(settings, run)
  same(positive(await asked(`sum_over_time(${series.charged}[1h])`, at)), ledger(run))
})

test('the spend of each agent is shown with its budget', async () => {
  const byAgent = sumBy(callsOf(run), ({ agent }) => `${agent} `, usdWith(today()))
  await eventually(async () => same(await asked(series.spent.day), byAgent))
  assert.deepEqual(
    await asked(series.budget),
    sumBy(
      Object.keys(byAgent),
      (agent) => agent,
      () => 1,
    ),
  )
})

test('Phoenix has the same cost for the kept calls, by agent and model', async () => {
  const { calls, answered } = await eventually(async () => {
    const [kept] = await prometheus(
      settings,
      'sum(otelcol_processor_tail_sampling_global_count_traces_sampled{sampled="true"})',
    )
    const spans = await phoenixSpans(settings, packageJson.name)
    const traces = new Set(spans.map(({ context }) => context.trace_id))
    const calls = spans.filter(
      ({ span_kind, attributes }) => span_kind === 'LLM' && 'llm.token_count.total' in attributes,
    )
    const answered = callsOf(run).filter(({ trace, outcome }) => traces.has(trace) && outcome === 'ok')
    assert.equal(traces.size, kept?.value)
    assert.equal(calls.length, answered.length)
    return { calls, answered }
  })
  assert.ok(calls.length > 20)
  const costs = await Promise.all(calls.map(({ id }) => phoenixCost(settings, id)))
  const stored = calls.map(({ attributes }, index) => ({
    agent: String(attributes['agent.name']),
    model: String(attributes['gen_ai.request.model'] ?? attributes['llm.model_name']),
    usd: costs[index] ?? Number.NaN,
  }))
  same(
    sumBy(stored, byAgentAndModel, ({ usd }) => usd),
    sumBy(answered, byAgentAndModel, usdWith(today())),
  )
})

test('a file with a defect changes nothing, neither on disk nor in Prometheus', async () => {
  const before = texts()
  changed('{ from: soon, input: 1, output: 2 }')
  await assert.rejects(apply(), { message: /prices\.yaml:\d+: models\..*from is "soon": / })
  assert.deepEqual(texts(), before)
  assert.equal(await priceOf('input'), 0.06)
})

test('when Prometheus refuses the rules, the old rules are written back', async () => {
  const before = texts()
  const broken = join(into, 'rules/broken.rules.yaml')
  changed(`{ from: ${day}, input: 7, output: 7 }`)
  writeFileSync(broken, 'groups: [{ name: broken, rules: [{ record: a, expr: "sum(" }] }]\n')
  await assert.rejects(apply(), { message: /^Prometheus refuses the rules, so the old rules stay in force: / })
  rmSync(broken)
  assert.deepEqual(texts(), before)
  assert.equal(await priceOf('input'), 0.06)
})

test('when the stack is down, the rules are written and come into force later', async () => {
  const before = texts()
  changed(`{ from: ${day}, input: 7, output: 7 }`)
  assert.match(await apply(false), /rules\/prices\.rules\.yaml\n.*come into force at make up$/)
  assert.notDeepEqual(texts(), before)
  assert.equal(await priceOf('input'), 0.06)
})

test('a changed price is in force at once, and past cost keeps its old price', async () => {
  const at = await chargedAt(settings, run)
  const past = await asked(`sum_over_time(${series.charged}[1h])`, at)
  changed(`{ from: ${day}, input: 0.6, output: 1.8 }`)
  assert.match(
    await apply(),
    /prometheus {2}2 models of your own have a price, in force .*\n {2}phoenix {5}has the new prices/,
  )
  assert.equal(await priceOf('input'), 0.6)
  assert.equal(await priceOf('output'), 1.8)

  const later = await play(settings, '--ticks', '20', '--seed', '8', '--tick-interval', '1s')
  const now = await chargedAt(settings, run, later)
  same(
    positive(await asked(`sum_over_time(${series.charged}[${Math.round(1000 * (now - at))}ms])`, now)),
    ledger(later),
  )
  assert.deepEqual(await asked(`sum_over_time(${series.charged}[1h])`, at), past)
  assert.match(await apply(), /none changed\n.*\n {2}phoenix {5}had them already$/)
})

test('all agents together pay for a server that costs by the hour, each by its share of the tokens', async () => {
  changed(`{ from: ${day}, usd_per_hour: 3.6 }`)
  assert.match(
    await apply(),
    new RegExp(
      `phoenix +has the new prices.*\n +without a price: ${MODEL}\\. They cost by the hour, and Phoenix has prices by the token only`,
    ),
  )
  const found = await eventually(async () => {
    const [last] = await prometheus(settings, `max(timestamp(${series.cost}))`)
    const perSecond = `${series.charged}{gen_ai_request_model="${MODEL}"} / on () group_left () ${series.sinceLast}`
    const found = await prometheus(settings, perSecond, last?.value)
    const total = found.reduce((sum, { value }) => sum + value, 0)
    assert.ok(Math.abs(total - 3.6 / 3600) < SAME, `all agents together: ${total}`)
    return new Map(found.map(({ labels, value }) => [labels.gen_ai_agent_name, value]))
  })
  const tokens = await prometheus(
    settings,
    `sum by (gen_ai_agent_name) (sum_over_time(${series.used}{gen_ai_request_model="${MODEL}",gen_ai_token_type=~"input|output"}[1h]))`,
  )
  const all = tokens.reduce((sum, { value }) => sum + value, 0)
  for (const { labels, value } of tokens) {
    const paid = found.get(labels.gen_ai_agent_name) ?? Number.NaN
    assert.ok(Math.abs(paid - (value / all) * (3.6 / 3600)) < SAME, `${labels.gen_ai_agent_name}: ${paid}`)
  }
  assert.deepEqual(await prometheus(settings, 'ALERTS{alertname="ModelWithoutPrice"}'), [])
})
