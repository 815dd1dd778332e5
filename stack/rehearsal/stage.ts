import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { execa } from 'execa'
import type { Caller } from '../../workbench/collector.ts'
import { UserError } from '../../workbench/user-error.ts'
import { dockerEngine } from '../docker-engine.ts'
import { build, readRecipes } from '../native.ts'
import { ROOT, type Settings } from '../settings.ts'

/** How long one command of the stack may take: the first one builds the image of the simulator. */
const COMMAND_MS = 900_000

/** Everything of one rehearsal: a copy of this repository, so that neither its .stack/ nor its containers are touched. */
export type Stage = Readonly<{ copy: string; project: string; settings: Settings; cancel: AbortSignal }>

export async function docker({ settings }: Stage, ...args: readonly string[]): Promise<string> {
  const { failed, stdout, stderr } = await execa('docker', args, { env: settings.env, extendEnv: false, reject: false })
  if (failed) throw new Error(`docker ${args.slice(0, 2).join(' ')} failed: ${stderr}`)
  return stdout.trim()
}

export const lines = (text: string) => (text === '' ? [] : text.split('\n'))

/** What `make <command>` does in the copy. Throws with its last words when it fails. */
export async function make({ copy, settings, cancel }: Stage, ...args: readonly string[]): Promise<string> {
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

export const label = (project: string) => ['--filter', `label=com.docker.compose.project=${project}`]
export const running = (stage: Stage) => docker(stage, 'ps', '--quiet', ...label(stage.project)).then(lines)
/** The volumes that are kept, by the names they have in docker-compose.yml. */
export const volumes = async (stage: Stage): Promise<readonly string[]> =>
  lines(await docker(stage, 'volume', 'ls', '--quiet', ...label(stage.project)))
    .map((name) => name.replace(`${stage.project}_`, ''))
    .sort()

/** Everything of the project that Docker still knows, in one list. */
export async function leftovers(stage: Stage): Promise<readonly string[]> {
  const [containers, kept, networks, images] = await Promise.all([
    docker(stage, 'ps', '--all', '--format', '{{.Names}}', ...label(stage.project)),
    docker(stage, 'volume', 'ls', '--format', '{{.Name}}', ...label(stage.project)),
    docker(stage, 'network', 'ls', '--format', '{{.Name}}', ...label(stage.project)),
    docker(stage, 'image', 'ls', '--format', '{{.Repository}}', '--filter', `reference=${stage.project}-*`),
  ])
  return [containers, kept, networks, images].flatMap(lines)
}

type State = Readonly<{ Pid: number; Status: string; Restarts: number; Id: string }>

export async function stateOf(stage: Stage, service: string): Promise<State> {
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
export async function crash(stage: Stage, service: string): Promise<void> {
  const { Pid } = await stateOf(stage, service)
  // Where containers are kept from signalling each other, by SELinux or by users of their own, this one is not.
  const free = ['--pid=host', '--userns=host', '--security-opt=label=disable', '--user=root']
  const how = ['--rm', '--name', `${stage.project}-crash`, '--network=none', ...free]
  const image = stage.settings.env.NODE_IMAGE ?? ''
  await docker(stage, 'run', ...how, '--entrypoint=node', image, '--eval', `process.kill(${Pid}, 'SIGKILL')`)
}

/** The repository as it is after a clone, with what is changed here, and without Grafana. */
export async function copyRepository(folder: string): Promise<string> {
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
export async function findEngine(settings: Settings, folder: string, options: Caller): Promise<Settings> {
  const found = await dockerEngine(settings.env)
  if ('version' in found) return settings
  const mend = 'On Debian: apt install docker.io; then make rehearse.'
  if (!found.why.includes('Compose')) throw new UserError(`${found.why}, and make rehearse needs one. ${mend}`)
  const program = (await build(settings, ['compose'], options, readRecipes('stack/rehearsal/compose/recipe.yaml')))(
    'docker-compose',
  )
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

export async function removeAll(stage: Stage): Promise<void> {
  const { project } = stage
  const remove = async (list: readonly string[], rm: readonly string[]) => {
    const found = lines(await docker(stage, ...list))
    if (found.length > 0) await docker(stage, ...rm, ...new Set(found))
  }
  await remove(['ps', '--all', '--quiet', ...label(project)], ['rm', '--force', '--volumes'])
  await remove(['ps', '--all', '--quiet', '--filter', `name=${project}`], ['rm', '--force'])
  await remove(['volume', 'ls', '--quiet', '--filter', `name=${project}`], ['volume', 'rm', '--force'])
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
