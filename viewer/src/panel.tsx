import * as grafana from '@grafana/data'
import { SortOrder, TooltipDisplayMode } from '@grafana/schema'
import * as ui from '@grafana/ui'
import { TableNG } from '@grafana/ui/unstable'
import { useEffect, useState } from 'react'
import { graphPicture, graphStyle } from '../../explain/graph.ts'
import { arrowsOf, interpolate, TRANSFORMATIONS, unsupported } from '../answers.ts'
import { ask, type Lookup, type Range, scale } from './ask.ts'

type Model = { type: string; title: string; fieldConfig: grafana.FieldConfigSource; description?: string }
// biome-ignore lint/suspicious/noExplicitAny: the boards are checked against Grafana's own types where they are made.
export type PanelModel = Model & { [setting: string]: any }
type Props = { panel: PanelModel; range: Range; lookup: Lookup; width: number; height: number }

// The library lists some of its transformations twice.
const known = new Map(Object.values(grafana.standardTransformers).map((one) => [String(one.id), one]))
grafana.standardTransformersRegistry.setInit(() =>
  TRANSFORMATIONS.map((id) => ({ ...known.get(id), transformation: async () => known.get(id) }) as never),
)

async function load(
  { type, targets = [], transformations = [] }: PanelModel,
  range: Range,
  asked: ReturnType<typeof scale>,
) {
  const missing = unsupported(type, targets, transformations)
  if (missing.length > 0) throw new Error(`unsupported panel: ${missing.join(', ')}`)
  const frames = await ask(targets, range, asked)
  return new Promise<grafana.DataFrame[]>((next, error) =>
    grafana.transformDataFrame(transformations, frames).subscribe({ next, error }),
  )
}

/** One panel of a board. Its queries run again when the range or a variable changes. */
export function Panel({ panel, range, lookup: outer, ...size }: Props) {
  const [{ frames, error }, setAnswer] = useState<{ frames?: grafana.DataFrame[]; error?: string }>({})
  const scaled = scale(range, outer, panel.interval)
  const asked = JSON.stringify([range, panel, scaled.lookup('agent')])
  // biome-ignore lint/correctness/useExhaustiveDependencies: `asked` stands for all that can change.
  useEffect(() => {
    let isStale = false
    load(panel, range, scaled).then(
      (frames) => isStale || setAnswer({ frames }),
      ({ message }: Error) => isStale || setAnswer({ error: message }),
    )
    return () => {
      isStale = true
    }
  }, [asked])
  const common = { panel, range, lookup: scaled.lookup }
  const title = interpolate(panel.title, scaled.lookup)
  return (
    <ui.PanelChrome
      title={title}
      description={panel.description ?? ''}
      padding={panel.type === 'table' ? 'none' : 'md'}
      {...size}
    >
      {(width: number, height: number) =>
        error ? <p>{error}</p> : frames && <Drawing {...common} frames={frames} width={width} height={height} />
      }
    </ui.PanelChrome>
  )
}

function Drawing({ panel, frames, range, lookup, ...size }: Props & { frames: grafana.DataFrame[] }) {
  const theme = ui.useTheme2()
  const { type, options } = panel
  const replaceVariables: grafana.InterpolateFunction = (text, scoped, format) => {
    const encode = format === 'uriencode' ? encodeURIComponent : String
    return interpolate(text, (name) => inContext(name, scoped) ?? lookup(name), encode)
  }
  if (type === 'text') {
    const content = grafana.renderMarkdown(interpolate(options.content, lookup))
    return <ui.RenderUserContentAsHTML component="div" content={content} />
  }
  // The components need thresholds in every field, but only some panels have them.
  const thresholds = { mode: grafana.ThresholdsMode.Absolute, steps: [{ value: -Infinity, color: 'green' }] }
  const fieldConfig = { ...panel.fieldConfig, defaults: { thresholds, ...panel.fieldConfig.defaults } }
  const common = { fieldConfig, replaceVariables, theme, timeZone: 'browser' }
  const data = grafana.applyFieldOverrides({ ...common, data: frames, fieldConfigRegistry: registryOf(fieldConfig) })
  grafana.cacheFieldDisplayNames(data)
  // A chart loses the names when it joins the series. Then the lines and the legend would have different colours.
  for (const field of data.flatMap(({ fields }) => fields))
    if (field.config.color?.mode === grafana.FieldColorModeId.PaletteClassicByName)
      field.config.color = { mode: 'fixed', fixedColor: grafana.getFieldSeriesColor(field, theme).color }
  if (type === 'stat') {
    const shown = grafana.getFieldDisplayValues({ ...common, data, reduceOptions: options.reduceOptions })
    const width = size.width / shown.length
    return shown.map(({ display, name }) => {
      const value = shown.length > 1 ? display : { ...display, title: undefined }
      return <ui.BigValue key={name} {...options} {...size} width={width} value={value} theme={theme} />
    })
  }
  if (!data[0]) return <p>{fieldConfig.defaults.noValue ?? 'No data'}</p>
  if (type === 'nodeGraph') return <Graph frames={data} options={options} />
  if (type === 'table') return <TableNG data={data[0]} {...size} sortBy={options.sortBy} structureRev={1} />
  const [from, to] = [grafana.dateTime(range.start * 1000), grafana.dateTime(range.end * 1000)]
  const axis = { timeRange: { from, to, raw: { from, to } }, timeZone: 'browser' }
  return (
    <ui.TimeSeries
      frames={data}
      {...size}
      {...axis}
      legend={{ placement: 'bottom', ...options.legend }}
      options={options}
    >
      {(config, { fields }) => (
        <ui.TooltipPlugin2
          config={config}
          hoverMode={ALL_AT_ONE_TIME}
          getDataLinks={(series, row) => fields[series]?.getLinks?.({ valueRowIndex: row }) ?? []}
          render={(_plot, rows, series, isPinned, _dismiss, _range, _sync, links) => (
            <Tooltip {...{ fields, rows, series, isPinned, links }} />
          )}
        />
      )}
    </ui.TimeSeries>
  )
}

type GraphProps = {
  frames: grafana.DataFrame[]
  options: { edges?: { mainStatUnit?: string; secondaryStatUnit?: string } }
}

/** The library has no node graph, so the edges are drawn as make explain draws the calls of one trace. */
function Graph({ frames, options: { edges: units = {} } }: GraphProps) {
  const { colors } = ui.useTheme2()
  const edges = frames.find(({ fields }) => fields.some(({ name }) => name === 'source'))
  const rows = Array.from({ length: edges?.length ?? 0 }, (_, index) =>
    Object.fromEntries((edges?.fields ?? []).map(({ name, values }) => [name, values[index]])),
  )
  const style = graphStyle({
    text: colors.text.primary,
    soft: colors.text.secondary,
    page: colors.background.primary,
    back: colors.background.secondary,
    line: colors.border.medium,
    bad: colors.error.text,
    agent: colors.info.transparent,
    model: colors.warning.transparent,
    tool: colors.success.transparent,
  })
  const picture = graphPicture(arrowsOf(rows, [units.mainStatUnit, units.secondaryStatUnit]))
  return (
    <div style={{ overflow: 'auto', height: '100%' }}>
      <style>{style}</style>
      {/* biome-ignore lint/security/noDangerouslySetInnerHtml: graphPicture escapes what came from a span. */}
      <div dangerouslySetInnerHTML={{ __html: picture }} />
    </div>
  )
}

/** `TooltipHoverMode.xAll`, which the library does not export. */
const ALL_AT_ONE_TIME = 1

type TooltipProps = { fields: grafana.Field[]; rows: (number | null)[]; series: number | null; isPinned: boolean }

function Tooltip({ fields, rows, series, isPinned, links }: TooltipProps & { links: grafana.LinkModel[] }) {
  const [x] = fields as [grafana.Field]
  const isTold = ({ config }: grafana.Field) => !config.custom?.hideFrom?.tooltip
  const { Multi } = TooltipDisplayMode
  const items = ui.getFieldDisplayItems(fields, x, rows, series, Multi, SortOrder.Descending, isTold)
  return (
    <ui.VizTooltipWrapper>
      <ui.VizTooltipHeader item={{ label: '', value: grafana.dateTimeFormat(x.values[rows[0] ?? 0]) }} />
      <ui.VizTooltipContent items={items} isPinned={isPinned} />
      {isPinned && <ui.VizTooltipFooter dataLinks={links} />}
    </ui.VizTooltipWrapper>
  )
}

/** The values of `${__field.…}`, `${__value.…}` and `${__data.fields.…}` in a link. */
function inContext(name: string, scoped: grafana.ScopedVars = {}): string | undefined {
  const { frame, field, rowIndex = 0 } = scoped.__dataContext?.value ?? {}
  const [, kind, rest = ''] = /^(__field\.labels|__data\.fields|__field|__value)\.(.+)/.exec(name) ?? []
  if (!field || !kind) return undefined
  if (kind === '__field.labels') return field.labels?.[rest]
  if (kind === '__data.fields') return frame?.fields.find((one: grafana.Field) => one.name === rest)?.values[rowIndex]
  return kind === '__value' ? field.display?.(field.values[rowIndex]).text : grafana.getFieldDisplayName(field, frame)
}

/** Uses every setting of a panel unchanged: the boards are checked against Grafana's types where they are made. */
function registryOf({ defaults: { custom = {}, ...plain }, overrides }: grafana.FieldConfigSource) {
  const inOverrides = overrides.flatMap(({ properties }) => properties.map(({ id }) => id))
  const ids = new Set([...Object.keys(plain), ...Object.keys(custom).map((key) => `custom.${key}`), ...inOverrides])
  const asItIs = { process: (value: unknown) => value, shouldApply: () => true }
  return new grafana.Registry<grafana.FieldConfigPropertyItem>(() =>
    [...ids].map((id) => {
      const path = id.replace(/^custom\./, '')
      return { id, path, name: id, isCustom: id !== path, ...asItIs } as never
    }),
  )
}
