import { createServer } from 'node:net'
import { execa } from 'execa'

/** Whether a port of the loopback interface is free to listen on. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** Who listens on a port, as `name (pid 123)`, as far as lsof or ss can tell this user. */
export async function holder(port: number): Promise<string> {
  const lsof = await execa('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc'], { reject: false })
  const [, pid, name] = /^p(\d+)\nc(.*)$/m.exec(lsof.stdout ?? '') ?? []
  if (pid) return `${name} (pid ${pid})`
  const ss = await execa('ss', ['-Hltnp', `sport = :${port}`], { reject: false })
  const [, program, id] = /users:\(\("([^"]+)",pid=(\d+)/.exec(ss.stdout ?? '') ?? []
  return id ? `${program} (pid ${id})` : 'a program that this user may not see'
}

/** As many free ports as asked for, held together until all are known, so that none is given twice. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer()
      return new Promise<typeof server>((resolve, reject) => {
        server.once('error', reject)
        server.listen(0, '127.0.0.1', () => resolve(server))
      })
    }),
  )
  const ports = servers.map((server) => {
    const address = server.address()
    return typeof address === 'object' && address ? address.port : 0
  })
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
