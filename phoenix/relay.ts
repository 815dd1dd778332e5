import { createServer, type Server } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { decode, decodeLogs } from '../otlp/protobuf.ts'
import { type Annotation, annotationsOf, annotationsOfRecords } from './annotations.ts'

type Options = Readonly<{
  /** The address of Phoenix. */
  phoenix: string
  say: (line: string) => void
  /** How long one request of the Collector waits for a span that Phoenix does not have yet. Then the Collector sends it again. */
  waitMs?: number
  /** How long the evaluations of a kept trace wait for their spans while Phoenix answers. Longer than Phoenix needs for a full queue. */
  patienceMs?: number
  /** The same when Phoenix already has the spans of a trace that came so much later: then it has refused these. */
  overtakenMs?: number
  clock?: () => number
}>

/** What came of a request: Phoenix has it, does not have the span, cannot be asked, or refuses it for ever. */
type Outcome = 'taken' | 'unknown' | 'later' | 'refused'

const POLL_MS = 250
const SLOWEST_POLL_MS = 2000
/** Phoenix writes to its database one after the other. */
const PHOENIX_LIMIT_MS = 30_000
const STATUS = { taken: 200, unknown: 503, later: 503, refused: 400 } as const

/**
 * Takes kept spans and log records over OTLP/HTTP, and writes their evaluations to Phoenix as annotations. It keeps nothing:
 * until Phoenix has all of a request, the answer is 503, and the Collector's queue on disk holds it.
 */
export function relay({
  phoenix,
  say,
  waitMs = 5000,
  patienceMs = 1_800_000,
  overtakenMs = 60_000,
  clock = Date.now,
}: Options): Server {
  /** When a request was first found to be about a span that Phoenix does not have, by its annotations. */
  const missing = new Map<string, number>()
  /** When the latest of those came whose spans Phoenix has. */
  let latest = Number.NEGATIVE_INFINITY

  async function write(annotations: readonly Annotation[], sync: boolean): Promise<Outcome> {
    for (const kind of ['span', 'trace'] as const) {
      const data = annotations.filter((one) => `${kind}_id` in one)
      if (data.length === 0) continue
      const outcome = await post(`${phoenix}/v1/${kind}_annotations?sync=${sync}`, data)
      if (outcome !== 'taken') return outcome
    }
    return 'taken'
  }

  async function post(address: string, data: readonly Annotation[]): Promise<Outcome> {
    const answer = await fetch(address, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ data }),
      signal: AbortSignal.timeout(PHOENIX_LIMIT_MS),
    }).then(
      async (response) => {
        await response.body?.cancel()
        return response.status
      },
      () => undefined,
    )
    if (answer === undefined || answer === 429 || answer >= 500) return 'later'
    if (answer === 404) return 'unknown'
    if (answer < 300) return 'taken'
    say(`Phoenix refused ${data.length} evaluations for good: HTTP ${answer}.`)
    return 'refused'
  }

  /** A kept trace: its spans come to Phoenix for sure, so wait for them. */
  async function keep(annotations: readonly Annotation[]): Promise<Outcome> {
    const key = JSON.stringify(annotations)
    const came = clock()
    for (;;) {
      const outcome = await write(annotations, true)
      const since = missing.get(key) ?? came
      if (outcome !== 'unknown') {
        if (outcome === 'taken' && annotations.length > 0) latest = Math.max(latest, since)
        missing.delete(key)
        return outcome
      }
      missing.set(key, since)
      if (clock() - since > patienceMs || latest - since > overtakenMs) {
        missing.delete(key)
        say(
          `Phoenix still has no span for ${annotations.length} evaluations. It gets them now, and drops them if it never has.`,
        )
        return write(annotations, false)
      }
      if (clock() >= came + waitMs) return 'unknown'
      await sleep(Math.min(POLL_MS + (clock() - since) / 10, SLOWEST_POLL_MS))
    }
  }

  /** A log record may be about a trace that was dropped. Phoenix waits ten minutes for its span, and then forgets it. */
  async function offer(annotations: readonly Annotation[]): Promise<Outcome> {
    let all: Outcome = 'taken'
    for (const one of annotations) {
      const outcome = await write([one], true)
      const after = outcome === 'unknown' ? await write([one], false) : outcome
      // What Phoenix refuses takes nothing away from the records of others in this request.
      if (after === 'refused') all = after
      else if (after !== 'taken') return after
    }
    return all
  }

  const handlers: Readonly<Record<string, (body: Buffer) => Promise<Outcome>>> = {
    '/v1/traces': (body) => keep(annotationsOf(decode(body))),
    '/v1/logs': (body) => offer(annotationsOfRecords(decodeLogs(body))),
  }

  return createServer(async (request, response) => {
    const answer = (status: number, text = '') => response.writeHead(status).end(text)
    if (request.url === '/health') return answer(200)
    const handler = handlers[request.url ?? '']
    if (!handler || request.method !== 'POST') return answer(404, 'Send OTLP to /v1/traces or /v1/logs.\n')
    if (request.headers['content-type'] !== 'application/x-protobuf')
      return answer(415, 'Send OTLP in protobuf (application/x-protobuf), without compression.\n')
    try {
      const outcome = await handler(Buffer.concat(await request.toArray()))
      return response.writeHead(STATUS[outcome], { 'content-type': 'application/x-protobuf' }).end()
    } catch (error) {
      return answer(400, `${(error as Error).message}\n`)
    }
  })
}
