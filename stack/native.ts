import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { arch, availableParallelism, homedir, platform } from 'node:os'
import { resolve } from 'node:path'
import { execa } from 'execa'
import { parse } from 'yaml'
import { UserError } from '../workbench/user-error.ts'
import { ROOT, type Settings } from './settings.ts'

/** Paths of what the native boot runs. */
export type Programs = Readonly<
  Record<'collector' | 'tempo' | 'prometheus' | 'promtool' | 'python' | 'compose', string>
>
type GoPart = 'collector' | 'tempo' | 'prometheus' | 'compose'
export type Part = GoPart | 'phoenix'

type Recipe = Readonly<{
  version: string
  source: string
  /** Output binary → Go package. */
  packages: Readonly<Record<string, string>>
  tags?: string
  ldflags: string
  /** What `go` does first, to write the rest of the sources. */
  generate?: string
}>

type Options = Readonly<{ cancel: AbortSignal; say: (line: string) => void }>

type Recipes = Readonly<Record<GoPart, Recipe>>
const RECIPES: Recipes = parse(readFileSync(resolve(import.meta.dirname, 'native/recipes.yaml'), 'utf8')).programs
const REQUIREMENTS = resolve(ROOT, 'phoenix/requirements.txt')
/** The requirements are locked for these: a package of theirs has no release for an older one. */
const OLDEST_PYTHON = [3, 11] as const
const CLOCK_MS = 20_000

/** Built programs are shared by all clones of a user; a folder's name says what its content was made from. */
const cache = (env: Settings['env']) =>
  resolve(env.XDG_CACHE_HOME || resolve(homedir(), '.cache'), 'thousand-token-wood')

/**
 * Builds what is missing of `parts` and answers where everything is. Each part is built once per user and
 * content of what defines it. Throws `UserError` when a tool is missing or too old, or a build fails.
 */
export async function build(settings: Settings, parts: readonly Part[], options: Options): Promise<Programs> {
  const goParts = parts.filter((part) => part !== 'phoenix')
  const missing = goParts.filter((part) => !existsSync(goFolder(settings, part)))
  const phoenix = async () => {
    if (parts.includes('phoenix') && !existsSync(venv(settings))) await buildPhoenix(settings, options)
  }
  const programs = async () => {
    if (missing.length > 0) await checkGo(missing)
    // One compiler at a time on a small machine: two would only take each other's memory and time.
    const lanes = availableParallelism() >= 4 ? missing.map((part) => [part]) : [missing]
    const build = async (lane: readonly GoPart[]) => {
      for (const part of lane) await buildGo(settings, part, options)
    }
    // The network is idle while the first one compiles: fetch what the others need meanwhile.
    const fetching = lanes.length === 1 ? fetchModules(settings, missing.slice(1), options) : Promise.resolve()
    await Promise.all([fetching, ...lanes.map(build)])
  }
  await Promise.all([phoenix(), programs()])
  const binary = (part: GoPart, name: string) => resolve(goFolder(settings, part), name)
  return {
    collector: binary('collector', 'otelcol-woodland'),
    tempo: binary('tempo', 'tempo'),
    prometheus: binary('prometheus', 'prometheus'),
    promtool: binary('prometheus', 'promtool'),
    compose: binary('compose', 'docker-compose'),
    python: resolve(venv(settings), 'bin/python'),
  }
}

/** Whether a part has been built for this user, from what defines it now. */
export const isBuilt = (settings: Settings, part: Part): boolean =>
  existsSync(part === 'phoenix' ? venv(settings) : goFolder(settings, part))

function goFolder(settings: Settings, part: GoPart): string {
  const recipe = RECIPES[part]
  const source = resolve(ROOT, recipe.source)
  const files = readdirSync(source)
    .filter((name) => !name.endsWith('.md'))
    .sort()
  const hash = digest([
    JSON.stringify(recipe),
    platform(),
    arch(),
    ...files.map((name) => readFileSync(resolve(source, name), 'utf8')),
  ])
  return resolve(cache(settings.env), `${part}-${recipe.version}-${hash}`)
}

const venv = (settings: Settings) =>
  resolve(
    cache(settings.env),
    `phoenix-${phoenixVersion()}-${digest([readFileSync(REQUIREMENTS, 'utf8'), platform(), arch()])}`,
  )

const phoenixVersion = () => /^arize-phoenix==(\S+)/m.exec(readFileSync(REQUIREMENTS, 'utf8'))?.[1] ?? ''

const digest = (texts: readonly string[]) =>
  createHash('sha256').update(texts.join('\u0000')).digest('hex').slice(0, 12)

const go = (cwd: string, args: readonly string[]): Step => ({
  file: 'go',
  args,
  cwd,
  env: { CGO_ENABLED: '0', GOFLAGS: '-mod=readonly -buildvcs=false', GOWORK: 'off' },
})

async function buildGo(settings: Settings, part: GoPart, options: Options): Promise<void> {
  const { version, source, packages, tags, ldflags, generate } = RECIPES[part]
  const folder = goFolder(settings, part)
  await inScratch(settings, folder, async (scratch) => {
    const work = resolve(scratch, 'source')
    cpSync(resolve(ROOT, source), work, { recursive: true })
    await timed(`building ${part} ${version} from source, once for this user`, options, async () => {
      if (generate) await command(settings, `${part}-build`, go(work, generate.split(' ')), options)
      for (const [name, path] of Object.entries(packages)) {
        const flags = ['-trimpath', `-ldflags=${ldflags}`, ...(tags ? [`-tags=${tags}`] : [])]
        await command(
          settings,
          `${part}-build`,
          go(work, ['build', ...flags, '-o', resolve(scratch, name), path]),
          options,
        )
      }
    })
    rmSync(work, { recursive: true })
  })
}

/** Listing the packages of a program downloads the modules they need, and no others. */
async function fetchModules(settings: Settings, parts: readonly GoPart[], options: Options): Promise<void> {
  for (const part of parts) {
    const { source, packages, tags } = RECIPES[part]
    const list = ['list', '-deps', ...(tags ? [`-tags=${tags}`] : []), ...Object.values(packages)]
    await command(settings, `${part}-build`, go(resolve(ROOT, source), list), options)
  }
}

async function buildPhoenix(settings: Settings, options: Options): Promise<void> {
  const python = await findPython()
  await inScratch(settings, venv(settings), (scratch) =>
    timed(`installing phoenix ${phoenixVersion()}, once for this user`, options, async () => {
      const run = (file: string, args: readonly string[]) =>
        command(settings, 'phoenix-build', { file, args, cwd: ROOT, env: {} }, options)
      await run(python, ['-m', 'venv', scratch])
      await run(resolve(scratch, 'bin/python'), [
        '-m',
        'pip',
        'install',
        '--quiet',
        '--no-input',
        '--no-compile',
        '-r',
        REQUIREMENTS,
      ])
    }),
  )
}

/** Makes a folder of the cache whole or not at all. What is in it must not mind being moved. */
async function inScratch(settings: Settings, folder: string, make: (scratch: string) => Promise<void>): Promise<void> {
  mkdirSync(cache(settings.env), { recursive: true })
  const scratch = mkdtempSync(`${folder}.making-`)
  try {
    await make(scratch)
    if (existsSync(folder)) return // another clone was faster
    renameSync(scratch, folder)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

async function timed(what: string, { say }: Options, work: () => Promise<void>): Promise<void> {
  const began = Date.now()
  const elapsed = () => `${Math.round((Date.now() - began) / 1000)} s`
  say(`  ${what} …`)
  const clock = setInterval(() => say(`  ${what}: ${elapsed()} so far`), CLOCK_MS)
  try {
    await work()
    say(`  ${what}: done in ${elapsed()}`)
  } finally {
    clearInterval(clock)
  }
}

type Step = Readonly<{ file: string; args: readonly string[]; cwd: string; env: Readonly<Record<string, string>> }>

async function command(
  settings: Settings,
  name: string,
  { file, args, cwd, env }: Step,
  { cancel }: Options,
): Promise<void> {
  const result = await execa(file, args, {
    cwd,
    env: { ...settings.env, ...env },
    extendEnv: false,
    all: true,
    reject: false,
    cancelSignal: cancel,
  })
  if (!result.failed) return
  cancel.throwIfAborted()
  const log = resolve(settings.state, 'logs', `${name}.log`)
  mkdirSync(resolve(settings.state, 'logs'), { recursive: true })
  writeFileSync(log, `${[file, ...args].join(' ')}\n${result.all ?? result.message}\n`)
  const last = (result.all ?? result.message).trim().split('\n').slice(-8).join('\n')
  throw new UserError(`${[file, ...args.slice(0, 3)].join(' ')} … failed:\n${last}\nAll of it: ${log}`)
}

async function checkGo(parts: readonly GoPart[]): Promise<void> {
  const { stdout, failed } = await execa('go', ['env', 'GOVERSION'], { reject: false })
  const wanted =
    parts
      .map((part) => /^go (\S+)/m.exec(readFileSync(resolve(ROOT, RECIPES[part].source, 'go.mod'), 'utf8'))?.[1] ?? '0')
      .sort(byVersion)
      .at(-1) ?? '0'
  const why = `${parts.join(', ')} must be built once; that needs Go ${wanted} or newer`
  if (failed)
    throw new UserError(
      `Go is not installed: ${why}. Install it from go.dev/dl, or start Docker and run make up again.`,
    )
  const found = stdout.replace(/^go/, '')
  if (byVersion(found, wanted) < 0)
    throw new UserError(`Go ${found} is too old: ${why}. Install a newer one from go.dev/dl.`)
}

const byVersion = (a: string, b: string) => a.localeCompare(b, 'en', { numeric: true })

/** The Python to make a virtual environment with: `PYTHON`, else `python3`. */
async function findPython(): Promise<string> {
  const python = process.env.PYTHON || 'python3'
  const needs = `Phoenix needs Python ${OLDEST_PYTHON.join('.')} or newer with the venv module`
  const probe = 'import sys, venv, ensurepip; print(*sys.version_info[:2])'
  const { stdout, stderr, failed, code } = await execa(python, ['-c', probe], { reject: false })
  if (code === 'ENOENT') throw new UserError(`${python} is not installed: ${needs}. Install it, or set PYTHON to one.`)
  if (failed)
    throw new UserError(
      `${python} cannot make virtual environments: ${needs}. On Debian: apt install python3-venv.\n${stderr}`,
    )
  const [major = 0, minor = 0] = stdout.split(' ').map(Number)
  if (major !== OLDEST_PYTHON[0] || minor < OLDEST_PYTHON[1]) {
    throw new UserError(`${python} is Python ${major}.${minor}: ${needs}. Install a newer one, or set PYTHON to one.`)
  }
  return python
}
