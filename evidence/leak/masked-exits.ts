import { parse } from 'yaml'

/** The parts of a collector's configuration that decide where data goes. */
type Config = {
  receivers?: Record<string, unknown>
  exporters?: Record<string, unknown>
  connectors?: Record<string, unknown>
  extensions?: Record<string, unknown>
  service?: {
    pipelines?: Record<string, { receivers?: string[]; processors?: string[]; exporters?: string[] }>
    telemetry?: { logs?: { level?: string }; metrics?: unknown }
  }
}

type Tree = { readonly [key: string]: unknown }
const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Merges as the collector does: maps are merged, any other value is replaced by the last one. */
const merged = (base: unknown, over: unknown): unknown =>
  isTree(base) && isTree(over)
    ? Object.fromEntries(
        [...new Set([...Object.keys(base), ...Object.keys(over)])].map((key) => [
          key,
          key in over ? merged(base[key], over[key]) : base[key],
        ]),
      )
    : over

/** These processors in this order are the redactor. The first and the last make every field visible to it. */
const REDACTOR = ['transform/unpack', 'redaction/mask', 'transform/repack']
/** The signals that it can mask. */
const SIGNALS = ['traces', 'metrics', 'logs']

const RECEIVES_NOTHING = 'nop'

const typeOf = (id: string) => id.split('/')[0] ?? ''

/** Every way in which data could leave unmasked, or another machine could reach the collector: one sentence each. */
export function openings(...files: readonly string[]): readonly string[] {
  const config = files.map((file) => parse(file, { merge: true }) as unknown).reduce(merged) as Config
  return [...unmasked(config), ...talkative(config), ...reachable(config)]
}

function unmasked({ connectors = {}, service = {} }: Config): string[] {
  const { pipelines = {} } = service
  const found = new Set<string>()
  const seen = new Set<string>()
  const follow = (name: string, way: string, isMasked: boolean) => {
    if (seen.has(`${name} ${isMasked}`)) return
    seen.add(`${name} ${isMasked}`)
    const { processors = [], exporters = [] } = pipelines[name] ?? {}
    const after = isMasked || (SIGNALS.includes(typeOf(name)) && isWithin(REDACTOR, processors))
    for (const exporter of exporters) {
      if (exporter in connectors) {
        for (const [next, { receivers = [] }] of Object.entries(pipelines))
          if (receivers.includes(exporter)) follow(next, `${way} → ${exporter} → ${next}`, after)
      } else if (!after) found.add(`${exporter} is reached without the redactor: ${way} → ${exporter}`)
    }
  }
  for (const [name, { receivers = [] }] of Object.entries(pipelines))
    for (const receiver of receivers)
      if (!(receiver in connectors) && typeOf(receiver) !== RECEIVES_NOTHING)
        follow(name, `${receiver} → ${name}`, false)
  return [...found]
}

/** All steps in this order, with no processor between them that could see data that is only partly masked. */
const isWithin = (steps: readonly string[], processors: readonly string[]): boolean =>
  `,${processors.join()},`.includes(`,${steps.join()},`)

function talkative({ exporters = {}, service = {} }: Config): string[] {
  const printing = Object.entries(exporters).flatMap(([id, settings]) => {
    const { verbosity = 'basic' } = (settings ?? {}) as { verbosity?: string }
    return typeOf(id) === 'debug' && verbosity !== 'basic'
      ? [`${id} prints content: verbosity is ${verbosity}, not basic`]
      : []
  })
  const level = service.telemetry?.logs?.level ?? 'info'
  return [
    ...printing,
    ...(level === 'debug' ? ['the log level is debug, at which components print what they get'] : []),
  ]
}

/** Names of settings with an address to listen on. For an exporter, only prometheus listens. */
function reachable({ receivers = {}, exporters = {}, extensions = {}, service = {} }: Config): string[] {
  const pages = Object.fromEntries(Object.entries(exporters).filter(([id]) => typeOf(id) === 'prometheus'))
  return listenersIn({ receivers, exporters: pages, extensions, telemetry: service.telemetry?.metrics })
    .filter(({ address }) => !isLoopback(address))
    .map(({ path, address }) => `${path} listens on ${address}, which others can reach`)
}

type Listener = Readonly<{ path: string; address: string }>

function listenersIn(value: unknown, path: readonly string[] = []): readonly Listener[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => listenersIn(item, [...path, String(index)]))
  if (!isTree(value)) return []
  return Object.entries(value).flatMap(([key, inner]) =>
    (key === 'endpoint' || key === 'host') && typeof inner === 'string'
      ? [{ path: [...path, key].join('.'), address: inner }]
      : listenersIn(inner, [...path, key]),
  )
}

/** The value of an address if no variable is set: the defaults. */
const isLoopback = (address: string): boolean =>
  /^(?:127\.0\.0\.1|localhost|\[::1\])(?::|$)/.test(address.replace(/\$\{env:\w+(?::-([^}]*))?\}/g, '$1'))

type Compose = {
  services?: Record<string, { ports?: readonly (string | { host_ip?: string })[]; network_mode?: string }>
}

/** Every port that a Compose file publishes to other machines. */
export function publishedTo(compose: string): readonly string[] {
  const { services = {} } = parse(compose, { merge: true }) as Compose
  return Object.entries(services).flatMap(([name, { ports = [], network_mode }]) => [
    ...(network_mode === 'host' ? [`${name} has the network of this machine`] : []),
    ...ports
      .filter((port) => !(typeof port === 'string' ? port.startsWith('127.0.0.1:') : port.host_ip === '127.0.0.1'))
      .map((port) => `${name} publishes ${typeof port === 'string' ? port : JSON.stringify(port)} to everyone`),
  ])
}
