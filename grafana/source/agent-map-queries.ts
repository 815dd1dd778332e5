import { CALL_OPERATIONS, GEN_AI } from '../../vocabulary/attributes.ts'
import { counted, quantile, some } from './counting.ts'
import { filledIn } from './links.ts'
import { series, serviceGraph, spans } from './metrics.ts'
import { CHOSEN, FAILED, lines, NEWEST, OPERATIONS } from './queries.ts'

/**
 * What the agent map asks: who calls which model and which tool, counted from every span before sampling. Grafana's node graph wants
 * one row for each node and each edge, with fields of fixed names. So each question has the label `stat`, the name of its field.
 */
type Kind = 'agent' | 'model' | 'tool'
/** In traces, and in metrics. */
const ATTRIBUTES: Readonly<Record<Kind, string>> = {
  agent: GEN_AI.AGENT,
  model: GEN_AI.REQUEST_MODEL,
  tool: GEN_AI.TOOL_NAME,
}
const LABELS = Object.fromEntries(
  Object.entries(ATTRIBUTES).map(([kind, name]) => [kind, name.replaceAll('.', '_')]),
) as Readonly<Record<Kind, string>>
const by = (...kinds: readonly Kind[]) => `by (${kinds.map((kind) => LABELS[kind]).join(', ')})`
const named = (...kinds: readonly Kind[]) => [CHOSEN, ...kinds.map((kind) => `${LABELS[kind]}!=""`)].join(', ')

const CALL = OPERATIONS.chat
const TOOL = 'gen_ai_operation_name="execute_tool"'
const TURN = OPERATIONS.invoke_agent
const MINUTES = '($__range_s / 60)'
/** USD in the range, as US cents an hour: Grafana writes two decimals here, and agents cost little. */
const AN_HOUR = '* 100 * 3600 / $__range_s'

const spent = (...kinds: readonly Kind[]) =>
  some(`sum ${by(...kinds)} (sum_over_time(${series.charged}{${named('agent', 'model')}}[$__range]))`)
const p95 = (operation: string, ...kinds: readonly Kind[]) =>
  `(${quantile(0.95, series.duration, `${operation}, ${named(...kinds)}`, 'range', kinds.map((kind) => `, ${LABELS[kind]}`).join(''))} >= 0)`
type Counted = Readonly<{ operation: string; kinds: readonly Kind[]; of: readonly Kind[] }>
const selector = ({ operation, kinds }: Counted, more = '') => `${spans.every}{${operation}, ${named(...kinds)}${more}}`
const times = (what: Counted, more = '') => some(counted(selector(what, more), 'range', by(...what.of)))
/** Zero for each that was called in the range. */
const none = (what: Counted) => `0 * ${times(what)}`
const failedShare = (what: Counted) => `(${times(what, FAILED)} or ${none(what)}) / ${times(what)}`

const calls: Counted = { operation: CALL, kinds: ['agent', 'model'], of: ['agent', 'model'] }
const tools: Counted = { operation: TOOL, kinds: ['agent', 'tool'], of: ['agent', 'tool'] }
const ofModels: Counted = { ...calls, of: ['model'] }
const ofTools: Counted = { ...tools, of: ['tool'] }
const anyOf = (...operations: readonly string[]): Counted => ({
  operation: `gen_ai_operation_name=~"${operations.join('|')}"`,
  kinds: ['agent'],
  of: ['agent'],
})
const asked = anyOf(...CALL_OPERATIONS, 'invoke_agent', 'execute_tool')
/** The calls that the lines of an agent stand for. Its own turns have no line, so they are left out. */
const called = anyOf(...CALL_OPERATIONS, 'execute_tool')
/** Coding agents send their calls as log records: they have a cost and no spans. */
const callsOrNone = `(${times(calls)} or 0 * ${spent('agent', 'model')})`

const replaced = (expr: string, label: string, value: string, from = '', pattern = '') =>
  `label_replace(${expr}, "${label}", "${value}", "${from}", "${pattern}")`
const together = (...questions: readonly string[]) => questions.join(' or ')
const field = (stat: string, expr: string, labels: readonly string[] = ['id']) =>
  `sum by (${[...labels, 'stat'].join(', ')}) (${replaced(expr, 'stat', stat)})`

/** A map of more agents is wider than a screen: it has those that have lines on the first board, and what they call. */
const drawn: Readonly<Record<Kind, (expr: string) => string>> = {
  agent: lines,
  model: (expr) => `(${expr}) and on (${LABELS.model}) (${lines(callsOrNone)})`,
  tool: (expr) => `(${expr}) and on (${LABELS.tool}) (${lines(times(tools))})`,
}

const withId = (kind: Kind, expr: string) => replaced(`(${expr})`, 'id', `${kind} $1`, LABELS[kind], '(.+)')
/** One field of the nodes of a kind. */
const node = (kind: Kind, stat: string, expr: string) => field(stat, withId(kind, expr))

/** A node as it is written. A click on an agent leads to its board, one on another node to the board of all agents. */
const written = (kind: Kind, expr: string) => {
  // Two dollar signs are one to label_replace.
  const [board, who] = kind === 'agent' ? ['one-agent', '$1'] : ['cost-and-latency-by-agent', '$$__all']
  const words = {
    id: `${kind} $1`,
    title: '$1',
    subtitle: kind,
    attribute: ATTRIBUTES[kind],
    board,
    who,
  }
  const all = Object.entries(words).reduce(
    (text, [label, value]) => replaced(text, label, value, LABELS[kind], '(.+)'),
    `(${expr}) / ${MINUTES}`,
  )
  return field('detail__calls', all, Object.keys(words))
}

/** The most costly of its kind is half as large again as one that costs nothing. Larger ones would cover the names of those above. */
const radius = (kind: Kind, all: string) =>
  node(
    kind,
    'noderadius',
    kind === 'tool'
      ? `30 + 0 * (${all})`
      : `24 + 12 * (${spent(kind)} or 0 * (${all})) / scalar(max(${spent(kind)}) > 0)`,
  )

const KINDS = Object.keys(LABELS) as readonly Kind[]
/**
 * What of the circle did not fail has the colour of the kind: Grafana cuts it off where the circle is full. A part that is absent,
 * and not zero, would end the circle.
 */
const circle = (kind: Kind, what: Counted) =>
  KINDS.map((part) => node(kind, `arc__${part}`, part === kind ? `0.999 + ${none(what)}` : none(what)))

/** Between two nodes below each other, in pixels: a circle, its two lines of text, and some room. */
export const ROW = 112
/** Between two nodes of a kind beside each other: the width of a name. */
const BESIDE = 150
/** From the agents in the middle to the other kinds: what a screen of 1280 pixels has, but at least some room for lines. */
const APART = 360
const LEAST_APART = 210
/** So many rows are seen at once. What has more nodes has several columns. */
const ROWS = 7
const columnsOf = (all: string) => `scalar(ceil(count(${all}) / ${ROWS}))`
/** How far the last column of a kind is from its first. */
const breadth = (all: string) => `${BESIDE} * (${columnsOf(all)} - 1)`
/** Agents stand in the middle, tools on their left and models on their right: where the first column of a kind is. */
const first: Readonly<Record<Kind, (all: string) => string>> = {
  tool: (all) => `-${apart()} - ${breadth(all)}`,
  agent: (all) => `-${breadth(all)} / 2`,
  model: () => apart(),
}
const apart = () => `scalar(clamp_min(vector(${LEAST_APART} + ${breadth(agentsThere)} / 2), ${APART}))`
const place = (kind: Kind, all: string) => [
  node(kind, 'first', `${first[kind](all)} + 0 * (${all})`),
  node(kind, 'columns', `${columnsOf(all)} + 0 * (${all})`),
  node(kind, 'breadth', `${BESIDE} * ${columnsOf(all)} + 0 * (${all})`),
  node(kind, 'half', `${ROW / 2} * (scalar(ceil(count(${all}) / ${columnsOf(all)})) - 1) + 0 * (${all})`),
]

const withCost = (kind: Kind, counts: string) => (kind === 'tool' ? counts : `${counts} or 0 * ${spent(kind)}`)
const agentsThere = drawn.agent(withCost('agent', none(asked)))

const nodesOf = (kind: Kind, what: Counted, seconds: string) => {
  const there = drawn[kind](withCost(kind, none(what)))
  const fields = together(
    written(kind, `${times(kind === 'agent' ? called : what)} or ${there}`),
    ...(kind !== 'tool' ? [node(kind, 'mainstat', `${spent(kind)} ${AN_HOUR}`)] : []),
    radius(kind, there),
    node(kind, 'secondarystat', seconds),
    node(kind, 'arc__failed', failedShare(what)),
    ...circle(kind, what),
    ...place(kind, there),
  )
  return `(${fields}) and on (id) ${withId(kind, there)}`
}

/** A row for each agent, model and tool. */
export const nodes = {
  nodesAgent: nodesOf('agent', asked, `${p95(TURN, 'agent')} or ${p95(CALL, 'agent')}`),
  nodesModel: nodesOf('model', ofModels, p95(CALL, 'model')),
  nodesTool: nodesOf('tool', ofTools, p95(TOOL, 'tool')),
}

/** One field of the edges from agents. */
const edge = (to: Kind, stat: string, expr: string, more: readonly string[] = []) => {
  const words: readonly (readonly [string, string, string])[] = [
    ['source', 'agent $1', LABELS.agent],
    ['target', `${to} $1`, LABELS[to]],
    ['from', '$1', LABELS.agent],
    ['to', '$1', LABELS[to]],
    ['attribute', ATTRIBUTES[to], LABELS[to]],
  ]
  const all = words.reduce((text, [label, value, from]) => replaced(text, label, value, from, '(.+)'), `(${expr})`)
  return field(stat, `label_join(${all}, "id", " → ", "source", "target")`, ['id', ...more])
}
/** Only edges that were called: a histogram is there one scrape before its counter grows, and Grafana ends the graph at an edge without a node. */
const edgesOf = (to: Kind, what: Counted, all: string) => {
  const calls = edge(to, 'mainstat', `(${lines(all)}) / ${MINUTES}`, ['source', 'target', 'from', 'to', 'attribute'])
  const fields = together(
    edge(to, 'secondarystat', p95(what.operation, ...what.kinds)),
    edge(to, 'detail__failed', `100 * ${failedShare(what)}`),
    ...(to === 'model' ? [edge(to, 'detail__cost', `${spent('agent', 'model')} ${AN_HOUR}`)] : []),
    edge(to, 'thickness', `1 + 4 * (${all}) / scalar(max(${all}) > 0)`),
  )
  return `${calls} or (${fields}) and on (id) ${calls}`
}

/** A row for each agent and model, and for each agent and tool. */
export const edges = {
  edgesModel: edgesOf('model', calls, callsOrNone),
  edgesTool: edgesOf('tool', tools, times(tools)),
}

/** The same edges as a table: whom an agent calls. */
const callee = (to: Kind, expr: string) =>
  `sum by (${LABELS.agent}, callee, kind) (${replaced(replaced(`(${expr})`, 'callee', '$1', LABELS[to], '(.+)'), 'kind', to)})`
const both = (model: string, tool: string) => `${callee('model', model)} or ${callee('tool', tool)}`
export const table = {
  calls: both(`${callsOrNone} / ${MINUTES}`, `${times(tools)} / ${MINUTES}`),
  failed: both(failedShare(calls), failedShare(tools)),
  p95: both(p95(CALL, 'agent', 'model'), p95(TOOL, 'agent', 'tool')),
  cost: callee('model', `${spent('agent', 'model')} ${AN_HOUR}`),
}

const SELECTED = `select(${Object.values(ATTRIBUTES)
  .map((name) => `span.${name}`)
  .join(', ')}, span.error.type)`
const clicked = (name: string) => filledIn(`__data.fields.${name}`)
export const tracesOfNode = `{ span.${clicked('attribute')} = "${clicked('title')}" } | ${SELECTED} ${NEWEST}`
export const tracesOfEdge = `{ span.${GEN_AI.AGENT} = "${clicked('from')}" && span.${clicked('attribute')} = "${clicked('to')}" } | ${SELECTED} ${NEWEST}`

/** Which agent calls which, a minute: estimated from kept traces, each of which stands for as many as the sampler says. */
export const callsBetween = `${counted(`${series.agentCalls}{${CHOSEN}}`, 'range', 'by (woodland_caller_service_name, woodland_caller_agent_name, service_name, gen_ai_agent_name)')} / ${MINUTES}`

/**
 * Agents whose calls do not name them: those calls are counted under the name of their service. Kept traces tell which agent is above
 * them. A token costs what one of that service and model costs in the mean.
 */
const BY_CALLER = 'by (service_name, woodland_caller_agent_name)'
const BY_SERVICE_AND_MODEL = 'service_name, gen_ai_agent_name, gen_ai_request_model'
const tokensBelow = (by: string, type: 'input' | 'output' | 'input|output') =>
  counted(`${series.agentTokens}{${CHOSEN}, gen_ai_token_type=~"${type}"}`, 'range', by)
const inRange = (name: string, selector: string) =>
  `sum by (${BY_SERVICE_AND_MODEL}) (sum_over_time(${name}{${selector}}[$__range]))`
export const below = {
  input: some(tokensBelow(BY_CALLER, 'input')),
  output: some(tokensBelow(BY_CALLER, 'output')),
  cost: `sum ${BY_CALLER} (${tokensBelow(`by (${BY_SERVICE_AND_MODEL}, woodland_caller_agent_name)`, 'input|output')} * on (${BY_SERVICE_AND_MODEL}) group_left () (${inRange(series.charged, CHOSEN)} / ${inRange(series.used, `${CHOSEN}, gen_ai_token_type=~"input|output"`)}))`,
}

/** Which service calls which, as Tempo counts it from kept traces. */
const requests = counted(`${serviceGraph.requests}{client!="", server!=""}`, 'range', 'by (client, server)')
const service = (role: 'client' | 'server', expr: string) =>
  field('mainstat', replaced(replaced(`(${expr})`, 'id', '$1', role, '(.+)'), 'title', '$1', role, '(.+)'), [
    'id',
    'title',
  ])
const sum = (role: 'client' | 'server') => `sum by (${role}) (${requests})`
/** How often a service is asked, and zero for one that only asks. */
export const serviceNodes = {
  nodes: together(service('server', `${sum('server')} / ${MINUTES}`), service('client', `0 * ${sum('client')}`)),
}
export const serviceEdges = {
  edges: field(
    'mainstat',
    `label_join(${replaced(replaced(`(${requests} / ${MINUTES})`, 'source', '$1', 'client', '(.+)'), 'target', '$1', 'server', '(.+)')}, "id", " → ", "client", "server")`,
    ['id', 'source', 'target'],
  ),
}
