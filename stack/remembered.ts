import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Boot } from './collectors.ts'
import { findGrafana } from './grafana.ts'
import { backendsFile, type Settings, tiersFile } from './settings.ts'

const bootFile = ({ state }: Settings) => resolve(state, 'boot')

/** With which boot, backends and tiers a stack was started. */
type Remembered = Readonly<{ boot: Boot; backends: string; tiers: string }>

/** How the stack was started; undefined after `forget`. */
export function remembered(settings: Settings): Remembered | undefined {
  const file = bootFile(settings)
  if (!existsSync(file)) return undefined
  const read = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8').trim() : '')
  return {
    boot: read(file) as Boot,
    backends: read(backendsFile(settings.state)),
    tiers: read(tiersFile(settings.state)),
  }
}

export function remember(settings: Settings, { boot, backends, tiers }: Remembered): void {
  mkdirSync(settings.state, { recursive: true })
  writeFileSync(bootFile(settings), `${boot}\n`)
  writeFileSync(backendsFile(settings.state), `${backends}\n`)
  writeFileSync(tiersFile(settings.state), `${tiers}\n`)
}

export function forget(settings: Settings): void {
  for (const file of [bootFile(settings), backendsFile(settings.state), tiersFile(settings.state)])
    rmSync(file, { force: true })
}

/** Docker always has one; the native boot has that of this machine. */
export const hasGrafana = (settings: Settings): boolean =>
  remembered(settings)?.boot === 'docker' || findGrafana(settings.env) !== undefined
