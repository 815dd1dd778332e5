import type { Refusal } from '../economy/market.ts'
import type { Turn } from './decide.ts'

/** Without a label it is neither passed nor failed. */
export type Evaluation = Readonly<{ name: string; score: 0 | 1; label?: 'pass' | 'fail'; explanation: string }>

const RULES: Readonly<Record<string, readonly Refusal[]>> = {
  allowed: ['self_buy', 'unknown_good', 'bad_quantity'],
  affordable: ['cannot_afford', 'nothing_to_sell'],
}

const verdict = (name: string, good: boolean, explanation: string): Evaluation => ({
  name,
  score: good ? 1 : 0,
  label: good ? 'pass' : 'fail',
  explanation,
})

/** Judges a turn as soon as it ends, without another model. An explanation holds no word of the reply. */
export function evaluate(turn: Turn): readonly Evaluation[] {
  if (!turn.decision) return [verdict('readable', false, `No reply was read: ${turn.outcome}.`)]
  const attempts = turn.attempts === 1 ? 'The first reply was read.' : `Reply ${turn.attempts} was read.`
  const rules = Object.entries(RULES).map(([name, reasons]) => {
    const broken = turn.refused.filter(({ reason }) => reasons.includes(reason))
    const why = broken.map(({ desired, reason }) => `The ${desired.side} order was refused: ${reason}.`)
    return verdict(name, broken.length === 0, why.join(' ') || 'No order was refused for this.')
  })
  return [verdict('readable', true, attempts), ...rules]
}

/**
 * Whether the market took anything of what a turn offered; only for turns that offered something. A score without a label: an
 * offer that nobody takes is no mistake of the agent.
 */
export const evaluateTrade = (traded: boolean): Evaluation => ({
  name: 'traded',
  score: traded ? 1 : 0,
  explanation: traded ? 'The market took an order.' : 'The market took no order.',
})
