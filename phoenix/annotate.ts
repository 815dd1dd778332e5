import type { AddressInfo } from 'node:net'
import { relay } from './relay.ts'

/** The program of the backend annotations. Both boots set these variables. */
const { PHOENIX_URL = 'http://127.0.0.1:6006', ANNOTATIONS_HOST = '127.0.0.1', ANNOTATIONS_PORT = '4618' } = process.env

const say = (line: string) => console.log(line)
const server = relay({ phoenix: PHOENIX_URL, say })
server.on('error', (error: NodeJS.ErrnoException) => {
  console.error(
    `cannot listen on ${ANNOTATIONS_HOST} port ${ANNOTATIONS_PORT}: ${error.code ?? error.message}; set another ANNOTATIONS_PORT`,
  )
  process.exit(1)
})
server.listen(Number(ANNOTATIONS_PORT), ANNOTATIONS_HOST, () =>
  say(`evaluations sent to port ${(server.address() as AddressInfo).port} are written to ${PHOENIX_URL}`),
)

// What is not answered yet, the Collector sends again.
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.once(signal, () => {
    server.close()
    server.closeAllConnections()
  })
