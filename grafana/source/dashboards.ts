import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const COMMITTED = join(import.meta.dirname, '..', 'dashboards')

type Ports = Readonly<{ PHOENIX_PORT: number }>

/** A board cannot read the environment, so the committed ones have the ports of .env. Links between boards have none. */
const PHOENIX_LINK = /(?<=http:\/\/127\.0\.0\.1:)\d+(?=\/redirects\/)/g

/** The committed boards, by file, with links to the ports of one stack. */
export const dashboardsFor = ({ PHOENIX_PORT }: Ports): ReadonlyMap<string, string> =>
  new Map(
    readdirSync(COMMITTED).map((name) => [
      name,
      readFileSync(join(COMMITTED, name), 'utf8').replace(PHOENIX_LINK, String(PHOENIX_PORT)),
    ]),
  )

/** Writes them where Grafana looks for boards, and nothing else stays there. */
export const writeDashboards = (folder: string, ports: Ports): void => {
  mkdirSync(folder, { recursive: true })
  const boards = dashboardsFor(ports)
  for (const name of readdirSync(folder)) if (!boards.has(name)) rmSync(join(folder, name))
  for (const [name, text] of boards) writeFileSync(join(folder, name), text)
}
