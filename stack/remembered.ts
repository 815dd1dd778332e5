import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseEnv } from 'node:util'
import type { Boot } from './collectors.ts'
import { findGrafana } from './grafana.ts'
import { type Settings, startedFile } from './settings.ts'

const bootFile = ({ state }: Settings) => resolve(state, 'boot')

type Variables = Readonly<Record<string, string | undefined>>
/** With which boot a stack was started, and with which backends, tiers and ports, by their variables. */
type Remembered = Readonly<{ boot: Boot; variables: Variables }>

/** How the stack was started; undefined after `forget`. */
export function remembered(settings: Settings): Remembered | undefined {
  const file = bootFile(settings)
  if (!existsSync(file)) return undefined
  const started = startedFile(settings.state)
  return {
    boot: readFileSync(file, 'utf8').trim() as Boot,
    variables: existsSync(started) ? parseEnv(readFileSync(started, 'utf8')) : {},
  }
}

export function remember(settings: Settings, { boot, variables }: Remembered): void {
  mkdirSync(settings.state, { recursive: true })
  writeFileSync(bootFile(settings), `${boot}\n`)
  const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}\n`)
  writeFileSync(startedFile(settings.state), lines.join(''))
}

export function forget(settings: Settings): void {
  for (const file of [bootFile(settings), startedFile(settings.state)]) rmSync(file, { force: true })
}

/** Docker always has one; the native boot has that of this machine. */
export const hasGrafana = (settings: Settings): boolean =>
  remembered(settings)?.boot === 'docker' || findGrafana(settings.env) !== undefined
