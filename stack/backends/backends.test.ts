import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { matchesGlob, resolve } from 'node:path'
import { test } from 'node:test'
import { execa } from 'execa'
import { parse } from 'yaml'
import { UserError } from '../../workbench/user-error.ts'
import { servicesIn } from '../compose-tiers.ts'
import { composeEnvironment } from '../docker.ts'
import { readRecipes } from '../native.ts'
import { ROOT, readSettings, type Settings } from '../settings.ts'
import { BACKENDS, chosenBackends, collectorFile, exporterOf, refuseMissing, running, served } from './backends.ts'
import { otlp } from './otlp.ts'

/** The files that may name a backend, and why. All other code loops over the records of backends. */
const NAMED_IN: readonly (readonly [glob: string, why: string])[] = [
  ['stack/backends/*.ts', 'these are the records'],
  ['stack/settings.ts', 'each port has a variable of its own, as .env names it'],
  ['stack/queries.ts', 'it holds the questions to the data sources of boards and tests, each in its own language'],
  ['stack/services.ts', 'Grafana is told where its source of traces is'],
  ['stack/**/viewer.ts', 'the viewer takes the place of Grafana, so it has the same source of traces'],
  ['stack/**/explain.ts', 'it explains a trace that the source of traces has'],
  ['stack/inspect/*.ts', 'it reads kept traces where they are stored, and asks what people see of them'],
  ['stack/**/leak.ts', 'it asks whether messages are shown where people read them'],
  ['stack/**/bench.ts', 'it measures the two that ship by default, and says so in its table'],
  ['stack/**/stand-ins.ts', 'it makes an image for each'],
  ['stack/**/rehearse.ts', 'it rehearses the three that run in containers'],
  ['workbench/forecast.ts', 'it forecasts the disk of the two that ship by default'],
  ['workbench/report.ts', 'it prints that forecast'],
  ['stack/**/example.ts', 'it asks the two that ship by default what they have of an example'],
  ['evidence/**/verdicts.ts', 'it tests that messages are shown where people read them'],
  ['evidence/**/keys.ts', 'the maker of one gives its keys the name'],
  ['evidence/**/used.ts', 'an SDK of the same maker begins the keys of its attributes with the name'],
  ['stack/**/evaluate.ts', 'it says where an evaluation is seen'],
  ['phoenix/*.ts', 'it talks to Phoenix about prices and evaluations'],
  ['grafana/source/**', 'boards ask their source of traces, and lead to Phoenix'],
  ['viewer/**', 'it draws what that source answers'],
  ['sim/last-turn.ts', 'an agent may read its last turn, in the source of traces'],
  ['sim/{config,main}.ts', 'the address of that source is an option'],
  ['**/*.test.ts', 'a test says what one backend must show'],
  ['test/dialect-cases.ts', 'Langfuse is an SDK, too, and has cases'],
]

/** `otlp` is also the name of the protocol, so it is everywhere. */
const words = BACKENDS.filter(({ id }) => id !== otlp.id).map(({ id }) => id)
/** "temporary" and "temporality" are other words. */
const NAME = new RegExp(`(?:${words.join('|')})(?!ra)`, 'i')

/** A file without its comments and without the links in its strings. */
const codeOf = (text: string) =>
  text
    .replace(/https?:\/\/[^\s'"`]+/g, '')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|\s)\/\/.*/g, '')

test('backends are named in the files of a committed list and nowhere else', async () => {
  const { stdout } = await execa('git', ['ls-files', '*.ts', '*.tsx', '*.mts'], { cwd: ROOT })
  const naming = stdout.split('\n').filter((file) => NAME.test(codeOf(readFileSync(resolve(ROOT, file), 'utf8'))))
  const isListed = (file: string) => NAMED_IN.some(([glob]) => matchesGlob(file, glob))
  assert.deepEqual(
    naming.filter((file) => !isListed(file)),
    [],
    'a record in stack/backends/ can hold what these need to know',
  )
  const unused = NAMED_IN.filter(([glob]) => !naming.some((file) => matchesGlob(file, glob)))
  assert.deepEqual(unused, [], 'remove these from the list')
})

test('the name of a backend is found in code, and not in a comment, a link or another word', () => {
  for (const code of ["ask('tempo')", 'tempoSearch(settings)', 'const LANGFUSE_HOST = 1', '`$' + '{url}/phoenix/x`'])
    assert.match(codeOf(code), NAME)
  for (const code of [
    '// Tempo is asked',
    '  a() // as Jaeger does',
    '/** Phoenix\n * and Tempo */',
    "see('https://github.com/grafana/tempo/issues/1')",
    'aggregationTemporality: 2',
    'temporary()',
  ])
    assert.doesNotMatch(codeOf(code), NAME)
})

test('each backend has one collector file of its id, with its own pipelines and its own exporter, and no extension', () => {
  const files = readdirSync(resolve(ROOT, 'collector/backends'))
  assert.deepEqual(files.sort(), BACKENDS.map(({ id }) => `${id}.yaml`).sort())
  for (const backend of BACKENDS) {
    const text = readFileSync(resolve(ROOT, collectorFile(backend)), 'utf8')
    const { exporters, processors = {}, service, ...rest } = parse(text)
    assert.deepEqual(
      Object.keys(rest),
      [],
      `${backend.id}: its file may have processors, exporters and a service, and nothing else`,
    )
    assert.deepEqual(Object.keys(exporters), [exporterOf(backend.id)])
    // With another name, it would change a processor of config.yaml or of another backend.
    for (const name of Object.keys(processors)) assert.match(name, new RegExp(`^(filter|transform)/${backend.id}$`))
    assert.deepEqual(
      Object.keys(service),
      ['pipelines'],
      `${backend.id}: its list of extensions would replace the shared one`,
    )
    for (const [name, pipeline] of Object.entries(service.pipelines)) {
      const [signal = '', id] = name.split('/')
      assert.equal(id, backend.id)
      const receivers = {
        traces: ['forward/stored'],
        metrics: ['forward/agents', 'forward/counted'],
        logs: ['forward/logs'],
      }[signal]
      // A filter is for every signal that it names, a transform for the traces.
      const own = Object.entries(processors).flatMap(([processor, settings]) =>
        signal === 'traces' || signal in (settings as object) ? [processor] : [],
      )
      assert.deepEqual(pipeline, {
        receivers,
        ...(own.length > 0 ? { processors: own } : {}),
        exporters: [exporterOf(backend.id)],
      })
    }
    const { sending_queue: queue, retry_on_failure: retry } = exporters[exporterOf(backend.id)]
    assert.equal(queue.storage, 'file_storage')
    assert.equal(retry.max_elapsed_time, 0, `${backend.id}: the exporter must retry without a time limit`)
    assert.match(text, new RegExp(`\\$\\{env:${backend.endpointVariable}\\b`))
  }
})

test('docker-compose.yml hands the collector every variable that a record tells it', () => {
  const services = servicesIn()
  for (const { id, needs, environment } of BACKENDS) {
    const { env, ...shipped } = readSettings(resolve(ROOT, '.stack-of-no-test'))
    for (const name of Object.keys(environment({ ...shipped, env: { ...env, ...needs } })))
      assert.ok(name in (services.collector?.environment ?? {}), `${name} of ${id} is missing in the service collector`)
  }
})

test('each backend that runs here has a recipe and a service in docker-compose.yml behind a profile of its id', () => {
  const recipes = readRecipes('stack/native/recipes.yaml')
  const services = servicesIn()
  for (const { id, server } of served(BACKENDS)) assert.ok(recipes[server.recipe], id)
  for (const id of running(BACKENDS)) {
    assert.deepEqual(services[id]?.profiles, [id])
    assert.equal(services.collector?.depends_on?.[id]?.required, false, `the collector starts without ${id}`)
  }
})

test('a backend that hands on to another one is refused without it', () => {
  assert.deepEqual(chosen({ BACKENDS: 'annotations,phoenix' }), ['annotations', 'phoenix'])
  refused(
    { BACKENDS: 'tempo,annotations' },
    /^BACKENDS=tempo,annotations: annotations hands on to phoenix, so it needs it\. Write BACKENDS=tempo,annotations,phoenix\.$/,
  )
})

const IDS = BACKENDS.map(({ id }) => id).join(', ')

const settingsWith = (env: Readonly<Record<string, string>>): Settings => {
  const shipped = readSettings(resolve(ROOT, '.stack-of-no-test'))
  return { ...shipped, env: { ...shipped.env, ...env } }
}
const chosen = (env: Readonly<Record<string, string>>) => chosenBackends(settingsWith(env)).map(({ id }) => id)
const refused = (env: Readonly<Record<string, string>>, message: RegExp) =>
  assert.throws(
    () => chosen(env),
    (error) => {
      assert.ok(error instanceof UserError)
      assert.match(error.message, message)
      return true
    },
  )

test('BACKENDS names some of the backends, in any order, each once', () => {
  assert.deepEqual(chosen({ BACKENDS: 'jaeger, tempo' }), ['jaeger', 'tempo'])
  refused(
    { BACKENDS: 'tempo,zipkin' },
    new RegExp(`^BACKENDS=tempo,zipkin: there is no backend "zipkin"\\. There are ${IDS}\\.`),
  )
  refused({ BACKENDS: 'tempo,phoenix,tempo' }, /^BACKENDS=tempo,phoenix,tempo names tempo twice/)
  refused({ BACKENDS: '' }, new RegExp(`^BACKENDS is empty: .*There are ${IDS}\\.$`))
  refused({ BACKENDS: 'tempo,' }, /^BACKENDS=tempo,: there is no backend ""/)
})

test('a backend that is chosen and lacks a variable is refused at a start, and only there', () => {
  const lacks = (env: Readonly<Record<string, string>>, message: RegExp) => {
    assert.ok(chosen(env).length > 0)
    assert.throws(() => refuseMissing(settingsWith(env)), message)
    assert.doesNotThrow(() => composeEnvironment(settingsWith(env)))
  }
  lacks({ BACKENDS: 'tempo,langfuse' }, /^Error: LANGFUSE_HOST is not set, and the backend langfuse needs it: export /)
  lacks({ BACKENDS: 'otlp' }, /^Error: OTLP_BACKEND_ENDPOINT is not set, and the backend otlp needs it: export /)
})

test('Jaeger sends no traces of its own, which would come to our Collector', () => {
  const { extensions } = parse(readFileSync(resolve(ROOT, 'stack/backends/jaeger.yaml'), 'utf8'))
  assert.equal(extensions.jaeger_query.enable_tracing, false)
})
