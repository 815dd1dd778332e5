import { roll } from '../../random/random.ts'
import type { Kind } from './faults.ts'
import type { State } from './request.ts'

type Side = Readonly<{ good: string; price: number; quantity: number }>
type Decision = Readonly<{ buy: Side | null; sell: Side | null; mood: number }>

/** What prices drift back to; without an anchor, bids that build on the last price run away in either direction. */
const USUAL_PRICE = 1
const ANCHOR = 0.3

/** By units in stock: what a buyer bids and a seller asks, as a share of the going price. They cross at 3, where the world starts. */
const BID = [1.35, 1.2, 1.1, 1.03, 0.95, 0.88, 0.8]
const ASK = [1.3, 1.2, 1.08, 1, 0.94, 0.86, 0.77, 0.68, 0.58, 0.5]
const FULL = BID.length
const KEEPS = 1

const at = (shares: readonly number[], stock: number): number =>
  shares[Math.min(Math.floor(stock), shares.length - 1)] ?? 1

const cents = (price: number) => Math.max(0.01, Math.round(price * 100) / 100)

/** A sensible trader: bids more for what it lacks, asks less for what it has too much of, with a few percent of whim. */
export function decide(state: State, ...key: readonly (string | number)[]): Decision {
  const { goods, pebbles } = state
  const stock = (good: string) => goods[good] ?? 0
  const whim = (name: string) => 1 + 0.04 * (2 * roll(...key, name) - 1)
  const price = (good: string) => (1 - ANCHOR) * (state.last_prices[good] ?? USUAL_PRICE) + ANCHOR * USUAL_PRICE
  // The rich pay and ask more, the poor less. Without this one creature ends up with all the pebbles, and trade stops.
  const ease = Math.min(3, Math.max(0.5, (pebbles / 10) ** 0.7))
  const urgency = (good: string) => (state.season === 'winter' && good === 'firewood' ? 1.15 : 1)

  const lacking = [...state.needs].sort((a, b) => stock(a) - stock(b) || roll(...key, a) - roll(...key, b))[0]
  const spare = Math.floor(stock(state.produces) - KEEPS)
  const hungry = state.needs.filter((good) => stock(good) === 0).length
  return {
    buy: lacking === undefined || stock(lacking) >= FULL ? null : bid(lacking),
    sell: spare > 0 ? ask(state.produces) : null,
    mood: Math.min(1, Math.max(0.1, Math.round((state.mood + 0.03 - 0.08 * hungry) * whim('mood') * 100) / 100)),
  }

  function bid(good: string): Side | null {
    const wanted = cents(price(good) * at(BID, stock(good)) * urgency(good) * ease * whim('bid'))
    const offer = Math.min(wanted, Math.floor(pebbles * 100) / 100)
    if (offer < 0.05) return null
    const quantity = Math.min(3, Math.max(1, 4 - Math.floor(stock(good))), Math.floor(pebbles / offer))
    return { good, price: offer, quantity: Math.max(1, quantity) }
  }

  function ask(good: string): Side {
    return { good, price: cents(price(good) * at(ASK, stock(good)) * ease * whim('ask')), quantity: Math.min(3, spare) }
  }
}

/** The same decision with the mistake a small model makes. */
export function mistake(
  kind: Kind<'decision'>,
  decision: Decision,
  state: State,
  ...key: readonly (string | number)[]
): Decision {
  const good = decision.buy?.good ?? state.needs[0] ?? state.produces
  const buy = decision.buy ?? { good, price: USUAL_PRICE, quantity: 1 }
  const pick = <T>(choices: readonly [T, ...T[]]): T =>
    choices[Math.floor(roll(...key, kind) * choices.length)] ?? choices[0]
  switch (kind) {
    case 'self_buy':
      return { ...decision, buy: { ...buy, good: state.produces } }
    case 'overspend':
      return { ...decision, buy: { ...buy, price: cents((state.pebbles + 1) * (1 + roll(...key, kind))) } }
    case 'unknown_good':
      return { ...decision, buy: { ...buy, good: pick(['truffles', 'pinecones', 'gold', 'acorn bread']) } }
    case 'bad_quantity':
      return { ...decision, buy: { ...buy, quantity: pick([0, -2, 2.5, 400]) } }
    case 'nothing_to_sell': {
      const bare = Object.keys(state.goods).find((name) => state.goods[name] === 0) ?? state.produces
      return { ...decision, sell: { good: bare, price: USUAL_PRICE, quantity: (state.goods[bare] ?? 0) + 1 } }
    }
  }
}
