import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { execa } from 'execa'
import packageJson from '../../package.json' with { type: 'json' }
import { onInterrupt } from '../../sim/interrupt.ts'
import { UserError } from '../../workbench/user-error.ts'
import { dockerEngine } from '../docker-engine.ts'
import { build, readRecipes } from '../native.ts'
import { eventually } from '../own-stack.ts'
import { portsOfItsOwn } from '../ports.ts'
import { phoenixSpans, prometheus, tempoSearch, tempoTrace } from '../queries.ts'
import { IMAGES, type Image, makeStandIn } from '../rehearsal/stand-ins.ts'
import { ROOT, readSettings, type Settings } from '../settings.ts'

/** How long the images may take to come. A machine without a way to a registry hears so at once, as a rule. */
const PULL_MS = 600_000
/** How long one command of the stack may take: the first one builds the image of the simulator. */
const COMMAND_MS = 900_000
/** How long a container may take to be well again: Phoenix on a slow disk takes longest. */
const RECOVERY_S = 180

const SERVICES = ['tempo', 'prometheus', 'phoenix', 'collector', 'mock-vllm', 'sim'] as const
/** What the stack keeps: Grafana's volume goes with Grafana, which stays out. */
const VOLUMES = ['phoenix', 'prometheus', 'queue', 'tempo']

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

/** Everything of one rehearsal: a copy of this repository, so that neither its .stack/ nor its containers are touched. */
type Stage = Readonly<{ copy: string; project: string; settings: Settings }>

async function docker({ settings }: Pick<Stage, 'settings'>, ...args: readonly string[]): Promise<string> {
  const { failed, stdout, stderr } = await execa('docker', args, { env: settings.env, extendEnv: false, reject: false })
  if (failed) throw new Error(`docker ${args.slice(0, 2).join(' ')} failed: ${stderr}`)
  return stdout.trim()
}

const lines = (text: string) => (text === '' ? [] : text.split('\n'))

/** What `make <command>` does in the copy. Throws with its last words when it fails. */
async function make({ copy, settings }: Stage, ...args: readonly string[]): Promise<string> {
  const script = ['--import', import.meta.resolve('tsx'), resolve(copy, 'stack/main.ts'), ...args]
  const command = execa(process.execPath, script, {
    cwd: copy,
    env: settings.env,
    extendEnv: false,
    all: true,
    reject: false,
    stdin: 'ignore',
    // A group of its own, which gets a Ctrl-C once and from here; Compose, which it starts, must hear it too.
    detached: true,
  })
  const interrupt = () => command.pid && process.kill(-command.pid, 'SIGINT')
  const enough = AbortSignal.any([cancel, AbortSignal.timeout(COMMAND_MS)])
  enough.addEventListener('abort', interrupt, { once: true })
  const { failed, all } = await command
  enough.removeEventListener('abort', interrupt)
  cancel.throwIfAborted()
  if (failed) throw new Error(`make ${args.join(' ')} failed:\n${(all ?? '').trim().split('\n').slice(-12).join('\n')}`)
  return all ?? ''
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
  const spans = (await tempoTrace(settings, trace)).length
  const shown = (await phoenixSpans(settings, packageJson.name, trace)).length
  const series = (await prometheus(settings, `last_over_time(gen_ai_client_token_usage_sum{instance="${run}"}[3h])`))
    .length
  const found = `${run}: ${spans} spans in Tempo, ${shown} in Phoenix, ${series} series in Prometheus`
  if (spans === 0 || shown < spans || series === 0) throw new Error(found)
  return found
}

const label = (project: string) => ['--filter', `label=com.docker.compose.project=${project}`]
const running = (stage: Stage) => docker(stage, 'ps', '--quiet', ...label(stage.project)).then(lines)
const volumes = (stage: Stage) => docker(stage, 'volume', 'ls', '--quiet', ...label(stage.project)).then(lines)

/** Everything of the project that Docker still knows, in one list. */
async function leftovers(stage: Stage): Promise<readonly string[]> {
  const [containers, kept, networks, images] = await Promise.all([
    docker(stage, 'ps', '--all', '--format', '{{.Names}}', ...label(stage.project)),
    docker(stage, 'volume', 'ls', '--format', '{{.Name}}', ...label(stage.project)),
    docker(stage, 'network', 'ls', '--format', '{{.Name}}', ...label(stage.project)),
    docker(stage, 'image', 'ls', '--format', '{{.Repository}}', '--filter', `reference=${stage.project}-*`),
  ])
  return [containers, kept, networks, images].flatMap(lines)
}

type State = Readonly<{ Pid: number; Status: string; Restarts: number; Id: string }>

async function stateOf(stage: Stage, service: string): Promise<State> {
  const filter = [...label(stage.project), '--filter', `label=com.docker.compose.service=${service}`]
  const [id] = lines(await docker(stage, 'ps', '--all', '--quiet', ...filter))
  if (!id) throw new Error(`there is no container of ${service}`)
  const [found] = JSON.parse(await docker(stage, 'container', 'inspect', id))
  return { ...found.State, Restarts: found.RestartCount, Id: found.Id }
}

/**
 * Ends a container's first process as the kernel does when memory runs out. `docker kill` would be taken for the wish
 * to have it stopped, and from inside a container its first process cannot be killed.
 */
async function crash(stage: Stage, service: string): Promise<void> {
  const { Pid } = await stateOf(stage, service)
  // Where containers are kept from signalling each other, by SELinux or by users of their own, this one is not.
  const free = ['--pid=host', '--userns=host', '--security-opt=label=disable', '--user=root']
  const how = ['--rm', '--name', `${stage.project}-crash`, '--network=none', ...free]
  const image = stage.settings.env.NODE_IMAGE ?? ''
  await docker(stage, 'run', ...how, '--entrypoint=node', image, '--eval', `process.kill(${Pid}, 'SIGKILL')`)
}

const recovered = <T>(look: () => Promise<T>) => eventually(look, RECOVERY_S, cancel)
const well = (stage: Stage) => recovered(() => make(stage, 'status'))

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
  for (const service of SERVICES) {
    await step(`${service} is killed, and comes back`, async () => {
      const before = await stateOf(stage, service)
      await crash(stage, service)
      await recovered(async () => {
        const { Status, Restarts, Pid } = await stateOf(stage, service)
        if (Status !== 'running' || Restarts <= before.Restarts || Pid === before.Pid)
          throw new Error(`${service} is ${Status}, restarted ${Restarts} times`)
      })
      await well(stage)
      return (await verify(stage)).run
    })
  }
  await step('docker kill of them all, then make up', async () => {
    await docker(stage, 'kill', ...(await running(stage)))
    // To the engine that was a wish, so that most stay down: the status must say so.
    const silent = await make(stage, 'status').catch(() => undefined)
    if (silent !== undefined) throw new Error(`make status finds nothing wrong:\n${silent}`)
    await make(stage, 'up')
    await well(stage)
    return (await verify(stage)).run
  })
  await step('the first tick is still there', () => findAgain(stage, first))
  await step('make down keeps the volumes', async () => {
    await make(stage, 'down')
    const up = await running(stage)
    const kept = (await volumes(stage)).map((name) => name.replace(`${stage.project}_`, '')).sort()
    if (up.length > 0) throw new Error(`${up.length} containers still run`)
    if (kept.join() !== VOLUMES.join()) throw new Error(`kept: ${kept.join(', ') || 'nothing'}`)
    return kept.join(', ')
  })
  await step('make up finds the data again', async () => {
    await make(stage, 'up')
    const found = await eventually(() => findAgain(stage, first), 60, cancel)
    await verify(stage)
    return found
  })
  await step('make clean leaves nothing', async () => {
    await make(stage, 'down', '--state')
    const state = existsSync(resolve(stage.copy, '.stack')) ? ['.stack/'] : []
    const left = [...(await leftovers(stage)), ...state]
    if (left.length > 0) throw new Error(`left: ${left.join(', ')}`)
    return 'no container, volume, network or built image'
  })
}

/** The repository as somebody has it who has just cloned it, with what is changed here; and Grafana left out. */
async function copyRepository(folder: string): Promise<string> {
  const copy = join(folder, 'copy')
  const { stdout } = await execa('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: ROOT })
  for (const file of stdout.split('\0').filter((name) => name && existsSync(resolve(ROOT, name)))) {
    mkdirSync(dirname(join(copy, file)), { recursive: true })
    cpSync(resolve(ROOT, file), join(copy, file))
  }
  symlinkSync(resolve(ROOT, 'node_modules'), join(copy, 'node_modules'))
  writeFileSync(join(copy, 'docker-compose.override.yml'), 'services: { grafana: { profiles: [left-out] } }\n')
  return copy
}

/** The engine and Compose. Where only Compose is missing, the one that the tests use is lent to Docker. */
async function findEngine(settings: Settings, folder: string): Promise<Settings> {
  const found = await dockerEngine(settings.env)
  if ('version' in found) return settings
  const mend = 'On Debian: apt install docker.io; then make rehearse.'
  if (!found.why.includes('Compose')) throw new UserError(`${found.why}, and make rehearse needs one. ${mend}`)
  const program = (
    await build(settings, ['compose'], { cancel, say }, readRecipes('stack/rehearsal/compose/recipe.yaml'))
  )('docker-compose')
  const theirs = settings.env.DOCKER_CONFIG || resolve(homedir(), '.docker')
  const ours = join(folder, 'docker')
  mkdirSync(join(ours, 'cli-plugins'), { recursive: true })
  const link = (from: string, to: string, except: string) => {
    for (const name of existsSync(from) ? readdirSync(from) : [])
      if (name !== except) symlinkSync(join(from, name), join(to, name))
  }
  link(theirs, ours, 'cli-plugins')
  link(join(theirs, 'cli-plugins'), join(ours, 'cli-plugins'), 'docker-compose')
  symlinkSync(program, join(ours, 'cli-plugins/docker-compose'))
  const lent = { ...settings, env: { ...settings.env, DOCKER_CONFIG: ours } }
  const again = await dockerEngine(lent.env)
  if ('why' in again) throw new UserError(`${again.why}, although Compose was built for it. ${mend}`)
  return lent
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

async function removeAll(stage: Stage): Promise<void> {
  const { project } = stage
  const remove = async (list: readonly string[], rm: readonly string[]) => {
    const found = lines(await docker(stage, ...list))
    if (found.length > 0) await docker(stage, ...rm, ...new Set(found))
  }
  await remove(['ps', '--all', '--quiet', ...label(project)], ['rm', '--force', '--volumes'])
  await remove(['ps', '--all', '--quiet', '--filter', `name=${project}`], ['rm', '--force'])
  await remove(['volume', 'ls', '--quiet', ...label(project)], ['volume', 'rm', '--force'])
  await remove(['network', 'ls', '--quiet', ...label(project)], ['network', 'rm'])
  const named = (pattern: string) => [
    'image',
    'ls',
    '--format',
    '{{.Repository}}:{{.Tag}}',
    '--filter',
    `reference=${pattern}`,
  ]
  for (const pattern of [`${project}-*`, `${project}.invalid/*`, `${project}.invalid/*/*`])
    await remove(named(pattern), ['image', 'rm', '--force'])
}

async function main(): Promise<void> {
  const folder = mkdtempSync(resolve(tmpdir(), 'wood-rehearsal-'))
  try {
    const here = readSettings()
    const passed = Object.entries(here.env).filter(([name]) => PASSED.test(name))
    const images = Object.fromEntries(IMAGES.map((image) => [image, here.env[image] ?? '']))
    const ports = await portsOfItsOwn()
    const project = `wood-rehearsal-${process.pid}`
    const given = { ...Object.fromEntries(passed), ...images, BOOT: 'docker', COMPOSE_PROJECT_NAME: project }
    const written = Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, String(port)]))
    const settings = await findEngine({ state: folder, ports, env: { ...given, ...written } }, folder)
    const bare = { project, copy: await copyRepository(folder), settings }
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
