import { closeSync, createReadStream, existsSync, fstatSync, openSync, readSync } from 'node:fs'
import { basename } from 'node:path'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { attributeOf, nanosToMs, type Span, spansOf, type TraceRequest } from '../otlp/json.ts'
import { UserError } from './user-error.ts'

/**
 * One request of a recording: when it arrived, in milliseconds since 1970, and what to send again. `body` and `spans` are
 * made when they are read. `spans` throws when the line is not a request; sending does not need it.
 */
export type Request = Readonly<{ atMs: number; body: Buffer; spans: readonly Span[] }>

/** The attribute that record.yaml adds to each resource. It is ours, so it is never sent again. */
const ARRIVAL = 'recording.arrival'
/** The stamp as the collector writes it, up to its value. Within a string its quotes would be escaped. */
const STAMP_BEGINS = Buffer.from(`{"key":"${ARRIVAL}","value":{"intValue":"`)
const STAMP_ENDS = Buffer.from('"}}')

/** Large pieces: with the usual size, handing a piece over costs more than unzipping it. */
const PIECE_BYTES = 256 * 1024
const [NEWLINE, COMMA] = [10, 44]

/**
 * Reads a recording, one request at a time: OTLP JSON lines, plain or gzipped, ours or from elsewhere. Without our stamp,
 * the latest end of its spans counts as the arrival of a request. Throws a sentence with file and line when a line is
 * not a request.
 */
export async function* readRecording(path: string): AsyncGenerator<Request> {
  if (!existsSync(path)) {
    throw new UserError(`${path}: there is no such file; make record makes one, or name your own with RECORDING=…`)
  }
  let line = 0
  let requests = 0
  for await (const marked of linesOf(path, () => line + 1)) {
    line++
    const bytes = withoutMark(marked)
    if (line === 1 && isUtf16(bytes))
      throw new UserError(`${path}:1: the file is UTF-16: a recording is UTF-8; save it as UTF-8`)
    if (isBlank(bytes)) continue
    requests++
    yield request(bytes, `${path}:${line}`)
  }
  if (requests === 0)
    throw new UserError(`${path}:1: the file is empty: a recording has one OTLP request per line; record again`)
}

/** Some programs begin a file with a byte order mark. It says UTF-8 and nothing more; files that were joined have it in the middle. */
const MARK = Buffer.from('\ufeff')
const withoutMark = (line: Buffer): Buffer =>
  line.subarray(0, MARK.length).equals(MARK) ? line.subarray(MARK.length) : line
/** As the `>` of an older PowerShell writes. */
const isUtf16 = (line: Buffer): boolean => ['fffe', 'feff'].includes(line.subarray(0, 2).toString('hex'))

/** The file that a live collector is writing now, in the folder of live recordings. */
export const LIVE_RECORDING = 'live.jsonl'
const isLive = (path: string) => basename(path) === LIVE_RECORDING

const opened = new Map<string, Readonly<{ fd: number; end: number }>>()

/**
 * A recording that still grows, up to where it was when this process first read it. A second reading must give the same, also
 * when the collector has begun a new file. Its last line may be incomplete, so this ends at its last newline.
 */
function* soFar(path: string): Generator<Buffer> {
  const { fd, end } = opened.get(path) ?? openLive(path)
  opened.set(path, { fd, end })
  for (let from = 0; from < end; from += PIECE_BYTES) {
    const piece = Buffer.alloc(Math.min(PIECE_BYTES, end - from))
    yield piece.subarray(0, readSync(fd, piece, 0, piece.length, from))
  }
}

function openLive(path: string): Readonly<{ fd: number; end: number }> {
  const fd = openSync(path, 'r')
  const end = lastNewline(fd)
  if (end >= 0) return { fd, end }
  closeSync(fd)
  throw new UserError(`${path}: no whole line has been written yet: wait for the next tick`)
}

/** The position of the last newline of a file; -1 when it has none. */
function lastNewline(fd: number): number {
  const piece = Buffer.alloc(PIECE_BYTES)
  for (let to = fstatSync(fd).size; to > 0; to -= PIECE_BYTES) {
    const from = Math.max(0, to - PIECE_BYTES)
    const at = piece.subarray(0, readSync(fd, piece, 0, to - from, from)).lastIndexOf(NEWLINE)
    if (at >= 0) return from + at
  }
  return -1
}

async function* linesOf(path: string, line: () => number): AsyncGenerator<Buffer> {
  if (isLive(path)) {
    yield* lines(soFar(path))
    return
  }
  const file = createReadStream(path, { highWaterMark: PIECE_BYTES })
  let broken: NodeJS.ErrnoException | undefined
  const input = path.endsWith('.gz')
    ? pipeline(file, createGunzip({ chunkSize: PIECE_BYTES }), (error) => {
        broken = error ?? undefined
      })
    : file
  try {
    yield* lines(input)
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
  throw new UserError(`${path}:${line()}: ${why}: ${rule}`)
}

/** The lines of a file. node:readline takes four times as long, and ends lines at U+2028, which JSON allows in them. */
export async function* lines(pieces: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<Buffer> {
  let begun: Buffer[] = []
  for await (const piece of pieces) {
    let from = 0
    for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, from)) {
      const rest = piece.subarray(from, end)
      yield begun.length > 0 ? Buffer.concat([...begun, rest]) : rest
      begun = []
      from = end + 1
    }
    if (from < piece.length) begun.push(piece.subarray(from))
  }
  if (begun.length > 0) yield Buffer.concat(begun)
}

/** Only a line of a few spaces. A longer one is an error. */
const isBlank = (line: Buffer) => line.length < 80 && line.toString().trim() === ''

function request(line: Buffer, where: string): Request {
  let parsed: TraceRequest | undefined
  const otlp = () => {
    parsed ??= parse(line.toString(), where)
    return parsed
  }
  const stamp = nextStamp(line, 0)
  const { atMs, body } = stamp ? { atMs: stamp.atMs, body: undefined } : readStamps(line, otlp())
  return {
    atMs,
    get body() {
      return body ?? withoutStamps(line)
    },
    get spans() {
      return spansOf(otlp())
    },
  }
}

/**
 * Our stamp, if it is there as the collector writes it: then the line need not be parsed before it is sent. The stamps of
 * one request are microseconds apart, so the first says when it arrived.
 */
function nextStamp(line: Buffer, from: number): Readonly<{ atMs: number; from: number; to: number }> | undefined {
  const at = line.indexOf(STAMP_BEGINS, from)
  const value = at + STAMP_BEGINS.length
  const end = at < 0 ? -1 : line.indexOf(STAMP_ENDS, value)
  if (end < 0) return undefined
  const to = end + STAMP_ENDS.length
  // One comma goes with it: the one before, or of the first in its list the one after.
  const isFirst = line[at - 1] !== COMMA
  return {
    atMs: nanosToMs(line.toString('latin1', value, end)),
    from: isFirst ? at : at - 1,
    to: isFirst && line[to] === COMMA ? to + 1 : to,
  }
}

function withoutStamps(line: Buffer): Buffer {
  const parts: Buffer[] = []
  let from = 0
  for (let stamp = nextStamp(line, from); stamp; stamp = nextStamp(line, from)) {
    parts.push(line.subarray(from, stamp.from))
    from = stamp.to
  }
  return Buffer.concat([...parts, line.subarray(from)])
}

function readStamps(line: Buffer, otlp: TraceRequest): Pick<Request, 'atMs' | 'body'> {
  const stamps = otlp.resourceSpans.flatMap(({ resource }) => {
    const stamp = attributeOf(resource?.attributes, ARRIVAL)
    return stamp ? [nanosToMs(stamp.intValue)] : []
  })
  const times = stamps.length > 0 ? stamps : spansOf(otlp).map(({ endTimeUnixNano }) => nanosToMs(endTimeUnixNano))
  return {
    atMs: times.reduce((latest, ms) => Math.max(latest, ms), 0),
    body: stamps.length > 0 ? Buffer.from(JSON.stringify(withoutAnyStamp(otlp))) : line,
  }
}

function parse(text: string, where: string): TraceRequest {
  const rule = 'each line is one whole OTLP trace request in JSON'
  let otlp: TraceRequest
  try {
    otlp = JSON.parse(text)
  } catch {
    throw new UserError(
      `${where}: the line is cut off or no JSON, near "…${text.slice(-30)}": ${rule}; record or copy it again`,
    )
  }
  if (!Array.isArray(otlp?.resourceSpans)) {
    throw new UserError(
      `${where}: the line has no resourceSpans: ${rule}; export traces, with the file exporter for example`,
    )
  }
  const odd = spansOf(otlp).find(({ traceId }) => !/^[0-9a-f]{32}$/i.test(traceId ?? ''))
  if (odd) {
    throw new UserError(
      `${where}: a span has the trace id "${odd.traceId}": ${rule}, its ids in 32 hexadecimal digits; convert them`,
    )
  }
  return otlp
}

const withoutAnyStamp = (otlp: TraceRequest): TraceRequest => ({
  ...otlp,
  resourceSpans: otlp.resourceSpans.map((part) => ({
    ...part,
    resource: {
      ...part.resource,
      attributes: (part.resource?.attributes ?? []).filter(({ key }) => key !== ARRIVAL),
    },
  })),
})

/** The path of the ledger of a recording, if it has one. */
export const ledgerBeside = (recording: string): string => recording.replace(/\.jsonl(\.gz)?$/, '.ledger.jsonl')

/** How much faster than the clock the recorded world ran; 1 when nothing says otherwise. */
export async function timeFactorOf(recording: string): Promise<number> {
  const ledger = ledgerBeside(recording)
  if (ledger === recording || !existsSync(ledger)) return 1
  const file = createReadStream(ledger)
  try {
    for await (const line of lines(file)) return Number(JSON.parse(withoutMark(line).toString()).timeFactor) || 1
  } finally {
    file.destroy()
  }
  return 1
}
