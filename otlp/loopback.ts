import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'

/** Lets a server listen on a free port of this machine. Returns where it is, and how to end it. */
export async function onLoopback(server: Server & { closeAllConnections?: () => void }) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const close = () => {
    server.close()
    server.closeAllConnections?.()
  }
  return { port, url: `http://127.0.0.1:${port}`, close }
}
