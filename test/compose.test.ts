import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { relative, resolve } from 'node:path'
import { before, test } from 'node:test'
import { parseEnv } from 'node:util'
import { execa } from 'execa'
import { parse, parseAllDocuments, stringify } from 'yaml'
import packageJson from '../package.json' with { type: 'json' }
import { BACKENDS, collectorFile, lacking, served } from '../stack/backends/backends.ts'
import { launcherFor } from '../stack/collectors.ts'
import { bootDocker, composeEnvironment, reloadDocker } from '../stack/docker.ts'
import { dockerEngine } from '../stack/docker-engine.ts'
import { build, type Programs, readRecipes } from '../stack/native.ts'
import { ownFolder } from '../stack/own-folder.ts'
import { ownSettings, quiet } from '../stack/own-stack.ts'
import { activePolicy, SHIPPED_POLICY } from '../stack/policy.ts'
import { dashboards, services as nativeServices, writePrometheusFiles } from '../stack/services.ts'
import { type PortName, ROOT, type Settings } from '../stack/settings.ts'
import { collectors, SAMPLERS_BY_NAME, type Tier } from '../stack/tiers.ts'
import { COLLECTOR } from '../vocabulary/attributes.ts'

type Mount = { type: string; source: string; target: string; read_only?: boolean }
type Service = {
  image?: string
  build?: { context: string; dockerfile: string; args: Record<string, string> }
  command: string[] | null
  environment?: Record<string, string | null>
  ports?: { host_ip?: string; target: number; published: string }[]
  volumes?: Mount[]
  depends_on?: Record<string, { condition: string; required?: boolean }>
  restart?: string
  stop_signal?: string
  mem_limit?: string
  logging?: { driver: string; options: Record<string, string> }
  healthcheck?: { start_period?: string }
  security_opt?: string[]
  cap_drop?: string[]
  read_only?: boolean
  privileged?: boolean
  network_mode?: string
  networks?: Record<string, { aliases?: string[] } | null>
  user?: string
  entrypoint?: string[] | null
  extra_hosts?: string[]
}
type Services = Record<string, Service>

/** The stack's name of each published port. No other port may be published. */
const PUBLISHED: Record<string, Record<number, PortName>> = {
  'mock-vllm': { 8000: 'VLLM_PORT' },
  collector: {
    4317: 'OTLP_GRPC_PORT',
    4318: 'OTLP_HTTP_PORT',
    13133: 'COLLECTOR_HEALTH_PORT',
    8888: 'COLLECTOR_METRICS_PORT',
    8889: 'COLLECTOR_EXPORTER_PORT',
    8890: 'COLLECTOR_COUNTED_PORT',
  },
  tempo: { 3200: 'TEMPO_PORT' },
  phoenix: { 6006: 'PHOENIX_PORT' },
  jaeger: { 16686: 'JAEGER_PORT', 13134: 'JAEGER_HEALTH_PORT' },
  prometheus: { 9090: 'PROMETHEUS_PORT' },
  grafana: { 3000: 'GRAFANA_PORT' },
}

const SERVED = served(BACKENDS).map(({ id }) => id)
/** The variables of the backends that are somewhere else. */
const ELSEWHERE = {
  ...Object.assign({}, ...BACKENDS.map(({ needs }) => needs)),
  OTLP_BACKEND_HEADERS: 'x-key=a%24{b}%2Cc',
}
const EVERYWHERE = { BACKENDS: BACKENDS.map(({ id }) => id).join(), ...ELSEWHERE }
/** Natively the paths of programs are of no interest here: nothing is started. */
const asNamed: Programs = (name) => name
const options = { policy: SHIPPED_POLICY, ...quiet }
const shipped = parseEnv(readFileSync(resolve(ROOT, '.env'), 'utf8'))
const entries = (services: Services) => Object.entries(services)

const folder = ownFolder()
let settings: Settings
let dockerCompose: string
let services: Services
/** The same for a person who runs Compose by hand: .env and the named profiles. */
let byHand: Services

const withEnv = (env: Readonly<Record<string, string>>): Settings => ({ ...settings, env: { ...settings.env, ...env } })
/** What the native boot starts. */
const nativeOf = (of: Settings, name = 'collector') =>
  nativeServices(of, asNamed)
    .find((it) => it.name === name)
    ?.command() ?? assert.fail(`the native boot has no ${name}`)
const inContainer = (word: string) =>
  word.replace(resolve(ROOT, 'collector'), '/collector').replace(resolve(settings.state, 'policies'), '/policies')

/** The output of the real Compose for docker-compose.yml in this environment. */
async function compose(env: Readonly<Record<string, string | undefined>>): Promise<Services> {
  const { stdout } = await execa(dockerCompose, ['config', '--format', 'json'], {
    cwd: ROOT,
    env,
    extendEnv: false,
  })
  return JSON.parse(stdout).services
}

const service = (name: string): Service => services[name] ?? assert.fail(`there is no service ${name}`)
const given = (name: string) => service(name).environment ?? {}

/** The same arguments, with paths of this machine instead of paths in the container. */
function fromHere(name: string, words: readonly string[]): string[] {
  const binds = (service(name).volumes ?? []).filter(({ type }) => type === 'bind')
  return words.map((word) =>
    binds.reduce((text, { source, target }) => text.replace(new RegExp(`(^|=)${target}(?=/|$)`), `$1${source}`), word),
  )
}

before(async () => {
  const home = resolve(folder, 'grafana')
  for (const part of ['bin', 'conf', 'public']) mkdirSync(resolve(home, part), { recursive: true })
  for (const file of ['bin/grafana', 'conf/defaults.ini']) writeFileSync(resolve(home, file), '')
  settings = await ownSettings({ GRAFANA_HOME: home, TIME_FACTOR: '10', BACKENDS: SERVED.join() })
  const recipes = readRecipes('stack/rehearsal/compose/recipe.yaml')
  dockerCompose = (await build(settings, ['compose'], options, recipes))('docker-compose')
  services = await compose(composeEnvironment(settings))
  const profiles = ['mock-vllm', ...SERVED].join()
  byHand = await compose({ PATH: settings.env.PATH, HOME: settings.env.HOME, COMPOSE_PROFILES: profiles })
})

test('every port is published on loopback only, with the number of .env or of the environment', () => {
  const published = (of: Services) =>
    Object.fromEntries(
      entries(of).flatMap(([name, { ports }]) => {
        for (const { host_ip } of ports ?? [])
          assert.equal(host_ip, '127.0.0.1', `${name} listens on ${host_ip ?? '*'}`)
        return ports ? [[name, Object.fromEntries(ports.map((port) => [port.target, Number(port.published)]))]] : []
      }),
    )
  const expected = (value: (name: PortName) => number) =>
    Object.fromEntries(
      Object.entries(PUBLISHED).map(([name, ports]) => [
        name,
        Object.fromEntries(Object.entries(ports).map(([target, port]) => [target, value(port)])),
      ]),
    )
  assert.deepEqual(
    published(byHand),
    expected((name) => Number(shipped[name])),
  )
  assert.deepEqual(
    published(services),
    expected((name) => settings.ports[name]),
  )
})

test('every image is pinned to the version that the native boot builds', () => {
  const recipes = parse(readFileSync(resolve(ROOT, 'stack/native/recipes.yaml'), 'utf8')).programs
  const versions: Record<string, string> = {
    collector: recipes.collector.version,
    tempo: recipes.tempo.version,
    prometheus: `v${recipes.prometheus.version}`,
    phoenix: `version-${/^arize-phoenix==(\S+)/m.exec(readFileSync(resolve(ROOT, 'phoenix/requirements.txt'), 'utf8'))?.[1]}`,
    // Jaeger 1 and 2 are released together, 1.76 with 2.13.
    jaeger: recipes.jaeger.version.replace(/^1\.(\d+)\./, (_: string, minor: string) => `2.${Number(minor) - 63}.`),
    'queue-owner': `${packageJson.devDependencies.node}-bookworm-slim`,
  }
  const node = shipped.NODE_IMAGE ?? ''
  for (const [name, { image, build: made }] of entries(byHand)) {
    const [, tag] = /^[\w./-]+:([\w.-]+)(?:@sha256:[0-9a-f]{64})?$/.exec(image ?? made?.args.NODE_IMAGE ?? '') ?? []
    assert.match(tag ?? '', /^(v|version-)?\d+\.\d+\.\d+/, `${name}: ${image} has no version in its tag`)
    if (versions[name]) assert.equal(tag, versions[name], name)
    if (made) assert.deepEqual(made, { context: ROOT, dockerfile: 'sim/Dockerfile', args: { NODE_IMAGE: node } })
    if (made) assert.equal(image, undefined, `${name}: two services must not build one name`)
  }
})

test('every service has limits for memory and logs, gains no privileges, and restarts when it ends', () => {
  let bytes = 0
  for (const [name, it] of entries(services)) {
    assert.ok(Number(it.mem_limit) > 0, `${name} has no memory limit`)
    bytes += Number(it.mem_limit)
    assert.deepEqual(it.logging, { driver: 'json-file', options: { 'max-size': '5m', 'max-file': '2' } }, name)
    assert.deepEqual(it.security_opt, ['no-new-privileges:true', 'label=disable'], name)
    assert.ok(!it.privileged && it.network_mode !== 'host', name)
    // The collector gets SIGHUP, and after that unless-stopped does not restart it any more. queue-owner ends by itself.
    const restart = { collector: 'always', 'queue-owner': 'no' }[name] ?? 'unless-stopped'
    assert.equal(it.restart, restart, name)
  }
  assert.equal(service('collector').stop_signal, 'SIGTERM')
  for (const name of ['collector', 'sim', 'mock-vllm']) assert.deepEqual(service(name).cap_drop, ['ALL'], name)
  assert.equal(service('collector').read_only, true)
  // Limits are the worst case: traces of 64 MiB in the collector and in Tempo at once. In ordinary use, all take about 1.3 GB.
  assert.ok(bytes < 6.5 * 2 ** 30, `${bytes / 2 ** 30} GiB together`)
})

test('a lasting service depends on each container that ends by itself, because up --wait would call its end a failure', () => {
  const oneShot = entries(services).filter(([, { restart }]) => restart === 'no')
  for (const [name] of oneShot) {
    const waits = entries(services).filter(([, { depends_on }]) => depends_on?.[name])
    assert.ok(waits.length > 0, `no service depends on ${name}`)
    for (const [, { depends_on }] of waits)
      assert.equal(depends_on?.[name]?.condition, 'service_completed_successfully')
  }
})

test('files mounted from the repository are in git and read-only; data is in named volumes', async () => {
  const written = [resolve(settings.state, 'policies'), dashboards(settings)]
  for (const [name, { volumes }] of entries(services)) {
    for (const { type, source, read_only } of volumes ?? []) {
      if (type === 'volume') continue
      assert.equal(type, 'bind')
      assert.ok(read_only, `${name} may write to ${source}`)
      if (written.includes(source)) continue
      const { stdout } = await execa('git', ['ls-files', '--', source], { cwd: ROOT })
      assert.notEqual(stdout, '', `${name} mounts ${source}, which is not in git`)
    }
  }
})

test('there is no default password', () => {
  for (const [name, { environment }] of entries(byHand)) {
    for (const [key, value] of Object.entries(environment ?? {}))
      if (/PASSWORD|PASSWD|SECRET|CREDENTIAL|API_KEY|_TOKEN$/.test(key)) assert.equal(value, null, `${name}: ${key}`)
  }
})

test('both boots load the same files, with the same arguments', () => {
  const command = (name: string) => fromHere(name, service(name).command ?? [])
  const value = (name: string, key: string) => fromHere(name, [given(name)[key] ?? ''])[0]

  assert.deepEqual(command('collector'), nativeOf(settings, 'collector').args)
  for (const key of ['COLLECTOR_DIR', 'POLICY_FILE', 'SLOW_CALL', 'GOMEMLIMIT'])
    assert.equal(value('collector', key), nativeOf(settings, 'collector').env[key], key)
  assert.equal(value('collector', 'POLICY_FILE'), activePolicy(settings))
  assert.equal(value('collector', 'SLOW_CALL'), '200ms', '2 s of a world ten times as fast')

  assert.deepEqual(command('tempo'), nativeOf(settings, 'tempo').args)

  const flags = (args: readonly string[]) =>
    args.filter((arg) => !/^--(config\.file|storage\.tsdb\.path|web\.listen-address)=/.test(arg))
  assert.deepEqual(flags(command('prometheus')), flags(nativeOf(settings, 'prometheus').args))
  const file = (args: readonly string[]) =>
    readFileSync(args.find((arg) => arg.startsWith('--config.file='))?.slice(14) ?? '', 'utf8')
  assert.equal(file(command('prometheus')), file(nativeOf(settings, 'prometheus').args))

  const { args, env } = nativeOf(settings, 'grafana')
  assert.equal(value('grafana', 'GF_PATHS_CONFIG'), args[args.indexOf('--config') + 1])
  for (const key of ['GF_PATHS_PROVISIONING', 'DASHBOARDS_DIR', 'GOMEMLIMIT'])
    assert.equal(value('grafana', key), env[key], key)

  const shipped = parseEnv(readFileSync(resolve(ROOT, 'phoenix/phoenix.env'), 'utf8'))
  for (const [key, setting] of Object.entries(shipped)) {
    assert.equal(given('phoenix')[key], setting)
    assert.equal(nativeOf(settings, 'phoenix').env[key], setting)
  }

  for (const name of ['mock-vllm', 'sim'])
    assert.deepEqual(service(name).command, [relative(ROOT, nativeOf(settings, name).args.at(-1) ?? '')])
})

test('both boots load the same files in the same order, for every combination of backends', async () => {
  const ids = BACKENDS.map(({ id }) => id)
  const subsets = Array.from({ length: 2 ** ids.length - 1 }, (_, bits) =>
    BACKENDS.filter((__, at) => (bits + 1) & (1 << at)),
  )
    .filter((chosen) => lacking(chosen) === undefined)
    .map((chosen) => chosen.map(({ id }) => id))
  const cert = resolve(folder, 'cert.pem')
  writeFileSync(cert, '')
  const overlays = { OTLP_TOKEN: 'a-token-of-sixteen', OTLP_TLS_CERT: cert, OTLP_TLS_KEY: cert }
  const waiting: Record<string, string>[] = [
    ...subsets.map((chosen) => ({ BACKENDS: chosen.join() })),
    { BACKENDS: ids.toReversed().join() },
    { BACKENDS: ids.join(), VOLUME: 'high', ...overlays },
    { BACKENDS: ids.join(), RECORD: 'yes', ...overlays },
  ]
  const compare = async () => {
    for (let env = waiting.pop(); env; env = waiting.pop()) {
      const chosen = withEnv({ ...ELSEWHERE, ...env })
      const { collector, ...others } = await compose(composeEnvironment(chosen))
      const native = nativeOf(chosen)
      const wanted = env.BACKENDS?.split(',') ?? []
      assert.deepEqual(collector?.command, native.args.map(inContainer), JSON.stringify(env))
      for (const backend of BACKENDS) {
        const { id, server, relay, environment } = backend
        const isWanted = wanted.includes(id)
        assert.equal(collector?.command?.includes(`/${collectorFile(backend)}`), isWanted, `${id} of ${env.BACKENDS}`)
        assert.equal(id in others, isWanted && (server ?? relay) !== undefined, `${id} of ${env.BACKENDS}`)
        if (!isWanted || server || relay) continue
        // compose config prints each $ twice.
        for (const [name, value] of Object.entries(environment(chosen))) {
          assert.equal(collector?.environment?.[name]?.replaceAll('$$', '$'), value, name)
          assert.equal(native.env[name], value, name)
        }
      }
    }
  }
  await Promise.all([compare(), compare(), compare()])
})

test('both boots scrape the same jobs, and in Docker each target is an existing service and port', () => {
  writePrometheusFiles(settings)
  const jobs = readdirSync(resolve(ROOT, 'grafana/targets'))
  assert.deepEqual(readdirSync(resolve(settings.state, 'prometheus/targets')), jobs)
  for (const job of jobs) {
    const [{ targets }] = parse(readFileSync(resolve(ROOT, 'grafana/targets', job), 'utf8'))
    const [copy] = parse(readFileSync(resolve(settings.state, 'prometheus/targets', job), 'utf8'))
    const [host, port] = targets[0].split(':')
    const published = service(host).ports?.find(({ target }) => target === Number(port))?.published
    assert.deepEqual(copy.targets, [`127.0.0.1:${published}`], job)
  }
})

test('neither boot scrapes a backend that the stack does not have', async () => {
  const few = withEnv({ BACKENDS: 'phoenix' })
  writePrometheusFiles(few)
  const scraped = readdirSync(resolve(settings.state, 'prometheus/targets'))
  const { prometheus } = await compose(composeEnvironment(few))
  for (const job of readdirSync(resolve(ROOT, 'grafana/targets'))) {
    const read = prometheus?.volumes?.find(({ target }) => target === `/grafana/targets/${job}`)?.source
    const targets = parse(readFileSync(read ?? resolve(ROOT, 'grafana/targets', job), 'utf8'))
    assert.equal(targets.length, scraped.includes(job) ? 1 : 0, job)
  }
  assert.ok(!scraped.includes('tempo.yaml'))
})

test('START_LIMIT is how long a container may take to start', async () => {
  const slow = withEnv({ START_LIMIT: '900' })
  const checks = Object.values(await compose(composeEnvironment(slow))).flatMap(({ healthcheck }) => healthcheck ?? [])
  assert.ok(checks.length >= SERVED.length)
  for (const { start_period } of checks) assert.equal(start_period, '15m0s')
})

test('the collector gets every variable without a default in its configuration, and no variable that it does not read', async () => {
  const files = readdirSync(resolve(ROOT, 'collector'), { recursive: true, encoding: 'utf8' })
  const text = files
    .filter((file) => /^(config|overlays\/token|backends\/.*|privacy\/.*|policies\/.*)\.yaml$/.test(file))
    .map((file) => readFileSync(resolve(ROOT, 'collector', file), 'utf8'))
    .join('\n')
  const read = [...text.matchAll(/\$\{env:(\w+)(:-)?/g)]
  const all = { ...EVERYWHERE, OTLP_TOKEN: 'a-token-of-sixteen' }
  const { collector } = await compose(composeEnvironment(withEnv(all)))
  const told = collector?.environment ?? {}
  for (const [, name = '', fallback] of read) assert.ok(fallback || told[name], `${name} is missing`)
  for (const name of Object.keys(told))
    assert.ok(
      ['GOGC', 'GOMEMLIMIT'].includes(name) || read.some(([, known]) => known === name),
      `nothing reads ${name}`,
    )
})

test('TIERS=2x3 makes five services of the collector, with the files of the native boot, and leaves the other services', async () => {
  const [cert, key] = [resolve(settings.state, 'tiers-cert.pem'), resolve(settings.state, 'tiers-key.pem')]
  for (const file of [cert, key]) writeFileSync(file, '')
  const overlays = { OTLP_TOKEN: 'a-token-of-sixteen', OTLP_TLS_CERT: cert, OTLP_TLS_KEY: key, ...EVERYWHERE }
  const plain = await compose(composeEnvironment(withEnv(overlays)))
  const tiered = withEnv({ ...overlays, TIERS: '2x3' })
  const found = await compose(composeEnvironment(tiered))
  const all = collectors(tiered)
  const names = (tier: Tier) => all.filter((one) => one.tier === tier).map(({ name }) => name)
  const { collector: base = assert.fail(), prometheus, sim, ...others } = plain
  assert.deepEqual(
    Object.keys(found).sort(),
    [...Object.keys(others), 'prometheus', 'sim', ...all.map(({ name }) => name)].sort(),
  )
  for (const [name, service] of entries(others)) assert.deepEqual(found[name], service, name)
  const { collector: one, ...waits } = found.sim?.depends_on ?? {}
  assert.equal(one?.required, false, 'it is not there')
  const expected = [...Object.keys(sim?.depends_on ?? {}).filter((name) => name !== 'collector'), ...names('gateway')]
  assert.deepEqual(Object.keys(waits).sort(), expected.sort())

  for (const { name, tier, settings: own } of all) {
    const {
      command,
      environment = {},
      ports,
      networks,
      depends_on,
      volumes,
      ...rest
    } = found[name] ?? assert.fail(name)
    const isGateway = tier === 'gateway'
    assert.deepEqual(command, nativeOf(tiered, name).args.map(inContainer), name)
    assert.deepEqual(networks, { default: { aliases: [isGateway ? 'collector' : 'sampler'] } }, name)
    const { COLLECTOR_NAME, QUEUE_DIR, SAMPLERS, OTLP_TLS_CERT, OTLP_TLS_KEY, ...told } = environment
    const { QUEUE_DIR: __, OTLP_TLS_CERT: ___, OTLP_TLS_KEY: ____, ...same } = base.environment ?? {}
    const keys = BACKENDS.flatMap((backend) => Object.keys(backend.environment(tiered)))
    const read = Object.entries(same).filter(([variable]) => !(isGateway && keys.includes(variable)))
    assert.deepEqual(told, Object.fromEntries(read), `${name} has the keys of backends if it sends to them`)
    assert.deepEqual([COLLECTOR_NAME, QUEUE_DIR], [name, `/queue/${name}`])
    assert.deepEqual(
      [OTLP_TLS_CERT, OTLP_TLS_KEY],
      isGateway ? ['/tls/cert.pem', '/tls/key.pem'] : [undefined, undefined],
    )
    assert.deepEqual(SAMPLERS && JSON.parse(SAMPLERS).dns.hostname, isGateway ? 'sampler' : undefined, name)
    const mounts = (base.volumes ?? []).filter(({ target }) => isGateway || !target.startsWith('/tls/'))
    assert.deepEqual(volumes, mounts, name)
    // Nothing outside reaches where a sampler receives, because it does not mask.
    const open = Object.entries(PUBLISHED.collector ?? {}).filter(([, port]) => isGateway || !port.startsWith('OTLP_'))
    assert.deepEqual(
      ports?.map(({ host_ip, target, published }) => [host_ip, target, Number(published)]).sort(),
      open.map(([target, port]) => ['127.0.0.1', Number(target), own.ports[port]]).sort(),
      name,
    )
    const started = isGateway ? names('sampler') : []
    assert.deepEqual(Object.keys(depends_on ?? {}).sort(), [...Object.keys(base.depends_on ?? {}), ...started].sort())
    const { command: _c, environment: _e, ports: _p, networks: _n, depends_on: _d, volumes: _v, ...kept } = base
    assert.deepEqual(rest, kept, name)
  }

  for (const job of readdirSync(resolve(ROOT, 'grafana/targets'))) {
    const shown = found.prometheus?.volumes?.find(({ target }) => target === `/grafana/targets/${job}`)?.source
    const [{ targets }] = parse(readFileSync(resolve(ROOT, 'grafana/targets', job), 'utf8'))
    const [host, port] = targets[0].split(':')
    if (host !== 'collector') continue
    const asked: { targets: string[]; labels?: Record<string, string> }[] = parse(readFileSync(shown ?? '', 'utf8'))
    assert.deepEqual(
      asked.map((one) => one.targets),
      all.map(({ name }) => [`${name}:${port}`]),
    )
    const labels =
      job === 'collector.yaml' ? all.map(({ name }) => ({ [COLLECTOR.NAME]: name })) : all.map(() => undefined)
    assert.deepEqual(
      asked.map((one) => one.labels),
      labels,
      job,
    )
  }
  assert.equal(found.prometheus?.volumes?.length, (prometheus?.volumes?.length ?? 0) + 3)
})

test('what a user changes of the collector in docker-compose.override.yml reaches every gateway and sampler', async () => {
  const file = resolve(ROOT, 'docker-compose.override.yml')
  assert.ok(!existsSync(file), `move ${file} away for this test`)
  const tiered = withEnv({ TIERS: '1x2' })
  const own = {
    services: { collector: { mem_limit: '3g', environment: { GOMEMLIMIT: '2GiB' } }, sim: { mem_limit: '1g' } },
  }
  // A tag of Compose: it takes the list that stands there away.
  writeFileSync(file, stringify(own).replace('    mem_limit: 3g\n', '    mem_limit: 3g\n    extra_hosts: !reset []\n'))
  try {
    const found = await compose(composeEnvironment(tiered))
    for (const { name } of collectors(tiered)) {
      const { mem_limit, environment, extra_hosts } = found[name] ?? assert.fail(name)
      assert.deepEqual([mem_limit, environment?.GOMEMLIMIT, extra_hosts], ['3221225472', '2GiB', undefined], name)
      assert.equal(environment?.COLLECTOR_NAME, name)
    }
    assert.equal(found.sim?.mem_limit, '1073741824')
    assert.equal(found.collector, undefined)
    rmSync(file)
    const without = await compose(composeEnvironment(tiered))
    assert.notEqual(without['sampler-1']?.mem_limit, '3221225472', 'the changes of before are not kept')
  } finally {
    rmSync(file, { force: true })
  }
})

test('in containers and in a cluster, gateways find samplers in the same way', () => {
  const [, deployment] = parseAllDocuments(readFileSync(resolve(ROOT, 'deploy/kubernetes/gateway.yaml'), 'utf8'))
  const told: { name: string; value?: string }[] = deployment?.toJS().spec.template.spec.containers[0].env
  assert.deepEqual(JSON.parse(told.find(({ name }) => name === 'SAMPLERS')?.value ?? ''), JSON.parse(SAMPLERS_BY_NAME))
})

test('RECORD=yes makes both boots write what the sampler sees to a file, and changes nothing else', async () => {
  const recording = withEnv({ RECORD: 'yes' })
  const { collector, ...others } = await compose(composeEnvironment(recording))
  const native = nativeOf(recording)
  const binds = (collector?.volumes ?? []).filter(({ type }) => type === 'bind')
  const here = (word: string) =>
    binds.reduce((text, { source, target }) => text.replace(new RegExp(`^${target}(?=/|$)`), source), word)
  assert.deepEqual(collector?.command?.map(here), native.args)
  assert.ok(native.args.includes(resolve(ROOT, 'collector/overlays/record.yaml')))
  assert.equal(here(collector?.environment?.RECORDING_FILE ?? ''), native.env.RECORDING_FILE)
  assert.equal(native.env.RECORDING_FILE, resolve(settings.state, 'recordings/live.jsonl'))
  assert.deepEqual(
    binds.filter(({ read_only }) => !read_only).map(({ source }) => source),
    [resolve(settings.state, 'recordings')],
    'only there it may write',
  )
  const user = `${process.getuid?.()}:${process.getgid?.()}`
  assert.equal(collector?.user, user, 'the user who started it can read the files')
  assert.deepEqual(others['queue-owner']?.entrypoint, [
    'sh',
    '-c',
    `chown -R ${user} /queue && chown -R 10001:10001 /badger`,
  ])
  const { collector: _, 'queue-owner': __, ...rest } = services
  const { 'queue-owner': ___, ...same } = others
  assert.deepEqual(same, rest)
})

test('without RECORD no overlay is loaded for it, and a value other than yes and no is refused', async () => {
  for (const RECORD of ['', 'no']) {
    const plain = withEnv({ RECORD })
    assert.deepEqual(await compose(composeEnvironment(plain)), services)
    const { args } = nativeOf(plain)
    assert.ok(args.every((word) => !word.includes('record.yaml')))
  }
  const odd = withEnv({ RECORD: 'perhaps' })
  assert.throws(() => composeEnvironment(odd), /RECORD must be "no" or "yes", not "perhaps"\. make up RECORD=yes/)
})

test('a model server of the user replaces the mock, and can be on this machine', async () => {
  const address = 'http://host.docker.internal:8001/v1'
  const own = await compose(composeEnvironment(withEnv({ VLLM_BASE_URL: address })))
  assert.deepEqual(new Set(Object.keys(own)), new Set(Object.keys(services).filter((name) => name !== 'mock-vllm')))
  assert.equal(own.sim?.environment?.VLLM_BASE_URL, address)
  assert.deepEqual(own.sim?.extra_hosts, ['host.docker.internal=host-gateway'])
})

test('an empty variable is the same as an unset one', async () => {
  const empty = { VLLM_BASE_URL: '', SEED: '', SLOW_CALL: '', TOKEN_HEAVY: '' }
  const { sim, collector } = await compose(composeEnvironment(withEnv(empty)))
  assert.equal(sim?.environment?.VLLM_BASE_URL, 'http://mock-vllm:8000/v1')
  assert.equal(sim?.environment?.SEED, null)
  assert.equal(collector?.environment?.SLOW_CALL, '200ms')
  assert.equal(collector?.environment?.TOKEN_HEAVY, null)
})

/** A PATH with this script as `docker`; `$1` is the command. */
function fakeDocker(name: string, script: string): Record<string, string> {
  const bin = resolve(folder, name)
  mkdirSync(bin)
  writeFileSync(resolve(bin, 'docker'), `#!/bin/sh\n${script}\n`)
  chmodSync(resolve(bin, 'docker'), 0o755)
  return { ...settings.env, PATH: `${bin}:${settings.env.PATH}` }
}

test('for an engine that cannot be used, the reason says what is missing', async () => {
  const nothing = await dockerEngine({ PATH: folder })
  assert.deepEqual(nothing, { why: 'Docker is not installed' })
  const silent = fakeDocker('silent', 'exit 1')
  assert.deepEqual(await dockerEngine(silent), { why: 'no Docker engine answers' })
  const bare = fakeDocker('bare', 'test "$1" = version && echo 28.2.2')
  assert.deepEqual(await dockerEngine(bare), { why: 'Docker 28.2.2 lacks the plugin Compose 2.20.2 or newer' })
  const old = fakeDocker('old', 'test "$1" = version && echo 20.10.24 || echo v2.17.3')
  assert.deepEqual(await dockerEngine(old), { why: "Docker's plugin Compose 2.17.3 is older than 2.20.2" })
  const good = fakeDocker('good', 'test "$1" = version && echo 28.2.2 || echo 2.40.3')
  assert.deepEqual(await dockerEngine(good), { version: '28.2.2, Compose 2.40.3' })
})

test('wrong settings are refused before anything is started, and the error says what to do instead', async () => {
  // An engine without images and without a registry. Only `config` runs, in the real Compose.
  const record = resolve(folder, 'asked')
  const script = `
    echo "$*" >> ${record}
    case "$1 $2" in
      'compose config') shift; exec ${dockerCompose} "$@" ;;
      'compose pull') exit 18 ;;
      'image inspect') test "$5" != "$TEMPO_IMAGE" ;;
    esac`
  const env = fakeDocker('empty', script)

  const loopback = { ...settings, env: { ...env, VLLM_BASE_URL: 'http://localhost:8001/v1' } }
  await assert.rejects(
    bootDocker(loopback, options),
    /VLLM_BASE_URL=http:\/\/localhost:8001\/v1: .*http:\/\/host\.docker\.internal:8001\/v1.*BOOT=native/s,
  )

  const elsewhere = { BACKENDS: 'otlp', OTLP_BACKEND_ENDPOINT: 'localhost:4318' }
  await assert.rejects(
    bootDocker({ ...settings, env: { ...env, ...elsewhere } }, options),
    /OTLP_BACKEND_ENDPOINT=https:\/\/localhost:4318: .*https:\/\/host\.docker\.internal:4318.*BOOT=native/s,
  )

  const squatter = createServer().listen(settings.ports.PHOENIX_PORT, '127.0.0.1')
  const taken = `port ${settings.ports.PHOENIX_PORT} \\(PHOENIX_PORT, for phoenix\\) is taken by .*pid ${process.pid}.*PHOENIX_PORT=`
  await assert.rejects(bootDocker({ ...settings, env }, options), new RegExp(taken)).finally(() => squatter.close())

  const second = createServer().listen(settings.ports.TIERS_PORT, '127.0.0.1')
  await assert
    .rejects(
      bootDocker({ ...settings, env: { ...env, TIERS: '2x2' } }, options),
      new RegExp(`port ${settings.ports.TIERS_PORT} \\(TIERS_PORT, for gateway-2\\) is taken by .*TIERS_PORT=`),
    )
    .finally(() => second.close())

  await assert.rejects(bootDocker({ ...settings, env }, options), ({ message }: Error) => {
    assert.match(message, /^Not every image could be pulled.*make up BOOT=native$/s)
    assert.ok(message.includes(`Missing: ${settings.env.TEMPO_IMAGE?.replace(/@.*/, '')}. `), message)
    return true
  })
  assert.doesNotMatch(readFileSync(record, 'utf8'), /compose up|^run /m)
})

test('the workbench starts the pinned image with the files and the ports of this machine', async ({ mock }) => {
  mock.method(process as { getuid: () => number }, 'getuid', () => 1234)
  const launcher = await launcherFor({ ...settings, env: fakeDocker('workbench', 'exit 0') }, options, 'docker')
  const scratch = resolve(folder, 'scratch')
  mkdirSync(scratch)
  const overlay = resolve(ROOT, 'workbench/replay.yaml')
  const told = { OTLP_HTTP_PORT: '14318', COLLECTOR_METRICS_PORT: '18888', POLICY_FILE: resolve(scratch, 'list.yaml') }
  const { file, args, env } = launcher.collector(scratch, [overlay], told)
  assert.equal(file, 'docker')
  assert.equal(env.PATH?.split(':')[0], resolve(folder, 'workbench'), 'with the engine that the user chose')

  const image = args.indexOf(settings.env.OTELCOL_IMAGE ?? '')
  const [before, behind] = [args.slice(0, image), args.slice(image + 1)]
  assert.deepEqual(before.slice(0, 2), ['run', '--rm'], 'the container is removed')
  const given = (flag: string) => before.flatMap((word, index) => (word === flag ? [before[index + 1] ?? ''] : []))
  assert.deepEqual(given('--publish'), ['127.0.0.1:14318:14318', '127.0.0.1:18888:18888'])
  assert.deepEqual(given('--security-opt'), ['label=disable'], 'with SELinux, it may read the files of this repository')
  assert.deepEqual(given('--user'), [`1234:${process.getgid?.()}`], 'the results belong to this user')

  const mounts = given('--mount').map((mount) => Object.fromEntries(mount.split(',').map((part) => part.split('='))))
  for (const { type, source, target } of mounts) {
    assert.equal(type, 'bind')
    assert.equal(target, source, 'a path is the same inside and outside')
    assert.ok(existsSync(source), source)
  }
  assert.deepEqual(
    mounts.map((mount) => [mount.source, 'readonly' in mount]),
    [
      [resolve(ROOT, 'collector'), true],
      [scratch, false],
      [overlay, true],
    ],
  )
  const environment = Object.fromEntries(given('--env').map((pair) => pair.split(/=(.*)/s)))
  const collector = service('collector').environment ?? {}
  for (const [name, value] of Object.entries({ ...told, OTLP_ADDRESS: '0.0.0.0', METRICS_ADDRESS: '0.0.0.0' }))
    assert.equal(environment[name], value, name)
  assert.equal(environment.SLOW_CALL, collector.SLOW_CALL)
  const paths = [...behind.filter((word) => word.startsWith('/')), environment.COLLECTOR_DIR, environment.POLICY_FILE]
  assert.ok(paths.length >= 4)
  for (const path of paths)
    assert.ok(
      mounts.some(({ source }) => `${path}/`.startsWith(`${source}/`)),
      path,
    )

  const natively = await launcherFor(settings, options, 'native')
  assert.deepEqual(behind, natively.collector(scratch, [overlay], told).args)
})

test('a rootless engine runs the workbench as its root, which is the user on this machine', async ({ mock }) => {
  mock.method(process as { getuid: () => number }, 'getuid', () => 1234)
  const rootless = fakeDocker('rootless', 'test "$1" != info || echo "[name=seccomp,profile=builtin name=rootless]"')
  const launcher = await launcherFor({ ...settings, env: rootless }, options, 'docker')
  const { args } = launcher.collector(folder, [], {})
  assert.equal(args[args.indexOf('--user') + 1], '0:0')
})

test('without its image, the workbench pulls it before the first start, or says what to do instead', async () => {
  const asked = resolve(folder, 'asked-of-workbench')
  const missing = (name: string, pull: number) =>
    fakeDocker(name, `echo "$1 $2" >> ${asked}; case "$1" in image) exit 1 ;; pull) exit ${pull} ;; esac`)
  await launcherFor({ ...settings, env: missing('pulls', 0) }, options, 'docker')
  assert.match(readFileSync(asked, 'utf8'), new RegExp(`^pull ${settings.env.OTELCOL_IMAGE}$`, 'm'))
  await assert.rejects(
    launcherFor({ ...settings, env: missing('pulls-not', 1) }, options, 'docker'),
    /^Error: otel\/opentelemetry-collector-contrib:[\d.]+ could not be pulled; .*: BOOT=native$/,
  )
})

for (const collector of ['collector', 'sampler-2'])
  test(`a reload sends SIGHUP to ${collector}, and notices whether it still runs`, () => reloads(collector))

async function reloads(collector: string): Promise<void> {
  const [asked, restarts] = [resolve(folder, `asked-of-${collector}`), resolve(folder, `restarts-of-${collector}`)]
  const inspected = (count: string) =>
    JSON.stringify([
      {
        Id: 'c1',
        Config: { Labels: { 'com.docker.compose.service': collector } },
        State: { Status: 'running', ExitCode: 0 },
        RestartCount: count,
      },
    ]).replace(`"${count}"`, count)
  const script = `
    echo "$*" >> ${asked}
    case "$1 $2" in
      'compose config') shift; exec ${dockerCompose} "$@" ;;
      'compose logs') echo 'what it said last' ;;
      'ps --all') echo c1 ;;
      'container inspect') cat ${restarts} ;;
    esac`
  writeFileSync(restarts, inspected('3'))
  const lastWords = await reloadDocker({ ...settings, env: fakeDocker(`reloads-${collector}`, script) }, collector)
  assert.match(readFileSync(asked, 'utf8'), new RegExp(`^compose kill --signal SIGHUP ${collector}$`, 'm'))
  assert.equal(await lastWords(), undefined)
  writeFileSync(restarts, inspected('4'))
  assert.equal(await lastWords(), 'what it said last')
}

test('VOLUME=high loads the same overlay in both boots, and changes nothing else', async () => {
  const high = withEnv({ VOLUME: 'high' })
  const { collector, ...others } = await compose(composeEnvironment(high))
  const native = nativeOf(high)
  assert.deepEqual(collector?.command, native.args.map(inContainer))
  assert.ok(native.args.includes(resolve(ROOT, 'collector/overlays/high-volume.yaml')))
  const { collector: plain, ...rest } = services
  assert.deepEqual({ ...collector, command: plain?.command }, plain)
  assert.deepEqual(others, rest)
})

test('VOLUME must be one of two words, and cannot be used with a recording, which would not be masked', () => {
  const asked = (env: Record<string, string>) => () => composeEnvironment(withEnv(env))
  assert.throws(asked({ VOLUME: 'loud' }), /VOLUME must be "ordinary" or "high", not "loud"/)
  assert.throws(asked({ VOLUME: 'high', RECORD: 'yes' }), /RECORD=yes .* would not be masked\. Leave out one/)
  assert.equal(asked({ VOLUME: 'ordinary' })().COMPOSE_FILE, undefined)
})

test('in both boots, the collector requires OTLP_TOKEN and the agents send it', async () => {
  const guarded = withEnv({ OTLP_TOKEN: 'a-token-of-sixteen' })
  const { collector, sim, 'mock-vllm': model } = await compose(composeEnvironment(guarded))
  assert.ok(collector?.command?.includes('/collector/overlays/token.yaml'))
  assert.ok(nativeOf(guarded).args.includes(resolve(ROOT, 'collector/overlays/token.yaml')))
  for (const env of [collector?.environment, nativeOf(guarded).env]) assert.equal(env?.OTLP_TOKEN, 'a-token-of-sixteen')
  for (const env of [
    sim?.environment,
    model?.environment,
    nativeOf(guarded, 'sim').env,
    nativeOf(guarded, 'mock-vllm').env,
  ])
    assert.equal(env?.OTEL_EXPORTER_OTLP_HEADERS, 'authorization=Bearer%20a-token-of-sixteen')
})

test('with TLS, the files are where the collector and the agents read them, and every address is https', async () => {
  const [cert, key] = [resolve(settings.state, 'cert.pem'), resolve(settings.state, 'key.pem')]
  for (const file of [cert, key]) writeFileSync(file, '')
  const secured = withEnv({ OTLP_TLS_CERT: cert, OTLP_TLS_KEY: key })
  const { collector, sim, 'mock-vllm': model } = await compose(composeEnvironment(secured))
  assert.ok(collector?.command?.includes('/collector/overlays/tls.yaml'))
  const binds = (service: typeof sim) =>
    (service?.volumes ?? []).map(({ source, target }) => `${source} ${target}`).filter((one) => one.includes('/tls/'))
  assert.deepEqual(binds(collector), [`${cert} /tls/cert.pem`, `${key} /tls/key.pem`])
  for (const service of [sim, model]) {
    assert.deepEqual(binds(service), [`${cert} /tls/cert.pem`], 'only the collector gets the key')
    assert.equal(service?.environment?.OTEL_EXPORTER_OTLP_ENDPOINT, 'https://collector:4318')
    assert.equal(service?.environment?.OTEL_EXPORTER_OTLP_CERTIFICATE, '/tls/cert.pem')
  }
})

test('a short token, and a certificate without its key, are refused', () => {
  const asked = (env: Record<string, string>) => () => composeEnvironment(withEnv(env))
  assert.throws(asked({ OTLP_TOKEN: 'short' }), /OTLP_TOKEN is not valid: it must have 16 characters or more/)
  assert.throws(asked({ OTLP_TOKEN: 'has a space in the middle' }), /OTLP_TOKEN is not valid/)
  assert.throws(asked({ OTLP_TLS_CERT: 'cert.pem' }), /OTLP_TLS_CERT is set, but OTLP_TLS_KEY is not/)
  assert.throws(asked({ OTLP_TLS_CERT: 'no.pem', OTLP_TLS_KEY: 'no.pem' }), /OTLP_TLS_CERT=no\.pem cannot be read/)
})
