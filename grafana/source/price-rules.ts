import { stringify } from 'yaml'
import { PRICE_KEY } from './catalogue.ts'
import { series } from './metrics.ts'
import { byType, isPerToken, type Price } from './prices.ts'

const HEADER = `# What a token of your own models costs, and what each agent costs per second.
# Generated from grafana/prices.yaml; Prometheus loads it. Do not edit: edit the prices, then run make prices.
`

const seconds = (day: string) => new Date(`${day}T00:00:00Z`).getTime() / 1000

/**
 * A price holds from its day until the next price of the same model, of either kind: the past keeps what it was
 * charged, and no model has two prices at once. The name of a model in prices.yaml is its price key.
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
    return byType(price).map(([type, usd]) => ({
      record: series.price,
      expr: `vector(${usd} / 1e6) and vector(time()) ${window}`,
      labels: { [PRICE_KEY]: price.model, gen_ai_token_type: type },
    }))
  })

/** As often as Prometheus scrapes. */
const EVERY_SECONDS = 5

const PAIR = 'gen_ai_provider_name, gen_ai_request_model'
const BY_PRICE = `on (${PRICE_KEY}, gen_ai_token_type)`
const BY_MODEL = 'on (gen_ai_request_model)'
const BY_AGENT_AND_MODEL = 'by (service_name, gen_ai_agent_name, gen_ai_request_model)'
/** Only these two are a total; the other types are parts of them. */
const WHOLE = 'gen_ai_token_type=~"input|output"'

/** Scrapes of the page of what is counted, less what a busy machine leaves out. */
const COUNTED_UP = 'up{job="counted"}'
const ALL_LOOKED_AT = `sum_over_time(${COUNTED_UP}[2m]) > 12`
/** What a young collector has counted is new: it began at zero. */
const YOUNG_COLLECTOR = 'otelcol_process_uptime < 180'

/**
 * When each series was scraped last. A subquery looks at full five seconds only, so a series that is new may not be in it yet; and if the
 * next scrape failed it is in neither, but its tokens are seen.
 */
const scraped = (tokens: string) =>
  `max_over_time(timestamp(${tokens})[1m:5s]) or timestamp(${tokens}) or 0 * last_over_time(${tokens}[1m])`

/**
 * Prometheus puts the key on a series when it first sees it, so after a change of prices.yaml two series go on for a
 * moment, with the old key and with the new one. The one that was scraped last says which key holds.
 */
const priceKey = {
  record: series.priceKey,
  expr: `group by (${PAIR}, ${PRICE_KEY}) (
  topk by (${PAIR}) (1, max by (${PAIR}, ${PRICE_KEY}) (
    ${scraped(series.countedTokens)}
      or ${scraped(series.sentTokens)}
  ))
)`,
}

const traced = { record: series.traced, expr: `group by (service_name) (${series.countedTokens})` }

/** Without the price key, or tokens would count twice when it changes. */
const latest = (tokens: string) => `max without (${PRICE_KEY}) (last_over_time(${tokens}[1m]))`

/**
 * A service that sent traces within a day is counted from them, also while it sends only metrics. Its metrics may come
 * first: a service that sends both has a minute to send a span.
 */
const metricsOnly = (agent: string) => `label_replace(
    ${latest(`${series.sentTokens}{${agent}}`)} and on (job, instance) ${series.sentTokens} offset 1m,
    "service_name", "$1", "job", "(?:.*/)?(.+)"
  ) unless on (service_name) last_over_time(${series.traced}[1d])`
/** As for spans, the name of the service stands for that of an agent that sends none. */
const METRICS_ONLY = `(${metricsOnly('gen_ai_agent_name!=""')})
  or
  label_replace(${metricsOnly('gen_ai_agent_name=""')}, "gen_ai_agent_name", "$1", "service_name", "(.+)")`

/**
 * Each evaluation notes the tokens that it sees, and counts what came since it last did so. A busy machine leaves out
 * evaluations: the next one then counts all of them. After a start it waits for the prices: what is counted before they
 * are there would have no cost.
 */
const seen = {
  record: series.seen,
  expr: `(
  ${latest(series.countedTokens)}
  or
  ${METRICS_ONLY}
) and on () ${series.catalogueLoaded}`,
}

/**
 * Only samples older than the evaluation: its own is there already. A series that was not there for two minutes, although
 * its page was read, begins at zero again; while the page could not be read, the last hour is remembered.
 */
const SEEN_BEFORE = `(
    last_over_time(${series.seen}[2m] offset 1ms)
      or last_over_time(${series.seen}[1h] offset 1ms) unless on () (${ALL_LOOKED_AT} or ${YOUNG_COLLECTOR})
  )`

/**
 * A series that is new, or whose process was started again, counts whole, if Prometheus was looking a minute ago.
 * Without that, a laptop that wakes up would be charged all of yesterday.
 */
const used = {
  record: series.used,
  expr: `(
  ${series.seen} - ${SEEN_BEFORE} >= 0
    or ${series.seen} and on () (${COUNTED_UP} offset 1m or ${YOUNG_COLLECTOR})
) * on (${PAIR}) group_left (${PRICE_KEY}) ${series.priceKey}`,
}

const sinceLast = {
  record: series.sinceLast,
  expr: `time() - timestamp(${series.sinceLast}) or vector(${EVERY_SECONDS})`,
}

const tokensOfHour = {
  record: series.tokensOfHour,
  expr: `sum ${BY_AGENT_AND_MODEL} (sum_over_time(${series.used}{${WHOLE}}[1h]))`,
}

/** A part is in the whole already, so it is charged what it costs more, or less, than the whole. */
const ofPart = (parts: string, whole: string) =>
  `${series.price}{gen_ai_token_type=~"${parts}"} - on (${PRICE_KEY}) group_left () ${series.price}{gen_ai_token_type="${whole}"}`

/** By the token; or the agent's share of the hour, so that all agents together pay what the server costs. */
const charged = {
  record: series.charged,
  expr: `sum ${BY_AGENT_AND_MODEL} (
  ${series.used} * ${BY_PRICE} group_left () (
    ${series.price}{${WHOLE}}
      or ${ofPart('cache_read|cache_creation', 'input')}
      or ${ofPart('reasoning', 'output')}
  )
)
or
${series.tokensOfHour}
  / ${BY_MODEL} group_left () (sum by (gen_ai_request_model) (${series.tokensOfHour}) > 0)
  * ${BY_MODEL} group_left () ${series.pricePerHour} / 3600
  * on () group_left () ${series.sinceLast}`,
}

const cost = { record: series.cost, expr: `sum_over_time(${series.charged}[1m]) / 60` }

const unpriced = {
  record: series.unpriced,
  expr: `sum by (service_name, gen_ai_agent_name, ${PAIR}) (
  ${series.used}{${WHOLE}}
    unless ${BY_PRICE} ${series.price}
    unless ${BY_MODEL} ${series.pricePerHour}
)`,
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
          rules: [
            ...priceRules(prices),
            priceKey,
            traced,
            seen,
            used,
            tokensOfHour,
            sinceLast,
            charged,
            unpriced,
            cost,
          ],
        },
      ],
    },
    { lineWidth: 0 },
  )
