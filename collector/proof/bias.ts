import type { Bench } from '../workbench/collector.ts'
import { drawIn, type Format } from '../workbench/draw.ts'
import type { Request } from '../workbench/recording.ts'
import { type Decisions, type List, replayEach } from '../workbench/replay.ts'
import { diceOf, type Kind, MUST_KEEP, makeTrace, requestOf } from './traffic.ts'

/** What a USD counts for tokens in and out of the model that the agents ask. */
type UsdOf = (inputTokens: number, outputTokens: number) => number

/** What is estimated. Each trace has one agent, who took one turn. */
const QUANTITIES = ['turns', 'errors', 'tokens', 'USD'] as const
type Quantity = (typeof QUANTITIES)[number]
type Turn = Readonly<{ id: string; agent: string; kind: Kind } & Record<Quantity, number>>

/** One agent and quantity: the truth, what kept traces say of it, and how often the truth is within what they say. */
export type Cell = Readonly<{
  agent: string
  quantity: Quantity
  truth: number
  /** Mean of the estimates over all salts. */
  mean: number
  /** Standard error of that mean, from the spread of the estimates. */
  error: number
  /** Share of the 95 % intervals that hold the truth. */
  covered: number
}>

const AGENTS = ['squirrel', 'rabbit', 'fox', 'beaver', 'bear'] as const
/** Of ten traces, eight are routine: enough must-keep ones that to count both kinds alike would show. */
const ROUTINE_SHARE = 0.8
const PER_SECOND = 2500
const SPEED = 10
/** Samplers in one collector. More would want more memory than they save time. */
const AT_ONCE = 20
const Z95 = 1.959964

export type Wish = Readonly<{ seed: number; traces: number; salts: number; usdOf: UsdOf }>

/**
 * Judges the same traffic by the shipped list under many hash salts, and estimates from what each kept how much there
 * was in all: every kept trace counts as many times as its weight says. `weigh` is for looking at what happens without.
 */
export async function biasOf(
  bench: Bench,
  { config, shipped }: Readonly<{ config: string; shipped: string }>,
  { seed, traces, salts, usdOf }: Wish,
  weigh: (weight: number) => number = (weight) => weight,
): Promise<readonly Cell[]> {
  const turns = Array.from({ length: traces }, (_, index) => makeTurn(seed, index, usdOf))
  const lists = Array.from({ length: salts }, (_, index) => ({
    name: `salt ${index}`,
    text: salted(shipped, `salt-${index}`),
  }))
  const estimates: Estimate[] = []
  for (let from = 0; from < salts; from += AT_ONCE) {
    const some: List[] = lists.slice(from, from + AT_ONCE)
    bench.say(`  salts ${from + 1} to ${from + some.length} of ${salts}, ${traces} traces each`)
    const requests = () => sent(turns.map(({ spans }) => spans))
    const kept = await replayEach(
      { ...bench, say: () => {} },
      { requests, speed: SPEED, slowCall: '' },
      { config, lists: some },
    )
    for (const decisions of kept.values()) estimates.push(estimateFrom(turns, decisions, weigh))
  }
  return AGENTS.flatMap((agent) =>
    QUANTITIES.map((quantity): Cell => {
      const truth = sum(turns.filter((turn) => turn.agent === agent).map((turn) => turn[quantity]))
      const found = estimates.map((estimate) => estimate(agent, quantity))
      const mean = sum(found.map(({ value }) => value)) / salts
      const spread = Math.sqrt(sum(found.map(({ value }) => (value - mean) ** 2)) / (salts - 1))
      const covering = found.filter(({ value, error }) => Math.abs(value - truth) <= Z95 * error)
      return { agent, quantity, truth, mean, error: spread / Math.sqrt(salts), covered: covering.length / salts }
    }),
  )
}

/** The list with the defaults that are written in it, and a salt of its own in each policy that draws lots. */
const salted = (list: string, salt: string) =>
  list
    .replace(/\$\{env:\w+:-([^}]*)\}/g, '$1')
    .replace(/^( *)(sampling_percentage:.*)$/gm, `$1$2\n$1hash_salt: ${salt}`)

function makeTurn(seed: number, index: number, usdOf: UsdOf): Turn & { spans: ReturnType<typeof makeTrace> } {
  const dice = diceOf(seed, 'turn', index)
  const kind = dice.number() < ROUTINE_SHARE ? 'routine' : (MUST_KEEP[dice.below(MUST_KEEP.length)] ?? 'routine')
  const agent = AGENTS[dice.below(AGENTS.length)] ?? 'fox'
  // Refusals that no policy asks for are errors, too: those must be estimated from the sample.
  const isRefused = kind === 'routine' ? dice.number() < 0.2 : kind !== 'slow-call' && kind !== 'token-heavy'
  const [input, output] = [300 + dice.below(700), 10 + dice.below(120)]
  const spans = makeTrace(kind, dice)
  return {
    id: spans[0]?.traceId ?? '',
    agent,
    kind,
    turns: 1,
    errors: isRefused ? 1 : 0,
    tokens: input + output,
    USD: usdOf(input, output),
    spans,
  }
}

async function* sent(traces: readonly ReturnType<typeof makeTrace>[]): AsyncGenerator<Request> {
  const batch = 25
  for (let from = 0; from < traces.length; from += batch)
    yield requestOf((from / PER_SECOND) * 1000 * SPEED + 1, traces.slice(from, from + batch).flat())
}

type Estimate = (agent: string, quantity: Quantity) => Readonly<{ value: number; error: number }>

/** Horvitz and Thompson: what is kept with chance 1/w stands for w; its variance is known from the kept ones alone. */
function estimateFrom(turns: readonly Turn[], decisions: Decisions, weigh: (weight: number) => number): Estimate {
  const kept = turns.flatMap((turn) => {
    const weight = decisions.get(turn.id)?.weight
    return weight === undefined ? [] : [{ turn, weight: weigh(weight) }]
  })
  return (agent, quantity) => {
    const own = kept.filter(({ turn }) => turn.agent === agent)
    return {
      value: sum(own.map(({ turn, weight }) => weight * turn[quantity])),
      error: Math.sqrt(sum(own.map(({ turn, weight }) => weight * (weight - 1) * turn[quantity] ** 2))),
    }
  }
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)

export const biasIn = ({ truth, mean }: Cell): number => mean / truth - 1
export const coverage = (cells: readonly Cell[]): number => sum(cells.map(({ covered }) => covered)) / cells.length

const MOST_BIAS = 0.01
const COVERED = { least: 0.93, most: 0.97 }

/** Within one per cent of the truth everywhere, and with intervals that hold what they promise. */
export const isUnbiased = (cells: readonly Cell[]): boolean =>
  cells.every((cell) => Math.abs(biasIn(cell)) <= MOST_BIAS) &&
  coverage(cells) >= COVERED.least &&
  coverage(cells) <= COVERED.most

export function biasReport(
  cells: readonly Cell[],
  { traces, salts }: Pick<Wish, 'traces' | 'salts'>,
  format: Format,
): string {
  if (format === 'json') return JSON.stringify({ cells, coverage: coverage(cells) }, null, 2)
  const digits = (quantity: Quantity) => (quantity === 'USD' ? 4 : 0)
  const percent = (share: number, sign = '') => `${sign}${(100 * share).toFixed(2)} %`
  const rows = cells.map((cell) => [
    cell.agent,
    cell.quantity,
    cell.truth.toFixed(digits(cell.quantity)),
    cell.mean.toFixed(digits(cell.quantity)),
    percent(biasIn(cell), biasIn(cell) > 0 ? '+' : ''),
    percent(cell.error / cell.truth, '± '),
    percent(cell.covered),
  ])
  const head = ['agent', 'quantity', 'truth', 'estimate', 'bias', 'its error', 'covered']
  const worst = Math.max(...cells.map((cell) => Math.abs(biasIn(cell))))
  return [
    drawIn(format)([head, ...rows]),
    `${traces} traces under ${salts} hash salts: no bias above ${percent(worst)}; ${percent(coverage(cells))} of the 95 % intervals hold the truth.`,
  ].join('\n\n')
}
