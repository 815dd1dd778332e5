import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const COMMITTED = join(import.meta.dirname, '..', 'dashboards')

/** Of one stack. Without Phoenix there is no port, and boards have no link to it. */
type Ports = Readonly<{ PHOENIX_PORT?: number }>

/** A board cannot read the environment, so the committed ones have the ports of .env. Links between boards have none. */
const PHOENIX_LINK = /^(http:\/\/127\.0\.0\.1:)\d+(?=\/redirects\/)/

/** The committed boards, by file, with links to the ports of one stack. */
export const dashboardsFor = ({ PHOENIX_PORT }: Ports): ReadonlyMap<string, string> => {
  const withPort = (_: string, value: unknown) =>
    typeof value === 'string' ? value.replace(PHOENIX_LINK, `$1${PHOENIX_PORT}`) : value
  const without = (_: string, value: unknown) =>
    Array.isArray(value) ? value.filter((one) => !PHOENIX_LINK.test(one?.url)) : value
  const ofStack = PHOENIX_PORT === undefined ? without : withPort
  return new Map(
    readdirSync(COMMITTED).map((name) => [
      name,
      `${JSON.stringify(JSON.parse(readFileSync(join(COMMITTED, name), 'utf8'), ofStack), null, 2)}\n`,
    ]),
  )
}

/** The ports in the boards of a running stack, which `writeDashboards` wrote; undefined where none runs. */
export function portsOfBoards(folder: string): Ports | undefined {
  if (!existsSync(folder)) return undefined
  const texts = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'))
  const [port] = texts.flatMap((text) => /"http:\/\/127\.0\.0\.1:(\d+)\/redirects\//.exec(text)?.[1] ?? [])
  return port ? { PHOENIX_PORT: Number(port) } : {}
}

/** Writes them where Grafana looks for boards, and nothing else stays there. */
export const writeDashboards = (folder: string, ports: Ports): void => {
  mkdirSync(folder, { recursive: true })
  const boards = dashboardsFor(ports)
  for (const name of readdirSync(folder)) if (!boards.has(name)) rmSync(join(folder, name))
  for (const [name, text] of boards) writeFileSync(join(folder, name), text)
}
