import { createReadStream, existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { Refusal } from './refusal.ts'

export type Value = Readonly<{
  stringValue?: string
  intValue?: string | number
  doubleValue?: number
  boolValue?: boolean
}>
export type Attribute = Readonly<{ key: string; value?: Value }>
export type Span = Readonly<{
  traceId: string
  spanId: string
  name?: string
  startTimeUnixNano?: string | number
  endTimeUnixNano?: string | number
  attributes?: readonly Attribute[]
  status?: Readonly<{ code?: number | string }>
}>
type Scope = Readonly<{ scope?: Readonly<{ attributes?: readonly Attribute[] }>; spans?: readonly Span[] }>
type Resource = Readonly<{ resource?: Readonly<{ attributes?: readonly Attribute[] }>; scopeSpans?: readonly Scope[] }>

/** The body of one OTLP request, as JSON holds it. */
export type Otlp = Readonly<{ resourceSpans: readonly Resource[] }>

/** One request of a recording: when it arrived, in milliseconds since 1970, and what to send again. */
export type Request = Readonly<{ atMs: number; body: string; spans: readonly Span[] }>

/** The attribute with which record.yaml stamps each resource. It is ours, so it is never sent again. */
const ARRIVAL = 'recording.arrival'

export const attributeOf = (attributes: readonly Attribute[] | undefined, key: string): Value | undefined =>
  attributes?.find((attribute) => attribute.key === key)?.value

export const spansOf = ({ resourceSpans }: Otlp): readonly Span[] =>
  resourceSpans.flatMap(({ scopeSpans = [] }) => scopeSpans.flatMap(({ spans = [] }) => spans))

/**
 * Reads a recording, one request at a time: OTLP JSON lines, plain or gzipped, ours or made elsewhere. Without
 * our stamp the latest end of its spans is taken for the arrival of a request. Throws a sentence with file and
 * line when a line is no such request.
 */
export async function* readRecording(path: string): AsyncGenerator<Request> {
  if (!existsSync(path)) {
    throw new Refusal(`${path}: there is no such file; make record makes one, or name your own with RECORDING=…`)
  }
  let line = 0
  for await (const text of linesOf(path, () => line + 1)) {
    line++
    if (text.trim() !== '') yield request(text, `${path}:${line}`)
  }
  if (line === 0)
    throw new Refusal(`${path}:1: the file is empty: a recording has one OTLP request per line; record again`)
}

async function* linesOf(path: string, line: () => number): AsyncGenerator<string> {
  const file = createReadStream(path)
  let broken: NodeJS.ErrnoException | undefined
  const input = path.endsWith('.gz')
    ? pipeline(file, createGunzip(), (error) => {
        broken = error ?? undefined
      })
    : file
  try {
    yield* createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
  } catch (error) {
    broken = error as Error
  } finally {
    file.destroy()
  }
  if (!broken) return
  const [why, rule] =
    broken.code === 'Z_BUF_ERROR'
      ? ['the file is cut off', 'a recording ends with a whole line; record or copy it again']
      : [
          broken.message,
          'a recording is a file of lines, gzipped when its name ends in .gz; name another with RECORDING=…',
        ]
  throw new Refusal(`${path}:${line()}: ${why}: ${rule}`)
}

function request(text: string, where: string): Request {
  const rule = 'each line is one whole OTLP trace request in JSON'
  let otlp: Otlp
  try {
    otlp = JSON.parse(text)
  } catch {
    throw new Refusal(
      `${where}: the line is cut off or no JSON, near "…${text.slice(-30)}": ${rule}; record or copy it again`,
    )
  }
  if (!Array.isArray(otlp?.resourceSpans)) {
    throw new Refusal(
      `${where}: the line has no resourceSpans: ${rule}; export traces, with the file exporter for example`,
    )
  }
  const spans = spansOf(otlp)
  const odd = spans.find(({ traceId }) => !/^[0-9a-f]{32}$/i.test(traceId ?? ''))
  if (odd) {
    throw new Refusal(
      `${where}: a span has the trace id "${odd.traceId}": ${rule}, its ids in 32 hexadecimal digits; convert them`,
    )
  }
  const stamps = otlp.resourceSpans.flatMap(({ resource }) => {
    const stamp = attributeOf(resource?.attributes, ARRIVAL)
    return stamp ? [nanosToMs(stamp.intValue)] : []
  })
  const times = stamps.length > 0 ? stamps : spans.map(({ endTimeUnixNano }) => nanosToMs(endTimeUnixNano))
  return {
    atMs: times.reduce((latest, ms) => Math.max(latest, ms), 0),
    body: stamps.length > 0 ? JSON.stringify(withoutStamp(otlp)) : text,
    spans,
  }
}

export const nanosToMs = (nanos: string | number | undefined): number => Number(nanos ?? 0) / 1e6

const withoutStamp = (otlp: Otlp): Otlp => ({
  ...otlp,
  resourceSpans: otlp.resourceSpans.map((part) => ({
    ...part,
    resource: {
      ...part.resource,
      attributes: (part.resource?.attributes ?? []).filter(({ key }) => key !== ARRIVAL),
    },
  })),
})

/** Where the ledger of a recording stands, when it has one. */
export const ledgerBeside = (recording: string): string => recording.replace(/\.jsonl(\.gz)?$/, '.ledger.jsonl')

/** How much faster than the clock the recorded world ran; 1 when nothing says otherwise. */
export async function timeFactorOf(recording: string): Promise<number> {
  const ledger = ledgerBeside(recording)
  if (ledger === recording || !existsSync(ledger)) return 1
  const file = createReadStream(ledger)
  try {
    for await (const line of createInterface({ input: file })) return Number(JSON.parse(line).timeFactor) || 1
  } finally {
    file.destroy()
  }
  return 1
}
