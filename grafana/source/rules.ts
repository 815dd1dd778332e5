import { join } from 'node:path'
import { readBudgets, renderBudgetRules } from './budgets.ts'
import { renderPriceRules } from './price-rules.ts'
import { readPrices } from './prices.ts'

/** The rule files that are generated from a folder's prices and budgets, by name. Throws when one has a defect. */
export const generatedRules = (folder: string): ReadonlyMap<string, string> =>
  new Map([
    ['prices.rules.yaml', renderPriceRules(readPrices(join(folder, 'prices.yaml')))],
    ['budgets.rules.yaml', renderBudgetRules(readBudgets(join(folder, 'budgets.yaml')))],
  ])
