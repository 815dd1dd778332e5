import { DashboardLinkBuilder, DashboardLinkType } from '@grafana/grafana-foundation-sdk/dashboard'

// Some releases of Grafana's link sanitiser decode a link twice and then cut it at these four. As JSON escapes they survive.
const escapeForJson = (json: string) =>
  json.replace(/[&#+%]/g, (sign) => `\\u00${sign.charCodeAt(0).toString(16).padStart(2, '0')}`)

const encodeExceptVariables = (text: string) =>
  text
    .split(/(\$\{[^}]+\})/)
    .map((part, index) => (index % 2 === 1 ? part : encodeURIComponent(part)))
    .join('')

// Grafana silently replaces a pane whose id is not exactly three letters or digits.
const PANE = 'ask'

/** A variable that Grafana fills in when a link is clicked. */
export const filledIn = (name: string) => `\${${name}}`

/** Opens Explore with a TraceQL question over the time range of the board. */
export const exploreTraces = (traceql: string): string => {
  const pane = {
    datasource: filledIn('tempo'),
    queries: [
      {
        refId: 'A',
        datasource: { type: 'tempo', uid: filledIn('tempo') },
        queryType: 'traceql',
        query: traceql,
        limit: 20,
        tableType: 'traces',
      },
    ],
    range: { from: filledIn('__from'), to: filledIn('__to') },
  }
  const panes = encodeExceptVariables(escapeForJson(JSON.stringify({ [PANE]: pane })))
  return `/explore?schemaVersion=1&panes=${panes}`
}

export const link = (title: string, url: string) => new DashboardLinkBuilder(title).url(url)

export const boardLink = (title: string, tooltip: string, url: string) =>
  link(title, url).type(DashboardLinkType.Link).icon('compass').tooltip(tooltip)
