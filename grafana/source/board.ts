import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import {
  AnnotationPanelFilterBuilder,
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  type DashboardLink,
  type Panel,
  type VariableModel,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { readAlerts } from './alerts.ts'
import { prometheusRef, prometheusVariable, tempoVariable } from './datasources.ts'
import { otherBoards } from './links.ts'
import { alertStarts } from './queries.ts'

export type Board = {
  /** Also the name of its file. */
  readonly uid: string
  readonly title: string
  readonly description: string
  readonly variables: readonly Builder<VariableModel>[]
  readonly links: readonly Builder<DashboardLink>[]
  readonly panels: readonly Builder<Panel>[]
}

export const TAG = 'thousand-token-wood'

/** What all boards share. Panels flow from left to right and wrap at 24 columns. */
export const render = ({ uid, title, description, variables, links, panels }: Board): Dashboard => {
  const frame = new DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags([TAG])
    .readonly()
    .timezone('browser')
    .time({ from: 'now-15m', to: 'now' })
    // At 10 s a slow machine that also runs the stack cancels questions before they are answered, and panels stay blank.
    .refresh('30s')
    .tooltip(DashboardCursorSync.Crosshair)
    .variables([prometheusVariable(), tempoVariable(), ...variables])
    .annotations([])
    .links([otherBoards(TAG), ...links])
  for (const panel of panels) frame.withPanel(panel)
  const about = new Set(ALERTS.filter(({ board }) => board === uid).map(({ panel }) => panel))
  panels
    .map((panel) => panel.build())
    .forEach(({ type, title }, index) => {
      if (type === 'timeseries' && title && about.has(title)) frame.annotation(alertsOf(uid, title, index + 1))
    })
  return repaired(frame.build())
}

const ALERTS = readAlerts()

/** Lines where alerts start, on the panel that they are about and on no other. */
const alertsOf = (board: string, panel: string, id: number) =>
  new AnnotationQueryBuilder()
    .name(`Alerts: ${panel}`)
    .datasource(prometheusRef)
    .enable(true)
    // A switch for each would fill the top of the board.
    .hide(true)
    .iconColor('red')
    .filter(new AnnotationPanelFilterBuilder().exclude(false).ids([id]))
    .expr(alertStarts(board, panel))
    .titleFormat('{{summary}}')
    .textFormat('{{about}}. Alerting, in the menu, says what to look at first, and has the links.')
    .step('15s')

/**
 * grafana-foundation-sdk 0.0.21 leaves three things to do: panels have no id, every link asks to be moved into a menu
 * (its issue 1272), and query variables carry options of another kind of variable.
 */
const repaired = (dashboard: Dashboard): Dashboard => ({
  ...without(dashboard, ['placement', 'auto', 'auto_min', 'auto_count']),
  panels: (dashboard.panels ?? []).map((panel, index) => ({ ...without(panel, ['placement']), id: index + 1 })),
})

const without = <T>(value: T, keys: readonly string[]): T => {
  if (Array.isArray(value)) return value.map((item) => without(item, keys)) as T
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !keys.includes(key))
      .map(([key, inner]) => [key, without(inner, keys)]),
  ) as T
}
