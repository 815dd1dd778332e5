import { MappingType } from '@grafana/grafana-foundation-sdk/dashboard'
import type { PanelBuilder as TablePanel } from '@grafana/grafana-foundation-sdk/table'
import { countNow, rows } from './panels.ts'

type Calculated = Readonly<{ name: string; left: string; operator: '-' | '/' | '*'; right: string }>

/**
 * One row for each value of an attribute: how many Tempo holds, and what Prometheus says, side by side. Only one TraceQL
 * metric fits, because Grafana names its answers by series and forgets which question they came from.
 */
export const besideTempo = (
  panel: TablePanel,
  {
    attribute,
    traceql,
    ...asked
  }: Readonly<{
    /** By which the TraceQL metric is grouped; the questions must have it as a label, see `likeTempo`. */
    attribute: string
    traceql: string
    /** The columns in their order: the attribute, what Tempo holds, the questions, and what is calculated from them. */
    columns: readonly string[]
    stored: string
    questions: Readonly<Record<string, string>>
    calculated?: readonly Calculated[]
    /** Questions that are only calculated with. */
    hidden?: readonly string[]
  }>,
): TablePanel => {
  const names = Object.keys(asked.questions)
  const [first = ''] = asked.columns
  panel.datasource({ type: 'datasource', uid: '-- Mixed --' }).withTarget(countNow('stored', traceql))
  for (const [name, expr] of Object.entries(asked.questions)) panel.withTarget(rows(name, expr))
  panel
    .withTransformation({ id: 'labelsToFields', options: { mode: 'columns' } })
    .withTransformation({ id: 'filterFieldsByName', options: { exclude: { names: ['Time', 'time'] } } })
    .withTransformation({ id: 'merge', options: {} })
    .withTransformation({
      id: 'organize',
      options: {
        renameByName: {
          [attribute]: first,
          // With one question Grafana leaves its name out.
          ...Object.fromEntries(names.map((name) => [names.length === 1 ? 'Value' : `Value #${name}`, name])),
        },
      },
    })
    // Tempo does not answer for what it does not hold. A sum over that one column makes it zero.
    .withTransformation({
      id: 'calculateField',
      options: { mode: 'reduceRow', reduce: { reducer: 'sum', include: ['value'] }, alias: asked.stored },
    })
  for (const { name, left, operator, right } of asked.calculated ?? []) {
    const binary = {
      left: { matcher: { id: 'byName', options: left } },
      operator,
      right: { matcher: { id: 'byName', options: right } },
    }
    panel.withTransformation({ id: 'calculateField', options: { mode: 'binary', binary, alias: name } })
  }
  return panel.withTransformation({
    id: 'organize',
    options: {
      excludeByName: Object.fromEntries(['value', ...(asked.hidden ?? [])].map((name) => [name, true])),
      indexByName: Object.fromEntries(asked.columns.map((name, index) => [name, index])),
    },
  })
}

/** Writes each name in a column in its colour. Tempo puts names in quotes, which are left out. */
export const tintedQuoted = (
  panel: TablePanel,
  name: string,
  colours: Readonly<Record<string, string>>,
  words: Readonly<Record<string, string>> = {},
): TablePanel => {
  const known = [
    ...Object.entries(colours).map(([text, color]) => [text, { text, color }] as const),
    ...Object.entries(words).map(([value, text]) => [value, { text }] as const),
  ]
  return panel.overrideByName(name, [
    { id: 'custom.cellOptions', value: { type: 'color-text' } },
    {
      id: 'mappings',
      value: [
        {
          type: MappingType.ValueToText,
          options: Object.fromEntries(known.map(([value, shown], index) => [`"${value}"`, { ...shown, index }])),
        },
        {
          type: MappingType.RegexToText,
          options: { pattern: '^"(.*)"$', result: { text: '$1', index: known.length } },
        },
      ],
    },
  ])
}
