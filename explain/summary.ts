import type { PlainSpan } from '../otlp/plain.ts'
import { GEN_AI, OTHER } from '../vocabulary/attributes.ts'
import { type Edge, graphOf, type Price, type Usage, usageOf } from './calls.ts'
import {
  type Evaluation,
  evaluationsOf,
  type Failure,
  type Fallback,
  failuresOf,
  fallbacksOf,
  type Linked,
  linkedFrom,
  type Masked,
  maskedIn,
  policiesOf,
  type Refusal,
  type Retry,
  refusalsOf,
  repeatsOf,
  retriesOf,
  type Turns,
  turnsOf,
} from './happenings.ts'
import { errorOf, type Scene, scenesOf, startName, textOf } from './roles.ts'
import { type TimeSpent, timeOf } from './time.ts'
import { type Defect, type Tree, treeOf } from './tree.ts'
import { type Words, wordsOf } from './words.ts'

export type Summary = Readonly<{
  trace: string
  name: string
  began: string
  ms: number
  spans: number
  services: readonly string[]
  conversations: readonly string[]
  /** The error of the root; undefined when it has none. */
  error: string | undefined
  turns: readonly Turns[]
  /** Whose words `words` are: an agent that failed, or the agent that was asked for; undefined for the whole trace. */
  wordsOf: string | undefined
  words: Words
  failures: readonly Failure[]
  policies: readonly string[]
  graph: readonly Edge[]
  time: TimeSpent
  usage: readonly Usage[]
  retries: readonly Retry[]
  /** Agents that asked again, once for each time. */
  repeats: readonly string[]
  fallbacks: readonly Fallback[]
  refusals: readonly Refusal[]
  /** Other traces of the same story. */
  linked: readonly Linked[]
  evaluations: readonly Evaluation[]
  masked: Masked
  /** Empty for a trace that is whole. */
  defects: readonly Defect[]
}>

export type Explained = Readonly<{ summary: Summary; tree: Tree; scenes: readonly Scene[] }>

/**
 * What the spans of one trace say. It reads the names of the conventions, so it is for spans that went through the Collector.
 * `agent` is the one that the reader asks about.
 */
export function explain(spans: readonly PlainSpan[], price: Price, agent?: string): Explained {
  const tree = treeOf(spans)
  const scenes = scenesOf(tree)
  const nodes = tree.nodes
  const turn = turnToShow(scenes, agent)
  const distinct = (key: string, on: (span: PlainSpan) => PlainSpan['attributes']) => [
    ...new Set(nodes.flatMap(({ span }) => textOf(on(span)[key]) ?? [])),
  ]
  const [top] = tree.tops
  const summary: Summary = {
    trace: top?.span.traceId ?? '',
    name: startName(tree),
    began: new Date(Number(tree.began / 1_000_000n)).toISOString(),
    ms: tree.ms,
    spans: nodes.length,
    services: distinct(OTHER.SERVICE_NAME, ({ resource }) => resource),
    conversations: distinct(GEN_AI.CONVERSATION, ({ attributes }) => attributes),
    error: top && errorOf(top),
    turns: turnsOf(scenes),
    wordsOf: turn?.agent,
    words: wordsOf(scenes, turn),
    failures: failuresOf(scenes),
    policies: policiesOf(nodes),
    graph: graphOf(tree, scenes),
    time: timeOf(tree, scenes),
    usage: usageOf(scenes, price),
    retries: retriesOf(scenes),
    repeats: repeatsOf(scenes),
    fallbacks: fallbacksOf(scenes),
    refusals: refusalsOf(scenes),
    linked: linkedFrom(nodes),
    evaluations: evaluationsOf(scenes),
    masked: maskedIn(nodes),
    defects: tree.defects,
  }
  return { summary, tree, scenes }
}

/** The turn whose words are shown: of the agent that is asked for, else the first that failed. Undefined if only one agent was at work. */
function turnToShow(scenes: readonly Scene[], agent: string | undefined): Scene | undefined {
  const entries = scenes.filter(({ entry }) => entry)
  const its = agent === undefined ? entries : entries.filter((scene) => scene.agent === agent)
  const failed = its.find(({ node }) => node.span.error)
  if (agent !== undefined) return failed ?? its[0]
  return new Set(entries.map((scene) => scene.agent)).size > 1 ? failed : undefined
}
