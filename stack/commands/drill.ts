import { mkdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { execa } from 'execa'
import PQueue from 'p-queue'
import { drillReport, holds, type Outcome } from '../../evidence/drills/balance.ts'
import { drillsOver } from '../../evidence/drills/drills.ts'
import type { Backend as DrillTarget, DrillTools, RunningBackend, Size } from '../../evidence/drills/setup.ts'
import { tierDrills } from '../../evidence/drills/tiers.ts'
import type { Caller } from '../../workbench/collector.ts'
import { UserError } from '../../workbench/user-error.ts'
import { isWell, waitFor } from '../../workbench/wait.ts'
import type { Backend, BackendServer } from '../backends/backend.ts'
import { BACKENDS, collectorFile, exporterOf, served } from '../backends/backends.ts'
import { otlp } from '../backends/otlp.ts'
import { launcherFor, tiersLauncher } from '../collectors.ts'
import type { MeasuredName, Result } from '../measured.ts'
import { build, type Programs } from '../native.ts'
import { SHIPPED_POLICY } from '../policy.ts'
import { portsOfItsOwn } from '../ports.ts'
import { startLimitMs } from '../service.ts'
import { ROOT, type Settings } from '../settings.ts'
import { wholeNumber } from '../whole-number.ts'

/** Enough to test that no backend affects another: the backends that run here, and one that is somewhere else. */
const DRILLED = BACKENDS.filter(({ id, server }) => server !== undefined || id === otlp.id)

/** Names that stand for many drills, by the number of Collectors; and where the results of each group are written. */
const DRILL_GROUPS = { one: 'one', tiers: 'tiers' } as const
export const DRILL_TABLES = { [DRILL_GROUPS.one]: 'drills', [DRILL_GROUPS.tiers]: 'tiers' } as const satisfies Record<
  string,
  MeasuredName
>

export type Asked = Omit<Size, 'seed' | 'kills'> &
  Readonly<{
    seed: string | number
    kills: string | number
    only?: readonly string[] | undefined
    /** How many drills run at the same time. */
    atOnce?: number
  }>

/** Runs drills with the native servers, on free ports and separate folders. Throws `UserError` when there is no such drill. */
export async function runDrills(
  settings: Settings,
  { only, seed, kills, atOnce = 1, ...more }: Asked,
  options: Caller,
): Promise<Result & Readonly<{ outcomes: readonly Outcome[] }>> {
  const size = { ...more, seed: wholeNumber('SEED', seed), kills: wholeNumber('KILLS', kills) }
  const recipes = served(DRILLED).map(({ server }) => server.recipe)
  const programs = await build(settings, ['collector', ...recipes], options)
  // When one drill cannot go on, the others end too.
  const over = new AbortController()
  const own = { ...options, cancel: AbortSignal.any([options.cancel, over.signal]) }
  const readText = (path: string) => readFileSync(resolve(ROOT, path), 'utf8')
  const backends = DRILLED.map((backend) => drillBackend(settings, programs, backend, own))
  const tools: DrillTools = {
    launcher: await launcherFor(settings, own, 'native'),
    tiersLauncher: () => tiersLauncher(settings, own),
    backends,
    lists: { everything: readText('collector/policies/keep-everything.yaml'), shipped: readText(SHIPPED_POLICY) },
  }
  const groups = { [DRILL_GROUPS.one]: drillsOver(backends), [DRILL_GROUPS.tiers]: tierDrills(backends) }
  const all = Object.values(groups).flat()
  const isWanted = (name: string, group: string) => !only || only.includes(name) || only.includes(group)
  const unknown = only?.find((name) => !(name in groups) && !all.some((drill) => drill.name === name))
  if (unknown !== undefined)
    throw new UserError(
      `DRILL=${unknown}: there is no drill of this name. There are ${all.map(({ name }) => name).join(', ')}; ${Object.keys(groups).join(' and ')} are all drills with one Collector and with two tiers.`,
    )
  const wanted = Object.entries(groups).flatMap(([group, drills]) => drills.filter(({ name }) => isWanted(name, group)))
  const queue = new PQueue({ concurrency: atOnce })
  const timed = async ({ name, run }: (typeof wanted)[number]) => {
    const began = Date.now()
    options.say(`  ${name} …`)
    const outcome = await run(tools, size)
    const verdict = holds(outcome) ? 'balances' : 'DOES NOT BALANCE'
    options.say(`  ${name}: ${verdict} after ${Math.round((Date.now() - began) / 1000)} s`)
    return outcome
  }
  const told = await queue.addAll(wanted.map((drill) => () => timed(drill))).catch(async (error) => {
    over.abort(error)
    queue.clear()
    await queue.onIdle()
    throw error
  })
  return { report: (format) => drillReport(told, format), holds: told.every(holds), outcomes: told }
}

/** A backend for drills, from its record in this stack, with the real server if this project runs one. */
function drillBackend(settings: Settings, programs: Programs, backend: Backend, options: Caller): DrillTarget {
  const { id, endpointVariable, server } = backend
  return {
    id,
    exporter: exporterOf(id),
    collectorFile: resolve(ROOT, collectorFile(backend)),
    environment: (endpoint) => ({
      ...backend.environment({ ...settings, env: { ...settings.env, [endpointVariable]: endpoint } }),
      [endpointVariable]: endpoint,
    }),
    ...(server ? { start: (folder: string) => startServer(settings, programs, backend, server, folder, options) } : {}),
  }
}

/** A server of the native stack. It ends with this process in any case. */
async function startServer(
  settings: Settings,
  programs: Programs,
  { id, endpointVariable, environment }: Backend,
  { service, stored }: BackendServer,
  folder: string,
  { cancel }: Caller,
): Promise<RunningBackend> {
  const own: Settings = { ...settings, state: folder, ports: await portsOfItsOwn() }
  mkdirSync(folder, { recursive: true })
  const { ready, graceMs, beforeStop, command } = service(own, programs)

  const launch = () => {
    const { file, args, env } = command()
    const options = { env, extendEnv: false, cwd: folder, stdin: 'ignore', buffer: false, reject: false } as const
    return execa(file, args, { ...options, stdout: { file: `${folder}/log` }, stderr: { file: `${folder}/log` } })
  }
  let child: ReturnType<typeof launch> | undefined
  const start = async () => {
    child = launch()
    const started = child
    const isReady = async () => ((await isWell(ready ?? '')) ? 'ready' : started.exitCode !== null && 'ended')
    const withinMs = startLimitMs(settings)
    if ((await waitFor(isReady, { withinMs, cancel })) === 'ready') return
    throw new UserError(
      `${id} was not ready after ${withinMs / 1000} s: ${readFileSync(`${folder}/log`, 'utf8').slice(-2000)}`,
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
  return { endpoint: environment(own)[endpointVariable] ?? '', start, end, stored: stored(own) }
}
