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

/** The manners of every panel. What one panel does differently stands in its board. */
export type Asked = {
  /** A question someone on call would ask, or a plain noun. */
  readonly title: string
  /** What it shows, and what to do when it looks bad. */
  readonly description: string
  readonly width: number
  readonly height: number
}

export const NO_TRAFFIC = 'no traffic'

const emptyIsNoTraffic: ValueMapping[] = [
  {
    type: MappingType.SpecialValue,
    options: { match: SpecialValueMatch.NullAndNan, result: { text: NO_TRAFFIC, index: 0 } },
  },
]

const neutral = new FieldColorBuilder().mode(FieldColorModeId.Fixed).fixedColor('text')
const paletteByName = new FieldColorBuilder().mode(FieldColorModeId.PaletteClassicByName)

export const steps = (...others: readonly Threshold[]): ThresholdsConfigBuilder =>
  new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([{ value: null, color: 'text' }, ...others])

/** One number. It has a colour only where a person must act. */
export const figure = ({ title, description, width, height }: Asked, expr: string, unit: string) =>
  new StatPanel()
    .title(title)
    .description(description)
    .span(width)
    .height(height)
    .datasource(prometheusRef)
    .unit(unit)
    .noValue(NO_TRAFFIC)
    .mappings(emptyIsNoTraffic)
    .colorScheme(neutral)
    .colorMode(BigValueColorMode.Value)
    .graphMode(BigValueGraphMode.None)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .withTarget(now('A', expr))

/** Red as soon as it is above a bound. */
export const redAbove = (panel: StatPanel, bound: number) =>
  panel
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
    .thresholds(steps({ value: bound, color: 'red' }))

/** Red as soon as it is below a bound. */
export const redBelow = (panel: StatPanel, bound: number) =>
  panel.colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds)).thresholds(
    new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([
      { value: null, color: 'red' },
      { value: bound, color: 'text' },
    ]),
  )

/** Lines over time, from zero upwards. */
export const overTime = (asked: Asked, unit: string) => signed(asked, unit).min(0)

/** Lines over time that may fall below zero. */
export const signed = ({ title, description, width, height }: Asked, unit: string) =>
  new TimeSeriesPanel()
    .title(title)
    .description(description)
    .span(width)
    .height(height)
    .datasource(prometheusRef)
    .unit(unit)
    .noValue(NO_TRAFFIC)
    .colorScheme(paletteByName)
    .lineWidth(2)
    .lineInterpolation(LineInterpolation.Linear)
    .showPoints(VisibilityMode.Never)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs([]),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))

/** Areas on top of each other: the upper edge is the total. */
export const stacked = (panel: TimeSeriesPanel) =>
  panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A')).fillOpacity(30).lineWidth(1)

/** Bars on top of each other, for what happens now and then. */
export const bars = (panel: TimeSeriesPanel) =>
  stacked(panel).drawStyle(GraphDrawStyle.Bars).fillOpacity(80).lineWidth(0)

/** Rows, and the words for none. */
export const table = ({ title, description, width, height }: Asked, none: string) =>
  new TablePanel()
    .title(title)
    .description(description)
    .span(width)
    .height(height)
    .noValue(none)
    .colorScheme(neutral)
    .showHeader(true)

/** The answers of several questions as one row for each thing they are about: its fields by the names to show, in their order. */
export const sideBySide = (columns: Readonly<Record<string, string>>) => [
  { id: 'filterFieldsByName', options: { exclude: { names: ['Time'] } } },
  { id: 'merge', options: {} },
  {
    id: 'organize',
    options: {
      renameByName: columns,
      indexByName: Object.fromEntries(Object.keys(columns).map((field, index) => [field, index])),
    },
  },
]

/** For durations: one step up is twice as long, as in the histograms, so that p50 stays readable beside an outlier. */
export const doubling = (panel: TimeSeriesPanel) => {
  panel.scaleDistribution(new ScaleDistributionConfigBuilder().type(ScaleDistribution.Log).log(2))
  return panel
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

type Overridable<P> = { overrideByName(name: string, properties: { id: string; value: unknown }[]): P }

const fixed = (colour: string) => ({ id: 'color', value: { mode: 'fixed', fixedColor: colour } })

/** Gives each name its colour, whatever else is on the panel. */
export const coloured = <P extends Overridable<P>>(panel: P, colours: Readonly<Record<string, string>>): P =>
  Object.entries(colours).reduce((coloured, [name, colour]) => coloured.overrideByName(name, [fixed(colour)]), panel)

// Nine columns fit a board on a 1280 pixel screen with the menu open; Grafana's own minimum is 150.
const NARROW = 70

/** How a table column is written. */
export const column = (unit: string, decimals: number) => [
  { id: 'custom.minWidth', value: NARROW },
  { id: 'unit', value: unit },
  { id: 'decimals', value: decimals },
]

export const width = (pixels: number) => [{ id: 'custom.width', value: pixels }]

/** Writes each name in a column in its colour. */
export const tinted = <P extends Overridable<P>>(
  panel: P,
  name: string,
  colours: Readonly<Record<string, string>>,
): P =>
  panel.overrideByName(name, [
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
  ])

/** Cells whose shade is their share of the largest one; nothing is written as nothing. */
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
