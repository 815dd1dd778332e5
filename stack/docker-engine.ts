import { execa } from 'execa'
import type { Settings } from './settings.ts'

/** The oldest version that knows `required: false` of a dependency. Without it, you cannot use your own model server. */
const OLDEST_COMPOSE = '2.20.2'

/** The version of the engine that answers, or the reason why none can be used. */
export async function dockerEngine(env: Settings['env']): Promise<{ version: string } | { why: string }> {
  const docker = (...args: string[]) => execa('docker', args, { env, extendEnv: false, reject: false, timeout: 10_000 })
  const engine = await docker('version', '--format', '{{.Server.Version}}')
  if (engine.code === 'ENOENT') return { why: 'Docker is not installed' }
  if (engine.failed) return { why: 'no Docker engine answers' }
  const compose = await docker('compose', 'version', '--short')
  if (compose.failed) return { why: `Docker ${engine.stdout} lacks the plugin Compose ${OLDEST_COMPOSE} or newer` }
  const version = compose.stdout.replace(/^v/, '')
  if (version.localeCompare(OLDEST_COMPOSE, 'en', { numeric: true }) < 0)
    return { why: `Docker's plugin Compose ${version} is older than ${OLDEST_COMPOSE}` }
  return { version: `${engine.stdout}, Compose ${version}` }
}
