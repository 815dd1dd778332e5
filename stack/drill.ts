import { mkdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { drillReport, holds, type Outcome, spanKey } from '../evidence/drills/balance.ts'
import { type Backend, type BackendName, DRILLS, type DrillTools, type Size } from '../evidence/drills/drills.ts'
import type { Format } from '../workbench/draw.ts'
import { UserError } from '../workbench/user-error.ts'
import { tempoSearch, tempoTrace } from './backends.ts'
import { launcherFor } from './collectors.ts'
import { build, type Programs } from './native.ts'
import { SHIPPED_POLICY } from './policy.ts'
import { portsOfItsOwn } from './ports.ts'
import { type Result, wholeNumber } from './proof.ts'
import { services } from './services.ts'
import { ROOT, type Settings, url } from './settings.ts'

type Options = Readonly<{ cancel: AbortSignal; say: (line: string) => void }>

const LOOKUPS_AT_ONCE = 8
const MOST_TRACES = 100_000
const LOOK_AGAIN_MS = 100

export type Asked = Omit<Size, 'seed' | 'kills'> &
  Readonly<{
    seed: string | number
    kills: string | number
    only?: readonly string[] | undefined
    /** How many drills run beside each other. */
    atOnce?: number
  }>

/** Runs drills against the native stack, on ports and disks of their own. Throws `UserError` when there is no such drill. */
export async function runDrills(
  settings: Settings,
  { only, seed, kills, atOnce = 1, ...more }: Asked,
  format: Format,
  options: Options,
): Promise<Result & Readonly<{ outcomes: readonly Outcome[] }>> {
  const names = DRILLS.map(({ name }) => name)
  const odd = only?.find((name) => !names.includes(name))
  if (odd !== undefined) throw new UserError(`DRILL=${odd}: there is no such drill; there are ${names.join(', ')}.`)
  const size = { ...more, seed: wholeNumber('SEED', seed), kills: wholeNumber('KILLS', kills) }
  const programs = await build(settings, ['collector', 'tempo', 'phoenix'], options)
  // One drill that cannot go on ends those beside it.
  const over = new AbortController()
  const own = { ...options, cancel: AbortSignal.any([options.cancel, over.signal]) }
  const readText = (path: string) => readFileSync(resolve(ROOT, path), 'utf8')
  const tools: DrillTools = {
    launcher: await launcherFor(settings, own, 'native'),
    backend: (name, folder) => startBackend(settings, programs, name, folder, own),
    lists: { everything: readText('collector/policies/keep-everything.yaml'), shipped: readText(SHIPPED_POLICY) },
  }
  const wanted = DRILLS.filter(({ name }) => !only || only.includes(name))
  const outcomes = new Map<string, Outcome>()
  const waiting = [...wanted]
  const runner = async () => {
    for (let drill = waiting.shift(); drill; drill = waiting.shift()) {
      const { name, run } = drill
      const began = Date.now()
      options.say(`  ${name} …`)
      const outcome = await run(tools, size)
      const verdict = holds(outcome) ? 'balances' : 'DOES NOT BALANCE'
      options.say(`  ${name}: ${verdict} after ${Math.round((Date.now() - began) / 1000)} s`)
      outcomes.set(name, outcome)
    }
  }
  const runs = Array.from({ length: atOnce }, () =>
    runner().catch((error) => {
      over.abort(error)
      throw error
    }),
  )
  await Promise.allSettled(runs)
  await Promise.all(runs)
  const told = wanted.flatMap(({ name }) => outcomes.get(name) ?? [])
  return { text: drillReport(told, format), holds: told.every(holds), outcomes: told }
}

/** A backend of the native stack, ended with this process whatever happens to it. */
async function startBackend(
  settings: Settings,
  programs: Programs,
  name: BackendName,
  folder: string,
  { cancel }: Options,
): Promise<Backend> {
  const own: Settings = { ...settings, state: folder, ports: await portsOfItsOwn() }
  mkdirSync(folder, { recursive: true })
  const service = services(own, programs).find((one) => one.name === name)
  if (!service?.ready) throw new Error(`no service ${name}`)
  const { ready, readyWithinMs, graceMs, beforeStop, command } = service

  const launch = () => {
    const { file, args, env } = command()
    const options = { env, extendEnv: false, cwd: folder, stdin: 'ignore', buffer: false, reject: false } as const
    return execa(file, args, { ...options, stdout: { file: `${folder}/log` }, stderr: { file: `${folder}/log` } })
  }
  let child: ReturnType<typeof launch> | undefined
  const start = async () => {
    child = launch()
    const until = Date.now() + readyWithinMs
    while (Date.now() < until) {
      cancel.throwIfAborted()
      const is = await fetch(ready, { signal: AbortSignal.timeout(2000) }).then(
        ({ ok }) => ok,
        () => false,
      )
      if (is) return
      if (child.exitCode !== null) break
      await sleep(LOOK_AGAIN_MS)
    }
    throw new UserError(
      `${name} was not ready after ${readyWithinMs / 1000} s: ${readFileSync(`${folder}/log`, 'utf8').slice(-2000)}`,
    )
  }
  const end = async (how: 'SIGTERM' | 'SIGKILL') => {
    if (!child) return
    if (how === 'SIGTERM') await beforeStop?.().catch(() => {})
    child.kill(how)
    const late = setTimeout(() => child?.kill('SIGKILL'), graceMs)
    await child
    clearTimeout(late)
    child = undefined
  }
  try {
    await start()
  } catch (error) {
    await end('SIGKILL')
    throw error
  }
  const endpoint = url(own, name === 'tempo' ? 'TEMPO_OTLP_HTTP_PORT' : 'PHOENIX_PORT')
  return {
    endpoint,
    start,
    end,
    stored: name === 'tempo' ? lookingInTempo(own) : async () => inPhoenix(folder),
  }
}

/** Looks for these spans in Tempo, and no more for what was found before. */
function lookingInTempo(settings: Settings) {
  const stored = new Map<string, number>()
  const left = (keys: readonly string[]) => {
    const ids = new Set(keys.filter((key) => !stored.has(key)).map((key) => key.split(' ')[0] ?? ''))
    // Tempo holds nothing under an id that is none.
    return [...ids].filter((id) => /^[0-9a-f]{32}$/.test(id))
  }
  return async (keys: readonly string[]): Promise<ReadonlyMap<string, number>> => {
    if (stored.size === 0) {
      // One answer tells of most of them; a search does not find what happened at odd times. A lookup is slow when
      // there is nothing to find.
      for (const { traceID, spanSets } of await tempoSearch(settings, '{}', { limit: MOST_TRACES }))
        for (const { spans } of spanSets ?? [])
          for (const { spanID } of spans as readonly { spanID: string }[])
            stored.set(spanKey(traceID.padStart(32, '0'), spanID.padStart(16, '0')), 1)
    }
    const ids = left(keys)
    const look = async () => {
      for (let id = ids.pop(); id !== undefined; id = ids.pop())
        for (const { traceId, spanId } of await tempoTrace(settings, id))
          stored.set(spanKey(traceId.padStart(32, '0'), spanId), 1)
    }
    await Promise.all(Array.from({ length: LOOKUPS_AT_ONCE }, look))
    return stored
  }
}

/** From its database: one odd span is enough that Phoenix 20.26 cannot list the spans of a project any more. */
function inPhoenix(folder: string): ReadonlyMap<string, number> {
  const stored = new Map<string, number>()
  const database = new DatabaseSync(resolve(folder, 'data/phoenix/phoenix.db'), { readOnly: true })
  const rows = database
    .prepare('SELECT trace_id, span_id FROM spans JOIN traces ON traces.id = spans.trace_rowid')
    .all()
  database.close()
  for (const row of rows) count(stored, spanKey(String(row.trace_id), String(row.span_id)))
  return stored
}

const count = (counts: Map<string, number>, key: string) => counts.set(key, (counts.get(key) ?? 0) + 1)
