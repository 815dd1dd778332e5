import {
  FieldTextAlignment,
  TableCellBackgroundDisplayMode,
  TableCellDisplayMode,
  TableSortByFieldStateBuilder,
} from '@grafana/grafana-foundation-sdk/common'
import { FieldColorBuilder, FieldColorModeId, MappingType } from '@grafana/grafana-foundation-sdk/dashboard'
import { PanelBuilder as TablePanel } from '@grafana/grafana-foundation-sdk/table'
import { NO_TRAFFIC, neutral, type Size } from './panels.ts'
import { rows } from './targets.ts'

/** Rows. */
export const table = (
  title: string,
  { width = 12, height = 8, none = NO_TRAFFIC, step }: Size & Readonly<{ none?: string; step?: string }> = {},
) => {
  const panel = new TablePanel().title(title).span(width).height(height).noValue(none).colorScheme(neutral)
  return (step ? panel.interval(step) : panel).showHeader(true)
}

type Property = { id: string; value: unknown }

// Nine columns fit a board on a 1280 pixel screen with the menu open; Grafana's own minimum is 150.
export const narrow: Property = { id: 'custom.minWidth', value: 70 }

/** A number that a row does not have, such as the refusals of an agent that sends none. */
const DASH: Property = {
  id: 'mappings',
  value: [{ type: 'special', options: { match: 'null+nan', result: { text: '–', index: 0 } } }],
}

/** How a table column is written. Without decimals, large numbers have three digits: 1.13 Mil. */
export const written = (unit: string, decimals?: number): Property[] => [
  narrow,
  DASH,
  { id: 'unit', value: unit },
  ...(decimals === undefined ? [] : [{ id: 'decimals', value: decimals }]),
]

export const width = (pixels: number): Property => ({ id: 'custom.width', value: pixels })

/** What a row is about: the label, and how the column is called. Where a row has no such label, the words for an empty table would stand. */
type Key = Readonly<{ label: string; name: string; properties: readonly Property[] }>
export const key = (label: string, name: string, ...properties: readonly Property[]): Key => ({
  label,
  name,
  properties: [{ id: 'noValue', value: '–' }, ...properties],
})

/** A number in each row, and the question that it answers. */
export type Column = Readonly<{ refId: string; name: string; expr: string; properties: readonly Property[] }>
export const column = (
  refId: string,
  name: string,
  expr: string,
  unit: string,
  decimals: number | undefined,
  ...properties: readonly Property[]
): Column => ({ refId, name, expr, properties: [...written(unit, decimals), ...properties] })

/**
 * Rows that are about the same thing become one. When no question has an answer, nothing is merged: then the second step makes one empty
 * table of all, and not a list of tables to choose one from.
 */
export const MERGED = [
  { id: 'merge', options: {} },
  { id: 'concatenate', options: { frameNameMode: 'drop' } },
] as const

/** The answers of several questions side by side: one row for each thing they are about, in the order of a column. */
export const sideBySide = (panel: TablePanel, keys: readonly Key[], columns: readonly Column[], sortBy?: string) => {
  for (const { refId, expr } of columns) panel.withTarget(rows(refId, expr))
  for (const { name, properties } of [...keys, ...columns])
    if (properties.length > 0) panel.overrideByName(name, [...properties])
  const names = [
    ...keys.map(({ label, name }) => [label, name] as const),
    // Grafana numbers the values only where there are several questions.
    ...columns.map(({ refId, name }) => [columns.length === 1 ? 'Value' : `Value #${refId}`, name] as const),
  ]
  panel.transformations([
    { id: 'filterFieldsByName', options: { exclude: { names: ['Time'] } } },
    ...MERGED,
    {
      id: 'organize',
      options: {
        renameByName: Object.fromEntries(names),
        indexByName: Object.fromEntries(names.map(([field], index) => [field, index])),
      },
    },
  ])
  return sortBy ? panel.sortBy([sorted(sortBy, !keys.some(({ name }) => name === sortBy))]) : panel
}

/** Names from A to Z; numbers from the largest. */
export const sorted = (name: string, descending = true) =>
  new TableSortByFieldStateBuilder().displayName(name).desc(descending)

/** Each name in a column in its colour. */
export const tinted = (colours: Readonly<Record<string, string>>): Property[] => [
  { id: 'custom.cellOptions', value: { type: 'color-text' } },
  narrow,
  {
    id: 'mappings',
    value: [
      {
        type: MappingType.ValueToText,
        options: Object.fromEntries(
          Object.entries(colours).map(([text, color], index) => [text, { text, color, index }]),
        ),
      },
    ],
  },
]

/** The shade of a cell is its share of the largest one. Zero is a dash. */
export const heat = (panel: TablePanel, nameColumn: string) =>
  panel
    .decimals(0)
    .min(0)
    .minWidth(44)
    .align(FieldTextAlignment.Center)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.ContinuousBlues))
    .cellOptions({ type: TableCellDisplayMode.ColorBackground, mode: TableCellBackgroundDisplayMode.Basic })
    .mappings([{ type: MappingType.ValueToText, options: { '0': { text: '–', color: 'transparent', index: 0 } } }])
    .overrideByName(nameColumn, [
      { id: 'custom.cellOptions', value: { type: 'auto' } },
      { id: 'custom.align', value: 'left' },
      { id: 'custom.width', value: 120 },
    ])
