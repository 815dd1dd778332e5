export const FORMATS = ['text', 'json', 'markdown'] as const
export type Format = (typeof FORMATS)[number]

/** Draws a table whose first row is its head. */
export type Draw = (rows: readonly (readonly string[])[]) => string

const text: Draw = (rows) => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const cell = (value: string, column: number) =>
    column === 0 || /[a-z]{3}/i.test(rows[1]?.[column] ?? '')
      ? value.padEnd(widths[column] ?? 0)
      : value.padStart(widths[column] ?? 0)
  return rows.map((row) => row.map(cell).join('  ').trimEnd()).join('\n')
}

const markdown: Draw = ([head = [], ...rows]) => {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, column) => (column === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n')
}

/** How tables are drawn for a reader; JSON has none. */
export const drawIn = (format: Format): Draw => (format === 'markdown' ? markdown : text)
