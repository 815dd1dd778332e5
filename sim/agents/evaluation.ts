import type { Refusal } from '../economy/market.ts'
import type { Turn } from './decide.ts'

export type Evaluation = Readonly<{ name: string; score: 0 | 1; label: 'pass' | 'fail' }>

const RULES: Readonly<Record<string, readonly Refusal[]>> = {
  allowed: ['self_buy', 'unknown_good', 'bad_quantity'],
  affordable: ['cannot_afford', 'nothing_to_sell'],
}

const verdict = (name: string, good: boolean): Evaluation => ({
  name,
  score: good ? 1 : 0,
  label: good ? 'pass' : 'fail',
})

/** Judges a turn as soon as it ends, without another model. */
export function evaluate(turn: Turn): readonly Evaluation[] {
  const readable = verdict('readable', turn.decision !== undefined)
  if (!turn.decision) return [readable]
  const broken = (reasons: readonly Refusal[]) => turn.refused.some(({ reason }) => reasons.includes(reason))
  return [readable, ...Object.entries(RULES).map(([name, reasons]) => verdict(name, !broken(reasons)))]
}

/** Whether the market took anything of what a turn offered; only for turns that offered something. */
export const evaluateTrade = (traded: boolean): Evaluation => verdict('traded', traded)
