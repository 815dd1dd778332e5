import { randomBytes } from 'node:crypto'
import { spanKey } from '../../evidence/drills/balance.ts'
import { exploreFixed } from '../../grafana/source/links.ts'
import { GEN_AI, OTHER } from '../../vocabulary/attributes.ts'
import type { Caller } from '../../workbench/collector.ts'
import { UserError } from '../../workbench/user-error.ts'
import { waitFor } from '../../workbench/wait.ts'
import { chosenBackends, served } from '../backends/backends.ts'
import {
  callsOf,
  EXAMPLES,
  exampleOf,
  expectations,
  install,
  lacks,
  modelServer,
  RUNS,
  runExample,
  serviceOf,
} from '../examples.ts'
import { eventually, ownSettings, startStack } from '../own-stack.ts'
import { shippedAndTheRest, THE_REST } from '../policy.ts'
import { isFree } from '../ports.ts'
import { phoenixSpans, prometheus, type Span, tempoSearch, tempoTrace } from '../queries.ts'
import { hasGrafana } from '../remembered.ts'
import { type Settings, url } from '../settings.ts'

/** A trace is judged some seconds after its root has ended, and then stored. */
const PATIENCE_MS = 30_000
/** The traces of one run are stored within a few seconds; after this long without another one, there are no more. */
const QUIET_MS = 6_000

const newRun = (name: string) => `${name}-${randomBytes(4).toString('hex')}`

/** The traces of a run that are stored, by their ids. */
async function tracesOf(settings: Settings, run: string): Promise<ReadonlyMap<string, readonly Span[]>> {
  const found = await tempoSearch(settings, `{ resource.${OTHER.SERVICE_INSTANCE} = "${run}" }`)
  const ids = found.map(({ traceID }) => traceID.padStart(32, '0'))
  return new Map(await Promise.all(ids.map(async (id) => [id, await tempoTrace(settings, id)] as const)))
}

/** Runs one example against the running stack, and says where it is seen. Throws `UserError` when the stack is not up. */
export async function example(settings: Settings, name: string, { cancel, say }: Caller): Promise<void> {
  exampleOf(name) // Refuses a name that no example has, before anything is asked or installed.
  await refuseMissingStack(settings)
  const programs = await install(settings, [name], { cancel, say })
  const run = newRun(name)
  say(`${name} asks ${RUNS} questions at ${modelServer(settings)}:`)
  await runExample(settings, { name, run, programs }, { cancel, say })

  const hasTempo = chosenBackends(settings).some(({ id }) => id === 'tempo')
  const traces = hasTempo ? await settled(() => tracesOf(settings, run), cancel) : new Map<string, readonly Span[]>()
  const spans = [...traces.values()].flat()
  say('')
  if (!hasTempo) say('BACKENDS has no tempo, so this does not say which of its traces are kept.')
  else if (traces.size === 0)
    say(
      `kept: none of ${RUNS} traces. The list in force keeps what failed, what was slow and one in ten of the rest. To keep all: make reload POLICY=collector/policies/keep-everything.yaml`,
    )
  else say(`kept: ${traces.size} of ${RUNS} traces with ${spans.length} spans; Prometheus counts all of them`)
  say(await links(settings, serviceOf(name), [...traces.keys()]))
  say(`What works for it and what is missing: make inspect SERVICE=${serviceOf(name)}`)
}

/** Asks until all traces are there, or until for some time no other one comes. */
async function settled<T>(look: () => Promise<ReadonlyMap<string, T>>, cancel: AbortSignal) {
  let last: ReadonlyMap<string, T> = new Map()
  let since = performance.now()
  const enough = async () => {
    const now = await look()
    if (now.size !== last.size) since = performance.now()
    last = now
    return now.size === RUNS || (now.size > 0 && performance.now() - since > QUIET_MS)
  }
  await waitFor(enough, { withinMs: PATIENCE_MS, everyMs: 500, cancel })
  return last
}

async function refuseMissingStack(settings: Settings): Promise<void> {
  const run = 'run make up first.'
  if (await isFree(settings.ports.OTLP_HTTP_PORT))
    throw new UserError(`nothing listens on ${url(settings, 'OTLP_HTTP_PORT')} (OTLP_HTTP_PORT, the Collector): ${run}`)
  const models = `${modelServer(settings)}/models`
  if (!(await fetch(models, { signal: AbortSignal.timeout(5000) }).catch(() => undefined)))
    throw new UserError(`nothing answers at ${models}, the model server: ${run}`)
}

async function links(settings: Settings, service: string, traces: readonly string[]): Promise<string> {
  const question = `{ resource.${OTHER.SERVICE_NAME} = "${service}" }`
  const has = (id: string) => chosenBackends(settings).some((backend) => backend.id === id)
  const inPhoenix = has('phoenix') ? traces : []
  const rows = [
    ['tokens', url(settings, 'PROMETHEUS_PORT', `/api/v1/query?query=${encodeURIComponent(tokensOf(service))}`)],
    ...(hasGrafana(settings) ? [['Explore', url(settings, 'GRAFANA_PORT', exploreFixed(question, 'search'))]] : []),
    ...(has('phoenix') ? [['Phoenix', url(settings, 'PHOENIX_PORT', await phoenixProject(settings, service))]] : []),
    ...inPhoenix.map((id) => ['', url(settings, 'PHOENIX_PORT', `/redirects/traces/${id}`)]),
    ...traces.map((id, index) => [index ? '' : 'Tempo', url(settings, 'TEMPO_PORT', `/api/v2/traces/${id}`)]),
  ]
  return rows.map(([what, where]) => `${what?.padEnd(9)}${where}`).join('\n')
}

/** What the Collector counted from the spans of a service. */
const tokensOf = (service: string) => `gen_ai_usage_tokens_total{service_name="${service}"}`

/** The page of a project, which Phoenix names by an id; without the project, the list of all. */
async function phoenixProject(settings: Settings, name: string): Promise<string> {
  const answer = await fetch(url(settings, 'PHOENIX_PORT', `/v1/projects/${name}`)).catch(() => undefined)
  if (!answer?.ok) return '/projects'
  const { data } = (await answer.json()) as { data: { id: string } }
  return `/projects/${encodeURIComponent(data.id)}`
}

/**
 * Runs examples against a stack of their own that keeps every trace, and holds what is stored to examples/expect.yaml.
 * Returns whether all are as expected.
 */
export async function examples(names: readonly string[], { cancel, say }: Caller): Promise<boolean> {
  for (const name of names) exampleOf(name)
  const settings = await ownSettings({ VLLM_PRESET: 'calm' }) // The mock's mistakes would change what an example does.
  const programs = await install(settings, names, { cancel, say })
  say('starting a stack of its own')
  // The shipped list must keep the failed run, and all runs are stored.
  const end = await startStack(settings, shippedAndTheRest(settings), [
    'tempo',
    'phoenix',
    'prometheus',
    'collector',
    'mock-vllm',
  ])
  try {
    const bad: string[] = []
    for (const name of names) {
      const run = newRun(name)
      const said: string[] = []
      try {
        await runExample(settings, { name, run, programs }, { cancel, say: (line) => said.push(line) })
        say(`ok   ${name.padEnd(14)} ${await held(settings, { name, run }, cancel)}`)
      } catch (error) {
        cancel.throwIfAborted()
        bad.push(name)
        say(`BAD  ${name.padEnd(14)} ${(error as Error).message}\n${said.join('\n')}`)
      }
    }
    say(
      bad.length > 0
        ? `not as expected: ${bad.join(', ')}`
        : `${names.length} of ${EXAMPLES.length} examples are as expected`,
    )
    return bad.length === 0
  } finally {
    await end()
  }
}

type Played = Readonly<{ name: string; run: string }>

/** Holds what is stored of one run to what is expected, and says what it is. Throws when it is something else. */
async function held(settings: Settings, { name, run }: Played, cancel: AbortSignal): Promise<string> {
  const expected = expectations[name]
  if (!expected) throw new Error('examples/expect.yaml has no entry for it')
  const model = settings.env.VLLM_MODEL || 'Qwen/Qwen2.5-3B-Instruct'
  const patience = PATIENCE_MS / 1000

  const spans = await eventually(
    async () => {
      const traces = await tracesOf(settings, run)
      const all = [...traces.values()].flat()
      const wrong = lacks(all, expected, model)
      if (wrong.length > 0) throw new Error(wrong.join('; '))
      return all
    },
    patience,
    cancel,
  )
  const keys = spans.map(({ traceId, spanId }) => spanKey(traceId, spanId))
  for (const { title, server } of served(chosenBackends(settings))) {
    const stored = server.stored(settings)
    await eventually(
      async () => {
        const copies = await stored(keys)
        const missing = keys.filter((key) => copies.get(key) !== 1)
        if (missing.length > 0) throw new Error(`${title} does not hold ${missing.length} of ${keys.length} spans once`)
      },
      patience,
      cancel,
    )
  }
  const project = await phoenixSpans(settings, serviceOf(name))
  if (project.length !== spans.length)
    throw new Error(`the project ${serviceOf(name)} in Phoenix has ${project.length} spans, not ${spans.length}`)

  const calls = callsOf(spans, expected)
  const failed = calls.find(({ error }) => error)?.traceId
  const policy = spans.find(({ traceId, scope }) => traceId === failed && scope['tailsampling.policy'])?.scope
  const keeper = String(policy?.['tailsampling.policy'] ?? 'no policy')
  const agents = [...new Set(calls.map(({ attributes }) => attributes[GEN_AI.AGENT]))].join(', ')
  if (keeper === THE_REST || keeper.startsWith('sample'))
    throw new Error(`the run that failed would be lost: ${keeper} kept it, and no policy for failures`)
  const tokens = await counted(settings, name, calls)
  return `${RUNS} traces, ${spans.length} spans in Tempo and Phoenix; ${calls.length} model calls by ${agents}; ${tokens} tokens counted; the failed run was kept by ${keeper}`
}

/** The tokens that the Collector counted, which must be those on the spans. */
async function counted(settings: Settings, name: string, calls: readonly Span[]): Promise<number> {
  const sum = (key: string) => calls.reduce((total, { attributes }) => total + Number(attributes[key] ?? 0), 0)
  const sent = sum(GEN_AI.INPUT_TOKENS) + sum(GEN_AI.OUTPUT_TOKENS)
  return eventually(async () => {
    const query = `sum(gen_ai_usage_tokens_total{service_name=~"${serviceOf(name)}(-.+)?",gen_ai_token_type=~"input|output"})`
    const [total] = await prometheus(settings, query)
    if (total?.value !== sent) throw new Error(`Prometheus has ${total?.value ?? 'no'} tokens of it, not ${sent}`)
    return sent
  }, PATIENCE_MS / 1000)
}
