import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Boot } from './collectors.ts'
import { findGrafana } from './grafana.ts'
import { backendsFile, type Settings } from './settings.ts'

const bootFile = ({ state }: Settings) => resolve(state, 'boot')

/** With which boot and which backends the stack was started; undefined after `forget`. */
export function remembered(settings: Settings): Readonly<{ boot: Boot; backends: string }> | undefined {
  const file = bootFile(settings)
  if (!existsSync(file)) return undefined
  const read = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8').trim() : '')
  return { boot: read(file) as Boot, backends: read(backendsFile(settings.state)) }
}

export function remember(settings: Settings, { boot, backends }: Readonly<{ boot: Boot; backends: string }>): void {
  mkdirSync(settings.state, { recursive: true })
  writeFileSync(bootFile(settings), `${boot}\n`)
  writeFileSync(backendsFile(settings.state), `${backends}\n`)
}

export function forget(settings: Settings): void {
  for (const file of [bootFile(settings), backendsFile(settings.state)]) rmSync(file, { force: true })
}

/** Docker always has one; the native boot has that of this machine. */
export const hasGrafana = (settings: Settings): boolean =>
  remembered(settings)?.boot === 'docker' || findGrafana(settings.env) !== undefined
