import { readFileSync } from 'node:fs'
import { isNode, LineCounter, parseDocument } from 'yaml'
import { z } from 'zod'
import { attributeOf, type Request, type Span, type Value } from './recording.ts'
import { UserError } from './user-error.ts'

/** The class of a trace that no condition speaks of. */
export const ROUTINE = 'routine'

export type Class = Readonly<{ name: string; mustKeep: boolean; matches: (span: Span) => boolean }>

/** What a model call costs, or undefined when its model has no price. */
export type PriceOf = (model: string, inputTokens: number, outputTokens: number) => number | undefined

/** What one trace of a recording is. */
export type Trace = Readonly<{
  id: string
  classes: readonly string[]
  /** USD of the model calls of each agent that took part. */
  agents: ReadonlyMap<string, number>
  spans: number
  usd: number
  unpricedCalls: number
}>

const UNITS = { ns: 1n, us: 1000n, ms: 1_000_000n, s: 1_000_000_000n, m: 60_000_000_000n } as const
const duration = z
  .string({ error: 'longer_than is a duration; write it with its unit, e.g. 2s' })
  .regex(/^\d+(\.\d+)?(ns|us|ms|s|m)$/, {
    error: 'longer_than is a duration; write it with its unit, e.g. 2s or 200ms',
  })

const condition = z.union(
  [
    z.strictObject({ attribute: z.string(), equals: z.union([z.string(), z.number(), z.boolean()]) }),
    z.strictObject({ attribute: z.string(), at_least: z.number() }),
    z.strictObject({ status: z.literal('error') }),
    z.strictObject({ longer_than: duration }),
  ],
  {
    error:
      'a condition is attribute with equals, attribute with at_least (a number), status: error, or longer_than: 2s',
  },
)
type Condition = z.infer<typeof condition>

const file = z
  .array(
    z.strictObject({
      name: z
        .string({ error: 'a class has a name; write name: slow-call' })
        .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, { error: 'a name has small letters, digits and hyphens; write slow-call' })
        .refine((name) => name !== ROUTINE, { error: 'routine is what no class describes; choose another name' }),
      must_keep: z.boolean({ error: 'must_keep is true or false' }).default(false),
      where: z
        .array(condition, { error: 'a class has a list of conditions; write where: and start each with "- "' })
        .min(1, { error: 'a class has at least one condition; without one it would hold every trace' }),
    }),
    { error: 'the file is a list of classes; start each with "- name:"' },
  )
  .min(1, { error: 'the list names at least one class' })

/** Reads a file of classes. Throws one line for each defect: file, line, rule and fix. */
export function readClasses(path: string, env: Readonly<Record<string, string | undefined>>): readonly Class[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new UserError(
      `${path}: it cannot be read (${(error as Error).message}); name a file of classes with CLASSES=…`,
    )
  }
  const filled = text.replace(/\$\{env:(\w+)(?::-([^}]*))?\}/g, (_, name, otherwise = '') => env[name] || otherwise)
  const lines = new LineCounter()
  const document = parseDocument(filled, { lineCounter: lines })
  const broken = document.errors[0]
  if (broken)
    throw new UserError(
      `${path}:${lines.linePos(broken.pos[0]).line}: it is not YAML: ${broken.message.split('\n')[0]}`,
    )
  const parsed = file.safeParse(document.toJS())
  if (!parsed.success) {
    const defects = parsed.error.issues.map(({ path: keys, message }) => {
      const node = [...keys.keys(), keys.length]
        .map((length) => document.getIn(keys.slice(0, length), true))
        .filter(isNode)
        .at(-1)
      return `${path}:${lines.linePos(node?.range?.[0] ?? 0).line}: ${message}`
    })
    throw new UserError(defects.join('\n'))
  }
  return parsed.data.map(({ name, must_keep, where }) => {
    const conditions = where.map(test)
    return { name, mustKeep: must_keep, matches: (span) => conditions.every((holds) => holds(span)) }
  })
}

const plain = (value: Value | undefined) =>
  value?.stringValue ?? value?.boolValue ?? (value && Number(value.intValue ?? value.doubleValue))

function test(rule: Condition): (span: Span) => boolean {
  if ('equals' in rule) return ({ attributes }) => plain(attributeOf(attributes, rule.attribute)) === rule.equals
  if ('at_least' in rule) {
    return ({ attributes }) => {
      const value = plain(attributeOf(attributes, rule.attribute))
      return typeof value === 'number' && value >= rule.at_least
    }
  }
  if ('status' in rule) return ({ status }) => status?.code === 2 || status?.code === 'STATUS_CODE_ERROR'
  const [, number = '0', unit = 's'] = /^([\d.]+)([a-z]+)$/.exec(rule.longer_than) ?? []
  // In whole nanoseconds, as the collector compares them: a float cannot hold a time since 1970 that finely.
  const limit = BigInt(Math.round(Number(number) * Number(UNITS[unit as keyof typeof UNITS])))
  return ({ startTimeUnixNano, endTimeUnixNano }) =>
    BigInt(endTimeUnixNano ?? 0) - BigInt(startTimeUnixNano ?? 0) > limit
}

/** Every trace of a recording, and the span of time in which it arrived. */
export type Study = Readonly<{ traces: ReadonlyMap<string, Trace>; spans: number; fromMs: number; toMs: number }>

type Seen = Pick<Request, 'atMs' | 'spans'>

/** Reads a recording once and says what each of its traces is. Throws when it holds no span. */
export async function study(
  requests: AsyncIterable<Seen>,
  classes: readonly Class[],
  pricesOf: (day: Date) => PriceOf,
): Promise<Study> {
  const { see, found } = studying(classes, pricesOf)
  for await (const request of requests) see(request)
  return found()
}

/** The same for who reads the requests for a reason of their own: `see` each of them, then ask what was `found`. */
export function studying(
  classes: readonly Class[],
  pricesOf: (day: Date) => PriceOf,
): Readonly<{ see: (request: Seen) => void; found: () => Study }> {
  type Growing = {
    classes: Set<string>
    agents: Map<string, number>
    spans: number
    usd: number
    unpricedCalls: number
  }
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
      const trace = growing.get(id) ?? { classes: new Set(), agents: new Map(), spans: 0, usd: 0, unpricedCalls: 0 }
      growing.set(id, trace)
      all++
      trace.spans++
      for (const { name, matches } of classes) if (matches(span)) trace.classes.add(name)
      const { agent, call } = modelCall(span)
      const usd = call ? priceOf(...call) : 0
      if (usd === undefined) trace.unpricedCalls++
      trace.usd += usd ?? 0
      if (agent !== undefined) trace.agents.set(agent, (trace.agents.get(agent) ?? 0) + (usd ?? 0))
    }
  }
  const found = () => {
    if (all === 0) throw new UserError('the recording holds no span, so there is nothing to judge; record some traffic')
    const traces = [...growing].map(([id, { classes: seen, agents, ...rest }]): [string, Trace] => {
      const named = classes.map(({ name }) => name).filter((name) => seen.has(name))
      return [id, { id, classes: named.length > 0 ? named : [ROUTINE], agents, ...rest }]
    })
    return { traces: new Map(traces), spans: all, fromMs, toMs }
  }
  return { see, found }
}

/** Who acted in a span, and the model call that it is, if it is one. Conventions of OpenTelemetry, not ours. */
function modelCall({ attributes }: Span): { agent?: string; call?: readonly [string, number, number] } {
  const text = (key: string) => attributeOf(attributes, key)?.stringValue
  const number = (key: string) => plain(attributeOf(attributes, key))
  const agent = text('gen_ai.agent.name')
  const input = number('gen_ai.usage.input_tokens')
  const output = number('gen_ai.usage.output_tokens')
  const isCall = text('gen_ai.operation.name') === 'chat' && (input !== undefined || output !== undefined)
  return {
    ...(agent === undefined ? {} : { agent }),
    ...(isCall ? { call: [text('gen_ai.request.model') ?? '', Number(input ?? 0), Number(output ?? 0)] } : {}),
  }
}
