import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { isMap, parse, parseDocument, stringify } from 'yaml'
import { environmentThere } from './backends/backends.ts'
import { tlsFiles } from './receiver-options.ts'
import { COLLECTOR_TARGETS, collectorFiles, collectorTargets } from './services.ts'
import { type PortName, ROOT, type Settings } from './settings.ts'
import { collectors, type Instance, SAMPLERS_BY_NAME, type Tier } from './tiers.ts'
import { waitsFile } from './waits.ts'

/** What is read and changed of a service here, or held to other files. The rest is copied as it is. */
type Service = Readonly<{
  command: string
  environment: Readonly<Record<string, string | null>>
  ports: readonly string[]
  volumes: readonly Readonly<{ source?: string; target?: string }>[]
  depends_on?: Readonly<Record<string, Readonly<{ condition?: string; required?: boolean }>>>
  mem_limit?: string
  profiles?: readonly string[]
}>

export const COMPOSE_FILE = 'docker-compose.yml'

/** The services of a file of Compose. */
export const servicesIn = (file = COMPOSE_FILE): Readonly<Record<string, Service>> =>
  parse(readFileSync(resolve(ROOT, file), 'utf8'), { merge: true }).services
export const TLS_FILE = 'stack/compose/tls.yaml'
/** The service that each gateway and sampler is made of. */
const COLLECTOR = 'collector'
const FILES = `\${COLLECTOR_FILES:-}`

/** The options with which a collector in a container loads its files: `COLLECTOR_FILES` of docker-compose.yml. */
export const containerFiles = (settings: Settings, tier?: Tier): string =>
  collectorFiles(settings, tier)
    .map((file) => (file === waitsFile(settings) ? `policies/${basename(file)}` : file))
    .map((file) => `--config /${file}`)
    .join(' ')

/**
 * Writes what Compose loads beside docker-compose.yml for `TIERS`, and returns its path. Each gateway and each sampler is the service
 * `collector` of that file with its own name, ports, files and queue. In the network, `collector` is the name of all gateways and
 * `sampler` of all samplers.
 */
export function writeComposeTiers(settings: Settings): string {
  const services = servicesIn()
  const all = collectors(settings)
  const started = (tier: Tier) =>
    Object.fromEntries(
      all.filter((one) => one.tier === tier).map(({ name }) => [name, { condition: 'service_started' }]),
    )
  const senders = Object.entries(services).filter(([, { depends_on }]) => depends_on && COLLECTOR in depends_on)
  for (const job of Object.keys(COLLECTOR_TARGETS))
    write(settings, `targets/${job}.yaml`, collectorTargets(settings, job, addressIn(job)))
  return write(
    settings,
    'tiers.yaml',
    stringify({
      services: {
        // It stays out, because nothing asks for this profile. So nobody may depend on it.
        [COLLECTOR]: { profiles: ['without-tiers'] },
        ...Object.fromEntries(
          senders.map(([name]) => [
            name,
            { depends_on: { [COLLECTOR]: { condition: 'service_started', required: false }, ...started('gateway') } },
          ]),
        ),
        ...Object.fromEntries(all.map((one) => [one.name, serviceOf(settings, services, one, started('sampler'))])),
        prometheus: {
          volumes: Object.keys(COLLECTOR_TARGETS).map((job) => ({
            type: 'bind',
            source: `\${STACK_STATE}/compose/targets/${job}.yaml`,
            target: `/grafana/targets/${job}.yaml`,
            read_only: true,
          })),
        },
      },
    }),
  )
}

/**
 * Writes what a user's own file changes of the service `collector`, once for each gateway and sampler, and returns its path; nothing
 * where it changes nothing of it. Compose merges this as it merges the file itself, with its tags such as `!override`.
 */
export function writeOwnChanges(settings: Settings, file: string): readonly string[] {
  const document = parseDocument(readFileSync(resolve(ROOT, file), 'utf8'))
  const services = document.get('services')
  const own = isMap(services) && services.get(COLLECTOR)
  if (!isMap(services) || !isMap(own)) return []
  // What it changes of other services is loaded with the file itself.
  services.items = []
  // Copies, because Compose 2.40.3 does not follow a tag into an alias.
  for (const { name } of collectors(settings)) services.set(name, own.clone())
  return [write(settings, 'own.yaml', String(document))]
}

function serviceOf(
  settings: Settings,
  { [COLLECTOR]: base }: Readonly<Record<string, Service>>,
  { name, tier, settings: own }: Instance,
  samplers: Readonly<Record<string, unknown>>,
) {
  if (!base?.command.includes(FILES)) throw new Error(`${COMPOSE_FILE}: the command of ${COLLECTOR} has no ${FILES}`)
  const isGateway = tier === 'gateway'
  const tls = isGateway && tlsFiles(settings) ? servicesIn(TLS_FILE)[COLLECTOR] : undefined
  // Backends are a sampler's business, and so are their keys.
  const unread = isGateway ? Object.keys(environmentThere(settings)) : []
  return {
    ...base,
    command: base.command.replace(FILES, () => containerFiles(settings, tier)),
    environment: {
      ...Object.fromEntries(Object.entries(base.environment).filter(([variable]) => !unread.includes(variable))),
      ...tls?.environment,
      QUEUE_DIR: `${base.environment.QUEUE_DIR}/${name}`,
      COLLECTOR_NAME: name,
      ...(isGateway ? { SAMPLERS: SAMPLERS_BY_NAME } : {}),
    },
    // Only gateways may reach where a sampler receives.
    ports: base.ports
      .filter((port) => isGateway || !port.includes('{OTLP_'))
      .map((port) => port.replace(/\$\{(\w+)\}/, (_, variable) => String(own.ports[variable as PortName]))),
    volumes: [...base.volumes, ...(tls?.volumes ?? [])],
    networks: { default: { aliases: [isGateway ? COLLECTOR : 'sampler'] } },
    depends_on: { ...base.depends_on, ...(isGateway ? samplers : {}) },
  }
}

/** The address of a page, as `grafana/targets/` has it for one collector, under another name. */
function addressIn(job: string): (one: Instance) => string {
  const [{ targets }] = parse(readFileSync(resolve(ROOT, `grafana/targets/${job}.yaml`), 'utf8'))
  return ({ name }) => targets[0].replace(COLLECTOR, name)
}

/** Leaves a file that is right as it is, because Compose may be reading it. */
function write(settings: Settings, name: string, text: string): string {
  const file = resolve(settings.state, 'compose', name)
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return file
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  return file
}
