import type { Plain } from '../otlp/json.ts'
import type { Values } from '../otlp/plain.ts'
import {
  COLLECTOR,
  EVALUATION_LABELS,
  EVENTS,
  GEN_AI,
  handWrittenEvaluations,
  OTHER,
  WOODLAND,
  wordOf,
} from '../vocabulary/attributes.ts'
import { errorOf, modelOf, type Scene, textOf, toolOf } from './roles.ts'
import { isRequest } from './time.ts'
import type { Node } from './tree.ts'

/** A span that failed and under which no other did: the place where it began. */
export type Failure = Readonly<{
  agent: string | undefined
  where: string
  error: string
  message: string | undefined
  /** Whether the turn of the agent, or the whole run, failed too. Otherwise somebody dealt with it. */
  fatal: boolean
}>
export type Turns = Readonly<{ agent: string; turns: number; failed: Readonly<Record<string, number>> }>
export type Retry = Readonly<{ agent: string | undefined; model: string; tries: number; after: readonly string[] }>
export type Fallback = Readonly<{ agent: string | undefined; model: string; after: string | undefined }>
export type Linked = Readonly<{
  trace: string
  from: string
  /** What happened in that trace, in one line, if somebody looked. */
  says?: string
}>
export type Refusal = Readonly<{ agent: string | undefined; where: string; reason: string; what: string }>
export type Evaluation = Readonly<{
  agent: string | undefined
  name: string
  score: number | undefined
  label: string | undefined
  /** Undefined when there is only a score: what is enough is for the sender to say. */
  passed: boolean | undefined
  explanation: string | undefined
}>

export function failuresOf(scenes: readonly Scene[]): readonly Failure[] {
  const below = new Set<Node>()
  for (const { node } of scenes.toReversed())
    if (node.parent && (node.span.error || below.has(node))) below.add(node.parent)
  const first = scenes.flatMap((scene) => {
    const error = errorOf(scene.node)
    // A request that failed and was tried again is a retry, not a failure: the call says how it ended.
    if (error === undefined || below.has(scene.node) || (scene.role === 'part' && !isRaised(scene.node))) return []
    return [{ scene, error, turn: turnOf(scene) }]
  })
  // Where an agent fails for the reason that a step gave, its other failed steps were dealt with.
  const told = new Set(first.flatMap(({ turn, error }) => (turn && error === errorOf(turn.node) ? [turn] : [])))
  // Some SDKs do not mark the turn of a failed call. If the agent asked no model after it, it had no answer.
  const lastCalls = new Map<Scene | undefined, Scene>()
  for (const scene of scenes) {
    const known = lastCalls.get(turnOf(scene))
    if (scene.role === 'call' && (!known || scene.node.start >= known.node.start)) lastCalls.set(turnOf(scene), scene)
  }
  return first.map(({ scene, error, turn }) => {
    const { node, agent, role, within } = scene
    const at = role === 'part' && within ? within : scene
    const raised = errorOf(at.node) ?? error
    return {
      agent,
      where: at.role === 'call' ? modelOf(at.node) : at.role === 'tool' ? toolOf(at.node) : at.node.span.name,
      error: raised,
      message: messageOf(at.node) ?? messageOf(node) ?? (raised === error ? undefined : error),
      fatal: hasFailed(node, turn)
        ? !turn || !told.has(turn) || error === errorOf(turn.node)
        : at.role === 'call' && (lastCalls.get(turn) ?? at) === at,
    }
  })
}

/** The turn in which a span stands; undefined above all agents. */
function turnOf(scene: Scene): Scene | undefined {
  let at: Scene | undefined = scene
  while (at && !at.entry) at = at.caller
  return at
}

/** Whether the call around it failed too. */
function isRaised({ parent }: Node): boolean {
  for (let above = parent; above; above = above.parent)
    if (above.span.attributes[GEN_AI.OPERATION]) return above.span.error
  return false
}

/** Whether all spans from this one up to its turn failed; without a turn, up to the root. */
function hasFailed(node: Node, turn: Scene | undefined): boolean {
  for (let above: Node | undefined = node; above; above = above.parent) {
    if (!above.span.error) return false
    if (above === turn?.node) return true
  }
  return true
}

const messageOf = ({ span }: Node): string | undefined => {
  const thrown = span.events.find(({ name }) => name === 'exception')
  const message = textOf(span.statusMessage) ?? textOf(thrown?.attributes['exception.message'])
  return message === textOf(span.attributes[OTHER.ERROR_TYPE]) ? undefined : message
}

/** How the turns of each agent ended. */
export function turnsOf(scenes: readonly Scene[]): readonly Turns[] {
  const turns = Map.groupBy(
    scenes.filter(({ entry }) => entry),
    ({ agent }) => agent ?? '',
  )
  return [...turns].map(([agent, its]) => {
    const errors = its.flatMap(({ node }) => errorOf(node) ?? [])
    return { agent, turns: its.length, failed: countsOf(errors) }
  })
}

export const countsOf = (words: readonly string[]): Readonly<Record<string, number>> =>
  Object.fromEntries([...Map.groupBy(words, (word) => word)].map(([word, all]) => [word, all.length]))

/** Calls whose request was sent more than once. */
export function retriesOf(scenes: readonly Scene[]): readonly Retry[] {
  return scenes
    .filter(({ role }) => role === 'call')
    .flatMap(({ node, agent }) => {
      const requests = node.children.filter(isRequest)
      const said = node.span.events.filter(({ name }) => name === EVENTS.RETRY).length
      const tries = Math.max(requests.length, said + 1)
      if (tries < 2) return []
      return [
        {
          agent,
          model: modelOf(node),
          tries,
          after: requests.slice(0, -1).flatMap((request) => errorOf(request) ?? []),
        },
      ]
    })
}

/** Turns that asked again because an answer could not be used: the agent, once for each second attempt. */
export function repeatsOf(scenes: readonly Scene[]): readonly string[] {
  const attempts = new Map<string, string>()
  for (const scene of scenes) {
    const attempt = Number(scene.node.span.attributes[WOODLAND.ATTEMPT] ?? 1)
    const turn = turnOf(scene)
    if (scene.role === 'call' && attempt > 1) attempts.set(`${turn?.node.span.spanId} ${attempt}`, scene.agent ?? '')
  }
  return [...attempts.values()]
}

/** Other traces that spans of this one link to, and the first span that does: the tick before, the first attempt of a retry. */
export function linkedFrom(nodes: readonly Node[]): readonly Linked[] {
  const own = new Set(nodes.map(({ span }) => span.traceId))
  const linked = new Map<string, string>()
  for (const { span } of nodes)
    for (const { traceId } of span.links) if (!own.has(traceId) && !linked.has(traceId)) linked.set(traceId, span.name)
  return [...linked].map(([trace, from]) => ({ trace, from }))
}

export const fallbacksOf = (scenes: readonly Scene[]): readonly Fallback[] =>
  scenes.flatMap(({ node, agent }) =>
    node.span.events
      .filter(({ name }) => name === EVENTS.FALLBACK)
      .map(({ attributes }) => ({
        agent,
        model: textOf(attributes[GEN_AI.REQUEST_MODEL]) ?? 'another model',
        after: textOf(attributes[OTHER.ERROR_TYPE]),
      })),
  )

/** What somebody would not do: orders that were refused, and answers that a model or a filter withheld. */
export const refusalsOf = (scenes: readonly Scene[]): readonly Refusal[] =>
  scenes.flatMap(({ role, node, agent }) => {
    const refused = node.span.events
      .filter(({ name }) => name === EVENTS.REFUSED)
      .map(({ attributes }) => ({
        agent: agent ?? textOf(attributes[GEN_AI.AGENT]),
        where: role === 'tool' ? toolOf(node) : node.span.name,
        reason: textOf(attributes[WOODLAND.REASON]) ?? 'no reason given',
        what: [attributes[WOODLAND.SIDE], attributes[WOODLAND.GOOD]].flatMap((word) => textOf(word) ?? []).join(' '),
      }))
    const reasons = node.span.attributes[GEN_AI.RESPONSE_FINISH_REASONS]
    const withheld = (Array.isArray(reasons) ? reasons : []).filter((reason) =>
      /^(content[_-]filter|refusal)$/i.test(reason),
    )
    return role === 'call'
      ? [...refused, ...withheld.map((reason) => ({ agent, where: modelOf(node), reason, what: 'an answer' }))]
      : refused
  })

const { PASS, FAIL } = EVALUATION_LABELS

export const evaluationsOf = (scenes: readonly Scene[]): readonly Evaluation[] =>
  scenes.flatMap(({ node: { span }, agent }) => [
    ...span.events
      .filter(({ name }) => name === EVENTS.EVALUATION)
      .map(({ attributes: values }) => ({
        agent: textOf(values[GEN_AI.AGENT]) ?? agent,
        name: textOf(values[GEN_AI.EVALUATION_NAME]) ?? 'an evaluation without a name',
        score: numberOf(values[GEN_AI.EVALUATION_SCORE]),
        ...labelled(values[GEN_AI.EVALUATION_LABEL], values[GEN_AI.EVALUATION_EXPLANATION]),
      })),
    ...handWrittenEvaluations(span.attributes).map(({ name, score, label }) => ({
      ...{ agent, name, score },
      ...labelled(label),
    })),
  ])

function labelled(given: Plain, why?: Plain): Pick<Evaluation, 'label' | 'passed' | 'explanation'> {
  const label = textOf(given)
  const word = wordOf(label ?? '')
  const passed = PASS.has(word) ? true : FAIL.has(word) ? false : undefined
  return { label, passed, explanation: textOf(why) }
}

const numberOf = (value: Plain): number | undefined => (typeof value === 'number' ? value : undefined)

export type Masked = Readonly<{
  /** How many values of spans, events, scopes and resources hold a mask. */
  values: number
  /** Keys of such values, and how many values each has. */
  keys: Readonly<Record<string, number>>
  /** Spans with a value that was too long, or with a number of tokens that cannot be. */
  limits: Readonly<Record<string, number>>
}>

/** What the Collector wrote in the place of a secret. */
const MASK = '****'

export function maskedIn(nodes: readonly Node[]): Masked {
  const parts = new Set<Values>(
    nodes.flatMap(({ span }) => [
      span.attributes,
      span.resource,
      span.scope,
      ...span.events.map(({ attributes }) => attributes),
    ]),
  )
  const counted = [...parts].filter((values) => Number(values[COLLECTOR.MASKED] ?? 0) > 0)
  const keys = counted.flatMap((values) =>
    Object.keys(values).filter((key) => key !== COLLECTOR.MASKED && JSON.stringify(values[key] ?? '').includes(MASK)),
  )
  return {
    values: counted.reduce((sum, values) => sum + Number(values[COLLECTOR.MASKED]), 0),
    keys: countsOf(keys),
    limits: countsOf(nodes.flatMap(({ span }) => textOf(span.attributes[WOODLAND.LIMIT]) ?? [])),
  }
}

/** The policies that kept the trace: one, unless spans came after the decision. */
export const policiesOf = (nodes: readonly Node[]): readonly string[] => [
  ...new Set(nodes.flatMap(({ span }) => textOf(span.scope[COLLECTOR.POLICY]) ?? [])),
]
