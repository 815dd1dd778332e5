import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { stringify } from 'yaml'
import { writeDashboards } from '../grafana/source/dashboards.ts'
import { COLLECTOR } from '../vocabulary/attributes.ts'
import { LIVE_RECORDING } from '../workbench/recording.ts'
import { chosenBackends, collectorFile, relays, served } from './backends/backends.ts'
import { findGrafana } from './grafana.ts'
import type { Programs } from './native.ts'
import { activePolicy, slowCall } from './policy.ts'
import { collectorOverlays, isRecording, senderEnvironment, tlsFiles } from './receiver-options.ts'
import { dataFolder, environment, pick, type Service, tsx } from './service.ts'
import { COLLECTOR_PORTS, type PortName, ROOT, type Settings, url } from './settings.ts'
import { collectors, type Instance, samplersOf, type Tier } from './tiers.ts'
import { waitsFile } from './waits.ts'

/** Names of files in `grafana/targets/`, and the port of each job in the native boot. Backends have their own. */
export const COLLECTOR_TARGETS = {
  agents: 'COLLECTOR_EXPORTER_PORT',
  counted: 'COLLECTOR_COUNTED_PORT',
  collector: 'COLLECTOR_METRICS_PORT',
} as const satisfies Record<string, PortName>
const TARGETS = { vllm: 'VLLM_PORT' } as const satisfies Record<string, PortName>

/** The variables with which the collector loads the shipped configuration; see collector/config.yaml. */
export function collectorEnvironment(settings: Settings): Record<string, string> {
  const { TOKEN_HEAVY, SLOW_RUN, HEAVY_CALL, TIME_FACTOR } = settings.env
  return environment(settings, {
    COLLECTOR_DIR: resolve(ROOT, 'collector'),
    POLICY_FILE: activePolicy(settings),
    QUEUE_DIR: resolve(settings.state, 'data/collector'),
    SLOW_CALL: slowCall(settings, Number(TIME_FACTOR || 1)),
    ...(TOKEN_HEAVY ? { TOKEN_HEAVY } : {}),
    ...(SLOW_RUN ? { SLOW_RUN } : {}),
    ...(HEAVY_CALL ? { HEAVY_CALL } : {}),
    // The collector collects garbage less often, until its heap comes near the limits of memory_limiter.
    GOGC: '300',
    GOMEMLIMIT: '1000MiB',
  })
}

/** What a collector of this tier loads beside its configuration, in both boots: paths from the root of the repository, or absolute. */
export const collectorFiles = (settings: Settings, tier?: Tier): readonly string[] => [
  ...backendsOf(settings, tier).map(collectorFile),
  ...collectorOverlays(settings, tier),
  ...(tier === 'gateway' ? [] : [waitsFile(settings)]),
]

/** A gateway hands on to samplers alone. */
const backendsOf = (settings: Settings, tier?: Tier) => (tier === 'gateway' ? [] : chosenBackends(settings))

/** The arguments of a collector that loads the shipped configuration and these files. */
export const collectorArguments = (settings: Settings, files: readonly string[] = []): string[] => [
  ...['collector/config.yaml', ...files].flatMap((file) => ['--config', resolve(ROOT, file)]),
  `--feature-gates=${settings.env.COLLECTOR_FEATURE_GATES}`,
]

/** The folder of recordings of live traffic. */
export const recordings = (settings: Settings): string => resolve(settings.state, 'recordings')

/** The ports of this stack that boards have links to. */
export const linked = (settings: Settings): { PHOENIX_PORT?: number } =>
  chosenBackends(settings).some(({ id }) => id === 'phoenix') ? { PHOENIX_PORT: settings.ports.PHOENIX_PORT } : {}

/** The folder of the boards that Grafana reads, with links to the ports of this stack. `make up` writes them, in both boots. */
export const dashboards = (settings: Settings): string => resolve(settings.state, 'dashboards')

/** The programs that the native stack needs: names of recipes in `stack/native/`. */
export const recipesOf = (settings: Settings): readonly string[] => [
  'collector',
  'prometheus',
  ...served(chosenBackends(settings)).map(({ server }) => server.recipe),
  ...(collectors(settings).length > 1 ? ['collector-tiers'] : []),
]

/** Every service of the native stack, in the order in which data flows back from the last to the first. */
export function services(settings: Settings, programs: Programs): readonly Service[] {
  const telemetry = {
    ...senderEnvironment(settings),
    ...(settings.env.OTEL_RESOURCE_ATTRIBUTES
      ? { OTEL_RESOURCE_ATTRIBUTES: settings.env.OTEL_RESOURCE_ATTRIBUTES }
      : {}),
  }
  const model = pick(settings.env, ['VLLM_BASE_URL', 'VLLM_MODEL', 'VLLM_FALLBACK_MODEL', 'VLLM_API_KEY'])

  const grafana = findGrafana(settings.env)
  const prometheus: Service = {
    name: 'prometheus',
    ports: ['PROMETHEUS_PORT'],
    command: () => {
      writePrometheusFiles(settings)
      return {
        file: programs('prometheus'),
        args: [
          `--config.file=${prometheusConfig(settings)}`,
          `--web.listen-address=127.0.0.1:${settings.ports.PROMETHEUS_PORT}`,
          `--storage.tsdb.path=${dataFolder(settings, 'prometheus')}`,
          '--enable-feature=exemplar-storage',
          '--web.enable-lifecycle',
          '--web.enable-remote-write-receiver',
          '--log.level=warn',
        ],
        // The viewer opens the same addresses as a Grafana.
        env: environment(settings, { GRAFANA_URL: url(settings, grafana ? 'GRAFANA_PORT' : 'VIEWER_PORT') }),
      }
    },
    ready: url(settings, 'PROMETHEUS_PORT', '/-/ready'),
    graceMs: 10_000,
  }

  const backends = chosenBackends(settings)
  const tls = tlsFiles(settings)
  const collector = ({ name, tier, settings: own }: Instance): Service => ({
    name,
    ports: COLLECTOR_PORTS,
    settings: own,
    command: () => {
      if (isRecording(settings)) mkdirSync(recordings(settings), { recursive: true })
      return {
        file: programs(tier ? 'otelcol-tiers' : 'otelcol-woodland'),
        args: collectorArguments(settings, collectorFiles(settings, tier)),
        env: {
          ...collectorEnvironment(own),
          QUEUE_DIR: resolve(settings.state, 'data', name),
          ...Object.assign({}, ...backendsOf(settings, tier).map((backend) => backend.environment(settings))),
          ...(isRecording(settings) ? { RECORDING_FILE: resolve(recordings(settings), LIVE_RECORDING) } : {}),
          ...pick(settings.env, ['OTLP_TOKEN']),
          ...(tls ? { OTLP_TLS_CERT: tls.cert, OTLP_TLS_KEY: tls.key } : {}),
          ...(tier ? { COLLECTOR_NAME: name } : {}),
          // A sampler that ended comes back on its port, so gateways wait for it and look for no other.
          ...(tier === 'gateway' ? { SAMPLERS: samplersOf(settings), SAMPLER_QUEUES: 'true' } : {}),
        },
      }
    },
    ready: url(own, 'COLLECTOR_HEALTH_PORT'),
    // It judges and writes what waits; a kill would lose that. On a busy machine this takes long.
    graceMs: 30_000,
  })

  const mockVllm: Service = {
    name: 'mock-vllm',
    ports: ['VLLM_PORT'],
    command: () => ({
      ...tsx('sim/mock-vllm/main.ts'),
      env: environment(settings, {
        ...telemetry,
        ...pick(settings.env, ['VLLM_PRESET', 'VLLM_RATES', 'VLLM_MODEL', 'VLLM_FALLBACK_MODEL']),
      }),
    }),
    ready: url(settings, 'VLLM_PORT', '/health'),
    graceMs: 5_000,
  }

  const sim: Service = {
    name: 'sim',
    ports: [],
    command: () => ({
      ...tsx('sim/main.ts'),
      env: environment(settings, {
        ...telemetry,
        ...model,
        ...pick(settings.env, ['SEED', 'TICK_INTERVAL', 'CONTENT_CAPTURE', 'RECALL_TEMPO']),
      }),
    }),
    graceMs: 25_000,
  }

  const boards: Service[] = grafana
    ? [
        {
          name: 'grafana',
          ports: ['GRAFANA_PORT'],
          command: () => {
            writeDashboards(dashboards(settings), linked(settings))
            return {
              file: grafana.binary,
              args: ['server', '--homepath', grafana.home, '--config', resolve(ROOT, 'grafana/grafana.ini')],
              env: environment(settings, {
                GF_PATHS_DATA: dataFolder(settings, 'grafana'),
                GF_PATHS_LOGS: resolve(settings.state, 'logs'),
                GF_PATHS_PLUGINS: resolve(dataFolder(settings, 'grafana'), 'plugins'),
                GF_PATHS_PROVISIONING: resolve(ROOT, 'grafana/provisioning'),
                GF_SERVER_HTTP_ADDR: '127.0.0.1',
                GF_SERVER_HTTP_PORT: String(settings.ports.GRAFANA_PORT),
                PROMETHEUS_URL: url(settings, 'PROMETHEUS_PORT'),
                TEMPO_URL: url(settings, 'TEMPO_PORT'),
                DASHBOARDS_DIR: dashboards(settings),
                GOMEMLIMIT: '350MiB',
              }),
            }
          },
          ready: url(settings, 'GRAFANA_PORT', '/api/health'),
          graceMs: 10_000,
        },
      ]
    : []

  return [
    ...served(backends).map(({ server }) => server.service(settings, programs)),
    ...relays(backends).map(({ service }) => service(settings)),
    prometheus,
    ...[...collectors(settings)].reverse().map(collector),
    ...(settings.env.VLLM_BASE_URL ? [] : [mockVllm]),
    ...boards,
    sim,
  ]
}

const prometheusConfig = (settings: Settings) => resolve(settings.state, 'prometheus/prometheus.yaml')

/** Prometheus reads targets, rules and jobs from the folder of its configuration, so the native boot makes such a folder. */
export function writePrometheusFiles(settings: Settings): void {
  const folder = resolve(settings.state, 'prometheus')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(resolve(folder, 'targets'), { recursive: true })
  symlinkSync(resolve(ROOT, 'grafana/prometheus.yaml'), prometheusConfig(settings))
  for (const name of ['rules', 'scrape']) symlinkSync(resolve(ROOT, 'grafana', name), resolve(folder, name))
  const backends = served(chosenBackends(settings)).flatMap(({ id, server: { metricsPort } }) =>
    metricsPort ? [[id, metricsPort] as const] : [],
  )
  const write = (job: string, text: string) => writeFileSync(resolve(folder, 'targets', `${job}.yaml`), text)
  const target = (ports: Settings['ports'], port: PortName) => `- targets: ["127.0.0.1:${ports[port]}"]\n`
  for (const [job, port] of [...Object.entries(TARGETS), ...backends]) write(job, target(settings.ports, port))
  for (const [job, port] of Object.entries(COLLECTOR_TARGETS))
    write(
      job,
      collectorTargets(settings, job, ({ settings: { ports } }) => `127.0.0.1:${ports[port]}`),
    )
}

/** What `grafana/targets/` says of one page of every collector. The two pages of what is counted name their collector themselves. */
export const collectorTargets = (settings: Settings, job: string, address: (one: Instance) => string): string =>
  stringify(
    collectors(settings).map((one) => ({
      targets: [address(one)],
      ...(one.tier && job === 'collector' ? { labels: { [COLLECTOR.NAME]: one.name } } : {}),
    })),
  )
