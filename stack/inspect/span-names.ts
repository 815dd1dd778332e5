/** Names that differ in an id only. */
type Template = Readonly<{ template: string; names: readonly string[] }>

/** Fewer may be kinds: "step 1" to "step 4", or the models that an agent asks. */
const IDS_FROM = 5

/** What looks like an id: a UUID, eight or more hexadecimal digits with a digit among them, a number. */
const ID = /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b|\d+/gi

/** Names with so many ids that the id, and not the name, tells them apart; the most first. */
export function manyNames(names: readonly string[]): readonly Template[] {
  const byTemplate = new Map<string, Set<string>>()
  for (const name of names) {
    const template = name.replace(ID, '*')
    byTemplate.set(template, (byTemplate.get(template) ?? new Set()).add(name))
  }
  return [...byTemplate]
    .map(([template, same]) => ({ template, names: [...same] }))
    .filter(({ names }) => names.length >= IDS_FROM)
    .sort((a, b) => b.names.length - a.names.length)
}
