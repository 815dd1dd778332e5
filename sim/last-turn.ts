import { turnReport } from '../explain/turn.ts'
import { hexOf, type TraceRequest } from '../otlp/json.ts'
import { plainSpans } from '../otlp/plain.ts'
import { GEN_AI } from '../vocabulary/attributes.ts'
import type { Recall } from './agents/recall.ts'

/** Some 150 tokens: a fifth of an ordinary prompt. A turn recalls once. */
export const MOST_CHARACTERS = 600
/** Of the clock, not of the world: Tempo knows no other time. */
const MOST_WAIT_MS = 2000

type Found = Readonly<{ traceID: string; startTimeUnixNano?: string }>

/** Asks a Tempo for the newest kept turn of an agent in one run, and says it in the words of `make explain`. */
export const lastTurnFrom =
  (tempo: string, run: string): Recall =>
  async (agent) => {
    const signal = AbortSignal.timeout(MOST_WAIT_MS)
    const get = async <T>(path: string): Promise<T> => {
      const answer = await fetch(`${tempo}${path}`, { signal }).catch((error: Error) => {
        throw new Error(`the record cannot be read: Tempo does not answer (${error.message})`)
      })
      if (!answer.ok) throw new Error(`the record cannot be read: Tempo answers HTTP ${answer.status}`)
      return (await answer.json()) as T
    }
    const query = `{ span.${GEN_AI.OPERATION} = "invoke_agent" && span.${GEN_AI.AGENT} = "${agent}" && span.${GEN_AI.CONVERSATION} = "${run}" } with (most_recent=true)`
    const { traces = [] } = await get<{ traces?: readonly Found[] }>(
      `/api/search?${new URLSearchParams({ q: query, limit: '5' })}`,
    )
    const [newest] = traces.toSorted((one, other) =>
      Number(BigInt(other.startTimeUnixNano ?? 0) - BigInt(one.startTimeUnixNano ?? 0)),
    )
    if (newest === undefined) return 'None of your turns was kept yet.'
    const { trace = {} } = await get<{ trace?: Partial<TraceRequest> }>(
      `/api/v2/traces/${newest.traceID.padStart(32, '0')}`,
    )
    return turnReport(plainSpans(trace, hexOf), agent, MOST_CHARACTERS) ?? 'None of your turns was kept yet.'
  }
