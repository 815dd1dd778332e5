import type { Caller } from '../../workbench/collector.ts'
import { UserError } from '../../workbench/user-error.ts'
import { chosenBackends } from '../backends/backends.ts'
import { bootNative } from '../boot.ts'
import type { Boot } from '../collectors.ts'
import { bootDocker, isInDocker } from '../docker.ts'
import { dockerEngine } from '../docker-engine.ts'
import { findGrafana } from '../grafana.ts'
import { started } from '../processes.ts'
import { senderEnvironment } from '../receiver-options.ts'
import { forget, remember, remembered } from '../remembered.ts'
import { portVariables, type Settings, url } from '../settings.ts'
import { collectors, receivers } from '../tiers.ts'
import { VIEWER_SIZE } from './viewer.ts'

type Options = Caller & Readonly<{ policy: string; boot: Boot | undefined }>

/** Starts everything and waits until it works. Throws `UserError` before anything is started when it cannot. */
export async function up(settings: Settings, { policy, boot: wanted, cancel, say }: Options): Promise<void> {
  const before = remembered(settings)
  const way = wanted ?? before?.boot
  const engine = way === 'native' ? undefined : await dockerEngine(settings.env)
  if (way === 'docker' && engine && 'why' in engine)
    throw new UserError(`BOOT=docker, but ${engine.why}. Repair that, or use BOOT=native.`)
  const boot: Boot = engine && 'version' in engine ? 'docker' : 'native'
  const backends = chosenBackends(settings)
    .map(({ id }) => id)
    .join()
  const isTiered = collectors(settings).length > 1
  const tiers = isTiered ? (settings.env.TIERS ?? '') : 'no'
  const variables = { BACKENDS: backends, TIERS: tiers, ...portVariables(settings) }
  const then: Readonly<Record<string, string | undefined>> = { BOOT: before?.boot, ...before?.variables }
  for (const [name, now] of Object.entries({ BOOT: boot, ...variables }))
    if (then[name] && then[name] !== now)
      throw new UserError(
        `the stack is up with ${name}=${then[name]}, and ${name}=${now} needs a new start: run make down first.`,
      )
  if (engine && 'version' in engine) say(`Docker ${engine.version}`)
  else say(`native boot${engine ? `: ${engine.why}` : ''}`)
  remember(settings, { boot, variables })
  const began = Date.now()
  try {
    await (boot === 'native' ? bootNative : bootDocker)(settings, { policy, cancel, say })
  } catch (error) {
    const some = boot === 'docker' ? await isInDocker(settings).catch(() => true) : started(settings).length > 0
    if (!some) forget(settings)
    throw error
  }
  say(`up after ${((Date.now() - began) / 1000).toFixed(0)} s\n`)
  say(links(settings, boot))
}

/** What `make up` says at its end: where everything is, and what to type next. */
export function links(settings: Settings, boot: Boot): string {
  const grafana = boot === 'docker' || findGrafana(settings.env) !== undefined
  const board = url(settings, 'GRAFANA_PORT', '/d/cost-and-latency-by-agent')
  const rows = [
    grafana
      ? ['Grafana', board, 'cost and latency by agent; Explore for TraceQL']
      : [
          'Grafana',
          'not on this machine',
          `make viewer shows the same boards (installs ${VIEWER_SIZE} once); or put grafana on PATH, or set GRAFANA_HOME`,
        ],
    ...chosenBackends(settings).map(({ title, server, relay }) =>
      relay
        ? [title, `to ${relay.to.title}`, relay.what]
        : server
          ? [title, url(settings, server.link.port, server.link.path), server.link.what]
          : [title, 'elsewhere', 'kept traces'],
    ),
    [
      'Prometheus',
      url(settings, 'PROMETHEUS_PORT', '/api/v1/query?query=woodland_decisions_total'),
      'metrics of every tick, kept or not',
    ],
    ...receivers(settings).map(({ tier, settings: own }, index) => [
      'OTLP',
      senderEnvironment(own).OTEL_EXPORTER_OTLP_ENDPOINT,
      !tier
        ? 'point your own agents here'
        : index === 0
          ? 'the first gateway: point your own agents here'
          : 'another gateway; an SDK has one address, so to fail over put a proxy in front of them',
    ]),
  ]
  const next =
    'make verify  sends one marked tick and finds it in every backend\nmake status  shows what runs      make logs  follows the logs      make down  stops everything'
  return `${rows.map(([name, where, what]) => `${name?.padEnd(11)} ${where}\n            ${what}`).join('\n')}\n\n${next}`
}
