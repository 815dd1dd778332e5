import { attributeOf, isError, type Span, spansOf } from '../otlp/json.ts'
import { randomOf } from '../random/random.ts'
import type { PriceOf } from '../workbench/classes.ts'
import type { Launcher } from '../workbench/collector.ts'
import { drawIn, type Format } from '../workbench/draw.ts'
import { type Decisions, type List, replayEach, weightIn } from '../workbench/replay.ts'
import { sum } from '../workbench/table.ts'
import { UserError } from '../workbench/user-error.ts'
import { withVariables } from '../workbench/variables.ts'
import { AGENTS, type Kind, MUST_KEEP, makeTrace, paced, type Turn } from './traffic.ts'

/** What is estimated: turns that agents took, those that failed, and what their model calls used and cost. */
const QUANTITIES = ['turns', 'errors', 'tokens', 'USD'] as const
type Quantity = (typeof QUANTITIES)[number]
type Amounts = Readonly<Record<Quantity, number>>

/** One agent and quantity: the truth, the estimate from kept traces, and how often the interval of the estimate holds the truth. */
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

/** Whether the samples of the salts are independent. */
export type Draws = Readonly<{
  salts: number
  /** The mean over this many independent draws would vary as much as the mean over these draws does. */
  worth: number
  pairs: number
  /**
   * Pairs of salts whose samples are related. The sampler hashes salt and trace id with FNV-1a. If the lowest byte of the hash is
   * the same after two salts (one pair in 256), the hashes differ by a constant from there on, and the samples have few traces in common.
   */
  related: number
}>

type Bias = Readonly<{ cells: readonly Cell[]; draws: Draws }>

/** As in the world, two traces of three are routine. So an estimate that counts both kinds alike would be wrong and be found. */
const ROUTINE_SHARE = 0.7
const PER_SECOND = 2500
/** Samplers in one collector. More samplers would save little time and need much memory. */
const AT_ONCE = 20
const Z95 = 1.959964

type BiasSize = Readonly<{ seed: number; traces: number; salts: number; priceOf: PriceOf }>

/**
 * Samples the same traffic with the shipped list and many hash salts. From the kept traces of each salt, estimates the total:
 * each kept span counts as many times as its weight. `weigh` can be replaced, to show what happens without weights.
 */
export async function biasOf(
  launcher: Launcher,
  shipped: string,
  { seed, traces, salts, priceOf }: BiasSize,
  weigh: (weight: number) => number = (weight) => weight,
): Promise<Bias> {
  const made = Array.from({ length: traces }, (_, index) => makeOne(seed, index))
  const routine = made.flatMap(({ kind, spans }) => (kind === 'routine' ? (spans[0]?.traceId ?? []) : []))
  const traffic = paced(
    made.map(({ spans }) => spans),
    PER_SECOND,
  )
  const estimates: Estimate[] = []
  const drawn: Uint8Array[] = []
  for (let from = 0; from < salts; from += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, salts - from) }, (_, index) => {
      const estimate = estimating(priceOf, weigh)
      const name = `salt-${from + index}`
      const list: List = { name, text: salted(shipped, name), watch: estimate.see }
      return { estimate, list }
    })
    launcher.say(`  salts ${from + 1} to ${from + some.length} of ${salts}, ${traces} traces each`)
    const kept = await replayEach(
      { ...launcher, say: () => {} },
      traffic,
      some.map(({ list }) => list),
    )
    for (const { estimate, list } of some) {
      const decisions: Decisions = kept.get(list.name) ?? new Map()
      if (decisions.size !== estimate.seen())
        throw new UserError(
          'a trace was kept in two parts, so the error of the estimate is not known. The machine is too busy: run the command again when it has less to do',
        )
      estimates.push(estimate)
      drawn.push(Uint8Array.from(routine, (id) => (decisions.has(id) ? 1 : 0)))
    }
  }
  const cells = AGENTS.flatMap((agent) => {
    const turns = made.filter(({ turn }) => turn.agent === agent).map(({ turn }) => amountsOf(turn, priceOf))
    return QUANTITIES.map((quantity): Cell => {
      const truth = sum(turns.map((turn) => turn[quantity]))
      const found = estimates.map((estimate) => estimate.of(agent, quantity))
      const mean = sum(found.map(({ value }) => value)) / salts
      const spread = Math.sqrt(sum(found.map(({ value }) => (value - mean) ** 2)) / (salts - 1))
      const covering = found.filter(({ value, error }) => Math.abs(value - truth) <= Z95 * error)
      return { agent, quantity, truth, mean, error: spread / Math.sqrt(salts), covered: covering.length / salts }
    })
  })
  return { cells, draws: drawsIn(drawn) }
}

/** The list with this salt in each probabilistic policy. */
const salted = (list: string, salt: string) =>
  withVariables(list, {}).replace(/^( *)(sampling_percentage:.*)$/gm, `$1$2\n$1hash_salt: ${salt}`)

function makeOne(seed: number, index: number): ReturnType<typeof makeTrace> & { kind: Kind } {
  const random = randomOf(seed, 'turn', index)
  const kind = random.number() < ROUTINE_SHARE ? 'routine' : (MUST_KEEP[random.below(MUST_KEEP.length)] ?? 'routine')
  return { kind, ...makeTrace(kind, random) }
}

/** What a call cost. A model must have a price: if every cost were 0, every estimate would be right. */
function usdOf(priceOf: PriceOf, model: string, inputTokens: number, outputTokens: number): number {
  const usd = priceOf(model, inputTokens, outputTokens)
  if (usd === undefined) throw new UserError(`${model} has no price in grafana/prices.yaml: add one`)
  return usd
}

const amountsOf = ({ model, inputTokens, outputTokens, failed }: Turn, priceOf: PriceOf): Amounts => ({
  turns: 1,
  errors: failed ? 1 : 0,
  tokens: inputTokens + outputTokens,
  USD: usdOf(priceOf, model, inputTokens, outputTokens),
})

type Estimate = ReturnType<typeof estimating>

/**
 * Estimates from the kept traces alone, after Horvitz and Thompson: a trace that is kept with probability 1/w counts w times,
 * and the variance is known from the kept traces alone. Call `see` with each kept trace, then `of` for one agent.
 */
export function estimating(priceOf: PriceOf, weigh: (weight: number) => number = (weight) => weight) {
  const sums = new Map<string, { value: number; variance: number }>()
  let seen = 0
  const see = (line: Buffer) => {
    seen++
    // All that an agent did in one trace is kept or dropped together, so it is one term of the variance.
    const own = new Map<string, number>()
    const weights = new Set<number>()
    for (const span of spansOf(JSON.parse(line.toString()))) {
      weights.add(weightIn(span.traceState))
      const agent = attributeOf(span.attributes, 'gen_ai.agent.name')?.stringValue
      for (const [quantity, amount] of Object.entries(amountsIn(span, priceOf)))
        own.set(`${agent} ${quantity}`, (own.get(`${agent} ${quantity}`) ?? 0) + amount)
    }
    const [counted = 1, other] = weights
    if (other !== undefined)
      throw new UserError(
        `spans of one trace have the weights ${counted} and ${other}, but a sampler keeps whole traces. Is the feature gate processor.tailsamplingprocessor.usetracestate on?`,
      )
    const weight = weigh(counted)
    for (const [key, amount] of own) {
      const { value, variance } = sums.get(key) ?? { value: 0, variance: 0 }
      sums.set(key, { value: value + weight * amount, variance: variance + weight * (weight - 1) * amount ** 2 })
    }
  }
  return {
    see,
    /** How many traces it has seen. */
    seen: () => seen,
    of: (agent: string, quantity: Quantity) => {
      const { value, variance } = sums.get(`${agent} ${quantity}`) ?? { value: 0, variance: 0 }
      return { value, error: Math.sqrt(variance) }
    },
  }
}

/** The amounts in one span. The span of the agent has the turn and its error; the span of the call has tokens and model. */
function amountsIn(span: Span, priceOf: PriceOf): Partial<Amounts> {
  const { attributes } = span
  const operation = attributeOf(attributes, 'gen_ai.operation.name')?.stringValue
  if (operation === 'invoke_agent') return { turns: 1, errors: isError(span) ? 1 : 0 }
  if (operation !== 'chat') return {}
  const number = (key: string) => Number(attributeOf(attributes, key)?.intValue ?? 0)
  const [input, output] = [number('gen_ai.usage.input_tokens'), number('gen_ai.usage.output_tokens')]
  const model = attributeOf(attributes, 'gen_ai.request.model')?.stringValue ?? ''
  return { tokens: input + output, USD: usdOf(priceOf, model, input, output) }
}

/** In standard errors. Of the 4950 pairs of a hundred independent salts, one pair in a thousand runs is beyond it. */
const NO_CHANCE = 5.2

/** Compares the routine traces that each two salts kept. */
export function drawsIn(drawn: readonly Uint8Array[]): Draws {
  const salts = drawn.length
  const traces = drawn[0]?.length ?? 0
  const share = drawn.map((draw) => sum([...draw]) / traces)
  const correlations = drawn.flatMap((one, a) =>
    drawn.slice(0, a).map((other, b) => {
      let both = 0
      for (let trace = 0; trace < traces; trace++) both += (one[trace] ?? 0) & (other[trace] ?? 0)
      const [p = 0, q = 0] = [share[a], share[b]]
      return (both / traces - p * q) / Math.sqrt(p * (1 - p) * q * (1 - q))
    }),
  )
  const mean = sum(correlations) / correlations.length
  return {
    salts,
    worth: salts / (1 + (salts - 1) * mean),
    pairs: correlations.length,
    related: correlations.filter((one) => Math.abs(one) * Math.sqrt(traces) > NO_CHANCE).length,
  }
}

export const biasIn = ({ truth, mean }: Cell): number => mean / truth - 1
const coverage = (cells: readonly Cell[]): number => sum(cells.map(({ covered }) => covered)) / cells.length

const MOST_BIAS = 0.01
const COVERED = { least: 0.93, most: 0.97 }
/** Share of the salts. If they were worth fewer independent ones, the real error of the mean would be larger than the computed one. */
const LEAST_WORTH = 0.8

/** Every estimate is within one per cent of the truth, the intervals hold the truth often enough, and the salts are independent. */
export const isUnbiased = ({ cells, draws }: Bias): boolean =>
  draws.worth >= LEAST_WORTH * draws.salts &&
  cells.every((cell) => Math.abs(biasIn(cell)) <= MOST_BIAS) &&
  coverage(cells) >= COVERED.least &&
  coverage(cells) <= COVERED.most

export function biasReport(
  { cells, draws }: Bias,
  { seed, traces }: Pick<BiasSize, 'seed' | 'traces'>,
  format: Format,
): string {
  if (format === 'json') return JSON.stringify({ seed, cells, coverage: coverage(cells), draws }, null, 2)
  const draw = drawIn(format)
  const digits = (quantity: Quantity) => (quantity === 'USD' ? 4 : 0)
  const percent = (share: number, sign = '') => `${sign}${(100 * share).toFixed(2)} %`
  const worst = (some: readonly Cell[]) => Math.max(...some.map((cell) => Math.abs(biasIn(cell))))
  const rows = cells.map((cell) => [
    cell.agent,
    cell.quantity,
    cell.truth.toFixed(digits(cell.quantity)),
    cell.mean.toFixed(digits(cell.quantity)),
    percent(biasIn(cell), biasIn(cell) > 0 ? '+' : ''),
    percent(cell.error / cell.truth, '± '),
    percent(cell.covered),
  ])
  const pooled = (name: string, some: readonly Cell[]) => [name, percent(worst(some)), percent(coverage(some))]
  return [
    draw([['agent', 'quantity', 'truth', 'estimate', 'bias', 'its error', 'covered'], ...rows]),
    draw([
      ['quantity', 'largest bias', 'covered'],
      ...QUANTITIES.map((quantity) =>
        pooled(
          quantity,
          cells.filter((cell) => cell.quantity === quantity),
        ),
      ),
      pooled('all', cells),
    ]),
    `${traces} traces of seed ${seed} with ${draws.salts} hash salts, which are worth ${draws.worth.toFixed(0)} independent ones: ${draws.related} of their ${draws.pairs} pairs draw related samples.`,
  ].join('\n\n')
}
