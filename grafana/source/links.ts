import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { DashboardLinkBuilder, DashboardLinkType } from '@grafana/grafana-foundation-sdk/dashboard'

// Some releases of Grafana's link sanitiser decode a link twice and then cut it at these four. As JSON escapes they survive.
const escapeForJson = (json: string) =>
  json.replace(/[&#+%]/g, (sign) => `\\u00${sign.charCodeAt(0).toString(16).padStart(2, '0')}`)

// A parenthesis would end a link in Markdown.
const parenthesis = (sign: string) => `%${sign.charCodeAt(0).toString(16)}`

const encodeExceptVariables = (text: string) =>
  text
    .split(/(\$\{[^}]+\})/)
    .map((part, index) => (index % 2 === 1 ? part : encodeURIComponent(part).replace(/[()]/g, parenthesis)))
    .join('')

// Grafana silently replaces a pane whose id is not exactly three letters or digits.
const PANE = 'ask'

/** A variable that Grafana fills in when a link is clicked. */
export const filledIn = (name: string) => `\${${name}}`

const explore = (traceql: string, tempo: string, range: { from: string; to: string }, query: object): string => {
  const pane = {
    datasource: tempo,
    queries: [
      {
        refId: 'A',
        datasource: { type: 'tempo', uid: tempo },
        queryType: 'traceql',
        query: traceql,
        limit: 20,
        ...query,
      },
    ],
    range,
  }
  const panes = encodeExceptVariables(escapeForJson(JSON.stringify({ [PANE]: pane })))
  return `/explore?schemaVersion=1&panes=${panes}`
}

/** A row for each span. A table of traces ends in an error when one trace lacks an attribute that the question selects (grafana 121740, seen in 13.1). */
const SPANS = { tableType: 'spans' }

/** Opens Explore with a TraceQL question over the time range of the board. */
export const exploreTraces = (traceql: string): string =>
  explore(traceql, filledIn('tempo'), { from: filledIn('__from'), to: filledIn('__to') }, SPANS)

/** How an answer is shown: spans, lines over time, or one number each. */
export const KINDS = ['search', 'metrics', 'totals'] as const
const SHOWN = {
  search: SPANS,
  metrics: { metricsQueryType: 'range', step: '30s' },
  totals: { metricsQueryType: 'instant' },
}

/** The same from outside a board: the data source that is provisioned, and the last hour. */
export const exploreFixed = (traceql: string, kind: (typeof KINDS)[number]): string =>
  explore(traceql, 'tempo', { from: 'now-1h', to: 'now' }, SHOWN[kind])

const SETTINGS = parseEnv(readFileSync(join(import.meta.dirname, '..', '..', '.env'), 'utf8'))

type Port = 'GRAFANA_PORT' | 'PHOENIX_PORT'

/**
 * Where a server that ships with this project answers: at the port of .env, unless the environment given here has another.
 * What is committed has the ports of .env; make up writes boards with those of the stack.
 */
export const onThisMachine = (
  port: Port,
  path: string,
  env: Readonly<Record<string, string | undefined>> = {},
): string => `http://127.0.0.1:${env[port] || SETTINGS[port]}${path}`

/** Phoenix's page of the trace of a row in a table of spans. */
export const phoenixTrace = onThisMachine(
  'PHOENIX_PORT',
  `/redirects/traces/${filledIn('__data.fields.traceIdHidden')}`,
)

const inRange = `from=${filledIn('__from')}&to=${filledIn('__to')}`

/** The board of the agent that a clicked thing names. */
export const agentBoard = (name: string): string => `/d/one-agent?var-agent=${filledIn(name)}&${inRange}`

/** The board, and whose, that two fields of a clicked row name. */
export const clickedBoard = (board: string, agent: string): string =>
  `/d/${filledIn(`__data.fields.${board}`)}?var-agent=${filledIn(`__data.fields.${agent}`)}&${inRange}`

/** The board of all agents, over the same range. */
export const allAgentsBoard = `/d/cost-and-latency-by-agent?${inRange}`

export const link = (title: string, url: string) => new DashboardLinkBuilder(title).url(url)

export const boardLink = (title: string, tooltip: string, url: string) =>
  link(title, url).type(DashboardLinkType.Link).icon('compass').tooltip(tooltip)

/** One link for each board that carries the tag, so that a new board is linked from all others at once. */
export const otherBoards = (tag: string) =>
  new DashboardLinkBuilder('Boards')
    .type(DashboardLinkType.Dashboards)
    .tags([tag])
    .keepTime(true)
    .includeVars(true)
    .tooltip('The other boards, over the same range and of the same agents')
