import { join } from 'node:path'
import { readBudgets, renderBudgetRules } from './budgets.ts'
import { renderPriceRules } from './price-rules.ts'
import { readPrices } from './prices.ts'
import { renderScrape } from './scrape.ts'

/** What Prometheus loads that is generated from a folder's prices and budgets, by its path in `grafana/`. Throws when one has a defect. */
export const generatedRules = (folder: string): ReadonlyMap<string, string> => {
  const prices = readPrices(join(folder, 'prices.yaml'))
  return new Map([
    ['rules/prices.rules.yaml', renderPriceRules(prices)],
    ['rules/budgets.rules.yaml', renderBudgetRules(readBudgets(join(folder, 'budgets.yaml')))],
    ['scrape/collector.yaml', renderScrape(prices)],
    // Prometheus here loads scrape/*.yaml only. deploy/kubernetes makes a config map of this one.
    ['scrape/kubernetes.yml', renderScrape(prices, 'pods')],
  ])
}
