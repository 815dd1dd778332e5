import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ParseOptions } from 'yaml'
import { z } from 'zod'
import { type Span, toAttributes, traceRequest } from '../otlp/json.ts'
import type { Launcher } from '../workbench/collector.ts'
import { durationOf } from '../workbench/duration.ts'
import { readBySchema } from '../workbench/located-yaml.ts'
import type { Request } from '../workbench/recording.ts'
import { type Decisions, type List, replayEach } from '../workbench/replay.ts'
import { UserError } from '../workbench/user-error.ts'
import { withVariables } from '../workbench/variables.ts'

/** One folder of evidence/cases: what is sent, and what must happen to it. */
export type Case = Readonly<{
  /** The name of its folder, which is a sentence. */
  name: string
  requests: readonly Request[]
  expected: readonly Expected[]
  /** Settings of the sampler for this case, if any. Then the case has its own sampler. */
  sampler: Readonly<Record<string, unknown>> | undefined
}>

/** What must happen to the traces of one label. Most labels are one trace; the label of a repeated request is many. */
type Expected = Readonly<{ label: string; ids: readonly string[]; kept: number; policy?: string; spans?: number }>

/**
 * A hundred times faster than real time. In time of the case, the sampler waits 700 s for a trace without a root, as it waits
 * whole seconds, and 100 s after a root, because it cannot wait less than a second.
 */
const SPEED = 100
/** Any day, because the sampler does not use it. */
const BEGINNING_MS = Date.UTC(2026, 0, 1)
/** A case with more spans is sent after the others: while it is sent, requests of other cases would be late. */
const FEW_SPANS = 100

const TIME = { error: 'a time must be a number with a unit; write 2s or 1999ms' }
const duration = z
  .string(TIME)
  .regex(/^-?\d+(\.\d+)?(us|ms|s|m)$/, TIME)
  .transform((text) => (text.startsWith('-') ? -1 : 1) * (durationOf(text.replace('-', '')) ?? 0))

/** An object whose error for an unknown key lists the allowed keys. */
const known = <T extends z.ZodRawShape>(shape: T) =>
  z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `"${issue.keys?.join('", "')}" is not a known key; use one of ${Object.keys(shape).join(', ')}`
        : `this must be a map with the keys ${Object.keys(shape).join(', ')}`,
  })

const TEXT = { error: 'this must be a text; put it in quotes if it looks like a number or a boolean' }
const text = z.string(TEXT)
const ATTRIBUTES = { error: 'attributes must be a map; write attributes: { error.type: parse_error }' }
const attributes = z.record(z.string(), z.unknown(), ATTRIBUTES)
const TIMES = { error: 'times must be a whole number of 1 or more; write times: 3' }
// In traffic a whole number is a bigint, so that 9000 and 9000.0 are two types, as they are in OTLP; null is a value without one.
const times = z.bigint(TIMES).positive(TIMES).transform(Number).default(1)
const traffic = z
  .array(
    known({
      at: duration.default(0),
      times,
      resource: attributes.default({}),
      scope: text.default(''),
      spans: z
        .array(
          known({
            name: text.default('step'),
            trace: text.default('it'),
            id: text.optional(),
            parent: text.optional(),
            start: duration.default(0),
            lasts: duration.default(100e6),
            status: z.enum(['unset', 'ok', 'error'], { error: 'a status must be unset, ok or error' }).default('unset'),
            times,
            attributes: attributes.default({}),
          }),
          { error: 'a request must have a list of spans; start each with "- {"' },
        )
        .min(1, { error: 'a request must have at least one span; add "- { name: … }"' }),
    }),
    { error: 'traffic must be a list of requests; start each with "- spans:"' },
  )
  .min(1, { error: 'traffic must have at least one request; start it with "- spans:"' })

const verdict = z.union(
  [
    z.literal('dropped'),
    z.strictObject({ kept: z.int(), policy: z.string().optional() }),
    z.strictObject({ policy: z.string(), spans: z.int().positive() }),
  ],
  { error: 'a verdict must be dropped, or { policy: keep-…, spans: 3 }, or for repeated traces { kept: 97 }' },
)
const expectation = known({
  traces: z.record(z.string(), verdict, {
    error: 'traces must map each trace to its verdict; write traces: { it: dropped }',
  }),
  salt: z.int({ error: 'salt must be a whole number; another number gives other trace ids' }).default(0),
  sampler: z
    .record(z.string(), z.unknown(), { error: 'sampler must be a map of settings; write sampler: { num_traces: 5 }' })
    .optional(),
})

/** Reads every case of a folder. Throws one line for each defect: file, line, rule and fix. */
export function readCases(folder: string): readonly Case[] {
  const names = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
  return names.sort().map((name) => readCase(join(folder, name), name))
}

const SENTENCE = /^[a-z0-9]+(-[a-z0-9]+){2,}$/

function readCase(folder: string, name: string): Case {
  if (!SENTENCE.test(name)) {
    throw new UserError(
      `${folder}: the name of a case must be a sentence in lower case with dashes, such as a-failed-call-is-kept`,
    )
  }
  const requests = read(join(folder, 'traffic.yaml'), traffic, { intAsBigInt: true })
  const { traces, salt, sampler } = read(join(folder, 'expect.yaml'), expectation)
  const idOf = (label: string, turn: number) => digest(32, name, salt, label, turn)
  const turns = new Map<string, number>()
  for (const { spans, times } of requests) {
    for (const { trace } of spans) turns.set(trace, Math.max(turns.get(trace) ?? 0, times))
  }
  const unknown = Object.keys(traces).find((label) => !turns.has(label))
  const forgotten = [...turns.keys()].find((label) => !(label in traces))
  if (unknown ?? forgotten) {
    throw new UserError(
      unknown === undefined
        ? `${folder}/expect.yaml: the trace "${forgotten}" is sent and has no verdict; add ${forgotten}: dropped, or another verdict`
        : `${folder}/expect.yaml: the trace "${unknown}" is never sent; traffic.yaml has ${[...turns.keys()].join(', ')}`,
    )
  }
  return {
    name,
    sampler,
    requests: requests.flatMap(({ at, times, resource, scope, spans }) =>
      Array.from({ length: times }, (_, turn) => {
        const sent = spans.flatMap((span, index) =>
          Array.from({ length: span.times }, (_, copy): Span => {
            const idIn = (id: string) => digest(16, name, salt, span.trace, turn, id)
            const start = BigInt(BEGINNING_MS) * 1_000_000n + BigInt(at) + BigInt(span.start)
            return {
              traceId: idOf(span.trace, turn),
              spanId: idIn(span.id ?? `${at} ${index} ${copy}`),
              ...(span.parent ? { parentSpanId: idIn(span.parent) } : {}),
              name: span.name,
              startTimeUnixNano: String(start),
              endTimeUnixNano: String(start + BigInt(span.lasts)),
              status: { code: { unset: 0, ok: 1, error: 2 }[span.status] },
              attributes: toAttributes(span.attributes),
            }
          }),
        )
        const body = traceRequest(sent, { resource, scope: { name: scope } })
        return { atMs: BEGINNING_MS + at / 1e6, body: Buffer.from(JSON.stringify(body)), spans: sent }
      }),
    ),
    expected: Object.entries(traces).map(([label, is]) => {
      const ids = Array.from({ length: turns.get(label) ?? 1 }, (_, turn) => idOf(label, turn))
      if (is === 'dropped') return { label, ids, kept: 0 }
      return 'kept' in is
        ? { label, ids, kept: is.kept, ...(is.policy ? { policy: is.policy } : {}) }
        : { label, ids, kept: ids.length, policy: is.policy, spans: is.spans }
    }),
  }
}

/** An id with random digits everywhere, because samplers use only a part of an id. */
const digest = (digits: number, ...of: readonly unknown[]) =>
  createHash('sha256').update(JSON.stringify(of)).digest('hex').slice(0, digits)

function read<T>(path: string, schema: z.ZodType<T>, options: ParseOptions = {}): T {
  if (!existsSync(path))
    throw new UserError(`${path} is missing: a case must have traffic.yaml and expect.yaml; add this file`)
  return readBySchema(path, readFileSync(path, 'utf8'), schema, options)
}

/** A case that a list of policies fails, in one sentence. */
export type Failure = Readonly<{ name: string; why: string }>

/**
 * How much slower the cases of several requests are sent in each try, when a list fails them. Their requests must reach
 * the sampler in time, and on a busy machine they may be late. So only a case that fails in each try is a failure.
 */
const SLOWER = [2, 4]

/**
 * Sends every case through each list, all in one real collector, and returns for each list the cases that it fails. A case
 * of one request has the same result on any machine. A list that passes all of these is then tried on the other cases, which take longer.
 */
export async function judgeCases(
  launcher: Launcher,
  cases: readonly Case[],
  lists: readonly List[],
): Promise<ReadonlyMap<string, readonly Failure[]>> {
  const told = await judgeOnce(launcher, cases, lists, 1)
  const timed = new Set(cases.filter(takesTime).map(({ name }) => name))
  for (const [list, failures] of told) {
    const certain = failures.filter(({ name }) => !timed.has(name))
    if (certain.length > 0) told.set(list, certain)
  }
  const isOpen = (failures: readonly Failure[] = []) => failures.some(({ name }) => timed.has(name))
  for (const stretch of SLOWER) {
    const open = lists.filter(({ name }) => isOpen(told.get(name)))
    if (open.length === 0) break
    const names = new Set(open.flatMap(({ name }) => (told.get(name) ?? []).map((failure) => failure.name)))
    const some = cases.filter(({ name }) => names.has(name))
    const again = await judgeOnce(launcher, some, open, stretch)
    for (const { name } of open) {
      const failed = new Set(again.get(name)?.map((failure) => failure.name))
      told.set(
        name,
        (told.get(name) ?? []).filter((failure) => failed.has(failure.name)),
      )
    }
  }
  return told
}

const takesTime = ({ requests, sampler }: Case) =>
  sampler !== undefined || requests.length > new Set(requests.map(({ spans }) => spans[0]?.traceId)).size

/** Cases with their own sampler are sent to a separate collector, at the same time. */
async function judgeOnce(
  launcher: Launcher,
  cases: readonly Case[],
  lists: readonly List[],
  stretch: number,
): Promise<Map<string, readonly Failure[]>> {
  const groups = [
    { cases: cases.filter(({ sampler }) => !sampler), sampler: {} },
    ...cases.flatMap((one) => (one.sampler ? [{ cases: [one], sampler: one.sampler }] : [])),
  ].filter((group) => group.cases.length > 0)
  const answers = await Promise.all(
    groups.map(({ cases, sampler }) =>
      replayEach(
        launcher,
        { requests: () => inOrder(cases), speed: SPEED, stretch, slowCall: '' },
        lists.map(({ name, text }) => ({ name, text: withVariables(text, {}), sampler })),
      ),
    ),
  )
  const failuresIn = (list: string) =>
    groups.flatMap(({ cases }, index) =>
      cases.flatMap((one) => failuresOf(one, answers[index]?.get(list) ?? new Map())),
    )
  return new Map(lists.map(({ name }) => [name, failuresIn(name)]))
}

async function* inOrder(cases: readonly Case[]): AsyncGenerator<Request> {
  const isSmall = ({ requests }: Case) => requests.reduce((sum, { spans }) => sum + spans.length, 0) <= FEW_SPANS
  const small = cases.filter(isSmall).flatMap(({ requests }) => requests)
  const overMs = Math.max(0, ...small.map(({ atMs }) => atMs - BEGINNING_MS))
  const large = cases.filter((one) => !isSmall(one)).flatMap(({ requests }) => requests)
  const later = large.map((request) => ({ ...request, atMs: request.atMs + overMs }))
  yield* [...small, ...later].sort((one, other) => one.atMs - other.atMs)
}

function failuresOf({ name, expected }: Case, decisions: Decisions): readonly Failure[] {
  return expected.flatMap(({ label, ids, kept, policy, spans }): readonly Failure[] => {
    const found = ids.flatMap((id) => decisions.get(id) ?? [])
    const wrong = (is: string, should: string) => [{ name, why: `${label} ${is}, and should be ${should}` }]
    if (found.length !== kept) {
      if (ids.length > 1) return wrong(`is kept ${found.length} times of ${ids.length}`, `kept ${kept} times`)
      return found.length === 0
        ? wrong('is dropped', `kept by ${policy}`)
        : wrong(`is kept by ${found[0]?.policy}`, 'dropped')
    }
    const other = policy ? found.find((trace) => trace.policy !== policy) : undefined
    if (other) return wrong(`is kept by ${other.policy}`, `kept by ${policy}`)
    const partial = spans ? found.find((trace) => trace.spans !== spans) : undefined
    return partial ? wrong(`arrives with ${partial.spans} spans`, `whole with ${spans}`) : []
  })
}
