import { stringify } from 'yaml'
import { COST_EVERY_SECONDS, series } from './metrics.ts'
import type { Price } from './prices.ts'

const HEADER = `# What a token costs, what each agent costs per second, and the alert for a model without a price.
# Generated from grafana/prices.yaml; Prometheus loads it. Do not edit: edit the prices, then run
# make boards and reload Prometheus.
`

const seconds = (day: string) => new Date(`${day}T00:00:00Z`).getTime() / 1000

/** A price holds from its day until the next price of the same model, so that the past keeps what it was charged. */
const priceRules = (prices: readonly Price[]) =>
  prices.flatMap((price) => {
    const next = prices.filter(({ model, from }) => model === price.model && from > price.from).map(({ from }) => from)
    const until = next.sort()[0]
    const window = [`>= ${seconds(price.from)}`, ...(until ? [`< ${seconds(until)}`] : [])].join(' ')
    return (['input', 'output'] as const).map((type) => ({
      record: series.price,
      expr: `vector(${price[type]} / 1e6) and vector(time()) ${window}`,
      labels: { gen_ai_request_model: price.model, gen_ai_token_type: type },
    }))
  })

const BY_PRICE = 'on (gen_ai_request_model, gen_ai_token_type)'

const cost = {
  record: series.cost,
  expr: `sum by (gen_ai_agent_name, gen_ai_request_model) (rate(${series.tokens}[1m]) * ${BY_PRICE} group_left () ${series.price})`,
}

const unpriced = {
  alert: 'ModelWithoutPrice',
  // Presence, not rate: a fallback model that was asked once has no rate and still cost something.
  expr: `count by (gen_ai_request_model, gen_ai_token_type) (${series.tokens}) unless ${BY_PRICE} ${series.price}`,
  for: '30s',
  labels: { severity: 'warning' },
  annotations: {
    summary: 'A model without a price is in use: what the cost board shows is too low',
    description:
      'No price holds today for the {{ $labels.gen_ai_token_type }} tokens of {{ $labels.gen_ai_request_model }}. Add the model to grafana/prices.yaml and generate the rules again.',
  },
}

export const renderPriceRules = (prices: readonly Price[]): string =>
  HEADER +
  stringify(
    {
      groups: [
        { name: 'cost', interval: `${COST_EVERY_SECONDS}s`, rules: [...priceRules(prices), cost] },
        { name: 'cost-alerts', rules: [unpriced] },
      ],
    },
    { lineWidth: 0 },
  )
