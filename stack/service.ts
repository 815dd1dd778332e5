import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from './processes.ts'
import type { PortName, Settings } from './settings.ts'

/** A server of the native boot. */
export type Service = Readonly<{
  name: string
  holds: readonly PortName[]
  /** Prepares what the service reads, and says how it is started. */
  command: () => Command
  /** Answers 2xx exactly when the service can do its work; without it, a running process is ready. */
  ready?: string
  readyWithinMs: number
  graceMs: number
  /** Called before the service is stopped. */
  beforeStop?: () => Promise<unknown>
}>

/** What the collector said last when it has ended, or was started anew; undefined while it lives. */
export type LastWords = () => Promise<string | undefined>

/** What every program sees of the environment: enough to run, nothing else that happens to be set. */
export function environment(
  settings: Settings,
  extra: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const kept = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'TZ', 'SSL_CERT_FILE', 'TIME_FACTOR']
  const ports = Object.entries(settings.ports).map(([name, port]) => [name, String(port)])
  const all = { ...pick(settings.env, kept), ...Object.fromEntries(ports), ...extra }
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined))
}

/** Those of the named variables that are set and not empty. */
export const pick = (env: Settings['env'], names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.flatMap((name) => (env[name] ? [[name, env[name]]] : [])))

/** The folder where a service keeps its data. It is there afterwards. */
export function dataFolder(settings: Settings, name: string): string {
  const folder = resolve(settings.state, 'data', name)
  mkdirSync(folder, { recursive: true })
  return folder
}
