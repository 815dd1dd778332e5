import { Agent, request as httpRequest } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Body, fresh, SPANS_PER_REQUEST } from '../load.ts'

/** What became of the requests of a flow. */
export type Flow = Readonly<{
  spans: number
  /** Requests by HTTP status; 0 when there was no answer in time. */
  statuses: ReadonlyMap<number, number>
  /** Answers that refuse data and do not say when to try again. */
  withoutHint: number
  slowestMs: number
  /** Requests that were due and could not be sent, because too many had no answer yet. */
  held: number
}>

/** An SDK waits so long for an answer, by default. */
const ANSWER_WITHIN_MS = 10_000
const TOO_BUSY = [429, 503]
const PACE_MS = 20

type Pace = Readonly<{
  /** Undefined: as fast as requests are answered. */
  spansPerSecond?: number
  seconds: number
  /** Requests without an answer, at most. */
  atOnce: number
  cancel: AbortSignal
}>

/** Sends requests to each address in turn, at a pace that does not depend on the answers. What is refused is not sent again. */
export async function flow(
  to: readonly string[],
  bodies: readonly Body[],
  { spansPerSecond = Number.POSITIVE_INFINITY, seconds, atOnce, cancel }: Pace,
): Promise<Flow> {
  const agent = new Agent({ keepAlive: true })
  const statuses = new Map<number, number>()
  const open = new Set<Promise<void>>()
  let [sent, held, withoutHint, slowestMs] = [0, 0, 0, 0]
  const post = (number: number) =>
    new Promise<void>((done) => {
      const body = fresh(bodies[number % bodies.length] as Body)
      const began = performance.now()
      const answered = (status: number) => {
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
        slowestMs = Math.max(slowestMs, performance.now() - began)
        done()
      }
      const headers = { 'content-type': 'application/x-protobuf', 'content-length': body.length }
      const url = `${to[number % to.length]}/v1/traces`
      httpRequest(url, { method: 'POST', agent, headers, timeout: ANSWER_WITHIN_MS }, (answer) => {
        if (TOO_BUSY.includes(answer.statusCode ?? 0) && !answer.headers['retry-after']) withoutHint++
        answer.resume().on('end', () => answered(answer.statusCode ?? 0))
      })
        .on('timeout', function (this: { destroy: () => void }) {
          this.destroy()
        })
        .on('error', () => answered(0))
        .end(body)
    })
  const began = performance.now()
  const elapsed = () => (performance.now() - began) / 1000
  for (let due = 0; elapsed() < seconds; ) {
    cancel.throwIfAborted()
    const now = Math.min(elapsed() * spansPerSecond, Number.MAX_SAFE_INTEGER) / SPANS_PER_REQUEST
    for (; due < now; due++) {
      if (open.size >= atOnce) {
        if (!Number.isFinite(spansPerSecond)) break
        held++
        continue
      }
      const sending = post(sent++)
      open.add(sending)
      void sending.then(() => open.delete(sending))
    }
    await sleep(PACE_MS, undefined, { signal: cancel })
  }
  await Promise.all(open)
  agent.destroy()
  return { spans: sent * SPANS_PER_REQUEST, statuses, withoutHint, slowestMs, held }
}
