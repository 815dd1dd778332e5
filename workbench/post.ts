import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, Worker, workerData } from 'node:worker_threads'
import type { Running } from './collector.ts'
import { UserError } from './user-error.ts'

/** What a server answered, or why it could not be asked. */
type Answer = Readonly<{ status: number; text: string }> | Readonly<{ error: string }>

/** Posts to one address from its own thread, so that reading and sending use different cores. */
export function startPosting(url: string, atOnce: number) {
  const thread = new Worker(new URL(import.meta.url), { workerData: { url, atOnce } })
  const asked = new Map<number, (answer: Answer) => void>()
  const answerAll = (error: string) => {
    for (const answer of asked.values()) answer({ error })
    asked.clear()
  }
  thread.on('message', ({ id, answer }: { id: number; answer: Answer }) => {
    asked.get(id)?.(answer)
    asked.delete(id)
  })
  thread.on('error', ({ message }) => answerAll(message))
  let ended = false
  thread.on('exit', () => {
    ended = true
    answerAll('it was ended')
  })
  let last = 0
  return {
    post: (body: Buffer) =>
      new Promise<Answer>((resolve) => {
        if (ended) return resolve({ error: 'it was ended' })
        last++
        asked.set(last, resolve)
        // Only a copy in its own memory can be transferred, not a part of a larger buffer.
        const own = new Uint8Array(body)
        thread.postMessage({ id: last, body: own }, [own.buffer])
      }),
    /** Each request that has no answer yet is answered with an error. */
    stop: async () => {
      await thread.terminate()
    },
  }
}

const REFUSED_AGAIN_MS = 100

/**
 * Posts a body until the collector accepts it: its memory limiter refuses data for a moment. Returns what it says if it refuses the
 * body for good. Throws `UserError` when it does not answer.
 */
export async function postPatiently(
  collector: Running,
  { post }: Pick<ReturnType<typeof startPosting>, 'post'>,
  body: Buffer,
  cancel: AbortSignal,
): Promise<string | undefined> {
  for (;;) {
    cancel.throwIfAborted()
    collector.alive()
    const answer = await post(body)
    if ('error' in answer) {
      cancel.throwIfAborted()
      return collector.unanswered(new UserError(`the collector does not take what is sent: ${answer.error}`))
    }
    const { status, text } = answer
    if (status >= 200 && status < 300) return undefined
    if (status !== 429 && status !== 503) return `HTTP ${status} ${text.slice(0, 300)}`
    await sleep(REFUSED_AGAIN_MS, undefined, { signal: cancel })
  }
}

/** node:http, which takes half the time of fetch. */
function postOnce(agent: Agent, url: string, body: Uint8Array): Promise<Answer> {
  const headers = { 'content-type': 'application/json', 'content-length': body.length }
  return new Promise((resolve) => {
    const failed = ({ message }: Error) => resolve({ error: message })
    const sending = request(url, { method: 'POST', agent, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        text += part
      })
      response.on('error', failed)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
    sending.on('error', failed)
    sending.end(body)
  })
}

if (parentPort && workerData?.url) {
  const port = parentPort
  const { url, atOnce } = workerData
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce })
  port.on('message', async ({ id, body }: { id: number; body: Uint8Array }) => {
    port.postMessage({ id, answer: await postOnce(agent, url, body) })
  })
}
