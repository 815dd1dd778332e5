import { roll } from '../../random/random.ts'

/** What can go wrong, in groups. Each group is drawn by itself, and at most one of a group strikes a request. */
export const KINDS = {
  transport: ['slow', 'stall', 'rate_limit', 'server_error', 'dropped'],
  tool: ['unknown_tool', 'bad_arguments'],
  format: ['malformed', 'truncated', 'prose', 'fenced', 'reasoning'],
  decision: ['self_buy', 'overspend', 'unknown_good', 'bad_quantity', 'nothing_to_sell'],
  content: ['personal_data'],
} as const

export type Group = keyof typeof KINDS
export type Kind<G extends Group = Group> = (typeof KINDS)[G][number]
export type Rates = (kind: Kind, agent: string) => number
export type Override = Readonly<{ kind: Kind; agent: string | null; rate: number }>

const kinds: readonly Kind[] = Object.values(KINDS).flat()

/**
 * The share of chances at which each kind strikes: transport per request, tool per tool call, the rest per final answer.
 *
 * default: each kind comes once in about 100 turns, so a tick of 5 turns every 5 s (300 turns in 5 minutes) shows it about
 * three times; a fault that costs a turn nothing may come more often. Yet 70 % of ticks must be routine, so that sampling
 * has something to drop. A turn makes 1 + 0.35 × 1.2 = 1.42 requests, and is not routine by
 *   malformed .011 + truncated .010 + prose .010 + self_buy .013                                 = .044  per final answer
 *   slow .008 + stall .005 + (rate_limit .020 + server_error .010) × .1
 *     + dropped .008 × (1/3 + 2/3 × .1) = .019, × 1.42 requests                                   = .027
 * (.1: lasts longer than a client's two retries; 1/3: dropped in mid-stream, where clients do not retry), together .071:
 * (1 - .071)^5 = 69 % of ticks. Halve the rates if the default policy keeps too much to be worth a look.
 */
const usual = {
  ...{ slow: 0.008, stall: 0.005, rate_limit: 0.02, server_error: 0.01, dropped: 0.008 },
  ...{ unknown_tool: 0.04, bad_arguments: 0.04 },
  ...{ malformed: 0.011, truncated: 0.01, prose: 0.01, fenced: 0.03, reasoning: 0.02 },
  ...{ self_buy: 0.013, overspend: 0.015, unknown_good: 0.01, bad_quantity: 0.01, nothing_to_sell: 0.012 },
  personal_data: 0.02,
} satisfies Record<Kind, number>

export const PRESETS: Readonly<Record<string, Readonly<Partial<Record<Kind, number>>>>> = {
  default: usual,
  calm: {},
  winter: { ...usual, slow: 0.05, overspend: 0.1 },
  // About a third of turns, with worse faults than usual: those that clients repair by themselves stay rare.
  chaos: {
    ...{ slow: 0.03, stall: 0.012, rate_limit: 0.025, server_error: 0.025, dropped: 0.015 },
    ...{ unknown_tool: 0.05, bad_arguments: 0.05 },
    ...{ malformed: 0.025, truncated: 0.02, prose: 0.02, fenced: 0.01, reasoning: 0.01 },
    ...{ self_buy: 0.025, overspend: 0.015, unknown_good: 0.015, bad_quantity: 0.012, nothing_to_sell: 0.015 },
    personal_data: 0.02,
  },
  leaky: { fenced: 0.03, personal_data: 0.8 },
}

/** Reads `KIND=RATE` or `KIND@AGENT=RATE`. Throws with the value, the rule and the fix. */
export function parseRate(text: string): Override {
  const [, kind = '', agent = null, rate = ''] = /^([^@=]*)(?:@([^=]+))?=(.*)$/.exec(text) ?? []
  const known = kinds.find((name) => name === kind)
  if (!known)
    throw new Error(
      `"${text}" does not name a kind of fault; write KIND=RATE or KIND@AGENT=RATE with one of ${kinds.join(', ')}`,
    )
  const share = rate.trim() === '' ? Number.NaN : Number(rate)
  if (!(share >= 0 && share <= 1))
    throw new Error(`"${text}" has no rate between 0 and 1; write for example ${kind}=0.05`)
  return { kind: known, agent, rate: share }
}

/** The rates of a preset, with overrides. One for an agent wins over one for all agents; a later one wins over an earlier one. */
export function ratesOf(preset: string, overrides: readonly Override[]): Rates {
  const base = PRESETS[preset]
  if (!base) throw new Error(`"${preset}" is not a preset; use one of ${Object.keys(PRESETS).join(', ')}`)
  const find = (kind: Kind, agent: string | null) =>
    overrides.findLast((o) => o.kind === kind && o.agent === agent)?.rate
  return (kind, agent) => find(kind, agent) ?? find(kind, null) ?? base[kind] ?? 0
}

/** Which kind of a group strikes, if any. The likeliest is asked first, so that a rate of 1 always does. */
export function draw<G extends Group>(
  group: G,
  rates: Rates,
  agent: string,
  ...key: readonly (string | number)[]
): Kind<G> | null {
  const chances = KINDS[group].map((kind) => ({ kind: kind as Kind<G>, rate: rates(kind, agent) }))
  let left = roll(...key, group)
  for (const { kind, rate } of chances.sort((a, b) => b.rate - a.rate)) {
    if (left < rate) return kind
    left -= rate
  }
  return null
}

/** Attempts a transport fault lasts before a retry gets through: 1 (60 %), 2 (30 %) or 3 (10 %, all that common clients make). */
export function attemptsLost(...key: readonly (string | number)[]): number {
  const luck = roll(...key, 'lasts')
  return luck < 0.6 ? 1 : luck < 0.9 ? 2 : 3
}
