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
import { parse, stringify } from 'yaml'
import type { Caller } from '../workbench/collector.ts'
import { UserError } from '../workbench/user-error.ts'
import { ROOT, type Settings } from './settings.ts'

/** How a program of the native boot is built. `stack/native/recipes.yaml` explains each key. */
type GoRecipe = Readonly<{
  version: string
  source: string
  /** Output binary → Go package. */
  packages: Readonly<Record<string, string>>
  tags?: string
  ldflags: string
  /** The arguments of a first `go` command, which generates the rest of the sources. */
  generate?: string
  /** The manifest whose lists the one of `source` makes longer. */
  extends?: string
}>
type PythonRecipe = Readonly<{
  /** The package with the program; `requirements` locks its version. */
  package: string
  requirements: string
  oldestPython: string
}>
type NodeRecipe = Readonly<{
  /** The package with the version to show. */
  package: string
  /** The folder with `package.json` and `package-lock.json`. */
  npm: string
}>
type Recipe = GoRecipe | PythonRecipe | NodeRecipe
export type Recipes = Readonly<Record<string, Recipe>>

/**
 * The path of a built program, by the name of its binary. By the name of its recipe, for Python the path of the interpreter,
 * and for Node the folder with the packages.
 */
export type Programs = (name: string) => string

/** Reads a file of recipes. */
export const readRecipes = (file: string): Recipes => parse(readFileSync(resolve(ROOT, file), 'utf8')).programs

export const SHIPPED = readRecipes('stack/native/recipes.yaml')
const CLOCK_MS = 20_000
const isGo = (recipe: Recipe): recipe is GoRecipe => 'packages' in recipe
const isNode = (recipe: Recipe): recipe is NodeRecipe => 'npm' in recipe
const isPython = (recipe: Recipe): recipe is PythonRecipe => 'requirements' in recipe
const NPM_FILES = ['package.json', 'package-lock.json']

/** All clones of a user share the built programs. The name of a folder has a digest of what its content was built from. */
const cache = (env: Settings['env']) =>
  resolve(env.XDG_CACHE_HOME || resolve(homedir(), '.cache'), 'thousand-token-wood')

/**
 * Builds the programs of these recipes that are missing, and returns the paths of all. Each is built once for each user and
 * definition. Throws `UserError` when a tool is missing or too old, or a build fails.
 */
export async function build(
  settings: Settings,
  names: readonly string[],
  options: Caller,
  recipes: Recipes = SHIPPED,
): Promise<Programs> {
  const parts = partsOf(settings, names, recipes)
  const missing = parts.filter(isMissing)
  const goParts = missing.filter(isGoPart)
  const pythonParts = missing.filter(isPythonPart)
  const nodeParts = missing.filter((part): part is Part<NodeRecipe> => isNode(part.recipe))
  const compiled = async () => {
    if (goParts.length > 0) await checkGo(goParts)
    // On a small machine, one compiler at a time: two are not faster and need more memory.
    const lanes = availableParallelism() >= 4 ? goParts.map((part) => [part]) : [goParts]
    const buildLane = async (lane: readonly Part<GoRecipe>[]) => {
      for (const part of lane) await buildGo(settings, part, options)
    }
    // The network is idle while the first one compiles, so fetch the modules of the others at that time.
    const fetching = lanes.length === 1 ? fetchModules(settings, goParts.slice(1), options) : Promise.resolve()
    await Promise.all([fetching, ...lanes.map(buildLane)])
  }
  await Promise.all([
    compiled(),
    ...pythonParts.map((part) => buildPython(settings, part, options)),
    ...nodeParts.map((part) => buildNode(settings, part, options)),
  ])
  const paths = new Map(parts.flatMap(binariesOf))
  return (name) => {
    const path = paths.get(name)
    if (!path) throw new Error(`${name} was not built; these programs were: ${[...paths.keys()].join(', ')}`)
    return path
  }
}

type Part<R extends Recipe = Recipe> = Readonly<{ name: string; recipe: R; folder: string }>

const partsOf = (settings: Settings, names: readonly string[], recipes: Recipes): readonly Part[] =>
  names.map((name) => {
    const recipe = recipes[name]
    if (!recipe) throw new Error(`there is no recipe ${name}`)
    return { name, recipe, folder: folderOf(settings, name, recipe) }
  })

const isMissing = ({ folder }: Part) => !existsSync(folder)
const isGoPart = (part: Part): part is Part<GoRecipe> => isGo(part.recipe)
const isPythonPart = (part: Part): part is Part<PythonRecipe> => isPython(part.recipe)

/** Why these programs cannot be built here, if they are not built yet: for each tool that is missing or too old, what to do. */
export async function toolsLacking(
  settings: Settings,
  names: readonly string[],
): Promise<Readonly<{ go: string | undefined; python: string | undefined }>> {
  const missing = partsOf(settings, names, SHIPPED).filter(isMissing)
  const [goParts, [python]] = [missing.filter(isGoPart), missing.filter(isPythonPart)]
  const lack = (check: Promise<unknown>) =>
    check.then(
      () => undefined,
      (error: Error) => error.message,
    )
  return {
    go: goParts.length > 0 ? await lack(checkGo(goParts)) : undefined,
    python: python && (await lack(findPython(python.name, python.recipe))),
  }
}

const binariesOf = ({ name, recipe, folder }: Part): readonly (readonly [string, string])[] =>
  isGo(recipe)
    ? Object.keys(recipe.packages).map((binary) => [binary, resolve(folder, binary)] as const)
    : [[name, resolve(folder, isNode(recipe) ? 'node_modules' : 'bin/python')]]

/** Whether this program was built for this user, from its present definition. */
export const isBuilt = (settings: Settings, name: string): boolean => {
  const recipe = SHIPPED[name]
  return recipe !== undefined && existsSync(folderOf(settings, name, recipe))
}

const versionIn = (recipe: Recipe): string => {
  if (isGo(recipe)) return recipe.version
  if (isNode(recipe)) {
    const { dependencies } = JSON.parse(readFileSync(resolve(ROOT, recipe.npm, 'package.json'), 'utf8'))
    return String(dependencies[recipe.package])
  }
  const locked = readFileSync(resolve(ROOT, recipe.requirements), 'utf8')
  return new RegExp(`^${recipe.package}==(\\S+)`, 'm').exec(locked)?.[1] ?? ''
}

function folderOf(settings: Settings, name: string, recipe: Recipe): string {
  const machine = [platform(), arch()]
  const read = (file: string) => readFileSync(file, 'utf8')
  const content = isGo(recipe)
    ? [
        JSON.stringify(recipe),
        ...machine,
        ...readdirSync(resolve(ROOT, recipe.source))
          .filter((file) => !file.endsWith('.md'))
          .sort()
          .map((file) => read(resolve(ROOT, recipe.source, file))),
        ...(recipe.extends ? [read(resolve(ROOT, recipe.extends))] : []),
      ]
    : isNode(recipe)
      ? [...NPM_FILES.map((file) => read(resolve(ROOT, recipe.npm, file))), ...machine]
      : [read(resolve(ROOT, recipe.requirements)), ...machine]
  return resolve(cache(settings.env), `${name}-${versionIn(recipe)}-${digest(content)}`)
}

/** The version of a program that the native boot builds. */
export function versionOf(name: string): string {
  const recipe = SHIPPED[name]
  if (!recipe) throw new Error(`there is no recipe ${name}`)
  return versionIn(recipe)
}

const MANIFEST = 'manifest.yaml'

/** A manifest of the builder with the components of both files. */
function longer(manifest: string, more: string): unknown {
  const [base, added] = [manifest, more].map((file) => parse(readFileSync(resolve(ROOT, file), 'utf8')))
  return { ...base, ...Object.fromEntries(Object.keys(added).map((key) => [key, [...base[key], ...added[key]]])) }
}

const digest = (texts: readonly string[]) =>
  createHash('sha256').update(texts.join('\u0000')).digest('hex').slice(0, 12)

const go = (cwd: string, args: readonly string[]): Step => ({
  file: 'go',
  args,
  cwd,
  env: { CGO_ENABLED: '0', GOFLAGS: '-mod=readonly -buildvcs=false', GOWORK: 'off' },
})

async function buildGo(settings: Settings, { name: part, recipe, folder }: Part<GoRecipe>, options: Caller) {
  const { version, source, packages, tags, ldflags, generate, extends: manifest } = recipe
  await inScratch(settings, folder, async (scratch) => {
    const work = resolve(scratch, 'source')
    cpSync(resolve(ROOT, source), work, { recursive: true })
    if (manifest) writeFileSync(resolve(work, MANIFEST), stringify(longer(manifest, resolve(source, MANIFEST))))
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

/** `go list` of the packages of a program downloads the modules that they need, and no others. What is generated has no packages yet. */
async function fetchModules(settings: Settings, parts: readonly Part<GoRecipe>[], options: Caller): Promise<void> {
  for (const { name, recipe } of parts.filter(({ recipe }) => !recipe.generate)) {
    const { source, packages, tags } = recipe
    const list = ['list', '-deps', ...(tags ? [`-tags=${tags}`] : []), ...Object.values(packages)]
    await command(settings, `${name}-build`, go(resolve(ROOT, source), list), options)
  }
}

async function buildPython(settings: Settings, { name, recipe, folder }: Part<PythonRecipe>, options: Caller) {
  const python = await findPython(name, recipe)
  await inScratch(settings, folder, (scratch) =>
    timed(`installing ${name} ${versionIn(recipe)}, once for this user`, options, async () => {
      const run = (file: string, args: readonly string[]) =>
        command(settings, `${name}-build`, { file, args, cwd: ROOT, env: {} }, options)
      const install = ['-m', 'pip', 'install', '--quiet', '--no-input', '--no-compile', '-r']
      await run(python, ['-m', 'venv', scratch])
      await run(resolve(scratch, 'bin/python'), [...install, resolve(ROOT, recipe.requirements)])
    }),
  )
}

async function buildNode(settings: Settings, { name, recipe, folder }: Part<NodeRecipe>, options: Caller) {
  const { failed } = await execa('npm', ['--version'], { reject: false })
  if (failed) throw new UserError(`npm is not installed: ${name} needs it. Install Node.js from nodejs.org.`)
  await inScratch(settings, folder, (scratch) =>
    timed(`installing ${name} ${versionIn(recipe)}, once for this user`, options, async () => {
      for (const file of NPM_FILES) cpSync(resolve(ROOT, recipe.npm, file), resolve(scratch, file))
      const args = ['ci', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error']
      await command(settings, `${name}-build`, { file: 'npm', args, cwd: scratch, env: {} }, options)
    }),
  )
}

/** Makes a folder of the cache completely or not at all. Its content is moved once, so it must not depend on its path. */
async function inScratch(settings: Settings, folder: string, make: (scratch: string) => Promise<void>): Promise<void> {
  mkdirSync(cache(settings.env), { recursive: true })
  const scratch = mkdtempSync(`${folder}.making-`)
  try {
    await make(scratch)
    if (existsSync(folder)) return // Another clone built it in the meantime.
    renameSync(scratch, folder)
  } finally {
    // After Ctrl-C, what pip or go had started may write for some seconds more.
    rmSync(scratch, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
  }
}

async function timed(what: string, { say }: Caller, work: () => Promise<void>): Promise<void> {
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
  { cancel }: Caller,
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
  throw new UserError(`${[file, ...args.slice(0, 3)].join(' ')} … failed:\n${last}\nThe whole output: ${log}`)
}

async function checkGo(parts: readonly Part<GoRecipe>[]): Promise<void> {
  const { stdout, failed } = await execa('go', ['env', 'GOVERSION'], { reject: false })
  const goIn = ({ recipe }: Part<GoRecipe>) =>
    /^go (\S+)/m.exec(readFileSync(resolve(ROOT, recipe.source, 'go.mod'), 'utf8'))?.[1] ?? '0'
  const wanted = parts.map(goIn).sort(byVersion).at(-1) ?? '0'
  const why = `${parts.map(({ name }) => name).join(', ')} must be built once; that needs Go ${wanted} or newer`
  if (failed)
    throw new UserError(
      `Go is not installed: ${why}. Install it from go.dev/dl, or start Docker and run make up again.`,
    )
  const found = stdout.replace(/^go/, '')
  if (byVersion(found, wanted) < 0)
    throw new UserError(`Go ${found} is too old: ${why}. Install a newer one from go.dev/dl.`)
}

const byVersion = (a: string, b: string) => a.localeCompare(b, 'en', { numeric: true })

/** The Python for a virtual environment: `PYTHON`, or else `python3`. */
async function findPython(name: string, { oldestPython }: PythonRecipe): Promise<string> {
  const python = process.env.PYTHON || 'python3'
  const needs = `${name} needs Python ${oldestPython} or newer with the venv module`
  const probe = 'import sys, venv, ensurepip; print("%d.%d" % sys.version_info[:2])'
  const { stdout, stderr, failed, code } = await execa(python, ['-c', probe], { reject: false })
  if (code === 'ENOENT') throw new UserError(`${python} is not installed: ${needs}. Install it, or set PYTHON to one.`)
  if (failed)
    throw new UserError(
      `${python} cannot make virtual environments: ${needs}. On Debian: apt install python3-venv.\n${stderr}`,
    )
  if (byVersion(stdout, oldestPython) < 0)
    throw new UserError(`${python} is Python ${stdout}: ${needs}. Install a newer one, or set PYTHON to one.`)
  return python
}
