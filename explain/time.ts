import { GEN_AI, OTHER, VLLM } from '../vocabulary/attributes.ts'
import { covered, type Interval } from './intervals.ts'
import { modelOf, type Scene, toolOf } from './roles.ts'
import type { Node, Tree } from './tree.ts'

/** Kinds of time. The first three are known where the server of the model says them, as vLLM does; `model` is what is left of a call. */
export const PARTS = {
  queue: "waiting in the model's queue",
  prefill: 'the model read',
  decode: 'the model wrote',
  model: 'in model calls',
  retry: 'between two tries',
  tool: 'in tools',
  own: 'own work',
  nothing: 'no span says',
} as const
export type Part = keyof typeof PARTS

/** A stretch of the critical path: as long as it lasted, the trace could not end earlier unless this span did. */
type Stretch = Readonly<{ node: Node | undefined } & Interval>

export type Step = Readonly<{ agent: string | undefined; what: string; ms: number }>
export type AgentTime = Readonly<{
  agent: string
  turns: number
  /** From the first to the last moment of its turns, without the gaps between them. Agents that work at the same time each have theirs. */
  ms: number
  /** Of it, in model calls and in tools. A tool that asks a model counts as both. */
  modelMs: number
  toolMs: number
  /** Its part of the critical path. */
  criticalMs: number
}>
export type TimeSpent = Readonly<{
  ms: number
  /** The critical path by kind of time: adds up to the whole. */
  parts: Readonly<Partial<Record<Part, number>>>
  /** The critical path by span name and agent, longest first: adds up to the whole. */
  steps: readonly Step[]
  agents: readonly AgentTime[]
  /** How many agents worked at the same time, at most. */
  atOnce: number
}>

export function timeOf(tree: Tree, scenes: readonly Scene[]): TimeSpent {
  const sceneOf = new Map(scenes.map((scene) => [scene.node, scene]))
  const parts: Partial<Record<Part, number>> = {}
  const steps = new Map<string, { agent: string | undefined; what: string; ms: number }>()
  const critical = new Map<string | undefined, number>()
  for (const stretch of criticalPath(tree)) {
    const scene = stretch.node && sceneOf.get(stretch.node)
    const ms = stretch.end - stretch.start
    for (const [part, its] of partsOf(stretch, scene)) if (its > 0) parts[part] = (parts[part] ?? 0) + its
    const { agent, what } = { agent: scene?.agent, what: scene ? shortName(scene) : PARTS.nothing }
    const key = JSON.stringify([agent, what])
    steps.set(key, { agent, what, ms: (steps.get(key)?.ms ?? 0) + ms })
    critical.set(agent, (critical.get(agent) ?? 0) + ms)
  }
  const names = [...new Set(scenes.flatMap(({ agent }) => agent ?? []))]
  const its = Map.groupBy(scenes, ({ agent }) => agent)
  const entries = scenes.filter(({ entry }) => entry)
  const turnsOf = Map.groupBy(entries, ({ agent }) => agent)
  const timeIn = (agent: string, role: Scene['role']) =>
    covered((its.get(agent) ?? []).filter((scene) => scene.role === role).map(({ node }) => node))
  const agents = names.map((agent) => {
    const turns = turnsOf.get(agent) ?? []
    return {
      agent,
      turns: turns.length,
      ms: covered(turns.map(({ node }) => node)),
      modelMs: timeIn(agent, 'call'),
      toolMs: timeIn(agent, 'tool'),
      criticalMs: critical.get(agent) ?? 0,
    }
  })
  return {
    ms: tree.ms,
    parts,
    steps: [...steps.values()].filter(({ ms }) => ms > 0).sort((one, other) => other.ms - one.ms),
    agents: agents.sort((one, other) => other.ms - one.ms),
    atOnce: mostAtOnce(entries),
  }
}

/** The name that a reader of the graph knows. What is inside a call counts as the call. */
function shortName(scene: Scene): string {
  const { within, role, node } = scene
  if (role === 'tool') return toolOf(node)
  if (within?.role === 'call') return modelOf(within.node)
  return node.span.name || 'a span without a name'
}

/**
 * From the end of the trace back to its beginning: at each moment the child that ended last, and where no child is, the span
 * itself. The stretches fill the whole trace and do not overlap.
 */
export function criticalPath({ tops, ms }: Tree): readonly Stretch[] {
  const path: Stretch[] = []
  const waiting: { node: Node | undefined; children: readonly Node[]; start: number; end: number }[] = [
    { node: undefined, children: tops, start: 0, end: ms },
  ]
  for (let task = waiting.pop(); task; task = waiting.pop()) {
    const { node, children, start } = task
    let at = task.end
    for (const child of children.toSorted((one, other) => other.end - one.end || other.start - one.start)) {
      if (at <= start) break
      const [from, until] = [Math.max(child.start, start), Math.min(child.end, at)]
      if (until <= from) continue
      if (until < at) path.push({ node, start: until, end: at })
      waiting.push({ node: child, children: child.children, start: from, end: until })
      at = from
    }
    if (at > start) path.push({ node, start, end: at })
  }
  return path.sort((one, other) => one.start - other.start)
}

/** What one stretch was spent on. */
function partsOf({ node, start, end }: Stretch, scene: Scene | undefined): readonly (readonly [Part, number])[] {
  if (!node || !scene) return [['nothing', end - start]]
  if (scene.role === 'own') return [['own', end - start]]
  if (scene.role === 'tool') return [['tool', end - start]]
  if (scene.role === 'call') return isBetweenTries(node, start) ? [['retry', end - start]] : [['model', end - start]]
  let at = node.start
  let left = end - start
  const known = (
    [
      ['queue', VLLM.QUEUE],
      ['prefill', VLLM.PREFILL],
      ['decode', VLLM.DECODE],
    ] as const
  ).map(([part, key]) => {
    const until = at + Number(node.span.attributes[key] ?? 0) * 1000
    const its = Math.max(0, Math.min(end, until) - Math.max(start, at))
    at = until
    left -= its
    return [part, its] as const
  })
  return [...known, ['model', Math.max(0, left)]]
}

/** Whether a call waits here for its next try: one request has ended, and another begins later. */
const isBetweenTries = ({ children }: Node, at: number): boolean =>
  children.some((child) => isRequest(child) && child.end <= at) &&
  children.some((child) => isRequest(child) && child.start > at)

export const isRequest = ({ span: { attributes } }: Node): boolean =>
  attributes[OTHER.HTTP_METHOD] !== undefined && attributes[GEN_AI.OPERATION] === undefined

function mostAtOnce(entries: readonly Scene[]): number {
  // Only the outermost turns: an agent that waits for another does not work beside it.
  const outermost = entries.filter(({ caller }) => caller === undefined).map(({ node }) => node)
  const edges = outermost.flatMap(({ start, end }) => (end > start ? [[start, 1] as const, [end, -1] as const] : []))
  let [now, most] = [0, 0]
  for (const [, step] of edges.sort((one, other) => one[0] - other[0] || one[1] - other[1])) {
    now += step
    most = Math.max(most, now)
  }
  return most
}
