import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { Command, Option } from 'commander'
import { execa } from 'execa'
import { onInterrupt } from '../sim/interrupt.ts'
import { FORMATS, type Format } from '../workbench/draw.ts'
import { UserError } from '../workbench/user-error.ts'
import { chosenBackends } from './backends/backends.ts'
import { bootNative, haltNative, reloadCollector, statusNative } from './boot.ts'
import { type Boot, launcherFor } from './collectors.ts'
import { bootDocker, haltDocker, hasDockerData, isInDocker, logsDocker, reloadDocker, statusDocker } from './docker.ts'
import { dockerEngine } from './docker-engine.ts'
import { doctor } from './doctor.ts'
import { runDrills } from './drill.ts'
import { findGrafana } from './grafana.ts'
import { runLeak } from './leak.ts'
import { SHIPPED_POLICY } from './policy.ts'
import { applyPrices } from './prices.ts'
import { logFile, started } from './processes.ts'
import { type Result, runBias, runMutation, runRecall } from './proof.ts'
import { reload } from './reload.ts'
import { backendsFile, ROOT, readSettings, type Settings, url } from './settings.ts'
import { verify } from './verify.ts'
import { VIEWER_SIZE, view } from './viewer.ts'
import {
  type Asked,
  type AskedWhy,
  askSweep,
  askWhy,
  askWorkbench,
  CLASSES,
  COMMITTED_RECORDING,
  makeRecording,
  type Recorded,
  writeGolden,
} from './workbench.ts'

const say = (line: string) => console.log(line)
/** Progress, kept apart from an answer that another program may read. */
const tell = (line: string) => console.error(line)
const cancelled = new AbortController()
const bootFile = (settings: Settings) => resolve(settings.state, 'boot')

/** How the stack was booted, until `down`. */
const remembered = (settings: Settings): Boot | undefined =>
  existsSync(bootFile(settings)) ? (readFileSync(bootFile(settings), 'utf8').trim() as Boot) : undefined

/** Forgets how the stack was booted, and with which backends. */
function forget(settings: Settings): void {
  for (const file of [bootFile(settings), backendsFile(settings.state)]) rmSync(file, { force: true })
}

async function up(
  settings: Settings,
  { policy, boot: wanted }: { policy: string; boot: Boot | undefined },
): Promise<void> {
  const before = remembered(settings)
  const way = wanted ?? before
  const engine = way === 'native' ? undefined : await dockerEngine(settings.env)
  if (way === 'docker' && engine && 'why' in engine)
    throw new UserError(`BOOT=docker, but ${engine.why}. Mend that, or use BOOT=native.`)
  const boot: Boot = engine && 'version' in engine ? 'docker' : 'native'
  if (before && before !== boot) throw new UserError(`the stack was started with BOOT=${before}: make down first.`)
  const backends = chosenBackends(settings)
    .map(({ id }) => id)
    .join()
  const running = before && readFileSync(backendsFile(settings.state), 'utf8').trim()
  if (running && running !== backends)
    throw new UserError(`the stack was started with BACKENDS=${running}: make down first.`)
  say(
    boot === 'docker'
      ? `Docker ${(engine as { version: string }).version}`
      : `native boot${engine && 'why' in engine ? `: ${engine.why}` : ''}`,
  )
  mkdirSync(settings.state, { recursive: true })
  writeFileSync(bootFile(settings), `${boot}\n`)
  writeFileSync(backendsFile(settings.state), `${backends}\n`)
  const options = { policy, cancel: cancelled.signal, say }
  const began = Date.now()
  try {
    await (boot === 'native' ? bootNative(settings, options) : bootDocker(settings, options))
  } catch (error) {
    const some = boot === 'docker' ? await isInDocker(settings).catch(() => true) : started(settings).length > 0
    if (!some) forget(settings)
    throw error
  }
  say(`up after ${((Date.now() - began) / 1000).toFixed(0)} s\n`)
  say(links(settings, boot))
}

function links(settings: Settings, boot: Boot): string {
  const grafana = boot === 'docker' || findGrafana(settings.env) !== undefined
  const board = url(settings, 'GRAFANA_PORT', '/d/cost-and-latency-by-agent')
  const rows = [
    grafana
      ? ['Grafana', board, 'cost and latency by agent; Explore for TraceQL']
      : [
          'Grafana',
          'not on this machine',
          `make viewer shows the same boards (installs ${VIEWER_SIZE} once); or put grafana on PATH, or set GRAFANA_HOME`,
        ],
    ...chosenBackends(settings).map(({ title, server }) =>
      server
        ? [title, url(settings, server.link.port, server.link.path), server.link.what]
        : [title, 'elsewhere', 'kept traces'],
    ),
    [
      'Prometheus',
      url(settings, 'PROMETHEUS_PORT', '/api/v1/query?query=woodland_decisions_total'),
      'metrics of every tick, kept or not',
    ],
    ['OTLP', url(settings, 'OTLP_HTTP_PORT'), 'point your own agents here'],
  ]
  const next =
    'make verify  follows one marked tick through all of it\nmake status  what runs      make logs  what it says      make down  end'
  return `${rows.map(([name, where, what]) => `${name?.padEnd(11)} ${where}\n            ${what}`).join('\n')}\n\n${next}`
}

async function down(settings: Settings, { state }: { state: boolean }): Promise<void> {
  const boot = remembered(settings)
  if (boot === 'docker' || (state && hasDockerData(settings))) await haltDocker(settings, state)
  await haltNative(settings, say)
  forget(settings)
  if (state) rmSync(settings.state, { recursive: true, force: true })
  say(
    state
      ? 'down; state and logs are removed'
      : boot
        ? 'down; state is kept in .stack/ (make clean removes it)'
        : 'nothing was up',
  )
}

async function status(settings: Settings): Promise<void> {
  const boot = remembered(settings)
  if (!boot) return say('down: make up starts the stack')
  const rows: readonly { name: string; state: string; log?: string }[] =
    boot === 'docker' ? await statusDocker(settings) : await statusNative(settings)
  for (const { name, state, log } of rows)
    say(`${name.padEnd(11)} ${state.padEnd(34)} ${log ? relative(ROOT, log) : ''}`)
  if (rows.some(({ state }) => !state.startsWith('running') || state.endsWith('not ready'))) process.exitCode = 1
}

async function logs(settings: Settings, service: string | undefined): Promise<void> {
  if (remembered(settings) === 'docker') return logsDocker(settings, service, cancelled.signal)
  const names = started(settings)
  if (names.length === 0)
    throw new UserError('nothing is running here, so there is nothing to follow. Old logs: .stack/logs/')
  if (service && !names.includes(service))
    throw new UserError(`there is no service "${service}"; running are ${names.join(', ')}.`)
  const files = (service ? [service] : names).map((name) => logFile(settings, name))
  await execa('tail', ['-n', service ? '100' : '20', '-F', ...files], {
    stdio: 'inherit',
    reject: false,
    cancelSignal: cancelled.signal,
  })
}

async function reloadStack(
  settings: Settings,
  { policy, recording }: { policy: string; recording?: string },
): Promise<void> {
  const boot = remembered(settings)
  if (!boot)
    throw new UserError('the stack is not up, so there is nothing to reload: make up POLICY=… starts it with a policy.')
  const launcher = await launcherFor(settings, { cancel: cancelled.signal, say }, boot)
  const tell = () => (boot === 'docker' ? reloadDocker(settings) : reloadCollector(settings))
  await reload(settings, { policy, recording, launcher, tell })
}

async function ask(settings: Settings, { sweep: range, ...asked }: Asked & { sweep?: string }): Promise<void> {
  if (range) return say(await askSweep(settings, { ...asked, range }, working()))
  const { text, lost } = await askWorkbench(settings, asked, { cancel: cancelled.signal, say: tell })
  say(text)
  if (lost) process.exitCode = 1
}

/** 300,000, and the one per cent that a busy machine may send too late to count. */
const RECALL_COUNT = '304000'

/** Twice every kind in every encoding in every field, and a little more. */
const LEAK_COUNT = '60000'

/** Enough traces that the mean over the salts is known to a third of the bias that is allowed. */
const BIAS = { traces: 60_000, salts: 100 }

/** As long as an outage that somebody must get up for; and enough kills to meet every moment of a trace. */
const DRILL = { kills: '200', outageSeconds: 60, bodies: 1000 }

const working = () => ({ cancel: cancelled.signal, say: tell })

function prove({ text, holds }: Result): void {
  say(text)
  if (!holds) process.exitCode = 1
}

function program(settings: () => Settings): Command {
  const policy = new Option('--policy <file>', 'which traces to keep').env('POLICY').default(SHIPPED_POLICY)
  const format = new Option('--format <kind>').env('FORMAT').choices(FORMATS).default('text')
  const boot = new Option('--boot <way>', 'default: docker when an engine answers')
    .env('BOOT')
    .choices(['native', 'docker'])
  const stack = new Command('stack').description('Boots the whole pipeline and looks after it.').showHelpAfterError()
  stack
    .command('up')
    .description('start everything and wait until it works')
    .addOption(policy)
    .addOption(boot)
    .action((options) => up(settings(), options))
  stack
    .command('down')
    .description('stop everything')
    .option('--state', 'also remove data and logs', false)
    .action((options) => down(settings(), options))
  stack
    .command('status')
    .description('what runs, and whether it answers')
    .action(() => status(settings()))
  stack
    .command('logs')
    .description('follow the logs')
    .argument('[service]')
    .action((service) => logs(settings(), service))
  stack
    .command('reload')
    .description('check a policy file, show what it changes and put it in force')
    .addOption(policy)
    .addOption(new Option('--recording <file>', 'default: the one written last').env('RECORDING'))
    .action((options) => reloadStack(settings(), options))
  stack
    .command('viewer')
    .description('show the boards in a browser without a Grafana')
    .action(() => view(settings(), working()))
  stack
    .command('prices')
    .description('write the rules of grafana/prices.yaml and budgets.yaml and put them in force')
    .action(() => {
      const here = settings()
      return applyPrices(here, { isUp: remembered(here) !== undefined }, { cancel: cancelled.signal, say })
    })
  stack
    .command('doctor')
    .description('tools, versions, ports, memory, disk')
    .action(async () => {
      if (!(await doctor(settings(), say))) process.exitCode = 1
    })
  stack
    .command('verify')
    .description('follow one marked tick through every backend')
    .action(() => verify(settings(), { cancel: cancelled.signal, say }))
  stack
    .command('record')
    .description('write down what the sampler sees of a run of the simulator')
    .addOption(new Option('--seed <number>').env('SEED').default('7'))
    .addOption(new Option('--ticks <count>').env('TICKS').default('40'))
    .addOption(new Option('--preset <name>', 'how much goes wrong').env('PRESET').default('chaos'))
    .addOption(new Option('--time-factor <number>').env('TIME_FACTOR').default('1'))
    .action(async (size: Recorded) => {
      await makeRecording(settings(), size, { cancel: cancelled.signal, say: tell })
    })
  stack
    .command('tune')
    .description('replay a recording with a policy file, or compare two')
    .addOption(new Option('--a <file>', 'policy file').env('A').default(SHIPPED_POLICY))
    .addOption(new Option('--b <file>', 'policy file to compare with').env('B'))
    .addOption(new Option('--recording <file>').env('RECORDING').default(COMMITTED_RECORDING))
    .addOption(new Option('--classes <file>', 'what is worth keeping').env('CLASSES').default(CLASSES))
    .addOption(format)
    .addOption(new Option('--speed <factor>', 'default: so that it takes about ten seconds').env('SPEED'))
    .addOption(new Option('--sweep <range>', 'many values for one number, e.g. slow-call=1s..5s').env('SWEEP'))
    .action((asked: Asked & { sweep?: string }) => ask(settings(), asked))
  stack
    .command('why')
    .description('why a trace of a recording is kept or dropped')
    .addOption(new Option('--trace <id>', 'its id, or how it begins').env('TRACE'))
    .addOption(new Option('--a <file>', 'policy file').env('A').default(SHIPPED_POLICY))
    .addOption(new Option('--recording <file>').env('RECORDING').default(COMMITTED_RECORDING))
    .addOption(new Option('--classes <file>', 'what is worth keeping').env('CLASSES').default(CLASSES))
    .addOption(format)
    .action(async (asked: AskedWhy) => say(await askWhy(settings(), asked, working())))
  stack
    .command('golden')
    .description('write what the shipped list makes of the committed recording into collector/README.md')
    .action(async () => {
      const changed = await writeGolden(settings(), working())
      say(
        `collector/README.md ${changed ? 'has the new table: its diff shows what the list now does otherwise' : 'says so already'}`,
      )
    })
  stack
    .command('mutation')
    .description('make mistakes in the shipped list, and see that the check or a case finds each')
    .addOption(format)
    .action(async (options: { format: Format }) => prove(await runMutation(settings(), options.format, working())))
  stack
    .command('recall')
    .description('send traces that must be kept, in every order and delay, and count what comes out')
    .addOption(new Option('--seed <number>').env('SEED').default('1'))
    .addOption(new Option('--count <number>').env('COUNT').default(RECALL_COUNT))
    .addOption(format)
    .action(async ({ format, ...sent }: { seed: string; count: string; format: Format }) =>
      prove(await runRecall(settings(), sent, format, working())),
    )
  stack
    .command('leak')
    .description('send secrets of every kind through a stack of its own, and look for them at every exit')
    .addOption(new Option('--seed <number>').env('SEED').default('1'))
    .addOption(new Option('--n <count>', 'how many secrets').env('N').default(LEAK_COUNT))
    .addOption(format)
    .action(async ({ n, seed, format }: { n: string; seed: string; format: Format }) =>
      prove(await runLeak(settings(), { seed, count: n }, format, working())),
    )
  stack
    .command('bias')
    .description('estimate counts, errors, tokens and cost from kept traces alone, and compare with the truth')
    .addOption(new Option('--seed <number>').env('SEED').default('1'))
    .addOption(format)
    .action(async ({ seed, format }: { seed: string; format: Format }) =>
      prove(await runBias(settings(), { ...BIAS, seed }, format, working())),
    )
  stack
    .command('drill')
    .description('kill, starve and flood the collector and its backends, and say where every span is afterwards')
    .addOption(new Option('--drill <names>', 'default: all').env('DRILL'))
    .addOption(new Option('--kills <number>').env('KILLS').default(DRILL.kills))
    .addOption(new Option('--seed <number>').env('SEED').default('1'))
    .addOption(format)
    .action(async ({ format, drill, ...sent }: { drill?: string; kills: string; seed: string; format: Format }) =>
      prove(await runDrills(settings(), { ...DRILL, ...sent, only: drill?.split(',') }, format, working())),
    )
  return stack
}

onInterrupt(() => cancelled.abort(new UserError('stopped')))

// An empty variable means unset: make passes them along that way.
const VARIABLES = [
  'POLICY',
  'BOOT',
  'BACKENDS',
  'SEED',
  'TICKS',
  'COUNT',
  'N',
  'PRESET',
  'TIME_FACTOR',
  'A',
  'B',
  'RECORDING',
  'CLASSES',
  'FORMAT',
  'SPEED',
  'SWEEP',
  'TRACE',
  'DRILL',
  'KILLS',
]
for (const name of VARIABLES) if (process.env[name] === '') delete process.env[name]

program(readSettings)
  .parseAsync()
  .catch((error: unknown) => {
    const told =
      cancelled.signal.aborted && error instanceof Error && error.name === 'AbortError'
        ? cancelled.signal.reason
        : error
    console.error(told instanceof UserError ? told.message : told)
    process.exit(cancelled.signal.aborted ? 130 : 1)
  })
