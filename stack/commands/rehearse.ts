import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { execa } from 'execa'
import { nanosOf, toAttributes, traceRequest } from '../../otlp/json.ts'
import { postOtlp } from '../../otlp/post.ts'
import packageJson from '../../package.json' with { type: 'json' }
import { onInterrupt } from '../../sim/interrupt.ts'
import { sumOf } from '../../workbench/collector.ts'
import { UserError } from '../../workbench/user-error.ts'
import { BACKENDS, chosenBackends, running as inContainers, served } from '../backends/backends.ts'
import { eventually } from '../own-stack.ts'
import { freePorts, portsOfItsOwn } from '../ports.ts'
import { pageOf, prometheus, tempoSearch, tempoTrace } from '../queries.ts'
import {
  copyRepository,
  crash,
  docker,
  findEngine,
  label,
  leftovers,
  lines,
  make,
  removeAll,
  running,
  type Stage,
  stateOf,
  volumes,
} from '../rehearsal/stage.ts'
import { IMAGES, type Image, makeStandIn } from '../rehearsal/stand-ins.ts'
import { portVariables, ROOT, readSettings, url } from '../settings.ts'
import { collectors, type Instance, judges, receivers } from '../tiers.ts'

/** How long the images may take to come. A machine without a way to a registry hears so at once, as a rule. */
const PULL_MS = 600_000
/** How long a container may take to be well again: Phoenix on a slow disk takes longest. */
const RECOVERY_S = 300

/** The backends that start by default, and all that run here. */
const SHIPPED = parseEnv(readFileSync(resolve(ROOT, '.env'), 'utf8')).BACKENDS ?? ''
const ALL = inContainers(BACKENDS)
/** What the stack keeps: Grafana's volume goes with Grafana, which stays out. */
const VOLUMES = [...served(BACKENDS).map(({ id }) => id), 'prometheus', 'queue'].sort().join(', ')
/** Two of each is the least that shows that traces are shared out. */
const TIERS = '2x2'
/** So many traces that each sampler gets some. */
const SHARED_OUT = 40

/** What of the caller's environment may reach the rehearsed stack: it is tried as shipped, whatever is set here. */
const PASSED =
  /^(PATH|HOME|USER|LANG|TMPDIR|XDG_\w+|DOCKER_(HOST|CONTEXT|CONFIG|CERT_PATH|TLS_VERIFY)|(https?|no)_proxy)$/i

const say = (line: string) => console.error(line)
const cancelled = new AbortController()
const cancel = cancelled.signal
onInterrupt(() => {
  say('stopping: what was made for the rehearsal is being removed')
  cancelled.abort(new UserError('stopped'))
})

type Row = Readonly<{ step: string; verdict: 'ok' | 'BAD'; seconds: number; found: string }>
const rows: Row[] = []
const why = (error: unknown) => (error instanceof Error ? error.message : String(error)).trim()

/** Takes one step and notes how it went. One that the others stand on ends the rehearsal. */
async function step(name: string, work: () => Promise<string>, { needed = false } = {}): Promise<void> {
  cancel.throwIfAborted()
  const began = Date.now()
  const note = (verdict: Row['verdict'], found: string) => {
    rows.push({ step: name, verdict, seconds: (Date.now() - began) / 1000, found })
    say(`${verdict.padEnd(4)} ${name}: ${found}`)
  }
  try {
    note('ok', await work())
  } catch (error) {
    cancel.throwIfAborted()
    note('BAD', why(error))
    if (needed) throw new UserError(`${name} went wrong, and nothing after it could be tried.`)
  }
}

type Tick = Readonly<{ run: string; trace: string }>

/** `make verify`, and which tick it sent. */
async function verify(stage: Stage): Promise<Tick> {
  const said = await make(stage, 'verify')
  const run = /one tick was played as (\S+)/.exec(said)?.[1] ?? ''
  const [found] = await tempoSearch(stage.settings, `{ span.gen_ai.conversation.id = "${run}" }`)
  if (!found) throw new Error(`Tempo does not know ${run} any more`)
  return { run, trace: found.traceID.padStart(32, '0') }
}

/** Finds a tick of before in every backend. Throws when one has lost it. */
async function findAgain({ settings }: Stage, { run, trace }: Tick): Promise<string> {
  const tick = { run, trace, agents: [], project: packageJson.name }
  const found: { title: string; spans: number }[] = []
  for (const { title, server } of served(chosenBackends(settings)))
    found.push({ title, spans: (await server.shows(settings, tick))?.spans ?? 0 })
  const series = (await prometheus(settings, `last_over_time(gen_ai_client_token_usage_sum{instance="${run}"}[3h])`))
    .length
  const said = `${run}: spans: ${found.map(({ title, spans }) => `${spans} in ${title}`).join(', ')}; ${series} series in Prometheus`
  if (series === 0 || found.some(({ spans }) => spans === 0 || spans !== found[0]?.spans)) throw new Error(said)
  return said
}

const recovered = <T>(look: () => Promise<T>) => eventually(look, RECOVERY_S, cancel)
const well = (stage: Stage) => recovered(() => make(stage, 'status'))

async function statusComplains(stage: Stage): Promise<void> {
  const said = await make(stage, 'status').catch(() => undefined)
  if (said !== undefined) throw new Error(`make status finds nothing wrong:\n${said}`)
}

/** Kills a service as a crash does. Answers which tick was followed when it was back. */
async function comesBack(stage: Stage, service: string): Promise<string> {
  const before = await stateOf(stage, service)
  await crash(stage, service)
  await recovered(async () => {
    const { Status, Restarts, Pid } = await stateOf(stage, service)
    if (Status !== 'running' || Restarts <= before.Restarts || Pid === before.Pid)
      throw new Error(`${service} is ${Status}, restarted ${Restarts} times`)
  })
  await well(stage)
  return (await verify(stage)).run
}

/** The `docker run` line of collector/README.md as it stands there, with names, ports and the image of this rehearsal. */
function ownCollectorLine({ copy, project, settings }: Stage, ports: readonly number[], tempo: string): string {
  const line = /^docker run .*$/m.exec(readFileSync(join(copy, 'collector/README.md'), 'utf8'))?.[0] ?? ''
  const changes: readonly (readonly [RegExp, string])[] = [
    [/^docker run /, `exec docker run --name ${project}-own `],
    [/ otelcol-queue:/, ` ${project}-own:`],
    [/127\.0\.0\.1:4317:/, `127.0.0.1:${ports[0]}:`],
    [/127\.0\.0\.1:4318:/, `127.0.0.1:${ports[1]}:`],
    // Where Tempo is not on this machine but in a container beside it, which need not be open to other machines then.
    [/:host-gateway /, `:${tempo} `],
    [/ otel\/opentelemetry-collector-contrib:\S+ /, ` ${settings.env.OTELCOL_IMAGE} `],
  ]
  return changes.reduce((text, [from, to]) => {
    if (!from.test(text)) throw new Error(`collector/README.md has no docker run line with ${from}`)
    return text.replace(from, to)
  }, line)
}

/** Sends a failed call with an address in it to this port, in a trace of its own, and answers which one. */
async function sendCall({ settings }: Stage, port: number | undefined): Promise<string> {
  const traceId = randomBytes(16).toString('hex')
  const span = {
    traceId,
    spanId: randomBytes(8).toString('hex'),
    name: 'chat',
    startTimeUnixNano: nanosOf(Date.now()),
    endTimeUnixNano: nanosOf(Date.now() + 1),
    status: { code: 2 },
    attributes: toAttributes({
      'gen_ai.operation.name': 'chat',
      prompt: 'write to somebody@example.com soon',
    }),
  }
  await recovered(async () => {
    const headers = { authorization: `Bearer ${settings.env.OTLP_TOKEN ?? ''}` }
    const { status } = await postOtlp(`http://127.0.0.1:${port}/v1/traces`, traceRequest([span]), headers)
    if (status !== 200) throw new Error(`OTLP is answered with HTTP ${status}`)
  })
  return traceId
}

/** Waits until Tempo has that call, masked. */
async function findCall({ settings }: Stage, traceId: string): Promise<void> {
  const [stored] = await eventually(async () => {
    const spans = await tempoTrace(settings, traceId)
    if (spans.length === 0) throw new Error(`Tempo has not got the trace ${traceId}`)
    return spans
  })
  if (stored?.attributes.prompt !== 'write to **** soon') throw new Error(`stored: ${stored?.attributes.prompt}`)
}

/** Runs that line with Tempo of this stack behind it, sends a failed call, and looks for it. */
async function ownCollector(stage: Stage): Promise<string> {
  const { copy, project, settings } = stage
  const { Id } = await stateOf(stage, 'tempo')
  const ports = await freePorts(2)
  await docker(stage, 'network', 'connect', 'bridge', Id)
  try {
    const where = '{{.NetworkSettings.Networks.bridge.IPAddress}}'
    const line = ownCollectorLine(stage, ports, await docker(stage, 'inspect', '--format', where, Id))
    const options = { cwd: copy, env: settings.env, extendEnv: false, reject: false, all: true } as const
    const collector = execa('sh', ['-c', line], options)
    const ended = collector.then(({ all }) => {
      throw new Error(`the collector ended:\n${all}`)
    })
    const sent = sendCall(stage, ports[1])
    try {
      sent.catch(() => {}) // it goes on asking when the collector has ended
      await findCall(stage, await Promise.race([sent, ended]))
      return 'took OTLP, and handed the trace on to Tempo, masked'
    } finally {
      await docker(stage, 'rm', '--force', `${project}-own`)
      await ended.catch(() => {})
    }
  } finally {
    await docker(stage, 'network', 'disconnect', 'bridge', Id)
  }
}

/** Sends many traces to a gateway, waits until Tempo has them all, and answers how many spans each of these samplers took meanwhile. */
async function shareOut(stage: Stage, gateway: Instance | undefined, samplers: readonly Instance[]): Promise<string> {
  const taken = () =>
    Promise.all(
      samplers.map(async (one) => {
        return sumOf(await pageOf(one.settings), 'otelcol_receiver_accepted_spans')
      }),
    )
  const before = await taken()
  const port = gateway?.settings.ports.OTLP_HTTP_PORT
  const traces = await Promise.all(Array.from({ length: SHARED_OUT }, () => sendCall(stage, port)))
  for (const trace of traces) await findCall(stage, trace)
  const shares = (await taken()).map((count, index) => count - (before[index] ?? 0))
  const said = samplers.map(({ name }, index) => `${shares[index]} spans by ${name}`).join(', ')
  if (shares.some((share) => share < 1)) throw new Error(said)
  return `${traces.length} traces in Tempo: ${said}`
}

/** Two gateways and two samplers: membership by DNS, one label for each, one list for all. The gateways send with the token that they ask for. */
async function rehearseTiers(stage: Stage): Promise<void> {
  const [all, samplers, [first, second]] = [
    collectors(stage.settings),
    judges(stage.settings),
    receivers(stage.settings),
  ]
  await step(`make up TIERS=${TIERS}`, async () => {
    const said = await make(stage, 'up')
    for (const { name, settings } of receivers(stage.settings))
      if (!said.includes(url(settings, 'OTLP_HTTP_PORT')))
        throw new Error(`make up does not say where ${name} receives`)
    return (await verify(stage)).run
  })
  await step('each collector is scraped, and has its name', () =>
    recovered(async () => {
      // Prometheus shows those of the last start for some minutes more.
      const these = `instance=~"${all.map(({ name }) => `${name}:.*`).join('|')}"`
      const up = await prometheus(stage.settings, `sum by (job) (up{job=~"agents|counted|collector", ${these}})`)
      const found = up.map(({ value }) => value).join()
      if (found !== Array(3).fill(all.length).join()) throw new Error(`pages that answer: ${found}`)
      const named = await prometheus(stage.settings, `count by (collector) (otelcol_process_uptime{${these}})`)
      const names = named.map(({ labels }) => labels.collector).sort()
      if (names.join() !== all.map(({ name }) => name).join()) throw new Error(`named: ${names.join(', ')}`)
      return names.join(', ')
    }),
  )
  await step('make inspect', async () => {
    const said = await recovered(() => make(stage, 'inspect', '--service', packageJson.name))
    return `${lines(said).filter((line) => line.startsWith('ok')).length} lines about ${packageJson.name} are ok`
  })
  await step('the second gateway shares traces out', () => shareOut(stage, second, samplers))
  await step('make reload reaches both samplers', async () => {
    const before = await Promise.all(samplers.map(({ name }) => stateOf(stage, name)))
    const said = await make(stage, 'reload')
    const after = await Promise.all(samplers.map(({ name }) => stateOf(stage, name)))
    if (after.some(({ Pid }, index) => Pid !== before[index]?.Pid)) throw new Error('a sampler is another process')
    return `${/all \d+ samplers use it/.exec(said)?.[0]}; ${(await verify(stage)).run}`
  })
  for (const service of ['gateway-1', 'sampler-1'])
    await step(`${service} is killed, and comes back`, () => comesBack(stage, service))
  await step('sampler-2 is stopped: its traces go to the other one; make up starts it again', async () => {
    await docker(stage, 'stop', (await stateOf(stage, 'sampler-2')).Id)
    const found = await shareOut(stage, first, samplers.slice(0, 1))
    await statusComplains(stage)
    await make(stage, 'up')
    return `${found}; then ${await recovered(() => shareOut(stage, first, samplers))}`
  })
}

/** Volumes without a name, which nobody removes. */
async function namelessVolumes(stage: Stage): Promise<readonly string[]> {
  const mounts = '{{$name := .Name}}{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} of {{$name}}\n{{end}}{{end}}'
  const all = await docker(stage, 'container', 'inspect', '--format', mounts, ...(await running(stage)))
  return lines(all.replaceAll(/\n+/g, '\n')).filter((volume) => volume && !volume.startsWith(`${stage.project}_`))
}

async function rehearse(stage: Stage): Promise<void> {
  let first: Tick = { run: '', trace: '' }
  await step('make up', async () => /^up after .*/m.exec(await make(stage, 'up'))?.[0] ?? 'up', { needed: true })
  await step('ports are on loopback only', async () => {
    const open = (await docker(stage, 'ps', '--format', '{{.Ports}}', ...label(stage.project))).split(/[\n,]+/)
    const published = open.filter((port) => port.includes('->'))
    const wide = published.filter((port) => !port.trim().startsWith('127.0.0.1:'))
    if (wide.length > 0 || published.length === 0) throw new Error(`beyond it: ${wide.join(', ') || 'nothing at all'}`)
    return `${published.length} ports`
  })
  await step('make verify', async () => {
    first = await verify(stage)
    return first.run
  })
  await step('the docker run line of collector/README.md', () => ownCollector(stage))
  await step('every container restarts', async () => {
    await docker(stage, 'restart', ...(await running(stage)))
    await well(stage)
    return (await verify(stage)).run
  })
  // After a signal from outside, some restart policies restart no more: here the collector gets one, and crashes below.
  await step('make reload', async () => {
    const { Id, Pid } = await stateOf(stage, 'collector')
    await make(stage, 'reload')
    const after = await stateOf(stage, 'collector')
    if (after.Id !== Id || after.Pid !== Pid) throw new Error('the collector is another process than before')
    return `the collector kept its process; ${(await verify(stage)).run}`
  })
  const backends = served(chosenBackends(stage.settings)).map(({ id }) => id)
  for (const service of [...backends, 'prometheus', 'collector', 'mock-vllm', 'sim'])
    await step(`${service} is killed, and comes back`, () => comesBack(stage, service))
  await step('docker kill of them all, then make up', async () => {
    await docker(stage, 'kill', ...(await running(stage)))
    // To the engine that was a wish, so that most stay down: the status must say so.
    await statusComplains(stage)
    await make(stage, 'up')
    await well(stage)
    return (await verify(stage)).run
  })
  await step('the first tick is still there', () => findAgain(stage, first))
  await step('make down keeps the volumes', async () => {
    await make(stage, 'down')
    const up = await running(stage)
    const kept = (await volumes(stage)).join(', ')
    if (up.length > 0) throw new Error(`${up.length} containers still run`)
    if (kept !== VOLUMES) throw new Error(`kept: ${kept || 'nothing'}`)
    return kept
  })
  await step('make up finds the data again', async () => {
    await make(stage, 'up')
    const found = await recovered(() => findAgain(stage, first))
    await verify(stage)
    return found
  })
  const more = { ...stage, settings: { ...stage.settings, env: { ...stage.settings.env, BACKENDS: ALL.join() } } }
  await step(`make up BACKENDS=${ALL.join()}, and again after make down`, async () => {
    await make(stage, 'down')
    await make(more, 'up')
    const tick = await verify(more)
    await make(more, 'down')
    await make(more, 'up')
    return recovered(() => findAgain(more, tick))
  })
  for (const service of ALL.filter((id) => !backends.includes(id)))
    await step(`${service} is killed, and comes back`, () => comesBack(more, service))
  await step('every volume has a name', async () => {
    const nameless = await namelessVolumes(more)
    if (nameless.length > 0) throw new Error(nameless.join(', '))
    return VOLUMES
  })
  await make(more, 'down')
  const safe = { TIERS, OTLP_TOKEN: randomBytes(16).toString('hex') }
  const tiered = { ...stage, settings: { ...stage.settings, env: { ...stage.settings.env, ...safe } } }
  await rehearseTiers(tiered)
  await step('make clean leaves nothing', async () => {
    await make(tiered, 'down', '--state')
    const state = existsSync(resolve(stage.copy, '.stack')) ? ['.stack/'] : []
    const left = [...(await leftovers(stage)), ...state]
    if (left.length > 0) throw new Error(`left: ${left.join(', ')}`)
    return 'no container, volume, network or built image'
  })
}

/** Where each image is from. What can be neither found nor pulled is made here, under a name that no registry has. */
async function findImage(stage: Stage, image: Image, folder: string): Promise<string | undefined> {
  const pinned = stage.settings.env[image] ?? ''
  const { env } = stage.settings
  const here = await execa('docker', ['image', 'inspect', pinned], { env, extendEnv: false, reject: false })
  if (!here.failed) {
    await step(`image ${pinned.replace(/@.*/, '')}`, async () => 'real, was here')
    return undefined
  }
  let standIn: string | undefined
  await step(
    `image ${pinned.replace(/@.*/, '')}`,
    async () => {
      const options = { env, extendEnv: false, reject: false, timeout: PULL_MS, cancelSignal: cancel }
      const pull = await execa('docker', ['pull', '--quiet', pinned], options)
      cancel.throwIfAborted()
      if (!pull.failed) return 'real, pulled'
      say(
        `     not pulled: ${pull.timedOut ? `not within ${PULL_MS / 1000} s` : pull.stderr.trim().split('\n').at(-1)}`,
      )
      standIn = `${stage.project}.invalid/${pinned.replace(/@.*/, '')}`
      await makeStandIn(stage.settings, image, { name: standIn, scratch: join(folder, image) }, { cancel, say })
      return 'STAND-IN, made here'
    },
    { needed: true },
  )
  return standIn
}

async function main(): Promise<void> {
  const folder = mkdtempSync(resolve(tmpdir(), 'wood-rehearsal-'))
  try {
    const here = readSettings()
    const passed = Object.entries(here.env).filter(([name]) => PASSED.test(name))
    const images = Object.fromEntries(IMAGES.map((image) => [image, here.env[image] ?? '']))
    const ports = await portsOfItsOwn()
    const project = `wood-rehearsal-${process.pid}`
    const given = {
      ...Object.fromEntries(passed),
      ...images,
      BOOT: 'docker',
      BACKENDS: SHIPPED,
      COMPOSE_PROJECT_NAME: project,
    }
    const asked = { state: folder, ports, env: { ...given, ...portVariables({ ports }) } }
    const settings = await findEngine(asked, folder, { cancel, say })
    const bare = { project, copy: await copyRepository(folder), settings, cancel }
    try {
      const standIns: Record<string, string> = {}
      for (const image of IMAGES) {
        const name = await findImage(bare, image, folder)
        if (name) standIns[image] = name
      }
      await rehearse({ ...bare, settings: { ...settings, env: { ...settings.env, ...standIns } } })
    } finally {
      await removeAll(bare)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

await main().catch((error: unknown) => {
  say(error instanceof UserError || cancel.aborted ? why(error) : String((error as Error).stack ?? error))
  process.exitCode = cancel.aborted ? 130 : 1
})
if (rows.length > 0) {
  const table = rows.map(
    ({ step, verdict, seconds, found }) => `| ${step} | ${verdict} | ${seconds.toFixed(1)} | ${found.split('\n')[0]} |`,
  )
  console.log(['| step | | seconds | found |', '|---|---|---|---|', ...table].join('\n'))
}
if (!cancel.aborted && rows.some(({ verdict }) => verdict === 'BAD')) process.exitCode = 1
