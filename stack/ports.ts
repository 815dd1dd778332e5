import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { execa } from 'execa'
import { PORT_NAMES, type Settings } from './settings.ts'

/** Whether a port of the loopback interface is free to listen on. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** Which program listens on a port, as `name (pid 123)`, if lsof or ss shows it to this user. */
export async function holder(port: number): Promise<string> {
  const lsof = await execa('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc'], { reject: false })
  const [, pid, name] = /^p(\d+)\nc(.*)$/m.exec(lsof.stdout ?? '') ?? []
  if (pid) return `${name} (pid ${pid})`
  const ss = await execa('ss', ['-Hltnp', `sport = :${port}`], { reject: false })
  const [, program, id] = /users:\(\("([^"]+)",pid=(\d+)/.exec(ss.stdout ?? '') ?? []
  return id ? `${program} (pid ${id})` : 'a program that this user may not see'
}

/** Below the ports that systems use for outgoing connections: such a connection could take a port between check and use. */
const [LOWEST_OF_TIERS, LOWEST, HIGHEST] = [15_000, 20_000, 32_000]
const given = new Set<number>()

/** Returns this many free ports. In one process, no port is returned twice. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) {
    const port = randomInt(LOWEST, HIGHEST)
    if (given.has(port)) continue
    given.add(port)
    if (await isFree(port)) ports.push(port)
  }
  return ports
}

/** A free port for each port of a stack. */
export async function portsOfItsOwn(): Promise<Settings['ports']> {
  const free = await freePorts(PORT_NAMES.length)
  const ports = Object.fromEntries(PORT_NAMES.map((name, index) => [name, free[index] ?? 0])) as Settings['ports']
  // More ports follow this one, so it is not among the others.
  return { ...ports, TIERS_PORT: randomInt(LOWEST_OF_TIERS, LOWEST - 200) }
}
