import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { resolve } from 'node:path'
import { execa } from 'execa'
import { parse } from 'yaml'
import { GEN_AI, OTHER } from '../vocabulary/attributes.ts'
import type { Caller } from '../workbench/collector.ts'
import { UserError } from '../workbench/user-error.ts'
import { build, type Programs, type Recipes } from './native.ts'
import type { Span } from './queries.ts'
import { senderEnvironment } from './receiver-options.ts'
import { pick } from './service.ts'
import { ROOT, type Settings, url } from './settings.ts'

const FOLDER = resolve(ROOT, 'examples')

/** What `make examples` finds of an example; the first lines of examples/expect.yaml explain each key. */
export type Expected = Readonly<{
  call: Readonly<Record<string, string>>
  calls: number
  agents: readonly string[]
}>

export const expectations: Readonly<Record<string, Expected>> = parse(
  readFileSync(resolve(FOLDER, 'expect.yaml'), 'utf8'),
)

/** The names of all examples: one folder each. */
export const EXAMPLES: readonly string[] = readdirSync(FOLDER, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .sort()

/** The name of an example's service, and of its project in Phoenix. */
export const serviceOf = (name: string): string => `example-${name}`

/** Each example asks three questions, and each of them is one trace. The last one fails. */
export const RUNS = 3

/** The program of an example, and how its packages are installed. Its first package is the SDK itself. */
export function exampleOf(name: string): Readonly<{ file: string; recipe: Recipes[string] }> {
  if (!EXAMPLES.includes(name))
    throw new UserError(
      `NAME=${name || '(empty)'} is not an example. There are ${EXAMPLES.join(', ')}. Write for example: make example NAME=${EXAMPLES[0]}.`,
    )
  const [python, node] = ['agent.py', 'agent.ts'].map((file) => resolve(FOLDER, name, file))
  if (python && existsSync(python)) {
    const requirements = `examples/${name}/requirements.txt`
    const [, first = ''] = /^([\w.-]+)==/m.exec(readFileSync(resolve(ROOT, requirements), 'utf8')) ?? []
    return { file: python, recipe: { package: first, requirements, oldestPython: '3.11' } }
  }
  const { dependencies } = JSON.parse(readFileSync(resolve(FOLDER, name, 'package.json'), 'utf8'))
  return { file: node ?? '', recipe: { package: Object.keys(dependencies)[0] ?? '', npm: `examples/${name}` } }
}

/** Installs what the examples need and is not there yet, one after the other. */
export async function install(settings: Settings, names: readonly string[], options: Caller): Promise<Programs> {
  const recipes = Object.fromEntries(names.map((name) => [serviceOf(name), exampleOf(name).recipe])) as Recipes
  for (const name of Object.keys(recipes)) await build(settings, [name], options, recipes)
  return build(settings, Object.keys(recipes), options, recipes)
}

/**
 * Runs an example against the model server and the Collector of this stack, and shows what it says. `run` marks its telemetry.
 * Throws `UserError` when it fails.
 */
export async function runExample(
  settings: Settings,
  { name, run, programs }: Readonly<{ name: string; run: string; programs: Programs }>,
  { cancel, say }: Caller,
): Promise<void> {
  const { file } = exampleOf(name)
  const program = programs(serviceOf(name))
  const [command, args] = file.endsWith('.py')
    ? [program, [file]]
    : [process.execPath, [besidePackages(settings, name, program)]]
  const result = await execa(command, args, {
    cwd: ROOT,
    env: {
      ...pick(settings.env, ['PATH', 'HOME', 'TMPDIR', 'LANG', 'SSL_CERT_FILE', 'VLLM_MODEL', 'VLLM_API_KEY']),
      ...senderEnvironment(settings),
      VLLM_BASE_URL: modelServer(settings),
      OTEL_RESOURCE_ATTRIBUTES: `${OTHER.SERVICE_INSTANCE}=${run}`,
      PYTHONWARNINGS: 'ignore',
    },
    extendEnv: false,
    all: true,
    reject: false,
    cancelSignal: cancel,
    timeout: 300_000,
  })
  cancel.throwIfAborted()
  for (const line of result.all.trim().split('\n')) say(`  ${line}`)
  if (result.failed) throw new UserError(`the example ${name} failed: ${result.shortMessage}`)
}

/** Node looks for packages beside the program, so a program and a link to its packages are put in a folder of their own. */
function besidePackages(settings: Settings, name: string, packages: string): string {
  const folder = resolve(settings.state, 'examples', name)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const file of ['agent.ts', 'package.json']) copyFileSync(resolve(FOLDER, name, file), resolve(folder, file))
  symlinkSync(packages, resolve(folder, 'node_modules'))
  return resolve(folder, 'agent.ts')
}

export const modelServer = (settings: Settings): string =>
  settings.env.VLLM_BASE_URL || url(settings, 'VLLM_PORT', '/v1')

/** The model calls among spans, by the mark of the SDK. */
export const callsOf = (spans: readonly Span[], { call }: Expected): readonly Span[] =>
  spans.filter(({ attributes }) => Object.entries(call).every(([key, value]) => attributes[key] === value))

/** What the boards and policies need on each model call and lack, in words. `model` is the one that answers. */
export function lacks(spans: readonly Span[], expected: Expected, model: string): string[] {
  const calls = callsOf(spans, expected)
  const answered = calls.filter(({ error }) => !error)
  const [traces, failed] = [new Set(spans.map(({ traceId }) => traceId)).size, calls.length - answered.length]
  const wrong: string[] = []
  if (traces !== RUNS) wrong.push(`${traces} traces, not ${RUNS}`)
  if (calls.length !== expected.calls) wrong.push(`${calls.length} model calls, not ${expected.calls}`)
  if (failed !== 1) wrong.push(`${failed} failed model calls, not 1`)

  const need = (key: string, among: readonly Span[], fits: (value: unknown) => boolean) => {
    const bad = among.flatMap(({ attributes }) => (fits(attributes[key]) ? [] : [String(attributes[key] ?? 'missing')]))
    if (bad.length > 0) wrong.push(`${key} is ${[...new Set(bad)].join(', ')} on ${bad.length} model calls`)
  }
  const counted = (value: unknown) => Number(value) > 0
  need(GEN_AI.OPERATION, calls, (value) => value === 'chat')
  need(GEN_AI.AGENT, calls, (value) => expected.agents.includes(String(value)))
  need(GEN_AI.REQUEST_MODEL, answered, (value) => value === model)
  need(GEN_AI.INPUT_TOKENS, answered, counted)
  need(GEN_AI.OUTPUT_TOKENS, answered, counted)
  return wrong
}
