import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { renderAlerts } from './alert-rules.ts'
import { render } from './board.ts'
import { boards } from './boards.ts'
import { renderCatalogueRules } from './catalogue-rules.ts'
import { readRecipes, renderCookbook } from './cookbook.ts'
import { portsOfBoards, writeDashboards } from './dashboards.ts'
import { renderKustomization } from './kustomization.ts'
import { generatedRules } from './rules.ts'

const ROOM = fileURLToPath(new URL('..', import.meta.url))
const LIVE = join(ROOM, '..', '.stack', 'dashboards')
const shown = (path: string) => relative(process.cwd(), path)

/** Every file that is generated, by its path. Nothing else lies in dashboards/. */
export const generated = (): ReadonlyMap<string, string> =>
  new Map([
    ...boards.map((board): [string, string] => [
      join(ROOM, 'dashboards', `${board.uid}.json`),
      `${JSON.stringify(render(board), null, 2)}\n`,
    ]),
    [join(ROOM, '..', 'docs', 'traceql.md'), renderCookbook(readRecipes())],
    [join(ROOM, 'rules', 'alerts.rules.yaml'), renderAlerts()],
    [join(ROOM, 'rules', 'catalogue.rules.yaml'), renderCatalogueRules()],
    [
      join(ROOM, 'kustomization.yaml'),
      renderKustomization(
        boards.map(({ uid }) => `${uid}.json`),
        readdirSync(join(ROOM, 'rules')).filter((name) => name.endsWith('.yaml')),
      ),
    ],
    ...[...generatedRules(shown(ROOM))].map(([path, text]): [string, string] => [join(ROOM, path), text]),
  ])

const read = (path: string) => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

const leftover = (files: ReadonlyMap<string, string>) =>
  readdirSync(join(ROOM, 'dashboards'))
    .filter((name) => name.endsWith('.json'))
    .map((name) => join(ROOM, 'dashboards', name))
    .filter((path) => !files.has(path))

/** Paths whose committed text is not what the source says. */
export const outdated = (files = generated()): readonly string[] => [
  ...[...files].filter(([path, text]) => read(path) !== text).map(([path]) => path),
  ...leftover(files),
]

const write = (files: ReadonlyMap<string, string>) => {
  const changed = outdated(files)
  for (const path of changed) {
    const text = files.get(path)
    if (text === undefined) rmSync(path)
    else {
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, text)
    }
  }
  return changed
}

const main = () => {
  const files = generated()
  const changed = write(files)
  for (const path of changed) console.log(`${files.has(path) ? 'written' : 'removed'}: ${shown(path)}`)
  if (changed.length === 0) console.log(`${files.size} files are as the source says`)
  // A running Grafana reads its own copy, which make up has made.
  const ports = portsOfBoards(LIVE)
  if (ports) writeDashboards(LIVE, ports)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    main()
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
