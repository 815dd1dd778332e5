import { type Draw, drawIn, type Format } from './draw.ts'
import type { Forecast } from './forecast.ts'
import type { ClassRow, Diff, PolicyRow, Table } from './table.ts'

type Side = Readonly<{ file: string; table: Table; forecast: Forecast | undefined }>

/** What one `make tune` found. */
export type Findings = Readonly<{
  recording: string
  traces: number
  spans: number
  speed: number
  slowCall: string
  a: Side
  b?: Side
  diff?: Diff
}>

const SHOWN_CHANGES = 20

export function report(findings: Findings, format: Format): string {
  if (format === 'json') return JSON.stringify(findings, null, 2)
  const { recording, traces, spans, speed, slowCall, a, b, diff } = findings
  const draw = drawIn(format)
  const title = (line: string) => (format === 'markdown' ? `### ${line}` : line)
  const head = `${recording}: ${traces} traces, ${spans} spans, replayed ×${speed}, slow above ${slowCall}`
  const sides = b ? [a, b] : [a]
  const tables = sides.flatMap(({ file, table }) => [
    title(file),
    draw([CLASS_HEAD, ...[...table.classes, table.total].map(classRow)]),
    draw([['agent', ...CLASS_HEAD.slice(1)], ...table.agents.map(classRow)]),
    draw([POLICY_HEAD, ...table.policies.map(policyRow)]),
    ...notes(table),
  ])
  const days = sides.flatMap(({ file, forecast }) => (forecast ? [[file, ...dayRow(forecast)]] : []))
  const perDay = days.length > 0 ? [title('A day at this rate'), draw([DAY_HEAD, ...days]), DAY_LEGEND] : []
  return [
    head,
    ...tables,
    LEGEND,
    ...perDay,
    ...(diff && b ? difference(diff, title(`${a.file} → ${b.file}`), draw) : []),
  ].join('\n\n')
}

/** The table of a list, without what differs between machines. It is for a page, where a diff shows each change. */
export const goldenTable = ({ a }: Pick<Findings, 'a'>): string =>
  [
    markdownTable([CLASS_HEAD, ...[...a.table.classes, a.table.total].map(classRow)]),
    markdownTable([POLICY_HEAD, ...a.table.policies.map(policyRow)]),
  ].join('\n\n')

const markdownTable = drawIn('markdown')

const LEGEND = `spans and bytes are those kept, bytes as OTLP JSON. USD are those of the model calls in these traces; of an agent, its own.
≥: on such traffic the recall is at least this, with 95 % confidence.`

const CLASS_HEAD = ['class', 'sent', 'kept', 'missed', 'spans', 'bytes', 'USD sent', 'USD kept', 'recall', '≥ (95 %)']

const DAY_HEAD = ['list', 'MB in Tempo', 'MB in Phoenix', 'USD of all calls', 'USD of kept traces']
const DAY_LEGEND = `A day is 24 hours by the clock of the recording. How much each stores was measured with the simulator's traffic:
workbench/forecast.ts.`

const dayRow = ({ tempoBytes, phoenixBytes, usdSent, usdKept }: Forecast): readonly string[] => [
  ...[tempoBytes, phoenixBytes].map((bytes) => (bytes / 1e6).toFixed(1)),
  ...[usdSent, usdKept].map((amount) => amount.toFixed(4)),
]

const POLICY_HEAD = ['policy', 'recorded', 'votes', 'kept by it alone']
const policyRow = ({ policy, recorded, votes, keptAlone }: PolicyRow): readonly string[] =>
  [policy, recorded, votes, keptAlone].map(String)

const classRow = (row: ClassRow): readonly string[] => [
  row.mustKeep ? `${row.class} (must keep)` : row.class,
  ...[row.sent, row.kept, row.missed, row.spans, row.bytes].map(String),
  usd(row.usdSent),
  usd(row.usdKept),
  share(row.recall),
  share(row.recallAtLeast),
]

function notes({ unexplained, unpricedCalls }: Table): readonly string[] {
  return [
    ...(unexplained > 0
      ? [
          `${unexplained} traces were decided otherwise than the single votes say: a policy that drops, or that remembers.`,
        ]
      : []),
    ...(unpricedCalls > 0
      ? [`${unpricedCalls} model calls have no price in grafana/prices.yaml and count as no USD.`]
      : []),
  ]
}

function difference(diff: Diff, title: string, draw: Draw): readonly string[] {
  const list = (name: string, changes: Diff['dropped']) => [
    `${name}: ${changes.length}`,
    ...(changes.length > 0
      ? [
          draw([
            ['trace', 'classes', 'USD'],
            ...changes
              .slice(0, SHOWN_CHANGES)
              .map(({ trace, classes, mustKeep, usd: cost }) => [
                trace,
                `${classes.join(', ')}${mustKeep ? ' (must keep)' : ''}`,
                usd(cost),
              ]),
          ]),
        ]
      : []),
    ...(changes.length > SHOWN_CHANGES
      ? [`… and ${changes.length - SHOWN_CHANGES} more: FORMAT=json has them all.`]
      : []),
  ]
  return [
    title,
    ...list('newly dropped', diff.dropped),
    ...list('newly kept', diff.kept),
    draw([['class', 'kept before', 'kept after', 'lost', 'gained'], ...diffRows(diff)]),
    diff.mustKeepLost > 0
      ? `${diff.mustKeepLost} must-keep traces would be lost.`
      : 'no must-keep trace would be lost.',
  ]
}

/** What two lists keep of each class: before, after, lost and gained; then their bytes and cost. */
export const diffRows = ({ classes, bytes, usd: cost }: Diff): readonly (readonly string[])[] => [
  ...classes.map((row) => [
    row.mustKeep ? `${row.class} (must keep)` : row.class,
    ...[row.before, row.after, row.lost, row.gained].map(String),
  ]),
  ['bytes', String(bytes.before), String(bytes.after), '', ''],
  ['USD', usd(cost.before), usd(cost.after), '', ''],
]

const usd = (amount: number) => amount.toFixed(6)
/** Rounded down: a bound must not promise too much. */
const share = (value: number | undefined) =>
  value === undefined ? '–' : `${(Math.floor(value * 1000 + 1e-9) / 10).toFixed(1)} %`
