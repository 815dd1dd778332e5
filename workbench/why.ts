import { onlySpans, spansOf, type TraceRequest } from '../otlp/json.ts'
import { type Class, classified, classLists, type PriceOf, ROUTINE, type Study, study, type Trace } from './classes.ts'
import type { Launcher } from './collector.ts'
import { drawIn, type Format } from './draw.ts'
import { shownTime } from './duration.ts'
import { extent, type Look, lookOf, policiesIn, seenIn } from './looks.ts'
import { type Request, readRecording } from './recording.ts'
import { type List, replayEach } from './replay.ts'
import { singlePolicies } from './single-policies.ts'
import { UserError } from './user-error.ts'
import { withVariables } from './variables.ts'

/** `drop` is the vote of a drop policy for a trace that it matches: no other policy can keep that trace. */
export type Vote = Readonly<{ policy: string; vote: 'yes' | 'no' | 'drop' }> & Look
export type Why = Readonly<{
  trace: string
  /** Name of its root span; undefined when the recording has none. */
  root: string | undefined
  agents: readonly string[]
  spans: number
  /** From its first start to its last end, by the clock of the recording. */
  seconds: number
  usd: number
  classes: readonly string[]
  kept: boolean
  /** The policy that was recorded on it. */
  recorded: string | undefined
  votes: readonly Vote[]
  /** How much faster than the clock the recorded world ran. */
  timeFactor: number
}>

/** One trace of a recording: only its spans, in the requests that they came in. */
type Found = Readonly<{ id: string; requests: readonly Request[] }>

/** How many other ids an error shows. */
const SHOWN_IDS = 3
/** A trace that took longer to arrive is sent faster, so that nobody waits for hours. */
const LONGEST_SENDING_MS = 2000
const WHOLE_LIST = 'the whole list'

/** Finds the classes of all traces of the recording. It takes seconds, so it is called only for an error. */
export type Classify = (found: Study) => Promise<Study>

/**
 * Finds the trace whose id begins like this. Throws `UserError` when there is no such trace, there is more than one, or this
 * is not an id. The error lists some ids of the recording, first those of traces that must be kept.
 */
export async function findTrace(
  recording: Readonly<{ path: string; shown: string }>,
  trace: string | undefined,
  classify: Classify,
): Promise<Found> {
  const { path } = recording
  if (trace === undefined)
    throw new UserError(
      `TRACE names no trace: write TRACE=… with its id, or how that begins. ${await others(recording, classify)}`,
    )
  const begins = trace.toLowerCase()
  if (!/^[0-9a-f]{1,32}$/.test(begins))
    throw new UserError(
      `TRACE=${trace} is no trace id: that is at most 32 digits from 0 to f. ${await others(recording, classify)}`,
    )
  const isMeant = (id: string) => id.toLowerCase().startsWith(begins)
  const requests: Request[] = []
  for await (const request of readRecording(path)) {
    const only = onlyTrace(request, begins, isMeant)
    if (only) requests.push(only)
  }
  const [id, ...more] = new Set(requests.flatMap(({ spans }) => spans.map(({ traceId }) => traceId.toLowerCase())))
  if (id === undefined)
    throw new UserError(`TRACE=${trace} is no trace of the recording. ${await others(recording, classify)}`)
  if (more.length > 0) {
    throw new UserError(
      `TRACE=${trace} is how ${more.length + 1} traces begin: ${[id, ...more].slice(0, SHOWN_IDS).join(', ')}${more.length >= SHOWN_IDS ? ', …' : ''}. Write more of it`,
    )
  }
  return { id, requests }
}

/** Other ids to try. */
async function others({ path, shown }: Readonly<{ path: string; shown: string }>, classify: Classify): Promise<string> {
  const { traces } = await classify(await study(readRecording(path), () => () => 0))
  const worth = ({ classes }: Trace) => Number(!classes.includes(ROUTINE))
  const ids = [...traces.values()].toSorted((one, other) => worth(other) - worth(one)).slice(0, SHOWN_IDS)
  return `${shown} has ${traces.size}: try ${ids.map(({ id, classes }) => `${id} (${classes.join(', ')})`).join(', ')}`
}

/** A request with only the spans of one trace, and their resources and scopes. Most requests need not be parsed for it. */
function onlyTrace({ atMs, body }: Request, begins: string, isMeant: (id: string) => boolean): Request | undefined {
  if (!body.includes(`"${begins}`) && !body.includes(`"${begins.toUpperCase()}`)) return undefined
  const only = onlySpans(JSON.parse(body.toString()), ({ traceId }) => isMeant(traceId))
  const spans = spansOf(only)
  return spans.length > 0 ? { atMs, spans, body: Buffer.from(JSON.stringify(only)) } : undefined
}

type Question = Readonly<{
  /** The text of a policy file. */
  list: string
  /** The variables of the list, e.g. `SLOW_CALL: 200ms`. */
  env: Readonly<Record<string, string>>
  classes: readonly Class[]
  pricesOf: (day: Date) => PriceOf
  timeFactor: number
}>

/**
 * Says why a trace is kept or dropped. The votes are those of the real collector: it decides on this trace with each policy
 * alone, and with the whole list. The values beside a vote are only read from the trace, at the places that the policy reads.
 */
export async function why(launcher: Launcher, { id, requests }: Found, question: Question): Promise<Why> {
  const { list, env, classes, pricesOf, timeFactor } = question
  const policies = policiesIn(withVariables(list, env))
  const times = requests.map(({ atMs }) => atMs).filter((ms) => ms > 0)
  const lastsMs = Math.max(...times) - Math.min(...times)
  const traffic = {
    requests: () => each(requests),
    speed: Math.max(1, lastsMs / LONGEST_SENDING_MS),
    slowCall: env.SLOW_CALL ?? '',
  }
  const drops = new Set(policies.filter(({ type }) => type === 'drop').map(({ name }) => name))
  const alone = singlePolicies(list).map((single) => (drops.has(single.name) ? besideAll(single) : single))
  const lists = [{ name: WHOLE_LIST, text: list }, ...alone, ...classLists(classes)]
  const decided = await replayEach(launcher, traffic, lists)
  const has = (name: string) => decided.get(name)?.has(id) ?? false
  const { traces } = classified(await study(each(requests), pricesOf), classes, decided)
  const trace = traces.get(id)
  const spans = requests.flatMap((request) => request.spans)
  const seen = seenIn(requests.map(({ body }) => JSON.parse(body.toString()) as TraceRequest))
  return {
    trace: id,
    root: spans.find(({ parentSpanId }) => !parentSpanId)?.name,
    agents: [...(trace?.agents.keys() ?? [])].sort(),
    spans: spans.length,
    seconds: Number(extent(spans)) / 1e9,
    usd: trace?.usd ?? 0,
    classes: trace?.classes ?? [],
    kept: has(WHOLE_LIST),
    recorded: decided.get(WHOLE_LIST)?.get(id)?.policy,
    votes: policies.map((policy) => {
      const { name } = policy
      const vote = drops.has(name) ? (has(name) ? 'no' : 'drop') : has(name) ? 'yes' : 'no'
      return { policy: name, vote, ...lookOf(policy, seen) }
    }),
    timeFactor,
  }
}

/** A drop policy alone keeps nothing. Together with a policy that keeps everything, it shows what it drops. */
function besideAll({ name, text }: List): List {
  const indent = /^ */.exec(text)?.[0] ?? ''
  return { name, text: `${text.trimEnd()}\n${indent}- name: everything-else\n${indent}  type: always_sample\n` }
}

async function* each(requests: readonly Request[]): AsyncGenerator<Request> {
  yield* requests
}

export function whyReport(found: Why, format: Format): string {
  if (format === 'json') return JSON.stringify(found, null, 2)
  const { trace, root, agents, spans, seconds, usd, classes, kept, recorded, votes, timeFactor } = found
  const title = `${trace}: ${root ?? 'no root came'}`
  const verdict = kept ? `kept${recorded === undefined ? '' : `, recorded as ${recorded}`}` : 'dropped'
  return [
    format === 'markdown' ? `### ${title}` : title,
    [
      `${spans} spans in ${shownTime(BigInt(Math.round(seconds * 1e9)))}, ${usd.toFixed(6)} USD${agents.length > 0 ? `, of ${agents.join(', ')}` : ''}`,
      `class: ${classes.join(', ')}`,
      `verdict: ${verdict}`,
    ].join(format === 'markdown' ? '  \n' : '\n'),
    format === 'markdown' ? votesTable(votes) : votes.map(shownVote).join('\n'),
    ...notes(found),
    ...(timeFactor === 1
      ? []
      : [
          `Times are those of the recording, whose world ran ${timeFactor} times faster than the clock: 200 ms are ${shownTime(BigInt(Math.round(timeFactor * 200e6)))} of it.`,
        ]),
  ].join('\n\n')
}

function votesTable(votes: readonly Vote[]): string {
  const barsEscaped = (text: string) => text.replaceAll('|', '\\|')
  return drawIn('markdown')([
    ['policy', 'vote', 'its condition', 'what the trace has'],
    ...votes.map(({ policy, vote, condition, values }) => [policy, vote, ...[condition, values].map(barsEscaped)]),
  ])
}

/** Conditions are too long for a column in a terminal. */
const shownVote = ({ policy, vote, condition, values }: Vote) =>
  `${vote.padEnd(4)}  ${policy}\n      condition  ${condition}\n      trace has  ${values}`

function notes({ kept, votes }: Why): readonly string[] {
  const droppedBy = votes.filter(({ vote }) => vote === 'drop').map(({ policy }) => policy)
  if (droppedBy.length > 0 && !kept) return [`${droppedBy.join(' and ')} takes it away, whatever the others say.`]
  const voted = votes.some(({ vote }) => vote === 'yes')
  return voted === kept
    ? []
    : [
        'The list decides otherwise than the single votes say: one of its policies weighs what others see, or remembers.',
      ]
}
