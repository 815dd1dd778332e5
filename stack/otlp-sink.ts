import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { gunzipSync } from 'node:zlib'
import { onLoopback } from '../otlp/loopback.ts'

type Answer = Readonly<{ status: number; retryAfter?: number }>

/**
 * A server that stands for a backend on another machine. It hands on the body of each request, and answers 200, or as it is told to.
 * With a certificate and its key, it takes TLS only.
 */
export async function otlpSink(
  take: (path: string, body: Buffer, headers: IncomingHttpHeaders) => Answer | undefined,
  tls?: Readonly<{ cert: Buffer; key: Buffer }>,
): Promise<Readonly<{ url: string; close: () => void }>> {
  const listener: RequestListener = async (request, response) => {
    const raw = Buffer.concat(await request.toArray())
    const isPacked = request.headers['content-encoding'] === 'gzip'
    const answer = take(request.url ?? '', isPacked ? gunzipSync(raw) : raw, request.headers)
    const { status, retryAfter } = answer ?? { status: 200 }
    response.writeHead(status, retryAfter ? { 'retry-after': String(retryAfter) } : {}).end()
  }
  const { url, close } = await onLoopback(tls ? createTlsServer(tls, listener) : createServer(listener))
  return { url: tls ? url.replace('http:', 'https:') : url, close }
}
