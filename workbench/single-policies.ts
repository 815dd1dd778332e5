import { isMap, isSeq, type Node, parseDocument, stringify, visit } from 'yaml'
import type { List } from './replay.ts'

/** Each policy of a list as its own list, with the text of the file. A policy that refers to an anchor is written out in full. */
export function singlePolicies(text: string): readonly List[] {
  const document = parseDocument(text, { merge: true })
  const list = document.contents
  if (!isSeq(list)) return []
  return list.items.flatMap((item) => {
    if (!isMap(item)) return []
    const { name } = item.toJS(document)
    if (borrows(item)) return [{ name: String(name), text: stringify([item.toJS(document)], { lineWidth: 0 }) }]
    const [from = 0, , to = text.length] = item.range ?? []
    const indent = ' '.repeat(from - (text.lastIndexOf('\n', from) + 1) - 2)
    return [{ name: String(name), text: `${indent}- ${text.slice(from, to)}` }]
  })
}

function borrows(item: Node): boolean {
  let found = false
  visit(item, {
    Alias: () => {
      found = true
      return visit.BREAK
    },
  })
  return found
}
