import { resolve } from 'node:path'
import { type Price, pricesOn, readPrices } from '../grafana/source/prices.ts'
import { ROOT, Trouble } from './place.ts'

/** What each model costs today. Throws `Trouble` with every defect of the price file. */
export function pricesToday(): readonly Price[] {
  try {
    return pricesOn(readPrices(resolve(ROOT, 'grafana/prices.yaml')), new Date())
  } catch (error) {
    throw new Trouble((error as Error).message)
  }
}
