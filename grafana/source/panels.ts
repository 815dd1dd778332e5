import {
  BigValueColorMode,
  BigValueGraphMode,
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
import type { DataqueryBuilder as PrometheusQuery } from '@grafana/grafana-foundation-sdk/prometheus'
import { PanelBuilder as StatPanel } from '@grafana/grafana-foundation-sdk/stat'
import { DataqueryBuilder as TempoQuery } from '@grafana/grafana-foundation-sdk/tempo'
import { PanelBuilder as TimeSeriesPanel } from '@grafana/grafana-foundation-sdk/timeseries'
import { prometheusRef, tempoRef } from './datasources.ts'
import { now } from './targets.ts'

/** How large a panel is, on a grid of 24 columns. */
export type Size = Readonly<{ width?: number; height?: number }>

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
    options: { match: SpecialValueMatch.NullAndNan, result: { text, color: 'text', index: 0 } },
  },
]

export const neutral = new FieldColorBuilder().mode(FieldColorModeId.Fixed).fixedColor('text')
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
    /** Each value is a point, too: where there is nothing in between, a line of one value would not be seen. */
    points?: boolean
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
    points,
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
    .showPoints(points ? VisibilityMode.Always : VisibilityMode.Never)
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
