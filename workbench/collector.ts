import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { UserError } from './user-error.ts'
import { statusOf, waitFor } from './wait.ts'

export type Command = Readonly<{ file: string; args: readonly string[]; env: Readonly<Record<string, string>> }>

/** What whoever calls a command gives to it: a way to stop it, and a place for its progress. */
export type Caller = Readonly<{ cancel: AbortSignal; say: (line: string) => void }>

/** What the workbench needs from its caller: the collector, and free ports. */
export type Launcher = Caller &
  Readonly<{
    /**
     * How to start the collector with the shipped configuration, these overlays and this environment. It reads
     * `collector/` and the scratch folder and writes to the scratch folder only: in a container it sees nothing else.
     */
    collector: (folder: string, overlays: readonly string[], env: Readonly<Record<string, string>>) => Command
    freePorts: (count: number) => Promise<readonly number[]>
    /** How long a program may take to start. One that cannot start ends by itself, so this is long. */
    startLimitMs: number
  }>

export type Running = Readonly<{
  pid: number
  otlp: string
  /** The pages of its own metrics, of what agents send, and of what it counts. */
  metrics: () => Promise<string>
  agents: () => Promise<string>
  counted: () => Promise<string>
  /** Throws when the collector has ended by itself, or cannot write what it should. */
  alive: () => void
  /** For a request that it did not answer: throws as `alive` does, as soon as that shows, else this error. */
  unanswered: (error: unknown) => Promise<never>
  /** Ends it with SIGTERM: it decides on all waiting traces and writes what it keeps. Throws when that could not be written. */
  stop: () => Promise<void>
  /** Ends it at once, with SIGKILL. */
  kill: () => Promise<void>
  /** Makes it read its configuration again, and waits until it accepts data. */
  reload: () => Promise<void>
}>

/** An overlay for those who need no masking: a start without it takes a tenth of the CPU. */
export const UNMASKED = join(import.meta.dirname, 'unmasked.yaml')

export type Scratch = Readonly<{
  folder: string
  overlays: readonly string[]
  env: Readonly<Record<string, string>>
  line?: (text: string) => void
}>

const READY = 'Everything is ready'
const STOP_LIMIT_MS = 30_000
const PAGE_LIMIT_MS = 60_000
/** From the broken connections of a program that ends until its end shows. A busy machine tells late. */
const END_SHOWS_MS = 10_000
const LINES_KEPT = 100
/** The collector logs this and goes on; its file is then too short. */
const DISK_FULL = /no space left on device|disk quota exceeded|file too large/
/** The same, as Node names it. */
const DISK_FULL_CODES = ['ENOSPC', 'EDQUOT', 'EFBIG']

/** How many ports a collector listens on. */
export const PORTS = 6
function listening(free: readonly number[]) {
  const [grpc, http, health, own, agents, counted] = free.map(String)
  return {
    OTLP_GRPC_PORT: grpc ?? '',
    OTLP_HTTP_PORT: http ?? '',
    COLLECTOR_HEALTH_PORT: health ?? '',
    COLLECTOR_METRICS_PORT: own ?? '',
    COLLECTOR_EXPORTER_PORT: agents ?? '',
    COLLECTOR_COUNTED_PORT: counted ?? '',
  }
}

/** The collector did not start; `said` is what it said. */
export class NotStarted extends UserError {
  readonly said: readonly string[]
  constructor(said: readonly string[]) {
    super(`the collector did not start. It said: ${said.join('\n') || 'nothing'}`)
    this.said = said
  }
}

/**
 * Starts the collector on ports of its own and waits until it takes data. Throws `NotStarted` otherwise. `line` is
 * called with each line of its log.
 */
export async function startCollector(
  { collector, freePorts, startLimitMs, cancel }: Launcher,
  { folder, overlays, env, line }: Scratch,
): Promise<Running> {
  cancel.throwIfAborted()
  const ports = listening(await freePorts(PORTS))
  const command = collector(folder, overlays, { QUEUE_DIR: join(folder, 'queue'), ...ports, ...env })
  const said: string[] = []
  const child = execa(command.file, command.args, {
    env: command.env,
    extendEnv: false,
    stdin: 'ignore',
    all: true,
    buffer: false,
    reject: false,
    forceKillAfterDelay: STOP_LIMIT_MS,
  })
  // It says so at its start and after each reload. What it says late must not count for the next one.
  let [saidReady, reloads] = [0, 0]
  let ended = false
  let full: string | undefined
  const reading = (async () => {
    for await (const text of child.iterable({ from: 'all' })) {
      if (text.includes(READY)) saidReady++
      full ??= DISK_FULL.exec(text)?.[0]
      said.push(text)
      if (said.length > LINES_KEPT) said.shift()
      line?.(text)
    }
  })().catch(() => {})
  const ending = child.then(() => {
    ended = true
  })
  const stop = async () => {
    child.kill('SIGTERM')
    await Promise.all([ending, reading])
    if (full) throw diskFull(full, folder)
  }
  const otlp = `http://127.0.0.1:${ports.OTLP_HTTP_PORT}`
  const untilReady = async (isReady: () => boolean | Promise<boolean>) => {
    const isOver = async () => ((await isReady()) ? 'ready' : (ended || cancel.aborted) && 'over')
    if ((await waitFor(isOver, { withinMs: startLimitMs, everyMs: 50 })) === 'ready') return
    await stop()
    cancel.throwIfAborted()
    throw new NotStarted(said)
  }
  const alive = () => {
    if (full) throw diskFull(full, folder)
    if (ended) throw new UserError(`the collector ended by itself. It said: ${said.slice(-20).join('\n') || 'nothing'}`)
  }
  const unanswered = async (error: unknown): Promise<never> => {
    await Promise.race([ending, sleep(END_SHOWS_MS, undefined, { ref: false })])
    cancel.throwIfAborted()
    alive()
    throw error
  }
  const page = (port: string) => async () => {
    const asked = fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(PAGE_LIMIT_MS) })
    return (await asked.catch(unanswered)).text()
  }
  // With a log level above info it does not say that it is ready. It starts its receivers last.
  await untilReady(async () => saidReady > 0 || (await statusOf(otlp)) !== undefined)
  return {
    pid: child.pid ?? 0,
    otlp,
    metrics: page(ports.COLLECTOR_METRICS_PORT),
    agents: page(ports.COLLECTOR_EXPORTER_PORT),
    counted: page(ports.COLLECTOR_COUNTED_PORT),
    alive,
    unanswered,
    stop,
    kill: async () => {
      child.kill('SIGKILL')
      await Promise.all([ending, reading])
    },
    reload: async () => {
      const isReady = () => saidReady > reloads
      await untilReady(isReady)
      reloads++
      child.kill('SIGHUP')
      await untilReady(isReady)
    },
  }
}

/** The sum of all series of a name, in the text that Prometheus reads. */
export function sumOf(page: string, name: string, label = ''): number {
  return page
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter((line) => line.includes(label))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}

/** How many traces a sampler has taken in and not judged, by its page. Its own gauge of that is as old as its last tick. */
export function unjudgedOn(page: string): number {
  const count = (name: string) => sumOf(page, `otelcol_processor_tail_sampling_${name}`)
  return count('new_trace_id_received') - count('global_count_traces_sampled') - count('traces_dropped_too_large')
}

const diskFull = (why: string, where: string) =>
  new UserError(
    `${where}: the disk is full (${why}), so this was given up: make room${where.startsWith(tmpdir()) ? ', or name a folder on another disk with TMPDIR=…' : ' there'}`,
  )

/** A file on a full disk is incomplete. This turns the error into a sentence that helps. */
export async function refusingFullDisk<T>(where: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    throw DISK_FULL_CODES.includes(code) ? diskFull(code, where) : error
  }
}

/** Gives a folder for scratch files, and removes it in any case. */
export async function withScratch<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await refusingFullDisk(tmpdir(), async () => mkdtempSync(join(tmpdir(), 'workbench-')))
  // Also at a second Ctrl-C, which ends this process at once.
  const remove = () => rmSync(folder, { recursive: true, force: true })
  process.once('exit', remove)
  try {
    return await refusingFullDisk(folder, () => work(folder))
  } finally {
    process.off('exit', remove)
    remove()
  }
}

/** Reads the output of one program line by line, until it ends. Returns its exit code. */
export async function runToEnd(
  { file, args, env }: Command,
  { cancel, line, cwd }: { cancel: AbortSignal; line: (text: string) => void; cwd: string },
): Promise<number> {
  cancel.throwIfAborted()
  const child = execa(file, args, {
    env,
    cwd,
    extendEnv: false,
    stdin: 'ignore',
    all: true,
    buffer: false,
    reject: false,
    forceKillAfterDelay: 10_000,
  })
  const end = () => void child.kill('SIGTERM')
  cancel.addEventListener('abort', end, { once: true })
  try {
    for await (const text of child.iterable({ from: 'all' })) line(text)
  } catch {
    // Its exit code says how it ended.
  } finally {
    cancel.removeEventListener('abort', end)
  }
  const { exitCode } = await child
  return exitCode ?? 1
}
