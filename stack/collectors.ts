import { resolve } from 'node:path'
import { execa } from 'execa'
import type { Caller, Launcher } from '../workbench/collector.ts'
import { UserError } from '../workbench/user-error.ts'
import { dockerEngine } from './docker-engine.ts'
import { build } from './native.ts'
import { freePorts } from './ports.ts'
import { startLimitMs } from './service.ts'
import { collectorArguments, collectorEnvironment } from './services.ts'
import { ROOT, type Settings } from './settings.ts'

export type Boot = 'native' | 'docker'

/** A launcher for the collector of this boot. The default is BOOT; without BOOT, the pinned image if a Docker engine answers. */
export async function launcherFor(settings: Settings, options: Caller, boot = settings.env.BOOT): Promise<Launcher> {
  const way = boot || ('version' in (await dockerEngine(settings.env)) ? 'docker' : 'native')
  return {
    ...options,
    freePorts,
    startLimitMs: startLimitMs(settings),
    collector: way === 'docker' ? await inDocker(settings, options) : await natively(settings, options),
  }
}

/** A launcher for gateways and samplers, which have the load balancer. They are built from source, and get the memory that `make up` gives. */
export async function tiersLauncher(settings: Settings, options: Caller): Promise<Launcher> {
  const program = (await build(settings, ['collector-tiers'], options))('otelcol-tiers')
  return {
    ...options,
    freePorts,
    startLimitMs: startLimitMs(settings),
    collector: commandOf(settings, program),
  }
}

const commandOf =
  (settings: Settings, file: string, own = {}): Launcher['collector'] =>
  (_, overlays, env) => ({
    file,
    args: collectorArguments(settings, overlays),
    env: { ...collectorEnvironment(settings), ...own, ...env },
  })

/** A replay sends faster than the world does, so the collector may hold what workbench/replay.yaml allows. */
const MEMORY = '1800MiB'

async function natively(settings: Settings, options: Caller): Promise<Launcher['collector']> {
  const program = (await build(settings, ['collector'], options))('otelcol-woodland')
  return commandOf(settings, program, { GOMEMLIMIT: MEMORY })
}

/**
 * The pinned image, with `collector/`, the scratch folder and the overlays under the same paths as outside. Throws `UserError`
 * when the image is not on this machine and cannot be pulled.
 */
async function inDocker(settings: Settings, { cancel }: Caller): Promise<Launcher['collector']> {
  const image = settings.env.OTELCOL_IMAGE ?? ''
  const docker = (args: readonly string[], visible = false) =>
    execa('docker', args, {
      env: settings.env,
      extendEnv: false,
      reject: false,
      cancelSignal: cancel,
      // Another program may read stdout, so the progress of a pull goes to stderr.
      ...(visible ? { stdio: ['ignore', 2, 2] } : {}),
    })
  // Pull before the start: a start with a pull in it would take longer than a start may.
  if ((await docker(['image', 'inspect', image])).failed && (await docker(['pull', image], true)).failed) {
    cancel.throwIfAborted()
    throw new UserError(
      `${image.replace(/@.*/, '')} could not be pulled; the reason is above. To build the collector from source: BOOT=native`,
    )
  }
  // In a rootless engine, root is the user of the engine, and every other user owns nothing on this machine.
  const rootless = (await docker(['info', '--format', '{{.SecurityOptions}}'])).stdout?.includes('name=rootless')
  const user = rootless ? '0:0' : `${process.getuid?.()}:${process.getgid?.()}`

  return (folder, overlays, env) => {
    const { COLLECTOR_DIR = '', SLOW_CALL, SLOW_RUN, TOKEN_HEAVY, HEAVY_CALL } = collectorEnvironment(settings)
    const inside = {
      COLLECTOR_DIR,
      ...(SLOW_CALL ? { SLOW_CALL } : {}),
      ...(SLOW_RUN ? { SLOW_RUN } : {}),
      ...(TOKEN_HEAVY ? { TOKEN_HEAVY } : {}),
      ...(HEAVY_CALL ? { HEAVY_CALL } : {}),
      OTLP_ADDRESS: '0.0.0.0',
      METRICS_ADDRESS: '0.0.0.0',
      ...env,
    }
    const mount = (path: string, ...how: string[]) => [
      '--mount',
      [`type=bind`, `source=${path}`, `target=${path}`, ...how].join(','),
    ]
    const shipped = resolve(ROOT, 'collector')
    const isElsewhere = (file: string) => ![shipped, folder].some((place) => file.startsWith(`${place}/`))
    const publish = [env.OTLP_HTTP_PORT, env.COLLECTOR_METRICS_PORT].flatMap((port) => [
      '--publish',
      `127.0.0.1:${port}:${port}`,
    ])
    return {
      file: 'docker',
      args: [
        ...['run', '--rm', '--security-opt', 'label=disable', ...publish, '--user', user],
        ...mount(shipped, 'readonly'),
        ...mount(folder),
        ...overlays.filter(isElsewhere).flatMap((file) => mount(file, 'readonly')),
        ...Object.entries(inside).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
        image,
        ...collectorArguments(settings, overlays),
      ],
      env: settings.env,
    }
  }
}
