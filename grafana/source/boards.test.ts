import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import type { Dashboard, DashboardLink, Panel } from '@grafana/grafana-foundation-sdk/dashboard'
import { differenceCiede2000, wcagContrast } from 'culori'
import { render } from './board.ts'
import { boards } from './boards.ts'
import * as colours from './colours.ts'
import { QUANTILE_WINDOW } from './counting.ts'

type Target = {
  refId: string
  expr?: string
  query?: string
  legendFormat?: string
  tableType?: string
  metricsQueryType?: string
  datasource: { uid: string }
}
type Rendered = Omit<Panel, 'targets'> & { targets: Target[] }
type Json = Omit<Dashboard, 'panels' | 'annotations'> & {
  panels: Rendered[]
  annotations: { list: { expr?: string }[] }
}

const UNITS = [
  'currencyUSD',
  's',
  'percentunit',
  'short',
  'locale',
  'bytes',
  'binBps',
  'suffix:/min',
  'suffix:/s',
  'suffix: s',
  'suffix: pebbles',
]
const PANEL_TYPES = ['stat', 'timeseries', 'table', 'text', 'nodeGraph']
/** By the width of a panel: how many letters of its title Grafana shows, as counted in pictures. */
const TITLE_LETTERS: Readonly<Record<number, Readonly<Record<'plain' | 'noted', number>>>> = {
  6: { plain: 17, noted: 11 },
  8: { plain: 26, noted: 19 },
  10: { plain: 36, noted: 29 },
  12: { plain: 46, noted: 39 },
}
/** Its units are options of the panel, and a table has one for each column. */
const WITHOUT_UNIT = ['table', 'nodeGraph']
/** Asks nothing, so it has no unit and cannot be empty. */
const isText = ({ type }: { type: string }) => type === 'text'
// The Collector's own counters have no _total: whatever of it is not one of these gauges is a counter.
const COUNTERS =
  /[\w:]+(?:_total|_sum|_count|_bucket)\b|otelcol_(?!exporter_queue_|process_memory_|\w+_traces_on_memory)\w+/g
const WINDOW = String.raw`(?:\$__(?:rate_interval|range)|${QUANTILE_WINDOW})`
const SERIES = String.raw`[\w:]+\{[^}]*\}`
const OVER_TIME = new RegExp(
  [
    String.raw`(?:rate|increase|resets|\w+_over_time)\(${SERIES}\[${WINDOW}\](?: offset ${WINDOW}| @ end\(\))?\)`,
    // When it last grew.
    String.raw`timestamp\((sum (?:by \(\w+\))? \()${SERIES}\) > \1${SERIES} offset 5s\)\)`,
  ].join('|'),
  'g',
)
// A name, not the $1 of a pattern.
const VARIABLES = /\$\{?([a-z_]\w*)/gi

const keysIn = (value: unknown): readonly string[] =>
  typeof value === 'object' && value !== null
    ? Object.entries(value).flatMap(([key, inner]) => [key, ...keysIn(inner)])
    : []
const stringsIn = (value: unknown): readonly string[] =>
  typeof value === 'string'
    ? [value]
    : typeof value === 'object' && value !== null
      ? Object.values(value).flatMap(stringsIn)
      : []

test('each board is one file, named by its uid', () => {
  const files = readdirSync(new URL('boards', import.meta.url)).map((name) => name.replace(/\.ts$/, ''))
  assert.deepEqual(files.sort(), boards.map(({ uid }) => uid).sort())
})

test('a colour that means an agent means nothing else on any board', () => {
  const { AGENT_COLOURS, ...others } = colours
  const hues = [...new Set(Object.values(AGENT_COLOURS).map((colour) => colour.replace(/^.*-/, '')))]
  assert.ok(hues.length >= 5)
  for (const [name, palette] of Object.entries(others))
    for (const [what, colour] of Object.entries(palette))
      assert.ok(!hues.some((hue) => colour.includes(hue)), `${name}: ${what} is ${colour}`)
})

const IS_OWN = /^#[0-9a-f]{6}$/

test('a name in its colour can be read on dark and on light pages', () => {
  const used = new Set(Object.values(colours).flatMap((palette) => Object.values(palette)))
  const ownColours = [...used].filter((colour) => IS_OWN.test(colour))
  assert.ok(ownColours.length > 5)
  // The panels of Grafana 13.1, and what WCAG 2.2 asks for large text and graphics.
  for (const page of ['#181b1f', '#ffffff'])
    for (const colour of ownColours) assert.ok(wcagContrast(colour, page) >= 3, `${colour} on ${page}`)
})

test('two colours of one panel can be told apart', () => {
  const difference = differenceCiede2000()
  for (const [name, palette] of Object.entries(colours)) {
    const own = [...new Set(Object.values(palette))].filter((colour) => IS_OWN.test(colour))
    for (const [at, one] of own.entries())
      for (const other of own.slice(at + 1)) assert.ok(difference(one, other) >= 15, `${name}: ${one} and ${other}`)
  }
})

test('where agents have colours, a line that is about none has a colour that none has', () => {
  for (const board of boards.filter(({ uid }) => uid !== 'pipeline'))
    for (const { title, type, targets, fieldConfig } of (JSON.parse(JSON.stringify(render(board))) as Json).panels) {
      if (type !== 'timeseries') continue
      const own = (fieldConfig?.overrides ?? []).flatMap(({ matcher, properties }) =>
        properties.some(({ id }) => id === 'color') ? [matcher.options] : [],
      )
      for (const { legendFormat = '{{}}' } of targets)
        if (!legendFormat.includes('{{'))
          assert.ok(own.includes(legendFormat), `${title}: the line ${legendFormat} needs a colour, as in LINE_COLOURS`)
        else if (legendFormat.includes('model')) assert.equal(fieldConfig?.defaults.color?.mode, 'shades', title)
    }
})

test('stages are compared over two minutes at least, because kept spans come in bursts', () => {
  const panel = (render(boards.find(({ uid }) => uid === 'pipeline') ?? assert.fail()).panels ?? []).find(
    (one) => 'title' in one && one.title === 'How far do spans get?',
  )
  assert.equal((panel as Panel).interval, '2m')
})

for (const board of boards) {
  const rendered: Json = JSON.parse(JSON.stringify(render(board)))
  const panels = rendered.panels.map((panel) => ({ ...panel, targets: panel.targets ?? [] }))
  const targets = panels.flatMap((panel) => panel.targets.map((target) => ({ ...target, panel: panel.title })))
  const about = (panel: Rendered) => `panel "${panel.title}"`

  test(`${board.uid}: is provisioned as it is: classic schema, read-only, in the time zone of the reader`, () => {
    assert.equal(rendered.uid, board.uid)
    assert.equal(rendered.editable, false)
    assert.equal(rendered.timezone, 'browser')
    assert.equal(rendered.refresh, '30s', 'a slow machine cancels questions before they are answered')
    assert.ok(rendered.description)
    for (const key of ['elements', 'layout', 'spec', 'apiVersion', 'placement']) {
      assert.ok(!keysIn(rendered).includes(key), `${key} must not occur`)
    }
  })

  test(`${board.uid}: every panel has a title, what to do when it looks bad, a unit, and words for emptiness`, () => {
    for (const panel of panels) {
      assert.ok(panel.title, about(panel))
      assert.ok(PANEL_TYPES.includes(panel.type), `${about(panel)}: ${panel.type}`)
      assert.ok((panel.description ?? '').length > 80, `${about(panel)}: say what to do when it looks bad`)
      if (isText(panel)) continue
      assert.ok(panel.fieldConfig?.defaults.noValue, about(panel))
      if (!WITHOUT_UNIT.includes(panel.type)) {
        assert.ok(UNITS.includes(panel.fieldConfig?.defaults.unit ?? ''), `${about(panel)}: unit`)
      }
      for (const { properties } of panel.fieldConfig?.overrides ?? []) {
        for (const { id, value } of properties) if (id === 'unit') assert.ok(UNITS.includes(value), about(panel))
      }
    }
    const titles = panels.map(({ title }) => title)
    assert.equal(new Set(titles).size, titles.length, 'titles are unique')
    assert.ok(panels.length <= 24, 'more panels than anyone reads')
  })

  test(`${board.uid}: a mean or share of what may be absent shows single values, which make no line`, () => {
    for (const { title, type, fieldConfig, targets } of panels)
      if (type === 'timeseries' && targets.some(({ expr = '' }) => /rate_interval\]\)+ \/ sum/.test(expr)))
        assert.equal(fieldConfig?.defaults.custom.showPoints, 'always', title)
  })

  test(`${board.uid}: titles fit on a screen of 1280 pixels with the menu open, beside the note about counters without _total`, () => {
    for (const { title = '', gridPos, targets } of panels) {
      const noted = targets.some(({ expr = '' }) =>
        expr.match(COUNTERS)?.some((name) => /^otelcol_(?!.*_bucket$)/.test(name)),
      )
      const letters = TITLE_LETTERS[gridPos?.w ?? 0]?.[noted ? 'noted' : 'plain'] ?? 90
      assert.ok(title.length <= letters, `${title}: ${title.length} letters, and ${letters} are seen`)
    }
  })

  test(`${board.uid}: panel ids are unique and above zero, and refs unique within a panel`, () => {
    const ids = panels.map(({ id }) => id ?? 0)
    assert.ok(ids.every((id) => id > 0))
    assert.equal(new Set(ids).size, ids.length)
    for (const panel of panels) {
      const refs = panel.targets.map(({ refId }) => refId)
      assert.equal(refs.length > 0, !isText(panel), about(panel))
      assert.equal(new Set(refs).size, refs.length, about(panel))
    }
  })

  test(`${board.uid}: no panel overlaps another or leaves the grid`, () => {
    const taken = new Map<string, string>()
    for (const panel of panels) {
      const { x, y, w, h } = panel.gridPos ?? { x: 0, y: 0, w: 0, h: 0 }
      assert.ok(w > 0 && h > 0 && x + w <= 24, about(panel))
      for (let column = x; column < x + w; column += 1) {
        for (let row = y; row < y + h; row += 1) {
          const cell = `${column},${row}`
          assert.equal(taken.get(cell), undefined, `${about(panel)} lies on ${taken.get(cell)}`)
          taken.set(cell, about(panel))
        }
      }
    }
  })

  test(`${board.uid}: sources are variables, and every variable that is used exists`, () => {
    const known = (rendered.templating.list ?? []).map(({ name }) => name)
    for (const { datasource, panel } of targets) assert.match(datasource.uid, /^\$(datasource|tempo)$/, panel)
    for (const text of stringsIn([panels, rendered.links, rendered.annotations])) {
      for (const [, name = ''] of decodeURIComponent(text.replace(/%(?![0-9A-F]{2})/g, '%25')).matchAll(VARIABLES)) {
        assert.ok(name.startsWith('__') || known.includes(name), `$${name} in ${text}`)
      }
    }
  })

  test(`${board.uid}: a panel asks the source that it names, or says that it mixes them`, () => {
    for (const panel of panels) {
      const asked = new Set(panel.targets.map(({ datasource }) => datasource.uid))
      if (asked.size > 1) assert.equal(panel.datasource?.uid, '-- Mixed --', about(panel))
      else if (panel.datasource) assert.deepEqual([...asked], [panel.datasource.uid], about(panel))
    }
  })

  test(`${board.uid}: leads to every other board`, () => {
    const toBoards = (rendered.links ?? []).filter(({ type }) => type === 'dashboards')
    assert.deepEqual(
      toBoards.map(({ tags, keepTime }) => ({ tags, keepTime })),
      [{ tags: rendered.tags, keepTime: true }],
    )
  })

  test(`${board.uid}: a table of several questions is one table, too, when none has an answer`, () => {
    for (const panel of panels) {
      const steps = (panel.transformations ?? []).map(({ id }) => id)
      if (panel.type === 'table' && steps.includes('merge'))
        assert.equal(steps[steps.indexOf('merge') + 1], 'concatenate', about(panel))
    }
  })

  test(`${board.uid}: PromQL is balanced, and counters are read over the interval or range of the board`, () => {
    for (const { expr, panel } of targets) {
      if (expr === undefined) continue
      for (const [open = '', close = ''] of ['()', '{}', '[]']) {
        assert.equal(expr.split(open).length, expr.split(close).length, `${panel}: ${expr}`)
      }
      for (const [, window] of expr.matchAll(/\[([^\]]+)\]/g)) {
        if (window === QUANTILE_WINDOW) assert.match(expr, /histogram_quantile\(/, `${panel}: ${expr}`)
        else assert.match(window ?? '', /^\$__(rate_interval|range)(:5s)?$/, `${panel}: ${expr}`)
      }
      assert.deepEqual(expr.replace(OVER_TIME, '').match(COUNTERS), null, `${panel}: a bare counter in ${expr}`)
    }
  })

  test(`${board.uid}: every question about durations says which operation it means`, () => {
    for (const { expr = '', panel } of targets) {
      if (/(?:gen_ai|traces)_\w+_duration_seconds/.test(expr))
        assert.match(expr, /gen_ai_operation_name=("(?:invoke_agent|chat|execute_tool)"|~"chat\|)/, panel)
    }
  })

  test(`${board.uid}: no question names a backend's exporter or an agent, so that each is found by its label`, () => {
    for (const { expr = '', query = '', panel } of targets) {
      assert.doesNotMatch(expr, /\bexporter *[=!]|otlp_http\//, panel)
      assert.doesNotMatch(`${expr} ${query}`, /gen_ai[._]agent[._]name *!?=~? *"(?!\$|")/, panel)
    }
  })

  test(`${board.uid}: what is not named has a name, or Grafana would write "no data" or "Value" in its place`, () => {
    for (const { panel, refId, expr = '', legendFormat = '' } of targets) {
      // What only the creatures send is always named.
      if (!/traces_span|gen_ai_usage|agent_model/.test(expr)) continue
      for (const label of ['gen_ai_agent_name', 'gen_ai_request_model']) {
        const isRow = legendFormat === '' && expr.includes(`by (${label})`)
        if (isRow || legendFormat.includes(`{{${label}}}`))
          assert.ok(expr.includes(`"${label}", "")`) || expr.includes(`${label}!=""`), `${panel} / ${refId}: ${expr}`)
      }
    }
  })

  test(`${board.uid}: Tempo is asked for spans or for numbers, because a table of traces ends in an error`, () => {
    for (const { query, tableType, metricsQueryType, panel } of targets)
      if (query !== undefined) assert.ok(metricsQueryType || tableType === 'spans', panel)
  })

  test(`${board.uid}: exemplars come from kept traces only, or they would open nothing`, () => {
    for (const target of targets as (Target & { exemplar?: boolean; panel?: string })[]) {
      assert.equal(target.exemplar ?? false, /traces_kept_\w+_bucket/.test(target.expr ?? ''), target.panel)
    }
  })

  test(`${board.uid}: a firing alert is a line where it starts, not a painted plot`, () => {
    for (const { expr = '' } of rendered.annotations.list) {
      if (/ALERTS/.test(expr)) assert.match(expr, /unless ALERTS.* offset/)
    }
  })

  test(`${board.uid}: every link to Explore carries a whole question`, () => {
    const links: readonly DashboardLink[] = [
      ...(rendered.links ?? []),
      ...panels.flatMap((panel) => panel.fieldConfig?.defaults.links ?? []),
      ...panels.flatMap((panel) =>
        (panel.fieldConfig?.overrides ?? []).flatMap(({ properties }) =>
          properties.flatMap(({ id, value }) => (id === 'links' ? (value as DashboardLink[]) : [])),
        ),
      ),
    ]
    assert.ok(links.length > 0)
    for (const { title, url = '' } of links) {
      assert.ok(title)
      if (!url.startsWith('/explore')) continue
      assert.doesNotMatch(
        decodeURIComponent(url),
        /\$(?!\{)/,
        'in a link a variable is written with braces, or it stays as it is',
      )
      const filled = url.replace(/\$\{[^}]+\}/g, 'x')
      const panes = JSON.parse(new URL(filled, 'http://grafana').searchParams.get('panes') ?? '')
      const { query, tableType, metricsQueryType }: Target & { query: string } = panes.ask.queries[0]
      assert.ok(metricsQueryType || tableType === 'spans', `${title} asks for spans or for numbers`)
      assert.equal(query.split('{').length, query.split('}').length, query)
      assert.doesNotMatch(
        filled.slice(filled.indexOf('panes=') + 6),
        /[&#+]|%2[356B]/,
        'the four signs are JSON escapes',
      )
    }
  })
}
