import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { execa } from 'execa'
import { UserError } from '../workbench/user-error.ts'
import { PORT_NAMES, type PortName, type Settings } from './settings.ts'

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

/** The variable that moves a port. The ports of further gateways and samplers follow TIERS_PORT. */
export const variableOf = ({ ports }: Settings, port: number): PortName =>
  PORT_NAMES.find((name) => ports[name] === port) ?? 'TIERS_PORT'

/** Throws `UserError` when one of the ports of a service is taken, with the program that holds it and the variable to change. */
export async function refuseTakenPorts(settings: Settings, service: string, wanted: readonly number[]): Promise<void> {
  for (const port of wanted) {
    if (await isFree(port)) continue
    const name = variableOf(settings, port)
    throw new UserError(
      `port ${port} (${name}, for ${service}) is taken by ${await holder(port)}. Stop that program, or choose another port: make up ${name}=…`,
    )
  }
}

/** Below the ports that systems use for outgoing connections: such a connection could take a port between check and use. */
const [LOWEST_OF_TIERS, LOWEST, HIGHEST] = [15_000, 20_000, 32_000]
/** More than the gateways and samplers of one stack can have. */
const PORTS_OF_TIERS = 200

/**
 * Marks a port as given away, for as long as this program runs; false if another program has marked it. Between the choice of a port
 * and the start of its server, or while that server is down, nobody listens there, so a test, the commands that it runs and other
 * runs on this machine would choose the same one. The mark is a UDP socket, which ends with the program; no server here uses UDP.
 */
const mark = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createSocket('udp4').unref()
    socket.once('error', () => {
      socket.close()
      resolve(false)
    })
    socket.bind({ port, address: '127.0.0.1', exclusive: true }, () => resolve(true))
  })

/** Returns this many free ports. No program on this machine is given one of them again while this one runs. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) {
    const port = randomInt(LOWEST, HIGHEST)
    if ((await isFree(port)) && (await mark(port))) ports.push(port)
  }
  return ports
}

/** Blocks of ports for gateways and samplers. There are few, so a program takes them in turn, and marks none. */
const BLOCKS = Math.floor((LOWEST - LOWEST_OF_TIERS) / PORTS_OF_TIERS)
let block = randomInt(BLOCKS)

/** A free port for each port of a stack. */
export async function portsOfItsOwn(): Promise<Settings['ports']> {
  const free = await freePorts(PORT_NAMES.length)
  const ports = Object.fromEntries(PORT_NAMES.map((name, index) => [name, free[index] ?? 0])) as Settings['ports']
  block = (block + 1) % BLOCKS
  return { ...ports, TIERS_PORT: LOWEST_OF_TIERS + PORTS_OF_TIERS * block }
}
