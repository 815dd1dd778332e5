import type { Party } from './calls.ts'
import { cut } from './text.ts'

/** An arrow of the picture: what stands on it, and what it says when the mouse is over it. */
export type Arrow = Readonly<{ from: Party; to: Party; text: string; says: string; failed: boolean }>

/** More are too many to read. The first ones are shown, and the picture says how many are left. */
const MOST_PARTIES = 60
const BOX = { width: 190, height: 30, gapX: 180, gapY: 14 }
/** The height of a line of text on an arrow. */
const LINE = 18
/** Room for the text of the first arrow. */
const TOP = 8

/** Everything that came from a span is written by this. */
export const escaped = (text: string): string =>
  text.replaceAll(/[&<>"'`]/g, (character) => `&#${character.codePointAt(0)};`)

/** Who calls whom, as SVG. From the left: who began, whom they called, whom those called. */
export function graphPicture(arrows: readonly Arrow[]): string {
  const keyOf = ({ kind, name }: Party) => `${kind} ${name}`
  const parties = new Map<string, Party>()
  const columns = new Map<string, number>()
  for (const { from, to } of arrows) {
    for (const party of [from, to])
      if (parties.size < MOST_PARTIES) parties.set(keyOf(party), parties.get(keyOf(party)) ?? party)
    // Arrows come in the order of their first call, so a caller has its column before those that it calls.
    const column = (columns.get(keyOf(from)) ?? 0) + 1
    columns.set(keyOf(from), column - 1)
    if (!columns.has(keyOf(to))) columns.set(keyOf(to), column)
  }
  if (parties.size === 0) return '<p>No agent, model or tool is named.</p>'
  const shown = arrows.filter(({ from, to }) => parties.has(keyOf(from)) && parties.has(keyOf(to)))
  const into = Map.groupBy(shown, ({ to }) => keyOf(to))
  const places = new Map<string, Readonly<{ x: number; y: number; height: number }>>()
  const filled = new Map<number, number>()
  for (const key of parties.keys()) {
    const column = columns.get(key) ?? 0
    const y = filled.get(column) ?? TOP
    // Each arrow ends at a place of its own, so that no text stands on another.
    const height = Math.max(BOX.height, (into.get(key)?.length ?? 0) * LINE)
    filled.set(column, y + height + BOX.gapY)
    places.set(key, { x: column * (BOX.width + BOX.gapX) + 1, y, height })
  }
  const box = ([key, { kind, name }]: readonly [string, Party]) => {
    const { x = 0, y = 0, height = 0 } = places.get(key) ?? {}
    return `<g><title>${escaped(`${kind} ${name}`)}</title><rect class="${kind}" x="${x}" y="${y}" width="${BOX.width}" height="${height}" rx="${kind === 'agent' ? 4 : 14}"/><text x="${x + BOX.width / 2}" y="${y + height / 2 + 5}" text-anchor="middle">${escaped(cut(name, 26))}</text></g>`
  }
  const drawn = [...into].flatMap(([key, ending]) => {
    const target = places.get(key)
    const top = ({ from }: Arrow) => places.get(keyOf(from))?.y ?? 0
    // In the order of their beginnings, so that fewer cross.
    return ending
      .toSorted((one, other) => top(one) - top(other))
      .map(({ from, text, says, failed }, index) => {
        const source = places.get(keyOf(from))
        if (!source || !target) return ''
        const [x1, y1] = [source.x + BOX.width, source.y + source.height / 2]
        const [x2, y2] = [target.x, target.y + (target.height * (index + 0.5)) / ending.length]
        const bend = BOX.gapX / 2
        return `<g${failed ? ' class="failed"' : ''}><title>${escaped(says)}</title><path d="M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2 - 2} ${y2}" marker-end="url(#end)"/><text x="${x2 - 10}" y="${y2 - 3}" text-anchor="end">${escaped(text)}</text></g>`
      })
  })
  const width = Math.max(...filled.keys()) * (BOX.width + BOX.gapX) + BOX.width + 2
  const height = Math.max(...filled.values())
  const all = new Set(arrows.flatMap(({ from, to }) => [keyOf(from), keyOf(to)])).size
  return `<svg class="graph" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img"><defs><marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 z"/></marker></defs>
${drawn.join('\n')}
${[...parties].map(box).join('\n')}
</svg>${all > parties.size ? `<p>… and ${all - parties.size} more.</p>` : ''}`
}

type Colours = Readonly<Record<'text' | 'soft' | 'page' | 'back' | 'line' | 'bad' | 'agent' | 'model' | 'tool', string>>

/** The style of the picture, in the colours of the page that shows it. */
export const graphStyle = ({ text, soft, page, back, line, bad, agent, model, tool }: Colours): string =>
  `.graph { max-width: 100%; height: auto } .graph text { font-size: 12px; fill: ${text} } .graph path + text { paint-order: stroke; stroke: ${page}; stroke-width: 3px } .graph path { fill: none; stroke: ${soft} } .graph marker path { fill: ${soft} }
.graph rect { fill: ${back}; stroke: ${line} } .graph rect.agent { fill: ${agent} } .graph rect.model { fill: ${model} } .graph rect.tool { fill: ${tool} }
.graph .failed path { stroke: ${bad} } .graph .failed text { fill: ${bad} }`
