import { existsSync, realpathSync } from 'node:fs'
import { delimiter, dirname, resolve } from 'node:path'

type Grafana = Readonly<{ binary: string; home: string }>

const isHome = (folder: string) =>
  existsSync(resolve(folder, 'conf/defaults.ini')) && existsSync(resolve(folder, 'public'))

/**
 * A Grafana on this machine: `GRAFANA_HOME`, or else the `grafana` on PATH with the first folder that
 * contains its defaults and its pages. Undefined when no Grafana is found; then the stack runs without it.
 */
export function findGrafana(env: Readonly<Record<string, string | undefined>>): Grafana | undefined {
  const binary = env.GRAFANA_HOME
    ? resolve(env.GRAFANA_HOME, 'bin/grafana')
    : (env.PATH ?? '')
        .split(delimiter)
        .map((folder) => resolve(folder, 'grafana'))
        .find((file) => existsSync(file))
  if (!binary || !existsSync(binary)) return undefined
  const homes = [
    env.GRAFANA_HOME,
    dirname(dirname(realpathSync(binary))),
    '/usr/share/grafana',
    '/usr/local/share/grafana',
    '/opt/homebrew/share/grafana',
  ]
  const home = homes.find((folder) => folder && isHome(folder))
  return home ? { binary, home } : undefined
}
