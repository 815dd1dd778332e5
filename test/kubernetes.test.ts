import assert from 'node:assert/strict'
import { globSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { before, test } from 'node:test'
import { Ajv } from 'ajv'
import { execa } from 'execa'
import { parse, parseAllDocuments } from 'yaml'
import { servicesIn } from '../stack/compose-tiers.ts'
import { build, type Programs, readRecipes } from '../stack/native.ts'
import { ownFolder } from '../stack/own-folder.ts'
import { eventually, ownSettings, quiet } from '../stack/own-stack.ts'
import { freePorts } from '../stack/ports.ts'
import { collectorEnvironment } from '../stack/services.ts'
import { COLLECTOR_PORTS, ROOT, type Settings } from '../stack/settings.ts'
import { backendThatTakesAll, sendFailedCall } from './one-trace.ts'

/** The release whose schemas the manifests are held to, and its digest in Go's checksum database. */
const KUBERNETES = { version: 'v1.34.1', sum: 'h1:F3p8dtpv+i8zQoebZeK5zBqM1g9x1aIdnA5vthvcuUk=' }
const MIB = 1024 ** 2

type Env = {
  name: string
  value?: string
  valueFrom?: {
    configMapKeyRef?: { name: string; key: string }
    secretKeyRef?: { name: string; key: string }
    fieldRef?: { fieldPath: string }
  }
}
type Container = {
  name: string
  image: string
  args: string[]
  env: Env[]
  ports: { name: string; containerPort: number }[]
  volumeMounts: { name: string; mountPath: string }[]
  securityContext: Record<string, unknown>
  resources: { requests: Record<string, string>; limits: Record<string, string> }
  [probe: `${string}Probe`]: { httpGet: { port: string } }
}
type Pod = {
  containers: [Container]
  volumes: { name: string; configMap?: { name: string } }[]
  securityContext: Record<string, unknown>
  automountServiceAccountToken: boolean
}
type Manifest = {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string; labels?: Record<string, string> }
  data?: Record<string, string>
  // biome-ignore lint/suspicious/noExplicitAny: the schemas of Kubernetes say what is in it, and a test holds it to them.
  spec?: any
}

let settings: Settings
const folder = ownFolder()
let programs: Programs
let manifests: readonly Manifest[]

const ofKind = (kind: string) => manifests.filter((manifest) => manifest.kind === kind)
const named = (kind: string, name: string) =>
  ofKind(kind).find(({ metadata }) => metadata.name === name) ?? assert.fail(`there is no ${kind} ${name}`)
const TIERS = { gateway: 'Deployment', sampler: 'StatefulSet' } as const
/** What is filled in, with the digest in the name of its config map. */
const addresses = () => ofKind('ConfigMap').find(({ metadata }) => metadata.name.startsWith('addresses'))?.data ?? {}
const podOf = (tier: keyof typeof TIERS): Pod => named(TIERS[tier], tier).spec.template.spec
const tiers = Object.keys(TIERS) as (keyof typeof TIERS)[]

before(async () => {
  settings = await ownSettings()
  const recipes = readRecipes('stack/native/kustomize/recipe.yaml')
  const kustomize = (await build(settings, ['kustomize'], quiet, recipes))('kustomize')
  programs = await build(settings, ['collector-tiers', 'prometheus'], quiet)
  const { stdout } = await execa(kustomize, ['build', 'deploy/kubernetes'], { cwd: ROOT })
  manifests = parseAllDocuments(stdout).map((document) => document.toJS())
})

type Schema = { properties?: object; [key: string]: unknown }
type Kind = { group: string; version: string; kind: string }

/** The schemas of every kind, from the OpenAPI file of that release; a key that they do not name is refused. */
async function schemas() {
  const asked = ['mod', 'download', '-json', `k8s.io/kubernetes@${KUBERNETES.version}`]
  const { stdout } = await execa('go', asked, { cwd: folder, env: { ...settings.env, GOFLAGS: '', GOWORK: 'off' } })
  const { Dir, Sum } = JSON.parse(stdout) as { Dir: string; Sum: string }
  assert.equal(Sum, KUBERNETES.sum)
  const { definitions } = JSON.parse(readFileSync(join(Dir, 'api/openapi-spec/swagger.json'), 'utf8')) as {
    definitions: Record<string, Schema>
  }
  for (const [name, schema] of Object.entries(definitions)) {
    if (schema.properties) schema.additionalProperties = false
    // OpenAPI 2 cannot say that a number may be written with or without quotes.
    if (/\.(?:IntOrString|Quantity)$/.test(name)) schema.type = ['string', 'number']
  }
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true }).addSchema({
    $id: 'kubernetes',
    definitions,
  })
  const kinds = new Map<string, string>(
    Object.entries(definitions).flatMap(([name, schema]) =>
      ((schema['x-kubernetes-group-version-kind'] ?? []) as Kind[]).map(
        ({ group, version, kind }) => [`${group ? `${group}/` : ''}${version} ${kind}`, name] as const,
      ),
    ),
  )
  return (manifest: Manifest): readonly string[] => {
    const kind = `${manifest.apiVersion} ${manifest.kind}`
    const name = kinds.get(kind)
    if (!name) return [`Kubernetes ${KUBERNETES.version} has no ${kind}`]
    const validate = ajv.getSchema(`kubernetes#/definitions/${name}`) ?? assert.fail(name)
    validate(manifest)
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) =>
        `${kind} ${manifest.metadata.name}${instancePath} ${message} ${JSON.stringify(params)}`,
    )
  }
}

test('every manifest is valid by the schemas of Kubernetes, and a misspelt key or a wrong type is not', async () => {
  const defects = await schemas()
  assert.deepEqual(
    manifests.map(({ kind, metadata }) => `${kind} ${metadata.name.replace(/-[a-z0-9]{10}$/, '')}`).sort(),
    [
      ...['backends', 'config', 'dialects', 'labels', 'limits', 'overlays', 'policies', 'privacy'].map(
        (name) => `ConfigMap collector-${name}`,
      ),
      ...['addresses', 'grafana-boards', 'prometheus-price-catalogue', 'prometheus-rules', 'prometheus-scrape'].map(
        (name) => `ConfigMap ${name}`,
      ),
      ...['Deployment gateway', 'HorizontalPodAutoscaler gateway', 'Namespace thousand-token-wood'],
      ...[
        'NetworkPolicy gateway',
        'NetworkPolicy sampler',
        'PodDisruptionBudget gateway',
        'PodDisruptionBudget sampler',
      ],
      ...['Service gateway', 'Service sampler', 'StatefulSet sampler'],
    ].sort(),
  )
  assert.deepEqual(manifests.flatMap(defects), [])

  const gateway = named('Deployment', 'gateway')
  const misspelt = { ...gateway, spec: { ...gateway.spec, replicaas: 2 } }
  assert.match(defects(misspelt).join(), /Deployment gateway\/spec must NOT have additional properties.*replicaas/)
  const wrong = { ...gateway, spec: { ...gateway.spec, minReadySeconds: 'ten' } }
  assert.match(defects(wrong).join(), /minReadySeconds must be integer/)
})

test('the config maps have every file that a Collector loads, byte for byte, and no other; none is too large', () => {
  const loaded = tiers.flatMap((tier) => podOf(tier).containers[0].args).join(' ')
  const expected = globSync('collector/{config.yaml,*/*.yaml}', { cwd: ROOT })
    .filter((path) => !path.startsWith('collector/distribution'))
    // Of these a Collector loads those that its command names.
    .filter((path) => !/\/(?:backends|overlays)\//.test(path) || loaded.includes(`/${path} `))
  const given = ofKind('ConfigMap').flatMap(({ metadata, data = {} }) => {
    const [, part = ''] = /^collector-([a-z]+)/.exec(metadata.name) ?? []
    return part
      ? Object.entries(data).map(([key, text]) => [part === 'config' ? key : `${part}/${key}`, text] as const)
      : []
  })
  assert.deepEqual(given.map(([path]) => `collector/${path}`).sort(), expected.sort())
  for (const [path, text] of given) assert.equal(text, readFileSync(resolve(ROOT, 'collector', path), 'utf8'), path)
  for (const { metadata, data } of ofKind('ConfigMap'))
    assert.ok(
      JSON.stringify(data).length < 1.4 * MIB && Buffer.byteLength(Object.values(data ?? {}).join('')) < MIB,
      metadata.name,
    )
})

test('Grafana and Prometheus get every board and rule, and the jobs that find the pods by their labels and ports', async () => {
  const files = (name: string) => Object.keys(named('ConfigMap', name).data ?? {}).sort()
  assert.deepEqual(files('grafana-boards'), readdirSync(resolve(ROOT, 'grafana/dashboards')).sort())
  assert.deepEqual(
    [...files('prometheus-rules'), ...files('prometheus-price-catalogue')].sort(),
    readdirSync(resolve(ROOT, 'grafana/rules'))
      .filter((name) => name.endsWith('.yaml'))
      .sort(),
  )
  const where = ['grafana-boards', 'prometheus-rules', 'prometheus-price-catalogue', 'prometheus-scrape'].map(
    (name) => named('ConfigMap', name).metadata.namespace,
  )
  assert.deepEqual(new Set(where), new Set([addresses().PROMETHEUS_NAMESPACE]))
  const text = named('ConfigMap', 'prometheus-scrape').data?.['kubernetes.yml'] ?? ''
  type Job = { job_name: string; relabel_configs: { regex?: string }[] }
  const { scrape_configs: jobs } = parse(text, { merge: true }) as { scrape_configs: Job[] }
  for (const tier of tiers) {
    const { template } = named(TIERS[tier], tier).spec
    const part = template.metadata.labels['app.kubernetes.io/part-of']
    for (const { job_name, relabel_configs } of jobs) {
      const ports = podOf(tier).containers[0].ports.map(({ name }) => `${part};${name}`)
      assert.ok(ports.includes(relabel_configs[0]?.regex ?? ''), job_name)
    }
  }
  // The Prometheus that is built here cannot ask Kubernetes, so it checks all but that.
  const checked = join(folder, 'prometheus.yaml')
  const elsewhere = text.replaceAll(/kubernetes_sd_configs:\n\s+- role: pod/g, 'static_configs: []')
  assert.notEqual(elsewhere, text)
  writeFileSync(checked, elsewhere)
  await execa(programs('promtool'), ['check', 'config', '--syntax-only', checked])
})

test('what is also written elsewhere is the same there: the image, the gates, the memory', () => {
  const { collector } = servicesIn()
  const native = collectorEnvironment(settings)
  for (const tier of tiers) {
    const [container] = podOf(tier).containers
    assert.equal(container.image, settings.env.OTELCOL_IMAGE)
    assert.ok(container.args.includes(`--feature-gates=${settings.env.COLLECTOR_FEATURE_GATES}`))
    const { memory } = container.resources.limits
    assert.equal(memory?.replace('Mi', 'm'), collector?.mem_limit)
    assert.equal(container.resources.requests.memory, memory)
    for (const name of ['GOGC', 'GOMEMLIMIT'])
      assert.equal(container.env.find((one) => one.name === name)?.value, native[name])
  }
})

test('no pod runs as root, writes to its image, has rights that it does not need, or a secret in its manifest', () => {
  for (const tier of tiers) {
    const { securityContext, automountServiceAccountToken, containers } = podOf(tier)
    assert.equal(securityContext.runAsNonRoot, true)
    assert.deepEqual(securityContext.seccompProfile, { type: 'RuntimeDefault' })
    assert.equal(automountServiceAccountToken, false)
    assert.deepEqual(containers[0].securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    const token = containers[0].env.find(({ name }) => name === 'OTLP_TOKEN')
    assert.deepEqual(token?.valueFrom, { secretKeyRef: { name: 'otlp-token', key: 'token' } })
  }
  assert.deepEqual(ofKind('Secret'), [])
})

test('every name leads somewhere: config maps, ports, selectors, and the namespace of Prometheus', () => {
  for (const tier of tiers) {
    const { containers, volumes } = podOf(tier)
    const [{ ports, volumeMounts, startupProbe, readinessProbe, livenessProbe }] = containers
    for (const { configMap } of volumes) if (configMap) named('ConfigMap', configMap.name)
    const claims = (named(TIERS[tier], tier).spec.volumeClaimTemplates ?? []) as Manifest[]
    const known = [...volumes.map(({ name }) => name), ...claims.map(({ metadata }) => metadata.name)]
    for (const { name } of volumeMounts) assert.ok(known.includes(name), `${tier} mounts ${name}`)
    const portNames = ports.map(({ name }) => name)
    const policy = named('NetworkPolicy', tier).spec
    const service = named('Service', tier).spec
    for (const name of [
      ...[startupProbe, readinessProbe, livenessProbe].map((probe) => probe?.httpGet.port ?? ''),
      ...service.ports.map(({ targetPort }: { targetPort: string }) => targetPort),
      ...policy.ingress.flatMap((rule: { ports: { port: string }[] }) => rule.ports.map(({ port }) => port)),
    ])
      assert.ok(portNames.includes(name), `${tier} has no port ${name}`)
    const { labels } = named(TIERS[tier], tier).spec.template.metadata
    for (const selector of [
      service.selector,
      policy.podSelector.matchLabels,
      named(TIERS[tier], tier).spec.selector.matchLabels,
      named('PodDisruptionBudget', tier).spec.selector.matchLabels,
    ])
      assert.deepEqual({ ...labels, ...selector }, labels)
    const [first] = policy.ingress[0].from
    assert.deepEqual(first.namespaceSelector.matchLabels, {
      'kubernetes.io/metadata.name': addresses().PROMETHEUS_NAMESPACE,
    })
  }
  assert.deepEqual(named('HorizontalPodAutoscaler', 'gateway').spec.scaleTargetRef, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    name: 'gateway',
  })
  const [{ env }] = podOf('gateway').containers
  const { dns } = JSON.parse(env.find(({ name }) => name === 'SAMPLERS')?.value ?? '')
  const sampler = named('Service', dns.hostname)
  assert.equal(sampler.spec.clusterIP, 'None', 'a gateway must see the address of each sampler')
  assert.equal(String(sampler.spec.ports[0].port), dns.port)
  assert.equal(named('StatefulSet', 'sampler').spec.serviceName, dns.hostname)
})

const TOKEN = 'a-token-of-sixteen'
/** The command of a container on this machine: the same files under another folder, the same variables, other addresses. */
async function natively(tier: keyof typeof TIERS, given: Readonly<Record<string, string>>) {
  const { containers, volumes } = podOf(tier)
  const [{ args, env, volumeMounts }] = containers
  const root = join(folder, tier)
  for (const { name, mountPath } of volumeMounts) {
    const map = volumes.find((volume) => volume.name === name)?.configMap
    mkdirSync(join(root, mountPath), { recursive: true })
    const { data = {} } = map ? named('ConfigMap', map.name) : {}
    for (const [key, text] of Object.entries(data)) writeFileSync(join(root, mountPath, basename(key)), text)
  }
  const wordOf = ({ name, value, valueFrom }: Env): string => {
    if (given[name] !== undefined) return given[name]
    if (valueFrom?.secretKeyRef) return TOKEN
    if (valueFrom?.fieldRef) return `${tier}-0`
    if (valueFrom?.configMapKeyRef)
      return named('ConfigMap', valueFrom.configMapKeyRef.name).data?.[valueFrom.configMapKeyRef.key] ?? ''
    if (value === '0.0.0.0') return '127.0.0.1'
    return value?.startsWith('/') ? join(root, value) : (value ?? '')
  }
  const free = await freePorts(COLLECTOR_PORTS.length)
  const ports = Object.fromEntries(COLLECTOR_PORTS.map((name, index) => [name, free[index] ?? 0]))
  return {
    ports,
    file: programs('otelcol-tiers'),
    args: args.map((word) => word.replace('=/', `=${root}/`)),
    env: {
      PATH: settings.env.PATH ?? '',
      ...Object.fromEntries(env.map((one) => [one.name, wordOf(one)])),
      ...Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, String(port)])),
    },
  }
}

async function start(
  name: string,
  { file, args, env, ports }: Awaited<ReturnType<typeof natively>>,
): Promise<() => Promise<unknown>> {
  const run = (words: readonly string[]) => execa(file, words, { env, extendEnv: false, reject: false, all: true })
  const { exitCode, all } = await run(['validate', ...args])
  assert.equal(exitCode, 0, `${name}: ${all}`)
  const ended = run(args)
  await eventually(async () => {
    if (ended.exitCode !== null) assert.fail(`${name}: ${(await ended).all}`)
    assert.ok((await fetch(`http://127.0.0.1:${ports.COLLECTOR_HEALTH_PORT}`)).ok)
  })
  return () => {
    ended.kill()
    return ended
  }
}

test('both containers run with their files and variables: a trace goes from a gateway to a sampler to both backends, masked', async () => {
  const backend = await backendThatTakesAll()
  const running: (() => Promise<unknown>)[] = []
  try {
    const sampler = await natively('sampler', {
      TEMPO_OTLP_ENDPOINT: `http://127.0.0.1:${backend.port}`,
      PHOENIX_OTLP_ENDPOINT: `http://localhost:${backend.port}`,
    })
    running.push(await start('sampler', sampler))
    const [{ env }] = podOf('gateway').containers
    const shipped = JSON.parse(env.find(({ name }) => name === 'SAMPLERS')?.value ?? '')
    const dns = { ...shipped.dns, hostname: '127.0.0.1', port: String(sampler.ports.OTLP_GRPC_PORT) }
    const gateway = await natively('gateway', { SAMPLERS: JSON.stringify({ dns }) })
    running.push(await start('gateway', gateway))

    const send = (token: string) => sendFailedCall(gateway.ports.OTLP_HTTP_PORT ?? 0, { token })
    assert.equal((await send('another-token-here')).status, 401)
    assert.equal((await send(TOKEN)).status, 200)
    await eventually(async () => {
      for (const host of ['127.0.0.1', 'localhost']) {
        const text = backend.taken.find((one) => one.host.startsWith(host))?.bytes ?? assert.fail(`${host} got nothing`)
        assert.match(text, /write to \*\*\*\* soon/)
        assert.match(text, /keep-failed-calls/)
        assert.ok(!text.includes('somebody'))
      }
    })
    await eventually(async () => {
      const page = await fetch(`http://127.0.0.1:${gateway.ports.COLLECTOR_COUNTED_PORT}/metrics`)
      assert.match(await page.text(), /traces_span_metrics_calls_total\{collector="gateway-0",/)
    })
  } finally {
    for (const stop of running.toReversed()) await stop()
    backend.close()
  }
})
