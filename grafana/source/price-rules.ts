import { stringify } from 'yaml'
import { series } from './metrics.ts'
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

/** As often as Prometheus scrapes. */
const EVERY_SECONDS = 5

const BY_PRICE = 'on (gen_ai_request_model, gen_ai_token_type)'
const BY_MODEL = 'on (gen_ai_request_model)'
const BY_AGENT_AND_MODEL = 'by (gen_ai_agent_name, gen_ai_request_model)'
const PROMPTED = `${series.tokens}{gen_ai_token_type=~"input|output"}`

/** As a difference, not as a rate: then the first tokens of a model count too. What ended within the hour still counts. */
const tokensOfHour = {
  record: series.tokensOfHour,
  expr: `sum ${BY_AGENT_AND_MODEL} (
  last_over_time(${PROMPTED}[1h]) - last_over_time(${PROMPTED}[1h] offset 1h) >= 0
    or last_over_time(${PROMPTED}[1h])
)`,
}

/**
 * Each evaluation notes the tokens that it sees, and charges what came since it last did so. A busy machine leaves out
 * evaluations: the next one then charges for all of them. Both numbers are points of one rule, because a scrape may end
 * between two rules.
 */
const seen = { record: series.seen, expr: `last_over_time(${series.tokens}[5m])` }

/** Only samples older than the evaluation: its own is there already. */
const SEEN_BEFORE = `last_over_time(${series.seen}[1h] offset 1ms)`

/**
 * A series that is new, or whose process was started anew, counts whole, if Prometheus was looking a minute ago.
 * Without that, a laptop that wakes up would be charged all of yesterday.
 */
const NEW_TOKENS = `(
    ${series.seen} - ${SEEN_BEFORE} >= 0
      or ${series.seen} and on () up{job="agents"} offset 1m
  )`

const sinceLast = {
  record: series.sinceLast,
  expr: `time() - timestamp(${series.sinceLast}) or vector(${EVERY_SECONDS})`,
}

/** By the token; or the agent's share of the hour, so that all agents together pay what the server costs. */
const charged = {
  record: series.charged,
  expr: `sum ${BY_AGENT_AND_MODEL} (
  ${NEW_TOKENS} * ${BY_PRICE} group_left () ${series.price}
)
or
${series.tokensOfHour}
  / ${BY_MODEL} group_left () (sum by (gen_ai_request_model) (${series.tokensOfHour}) > 0)
  * ${BY_MODEL} group_left () ${series.pricePerHour} / 3600
  * on () group_left () ${series.sinceLast}`,
}

const cost = { record: series.cost, expr: `sum_over_time(${series.charged}[1m]) / 60` }

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
        {
          name: 'cost',
          interval: `${EVERY_SECONDS}s`,
          // In this order: a rule reads what those before it have just written.
          rules: [...priceRules(prices), tokensOfHour, seen, sinceLast, charged, cost],
        },
        { name: 'cost-alerts', rules: [unpriced] },
      ],
    },
    { lineWidth: 0 },
  )
