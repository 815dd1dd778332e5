import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'yaml'
import { series } from './metrics.ts'
import { renderPriceRules } from './price-rules.ts'
import type { Price } from './prices.ts'

type Rule = { record?: string; alert?: string; expr: string; labels?: { gen_ai_token_type?: string } }
type Groups = { groups: { name: string; interval?: string; rules: Rule[] }[] }

const render = (prices: readonly Price[]) => (parse(renderPriceRules(prices)) as Groups).groups
const price = (from: string, input: number): Price => ({ model: 'm', from, input, output: 2 * input })

test('each model has a price series for input and one for output tokens', () => {
  const rules = render([price('2026-11-01', 0.06)])[0]?.rules.filter(({ record }) => record === series.price)
  assert.deepEqual(rules, [
    {
      record: series.price,
      expr: 'vector(0.06 / 1e6) and vector(time()) >= 1793491200',
      labels: { gen_ai_price_key: 'm', gen_ai_token_type: 'input' },
    },
    {
      record: series.price,
      expr: 'vector(0.12 / 1e6) and vector(time()) >= 1793491200',
      labels: { gen_ai_price_key: 'm', gen_ai_token_type: 'output' },
    },
  ])
})

test('an old price ends where the next one begins, so that two never hold at once', () => {
  const prices = [price('2026-11-01', 1), price('2026-12-01', 2), price('2027-01-01', 3)]
  const inputs = render(prices)[0]?.rules.filter(({ labels }) => labels?.gen_ai_token_type === 'input')
  assert.deepEqual(
    inputs?.map(({ expr }) => expr),
    [
      'vector(1 / 1e6) and vector(time()) >= 1793491200 < 1796083200',
      'vector(2 / 1e6) and vector(time()) >= 1796083200 < 1798761600',
      'vector(3 / 1e6) and vector(time()) >= 1798761600',
    ],
  )
})

test('a price by the hour is one series, and ends or begins where one by the token begins or ends', () => {
  const rules = render([
    { model: 'm', from: '2026-11-01', usdPerHour: 2.5 },
    { model: 'm', from: '2026-12-01', input: 1, output: 2 },
  ])[0]?.rules
  assert.deepEqual(rules?.slice(0, 2), [
    {
      record: series.pricePerHour,
      expr: 'vector(2.5) and vector(time()) >= 1793491200 < 1796083200',
      labels: { gen_ai_request_model: 'm' },
    },
    {
      record: series.price,
      expr: 'vector(1 / 1e6) and vector(time()) >= 1796083200',
      labels: { gen_ai_price_key: 'm', gen_ai_token_type: 'input' },
    },
  ])
})

test('a rule of the cost group reads only what the rules before it have written', () => {
  const [cost] = render([price('2026-11-01', 1)])
  const records = cost?.rules.map(({ record }) => record) ?? []
  assert.deepEqual(records, [
    series.price,
    series.price,
    series.priceKey,
    series.traced,
    series.seen,
    series.used,
    series.tokensOfHour,
    series.sinceLast,
    series.charged,
    series.unpriced,
    series.cost,
  ])
})

test('a cache has a price of its own where prices.yaml has one', () => {
  const [cost] = render([{ model: 'm', from: '2026-11-01', input: 1, output: 2, cacheRead: 0.1, cacheCreation: 1.25 }])
  const types = cost?.rules.flatMap(({ labels }) => labels?.gen_ai_token_type ?? [])
  assert.deepEqual(types, ['input', 'output', 'cache_read', 'cache_creation'])
})
