import type { Plain } from '../otlp/json.ts'
import type { Values } from '../otlp/plain.ts'
import { CALL_OPERATIONS, DIALECTS, GEN_AI, OTHER } from '../vocabulary/attributes.ts'
import type { Node, Tree } from './tree.ts'

const CALLS: readonly Plain[] = CALL_OPERATIONS
const TOOLS: readonly Plain[] = ['execute_tool', 'retrieval']

/**
 * What a span is. `call` is counted as a call of a model. `part` is inside of a call, such as an HTTP request. All others are
 * `own`: an agent or a workflow, and whatever it does by itself.
 */
export type Role = 'call' | 'part' | 'tool' | 'own'

export type Scene = Readonly<{
  node: Node
  role: Role
  /** The agent that works here; undefined above all agents. */
  agent: string | undefined
  /** A turn of an agent begins here: the span above belongs to another agent, to none, or to a tool. */
  entry: boolean
  /** Who calls: the nearest tool, or turn, above this span. Undefined above all agents. */
  caller: Scene | undefined
  /** The call or tool that this span is or stands in; undefined outside of both. */
  within: Scene | undefined
}>

export const textOf = (value: Plain): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined
const isCall = ({ span }: Node) => CALLS.includes(span.attributes[GEN_AI.OPERATION])
const isTool = ({ span }: Node) => TOOLS.includes(span.attributes[GEN_AI.OPERATION])
const hasTokens = ({ span }: Node) => typeof span.attributes[GEN_AI.INPUT_TOKENS] === 'number'

/** What every span is, each after its parent. */
export function scenesOf({ nodes }: Tree): readonly Scene[] {
  const wrappers = wrappersIn(nodes)
  const again = seenAgain(nodes)
  const aboveNamed = aboveSome(
    nodes,
    ({ span }) => span.attributes[GEN_AI.AGENT] !== undefined && !isGuessed(span.attributes),
  )
  const scenes = new Map<Node, Scene>()
  for (const node of nodes) {
    const above = node.parent && scenes.get(node.parent)
    const agent = agentOf(node, above, aboveNamed)
    const inCall = above?.within?.role === 'call'
    const role =
      inCall || again.has(node) ? 'part' : isCall(node) && !wrappers.has(node) ? 'call' : isTool(node) ? 'tool' : 'own'
    const entry =
      agent !== undefined &&
      (agent !== above?.agent || (above.role === 'tool' && node.span.attributes[GEN_AI.OPERATION] === 'invoke_agent'))
    const scene = {
      node,
      role,
      agent,
      entry,
      caller: above && (above.role === 'tool' || above.entry ? above : above.caller),
      within: undefined as Scene | undefined,
    } satisfies Scene
    scene.within = role === 'call' || role === 'tool' ? scene : entry ? undefined : above?.within
    scenes.set(node, scene)
  }
  return [...scenes.values()]
}

/**
 * Two libraries may write one call twice, one inside of the other. The inner one has the tokens; the outer one wraps it and is
 * not counted.
 */
const wrappersIn = (nodes: readonly Node[]): ReadonlySet<Node> =>
  aboveSome(nodes, (node) => isCall(node) && hasTokens(node))

/**
 * The calls on the spans that Anthropic's SDK makes by itself, where another library saw the same call: beside, with the same model
 * and input. The Collector counts by the same rule (collector/labels/calls-again.yaml).
 */
function seenAgain(nodes: readonly Node[]): ReadonlySet<Node> {
  const calls = nodes.filter((node) => node.parent && isCall(node) && (hasTokens(node) || node.span.error))
  const looks = (node: Node) =>
    [node.parent?.span.spanId, modelOf(node), node.span.attributes[GEN_AI.INPUT_TOKENS]].join()
  const others = new Set(calls.filter((node) => !isOfAnthropic(node)).map(looks))
  return new Set(calls.filter((node) => isOfAnthropic(node) && others.has(looks(node))))
}
const isOfAnthropic = ({ span }: Node) => span.scopeName.startsWith('com.anthropic.sdk.')

/** The nodes that stand above such a node. */
function aboveSome(nodes: readonly Node[], holds: (node: Node) => boolean): ReadonlySet<Node> {
  const above = new Set<Node>()
  for (const node of nodes.toReversed()) if (node.parent && (above.has(node) || holds(node))) above.add(node.parent)
  return above
}

const isGuessed = (attributes: Values) => attributes[DIALECTS.AGENT_FROM] !== undefined

/**
 * The agent of a span. Where a span does not name its agent, the Collector writes the name of its process or service. The agent
 * of the span above is nearer to the truth, and a span above agents that have names is a workflow.
 */
function agentOf(node: Node, above: Scene | undefined, aboveNamed: ReadonlySet<Node>): string | undefined {
  const { attributes } = node.span
  const named = textOf(attributes[GEN_AI.AGENT])
  if (!isGuessed(attributes)) return named ?? above?.agent
  return above?.agent ?? (aboveNamed.has(node) ? undefined : named)
}

export const modelOf = ({ span: { attributes } }: Node): string =>
  textOf(attributes[GEN_AI.REQUEST_MODEL]) ?? textOf(attributes[GEN_AI.RESPONSE_MODEL]) ?? 'a model without a name'

export const toolOf = ({ span }: Node): string => textOf(span.attributes[GEN_AI.TOOL_NAME]) ?? span.name

/** What the trace as a whole is called: its workflow, or its first span. */
export const startName = ({ tops: [top] }: Tree): string =>
  textOf(top?.span.attributes[GEN_AI.WORKFLOW]) ?? textOf(top?.span.name) ?? 'a span without a name'

/** Why a span failed, in the words of its sender; undefined when it did not. */
export const errorOf = ({ span }: Node): string | undefined =>
  span.error ? (textOf(span.attributes[OTHER.ERROR_TYPE]) ?? '_OTHER') : undefined
