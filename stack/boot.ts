import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Caller } from '../workbench/collector.ts'
import { UserError } from '../workbench/user-error.ts'
import { isWell, statusOf, waitFor } from '../workbench/wait.ts'
import { chosenBackends, refuseMissing, served } from './backends/backends.ts'
import { launcherFor } from './collectors.ts'
import { build, type Programs } from './native.ts'
import { activatePolicy, refuseDefects } from './policy.ts'
import { refuseTakenPorts } from './ports.ts'
import { pricesToday } from './prices.ts'
import { lastLines, logFile, runningPid, signal, start, started, stop } from './processes.ts'
import { collectorOverlays } from './receiver-options.ts'
import { type LastWords, type Service, startLimitMs } from './service.ts'
import { recipesOf, services } from './services.ts'
import type { Settings } from './settings.ts'
import { collectors, receivers, titleOf } from './tiers.ts'
import { startWithWaits, waitsIn } from './waits.ts'

/**
 * Starts the native stack and waits until every service can do its work. What already runs is left as it is.
 * Throws `UserError` before anything is started when a port, the policy or the price file is wrong; when a
 * service ends before it is ready, stops what this call started. `only` limits which services are started.
 */
export async function bootNative(
  settings: Settings,
  { policy, only, cancel, say }: Caller & Readonly<{ policy: string; only?: readonly string[] }>,
): Promise<void> {
  const prices = pricesToday() // Refuses a price file with a mistake in it, before anything is built or started.
  collectorOverlays(settings) // Refuses wrong options of the collector.
  waitsIn(settings)
  const backends = served(chosenBackends(settings))
  refuseMissing(settings)
  await refuseDeadModelServer(settings.env)
  const instances = collectors(settings)
  const isCollector = (name: string) =>
    name === 'collector-tiers' || instances.some((instance) => instance.name === name)
  const isWanted = (name: string) => !only || only.includes(isCollector(name) ? 'collector' : name)
  const isRunning = ({ name }: Service) => runningPid(settings, name) !== undefined
  // These need no program, and a build takes minutes.
  refuseDefects(policy)
  for (const { name, ports, settings: own = settings } of services(settings, NO_PROGRAMS).filter(
    (service) => isWanted(service.name) && !isRunning(service),
  )) {
    const numbers = ports.map((port) => own.ports[port])
    await refuseTakenPorts(settings, name, numbers)
  }
  const recipes = recipesOf(settings).filter(isWanted)
  const programs = await build(settings, recipes, { cancel, say })
  const wanted = services(settings, programs).filter(({ name }) => isWanted(name))

  const absent = wanted.filter((service) => !isRunning(service))
  const running = wanted.filter(isRunning).map(({ name }) => name)
  if (running.length > 0)
    say(`  already running, with the settings of its start: ${running.join(', ')} (to change them, make down first)`)
  // One that ended alone and is started again has the list and the waits of the others.
  if (instances.every(({ name }) => absent.some((service) => service.name === name))) {
    await activatePolicy(settings, policy, await launcherFor(settings, { cancel, say }, 'native'))
    startWithWaits(settings)
  }

  const mine: Service[] = []
  try {
    const launch = async (service: Service) => {
      cancel.throwIfAborted()
      mine.push(service)
      const began = Date.now()
      await start(settings, service.name, service.command())
      await untilReady(settings, service, cancel)
      const setPrices = backends.find(({ id }) => id === service.name)?.server.setPrices
      if (setPrices) await sleep(await setPrices(settings, prices), undefined, { signal: cancel })
      say(`  ${service.name.padEnd(11)} ready after ${((Date.now() - began) / 1000).toFixed(1)} s`)
    }
    // One that runs may still be busy with a reload, or with a start of a moment ago.
    const others = wanted.filter((service) => service.ready && !absent.includes(service) && service.name !== 'sim')
    const busy = others.map((service) => untilReady(settings, service, cancel))
    // The simulator starts last, so that everything which gets its telemetry is ready.
    await allOrFirstFailure([...busy, ...absent.filter(({ name }) => name !== 'sim').map(launch)])
    for (const service of absent.filter(({ name }) => name === 'sim')) await launch(service)
  } catch (error) {
    await Promise.all(mine.map((service) => stopService(settings, service)))
    throw error
  }
}

/** Before anything is built or started, checks that the user's own model server answers. The simulator checks more, later. */
async function refuseDeadModelServer({ VLLM_BASE_URL }: Settings['env']): Promise<void> {
  if (!VLLM_BASE_URL) return
  const models = `${VLLM_BASE_URL.replace(/\/$/, '')}/models`
  await fetch(models, { signal: AbortSignal.timeout(5000) }).catch((error: Error) => {
    const why = (error.cause as Error | undefined)?.message ?? error.message
    throw new UserError(
      `VLLM_BASE_URL=${VLLM_BASE_URL}: the model server does not answer (${why || 'connection refused'}). ` +
        'Start it, correct the address, or unset it to use the mock server.',
    )
  })
}

async function allOrFirstFailure(work: readonly Promise<void>[]): Promise<void> {
  await Promise.all(work).catch(async (error) => {
    // Give the others time to end before somebody cleans up.
    await Promise.race([Promise.allSettled(work), sleep(1000)])
    throw error
  })
}

async function untilReady(settings: Settings, { name, ready }: Service, cancel: AbortSignal): Promise<void> {
  let answer = 'nothing answered'
  const look = async () => {
    // Without an address to ask, all that can be seen from here is that it is still alive after a moment.
    if (!ready) await sleep(1500, undefined, { signal: cancel })
    if (runningPid(settings, name) === undefined) {
      throw new UserError(
        `${name} ended before it was ready. Its last log lines:\n${lastLines(settings, name, 15)}\nThe whole log: ${logFile(settings, name)}`,
      )
    }
    if (!ready) return true
    const status = await statusOf(ready)
    if (status !== undefined) answer = `HTTP ${status}`
    return status !== undefined && status < 300
  }
  const withinMs = startLimitMs(settings)
  if (await waitFor(look, { withinMs, cancel })) return
  throw new UserError(
    `${name} was not ready after ${withinMs / 1000} s (${ready}: ${answer}); a slow machine may need more, make up START_LIMIT=…. Its last log lines:\n${lastLines(settings, name, 15)}`,
  )
}

async function stopService(settings: Settings, { name, graceMs, beforeStop }: Service): Promise<void> {
  if (beforeStop && runningPid(settings, name) !== undefined) await beforeStop().catch(() => {})
  await stop(settings, name, graceMs)
}

/** Stops everything that was started here: senders before receivers, so that no telemetry is lost. */
export async function haltNative(settings: Settings, say: Caller['say']): Promise<void> {
  const here = started(settings)
  const all = services(settings, NO_PROGRAMS)
  const known = all.filter(({ name }) => here.includes(name))
  const named = (some: readonly { name: string }[]) => some.map(({ name }) => name)
  const waves = [['sim'], ['mock-vllm', ...named(receivers(settings))], named(collectors(settings)), named(all)]
  for (const wave of waves) {
    await Promise.all(
      known
        .filter(({ name }) => wave.includes(name))
        .map(async (service) => {
          if (runningPid(settings, service.name) === undefined) return stop(settings, service.name, 0)
          await stopService(settings, service)
          say(`  ${service.name} stopped`)
        }),
    )
  }
  for (const name of here.filter((name) => !all.some((service) => service.name === name)))
    await stop(settings, name, 5000)
}

/** To stop a service, no path of a program is needed. */
const NO_PROGRAMS: Programs = () => ''

/** Which services of the native stack run, and whether they answer. */
export async function statusNative(
  settings: Settings,
): Promise<readonly { name: string; state: string; log: string }[]> {
  const rows = []
  const known = services(settings, NO_PROGRAMS)
  // A Grafana that only make up knew of (GRAFANA_HOME) may still run.
  const others = started(settings).filter((name) => !known.some((service) => service.name === name))
  for (const { name, ready } of [...known, ...others.map((name) => ({ name, ready: undefined }))]) {
    const pid = runningPid(settings, name)
    const isReady = pid !== undefined && (!ready || (await isWell(ready)))
    const state = pid === undefined ? 'not running' : `running (pid ${pid})${isReady ? '' : ', not ready'}`
    rows.push({ name, state, log: existsSync(logFile(settings, name)) ? logFile(settings, name) : '' })
  }
  return rows
}

/** Makes a running collector read its policy again. It decides at once on the traces that it holds. Its process stays, or ends. */
export async function reloadCollector(settings: Settings, name = 'collector'): Promise<LastWords> {
  const pid = runningPid(settings, name)
  if (pid === undefined) throw new UserError(`${titleOf(name)} is not running here. To start the stack: make up.`)
  signal(pid, 'SIGHUP')
  return async () => (runningPid(settings, name) === pid ? undefined : lastLines(settings, name, 5))
}
