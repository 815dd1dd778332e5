import { edgeText, type Party } from './calls.ts'
import type { Summary } from './summary.ts'
import { cut } from './text.ts'

const SHAPES: Readonly<Record<Party['kind'], readonly [string, string]>> = {
  start: ['([', '])'],
  agent: ['[', ']'],
  model: ['{{', '}}'],
  tool: ['[/', '/]'],
}

/** The call graph as a Mermaid flowchart, for a page or an issue that draws it. */
export function mermaidReport({ graph }: Summary): string {
  const ids = new Map<string, string>()
  const lines: string[] = []
  const idOf = ({ kind, name }: Party) => {
    const key = `${kind} ${name}`
    const known = ids.get(key)
    if (known) return known
    const id = `n${ids.size}`
    const [open, close] = SHAPES[kind]
    ids.set(key, id)
    lines.push(`  ${id}${open}"${quoted(name)}"${close}`)
    return id
  }
  for (const edge of graph) {
    const [from, to] = [idOf(edge.from), idOf(edge.to)]
    lines.push(`  ${from} -->|"${quoted(edgeText(edge))}"| ${to}`)
  }
  return ['flowchart LR', ...lines].join('\n')
}

/** Mermaid knows no backslash. A character that could end the text, or begin HTML, is its number. */
const quoted = (text: string): string =>
  cut(text, 60).replaceAll(/["#<>&`|[\]{}\\;]/g, (character) => `#${character.codePointAt(0)};`)
