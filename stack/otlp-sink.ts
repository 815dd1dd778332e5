import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'

/** A server that takes OTLP and shows the body of each request. It stands for a backend on another machine. */
export async function otlpSink(
  show: (path: string, body: Buffer, headers: IncomingHttpHeaders) => void,
): Promise<Readonly<{ url: string; close: () => void }>> {
  const server = createServer(async (request, response) => {
    const raw = Buffer.concat(await request.toArray())
    const isPacked = request.headers['content-encoding'] === 'gzip'
    response.writeHead(200).end()
    show(request.url ?? '', isPacked ? gunzipSync(raw) : raw, request.headers)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}
