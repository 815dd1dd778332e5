import { eachSpan, fromAttributes, isError, type Plain } from '../../otlp/json.ts'
import { CALL_OPERATIONS, COLLECTOR, GEN_AI, MESSAGES, METRICS } from '../../vocabulary/attributes.ts'
import { drawIn, type Format } from '../../workbench/draw.ts'
import type { Class, Recording } from './recordings.ts'
import { idOf, type Outcome, type Seen } from './replay.ts'

/** One promise for one SDK: kept, kept by an estimate, not to be kept because the SDK does not send what it needs, or broken. */
export type Verdict =
  | Readonly<{ is: 'yes' }>
  | Readonly<{ is: 'not sent' | 'estimated'; why: string }>
  | Readonly<{ is: 'not tried' }>
  | Readonly<{ is: 'no'; why: string }>

const YES: Verdict = { is: 'yes' }
const no = (why: string): Verdict => ({ is: 'no', why })
const CALLS: readonly Plain[] = CALL_OPERATIONS

/** Which policy must be recorded on the runs of a class. A call that was heavy may have been slow, too. */
const KEPT_BY: Readonly<Record<Exclude<Class, 'ordinary' | 'stream'>, readonly string[]>> = {
  fail500: ['keep-failed-calls'],
  fail429: ['keep-failed-calls'],
  streamfail: ['keep-failed-calls'],
  slow: ['keep-slow-calls'],
  toolfail: ['keep-failed-agents-and-tools'],
  heavy: ['keep-heavy-calls', 'keep-slow-calls'],
  parse: ['keep-parse-errors'],
}

type Question = (recording: Recording, outcome: Outcome) => Verdict

/** What is promised to every SDK, in the order of the table. */
export const PROMISES = {
  'failed call kept': keeps('fail500', 'fail429', 'streamfail'),
  'slow call kept': keeps('slow'),
  'failed tool kept': keeps('toolfail'),
  'heavy call kept': keeps('heavy'),
  'unreadable reply kept': keeps('parse'),
  'ordinary run not kept by a rule': ordinary,
  agent,
  'model and provider': model,
  'tokens exact': tokens,
  'first chunk': firstChunk,
  'kind in Phoenix': kinds,
  'input and output in Phoenix': messages,
  'nothing lost or changed': unchanged,
} as const satisfies Readonly<Record<string, Question>>

const spansOf = ({ service }: Recording, { seen }: Outcome): readonly Seen[] =>
  [...seen.values()].filter((one) => one.service === service)
const callsOf = (recording: Recording, outcome: Outcome) =>
  spansOf(recording, outcome).filter(({ attributes }) => CALLS.includes(attributes['gen_ai.operation.name']))

function keeps(...classes: readonly Exclude<Class, 'ordinary' | 'stream'>[]): Question {
  return ({ runs, expected }, { kept }) => {
    const verdicts = classes.map((one): Verdict => {
      const traces = runs.filter((run) => run.class === one).map(({ trace }) => trace)
      if (traces.length === 0) return { is: 'not tried' }
      const policies = expected.kept[one] === undefined ? KEPT_BY[one] : [expected.kept[one]]
      const right = traces.filter((trace) => policies.includes(kept.get(trace) ?? ''))
      const why = expected.notSent[one]
      if (why === undefined)
        return right.length === traces.length ? YES : no(`${right.length} of ${traces.length} ${one} by ${policies}`)
      return right.length === 0 ? { is: 'not sent', why } : no(`${one} is kept, but expected not to be sent`)
    })
    return (
      verdicts.find(({ is }) => is === 'no') ?? verdicts.find(({ is }) => is !== 'not tried') ?? { is: 'not tried' }
    )
  }
}

/** A first call that opens its connection may be slow. */
function ordinary({ runs }: Recording, { kept }: Outcome): Verdict {
  const policies = runs
    .filter((run) => run.class === 'ordinary' || run.class === 'stream')
    .map(({ trace }) => kept.get(trace))
    .filter((policy) => policy?.startsWith('keep-') && policy !== 'keep-slow-calls')
  return policies.length === 0 ? YES : no(`an ordinary run is kept by ${policies}`)
}

/** Calls tell their agent; where an SDK has no span of a call, its agents do. */
function agent(recording: Recording, outcome: Outcome): Verdict {
  const { expected, service } = recording
  const calls = callsOf(recording, outcome)
  const agents = spansOf(recording, outcome).filter(
    ({ attributes }) => attributes['gen_ai.operation.name'] === 'invoke_agent',
  )
  const asked = calls.length > 0 ? calls : agents
  const names = new Set(asked.map(({ attributes }) => attributes['gen_ai.agent.name']))
  const isService = expected.agent === 'service'
  const wanted = isService ? [service] : [expected.agent].flat()
  const same = names.size === wanted.length && wanted.every((name) => names.has(name))
  if (!same) return no(`the agents are ${[...names]}, not ${wanted}`)
  const from = new Set(asked.map(({ attributes }) => attributes['woodland.agent.from']))
  if (from.size !== 1 || from.has('service') !== isService) return no(`the hint is ${[...from]}`)
  return isService ? agentAbove(recording, outcome) : YES
}

function agentAbove({ expected, service }: Recording, { counted }: Outcome): Verdict {
  const mine = counted.filter(({ name, labels }) => name === METRICS.AGENT_TOKENS && labels['service.name'] === service)
  const found = [...new Set(mine.map(({ labels }) => String(labels[COLLECTOR.CALLER])))].sort()
  const wanted = expected.agentsAbove ?? []
  if (String(found) !== String(wanted)) return no(`tokens are estimated for the agents ${found}, not for ${wanted}`)
  return found.length === 0
    ? { is: 'not sent', why: 'the name of the service stands for it' }
    : {
        is: 'estimated',
        why: 'only a span above the calls names it. The Agent map has tokens and cost by agent, from kept traces; elsewhere the name of the service stands for it',
      }
}

function model(recording: Recording, outcome: Outcome): Verdict {
  const { expected } = recording
  const all = callsOf(recording, outcome)
  const nameless = all.filter(
    ({ span, attributes }) => isError(span) && attributes['gen_ai.request.model'] === undefined,
  )
  const whyNameless = expected.notSent['model of failed calls']
  const calls = whyNameless === undefined ? all : all.filter((call) => !nameless.includes(call))
  const wrong = calls.filter(
    ({ attributes }) =>
      attributes['gen_ai.request.model'] !== expected.model ||
      attributes['gen_ai.provider.name'] !== expected.provider ||
      ![expected.model, undefined].includes(attributes['gen_ai.response.model'] as string | undefined),
  )
  if (wrong.length > 0) return no(`${wrong.length} of ${calls.length} calls have another model or provider`)
  const why = expected.notSent.model
  if (why !== undefined) return calls.length === 0 ? { is: 'not sent', why } : no('a call has a model after all')
  if (whyNameless !== undefined)
    return nameless.length > 0 ? { is: 'not sent', why: whyNameless } : no('failed calls have a model after all')
  return calls.length > 0 ? YES : no('there is no call')
}

function tokens({ expected, service }: Recording, { counted }: Outcome): Verdict {
  const mine = counted.filter(
    ({ name, labels }) => name === 'gen_ai.usage.tokens' && labels['service.name'] === service,
  )
  const sums: Record<string, number> = {}
  for (const { labels, value } of mine) {
    const type = String(labels['gen_ai.token.type'])
    sums[type] = (sums[type] ?? 0) + value
  }
  const told = (some: Readonly<Record<string, number>>) =>
    Object.entries(some)
      .map(([type, count]) => `${type} ${count}`)
      .sort()
      .join(', ')
  if (told(sums) !== told(expected.tokens)) return no(`counted ${told(sums)}; sent ${told(expected.tokens)}`)
  const nameless = mine.find(({ labels }) => !labels['gen_ai.agent.name'] || !labels['gen_ai.request.model'])
  if (nameless) return no('a series has no agent or no model')
  const why = expected.notSent.tokens
  if (why !== undefined) return mine.length === 0 ? { is: 'not sent', why } : no('tokens are counted after all')
  return mine.length > 0 ? YES : no('nothing is counted')
}

function firstChunk({ expected, service }: Recording, { counted }: Outcome): Verdict {
  const count = counted
    .filter(({ name, labels }) => name === 'gen_ai.usage.first_chunk' && labels['service.name'] === service)
    .reduce((sum, one) => sum + one.count, 0)
  if (count !== (expected.firstChunks ?? 0)) return no(`${count} times, not ${expected.firstChunks ?? 0}`)
  return count > 0 ? YES : { is: 'not sent', why: 'no call of the recording tells it' }
}

/** A request over HTTP below a call is of no SDK for models, and stays as it is. */
function kinds(recording: Recording, outcome: Outcome): Verdict {
  const isRequest = ({ attributes }: Seen) => attributes['http.method'] ?? attributes['http.request.method']
  const spans = spansOf(recording, outcome).filter(
    (one) => !(isRequest(one) && !one.attributes['gen_ai.operation.name']),
  )
  const unknown = spans.filter(({ attributes }) => !attributes['openinference.span.kind'])
  return unknown.length === 0 ? YES : no(`${unknown.length} spans have none, e.g. ${unknown[0]?.span.name}`)
}

/** Every call and every tool that went well shows what it got; a call shows what it gave. */
function messages(recording: Recording, outcome: Outcome): Verdict {
  const well = spansOf(recording, outcome).filter(({ span }) => !isError(span))
  const isCall = ({ attributes }: Seen) => CALLS.includes(attributes['gen_ai.operation.name'])
  const isTool = ({ attributes }: Seen) => attributes['gen_ai.operation.name'] === 'execute_tool'
  const has = ({ attributes }: Seen, keys: readonly string[]) => keys.some((key) => isShown(key, attributes[key]))
  // Two instrumentations of one call (OpenAI Agents and the openai package, both by Traceloop): the inner one has the reply.
  const outer = new Set(well.filter(isCall).map(({ span }) => span.parentSpanId))
  const lacks = (one: Seen) => !has(one, MESSAGES.INPUT) || !(has(one, MESSAGES.OUTPUT) || outer.has(one.span.spanId))
  const silent = well.filter((one) => (isCall(one) && lacks(one)) || (isTool(one) && !has(one, MESSAGES.INPUT)))
  const why = recording.expected.notSent.messages
  if (why !== undefined)
    return well.some((one) => isCall(one) && has(one, MESSAGES.INPUT))
      ? no('a call shows them after all')
      : { is: 'not sent', why }
  const whyLater = recording.expected.notSent['messages of later calls']
  if (whyLater !== undefined && silent.length > 0 && silent.every((one) => isCall(one) && has(one, MESSAGES.OUTPUT)))
    return { is: 'not sent', why: whyLater }
  const whyAnswers = recording.expected.notSent.answers
  if (whyAnswers !== undefined && silent.length > 0 && silent.every((one) => isCall(one) && has(one, MESSAGES.INPUT)))
    return { is: 'not sent', why: whyAnswers }
  return silent.length === 0 ? YES : no(`${silent.length} spans do not, e.g. ${silent[0]?.span.name}`)
}

/** Phoenix (20.26.1) shows no message of a span when one of them lacks its parts, or an answer the reason why it ended. */
function isShown(key: string, value: Plain): boolean {
  if (key !== GEN_AI.INPUT_MESSAGES && key !== GEN_AI.OUTPUT_MESSAGES) return value !== undefined
  if (typeof value !== 'string') return false
  const messages: readonly Readonly<Record<string, unknown>>[] = JSON.parse(value)
  const isWhole = ({ role, parts, finish_reason: reason }: (typeof messages)[number]) =>
    typeof role === 'string' && Array.isArray(parts) && (key === GEN_AI.INPUT_MESSAGES || typeof reason === 'string')
  return Array.isArray(messages) && messages.length > 0 && messages.every(isWhole)
}

/** Text in which something private was masked is compared by others. A list that came as text becomes a list. */
function unchanged({ runs }: Recording, { seen }: Outcome): Verdict {
  const faults = runs.flatMap(({ body }) =>
    [...eachSpan(body)].flatMap(({ span }) => {
      const now = seen.get(idOf(span))
      if (now === undefined) return [`${span.name} is lost`]
      const events = (span.events ?? []).length === (now.span.events ?? []).length ? [] : [`${span.name} lost an event`]
      const before = fromAttributes(span.attributes)
      const changed = Object.entries(before).filter(
        ([key, value]) => !isSame(value, now.attributes[key]) && value !== now.attributes[keptAs(key)],
      )
      return [...events, ...changed.map(([key]) => `${key} of ${span.name}`)]
    }),
  )
  return faults.length === 0 ? YES : no(`${faults.length}, e.g. ${faults[0]}`)
}

/** Where the Collector writes what was sent, when it writes something else in its place: tokens, and names of models. */
const keptAs = (key: string) => `${key.replace(/^gen_ai[.]/, 'woodland.')}.sent`

function isSame(before: Plain, now: Plain): boolean {
  const [one, other] = [JSON.stringify(before), JSON.stringify(now)]
  const isListed = typeof before === 'string' && other === `[${one}]`
  return one === other || other === before || isListed || (other?.includes('****') ?? false)
}

/** Every promise for every SDK. */
export const verdictsOf = (recordings: readonly Recording[], outcome: Outcome) =>
  recordings.map((recording) => ({
    recording,
    verdicts: new Map<string, Verdict>(Object.entries(PROMISES).map(([name, ask]) => [name, ask(recording, outcome)])),
  }))

const cell = (verdict: Verdict): string =>
  verdict.is === 'not tried' ? '–' : 'why' in verdict ? `${verdict.is}: ${verdict.why}` : verdict.is

/** The table of SDKs: one row an SDK, one column a promise. */
export function sdksReport(judged: ReturnType<typeof verdictsOf>, format: Format): string {
  const rows = judged.map(({ recording: { expected }, verdicts }) => [
    expected.sdk,
    expected.versions,
    ...[...verdicts.values()].map(cell),
  ])
  if (format === 'json') return JSON.stringify(rows, null, 2)
  return drawIn(format)([['SDK', 'versions', ...Object.keys(PROMISES)], ...rows])
}

/** The columns of the short table, and the promises in each. */
const SHORT: Readonly<Record<string, readonly (keyof typeof PROMISES)[]>> = {
  'runs that must be kept': [
    'failed call kept',
    'slow call kept',
    'failed tool kept',
    'heavy call kept',
    'unreadable reply kept',
    'ordinary run not kept by a rule',
  ],
  agent: ['agent'],
  'model, tokens': ['model and provider', 'tokens exact'],
  'in Phoenix': ['kind in Phoenix', 'input and output in Phoenix'],
  'nothing lost': ['nothing lost or changed'],
}

/** The table for readers in a hurry: one cell for a few promises, and below it what SDKs do not send, each reason once. */
export function sdksSummary(judged: ReturnType<typeof verdictsOf>): string {
  const notes: string[] = []
  const noteOf = (text: string) => {
    if (!notes.includes(text)) notes.push(text)
    return notes.indexOf(text) + 1
  }
  const rows = judged.map(({ recording: { expected }, verdicts }) => [
    `${expected.sdk} (${expected.versions})`,
    ...Object.values(SHORT).map((promises) => {
      const asked = promises.flatMap((promise) => ({ promise, verdict: verdicts.get(promise) ?? no('not asked') }))
      if (asked.some(({ verdict }) => verdict.is === 'no')) return 'no'
      const missing = asked.flatMap(({ promise, verdict }) =>
        verdict.is === 'not sent' || verdict.is === 'estimated'
          ? [noteOf(`${promise}: ${verdict.is}; ${verdict.why}.`)]
          : [],
      )
      const best =
        (['yes', 'estimated'] as const).find((is) => asked.some(({ verdict }) => verdict.is === is)) ?? 'not sent'
      return missing.length === 0 ? best : `${best} (${missing.join(', ')})`
    }),
  ])
  const table = drawIn('markdown')([['SDK', ...Object.keys(SHORT)], ...rows])
  return [table, notes.map((note, index) => `${index + 1}. ${note}`).join('\n')].join('\n\n')
}
