import assert from 'node:assert/strict'
import { appendFileSync, cpSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import type { IncomingHttpHeaders } from 'node:http'
import { delimiter, dirname, resolve } from 'node:path'
import { before, beforeEach, test } from 'node:test'
import { execa } from 'execa'
import { judgeCases, readCases } from '../evidence/cases.ts'
import { nanosOf, toAttributes, traceRequest } from '../otlp/json.ts'
import { postOtlp } from '../otlp/post.ts'
import { build } from '../stack/native.ts'
import { otlpSink } from '../stack/otlp-sink.ts'
import { ownFolder } from '../stack/own-folder.ts'
import { quiet } from '../stack/own-stack.ts'
import { freePorts } from '../stack/ports.ts'
import { startLimitMs } from '../stack/service.ts'
import { ROOT, readSettings, type Settings } from '../stack/settings.ts'
import { type Launcher, startCollector, withScratch } from '../workbench/collector.ts'

const MOST_FILES = 5

/** What each row of the table in CONTRIBUTING.md promises: its files, and the commands that write some of them. */
const rows = new Map(
  [...readFileSync(resolve(ROOT, 'CONTRIBUTING.md'), 'utf8').matchAll(/^\| ([a-z ]+) \| (.*`.*) \|$/gm)].map(
    ([, change = '', cell = '']) => {
      const quoted = [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text)
      const isCommand = (text: string) => text.startsWith('make ')
      return [change, { files: quoted.filter((text) => !isCommand(text)), commands: quoted.filter(isCommand) }]
    },
  ),
)

const copy = ownFolder()
let settings: Settings
let launcher: Launcher

/** Runs a program in the copy. A run of tests inside a run of tests must not know of it. */
const run = (file: string, ...args: readonly string[]) =>
  execa(file, args, {
    cwd: copy,
    env: {
      PATH: [resolve(ROOT, 'node_modules/.bin'), process.env.PATH].join(delimiter),
      NODE_TEST_CONTEXT: undefined,
      BOOT: 'native',
    },
    all: true,
    reject: false,
  })
const git = async (...args: readonly string[]) => {
  const { stdout, all, failed } = await run('git', ...args)
  assert.ok(!failed, all)
  return stdout
}

before(async () => {
  const { stdout } = await execa('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: ROOT })
  for (const file of stdout
    .split('\n')
    .filter((name) => lstatSync(resolve(ROOT, name), { throwIfNoEntry: false })?.isFile()))
    cpSync(resolve(ROOT, file), resolve(copy, file))
  symlinkSync(resolve(ROOT, 'node_modules'), resolve(copy, 'node_modules'))
  await git('init', '--quiet')
  // A link is no folder, so .gitignore does not name it.
  appendFileSync(resolve(copy, '.git/info/exclude'), 'node_modules\n')
  await git('add', '--all')
  await git(
    '-c',
    'user.name=a test',
    '-c',
    'user.email=test@localhost',
    '-c',
    'commit.gpgsign=false',
    'commit',
    '--quiet',
    '--message=as it is',
  )

  settings = readSettings(ownFolder())
  const program = (await build(settings, ['collector'], quiet))('otelcol-woodland')
  launcher = {
    ...quiet,
    freePorts,
    startLimitMs: startLimitMs(settings),
    collector: (_, overlays, env) => ({
      file: program,
      args: [
        ...['collector/config.yaml', ...overlays].flatMap((file) => ['--config', resolve(copy, file)]),
        `--feature-gates=${settings.env.COLLECTOR_FEATURE_GATES}`,
      ],
      env: { COLLECTOR_DIR: resolve(copy, 'collector'), ...env },
    }),
  }
})

beforeEach(async () => {
  await git('reset', '--quiet', '--hard')
  await git('clean', '--quiet', '--force', '-d')
})

const read = (file: string) => readFileSync(resolve(copy, file), 'utf8')
function write(file: string, text: string): void {
  mkdirSync(dirname(resolve(copy, file)), { recursive: true })
  writeFileSync(resolve(copy, file), text)
}
/** Puts text before an anchor, which must be in the file once. */
function insert(file: string, anchor: string, text: string): void {
  const parts = read(file).split(anchor)
  assert.equal(parts.length, 2, `${file} must hold ${JSON.stringify(anchor)} once: this test puts its lines before it`)
  write(file, parts.join(text + anchor))
}

async function passes(file: string, ...args: readonly string[]): Promise<void> {
  const { failed, all } = await run(file, ...args)
  assert.ok(!failed, `${[file, ...args].join(' ')}:\n${all?.split('failing tests:').at(-1)}`)
}
/** A change that is made half is noticed, and for the reason that it should be. */
async function fails(reason: RegExp, file: string, ...args: readonly string[]): Promise<void> {
  const { failed, all = '' } = await run(file, ...args)
  assert.ok(failed, `${[file, ...args].join(' ')} does not notice that half of the change is missing`)
  assert.match(all, reason)
}

/**
 * Runs the generators that the row names, then the checks: the types, the linter and these tests. Throws when a file
 * changed that the row does not name, or one that it names did not.
 */
async function isDone(change: string, name: string, ...tests: readonly string[]): Promise<void> {
  const { files, commands } = rows.get(change) ?? assert.fail(`CONTRIBUTING.md has no row for a new ${change}`)
  assert.ok(files.length <= MOST_FILES, `${files.length} files are more than ${MOST_FILES}`)
  for (const command of commands) {
    const recipe = new RegExp(`^${command.slice('make '.length)}:.*\n\t@(.*)$`, 'm').exec(read('Makefile'))?.[1]
    assert.ok(recipe, `the Makefile has no ${command}`)
    await passes('sh', '-c', recipe)
  }
  const changed = (await git('status', '--porcelain', '--untracked-files=all')).split('\n').map((line) => line.slice(3))
  assert.deepEqual(changed.sort(), files.map((file) => file.replace('NAME', name)).sort())
  await Promise.all([
    passes('tsc', '--project', '.'),
    passes('biome', 'check', '--error-on-warnings'),
    passes('tsx', '--test', ...tests),
  ])
}

test('every row of the table is tried here, and no other', () =>
  assert.deepEqual([...rows.keys()], ['policy', 'panel', 'kind of secret', 'backend', 'metric', 'agent']))

type Received = Readonly<{ headers: IncomingHttpHeaders; text: string }>

/** Sends one span through the collector of the copy, and answers what a backend is sent of it. */
async function received(
  backend: string,
  env: (url: string) => Readonly<Record<string, string>>,
  attributes: Readonly<Record<string, string>>,
): Promise<Received> {
  const { promise: first, resolve: take } = Promise.withResolvers<Received>()
  const server = await otlpSink((_, body, headers) => void take({ headers, text: body.toString('latin1') }))
  try {
    return await withScratch(async (folder) => {
      const collector = await startCollector(launcher, {
        folder,
        overlays: [`collector/backends/${backend}.yaml`],
        env: {
          POLICY_FILE: resolve(copy, 'collector/policies/keep-everything.yaml'),
          ...env(server.url),
        },
      })
      try {
        const [begin, end] = [nanosOf(Date.now() - 1000), nanosOf(Date.now())]
        const span = {
          traceId: '7'.repeat(32),
          spanId: '7'.repeat(16),
          name: 'chat',
          attributes: toAttributes(attributes),
        }
        const sent = await postOtlp(
          `${collector.otlp}/v1/traces`,
          traceRequest([{ ...span, startTimeUnixNano: begin, endTimeUnixNano: end }]),
        )
        assert.equal(sent.status, 200)
        return await first
      } finally {
        await collector.stop()
      }
    })
  } finally {
    server.close()
  }
}

test('a new policy', async () => {
  const name = 'a-call-for-a-tool-that-is-not-there-is-kept'
  const tool = (trace: string, error: string) =>
    `    - { trace: ${trace}, name: execute_tool check_weather, status: error, attributes: { gen_ai.operation.name: execute_tool, error.type: ${error} } }\n`
  write(
    `evidence/cases/${name}/traffic.yaml`,
    `- spans:\n${tool('it', 'unknown_tool')}${tool('other', 'bad_arguments')}${tool('both', 'unknown_tool')}${tool('both', 'parse_error')}`,
  )
  write(
    `evidence/cases/${name}/expect.yaml`,
    'traces:\n  it: { policy: keep-unknown-tools, spans: 1 }\n  other: { policy: keep-failed-agents-and-tools, spans: 1 }\n  both: { policy: keep-unknown-tools, spans: 2 }\n',
  )
  const before = read('collector/policies/woodland.yaml')
  insert(
    'collector/policies/woodland.yaml',
    '- name: keep-parse-errors\n',
    `# The model asked for a tool that does not exist.
- name: keep-unknown-tools
  type: ottl_condition
  ottl_condition:
    error_mode: ignore
    span:
      - span.attributes["error.type"] == "unknown_tool"

`,
  )
  insert(
    'workbench/classes.yaml',
    '- name: parse-error\n',
    `- name: unknown-tool
  type: string_attribute
  string_attribute: { key: error.type, values: [unknown_tool] }

`,
  )
  const cases = readCases(resolve(copy, 'evidence/cases')).filter((one) => one.name === name)
  const failures = await judgeCases(launcher, cases, [
    { name: 'without it', text: before },
    { name: 'with it', text: read('collector/policies/woodland.yaml') },
  ])
  assert.deepEqual(
    failures.get('without it')?.map(({ why }) => why),
    [
      'it is kept by keep-failed-agents-and-tools, and should be kept by keep-unknown-tools',
      'both is kept by keep-parse-errors, and should be kept by keep-unknown-tools',
    ],
  )
  assert.deepEqual(failures.get('with it'), [])
  await isDone(
    'policy',
    name,
    'evidence/cases.test.ts',
    'evidence/mutation.test.ts',
    'workbench/classes.test.ts',
    'vocabulary/*.test.ts',
  )
  assert.match(read('docs/measured/tune.md'), /^\| keep-unknown-tools \| [1-9]/m)
  assert.match(read('docs/measured/tune.md'), /^\| unknown-tool \(must keep\) \| ([1-9]\d*) \| \1 \| 0 \|/m)
})

test('a new panel', async () => {
  const queries = 'grafana/source/one-agent-queries.ts'
  insert(
    queries,
    'const tools = ',
    `export const repliesPerMinute = \`sum(rate(\${series.duration}_count{gen_ai_operation_name="chat", \${A}}[$__rate_interval])) * 60\`\n`,
  )
  insert(
    'grafana/source/boards/one-agent.ts',
    '    questionsPanel(',
    `    overTime(
      'How often does it ask the model?',
      { unit: 'suffix:/min', step: STEP, width: 24, colours: { calls: LINE_COLOURS.p95 ?? '' } },
      line('calls', own.repliesPerMinute, 'calls'),
    ).description(
      'Model calls of this agent in a minute. If it falls to nothing while others go on, it waits: look at its newest turns.',
    ),
`,
  )
  await fails(/run make boards and commit the result/, 'tsx', '--test', 'grafana/source/generate.test.ts')
  await isDone(
    'panel',
    'one-agent',
    'grafana/source/generate.test.ts',
    'grafana/source/boards.test.ts',
    'vocabulary/*.test.ts',
  )
})

test('a new kind of secret', async () => {
  const secret = `ACRN-AA${'0123456789abcdef'.repeat(2)}`
  const asTempo = (url: string) => ({ TEMPO_OTLP_ENDPOINT: url })
  insert(
    'evidence/leak/keys.ts',
    "  { name: 'npm token'",
    "  { name: 'Acorn key', make: (random) => after('ACRN-AA', random.hex(32)) },\n",
  )
  const tests = ['evidence/leak/kinds.test.ts', 'evidence/leak/corpus.test.ts', 'evidence/leak/leak.test.ts']
  await fails(/no pattern of patterns\.yaml finds Acorn key/, 'tsx', '--test', tests[0] ?? '')
  const unmasked = await received('tempo', asTempo, { note: `It is ${secret}.` })
  assert.ok(unmasked.text.includes(secret), 'without its pattern it is not masked')

  insert('collector/privacy/patterns.yaml', "- 'f_", "- 'ACRN-AA[0-9a-f]{32}'\n")
  insert(
    'collector/privacy/exact.yaml',
    '- replace_pattern(cache["text"], "hf_',
    '- replace_pattern(cache["text"], "ACRN-AA[0-9a-f]{32}", "\\uFDD1$0\\uFDD9")\n',
  )
  insert(
    'evidence/leak/harmless/used.ts',
    "  'order.id': built(",
    "  'job.name': oneOf('ACRN-load', 'ACRN-AArdvark'),\n",
  )
  const { text } = await received('tempo', asTempo, { note: `It is ${secret}.`, 'job.name': 'ACRN-load' })
  assert.match(text, /It is \*\*\*\*\./)
  assert.match(text, /ACRN-load/)
  assert.ok(!text.includes(secret), 'it is masked')
  await isDone('kind of secret', '', ...tests, 'evidence/leak/harmless/*.test.ts')
})

test('a new backend', async () => {
  write(
    'collector/backends/aardvark.yaml',
    `# Hands kept traces to Aardvark, over OTLP/HTTP with an API key. Loaded beside config.yaml by
# make up BACKENDS=…,aardvark AARDVARK_ENDPOINT=https://… AARDVARK_API_KEY=…
# After editing: make check, then make down and make up.

exporters:
  otlp_http/aardvark:
    endpoint: \${env:AARDVARK_ENDPOINT}
    headers: { x-api-key: "\${env:AARDVARK_API_KEY}" }
    compression: gzip
    retry_on_failure: { initial_interval: 1s, max_interval: 30s, max_elapsed_time: 0 }
    sending_queue:
      storage: file_storage
      sizer: items
      queue_size: 50000
      batch: { flush_timeout: 1s, min_size: 512, max_size: 2048 }

service:
  pipelines:
    traces/aardvark:
      receivers: [forward/stored]
      exporters: [otlp_http/aardvark]
`,
  )
  write(
    'stack/backends/aardvark.ts',
    `import type { Backend } from './backend.ts'
import { addressIn, required } from './elsewhere.ts'

export const aardvark: Backend = {
  id: 'aardvark',
  title: 'Aardvark',
  endpointVariable: 'AARDVARK_ENDPOINT',
  needs: { AARDVARK_ENDPOINT: 'https://otlp.aardvark.example', AARDVARK_API_KEY: 'ak-…' },
  environment: (settings) => ({
    AARDVARK_ENDPOINT: addressIn(settings, aardvark, 'AARDVARK_ENDPOINT', { secret: true }),
    AARDVARK_API_KEY: required(settings, aardvark, 'AARDVARK_API_KEY'),
  }),
}
`,
  )
  const tests = ['stack/backends/*.test.ts', 'evidence/leak/masked-exits.test.ts']
  await fails(/aardvark\.yaml/, 'tsx', '--test', 'stack/backends/backends.test.ts')
  insert('stack/backends/backends.ts', 'import { annotations }', "import { aardvark } from './aardvark.ts'\n")
  insert('stack/backends/backends.ts', ']\n\ntype ServedBackend', ', aardvark')
  await fails(
    /AARDVARK_ENDPOINT of aardvark is missing in the service collector/,
    'tsx',
    '--test',
    'stack/backends/backends.test.ts',
  )
  insert('docker-compose.yml', '      SLOW_CALL:\n', '      AARDVARK_ENDPOINT:\n      AARDVARK_API_KEY:\n')
  const table = ['--test', '--test-name-pattern=the table has every variable', 'test/standalone.test.ts']
  await fails(/AARDVARK_API_KEY/, 'tsx', ...table)
  insert(
    'collector/README.md',
    '| `OTLP_TOKEN`,',
    '| `AARDVARK_ENDPOINT`, `AARDVARK_API_KEY` | none | the address, and the key |\n',
  )
  await passes('tsx', ...table)

  const { headers, text } = await received(
    'aardvark',
    (url) => ({ AARDVARK_ENDPOINT: url, AARDVARK_API_KEY: 'ak-1' }),
    {
      note: 'hello',
    },
  )
  assert.equal(headers['x-api-key'], 'ak-1')
  assert.match(text, /hello/)
  await isDone('backend', 'aardvark', ...tests)
})

test('a new metric', async () => {
  insert('vocabulary/attributes.ts', "  PEBBLES: 'woodland.pebbles',\n  MOOD: ", "  ORDERS: 'woodland.orders',\n")
  insert(
    'sim/telemetry/meters.ts',
    '  const pebbles = ',
    "  const orders = meter.createCounter(METRICS.ORDERS, { unit: '{order}' })\n",
  )
  insert(
    'sim/telemetry/meters.ts',
    '    retried: (',
    '    ordered: (agent: string, count: number) => orders.add(count, { [GEN_AI.AGENT]: agent }),\n',
  )
  insert('sim/telemetry/traced.test.ts', '    [METRICS.PEBBLES]: ', '    [METRICS.ORDERS]: [GEN_AI.AGENT],\n')
  const tests = ['sim/telemetry/*.test.ts', 'vocabulary/*.test.ts']
  await fails(/the metrics are those of the vocabulary/, 'tsx', '--test', 'sim/telemetry/traced.test.ts')
  insert(
    'sim/telemetry/traced.ts',
    '        meters.observe(',
    '        for (const { agent, orders } of tick.turns) meters.ordered(agent, orders.length)\n',
  )
  await isDone('metric', '', ...tests)
})

test('a new agent', async () => {
  const line = (needs: string) => `  otter: { produces: 'mushrooms', needs: ['berries', '${needs}'] },\n`
  insert('sim/economy/world.ts', '} as const satisfies Record<', line('fish'))
  await fails(/"fish"/, 'tsc', '--project', '.')
  await git('reset', '--quiet', '--hard')
  insert('sim/economy/world.ts', '} as const satisfies Record<', line('honey'))
  await isDone(
    'agent',
    '',
    'sim/**/*.test.ts',
    'evidence/*.test.ts',
    'evidence/leak/harmless/*.test.ts',
    'grafana/**/*.test.ts',
    'vocabulary/*.test.ts',
  )
})
