import { isMap, isSeq, parseDocument } from 'yaml'
import type { Class } from './classes.ts'
import type { Bench } from './collector.ts'
import { drawIn, type Format } from './draw.ts'
import { attributeOf, type Otlp, type Request, readRecording, type Span, spansOf, type Value } from './recording.ts'
import { Refusal } from './refusal.ts'
import { replayEach } from './replay.ts'
import { singlePolicies } from './tune.ts'

export type Asked = Readonly<{
  recording: string
  /** The whole id of a trace, or as much of its beginning as no other has. */
  trace: string
  policies: string
  /** The text of the shipped configuration. */
  config: string
  /** What the list is told by the environment, e.g. `SLOW_CALL: 200ms`. */
  env: Readonly<Record<string, string>>
  classes: readonly Class[]
}>

/** One policy and one trace: how it voted, and what it looked at. */
export type Vote = Readonly<{ policy: string; vote: boolean; looksAt: string }>
export type Why = Readonly<{
  trace: string
  root: string
  agents: readonly string[]
  spans: number
  seconds: number
  classes: readonly string[]
  keptBy: string | undefined
  votes: readonly Vote[]
}>

/** How many other ids an error shows. */
const SHOWN = 3
const WHOLE_LIST = 'the whole list'

/**
 * Says why one trace of a recording is kept or dropped. The votes are those of the real collector, asked with each
 * policy alone; what stands beside a vote is only read from the trace, by the attributes that the policy names.
 */
export async function why(bench: Bench, asked: Asked): Promise<Why> {
  const { recording, policies, config, env, classes } = asked
  const { id, requests } = await find(asked)
  const text = filled(policies, env)
  const decided = await replayEach(
    { ...bench, say: () => {} },
    { requests: () => each(requests), speed: 1, slowCall: env.SLOW_CALL ?? '' },
    { config, lists: [{ name: WHOLE_LIST, text }, ...singlePolicies(text)] },
  )
  const spans = requests.flatMap((request) => request.spans)
  const root = spans.find(({ parentSpanId }) => !parentSpanId)
  const kept = decided.get(WHOLE_LIST)?.get(id)
  if (spans.length === 0) throw new Refusal(`${recording} holds no span of ${id}`)
  return {
    trace: id,
    root: root?.name ?? 'no root came',
    agents: [...new Set(spans.flatMap(({ attributes }) => textOf(attributes, 'gen_ai.agent.name') ?? []))].sort(),
    spans: spans.length,
    seconds: secondsBetween(spans),
    classes: classes.filter(({ matches }) => spans.some(matches)).map(({ name }) => name),
    keptBy: kept && (kept.policy ?? 'a policy that was not recorded'),
    votes: policiesIn(text).map((policy) => ({
      policy: policy.name,
      vote: decided.get(policy.name)?.has(id) ?? false,
      looksAt: looksAt(policy, requests),
    })),
  }
}

async function* each(requests: readonly Request[]): AsyncGenerator<Request> {
  yield* requests
}

/** The requests of a recording with only the spans of the trace whose id begins like this. */
async function find({ recording, trace, classes }: Asked): Promise<{ id: string; requests: readonly Request[] }> {
  const begins = trace.toLowerCase()
  if (!/^[0-9a-f]{1,32}$/.test(begins)) {
    throw new Refusal(
      `TRACE=${trace} is no trace id: it has up to 32 hexadecimal digits; make tune FORMAT=json lists some, and Tempo shows them all`,
    )
  }
  const requests: Request[] = []
  const ids = new Map<string, boolean>()
  for await (const request of readRecording(recording)) {
    for (const span of request.spans) {
      const worth = classes.some(({ mustKeep, matches }) => mustKeep && matches(span))
      ids.set(span.traceId.toLowerCase(), worth || (ids.get(span.traceId.toLowerCase()) ?? false))
    }
    const only = onlyTrace(request, (id) => id.toLowerCase().startsWith(begins))
    if (only) requests.push(only)
  }
  const meant = [...ids.keys()].filter((id) => id.startsWith(begins))
  const [id] = meant
  if (id === undefined) {
    const some = [...ids].sort(([, a], [, b]) => Number(b) - Number(a)).slice(0, SHOWN)
    throw new Refusal(
      `TRACE=${trace} is not among the ${ids.size} traces of ${recording}. Try one of them: ${some.map(([other]) => other).join(', ')}`,
    )
  }
  if (meant.length > 1) {
    throw new Refusal(
      `TRACE=${trace} is the beginning of ${meant.length} traces, such as ${meant.slice(0, SHOWN).join(', ')}: write more digits`,
    )
  }
  return { id, requests }
}

function onlyTrace({ atMs, body }: Request, isMeant: (id: string) => boolean): Request | undefined {
  const otlp = JSON.parse(body.toString()) as Otlp
  const only = {
    resourceSpans: otlp.resourceSpans.map((part) => ({
      ...part,
      scopeSpans: (part.scopeSpans ?? []).map((scope) => ({
        ...scope,
        spans: (scope.spans ?? []).filter(({ traceId }) => isMeant(traceId)),
      })),
    })),
  }
  const spans = spansOf(only)
  return spans.length > 0 ? { atMs, spans, body: Buffer.from(JSON.stringify(only)) } : undefined
}

type Policy = Readonly<{ name: string; type: string; settings: Readonly<Record<string, unknown>> }>

function policiesIn(text: string): readonly Policy[] {
  const list = parseDocument(text).contents
  if (!isSeq(list)) return []
  return list.items.flatMap((item) => (isMap(item) ? [policyOf(item.toJSON())] : []))
}

const policyOf = (raw: Record<string, unknown>): Policy => ({
  name: String(raw.name),
  type: String(raw.type),
  settings: (raw[String(raw.type)] ?? {}) as Record<string, unknown>,
})

const filled = (text: string, env: Readonly<Record<string, string>>) =>
  text.replace(/\$\{env:(\w+)(?::-([^}]*))?\}/g, (_, name, otherwise = '') => env[name] || otherwise)

/** What a policy looks at in this trace, with the bound beside it, in a few words. */
export function looksAt({ type, settings }: Policy, requests: readonly Pick<Request, 'spans' | 'body'>[]): string {
  const spans = requests.flatMap((request) => request.spans)
  const key = String(settings.key)
  switch (type) {
    case 'numeric_attribute': {
      const numbers = valuesOf(key, requests).map(Number).filter(Number.isFinite)
      const bounds = [
        ...('min_value' in settings ? [`from ${settings.min_value}`] : []),
        ...('max_value' in settings ? [`up to ${settings.max_value}`] : []),
      ].join(' ')
      return numbers.length > 0 ? `${key} = ${Math.max(...numbers)}, kept ${bounds}` : none(key, spans)
    }
    case 'string_attribute':
    case 'boolean_attribute': {
      const wanted = 'values' in settings ? (settings.values as unknown[]).join(' or ') : String(settings.value)
      const found = [...new Set(valuesOf(key, requests))]
      return found.length > 0 ? `${key} = ${cut(found.join(', '))}, kept: ${wanted}` : none(key, spans)
    }
    case 'latency':
      return `the trace took ${shown(secondsBetween(spans))}, kept above ${Number(settings.threshold_ms) / 1000} s`
    case 'status_code':
      return `${spans.filter(isError).length} of ${spans.length} spans are errors, kept: ${(settings.status_codes as unknown[] | undefined)?.join(' or ')}`
    case 'span_count':
      return `${spans.length} spans, kept from ${settings.min_spans}`
    case 'probabilistic':
      return `the id of the trace alone; ${settings.sampling_percentage} % are kept`
    case 'always_sample':
      return 'nothing: it keeps every trace'
    case 'ottl_condition':
      return [settings.span, settings.spanevent]
        .flatMap((list) => (Array.isArray(list) ? list.map(String) : []))
        .map((condition) => nearest(condition, spans))
        .join('; ')
    case 'and':
    case 'not':
    case 'drop':
    case 'composite': {
      const parts = Object.values(settings).find((value) => Array.isArray(value) && value.some((one) => one?.type))
      return ((parts as Record<string, unknown>[] | undefined) ?? [])
        .map((part) => looksAt(policyOf(part), requests))
        .join('; ')
    }
    default:
      return '–'
  }
}

const none = (key: string, spans: readonly Span[]) => `none of its ${spans.length} spans has ${key}`
const isError = ({ status }: Span) => status?.code === 2 || status?.code === 'STATUS_CODE_ERROR'

const LASTS = /\(span\.end_time - span\.start_time\)|span\.end_time - span\.start_time/
const ATTRIBUTE = /span\.attributes\["([^"]+)"\](?:\s*==\s*"([^"]*)")?/g

/**
 * The span that comes nearest to a condition: one on which most of the attributes it names have the value beside them,
 * then the longest. Nothing is evaluated: the values are read, and the condition's own words stand for its bounds.
 */
function nearest(condition: string, spans: readonly Span[]): string {
  const named = [...condition.matchAll(ATTRIBUTE)].map(([, key = '', wanted]) => ({ key, wanted }))
  const agree = (span: Span) =>
    named.filter(({ key, wanted }) => wanted !== undefined && textOf(span.attributes, key) === wanted).length
  const has = (span: Span) => named.filter(({ key }) => attributeOf(span.attributes, key)).length
  const looksAtStatus = condition.includes('span.status.code')
  const rank = (span: Span): readonly number[] => [
    agree(span),
    has(span),
    Number(looksAtStatus && isError(span)),
    Number(lengthOf(span)),
  ]
  const [best] = spans.toSorted((one, other) => {
    const [a, b] = [rank(one), rank(other)]
    const at = a.findIndex((value, index) => value !== b[index])
    return at < 0 ? 0 : (b[at] ?? 0) - (a[at] ?? 0)
  })
  if (!best) return '–'
  const first = named.find(({ key }) => !spans.some((span) => attributeOf(span.attributes, key)))
  if (first) return none(first.key, spans)
  const bound = /Duration\("([^"]+)"\)/.exec(condition)?.[1]
  const parts = [
    ...named.map(({ key, wanted }) => {
      const value = textOf(best.attributes, key)
      const looked = wanted === undefined || wanted === value ? '' : `, looked for ${wanted}`
      return `${key} = ${value === undefined ? 'nothing' : cut(value)}${looked}`
    }),
    ...(LASTS.test(condition)
      ? [`the longest took ${shown(Number(lengthOf(best)) / 1e9)}${bound ? `, threshold ${bound}` : ''}`]
      : []),
    ...(looksAtStatus ? [`its status is ${isError(best) ? 'error' : 'not error'}`] : []),
    ...(/span\.name\b/.test(condition) ? [`name = ${cut(best.name ?? '')}`] : []),
  ]
  return parts.length > 0 ? parts.join(', ') : '–'
}

const lengthOf = ({ startTimeUnixNano, endTimeUnixNano }: Span) =>
  BigInt(endTimeUnixNano ?? 0) - BigInt(startTimeUnixNano ?? 0)

function secondsBetween(spans: readonly Span[]): number {
  const starts = spans.map(({ startTimeUnixNano }) => BigInt(startTimeUnixNano ?? 0))
  const ends = spans.map(({ endTimeUnixNano }) => BigInt(endTimeUnixNano ?? 0))
  const first = starts.reduce((least, start) => (start < least ? start : least), starts[0] ?? 0n)
  const last = ends.reduce((most, end) => (end > most ? end : most), 0n)
  return Number(last - first) / 1e9
}

/** Two digits behind the point, and as many more as tell a time from a whole second. */
const shown = (seconds: number) =>
  `${seconds < 0.1 ? (seconds * 1000).toFixed(2) : seconds.toFixed(3).replace(/0$/, '')} ${seconds < 0.1 ? 'ms' : 's'}`

const LONGEST = 60
const cut = (text: string) => (text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text)

const plain = (value: Value | undefined): string | undefined => {
  const found = value?.stringValue ?? value?.intValue ?? value?.doubleValue ?? value?.boolValue
  return found === undefined ? undefined : String(found)
}
const textOf = (attributes: Span['attributes'], key: string) => plain(attributeOf(attributes, key))

/** Values of an attribute on spans and, as the sampler's attribute policies look there too, on their resources. */
function valuesOf(key: string, requests: readonly Pick<Request, 'spans' | 'body'>[]): readonly string[] {
  return requests.flatMap(({ spans, body }) => {
    const { resourceSpans } = JSON.parse(body.toString()) as Otlp
    const onResources = resourceSpans.flatMap(({ resource }) => textOf(resource?.attributes, key) ?? [])
    return [...onResources, ...spans.flatMap(({ attributes }) => textOf(attributes, key) ?? [])]
  })
}

export function whyReport(found: Why, format: Format): string {
  if (format === 'json') return JSON.stringify(found, null, 2)
  const { trace, root, agents, spans, seconds, classes, keptBy, votes } = found
  const rows = votes.map(({ policy, vote, looksAt }) => [policy, vote ? 'yes' : 'no', looksAt])
  return [
    `${trace}: ${root}, ${spans} spans, ${shown(seconds)}${agents.length > 0 ? `, of ${agents.join(', ')}` : ''}`,
    `It is ${classes.length > 0 ? classes.join(', ') : 'routine'}, and ${keptBy ? `kept by ${keptBy}` : 'dropped'}.`,
    drawIn(format)([['policy', 'keeps it', 'looks at'], ...rows]),
  ].join('\n\n')
}
