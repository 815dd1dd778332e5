import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { writeDashboards } from '../grafana/source/dashboards.ts'
import { LIVE_RECORDING } from '../workbench/recording.ts'
import { findGrafana } from './grafana.ts'
import type { Programs } from './native.ts'
import type { Command } from './processes.ts'
import { collectorOverlays, isRecording, senderEnvironment, tlsFiles } from './receiver-options.ts'
import { type PortName, ROOT, type Settings, url } from './settings.ts'

export type Service = Readonly<{
  name: string
  holds: readonly PortName[]
  /** Prepares what the service reads, and says how it is started. */
  command: () => Command
  /** Answers 2xx exactly when the service can do its work; without it, a running process is ready. */
  ready?: string
  readyWithinMs: number
  graceMs: number
  /** Called before the service is stopped. */
  beforeStop?: () => Promise<unknown>
}>

/** Slower than this and a model call is kept, in milliseconds of world time: the policy's own default. */
const SLOW_CALL_MS = 2000

/** The threshold of a slow call as the collector is told it: the user's own, else the world's at this time factor. */
export const slowCall = (settings: Settings, timeFactor: number): string =>
  settings.env.SLOW_CALL || `${Math.round(SLOW_CALL_MS / timeFactor)}ms`

/** Names of the files in `grafana/targets/`, and where each of those jobs listens natively. */
const TARGETS = {
  agents: 'COLLECTOR_EXPORTER_PORT',
  collector: 'COLLECTOR_METRICS_PORT',
  tempo: 'TEMPO_PORT',
  vllm: 'VLLM_PORT',
} as const satisfies Record<string, PortName>

/** What every program sees of the environment: enough to run, nothing else that happens to be set. */
function environment(settings: Settings, extra: Record<string, string | undefined>): Record<string, string> {
  const kept = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'TZ', 'SSL_CERT_FILE', 'TIME_FACTOR']
  const ports = Object.entries(settings.ports).map(([name, port]) => [name, String(port)])
  const all = { ...pick(settings.env, kept), ...Object.fromEntries(ports), ...extra }
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined))
}

/** What the collector needs to be told to load the shipped configuration: see collector/config.yaml. */
export function collectorEnvironment(settings: Settings): Record<string, string> {
  const { TOKEN_HEAVY, TIME_FACTOR } = settings.env
  return environment(settings, {
    COLLECTOR_DIR: resolve(ROOT, 'collector'),
    POLICY_FILE: activePolicy(settings),
    QUEUE_DIR: resolve(settings.state, 'data/collector'),
    TEMPO_OTLP_ENDPOINT: url(settings, 'TEMPO_OTLP_HTTP_PORT'),
    PHOENIX_OTLP_ENDPOINT: url(settings, 'PHOENIX_PORT'),
    SLOW_CALL: slowCall(settings, Number(TIME_FACTOR || 1)),
    ...(TOKEN_HEAVY ? { TOKEN_HEAVY } : {}),
    // Collects garbage less often, until the heap comes near the soft limit of memory_limiter.
    GOGC: '300',
    GOMEMLIMIT: '280MiB',
  })
}

export const collectorArguments = (settings: Settings): string[] => [
  '--config',
  resolve(ROOT, 'collector/config.yaml'),
  `--feature-gates=${settings.env.COLLECTOR_FEATURE_GATES}`,
]

/** Where recordings of live traffic are written. */
export const recordings = (settings: Settings): string => resolve(settings.state, 'recordings')

/** The boards as Grafana reads them: with links to the ports of this stack. `make up` writes them, in both boots. */
export const dashboards = (settings: Settings): string => resolve(settings.state, 'dashboards')

export const activePolicy = (settings: Settings): string => resolve(settings.state, 'policies/active.yaml')

export const tsx = (script: string, ...args: string[]) => ({
  file: process.execPath,
  args: ['--import', import.meta.resolve('tsx'), resolve(ROOT, script), ...args],
  cwd: ROOT,
})

/** Every service of the native stack, in the order in which data flows back from the last to the first. */
export function services(settings: Settings, programs: Programs): readonly Service[] {
  const data = (name: string) => {
    const folder = resolve(settings.state, 'data', name)
    mkdirSync(folder, { recursive: true })
    return folder
  }
  const telemetry = {
    ...senderEnvironment(settings),
    ...(settings.env.OTEL_RESOURCE_ATTRIBUTES
      ? { OTEL_RESOURCE_ATTRIBUTES: settings.env.OTEL_RESOURCE_ATTRIBUTES }
      : {}),
  }
  const model = pick(settings.env, ['VLLM_BASE_URL', 'VLLM_MODEL', 'VLLM_FALLBACK_MODEL', 'VLLM_API_KEY'])

  const tempo: Service = {
    name: 'tempo',
    holds: ['TEMPO_PORT', 'TEMPO_GRPC_PORT', 'TEMPO_GOSSIP_PORT', 'TEMPO_OTLP_GRPC_PORT', 'TEMPO_OTLP_HTTP_PORT'],
    command: () => ({
      file: programs.tempo,
      args: ['-target=all', '-config.expand-env=true', `-config.file=${resolve(ROOT, 'grafana/tempo.yaml')}`],
      env: environment(settings, { TEMPO_STATE_DIR: data('tempo'), GOMEMLIMIT: '256MiB' }),
    }),
    ready: url(settings, 'TEMPO_PORT', '/ready'),
    readyWithinMs: 30_000,
    // Tempo 2.9 can wait for ever on SIGTERM when it was queried just before; after /flush nothing is lost.
    graceMs: 8_000,
    beforeStop: () => fetch(url(settings, 'TEMPO_PORT', '/flush'), { signal: AbortSignal.timeout(5000) }),
  }

  const prometheus: Service = {
    name: 'prometheus',
    holds: ['PROMETHEUS_PORT'],
    command: () => {
      writePrometheusFiles(settings)
      return {
        file: programs.prometheus,
        args: [
          `--config.file=${prometheusConfig(settings)}`,
          `--web.listen-address=127.0.0.1:${settings.ports.PROMETHEUS_PORT}`,
          `--storage.tsdb.path=${data('prometheus')}`,
          '--enable-feature=exemplar-storage',
          '--web.enable-lifecycle',
          '--log.level=warn',
        ],
        env: environment(settings, {}),
      }
    },
    ready: url(settings, 'PROMETHEUS_PORT', '/-/ready'),
    readyWithinMs: 30_000,
    graceMs: 10_000,
  }

  const phoenix: Service = {
    name: 'phoenix',
    holds: ['PHOENIX_PORT'],
    command: () => ({
      file: programs.python,
      args: [resolve(ROOT, 'phoenix/serve.py')],
      env: environment(settings, {
        ...phoenixSettings(settings),
        PHOENIX_WORKING_DIR: data('phoenix'),
        PHOENIX_HOST: '127.0.0.1',
        PHOENIX_PORT: String(settings.ports.PHOENIX_PORT),
      }),
    }),
    ready: url(settings, 'PHOENIX_PORT', '/v1/projects'),
    readyWithinMs: 120_000,
    graceMs: 10_000,
  }

  const tls = tlsFiles(settings)
  const collector: Service = {
    name: 'collector',
    holds: [
      'OTLP_GRPC_PORT',
      'OTLP_HTTP_PORT',
      'COLLECTOR_HEALTH_PORT',
      'COLLECTOR_METRICS_PORT',
      'COLLECTOR_EXPORTER_PORT',
    ],
    command: () => {
      data('collector')
      if (isRecording(settings)) mkdirSync(recordings(settings), { recursive: true })
      return {
        file: programs.collector,
        args: [
          ...collectorArguments(settings),
          ...collectorOverlays(settings).flatMap((overlay) => ['--config', resolve(ROOT, overlay)]),
        ],
        env: {
          ...collectorEnvironment(settings),
          ...(isRecording(settings) ? { RECORDING_FILE: resolve(recordings(settings), LIVE_RECORDING) } : {}),
          ...pick(settings.env, ['OTLP_TOKEN']),
          ...(tls ? { OTLP_TLS_CERT: tls.cert, OTLP_TLS_KEY: tls.key } : {}),
        },
      }
    },
    ready: url(settings, 'COLLECTOR_HEALTH_PORT'),
    readyWithinMs: 30_000,
    graceMs: 15_000,
  }

  const vllm: Service = {
    name: 'model',
    holds: ['VLLM_PORT'],
    command: () => ({
      ...tsx('sim/mock-vllm/main.ts'),
      env: environment(settings, {
        ...telemetry,
        ...pick(settings.env, ['VLLM_PRESET', 'VLLM_MODEL', 'VLLM_FALLBACK_MODEL']),
      }),
    }),
    ready: url(settings, 'VLLM_PORT', '/health'),
    readyWithinMs: 30_000,
    graceMs: 5_000,
  }

  const sim: Service = {
    name: 'sim',
    holds: [],
    command: () => ({
      ...tsx('sim/main.ts'),
      env: environment(settings, {
        ...telemetry,
        ...model,
        ...pick(settings.env, ['SEED', 'TICK_INTERVAL', 'CONTENT_CAPTURE']),
      }),
    }),
    readyWithinMs: 20_000,
    graceMs: 25_000,
  }

  const grafana = findGrafana(settings.env)
  const boards: Service[] = grafana
    ? [
        {
          name: 'grafana',
          holds: ['GRAFANA_PORT'],
          command: () => {
            writeDashboards(dashboards(settings), settings.ports)
            return {
              file: grafana.binary,
              args: ['server', '--homepath', grafana.home, '--config', resolve(ROOT, 'grafana/grafana.ini')],
              env: environment(settings, {
                GF_PATHS_DATA: data('grafana'),
                GF_PATHS_LOGS: resolve(settings.state, 'logs'),
                GF_PATHS_PLUGINS: resolve(data('grafana'), 'plugins'),
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
          readyWithinMs: 60_000,
          graceMs: 10_000,
        },
      ]
    : []

  return [tempo, prometheus, phoenix, collector, ...(settings.env.VLLM_BASE_URL ? [] : [vllm]), ...boards, sim]
}

/** Settings of Phoenix that both boots share; the environment wins. */
function phoenixSettings(settings: Settings): Record<string, string | undefined> {
  const shipped = parseEnv(readFileSync(resolve(ROOT, 'phoenix/phoenix.env'), 'utf8'))
  const own = Object.entries(settings.env).filter(([name]) => name.startsWith('PHOENIX_') && name !== 'PHOENIX_IMAGE')
  return { ...shipped, ...Object.fromEntries(own) }
}

const pick = (env: Settings['env'], names: readonly string[]) =>
  Object.fromEntries(names.flatMap((name) => (env[name] ? [[name, env[name]]] : [])))

const prometheusConfig = (settings: Settings) => resolve(settings.state, 'prometheus/prometheus.yaml')

/** Prometheus looks for targets and rules beside its configuration, so the native boot lays out such a folder. */
export function writePrometheusFiles(settings: Settings): void {
  const folder = resolve(settings.state, 'prometheus')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(resolve(folder, 'targets'), { recursive: true })
  symlinkSync(resolve(ROOT, 'grafana/prometheus.yaml'), prometheusConfig(settings))
  symlinkSync(resolve(ROOT, 'grafana/rules'), resolve(folder, 'rules'))
  for (const [job, port] of Object.entries(TARGETS)) {
    const target = `- targets: ["127.0.0.1:${settings.ports[port]}"]\n`
    writeFileSync(resolve(folder, 'targets', `${job}.yaml`), target)
  }
}
