import { type Draw, drawIn, type Format } from './draw.ts'
import type { ClassRow, Diff, Table } from './table.ts'

/** What one `make tune` found. */
export type Findings = Readonly<{
  recording: string
  traces: number
  spans: number
  speed: number
  slowCall: string
  a: Readonly<{ file: string; table: Table }>
  b?: Readonly<{ file: string; table: Table }>
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
    draw([
      ['policy', 'recorded', 'votes', 'kept by it alone'],
      ...table.policies.map(({ policy, recorded, votes, keptAlone }) =>
        [policy, recorded, votes, keptAlone].map(String),
      ),
    ]),
    ...notes(table),
  ])
  return [head, ...tables, LEGEND, ...(diff && b ? difference(diff, title(`${a.file} → ${b.file}`), draw) : [])].join(
    '\n\n',
  )
}

const LEGEND = `spans and bytes are those kept, bytes as OTLP JSON. USD are those of the model calls in these traces; of an agent, its own.
≥: on such traffic the recall is at least this, with 95 % confidence.`

const CLASS_HEAD = ['class', 'sent', 'kept', 'missed', 'spans', 'bytes', 'USD sent', 'USD kept', 'recall', '≥ (95 %)']

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
    draw([
      ['class', 'kept before', 'kept after', 'lost', 'gained'],
      ...diff.classes.map((row) => [
        row.mustKeep ? `${row.class} (must keep)` : row.class,
        ...[row.before, row.after, row.lost, row.gained].map(String),
      ]),
      ['bytes', String(diff.bytes.before), String(diff.bytes.after), '', ''],
      ['USD', usd(diff.usd.before), usd(diff.usd.after), '', ''],
    ]),
    diff.mustKeepLost > 0
      ? `${diff.mustKeepLost} must-keep traces would be lost.`
      : 'no must-keep trace would be lost.',
  ]
}

const usd = (amount: number) => amount.toFixed(6)
/** Rounded down: a bound must not promise more than it holds. */
const share = (value: number | undefined) =>
  value === undefined ? '–' : `${(Math.floor(value * 1000 + 1e-9) / 10).toFixed(1)} %`
