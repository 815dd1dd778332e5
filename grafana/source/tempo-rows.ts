import { MappingType } from '@grafana/grafana-foundation-sdk/dashboard'
import type { PanelBuilder as TablePanel } from '@grafana/grafana-foundation-sdk/table'
import { type Column, MERGED, sorted, width, written } from './tables.ts'
import { countNow, rows } from './targets.ts'

/** A column that is worked out from two others. */
type Calculated = Readonly<{ name: string; left: string; operator: '-' | '/' | '*'; right: string }> &
  Pick<Column, 'properties'>
/** A column of how many Tempo holds. */
type Stored = Readonly<{ stored: string }> & Pick<Column, 'properties'>
/** A question that is only calculated with. */
type Hidden = Readonly<{ hidden: string; expr: string }>

export const stored = (name: string): Stored => ({ stored: name, properties: written('locale', 0) })
export const calculated = (
  name: string,
  [left, operator, right]: readonly [string, Calculated['operator'], string],
  unit: string,
  decimals: number,
): Calculated => ({ name, left, operator, right, properties: written(unit, decimals) })

const nameOf = (column: Column | Stored | Calculated) => ('stored' in column ? column.stored : column.name)

/**
 * One row for each value of an attribute: how many Tempo holds, and what Prometheus says, side by side. Only one TraceQL
 * metric fits, because Grafana names its answers by series and forgets which question they came from.
 */
export const besideTempo = (
  panel: TablePanel,
  {
    attribute,
    name,
    pixels,
    colours = {},
    words = {},
    traceql,
    columns,
    hidden = [],
    sortBy,
  }: Readonly<{
    /** By which the TraceQL metric is grouped; the questions must have it as a label, see `likeTempo`. */
    attribute: string
    /** How its column is called, how wide it is, and the colours of its values and other words for them. */
    name: string
    pixels: number
    colours?: Readonly<Record<string, string>>
    words?: Readonly<Record<string, string>>
    traceql: string
    /** In their order. The refId of a question is the name of its column. */
    columns: readonly (Column | Stored | Calculated)[]
    hidden?: readonly Hidden[]
    sortBy: string
  }>,
): TablePanel => {
  const asked = [
    ...columns.filter((column) => 'expr' in column),
    ...hidden.map((one) => ({ ...one, name: one.hidden })),
  ]
  panel.datasource({ type: 'datasource', uid: '-- Mixed --' }).withTarget(countNow('stored', traceql))
  for (const { name, expr } of asked) panel.withTarget(rows(name, expr))
  panel
    .withTransformation({ id: 'labelsToFields', options: { mode: 'columns' } })
    .withTransformation({ id: 'filterFieldsByName', options: { exclude: { names: ['Time', 'time'] } } })
    .withTransformation(MERGED[0])
    .withTransformation(MERGED[1])
    .withTransformation({
      id: 'organize',
      options: {
        renameByName: {
          [attribute]: name,
          // With one question Grafana leaves its name out.
          ...Object.fromEntries(asked.map(({ name }) => [asked.length === 1 ? 'Value' : `Value #${name}`, name])),
        },
      },
    })
  // Tempo does not answer for what it does not hold. A sum over that one column makes it zero.
  for (const { stored } of columns.filter((column) => 'stored' in column))
    panel.withTransformation({
      id: 'calculateField',
      options: { mode: 'reduceRow', reduce: { reducer: 'sum', include: ['value'] }, alias: stored },
    })
  for (const { name, left, operator, right } of columns.filter((column) => 'operator' in column)) {
    const binary = {
      left: { matcher: { id: 'byName', options: left } },
      operator,
      right: { matcher: { id: 'byName', options: right } },
    }
    panel.withTransformation({ id: 'calculateField', options: { mode: 'binary', binary, alias: name } })
  }
  for (const column of columns) panel.overrideByName(nameOf(column), [...column.properties])
  const order = [name, ...columns.map(nameOf)]
  return panel
    .withTransformation({
      id: 'organize',
      options: {
        excludeByName: Object.fromEntries(['value', ...hidden.map(({ hidden }) => hidden)].map((name) => [name, true])),
        indexByName: Object.fromEntries(order.map((name, index) => [name, index])),
      },
    })
    .overrideByName(name, [width(pixels), ...withoutQuotes(colours, words)])
    .sortBy([sorted(sortBy)])
}

/** Tempo puts names in quotes. They are left out, and each name is written in its colour or in another word. */
const withoutQuotes = (colours: Readonly<Record<string, string>>, words: Readonly<Record<string, string>>) => {
  const known = [
    ...Object.entries(colours).map(([text, color]) => [text, { text, color }] as const),
    ...Object.entries(words).map(([value, text]) => [value, { text }] as const),
  ]
  return [
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
  ]
}
