import { AGENT_COLOURS } from './colours.ts'
import { phoenixTrace } from './links.ts'
import { narrow, sorted, table, tinted, width, written } from './tables.ts'
import { spans } from './targets.ts'

/** Columns in their order. Tempo adds what the question filters by; those are left out. */
const COLUMNS = {
  'gen_ai.agent.name': 'Agent',
  Duration: 'Duration',
  'woodland.evaluation.failed': 'Failed',
  'error.type': 'Error',
  'woodland.tokens': 'Tokens',
  'tailsampling.policy': 'Kept by',
  'Start time': 'Start time',
  'Span ID': 'Turn',
}
const LEFT_OUT = [
  'Trace Service',
  'Trace Name',
  'Name',
  'gen_ai.operation.name',
  'status',
  'woodland.evaluation.outcome',
]

/** The turns that a TraceQL question finds, each a link to its trace; when it began leads to its conversation. */
export const turnsTable = (
  title: string,
  traceql: string,
  sortBy: string,
  { leaveOut = [] }: Readonly<{ leaveOut?: readonly string[] }> = {},
) =>
  table(title, { width: 24, none: 'none kept in this range' })
    .withTarget(spans('turns', traceql))
    .withTransformation({
      id: 'organize',
      options: {
        excludeByName: Object.fromEntries([...LEFT_OUT, ...leaveOut].map((name) => [name, true])),
        renameByName: COLUMNS,
        indexByName: Object.fromEntries(Object.keys(COLUMNS).map((name, index) => [name, index])),
      },
    })
    .overrideByName('Agent', tinted(AGENT_COLOURS))
    .overrideByName('Duration', [width(85)])
    .overrideByName('Tokens', [...written('locale', 0), width(75)])
    .overrideByName('Kept by', [width(210)])
    .overrideByName('Error', [narrow])
    .overrideByName('Failed', [narrow])
    // Tempo gives it a width. Zero lets it take its part of what is left.
    .overrideByName('Turn', [width(0), { id: 'custom.minWidth', value: 138 }])
    // Not on the turn itself: its own link, to the trace in Tempo, would be lost.
    .overrideByName('Start time', [
      width(150),
      { id: 'links', value: [{ title: 'Read it in Phoenix', url: phoenixTrace, targetBlank: true }] },
    ])
    .sortBy([sorted(sortBy)])
