import { isMap, parseDocument } from 'yaml'
import { readAlerts } from './alerts.ts'
import { render } from './board.ts'
import { boards } from './boards.ts'
import { exploreFixed, filledIn } from './links.ts'
import { series } from './metrics.ts'
import { fillIn } from './settings.ts'

const HEADER = ` Generated from grafana/alerts.yaml; Prometheus loads it. Do not edit: edit that file, then run make boards and make prices.\n`

/** Where Grafana answers. Prometheus has it as an external label, because its rules cannot read the environment. */
const GRAFANA = '{{ $externalLabels.grafana }}'
const LABEL = /\{\{ \$labels\.(\w+) \}\}/g

/** The traces that a TraceQL question finds; labels of the alert are filled in when it fires. */
const tracesLink = (traceql: string) =>
  GRAFANA +
  exploreFixed(
    traceql.replace(LABEL, (_, label: string) => filledIn(`labels.${label}`)),
    'search',
  ).replace(/\$\{labels\.(\w+)\}/g, (_, label: string) => `{{ $labels.${label} | urlquery }}`)

/**
 * The alerts as Prometheus loads them: with their numbers, with links to the panel and to the traces, and with a series
 * for each that says what it is about, for the lines on the boards. Grafana makes buttons of the two names in underscores.
 */
export function renderAlerts(found = fillIn('grafana/alerts.yaml')): string {
  const document = parseDocument(found)
  const alerts = new Map(readAlerts(found).map((one) => [one.alert, one]))
  for (const group of listIn(document.get('groups')))
    for (const rule of listIn(group.get('rules'))) {
      const annotations = rule.get('annotations')
      const about = alerts.get(String(rule.get('alert')))
      if (!isMap(annotations) || !about) continue
      const ofAgent = String(annotations.get('detail')).includes('$labels.gen_ai_agent_name')
      const traces = annotations.get('traces')
      annotations.delete('panel')
      annotations.set(
        'board',
        `${GRAFANA}/d/${about.board}${ofAgent ? '?var-agent={{ $labels.gen_ai_agent_name | urlquery }}' : ''}`,
      )
      if (traces !== undefined) annotations.set('traces', tracesLink(String(traces)))
      annotations.set('__dashboardUid__', about.board)
      annotations.set('__panelId__', String(panelId(about.board, about.panel, about.alert)))
    }
  document.addIn(['groups'], {
    name: 'about-alerts',
    interval: '1m',
    rules: [...alerts.values()].map(({ alert, summary, board, panel }) => ({
      record: series.aboutAlert,
      expr: 'vector(1)',
      labels: { alertname: alert, summary, board, panel },
    })),
  })
  document.commentBefore = HEADER.trimEnd()
  return document.toString({ lineWidth: 0 })
}

const listIn = (node: unknown) =>
  ((node as { items?: readonly unknown[] } | undefined)?.items ?? []).filter((item) => isMap(item))

function panelId(board: string, title: string, alert: string): number {
  const { panels = [] } = boards.filter(({ uid }) => uid === board).map(render)[0] ?? {}
  const found = panels.find((panel) => 'title' in panel && panel.title === title)
  if (found?.id === undefined || found.id === null)
    throw new Error(
      `grafana/alerts.yaml: ${alert} names the panel "${board} / ${title}", which does not exist. Use a board of grafana/source/boards/ and the title of one of its panels.`,
    )
  return found.id
}
