import * as ask from '../agent-map-queries.ts'
import type { Board } from '../board.ts'
import { AGENT_COLOURS, KIND_COLOURS } from '../colours.ts'
import { agentVariable, serviceVariable } from '../datasources.ts'
import { agentBoard, boardLink, clickedBoard, exploreTraces } from '../links.ts'
import { nodeGraph } from '../node-graph.ts'
import * as all from '../queries.ts'
import { column, key, sideBySide, table, tinted, width } from '../tables.ts'

/** US cents, because an agent costs little and Grafana writes two decimals in a node. */
const CENTS = '¢/h'

const graph = nodeGraph(
  'Who calls whom?',
  { height: 24 },
  { nodes: ask.nodes, edges: ask.edges },
  {
    units: { nodes: [CENTS, 's'], edges: ['/min', 's'] },
    names: {
      nodes: {
        mainstat: 'cost',
        secondarystat: 'p95',
        detail__calls: 'calls a minute',
        // First, because Grafana draws them in turn until the circle is full.
        arc__failed: 'failed',
        arc__agent: 'agent',
        arc__model: 'model',
        arc__tool: 'tool',
      },
      edges: {
        mainstat: 'calls a minute',
        secondarystat: 'p95',
        detail__failed: 'failed, in percent',
        detail__cost: `cost, in ${CENTS}`,
      },
    },
    colours: KIND_COLOURS,
    row: ask.ROW,
  },
)
  .overrideByName('title', [
    {
      id: 'links',
      value: [
        { title: 'Open/Its board', url: clickedBoard('board', 'who') },
        { title: 'Open/Its traces', url: exploreTraces(ask.tracesOfNode) },
      ],
    },
  ])
  .overrideByName('from', [
    { id: 'links', value: [{ title: 'Open/Traces of these calls', url: exploreTraces(ask.tracesOfEdge) }] },
  ])
  .description(
    `Agents, and the models and tools that they call, counted from every span of the range before sampling. Tools on the left, models on the right; zoom out if you do not see all. Of many agents, it has the ${all.LINES} with most tokens; the box Agent chooses others, and the table below has all. In a node: US cents an hour, and p95 of a turn, call or tool in seconds; a larger node costs more, and the red part of its circle failed. A thicker line is called more. Hover over a node to see its lines alone; click it for its board or its traces. If one agent is large, see below which model it asks.`,
  )

const calls = sideBySide(
  table('Which calls cost most, wait longest, fail?', { width: 24, height: 10 }).description(
    'The lines of the map as rows, over the range, most costly first. Cost is in US cents an hour; tools have none of their own. A high p95 of one agent alone means long prompts, of all agents a busy model. Failed: the share that ended in an error; for place_order that is a refused order. Click an agent to open its board.',
  ),
  [
    key('gen_ai_agent_name', 'Agent', ...tinted(AGENT_COLOURS), width(200), {
      id: 'links',
      value: [{ title: 'The board of this agent', url: agentBoard('__value.text') }],
    }),
    key('kind', 'Calls a', width(75)),
    key('callee', 'Name', { id: 'custom.minWidth', value: 200 }),
  ],
  [
    column('cost', `Cost, ${CENTS}`, ask.table.cost, 'short', 2, width(100)),
    column('calls', 'A minute', ask.table.calls, 'short', 1, width(80)),
    column('p95', 'p95', ask.table.p95, 'suffix: s', 2, width(80)),
    column('failed', 'Failed', ask.table.failed, 'percentunit', 1, width(80)),
  ],
  `Cost, ${CENTS}`,
)

const between = sideBySide(
  table('Which agents call other agents? (estimated)', {
    width: 24,
    height: 6,
    none: 'no kept trace has an agent below another one',
  }).description(
    'An agent, and the nearest one above it in the trace, also through tools, requests and other services. Estimated from kept traces: each counts for as many as the sampler says that it stands for, so small numbers are rough. An agent that is missing here is called by none, or does not pass on traceparent.',
  ),
  [
    key('woodland_caller_agent_name', 'Agent', ...tinted(AGENT_COLOURS), width(200)),
    key('woodland_caller_service_name', 'of service', { id: 'custom.minWidth', value: 120 }),
    key('gen_ai_agent_name', 'calls', ...tinted(AGENT_COLOURS), width(200)),
    key('service_name', 'of the service', { id: 'custom.minWidth', value: 120 }),
  ],
  [column('calls', 'A minute', ask.callsBetween, 'short', 1, width(100))],
  'A minute',
)

const below = sideBySide(
  table('Whose are the calls that name no agent? (estimated)', {
    width: 24,
    height: 6,
    none: 'every call names its agent, or no agent is above it',
  }).description(
    'Some SDKs write the name of an agent on its own span only, and not on its calls: these are then counted under the name of the service. Here they are divided among the agents above them. Estimated from kept traces: each counts for as many as the sampler says that it stands for, so small numbers are rough. Cost: tokens, at what a token of that service and model costs in the mean. make inspect SERVICE=… has the lines that put the name on each call; then every board has exact numbers.',
  ),
  [
    key('woodland_caller_agent_name', 'Agent', ...tinted(AGENT_COLOURS), width(200)),
    key('service_name', 'of service', { id: 'custom.minWidth', value: 120 }),
  ],
  [
    column('cost', 'Cost', ask.below.cost, 'currencyUSD', 4),
    column('in', 'In', ask.below.input, 'short', undefined),
    column('out', 'Out', ask.below.output, 'short', undefined),
  ],
  'Cost',
)

const services = nodeGraph(
  'Which services call each other? (kept traces only)',
  { height: 10, none: 'no kept trace has two services' },
  { nodes: ask.serviceNodes, edges: ask.serviceEdges },
  {
    units: { nodes: ['/min', ''], edges: ['/min', ''] },
    names: { nodes: { mainstat: 'asked a minute' }, edges: { mainstat: 'calls a minute' } },
    colours: {},
  },
).description(
  'From one service into another, as Tempo counts it from the traces that were kept, so these are fewer than there were. The tab Service Graph in Explore shows the same; user stands for requests from no service that is traced. A service that is missing here sends its spans elsewhere, or does not pass on traceparent.',
)

export const agentMap: Board = {
  uid: 'agent-map',
  title: 'Agent map',
  description:
    'Agents, models and tools, and who calls whom: how often, how long, at what cost, and what fails. Counted before sampling, for any SDK.',
  variables: [serviceVariable(), agentVariable()],
  links: [
    boardLink('Ask Tempo', 'Opens Explore with the turns of the chosen agents', exploreTraces(all.turnsOfChosen)),
  ],
  panels: [graph, calls, between, below, services],
}
