import { type Interval, merged, overlap } from './intervals.ts'
import type { Scene } from './roles.ts'
import type { Node, Tree } from './tree.ts'

/**
 * Spans of one name and agent under one bar are one bar: as wide as the time that they cover together, so no bar is wider than
 * the one above. Bars of one lane follow each other; a bar that ran at the same time as another has a lane of its own.
 */
export type Bar = Readonly<{
  name: string
  agent: string | undefined
  count: number
  errors: number
  ms: number
  /** From the left edge, and of the whole trace: 0 to 1. */
  left: number
  width: number
  row: number
  /** It ran at the same time as another bar under the same parent. */
  parallel: boolean
}>

type Flame = Readonly<{ bars: readonly Bar[]; rows: number; left: number }>

/** Deeper bars are too many to read; so are more lanes. What is left out is counted. */
const DEEPEST = 30
const MOST_LANES = 24
/** Narrower bars cannot be seen. */
const NARROWEST = 0.001

type Group = Readonly<{
  name: string
  agent: string | undefined
  nodes: readonly Node[]
  intervals: readonly Interval[]
  ms: number
  lanes: readonly (readonly Group[])[]
  height: number
}>

export function flameOf({ tops, ms }: Tree, scenes: readonly Scene[]): Flame {
  const agents = new Map(scenes.map(({ node, agent }) => [node, agent]))
  const { lanes, left } = lanesOf(tops, agents, ms, DEEPEST)
  const bars: Bar[] = []
  const draw = (all: Group['lanes'], from: number, top: number): number => {
    let row = top
    for (const lane of all) {
      let at = from
      for (const group of lane) {
        const width = group.ms / ms
        const errors = group.nodes.filter(({ span }) => span.error).length
        const { name, agent, nodes } = group
        bars.push({
          name,
          agent,
          count: nodes.length,
          errors,
          ms: group.ms,
          left: at,
          width,
          row,
          parallel: all.length > 1,
        })
        draw(group.lanes, at, row + 1)
        at += width
      }
      row += Math.max(...lane.map(({ height }) => height))
    }
    return row
  }
  return { bars, rows: ms > 0 ? draw(lanes, 0, 0) : 0, left }
}

function lanesOf(
  nodes: readonly Node[],
  agents: ReadonlyMap<Node, string | undefined>,
  whole: number,
  depth: number,
): Readonly<{ lanes: Group['lanes']; left: number }> {
  if (depth === 0) return { lanes: [], left: nodes.length }
  const named = Map.groupBy(nodes, (node) => JSON.stringify([agents.get(node), node.span.name]))
  let left = 0
  const lanes: { groups: Group[]; intervals: readonly Interval[] }[] = []
  for (const its of named.values()) {
    const intervals = merged(its)
    const ms = intervals.reduce((sum, { start, end }) => sum + end - start, 0)
    const [one] = its
    const free = lanes.find((lane) => !overlap(lane.intervals, intervals))
    if (!one || ms < whole * NARROWEST || (!free && lanes.length === MOST_LANES)) {
      left += its.length
      continue
    }
    const below = lanesOf(
      its.flatMap(({ children }) => children),
      agents,
      whole,
      depth - 1,
    )
    left += below.left
    const inner = below.lanes.reduce((sum, lane) => sum + Math.max(...lane.map(({ height }) => height)), 0)
    const group: Group = {
      name: one.span.name,
      agent: agents.get(one),
      nodes: its,
      intervals,
      ms,
      lanes: below.lanes,
      height: 1 + inner,
    }
    if (free) {
      free.groups.push(group)
      free.intervals = merged([...free.intervals, ...intervals])
    } else lanes.push({ groups: [group], intervals })
  }
  return { lanes: lanes.map(({ groups }) => groups), left }
}
