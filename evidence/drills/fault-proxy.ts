import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { spansOf } from '../../otlp/json.ts'
import { decodeIds } from '../../otlp/protobuf.ts'
import { spanKey } from './balance.ts'

/** What a fault proxy does with a request. */
export type Behaviour =
  | Readonly<{ kind: 'well' }>
  /** It does not listen. */
  | Readonly<{ kind: 'down' }>
  | Readonly<{ kind: 'answers'; status: number }>
  /** It reads a request and does not answer. */
  | Readonly<{ kind: 'hangs' }>
  /** It does its work after this time, also when nobody waits for the answer any more. */
  | Readonly<{ kind: 'slow'; afterMs: () => number }>

export type FaultProxy = Readonly<{
  endpoint: string
  /** How often each span was accepted: by the backend behind the proxy, or by the proxy when no backend is there. */
  acknowledged: ReadonlyMap<string, number>
  /** How often each span got an error after which the exporter does not retry. */
  rejected: ReadonlyMap<string, number>
  requests: () => number
  behave: (behaviour: Behaviour) => Promise<void>
  stop: () => Promise<void>
}>

/** After these answers an exporter retries; after any other error it does not. */
const ASKED_AGAIN = [429, 502, 503, 504]

/**
 * Stands between the collector and a backend, and counts which spans are sent and how they are answered. Without a
 * backend behind it, it accepts everything and stores nothing. Then it is a stand-in for a backend that fails on purpose.
 */
export async function startFaultProxy(port: number, behind?: string): Promise<FaultProxy> {
  const acknowledged = new Map<string, number>()
  const rejected = new Map<string, number>()
  const agent = new Agent({ keepAlive: true })
  const held = new Set<ServerResponse>()
  let behaviour: Behaviour = { kind: 'well' }
  let requests = 0

  const count = (counts: Map<string, number>, keys: readonly string[]) => {
    for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  const answer = async (incoming: IncomingMessage, response: ServerResponse) => {
    const body = await bodyOf(incoming)
    const isTraces = incoming.url?.endsWith('/traces') ?? false
    if (isTraces) requests++
    const keys = isTraces ? spanKeys(incoming.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body) : []
    if (behaviour.kind === 'hangs') {
      held.add(response)
      return
    }
    if (behaviour.kind === 'slow') await sleep(behaviour.afterMs())
    const { status, said, type } =
      behaviour.kind === 'answers'
        ? { status: behaviour.status, said: Buffer.alloc(0), type: undefined }
        : behind
          ? await handOn(agent, `${behind}${incoming.url}`, incoming, body)
          : { status: 200, said: Buffer.alloc(0), type: undefined }
    if (status < 300) count(acknowledged, keys)
    else if (!ASKED_AGAIN.includes(status)) count(rejected, keys)
    response.writeHead(status, type ? { 'content-type': type } : {}).end(said)
  }
  const server = createServer((incoming, response) => {
    answer(incoming, response).catch(() => incoming.socket.destroy())
  })
  const listen = async () => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  const close = () =>
    new Promise<void>((resolve) => {
      if (!server.listening) return resolve()
      server.close(() => resolve())
      server.closeAllConnections()
    })
  await listen()
  return {
    endpoint: `http://127.0.0.1:${port}`,
    acknowledged,
    rejected,
    requests: () => requests,
    behave: async (next) => {
      behaviour = next
      for (const response of held) response.destroy()
      held.clear()
      if (next.kind === 'down') await close()
      else if (!server.listening) await listen()
    },
    stop: async () => {
      await close()
      agent.destroy()
    },
  }
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of incoming) pieces.push(piece)
  return Buffer.concat(pieces)
}

type Answered = Readonly<{ status: number; said: Buffer; type: string | undefined }>

function handOn(agent: Agent, url: string, { headers }: IncomingMessage, body: Buffer): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const { host: _, ...others } = headers
    const sending = request(url, { method: 'POST', agent, headers: others }, (response) => {
      bodyOf(response).then(
        (said) => resolve({ status: response.statusCode ?? 502, said, type: response.headers['content-type'] }),
        reject,
      )
    })
    sending.on('error', reject)
    sending.end(body)
  })
}

/** The spans in an export request, as the exporter encodes it. */
export const spanKeys = (body: Buffer): readonly string[] =>
  spansOf(decodeIds(body)).map(({ traceId, spanId }) => spanKey(traceId, spanId))
