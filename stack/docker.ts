import { existsSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs'
import { delimiter, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { writeDashboards } from '../grafana/source/dashboards.ts'
import { UserError } from '../workbench/user-error.ts'
import { chosenBackends, collectorFile, served } from './backends/backends.ts'
import { launcherFor } from './collectors.ts'
import { activatePolicy } from './policy.ts'
import { holder, isFree } from './ports.ts'
import { pricesToday } from './prices.ts'
import { collectorOverlays, isRecording, senderEnvironment, tlsFiles } from './receiver-options.ts'
import type { LastWords } from './service.ts'
import { collectorEnvironment, dashboards, recordings } from './services.ts'
import { ROOT, type Settings, url } from './settings.ts'

type Say = (line: string) => void

const NATIVE = 'Everything can also be built from source instead: make up BOOT=native'

/** What docker-compose.yml is told: every setting, port and image, as the native boot has them. Empty means unset. */
export function composeEnvironment(settings: Settings): Record<string, string> {
  const given = Object.entries(settings.env).filter(([, value]) => value !== '')
  const ports = Object.entries(settings.ports).map(([name, port]) => [name, String(port)])
  const tls = tlsFiles(settings)
  const backends = chosenBackends(settings)
  const files = [
    ...(isRecording(settings) ? ['stack/compose/record.yaml'] : []),
    ...(tls ? ['stack/compose/tls.yaml'] : []),
  ]
  return {
    ...Object.fromEntries([...given, ...ports]),
    STACK_STATE: settings.state,
    SLOW_CALL: collectorEnvironment(settings).SLOW_CALL ?? '',
    // The servers of the chosen backends; and the mock, unless the user has a model server.
    COMPOSE_PROFILES: [
      ...served(backends).map(({ id }) => id),
      ...(settings.env.VLLM_BASE_URL ? [] : ['mock-vllm']),
    ].join(),
    COLLECTOR_FILES: [...backends.map(collectorFile), ...collectorOverlays(settings)]
      .map((file) => `--config /${file}`)
      .join(' '),
    ...Object.assign({}, ...backends.map((backend) => backend.environment(settings))),
    ...(files.length > 0 ? { COMPOSE_FILE: ['docker-compose.yml', ...files].join(delimiter) } : {}),
    OTEL_EXPORTER_OTLP_HEADERS: senderEnvironment(settings).OTEL_EXPORTER_OTLP_HEADERS ?? '',
    ...(tls ? { OTLP_TLS_CERT: tls.cert, OTLP_TLS_KEY: tls.key } : {}),
    ...(isRecording(settings)
      ? {
          RECORD_USER: settings.env.RECORD_USER || `${process.getuid?.()}:${process.getgid?.()}`,
        }
      : {}),
  }
}

/** Runs Compose where the user sees it. Throws `UserError` with this sentence when it fails. */
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

/** Asks Docker something and answers what it said. */
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
  /** Absent where the image is built here. */
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

/** Every container of the project, whichever copy of this repository started it. */
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

/** Whether Docker holds a container of this stack, running or not. */
export const isInDocker = async (settings: Settings): Promise<boolean> =>
  (await containers(settings, (await project(settings)).name)).some(isOurs)

/**
 * Starts the stack and waits until it can do its work. What already runs is left as it is. Throws `UserError` before
 * anything is started when a price, the address of the model server, a port, an image or the policy is wrong.
 */
export async function bootDocker(
  given: Settings,
  { policy, cancel, say }: Readonly<{ policy: string; cancel: AbortSignal; say: Say }>,
): Promise<void> {
  const prices = pricesToday() // Refuses a price file with a mistake in it, before anything is started.
  const backends = chosenBackends(given)
  refuseLoopback('VLLM_BASE_URL', given.env.VLLM_BASE_URL)
  for (const { server, endpointVariable, environment } of backends)
    if (!server) refuseLoopback(endpointVariable, environment(given)[endpointVariable])
  const settings = isRecording(given) ? await readyToRecord(given) : given
  const { name, services } = await project(settings)
  const before = await containers(settings, name)
  refuseOtherCopy(before)
  const running = before.filter(({ state }) => state === 'running').map(({ service }) => service)
  const absent = Object.entries(services).filter(([service]) => !running.includes(service))
  for (const [service, { ports = [] }] of absent) await refuseTakenPorts(settings, service, ports)

  await pullMissing(settings, services, cancel)
  if (!running.includes('collector'))
    await activatePolicy(settings, policy, await launcherFor(settings, { cancel, say }, 'docker'))

  writeDashboards(dashboards(settings), settings.ports)
  writeFileSync(dataMark(settings), `${name}\n`)
  const up = ['up', '--detach', '--wait', '--wait-timeout', '240']
  const failed = `docker compose up failed; its reason is above, more in: make logs. ${NATIVE} (after make down)`
  // What backends need before traffic comes: they start first, then everything.
  await compose(settings, [...up, 'prometheus', ...served(backends).map(({ id }) => id)], failed, cancel)
  for (const { server } of served(backends))
    if (server.setPrices) await sleep(await server.setPrices(settings, prices), undefined, { signal: cancel })
  await compose(settings, up, failed, cancel)
  await untilWorking(settings, name, before, cancel)
  say('  every container is ready')
}

/** The folder must be there, and a rootless engine takes its own user for root: that is who can write to it. */
async function readyToRecord(settings: Settings): Promise<Settings> {
  mkdirSync(recordings(settings), { recursive: true })
  const rootless = (await ask(settings, 'info', '--format', '{{.SecurityOptions}}')).includes('name=rootless')
  return rootless ? { ...settings, env: { ...settings.env, RECORD_USER: '0:0' } } : settings
}

/** Inside a container, the loopback address is the container's own. */
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
    throw new UserError(`another copy of this project is in Docker, from ${other.folder}: make down there first.`)
}

async function refuseTakenPorts(
  settings: Settings,
  service: string,
  ports: readonly { published: string }[],
): Promise<void> {
  for (const port of ports.map(({ published }) => Number(published))) {
    if (await isFree(port)) continue
    const name = Object.entries(settings.ports).find(([, value]) => value === port)?.[0]
    const fix = `Stop that program, or choose another port: make up ${name}=…`
    throw new UserError(`port ${port} (${name}, for ${service}) is taken by ${await holder(port)}. ${fix}`)
  }
}

/** Before the policy is tried: a pull that is part of it would take longer than it may. */
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

/** Docker keeps data of this stack until `clean`, also when nothing runs. */
const dataMark = (settings: Settings) => resolve(settings.state, 'docker')
export const hasDockerData = (settings: Settings): boolean => existsSync(dataMark(settings))

/** The collector's image can run no health check, and the simulator has none: both are looked at from here. */
async function untilWorking(settings: Settings, name: string, before: readonly Container[], cancel: AbortSignal) {
  const began = Date.now()
  for (;;) {
    const fallen = (await containers(settings, name)).find(
      ({ id, state, exitCode, restarts }) =>
        (state !== 'running' && exitCode !== 0) || restarts > (before.find((old) => old.id === id)?.restarts ?? 0),
    )
    if (fallen) {
      const last = await lastLogs(settings, fallen.service)
      throw new UserError(`${fallen.service} does not stay up. Its last words:\n${last}\nmake down ends the rest.`)
    }
    // A simulator that does not find its model says so within two seconds.
    if (Date.now() - began > 3000 && (await collectorAnswers(settings))) return
    if (Date.now() - began > 60_000)
      throw new UserError(
        `the collector is not ready after 60 s (${url(settings, 'COLLECTOR_HEALTH_PORT')}): make logs S=collector`,
      )
    await sleep(500, undefined, { signal: cancel })
  }
}

const lastLogs = (settings: Settings, service: string) =>
  ask(settings, 'compose', 'logs', '--no-color', '--no-log-prefix', '--tail', '15', service)

const collectorAnswers = (settings: Settings): Promise<boolean> =>
  fetch(url(settings, 'COLLECTOR_HEALTH_PORT'), { signal: AbortSignal.timeout(2000) }).then(
    ({ ok }) => ok,
    () => false,
  )

/** Stops and removes every container; with `alsoState` also the data, and the images that were built here. */
export const haltDocker = (settings: Settings, alsoState: boolean): Promise<void> =>
  compose(
    settings,
    ['--profile', '*', 'down', '--remove-orphans', ...(alsoState ? ['--volumes', '--rmi', 'local'] : [])],
    'docker compose down failed; its reason is above. Nothing was forgotten: try again when Docker answers.',
  )

/** What of the stack is running in containers, and whether it answers. */
export async function statusDocker(settings: Settings): Promise<readonly { name: string; state: string }[]> {
  const { name, services } = await project(settings)
  const present = await containers(settings, name)
  const found = (service: string) => present.find((container) => container.service === service)
  const rows = Object.entries(services).flatMap(([service, { restart, profiles }]) => {
    const container = found(service)
    // What ends by itself is no service, and without the mock there may be a model server of the user's own.
    return restart === 'no' || (profiles && !container) ? [] : [{ service, container }]
  })
  return Promise.all(
    rows.map(async ({ service, container }) => {
      if (!container) return { name: service, state: 'not running' }
      const { state, exitCode, health, restarts } = container
      if (state !== 'running') return { name: service, state: `not running: ${state}, exit code ${exitCode}` }
      const well =
        service === 'collector' ? await collectorAnswers(settings) : health === undefined || health === 'healthy'
      return {
        name: service,
        state: `running${restarts > 0 ? `, restarts: ${restarts}` : ''}${well ? '' : ', not ready'}`,
      }
    }),
  )
}

/** Follows what the containers say, until Ctrl-C. */
export async function logsDocker(settings: Settings, service: string | undefined, cancel: AbortSignal): Promise<void> {
  const which = service ? ['--tail', '100', service] : ['--tail', '20']
  const trouble = 'docker compose logs failed; its reason is above.'
  await compose(settings, ['logs', '--follow', ...which], trouble, cancel).catch((error) => {
    if (!cancel.aborted) throw error
  })
}

/** Makes the running collector read its policy again: it judges what it holds early and keeps its process, or ends. */
export async function reloadDocker(settings: Settings): Promise<LastWords> {
  const { name } = await project(settings)
  const look = async () => (await containers(settings, name)).find(({ service }) => service === 'collector')
  const before = await look()
  const same = async () => {
    const now = await look()
    return now?.id === before?.id && now?.state === 'running' && now.restarts === before?.restarts
  }
  await compose(
    settings,
    ['kill', '--signal', 'SIGHUP', 'collector'],
    'the collector is not running: make up starts it.',
  )
  return async () => ((await same()) ? undefined : lastLogs(settings, 'collector'))
}
