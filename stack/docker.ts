import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { syncPrices } from '../phoenix/prices.ts'
import { type Place, ROOT, Trouble, url } from './place.ts'
import { pricesToday } from './prices.ts'

type Say = (line: string) => void

/** Which engine answers, or undefined with the reason it cannot be used. */
export async function dockerEngine(env: Place['env']): Promise<{ version: string } | { why: string }> {
  const docker = (...args: string[]) => execa('docker', args, { env, extendEnv: false, reject: false, timeout: 10_000 })
  const engine = await docker('version', '--format', '{{.Server.Version}}')
  if (engine.code === 'ENOENT') return { why: 'Docker is not installed' }
  if (engine.failed) return { why: 'no Docker engine answers' }
  const compose = await docker('compose', 'version', '--short')
  if (compose.failed) return { why: `Docker ${engine.stdout} answers, but it has no Compose v2 plugin` }
  return { version: `${engine.stdout}, Compose ${compose.stdout}` }
}

const compose = (place: Place, args: readonly string[]) =>
  execa('docker', ['compose', ...args], {
    cwd: ROOT,
    env: environment(place),
    extendEnv: false,
    stdio: 'inherit',
    reject: false,
  })

const environment = (place: Place) => ({
  ...place.env,
  STACK_STATE: place.state,
  // Without a server of the user's own, the mock is one of the services.
  COMPOSE_PROFILES: place.env.VLLM_BASE_URL ? '' : 'mock',
})

/** Starts the stack with Docker Compose and waits until it can do its work. The policy must be in place already. */
export async function bootDocker(place: Place, { cancel, say }: { cancel: AbortSignal; say: Say }): Promise<void> {
  const prices = pricesToday()
  // Prices come before traffic: the backends first, then everything.
  for (const services of [['tempo', 'prometheus', 'phoenix'], []]) {
    const up = await compose(place, ['up', '--detach', '--wait', '--wait-timeout', '240', ...services])
    if (up.failed) {
      throw new Trouble(
        'docker compose up failed; its reasons are above, more in: make logs.\n' +
          'Where images cannot be pulled, build everything from source instead: make up BOOT=native',
      )
    }
    if (services.length > 0)
      await sleep(await syncPrices(url(place, 'PHOENIX_PORT'), prices), undefined, { signal: cancel })
  }
  const until = Date.now() + 60_000
  const health = url(place, 'COLLECTOR_HEALTH_PORT')
  while (
    !(await fetch(health, { signal: AbortSignal.timeout(2000) }).then(
      (response) => response.ok,
      () => false,
    ))
  ) {
    if (Date.now() > until)
      throw new Trouble(`the collector is not ready after 60 s (${health}): see make logs S=collector`)
    await sleep(200, undefined, { signal: cancel })
  }
  say('  every container is ready')
}

export const haltDocker = (place: Place, alsoState: boolean) =>
  compose(place, ['down', ...(alsoState ? ['--volumes'] : [])])

export const statusDocker = (place: Place) => compose(place, ['ps', '--all'])

export const logsDocker = (place: Place, service: string | undefined) =>
  compose(place, ['logs', '--tail', '100', ...(service ? ['--follow', service] : [])])

export const reloadDocker = (place: Place) => compose(place, ['kill', '--signal', 'SIGHUP', 'collector'])
