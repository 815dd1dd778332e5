import { resolve } from 'node:path'
import { execa } from 'execa'
import type { Bench } from '../workbench/collector.ts'
import { dockerEngine } from './docker-engine.ts'
import { build } from './native.ts'
import { type Place, ROOT, Trouble } from './place.ts'
import { freePorts } from './ports.ts'
import { collectorArguments, collectorEnvironment } from './services.ts'

export type Boot = 'native' | 'docker'
type Options = Readonly<{ cancel: AbortSignal; say: (line: string) => void }>

/** A workbench with the collector of this way to boot; by default BOOT's, else the pinned image when an engine answers. */
export async function benchOf(place: Place, options: Options, boot = place.env.BOOT): Promise<Bench> {
  const way = boot || ('version' in (await dockerEngine(place.env)) ? 'docker' : 'native')
  return {
    ...options,
    freePorts,
    collector: way === 'docker' ? await inDocker(place, options) : await natively(place, options),
  }
}

/** A replay sends faster than the world does, and may hold what workbench/replay.yaml allows. */
const MEMORY = '1800MiB'

async function natively(place: Place, options: Options): Promise<Bench['collector']> {
  const { collector } = await build(place, ['collector'], options)
  return (_, overlays, env) => ({
    file: collector,
    args: [...collectorArguments(place), ...overlays.flatMap((overlay) => ['--config', overlay])],
    env: { ...collectorEnvironment(place), GOMEMLIMIT: MEMORY, ...env },
  })
}

/**
 * The pinned image, with `collector/` and the scratch folder under the paths that they have outside. Throws `Trouble`
 * when the image is not here and cannot be pulled.
 */
async function inDocker(place: Place, { cancel }: Options): Promise<Bench['collector']> {
  const image = place.env.OTELCOL_IMAGE ?? ''
  const docker = (args: readonly string[], visible = false) =>
    execa('docker', args, {
      env: place.env,
      extendEnv: false,
      reject: false,
      cancelSignal: cancel,
      // What is asked of the workbench may be read by another program: this goes beside it.
      ...(visible ? { stdio: ['ignore', 2, 2] } : {}),
    })
  // A pull that is part of a start would take longer than a start may.
  if ((await docker(['image', 'inspect', image])).failed && (await docker(['pull', image], true)).failed) {
    cancel.throwIfAborted()
    throw new Trouble(
      `${image.replace(/@.*/, '')} could not be pulled; the reason is above. The collector can also be built from source: BOOT=native`,
    )
  }
  // A rootless engine takes its own user for root, and every other for one that owns nothing here.
  const rootless = (await docker(['info', '--format', '{{.SecurityOptions}}'])).stdout?.includes('name=rootless')
  const user = rootless ? '0:0' : `${process.getuid?.()}:${process.getgid?.()}`

  return (folder, overlays, env) => {
    const { COLLECTOR_DIR = '', SLOW_CALL, TOKEN_HEAVY } = collectorEnvironment(place)
    const inside = {
      COLLECTOR_DIR,
      ...(SLOW_CALL ? { SLOW_CALL } : {}),
      ...(TOKEN_HEAVY ? { TOKEN_HEAVY } : {}),
      OTLP_ADDRESS: '0.0.0.0',
      METRICS_ADDRESS: '0.0.0.0',
      ...env,
    }
    const mount = (path: string, ...how: string[]) => [
      '--mount',
      [`type=bind`, `source=${path}`, `target=${path}`, ...how].join(','),
    ]
    const publish = [env.OTLP_HTTP_PORT, env.COLLECTOR_METRICS_PORT].flatMap((port) => [
      '--publish',
      `127.0.0.1:${port}:${port}`,
    ])
    return {
      file: 'docker',
      args: [
        ...['run', '--rm', ...publish, '--user', user],
        ...mount(resolve(ROOT, 'collector'), 'readonly'),
        ...mount(folder),
        ...Object.entries(inside).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
        image,
        ...collectorArguments(place),
        ...overlays.flatMap((overlay) => ['--config', overlay]),
      ],
      env: place.env,
    }
  }
}
