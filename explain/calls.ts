import type { Plain } from '../otlp/json.ts'
import { GEN_AI } from '../vocabulary/attributes.ts'
import { errorOf, modelOf, type Scene, startName, textOf, toolOf } from './roles.ts'
import type { Tree } from './tree.ts'

export type Party = Readonly<{ kind: 'start' | 'agent' | 'model' | 'tool'; name: string }>
export type Edge = Readonly<{
  from: Party
  to: Party
  count: number
  /** The errors of those that failed, by their type. */
  failed: Readonly<Record<string, number>>
  /** All of them, one after another. */
  ms: number
}>

const UNKNOWN_CALLER = 'the program'

/** Who called whom, how often, in the order of the first call. */
export function graphOf(tree: Tree, scenes: readonly Scene[]): readonly Edge[] {
  // A turn or a call with nothing above it: who made it is not in the trace.
  const isCaller = scenes.some(({ caller, entry, role }) => caller === undefined && !entry && role === 'own')
  const start: Party = { kind: 'start', name: isCaller ? startName(tree) : UNKNOWN_CALLER }
  const partyOf = (scene: Scene | undefined): Party => {
    if (!scene) return start
    if (scene.role === 'tool') return { kind: 'tool', name: toolOf(scene.node) }
    return { kind: 'agent', name: scene.agent ?? '' }
  }
  type Growing = { from: Party; to: Party; count: number; failed: Record<string, number>; ms: number }
  const edges = new Map<string, Growing>()
  const add = (from: Party, to: Party, { node }: Scene) => {
    const key = JSON.stringify([from, to])
    const edge = edges.get(key) ?? { from, to, count: 0, failed: {}, ms: 0 }
    edge.count++
    edge.ms += node.end - node.start
    const error = errorOf(node)
    if (error !== undefined) edge.failed[error] = (edge.failed[error] ?? 0) + 1
    edges.set(key, edge)
  }
  for (const scene of scenes) {
    const { role, node, entry, agent, caller } = scene
    const self: Party = { kind: 'agent', name: agent ?? '' }
    if (entry) add(partyOf(caller), self, scene)
    const from = entry ? self : partyOf(caller)
    if (role === 'call') add(from, { kind: 'model', name: modelOf(node) }, scene)
    if (role === 'tool') add(from, { kind: 'tool', name: toolOf(node) }, scene)
  }
  return [...edges.values()]
}

export const failedIn = ({ failed }: Edge): number => Object.values(failed).reduce((sum, count) => sum + count, 0)

/** What stands on an arrow. */
export const edgeText = (edge: Edge): string => {
  const failed = failedIn(edge)
  return `${edge.count}×${failed > 0 ? `, ${failed} failed` : ''}`
}

export type TokenType = 'input' | 'output' | 'cache_read' | 'cache_creation'
/** USD for one token; undefined when nobody says what it costs. */
export type Price = (model: string, provider: string | undefined, type: TokenType) => number | undefined

/** Only input + output is a total: what a cache gave or took is a part of the input, and reasoning is a part of the output. */
type Counts = Readonly<{ input: number; output: number; cacheRead: number; cacheCreation: number; reasoning: number }>
export type Usage = Counts &
  Readonly<{ agent: string | undefined; model: string; calls: number; usd: number | undefined }>

/** Tokens and cost by agent and model. Only calls count, because agents and workflows carry sums of calls. */
export function usageOf(scenes: readonly Scene[], price: Price): readonly Usage[] {
  const usage = new Map<string, Usage>()
  for (const { role, node, agent } of scenes) {
    if (role !== 'call') continue
    const { attributes } = node.span
    const model = modelOf(node)
    const counts: Counts = {
      input: tokens(attributes[GEN_AI.INPUT_TOKENS]),
      output: tokens(attributes[GEN_AI.OUTPUT_TOKENS]),
      cacheRead: tokens(attributes[GEN_AI.CACHE_READ_TOKENS]),
      cacheCreation: tokens(attributes[GEN_AI.CACHE_CREATION_TOKENS]),
      reasoning: tokens(attributes[GEN_AI.REASONING_TOKENS]),
    }
    const usd = costOf(counts, (type) => price(model, textOf(attributes[GEN_AI.PROVIDER]), type))
    const key = JSON.stringify([agent, model])
    const known = usage.get(key) ?? { agent, model, calls: 0, usd: 0, ...NO_TOKENS }
    usage.set(key, {
      agent,
      model,
      calls: known.calls + 1,
      usd: known.usd === undefined || usd === undefined ? undefined : known.usd + usd,
      ...sumOf([known, counts]),
    })
  }
  return [...usage.values()].sort(
    (one, other) => (other.usd ?? 0) - (one.usd ?? 0) || other.input + other.output - one.input - one.output,
  )
}

const NO_TOKENS: Counts = { input: 0, output: 0, cacheRead: 0, cacheCreation: 0, reasoning: 0 }
const tokens = (value: Plain): number => (typeof value === 'number' && value > 0 ? value : 0)

export const sumOf = (all: readonly Counts[]): Counts =>
  all.reduce<Counts>(
    (sum, one) => ({
      input: sum.input + one.input,
      output: sum.output + one.output,
      cacheRead: sum.cacheRead + one.cacheRead,
      cacheCreation: sum.cacheCreation + one.cacheCreation,
      reasoning: sum.reasoning + one.reasoning,
    }),
    NO_TOKENS,
  )

/** The cost of one call. A cached part without a price of its own costs as much as other input. A call without tokens costs nothing. */
function costOf(counts: Counts, price: (type: TokenType) => number | undefined): number | undefined {
  const { input, output, cacheRead, cacheCreation } = counts
  if (input + output === 0) return 0
  const [ofInput, ofOutput] = [price('input'), price('output')]
  if (ofInput === undefined || ofOutput === undefined) return undefined
  const fresh = Math.max(0, input - cacheRead - cacheCreation)
  return (
    fresh * ofInput +
    cacheRead * (price('cache_read') ?? ofInput) +
    cacheCreation * (price('cache_creation') ?? ofInput) +
    output * ofOutput
  )
}
