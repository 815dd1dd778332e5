import { stringify } from 'yaml'
import { COST_EVERY_SECONDS, series } from './metrics.ts'
import { isPerToken, type Price } from './prices.ts'

const HEADER = `# What a token costs, what each agent costs per second, and the alert for a model without a price.
# Generated from grafana/prices.yaml; Prometheus loads it. Do not edit: edit the prices, then run make prices.
`

const seconds = (day: string) => new Date(`${day}T00:00:00Z`).getTime() / 1000

/**
 * A price holds from its day until the next price of the same model, of either kind: the past keeps what it was
 * charged, and no model has two prices at once.
 */
const priceRules = (prices: readonly Price[]) =>
  prices.flatMap((price): readonly Record<string, unknown>[] => {
    const next = prices.filter(({ model, from }) => model === price.model && from > price.from).map(({ from }) => from)
    const until = next.sort()[0]
    const window = [`>= ${seconds(price.from)}`, ...(until ? [`< ${seconds(until)}`] : [])].join(' ')
    if (!isPerToken(price))
      return [
        {
          record: series.pricePerHour,
          expr: `vector(${price.usdPerHour}) and vector(time()) ${window}`,
          labels: { gen_ai_request_model: price.model },
        },
      ]
    return (['input', 'output'] as const).map((type) => ({
      record: series.price,
      expr: `vector(${price[type]} / 1e6) and vector(time()) ${window}`,
      labels: { gen_ai_request_model: price.model, gen_ai_token_type: type },
    }))
  })

const BY_PRICE = 'on (gen_ai_request_model, gen_ai_token_type)'
const BY_MODEL = 'on (gen_ai_request_model)'
const BY_AGENT_AND_MODEL = 'by (gen_ai_agent_name, gen_ai_request_model)'
const PROMPTED = `${series.tokens}{gen_ai_token_type=~"input|output"}`

/**
 * Tokens of the last minute, as a difference and not as a rate: then each token is charged once and whole, also the
 * first ones of a model that was asked only once. A series that was not there a minute ago counts whole, if Prometheus
 * was looking by then; without that, a laptop that wakes up would be charged all of yesterday.
 */
const TOKENS_OF_MINUTE = `(
  ${series.tokens} - last_over_time(${series.tokens}[1h] offset 1m) >= 0
    or ${series.tokens} and on () up{job="agents"} offset 1m
)`

/** The same of an hour. What ended within it still counts. */
const tokensOfHour = {
  record: series.tokensOfHour,
  expr: `sum ${BY_AGENT_AND_MODEL} (
  last_over_time(${PROMPTED}[1h]) - last_over_time(${PROMPTED}[1h] offset 1h) >= 0
    or last_over_time(${PROMPTED}[1h])
)`,
}

/** By the token; or the agent's share of the hour, so that all agents together pay what the server costs. */
const cost = {
  record: series.cost,
  expr: `sum ${BY_AGENT_AND_MODEL} (
  ${TOKENS_OF_MINUTE.replaceAll('\n', '\n  ')} / 60 * ${BY_PRICE} group_left () ${series.price}
)
or
${series.tokensOfHour}
  / ${BY_MODEL} group_left () (sum by (gen_ai_request_model) (${series.tokensOfHour}) > 0)
  * ${BY_MODEL} group_left () ${series.pricePerHour} / 3600`,
}

const unpriced = {
  alert: 'ModelWithoutPrice',
  // Presence, not rate: a fallback model that was asked once has no rate and still cost something.
  expr: `count by (gen_ai_request_model, gen_ai_token_type) (${series.tokens})
  unless ${BY_PRICE} ${series.price}
  unless ${BY_MODEL} ${series.pricePerHour}`,
  for: '30s',
  labels: { severity: 'warning' },
  annotations: {
    summary: 'A model without a price is in use: what the cost board shows is too low',
    description: 'Add the model to grafana/prices.yaml and run make prices.',
    detail:
      'No price holds today for the {{ $labels.gen_ai_token_type }} tokens of {{ $labels.gen_ai_request_model }}.',
  },
}

export const renderPriceRules = (prices: readonly Price[]): string =>
  HEADER +
  stringify(
    {
      groups: [
        { name: 'cost', interval: `${COST_EVERY_SECONDS}s`, rules: [...priceRules(prices), tokensOfHour, cost] },
        { name: 'cost-alerts', rules: [unpriced] },
      ],
    },
    { lineWidth: 0 },
  )
