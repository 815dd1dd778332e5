import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { z } from 'zod'
import type { TraceRequest } from '../../otlp/json.ts'
import { readBySchema } from '../../workbench/located-yaml.ts'
import { UserError } from '../../workbench/user-error.ts'

const HERE = import.meta.dirname

/** What went wrong on purpose in a run; `ordinary` and `stream` are runs in which nothing did. */
export const CLASSES = [
  'ordinary',
  'stream',
  'fail500',
  'fail429',
  'streamfail',
  'slow',
  'toolfail',
  'heavy',
  'parse',
] as const
export type Class = (typeof CLASSES)[number]
const aClass = z.enum(CLASSES, { error: `a class of a run must be one of ${CLASSES.join(', ')}` })

const TOKENS = ['input', 'output', 'cache_read', 'cache_creation', 'reasoning'] as const
const LEFT_OUT = ['model', 'model of failed calls', 'tokens', 'messages', 'messages of later calls', 'answers'] as const

const expectation = z.strictObject({
  sdk: z.string(),
  versions: z.string(),
  agent: z.union([z.string(), z.array(z.string()).min(1)]),
  /** Agents above the calls: those whose calls are counted under their service, and those that only run others. */
  agentsAbove: z.array(z.string()).min(1).optional(),
  model: z.string().optional(),
  provider: z.string().optional(),
  tokens: z.partialRecord(z.enum(TOKENS), z.int().positive()).default({}),
  firstChunks: z.int().positive().optional(),
  kept: z.partialRecord(aClass, z.string()).default({}),
  notSent: z.partialRecord(z.enum([...CLASSES, ...LEFT_OUT]), z.string()).default({}),
})
export type Expectation = z.infer<typeof expectation>

/** One run of an agent: one trace, as its SDK sent it. */
export type Run = Readonly<{ class: Class; trace: string; body: TraceRequest }>

export type Recording = Readonly<{ name: string; service: string; expected: Expectation; runs: readonly Run[] }>

export const fileOf = (name: string): string => join(HERE, 'recordings', `${name}.jsonl.gz`)

/** Every recording with what is expected of it. Throws `UserError` for an entry without a recording, or one with a defect. */
export function readRecordings(): readonly Recording[] {
  const path = join(HERE, 'expectations.yaml')
  const entries = readBySchema(path, readFileSync(path, 'utf8'), z.record(z.string(), expectation))
  return Object.entries(entries).map(([name, expected]) => {
    const file = fileOf(name)
    const lines = gunzipSync(readFileSync(file)).toString().trimEnd().split('\n')
    const runs = lines.flatMap((line, index) => readRun(line, `${file}:${index + 1}`))
    const resource = runs[0]?.body.resourceSpans[0]?.resource
    const service = resource?.attributes?.find(({ key }) => key === 'service.name')?.value?.stringValue ?? ''
    return { name, service, expected, runs }
  })
}

/** A line of a recording; a line of metrics is not read. */
function readRun(line: string, where: string): readonly Run[] {
  const { class: name, body } = JSON.parse(line) as { class: string; body: TraceRequest }
  if (body.resourceSpans === undefined) return []
  const known = aClass.safeParse(name)
  const trace = body.resourceSpans[0]?.scopeSpans?.[0]?.spans?.[0]?.traceId
  if (!known.success) throw new UserError(`${where}: ${known.error.issues[0]?.message}, not "${name}"`)
  if (trace === undefined) throw new UserError(`${where}: the request holds no span`)
  return [{ class: known.data, trace, body }]
}
