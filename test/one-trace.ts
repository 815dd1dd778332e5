import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { nanosOf, text, traceRequest } from '../otlp/json.ts'
import { postOtlp } from '../otlp/post.ts'

/** What was sent to a backend: under which name it was reached, and the bytes. */
type Taken = Readonly<{ host: string; bytes: string }>

/** A server in the place of a backend. It takes everything. */
export async function backendThatTakesAll() {
  const taken: Taken[] = []
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece)
    const body = Buffer.concat(pieces)
    const bytes = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString('latin1')
    taken.push({ host: request.headers.host ?? '', bytes })
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, taken, close: () => server.close() }
}

/** Sends a failed call with an e-mail address in its prompt, which the shipped list keeps. */
export function sendFailedCall(
  port: number,
  { address = '127.0.0.1', token, trace = 'a'.repeat(32) }: { address?: string; token?: string; trace?: string } = {},
) {
  const now = Date.now()
  const span = {
    traceId: trace,
    spanId: 'b'.repeat(16),
    name: 'chat',
    kind: 3,
    startTimeUnixNano: nanosOf(now),
    endTimeUnixNano: nanosOf(now + 1),
    status: { code: 2 },
    attributes: [
      { key: 'gen_ai.operation.name', value: text('chat') },
      { key: 'prompt', value: text('write to somebody@example.com soon') },
    ],
  }
  const headers = token ? { authorization: `Bearer ${token}` } : {}
  return postOtlp(`http://${address}:${port}/v1/traces`, traceRequest([span]), headers)
}
