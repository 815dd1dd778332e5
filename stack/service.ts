import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from './processes.ts'
import { type PortName, portVariables, ROOT, type Settings } from './settings.ts'
import { wholeNumber } from './whole-number.ts'

/** A server of the native boot. */
export type Service = Readonly<{
  name: string
  /** The ports on which it listens. */
  ports: readonly PortName[]
  /** Where its ports are its own and not those of the stack. */
  settings?: Settings
  /** Prepares the files that the service reads, and returns its command. */
  command: () => Command
  /** An address that answers 2xx exactly when the service can do its work. Without it, a running process is ready. */
  ready?: string
  graceMs: number
  /** Called before the service is stopped. */
  beforeStop?: () => Promise<unknown>
}>

/** The last log lines of the collector if it ended or was restarted; undefined while it runs. */
export type LastWords = () => Promise<string | undefined>

/** How long a server may take to start; see .env. */
export const startLimitMs = ({ env }: Settings): number => wholeNumber('START_LIMIT', env.START_LIMIT ?? '') * 1000

/** The environment of every program: the variables that it needs, and no others. */
export function environment(
  settings: Settings,
  extra: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const kept = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'TZ', 'SSL_CERT_FILE', 'TIME_FACTOR']
  const all = { ...pick(settings.env, kept), ...portVariables(settings), ...extra }
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined))
}

/** The command of a program of this repository. */
export const tsx = (script: string, ...args: string[]) => ({
  file: process.execPath,
  args: ['--import', import.meta.resolve('tsx'), resolve(ROOT, script), ...args],
  cwd: ROOT,
})

/** The named variables that are set and not empty. */
export const pick = (env: Settings['env'], names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.flatMap((name) => (env[name] ? [[name, env[name]]] : [])))

/** The folder of a service's data. It is created if it is missing. */
export function dataFolder(settings: Settings, name: string): string {
  const folder = resolve(settings.state, 'data', name)
  mkdirSync(folder, { recursive: true })
  return folder
}
