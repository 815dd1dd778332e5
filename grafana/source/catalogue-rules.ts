import { catalogue, PRICE_KEY, type Rates, type Schedule, type TokenType } from './catalogue.ts'
import { series } from './metrics.ts'

const HEADER = `# What a token costs at each provider of the package @pydantic/genai-prices, by price key and type of token.
# Generated from that package; Prometheus loads it. Do not edit: a model of your own, or another price, stands in grafana/prices.yaml.
`

/** A part that has no price now, and has one at another time, costs what the whole costs. */
const WHOLE: Readonly<Partial<Record<TokenType, TokenType>>> = {
  cache_read: 'input',
  cache_creation: 'input',
  reasoning: 'output',
}
const usdOf = (rates: Rates, type: TokenType) => rates[type] ?? rates[WHOLE[type] ?? type]

const SECOND_OF_DAY = 'vector(time() % 86400)'
const expression = (schedule: Schedule, type: TokenType) =>
  schedule
    .flatMap(({ when, rates }) => {
      const usd = usdOf(rates, type)
      if (usd === undefined) return []
      const price = `vector(${usd} / 1e6)`
      if (when === undefined) return [price]
      if ('from' in when) return [`${price} and vector(time()) >= ${when.from}`]
      const [start, end] = when.between
      return start < end
        ? [`${price} and ${SECOND_OF_DAY} >= ${start} < ${end}`]
        : [`${price} and ${SECOND_OF_DAY} >= ${start}`, `${price} and ${SECOND_OF_DAY} < ${end}`]
    })
    .join(' or ')

/**
 * A query finds a price for five minutes, so this is often enough. An evaluation takes a third of a second. After a start,
 * tokens wait for the first one before they are charged.
 */
const EVERY = '30s'

const rules = ([key, schedule]: readonly [string, Schedule]) =>
  [...new Set(schedule.flatMap(({ rates }) => Object.keys(rates) as TokenType[]))].map((type) => ({
    record: series.price,
    labels: { [PRICE_KEY]: key, gen_ai_token_type: type },
    expr: expression(schedule, type),
  }))

/** One line a rule: there are thousands. The last one says that all are there. */
export const renderCatalogueRules = (): string => {
  const loaded = { record: series.catalogueLoaded, expr: `count(${series.price})` }
  const lines = [...[...catalogue()].flatMap(rules), loaded].map((rule) => `      - ${JSON.stringify(rule)}\n`)
  return `${HEADER}groups:\n  - name: catalogue\n    interval: ${EVERY}\n    rules:\n${lines.join('')}`
}
