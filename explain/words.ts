import type { Plain } from '../otlp/json.ts'
import { GEN_AI, OPENINFERENCE } from '../vocabulary/attributes.ts'
import { type Scene, textOf } from './roles.ts'
import type { Node } from './tree.ts'

/** What was asked and answered, as far as spans say it. */
export type Words = Readonly<{ asked: string | undefined; answered: string | undefined }>

/** Lists and maps of messages are nested a few levels deep: {"messages": [[{"data": {"content": …}}]]}. */
const DEEPEST = 6

/** Of the whole trace, or of one turn and all below it. */
export function wordsOf(scenes: readonly Scene[], turn: Scene | undefined): Words {
  const inside = turn ? scenesBelow(scenes, turn.node) : scenes
  const calls = inside.filter(({ role }) => role === 'call').map(({ node }) => node)
  const [top] = inside
  const own = (key: string) => (turn || !top ? undefined : textOf(top.node.span.attributes[key]))
  const input =
    own(OPENINFERENCE.INPUT) ??
    first(calls, GEN_AI.INPUT_MESSAGES, OPENINFERENCE.INPUT) ??
    anyOf(inside, OPENINFERENCE.INPUT)
  const output =
    own(OPENINFERENCE.OUTPUT) ??
    first(calls.toReversed(), GEN_AI.OUTPUT_MESSAGES, OPENINFERENCE.OUTPUT) ??
    anyOf(inside, OPENINFERENCE.OUTPUT)
  return { asked: input && said(input, ['user', 'human']), answered: output && said(output, ['assistant', 'ai']) }
}

function scenesBelow(scenes: readonly Scene[], top: Node): readonly Scene[] {
  const below = new Set<Node>([top])
  return scenes.filter(({ node }) => {
    if (node.parent && below.has(node.parent)) below.add(node)
    return below.has(node)
  })
}

const first = (nodes: readonly Node[], ...keys: readonly string[]): string | undefined =>
  nodes.flatMap(({ span }) => keys.flatMap((key) => textOf(span.attributes[key]) ?? []))[0]
const anyOf = (scenes: readonly Scene[], key: string) =>
  first(
    scenes.map(({ node }) => node),
    key,
  )

/** The last words of a role in a text that may be JSON of messages; else the text itself. */
function said(text: string, roles: readonly string[]): string {
  let parsed: Plain
  try {
    parsed = JSON.parse(text)
  } catch {
    return text
  }
  return spoken(parsed, roles, 0) ?? text
}

type Found = Readonly<{ [key: string]: Plain }>

function spoken(value: Plain, roles: readonly string[], depth: number): string | undefined {
  if (depth > DEEPEST || value === null || typeof value !== 'object') return undefined
  if (Array.isArray(value)) {
    // Pairs of role and words, as LangChain takes them.
    if (value.length === 2 && roles.includes(String(value[0]))) return textOf(value[1])
    for (const one of value.toReversed()) {
      const found = spoken(one, roles, depth + 1)
      if (found !== undefined) return found
    }
    return undefined
  }
  const map = value as Found
  const role = map.role ?? map.type
  if (typeof role === 'string' && roles.includes(role))
    return contentOf(map.content ?? map.parts ?? (map.data as Found)?.content)
  if (typeof map.prompt === 'string') return map.prompt
  for (const key of ['messages', 'inputs', 'kwargs', 'args', 'outputs']) {
    const inner = map[key]
    if (key === 'args' && Array.isArray(inner) && typeof inner.at(-1) === 'string') return inner.at(-1)
    const found = spoken(inner, roles, depth + 1)
    if (found !== undefined) return found
  }
  return undefined
}

function contentOf(content: Plain): string | undefined {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return undefined
  const texts = content.flatMap((part: Plain) => {
    if (typeof part === 'string') return [part]
    const { text, content: inner, name } = (part ?? {}) as Found
    return textOf(text) ?? textOf(inner) ?? (typeof name === 'string' ? `calls ${name}` : [])
  })
  return texts.length > 0 ? texts.join(' ') : undefined
}
