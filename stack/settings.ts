import { existsSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { UserError } from '../workbench/user-error.ts'

export const ROOT = resolve(import.meta.dirname, '..')

/** A path for a person to read or paste: from the current folder if it is in there, else in full. */
export function shownAs(path: string): string {
  const full = resolve(ROOT, path)
  const shown = relative(process.cwd(), full)
  return shown.startsWith('..') ? full : shown
}

/** The ports on which each process of the Collector listens. */
export const COLLECTOR_PORTS = [
  'OTLP_GRPC_PORT',
  'OTLP_HTTP_PORT',
  'COLLECTOR_HEALTH_PORT',
  'COLLECTOR_METRICS_PORT',
  'COLLECTOR_EXPORTER_PORT',
  'COLLECTOR_COUNTED_PORT',
] as const

const PORTS = [
  ...COLLECTOR_PORTS,
  'TIERS_PORT',
  'TEMPO_PORT',
  'TEMPO_GRPC_PORT',
  'TEMPO_GOSSIP_PORT',
  'TEMPO_OTLP_GRPC_PORT',
  'TEMPO_OTLP_HTTP_PORT',
  'PROMETHEUS_PORT',
  'PHOENIX_PORT',
  'ANNOTATIONS_PORT',
  'JAEGER_PORT',
  'JAEGER_GRPC_PORT',
  'JAEGER_OTLP_PORT',
  'JAEGER_HEALTH_PORT',
  'GRAFANA_PORT',
  'VIEWER_PORT',
  'VLLM_PORT',
] as const
export type PortName = (typeof PORTS)[number]
export const PORT_NAMES: readonly PortName[] = PORTS

/** What distinguishes one stack: the folder of its state and logs, its ports, and its environment. */
export type Settings = Readonly<{
  state: string
  ports: Readonly<Record<PortName, number>>
  env: Readonly<Record<string, string>>
}>

/** The file with the backends, the tiers and the ports of a stack that is up. */
export const startedFile = (state: string): string => resolve(state, 'started.env')

/**
 * The settings of `make up`: the state in `.stack/`, and the variables of `.env`; the environment wins over them. The backends,
 * tiers and ports of a running stack are those with which it was started.
 * Throws `UserError` when a port is not valid, or is given twice.
 */
export function readSettings(state = resolve(ROOT, '.stack')): Settings {
  for (const file of [startedFile(state), resolve(ROOT, '.env')]) if (existsSync(file)) process.loadEnvFile(file)
  const ports = Object.fromEntries(PORTS.map((name) => [name, port(name)])) as Record<PortName, number>
  const seen = new Map<number, PortName>()
  for (const name of PORTS) {
    const other = seen.get(ports[name])
    if (other) throw new UserError(`${name} and ${other} are both ${ports[name]}: each service must have its own port.`)
    seen.set(ports[name], name)
  }
  return { state, ports, env: { ...(process.env as Record<string, string>) } }
}

function port(name: PortName): number {
  const text = process.env[name] ?? ''
  const value = Number(text)
  if (!/^\d{1,5}$/.test(text) || value < 1 || value > 65535) {
    throw new UserError(
      `${name}=${text || '(empty)'} is not a port: it must be a whole number from 1 to 65535. The defaults are in .env.`,
    )
  }
  return value
}

/** The ports as variables. */
export const portVariables = ({ ports }: Pick<Settings, 'ports'>): Record<string, string> =>
  Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, String(port)]))

export const url = (settings: Settings, name: PortName, path = '') => `http://127.0.0.1:${settings.ports[name]}${path}`
