/** The text that Prometheus scrapes. */
export type Sample = Readonly<{ name: string; labels: Readonly<Record<string, string>>; value: number }>

/** A label may hold other line ends than that of the page: U+2028. */
const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/s
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)",?/g

/**
 * The samples of a page. Throws where Prometheus would refuse the page or drop a series: a line that is not a sample, a label
 * that stands twice, or two series with the same labels.
 */
export function readPage(page: string): readonly Sample[] {
  const seen = new Set<string>()
  return page
    .split('\n')
    .filter((line) => line && !line.startsWith('#'))
    .map((line) => {
      const [, name = '', inner = '', value] = SAMPLE.exec(line) ?? []
      if (!name) throw new Error(`this is no sample: ${line}`)
      const pairs = [...inner.matchAll(LABEL)].map(([, label = '', text = '']) => [label, text] as const)
      const labels = Object.fromEntries(pairs)
      if (Object.keys(labels).length !== pairs.length) throw new Error(`a label stands twice: ${line}`)
      const series = `${name}{${[...pairs].sort().join()}}`
      if (seen.has(series)) throw new Error(`two series have the same labels: ${line}`)
      seen.add(series)
      return { name, labels, value: Number(value) }
    })
}
