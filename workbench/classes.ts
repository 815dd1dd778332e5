import { readFileSync } from 'node:fs'
import { attributeOf, type Span } from '../otlp/json.ts'
import { defectsIn } from './check.ts'
import type { Request } from './recording.ts'
import type { Decisions, List } from './replay.ts'
import { singlePolicies } from './single-policies.ts'
import { UserError } from './user-error.ts'
import { variablesIn, withVariables } from './variables.ts'

/** The class of a trace for which no class votes. */
export const ROUTINE = 'routine'

/** Traces that must be kept: a list of one policy, on which the real collector votes. */
export type Class = Pick<List, 'name' | 'text'>

/** What a model call costs, or undefined when its model has no price. */
export type PriceOf = (model: string, inputTokens: number, outputTokens: number) => number | undefined

/** What one trace of a recording is. */
export type Trace = Readonly<{
  id: string
  /** Only `routine` until it is `classified`. */
  classes: readonly string[]
  /** USD of the model calls of each agent that took part. */
  agents: ReadonlyMap<string, number>
  spans: number
  usd: number
  unpricedCalls: number
}>

/**
 * Reads a list of policies as classes, with the values of its variables. Throws one line for each defect that reading
 * finds: file, line, rule and fix.
 */
export function readClasses(path: string, env: Readonly<Record<string, string | undefined>>): readonly Class[] {
  const defects = defectsIn(path)
  if (defects.length > 0)
    throw new UserError(
      defects.map(({ line, message }) => `${path}${line > 0 ? `:${line}` : ''}: ${message}`).join('\n'),
    )
  const text = readFileSync(path, 'utf8')
  const unset = [...variablesIn(text, env)].find(([, value]) => value === '')?.[0]
  if (unset) throw new UserError(`${path}: ${unset} has no value: set it, or write \${env:${unset}:-…} with one`)
  const classes = singlePolicies(withVariables(text, env))
  if (classes.some(({ name }) => name === ROUTINE))
    throw new UserError(`${path}: ${ROUTINE} is what no class describes: choose another name`)
  return classes
}

/** A list of policies may have a policy of the same name. */
const idOf = ({ name }: Class) => `class ${name}`

/** The lists of the classes, for a replay. For a class the wait does not end at the root, because late spans belong to the trace too. */
export const classLists = (classes: readonly Class[]): readonly List[] =>
  classes.map((one) => ({ ...one, name: idOf(one), sampler: { decision_wait_after_root_received: '0s' } }))

/** The traces of a recording with the classes that voted for them, in the order of the file. */
export const classified = (
  { traces, ...rest }: Study,
  classes: readonly Class[],
  decided: ReadonlyMap<string, Decisions>,
): Study => ({
  ...rest,
  traces: new Map(
    [...traces].map(([id, trace]) => {
      const named = classes.filter((one) => decided.get(idOf(one))?.has(id)).map(({ name }) => name)
      return [id, { ...trace, classes: named.length > 0 ? named : [ROUTINE] }]
    }),
  ),
})

/** Every trace of a recording, and the span of time in which it arrived. */
export type Study = Readonly<{ traces: ReadonlyMap<string, Trace>; spans: number; fromMs: number; toMs: number }>

type Seen = Pick<Request, 'atMs' | 'spans'>

/** Reads a recording once, and returns what each of its traces is. Throws when it has no span. */
export async function study(requests: AsyncIterable<Seen>, pricesOf: (day: Date) => PriceOf): Promise<Study> {
  const { see, found } = studying(pricesOf)
  for await (const request of requests) see(request)
  return found()
}

/** The same for a caller that reads the requests itself: call `see` with each of them, then `found`. */
export function studying(
  pricesOf: (day: Date) => PriceOf,
): Readonly<{ see: (request: Seen) => void; found: () => Study }> {
  type Growing = { agents: Map<string, number>; spans: number; usd: number; unpricedCalls: number }
  const growing = new Map<string, Growing>()
  let fromMs = Number.POSITIVE_INFINITY
  let toMs = 0
  let all = 0
  let priceOf: PriceOf | undefined
  const see = ({ atMs, spans }: Seen) => {
    fromMs = Math.min(fromMs, atMs)
    toMs = Math.max(toMs, atMs)
    priceOf ??= pricesOf(new Date(atMs))
    for (const span of spans) {
      const id = span.traceId.toLowerCase()
      const trace = growing.get(id) ?? { agents: new Map(), spans: 0, usd: 0, unpricedCalls: 0 }
      growing.set(id, trace)
      all++
      trace.spans++
      const { agent, call } = modelCall(span)
      const usd = call ? priceOf(...call) : 0
      if (usd === undefined) trace.unpricedCalls++
      trace.usd += usd ?? 0
      if (agent !== undefined) trace.agents.set(agent, (trace.agents.get(agent) ?? 0) + (usd ?? 0))
    }
  }
  const found = () => {
    if (all === 0) throw new UserError('the recording holds no span, so there is nothing to judge; record some traffic')
    const traces = [...growing].map(([id, trace]): [string, Trace] => [id, { id, classes: [ROUTINE], ...trace }])
    return { traces: new Map(traces), spans: all, fromMs, toMs }
  }
  return { see, found }
}

/** The agent of a span and, if it is a model call, its model and tokens. By the conventions of OpenTelemetry, not ours. */
function modelCall({ attributes }: Span): { agent?: string; call?: readonly [string, number, number] } {
  const text = (key: string) => attributeOf(attributes, key)?.stringValue
  const number = (key: string) => {
    const value = attributeOf(attributes, key)
    return value?.intValue ?? value?.doubleValue
  }
  const agent = text('gen_ai.agent.name')
  const input = number('gen_ai.usage.input_tokens')
  const output = number('gen_ai.usage.output_tokens')
  const isCall = text('gen_ai.operation.name') === 'chat' && (input !== undefined || output !== undefined)
  return {
    ...(agent === undefined ? {} : { agent }),
    ...(isCall ? { call: [text('gen_ai.request.model') ?? '', Number(input ?? 0), Number(output ?? 0)] } : {}),
  }
}
