import {
  BigValueColorMode,
  BigValueGraphMode,
  FieldTextAlignment,
  GraphDrawStyle,
  LegendDisplayMode,
  LegendPlacement,
  LineInterpolation,
  ReduceDataOptionsBuilder,
  ScaleDistribution,
  ScaleDistributionConfigBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TableCellBackgroundDisplayMode,
  TableCellDisplayMode,
  TableSortByFieldStateBuilder,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common'
import {
  FieldColorBuilder,
  FieldColorModeId,
  MappingType,
  SpecialValueMatch,
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard'
import {
  ArcOptionBuilder,
  EdgeOptionsBuilder,
  PanelBuilder as NodeGraphPanel,
  NodeOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/nodegraph'
import { DataqueryBuilder as PrometheusQuery, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus'
import { PanelBuilder as StatPanel } from '@grafana/grafana-foundation-sdk/stat'
import { PanelBuilder as TablePanel } from '@grafana/grafana-foundation-sdk/table'
import {
  MetricsQueryType,
  SearchTableType,
  DataqueryBuilder as TempoQuery,
} from '@grafana/grafana-foundation-sdk/tempo'
import { PanelBuilder as TimeSeriesPanel } from '@grafana/grafana-foundation-sdk/timeseries'
import { prometheusRef, tempoRef } from './datasources.ts'

/** How large a panel is, on a grid of 24 columns. */
type Size = Readonly<{ width?: number; height?: number }>

/** The title of a panel is a question that someone on call would ask. Its description says what to do when it looks bad. */
type Look = Size & Readonly<{ unit: string; decimals?: number; step?: string }>

export const NO_TRAFFIC = 'no traffic'
/** Of numbers that no other agent has, so that nobody looks for a fault in his own. */
export const CREATURES_ONLY = 'only the creatures send this'
/** An agent that sends the calls of its model, and no span of its own around them. */
export const NO_TURNS = 'no turns, see its calls'

const emptyIs = (text: string): ValueMapping[] => [
  {
    type: MappingType.SpecialValue,
    options: { match: SpecialValueMatch.NullAndNan, result: { text, index: 0 } },
  },
]

const neutral = new FieldColorBuilder().mode(FieldColorModeId.Fixed).fixedColor('text')
const paletteByName = new FieldColorBuilder().mode(FieldColorModeId.PaletteClassicByName)
const paletteInTurn = new FieldColorBuilder().mode(FieldColorModeId.PaletteClassic)
const shades = (colour: string) => new FieldColorBuilder().mode(FieldColorModeId.Shades).fixedColor(colour)
const byThreshold = new FieldColorBuilder().mode(FieldColorModeId.Thresholds)

const steps = (...all: readonly Threshold[]) =>
  new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([...all])

/** One number. It is red only where a person must act: above one bound, or below another. */
export const figure = (
  title: string,
  expr: string,
  {
    unit,
    decimals,
    step,
    redAbove,
    redBelow,
    none = NO_TRAFFIC,
    width = 6,
    height = 3,
  }: Look & Readonly<{ redAbove?: number; redBelow?: number; none?: string }>,
) => {
  const panel = new StatPanel()
    .title(title)
    .span(width)
    .height(height)
    .datasource(prometheusRef)
    .unit(unit)
    .noValue(none)
    .mappings(emptyIs(none))
    .colorScheme(redAbove === undefined && redBelow === undefined ? neutral : byThreshold)
    .colorMode(BigValueColorMode.Value)
    .graphMode(BigValueGraphMode.None)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .withTarget(now('A', expr))
  if (decimals !== undefined) panel.decimals(decimals)
  if (step) panel.interval(step)
  if (redAbove !== undefined) panel.thresholds(steps({ value: null, color: 'text' }, { value: redAbove, color: 'red' }))
  if (redBelow !== undefined) panel.thresholds(steps({ value: null, color: 'red' }, { value: redBelow, color: 'text' }))
  return panel
}

type Drawn = Look &
  Readonly<{
    /** Lines; areas on top of each other, whose upper edge is the total; or bars, for what happens now and then. */
    as?: 'lines' | 'areas' | 'bars'
    /** For durations: one step up is twice as long, as in the histograms, so that p50 stays readable beside an outlier. */
    doubling?: boolean
    /** By the names of the series. Others have one of Grafana's, chosen by the name, which is the same on every board. */
    colours?: Readonly<Record<string, string>>
    /** Others have the next one of Grafana's: for few series that must differ, and two names can have one colour. */
    coloursInTurn?: boolean
    /** All are shades of one colour: where names are not known before, and none may look like an agent. */
    shadesOf?: string
    max?: number
    softMin?: number
    softMax?: number
    /** Lines may fall below zero. */
    signed?: boolean
    /** The words for an empty answer. */
    none?: string
    /** The legend says the most that each series had, so that zero is seen. */
    most?: boolean
  }>

/** What happens over time, one line, area or bar for each series. */
export const overTime = (
  title: string,
  {
    unit,
    decimals,
    step,
    width = 12,
    height = 8,
    as = 'lines',
    doubling,
    colours = {},
    coloursInTurn,
    shadesOf,
    max,
    softMin,
    softMax,
    signed,
    none,
    most,
  }: Drawn,
  ...targets: readonly (PrometheusQuery | TempoQuery)[]
) => {
  const panel = new TimeSeriesPanel()
    .title(title)
    .span(width)
    .height(height)
    .datasource(targets.some((target) => target instanceof TempoQuery) ? tempoRef : prometheusRef)
    .unit(unit)
    .noValue(none ?? NO_TRAFFIC)
    .colorScheme(shadesOf ? shades(shadesOf) : coloursInTurn ? paletteInTurn : paletteByName)
    .lineWidth({ lines: 2, areas: 1, bars: 0 }[as])
    .lineInterpolation(LineInterpolation.Linear)
    .showPoints(VisibilityMode.Never)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs(most ? ['max'] : []),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
  for (const target of targets) panel.withTarget(target)
  for (const [name, colour] of Object.entries(colours))
    panel.overrideByName(name, [{ id: 'color', value: { mode: 'fixed', fixedColor: colour } }])
  if (as !== 'lines')
    panel
      .stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A'))
      .fillOpacity(as === 'bars' ? 80 : 30)
  if (as === 'bars') panel.drawStyle(GraphDrawStyle.Bars)
  if (doubling) panel.scaleDistribution(new ScaleDistributionConfigBuilder().type(ScaleDistribution.Log).log(2))
  if (!signed) panel.min(0)
  if (decimals !== undefined) panel.decimals(decimals)
  if (step) panel.interval(step)
  if (max !== undefined) panel.max(max)
  if (softMin !== undefined) panel.axisSoftMin(softMin)
  if (softMax !== undefined) panel.axisSoftMax(softMax)
  return panel
}

/** Rows. */
export const table = (
  title: string,
  { width = 12, height = 8, none = NO_TRAFFIC, step }: Size & Readonly<{ none?: string; step?: string }> = {},
) => {
  const panel = new TablePanel().title(title).span(width).height(height).noValue(none).colorScheme(neutral)
  return (step ? panel.interval(step) : panel).showHeader(true)
}

/**
 * Who calls whom. Each question, whose name begins with nodes or edges, gives series with the label `stat`, which is the name of a field of
 * Grafana's node graph; all that have one `id` become one node or edge. The graph takes no units, names or colours but those of its own options.
 */
export const nodeGraph = (
  title: string,
  { width = 24, height = 16, none = NO_TRAFFIC }: Size & Readonly<{ none?: string }>,
  questions: Readonly<Record<'nodes' | 'edges', Readonly<Record<string, string>>>>,
  {
    units,
    names,
    colours,
    row,
  }: Readonly<{
    /** Of the first and the second number, in a node and on an edge. */
    units: Readonly<{ nodes: readonly [string, string]; edges: readonly [string, string] }>
    /** Of fields, as they are shown and in their order. */
    names: Readonly<{ nodes: Readonly<Record<string, string>>; edges: Readonly<Record<string, string>> }>
    /** Of the parts of the circle around a node. */
    colours: Readonly<Record<string, string>>
    /**
     * Each question for nodes is a column of the picture, with nodes so many pixels apart. The fields fixedx and half say where it
     * stands, and how far its first node is above the middle. Without it, Grafana finds a place for each node.
     */
    row?: number
  }>,
) => {
  const panel = new NodeGraphPanel()
    .title(title)
    .span(width)
    .height(height)
    .datasource(prometheusRef)
    .noValue(none)
    .nodes(
      new NodeOptionsBuilder()
        .mainStatUnit(units.nodes[0])
        .secondaryStatUnit(units.nodes[1])
        .arcs(Object.entries(colours).map(([field, color]) => new ArcOptionBuilder().field(field).color(color))),
    )
    .edges(new EdgeOptionsBuilder().mainStatUnit(units.edges[0]).secondaryStatUnit(units.edges[1]))
    .withTransformation({ id: 'labelsToFields', options: { mode: 'columns', valueLabel: 'stat' } })
    .withTransformation({ id: 'filterFieldsByName', options: { exclude: { names: ['Time'] } } })
  for (const what of ['nodes', 'edges'] as const) {
    for (const [refId, expr] of Object.entries(questions[what])) panel.withTarget(now(refId, expr))
    // After the merge the name begins with that of the transformation.
    const named = (name: string) => ({ id: 'byRefId', options: `/^(merge-)*${name}/` })
    const filter = named(what)
    if (row !== undefined && what === 'nodes')
      for (const refId of Object.keys(questions.nodes)) inColumn(panel, named(refId), row)
    panel.withTransformation({ id: 'merge', filter, options: {} })
    const indexByName = Object.fromEntries(Object.keys(names[what]).map((name, index) => [name, index]))
    panel.withTransformation({ id: 'organize', filter, options: { renameByName: names[what], indexByName } })
  }
  return panel
}

/** Places the nodes of one question below each other, by name. */
const inColumn = (panel: NodeGraphPanel, filter: { id: string; options: string }, row: number) => {
  const calculated = (alias: string, left: string, operator: string, right: string) => ({
    id: 'calculateField',
    filter,
    options: { mode: 'binary', binary: { left, operator, right }, alias },
  })
  panel
    .withTransformation({ id: 'merge', filter, options: {} })
    .withTransformation({ id: 'sortBy', filter, options: { sort: [{ field: 'title' }] } })
    .withTransformation({ id: 'calculateField', filter, options: { mode: 'index', alias: 'index' } })
    .withTransformation(calculated('below', 'index', '*', String(row)))
    .withTransformation(calculated('fixedy', 'below', '-', 'half'))
}

/** A PromQL question over the range, one line for each series. */
export const line = (refId: string, expr: string, legend: string) =>
  new PrometheusQuery().datasource(prometheusRef).refId(refId).expr(expr).legendFormat(legend).range()

/** A PromQL question asked once, at the end of the range. */
export const now = (refId: string, expr: string) =>
  new PrometheusQuery().datasource(prometheusRef).refId(refId).expr(expr).instant()

/** The same as table rows. */
export const rows = (refId: string, expr: string) => now(refId, expr).format(PromQueryFormat.Table)

/** A TraceQL question: a row for each span found. */
export const spans = (refId: string, traceql: string) =>
  new TempoQuery()
    .datasource(tempoRef)
    .refId(refId)
    .queryType('traceql')
    .query(traceql)
    .tableType(SearchTableType.Spans)
    .limit(100)
    .spss(5)
    .filters([])

/** A TraceQL metric, one number for each series over the whole range. */
export const countNow = (refId: string, traceql: string) => traceMetric(refId, traceql, MetricsQueryType.Instant)

// Left to itself, Tempo answers one point a second: a comb.
const STEP = '30s'

// Exemplars open a trace. Tempo has no way to leave them out (zero means a hundred), and many hide the bars.
const FEW = 12

/** A TraceQL metric, one bar for each half minute. */
export const countOverTime = (refId: string, traceql: string) =>
  traceMetric(refId, traceql, MetricsQueryType.Range).step(STEP)

const traceMetric = (refId: string, traceql: string, type: MetricsQueryType) =>
  new TempoQuery()
    .datasource(tempoRef)
    .refId(refId)
    .queryType('traceql')
    .query(traceql)
    .metricsQueryType(type)
    .exemplars(FEW)
    .filters([])

type Property = { id: string; value: unknown }

// Nine columns fit a board on a 1280 pixel screen with the menu open; Grafana's own minimum is 150.
const NARROW = 70

/** A number that a row does not have, such as the refusals of an agent that sends none. */
const DASH: Property = {
  id: 'mappings',
  value: [{ type: 'special', options: { match: 'null+nan', result: { text: '–', index: 0 } } }],
}

/** How a table column is written. */
export const written = (unit: string, decimals: number): Property[] => [
  { id: 'custom.minWidth', value: NARROW },
  DASH,
  { id: 'unit', value: unit },
  { id: 'decimals', value: decimals },
]

export const width = (pixels: number): Property => ({ id: 'custom.width', value: pixels })

/** What a row is about: the label, and how the column is called. */
type Key = Readonly<{ label: string; name: string; properties: readonly Property[] }>
export const key = (label: string, name: string, ...properties: readonly Property[]): Key => ({
  label,
  name,
  properties,
})

/** A number in each row, and the question that it answers. */
export type Column = Readonly<{ refId: string; name: string; expr: string; properties: readonly Property[] }>
export const column = (
  refId: string,
  name: string,
  expr: string,
  unit: string,
  decimals: number,
  ...properties: readonly Property[]
): Column => ({ refId, name, expr, properties: [...written(unit, decimals), ...properties] })

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
    { id: 'merge', options: {} },
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
  { id: 'custom.minWidth', value: NARROW },
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
