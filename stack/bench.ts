import { resolve } from 'node:path'
import type { Bench } from '../collector/workbench/collector.ts'
import { dockerEngine } from './docker-engine.ts'
import { build } from './native.ts'
import { type Place, ROOT } from './place.ts'
import { freePorts } from './ports.ts'
import { collectorArguments, collectorEnvironment } from './services.ts'

export type Boot = 'native' | 'docker'
type Options = Readonly<{ cancel: AbortSignal; say: (line: string) => void }>

/** A workbench with the collector of this way to boot; by default BOOT's, else the pinned image when an engine answers. */
export async function benchOf(place: Place, options: Options, boot = place.env.BOOT): Promise<Bench> {
  const way = boot || ('version' in (await dockerEngine(place.env)) ? 'docker' : 'native')
  return { ...options, freePorts, collector: way === 'docker' ? inDocker(place) : await natively(place, options) }
}

async function natively(place: Place, options: Options): Promise<Bench['collector']> {
  const { collector } = await build(place, ['collector'], options)
  return (_, overlays, env) => ({
    file: collector,
    args: [...collectorArguments(place), ...overlays.flatMap((overlay) => ['--config', overlay])],
    env: { ...collectorEnvironment(place), ...env },
  })
}

/** The pinned image, with `collector/` and the scratch folder under the paths that they have outside. */
const inDocker =
  (place: Place): Bench['collector'] =>
  (folder, overlays, env) => {
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
    const { uid, gid } = { uid: process.getuid?.(), gid: process.getgid?.() }
    return {
      file: 'docker',
      args: [
        ...['run', '--rm', ...publish, '--user', `${uid}:${gid}`],
        ...mount(resolve(ROOT, 'collector'), 'readonly'),
        ...mount(folder),
        ...Object.entries(inside).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
        place.env.OTELCOL_IMAGE ?? '',
        ...collectorArguments(place),
        ...overlays.flatMap((overlay) => ['--config', overlay]),
      ],
      env: place.env,
    }
  }
