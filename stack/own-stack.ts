import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { series } from '../grafana/source/metrics.ts'
import { type Entry, readLedger } from '../sim/ledger.ts'
import type { Caller } from '../workbench/collector.ts'
import { bootNative, haltNative } from './boot.ts'
import { ownFolder } from './own-folder.ts'
import { portsOfItsOwn } from './ports.ts'
import { killAll } from './processes.ts'
import { prometheus } from './queries.ts'
import { senderEnvironment } from './receiver-options.ts'
import { tsx } from './service.ts'
import { readSettings, type Settings, url } from './settings.ts'

export type Run = Readonly<{ id: string; entries: readonly Entry[]; spans: number; said: string }>

/** Everything that tests send comes within a second of its root, so they need not wait as long as the shipped sampler does. */
const SHORT_WAITS = { DECISION_WAIT: '20s', DECISION_WAIT_AFTER_ROOT: '1s' }
/** In the environment of a stack: the waits of the shipped configuration. */
export const SHIPPED_WAITS = { DECISION_WAIT: '', DECISION_WAIT_AFTER_ROOT: '' }

/** For a test: nothing ends it early, and nobody reads its progress. */
export const quiet: Caller = { cancel: new AbortController().signal, say: () => {} }

/** How many tests that mostly wait for a collector of their own run at the same time. */
export const WAITING_AT_ONCE = { concurrency: 3 }

/**
 * The servers of these stacks go with this program, however it ends (Node's test runner exits on a signal without a wait), and before
 * their folders do.
 */
const running = new Set<Settings>()
process.prependOnceListener('exit', () => {
  for (const settings of running) killAll(settings)
})
const interrupted = () => process.exit(130)
const terminated = () => process.exit(143)

/** A stack of its own for a test or a measurement: free ports, a temporary folder, and only the environment it names. */
export async function ownSettings(extra: Readonly<Record<string, string>> = {}): Promise<Settings> {
  const shipped = readSettings(ownFolder())
  const env = { ...shipped.env }
  for (const name of [
    'GRAFANA_HOME',
    'VLLM_BASE_URL',
    'TIME_FACTOR',
    'SLOW_CALL',
    'SLOW_RUN',
    'TOKEN_HEAVY',
    'HEAVY_CALL',
  ])
    delete env[name]
  return { ...shipped, ports: await portsOfItsOwn(), env: { ...env, ...SHORT_WAITS, ...extra } }
}

/** Starts the named services of the real stack. Returns a function that stops them and removes their files. */
export async function startStack(
  settings: Settings,
  policy: string,
  only: readonly string[],
): Promise<() => Promise<void>> {
  const said: string[] = []
  const say = (line: string) => void said.push(line)
  const end = async () => {
    await haltNative(settings, say)
    running.delete(settings)
    rmSync(settings.state, { recursive: true, force: true })
  }
  running.add(settings)
  // Not once: a second signal would end the program in the middle of its exit.
  process.off('SIGINT', interrupted).on('SIGINT', interrupted).off('SIGTERM', terminated).on('SIGTERM', terminated)
  await bootNative(settings, { ...quiet, policy, only, say }).catch(async (error) => {
    await end()
    throw error
  })
  return end
}

/** How the simulator is started against the model server of this stack, with a new ledger. */
export function simulator(settings: Settings, ...flags: readonly string[]) {
  const ledger = resolve(settings.state, `ledger-${process.hrtime.bigint()}.jsonl`)
  const own = ['--ledger', ledger, '--base-url', url(settings, 'VLLM_PORT', '/v1')]
  const env = {
    PATH: settings.env.PATH ?? '',
    TIME_FACTOR: settings.env.TIME_FACTOR ?? '1',
    ...senderEnvironment(settings),
  }
  return { ...tsx('sim/main.ts', ...own, ...flags), env, ledger }
}

/** Plays ticks against the model server of this stack and answers the ledger. */
export async function play(settings: Settings, ...flags: readonly string[]): Promise<Run> {
  const { file, args, cwd, env, ledger } = simulator(settings, ...flags)
  const { stderr } = await execa(file, args, { cwd, env, extendEnv: false, timeout: 600_000 })
  const entries = readLedger(ledger)
  const id = entries.find((entry) => entry.kind === 'run')?.run ?? ''
  return { id, entries, spans: Number(/all (\d+) spans were sent/.exec(stderr)?.[1] ?? Number.NaN), said: stderr }
}

/**
 * The time of an evaluation of the cost rules, in seconds since 1970, at which every token of all runs of this stack was
 * charged. However long that takes: a test that asks about this time does not depend on the speed of the machine.
 */
export async function chargedAt(settings: Settings, ...runs: readonly Run[]): Promise<number> {
  const tokens = runs
    .flatMap(({ entries }) => entries)
    .reduce((sum, entry) => sum + (entry.kind === 'call' ? entry.inputTokens + entry.outputTokens : 0), 0)
  return eventually(async () => {
    // The last rule of the group: when it has a point, so have the others.
    const [last] = await prometheus(settings, `max(timestamp(${series.cost}))`)
    const [used] = await prometheus(
      settings,
      `sum(sum_over_time(${series.used}{gen_ai_token_type=~"input|output"}[1h]))`,
      last?.value,
    )
    assert.equal(used?.value, tokens, 'every token of the runs is charged')
    return last?.value ?? Number.NaN
  })
}

/** However busy a machine is, nothing takes longer. */
const AT_MOST_MS = 600_000

/**
 * Looks twice a second until something is found. It gives up when nothing has changed for so many seconds: as long as
 * the error says something else each time, there is progress, and a busy machine is only slow. Throws the last error.
 */
export async function eventually<T>(look: () => Promise<T>, seconds = 180, cancel?: AbortSignal): Promise<T> {
  const began = Date.now()
  let last = { said: '', atMs: began }
  for (;;) {
    try {
      return await look()
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error)
      if (said !== last.said) last = { said, atMs: Date.now() }
      if (Date.now() > last.atMs + seconds * 1000 || Date.now() > began + AT_MOST_MS) throw error
      await sleep(500, undefined, cancel && { signal: cancel })
    }
  }
}
