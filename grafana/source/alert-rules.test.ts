import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'yaml'
import { renderAlerts } from './alert-rules.ts'
import { readAlerts } from './alerts.ts'
import { render } from './board.ts'
import { boards } from './boards.ts'

type Rule = { alert?: string; record?: string; annotations?: Record<string, string>; labels: Record<string, string> }
const rulesOf = (text: string) => (parse(text) as { groups: { rules: Rule[] }[] }).groups.flatMap(({ rules }) => rules)
const alerts = rulesOf(renderAlerts()).filter(({ alert }) => alert)

/** About numbers of the Collector itself, which no trace explains. */
const WITHOUT_TRACES = ['PageSlow', 'SeriesDropped', 'TargetDown', 'WorkersShareOneSeries']

test('every alert leads to the panel that it is about, and to the traces where there are any', () => {
  assert.ok(alerts.length > 20)
  for (const { alert, annotations = {} } of alerts) {
    const { board = '', traces, __dashboardUid__: uid = '', __panelId__: id = '' } = annotations
    assert.ok(board.startsWith(`{{ $externalLabels.grafana }}/d/${uid}`), alert)
    const shown = boards.filter((one) => one.uid === uid).flatMap((one) => render(one).panels ?? [])
    const panel = shown.find((one) => String(one.id) === id)
    assert.equal((panel as { title?: string }).title, readAlerts().find((one) => one.alert === alert)?.panel)
    assert.equal(traces === undefined, WITHOUT_TRACES.includes(alert ?? ''), alert)
  }
})

test('a summary reads well where Grafana shows it as it is written, and the detail says who', () => {
  for (const { alert, annotations = {} } of alerts) {
    for (const said of [annotations.summary, annotations.description]) assert.doesNotMatch(said ?? '{{', /\{\{/, alert)
    if (annotations.board?.includes('var-agent')) assert.match(annotations.detail ?? '', /gen_ai_agent_name/, alert)
  }
})

test('no alert names a service of make logs: with TIERS, the collector is several, with names of their own', () => {
  for (const { alert, annotations = {} } of alerts)
    assert.doesNotMatch(Object.values(annotations).join(' '), /make logs S=/, alert)
})

test('the traces of an alert open as a whole question, with the name of whom it is about', () => {
  const about = (alert: string) => alerts.find((one) => one.alert === alert)?.annotations?.traces ?? ''
  const asked = (link: string, name: string) => {
    const filled = link.replace('{{ $externalLabels.grafana }}', 'http://x').replace(/\{\{ .+? \| urlquery \}\}/g, name)
    return JSON.parse(new URL(filled).searchParams.get('panes') ?? '').ask.queries[0].query
  }
  assert.equal(
    asked(about('AgentSlow'), 'night+fox'),
    '{ span.gen_ai.operation.name = "invoke_agent" && span.gen_ai.agent.name = "night fox" && duration > 5s }',
  )
})

test('a line on a board marks an alert on the panel that it is about, and on no other', () => {
  let marks = 0
  for (const board of boards) {
    const { panels = [], annotations } = render(board)
    for (const { filter, expr = '' } of (annotations?.list ?? []) as { filter?: { ids: number[] }; expr?: string }[]) {
      const [id, ...more] = filter?.ids ?? []
      const panel = panels.find((one) => one.id === id) as { title: string; type: string }
      assert.deepEqual(more, [])
      assert.equal(panel.type, 'timeseries')
      assert.ok(expr.includes(`alert:about:info{board="${board.uid}", panel="${panel.title}"}`), expr)
      marks++
    }
  }
  assert.ok(marks > 5)
})

test('an alert without a panel, or with one that does not exist, is refused', () => {
  const one = (panel: string) => `groups:
  - name: agents
    rules:
      - { alert: Late, expr: up, annotations: { summary: It is late, ${panel} } }
`
  assert.throws(() => renderAlerts(one('detail: x')), /Late must name the panel/)
  assert.throws(
    () => renderAlerts(one("panel: 'pipeline / Is it late?'")),
    /"pipeline \/ Is it late\?", which does not exist/,
  )
  assert.throws(
    () => renderAlerts(one("panel: 'nowhere / Is it late?'")),
    /"nowhere \/ Is it late\?", which does not exist/,
  )
})
