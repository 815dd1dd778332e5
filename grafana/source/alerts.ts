import { parse } from 'yaml'
import { fillIn } from './settings.ts'

/** An alert, and the panel that shows what it is about. */
export type Alert = Readonly<{ alert: string; summary: string; board: string; panel: string }>

type Written = Readonly<{
  groups: readonly { rules: readonly { alert: string; annotations: Readonly<Record<string, string>> }[] }[]
}>

/** The alerts of grafana/alerts.yaml. Throws which of them names no panel. */
export const readAlerts = (found = fillIn('grafana/alerts.yaml')): readonly Alert[] =>
  (parse(found) as Written).groups
    .flatMap(({ rules }) => rules)
    .map(({ alert, annotations: { summary = '', panel: place = '' } }) => {
      const [, board, panel] = /^([a-z-]+) \/ (.+)$/.exec(place) ?? []
      if (!board || !panel)
        throw new Error(
          `grafana/alerts.yaml: ${alert} must name the panel to look at, because its link leads there and a line marks its start: write panel: 'BOARD / TITLE' under its annotations`,
        )
      return { alert, summary, board, panel }
    })
