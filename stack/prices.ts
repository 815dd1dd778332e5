import { resolve } from 'node:path'
import { type Price, pricesOn, readPrices } from '../grafana/source/prices.ts'
import { ROOT, Trouble } from './place.ts'

/** What each model costs on a day. Throws `Trouble` with every defect of the price file. */
export function pricesAt(day: Date): readonly Price[] {
  try {
    return pricesOn(readPrices(resolve(ROOT, 'grafana/prices.yaml')), day)
  } catch (error) {
    throw new Trouble((error as Error).message)
  }
}

export const pricesToday = (): readonly Price[] => pricesAt(new Date())
