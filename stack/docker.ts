import { existsSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs'
import { delimiter, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { writeDashboards } from '../grafana/source/dashboards.ts'
import type { Caller } from '../workbench/collector.ts'
import { UserError } from '../workbench/user-error.ts'
import { isWell } from '../workbench/wait.ts'
import { BACKENDS, chosenBackends, environmentThere, refuseMissing, running, served } from './backends/backends.ts'
import { launcherFor } from './collectors.ts'
import { COMPOSE_FILE, containerFiles, TLS_FILE, writeComposeTiers, writeOwnChanges } from './compose-tiers.ts'
import { activatePolicy, refuseDefects } from './policy.ts'
import { refuseTakenPorts } from './ports.ts'
import { pricesToday } from './prices.ts'
import { isRecording, senderEnvironment, tlsFiles } from './receiver-options.ts'
import { type LastWords, startLimitMs } from './service.ts'
import { collectorEnvironment, dashboards, linked, recordings } from './services.ts'
import { portVariables, ROOT, type Settings, url } from './settings.ts'
import { collectors, titleOf } from './tiers.ts'
import { startWithWaits, waitsIn } from './waits.ts'

const NATIVE = 'To build everything from source instead: make up BOOT=native'

/** A user's own changes, which Compose loads by itself only where no file is named. */
const OVERRIDE = 'docker-compose.override.yml'

/**
 * The variables for docker-compose.yml: every setting, port and image, as in the native boot. Empty means unset. With `TIERS`,
 * writes the file that has the gateways and samplers.
 */
export function composeEnvironment(settings: Settings): Record<string, string> {
  const given = Object.entries(settings.env).filter(([, value]) => value !== '')
  const tls = tlsFiles(settings)
  const backends = chosenBackends(settings)
  const isTiered = collectors(settings).length > 1
  const collectorOptions = containerFiles(settings) // Refuses wrong options, before a file is written.
  const own = existsSync(resolve(ROOT, OVERRIDE)) ? [OVERRIDE] : []
  const files = [
    ...(isRecording(settings) ? ['stack/compose/record.yaml'] : []),
    ...(tls ? [TLS_FILE] : []),
    ...(isTiered ? [writeComposeTiers(settings), ...own.flatMap((file) => writeOwnChanges(settings, file))] : []),
  ]
  return {
    ...Object.fromEntries(given),
    ...portVariables(settings),
    STACK_STATE: settings.state,
    SLOW_CALL: collectorEnvironment(settings).SLOW_CALL ?? '',
    // The servers of the chosen backends, and the mock unless the user has a model server.
    COMPOSE_PROFILES: [...running(backends), ...(settings.env.VLLM_BASE_URL ? [] : ['mock-vllm'])].join(),
    // Prometheus scrapes no backend that is not there.
    ...Object.fromEntries(
      served(BACKENDS)
        .filter((backend) => backend.server.metricsPort && !backends.includes(backend))
        .map(({ id }) => [`${id.toUpperCase()}_TARGETS`, './stack/compose/no-targets.yaml']),
    ),
    COLLECTOR_FILES: collectorOptions,
    ...environmentThere(settings),
    ...(files.length > 0 ? { COMPOSE_FILE: [COMPOSE_FILE, ...own, ...files].join(delimiter) } : {}),
    OTEL_EXPORTER_OTLP_HEADERS: senderEnvironment(settings).OTEL_EXPORTER_OTLP_HEADERS ?? '',
    ...(tls ? { OTLP_TLS_CERT: tls.cert, OTLP_TLS_KEY: tls.key } : {}),
    ...(isRecording(settings)
      ? {
          RECORD_USER: settings.env.RECORD_USER || `${process.getuid?.()}:${process.getgid?.()}`,
        }
      : {}),
  }
}

/** Runs Compose with its output visible to the user. Throws `UserError` with the sentence `trouble` when it fails. */
async function compose(
  settings: Settings,
  args: readonly string[],
  trouble: string,
  cancel?: AbortSignal,
): Promise<void> {
  const { failed } = await execa('docker', ['compose', ...args], {
    cwd: ROOT,
    env: composeEnvironment(settings),
    extendEnv: false,
    stdio: 'inherit',
    reject: false,
    ...(cancel ? { cancelSignal: cancel } : {}),
  })
  cancel?.throwIfAborted()
  if (failed) throw new UserError(trouble)
}

/** Runs a Docker command and returns its output. */
async function ask(settings: Settings, ...args: readonly string[]): Promise<string> {
  const { failed, stdout, stderr } = await execa('docker', args, {
    cwd: ROOT,
    env: composeEnvironment(settings),
    extendEnv: false,
    reject: false,
  })
  if (failed) throw new UserError(`docker ${args.slice(0, 2).join(' ')} failed: ${stderr.trim()}`)
  return stdout
}

type Service = Readonly<{
  /** Absent if the image is built here. */
  image?: string
  restart: string
  profiles?: readonly string[]
  ports?: readonly { published: string }[]
}>
type Project = Readonly<{ name: string; services: Readonly<Record<string, Service>> }>

const project = async (settings: Settings): Promise<Project> =>
  JSON.parse(await ask(settings, 'compose', 'config', '--format', 'json'))

type Container = Readonly<{
  id: string
  service: string
  folder: string
  state: string
  exitCode: number
  health: string | undefined
  restarts: number
}>

type Inspected = {
  Id: string
  Config: { Labels: Record<string, string> }
  State: { Status: string; ExitCode: number; Health?: { Status: string } }
  RestartCount: number
}

/** Every container of the project, also those that another copy of this repository started. */
async function containers(settings: Settings, name: string): Promise<readonly Container[]> {
  const ids = await ask(settings, 'ps', '--all', '--quiet', '--filter', `label=com.docker.compose.project=${name}`)
  if (ids === '') return []
  const all: readonly Inspected[] = JSON.parse(await ask(settings, 'container', 'inspect', ...ids.split('\n')))
  return all.map(({ Id, Config, State, RestartCount }) => ({
    id: Id,
    service: Config.Labels['com.docker.compose.service'] ?? '',
    folder: Config.Labels['com.docker.compose.project.working_dir'] ?? '',
    state: State.Status,
    exitCode: State.ExitCode,
    health: State.Health?.Status,
    restarts: RestartCount,
  }))
}

const isOurs = ({ folder }: Container) => existsSync(folder) && realpathSync(folder) === ROOT

/** Whether Docker has a container of this stack, running or not. */
export const isInDocker = async (settings: Settings): Promise<boolean> =>
  (await containers(settings, (await project(settings)).name)).some(isOurs)

/**
 * Starts the stack and waits until it can do its work. Services that already run are not changed. Throws `UserError`
 * before anything is started when a price, the address of the model server, a port, an image or the policy is wrong.
 */
export async function bootDocker(
  given: Settings,
  { policy, cancel, say }: Caller & Readonly<{ policy: string }>,
): Promise<void> {
  const prices = pricesToday() // Refuses a price file with a mistake in it, before anything is started.
  const backends = chosenBackends(given)
  refuseMissing(given)
  waitsIn(given) // Refuses wrong waits.
  refuseDefects(policy)
  refuseLoopback('VLLM_BASE_URL', given.env.VLLM_BASE_URL)
  for (const { server, relay, endpointVariable, environment } of backends)
    if (!server && !relay) refuseLoopback(endpointVariable, environment(given)[endpointVariable])
  const settings = isRecording(given) ? await readyToRecord(given) : given
  const { name, services } = await project(settings)
  const before = await containers(settings, name)
  refuseOtherCopy(before)
  const running = before.filter(({ state }) => state === 'running').map(({ service }) => service)
  const absent = Object.entries(services).filter(([service]) => !running.includes(service))
  for (const [service, { ports = [] }] of absent)
    await refuseTakenPorts(
      settings,
      service,
      ports.map(({ published }) => Number(published)),
    )

  await pullMissing(settings, services, cancel)
  // One that ended alone and is started again has the list and the waits of the others.
  if (!collectors(settings).some(({ name }) => running.includes(name))) {
    await activatePolicy(settings, policy, await launcherFor(settings, { cancel, say }, 'docker'))
    startWithWaits(settings)
  }

  writeDashboards(dashboards(settings), linked(settings))
  writeFileSync(dataMark(settings), `${name}\n`)
  // A service that does not become healthy ends the wait by itself.
  const up = ['up', '--detach', '--wait', '--wait-timeout', String((2 * startLimitMs(settings)) / 1000)]
  const failed = `docker compose up failed; the reason is above, and make logs shows more. ${NATIVE} (after make down)`
  // Backends start first, because they need prices before traffic comes.
  await compose(settings, [...up, 'prometheus', ...served(backends).map(({ id }) => id)], failed, cancel)
  for (const { server } of served(backends))
    if (server.setPrices) await sleep(await server.setPrices(settings, prices), undefined, { signal: cancel })
  await compose(settings, up, failed, cancel)
  await untilWorking(settings, name, before, cancel)
  say('  every container is ready')
}

/** Creates the folder of recordings. In a rootless engine, root is the user of the engine, so only root can write to the folder. */
async function readyToRecord(settings: Settings): Promise<Settings> {
  mkdirSync(recordings(settings), { recursive: true })
  const rootless = (await ask(settings, 'info', '--format', '{{.SecurityOptions}}')).includes('name=rootless')
  return rootless ? { ...settings, env: { ...settings.env, RECORD_USER: '0:0' } } : settings
}

/** Inside a container, the loopback address is that of the container. */
function refuseLoopback(name: string, address: string | undefined): void {
  if (!address || !URL.canParse(address)) return
  const there = new URL(address)
  if (!/^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|0\.0\.0\.0)$/.test(there.hostname)) return
  const here = there.hostname
  there.hostname = 'host.docker.internal'
  throw new UserError(
    `${name}=${address}: in a container, ${here} is the container itself. ` +
      `Write ${name}=${there} and let the server listen on more than ${here}, or use BOOT=native.`,
  )
}

function refuseOtherCopy(present: readonly Container[]): void {
  const other = present.find((container) => !isOurs(container))
  if (other)
    throw new UserError(`another copy of this project is in Docker, from ${other.folder}: run make down there first.`)
}

/** Pulls before the policy is tried: a trial with a pull in it would take longer than a trial may. */
async function pullMissing(settings: Settings, services: Project['services'], cancel: AbortSignal): Promise<void> {
  const pinned = Object.entries(services).flatMap(([service, { image }]) => (image ? [{ service, image }] : []))
  const isHere = ({ image }: { image: string }) =>
    ask(settings, 'image', 'inspect', '--format', '{{.Id}}', image).then(
      () => true,
      () => false,
    )
  const here = await Promise.all(pinned.map(isHere))
  const missing = pinned.filter((_, index) => !here[index])
  if (missing.length === 0) return
  const images = missing.map(({ image }) => image.replace(/@.*/, '')).join(', ')
  const trouble = `Not every image could be pulled; the reason is above. Missing: ${images}. ${NATIVE}`
  await compose(settings, ['pull', ...missing.map(({ service }) => service)], trouble, cancel)
}

/** A file that says that Docker has data of this stack, also when nothing runs. It stays until `clean`. */
const dataMark = (settings: Settings) => resolve(settings.state, 'docker')
export const hasDockerData = (settings: Settings): boolean => existsSync(dataMark(settings))

/** The image of the collector cannot run a health check, and the simulator has none, so this checks both. */
async function untilWorking(settings: Settings, name: string, before: readonly Container[], cancel: AbortSignal) {
  const began = Date.now()
  for (;;) {
    const fallen = (await containers(settings, name)).find(
      ({ id, state, exitCode, restarts }) =>
        (state !== 'running' && exitCode !== 0) || restarts > (before.find((old) => old.id === id)?.restarts ?? 0),
    )
    if (fallen) {
      const last = await lastLogs(settings, fallen.service)
      throw new UserError(
        `${fallen.service} does not keep running. Its last log lines:\n${last}\nTo stop the rest: make down.`,
      )
    }
    // A simulator that does not find its model ends within two seconds.
    const answers = await Promise.all(collectors(settings).map((one) => collectorAnswers(one.settings)))
    const silent = collectors(settings).find((_, index) => !answers[index])
    if (Date.now() - began > 3000 && !silent) return
    if (silent && Date.now() - began > startLimitMs(settings))
      throw new UserError(
        `${titleOf(silent.name)} is not ready after ${startLimitMs(settings) / 1000} s (${url(silent.settings, 'COLLECTOR_HEALTH_PORT')}). To see why: make logs S=${silent.name}`,
      )
    await sleep(500, undefined, { signal: cancel })
  }
}

const lastLogs = (settings: Settings, service: string) =>
  ask(settings, 'compose', 'logs', '--no-color', '--no-log-prefix', '--tail', '15', service)

const collectorAnswers = (settings: Settings): Promise<boolean> => isWell(url(settings, 'COLLECTOR_HEALTH_PORT'))

/** Stops and removes every container; with `alsoState` also the data, and the images that were built here. */
export const haltDocker = (settings: Settings, alsoState: boolean): Promise<void> =>
  compose(
    settings,
    ['--profile', '*', 'down', '--remove-orphans', ...(alsoState ? ['--volumes', '--rmi', 'local'] : [])],
    'docker compose down failed; the reason is above. Run make down again when Docker answers.',
  )

/** Which services of the stack run in containers, and whether they answer. */
export async function statusDocker(settings: Settings): Promise<readonly { name: string; state: string }[]> {
  const { name, services } = await project(settings)
  const present = await containers(settings, name)
  const found = (service: string) => present.find((container) => container.service === service)
  const rows = Object.entries(services).flatMap(([service, { restart, profiles }]) => {
    const container = found(service)
    // A container that ends by itself is not a service. And the mock has no container when the user has a model server.
    return restart === 'no' || (profiles && !container) ? [] : [{ service, container }]
  })
  return Promise.all(
    rows.map(async ({ service, container }) => {
      if (!container) return { name: service, state: 'not running' }
      const { state, exitCode, health, restarts } = container
      if (state !== 'running') return { name: service, state: `not running: ${state}, exit code ${exitCode}` }
      const collector = collectors(settings).find((one) => one.name === service)
      const well = collector ? await collectorAnswers(collector.settings) : health === undefined || health === 'healthy'
      return {
        name: service,
        state: `running${restarts > 0 ? `, restarts: ${restarts}` : ''}${well ? '' : ', not ready'}`,
      }
    }),
  )
}

/** Follows the logs of the containers, until Ctrl-C. */
export async function logsDocker(settings: Settings, service: string | undefined, cancel: AbortSignal): Promise<void> {
  const which = service ? ['--tail', '100', service] : ['--tail', '20']
  const trouble = 'docker compose logs failed; the reason is above.'
  await compose(settings, ['logs', '--follow', ...which], trouble, cancel).catch((error) => {
    if (!cancel.aborted) throw error
  })
}

/** Makes a running collector read its policy again. It decides at once on the traces that it holds. Its process stays, or ends. */
export async function reloadDocker(settings: Settings, collector = 'collector'): Promise<LastWords> {
  const { name } = await project(settings)
  const look = async () => (await containers(settings, name)).find(({ service }) => service === collector)
  const before = await look()
  const same = async () => {
    const now = await look()
    return now?.id === before?.id && now?.state === 'running' && now.restarts === before?.restarts
  }
  await compose(
    settings,
    ['kill', '--signal', 'SIGHUP', collector],
    `${titleOf(collector)} is not running. To start it: make up.`,
  )
  return async () => ((await same()) ? undefined : lastLogs(settings, collector))
}
