import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { platform } from 'node:os'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execaSync } from 'execa'
import { UserError } from '../workbench/user-error.ts'
import { waitFor } from '../workbench/wait.ts'
import type { Settings } from './settings.ts'

export type Command = Readonly<{
  file: string
  args: readonly string[]
  env: Readonly<Record<string, string>>
  cwd?: string
}>

/** A process that we started. `born` distinguishes it from a later process with the same pid. */
type Mark = Readonly<{ pid: number; born: string }>

const logFile = (settings: Settings, name: string) => resolve(settings.state, 'logs', `${name}.log`)
const markFile = (settings: Settings, name: string) => resolve(settings.state, 'processes', `${name}.json`)

/** Starts a program that lives longer than this one. Its output goes to its log; the old log becomes `.log.1`. */
export async function start(settings: Settings, name: string, { file, args, env, cwd }: Command): Promise<void> {
  const log = logFile(settings, name)
  mkdirSync(resolve(settings.state, 'logs'), { recursive: true })
  mkdirSync(resolve(settings.state, 'processes'), { recursive: true })
  if (existsSync(log)) renameSync(log, `${log}.1`)
  const output = openSync(log, 'a')
  const child = spawn(file, args, {
    env,
    cwd: cwd ?? settings.state,
    detached: true,
    stdio: ['ignore', output, output],
  })
  closeSync(output)
  await once(child, 'spawn').catch((error) => {
    throw new UserError(`${name} could not be started: ${(error as Error).message}`)
  })
  child.unref()
  const pid = child.pid as number
  writeFileSync(markFile(settings, name), JSON.stringify({ pid, born: born(pid) }))
}

export function runningPid(settings: Settings, name: string): number | undefined {
  const mark = readMark(settings, name)
  // A process that ended before it was asked for its time of birth has none.
  return mark?.born && born(mark.pid) === mark.born ? mark.pid : undefined
}

/** Names of the services that have been started here and not stopped since. */
export const started = (settings: Settings): readonly string[] =>
  existsSync(resolve(settings.state, 'processes'))
    ? readdirSync(resolve(settings.state, 'processes')).map((file) => file.replace(/\.json$/, ''))
    : []

/** Sends SIGTERM to a process, and SIGKILL after `graceMs`. Never sends a signal to a process that is not ours. */
export async function stop(settings: Settings, name: string, graceMs: number): Promise<void> {
  const pid = runningPid(settings, name)
  if (pid !== undefined) {
    signal(pid, 'SIGTERM')
    const isGone = async () => runningPid(settings, name) === undefined
    if (!(await waitFor(isGone, { withinMs: graceMs, everyMs: 50 }))) signal(pid, 'SIGKILL')
    while (runningPid(settings, name) !== undefined) await sleep(20)
  }
  rmSync(markFile(settings, name), { force: true })
}

/** Ends everything that was started here, and waits for nothing: a program that exits cannot. */
export function killAll(settings: Settings): void {
  for (const name of started(settings)) {
    const pid = runningPid(settings, name)
    if (pid !== undefined) signal(pid, 'SIGKILL')
  }
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

export const lastLines = (settings: Settings, name: string, count: number): string => {
  const log = logFile(settings, name)
  return existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n').slice(-count).join('\n') : ''
}

export { logFile }

function readMark(settings: Settings, name: string): Mark | undefined {
  const file = markFile(settings, name)
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
}

/** When a process was started, as the system reports it. Empty when the process has ended or is a zombie. */
const born = (pid: number) => (platform() === 'linux' ? bornOnLinux(pid) : bornByPs(pid))

/**
 * In ticks since the boot: that stays the same when the clock is set, in every time zone and language, and needs no `ps`, which small
 * images do not have.
 */
function bornOnLinux(pid: number): string {
  const read = (file: string) => {
    try {
      return readFileSync(`/proc/${file}`, 'utf8')
    } catch {
      return ''
    }
  }
  // The name of the program is in brackets and may hold spaces. A Z is an ended program; if it has more than one thread, the others
  // have not ended and still hold its ports.
  const fields = read(`${pid}/stat`).split(') ').at(-1)?.split(' ') ?? []
  const [state, threads, ticks] = [fields[0], Number(fields[17]), fields[19]]
  return !ticks || (state === 'Z' && threads < 2) ? '' : `${read('sys/kernel/random/boot_id').trim()} ${ticks}`
}

function bornByPs(pid: number): string {
  const env = { LC_ALL: 'C', TZ: 'UTC' }
  const { stdout, failed } = execaSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { reject: false, env })
  const [, stat, date] = /^\s*(\S+)\s+(.*\S)/.exec(stdout) ?? []
  // Z is an ended program; with l, some of its threads have not ended and still hold its ports.
  return failed || (stat?.startsWith('Z') && !stat.includes('l')) ? '' : (date ?? '')
}
