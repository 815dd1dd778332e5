import { Command, Option } from 'commander'
import { onInterrupt } from '../sim/interrupt.ts'
import { FORMATS, type Format } from '../workbench/draw.ts'
import { UserError } from '../workbench/user-error.ts'
import { runBias } from './commands/bias.ts'
import { doctor } from './commands/doctor.ts'
import { down } from './commands/down.ts'
import { runDrills } from './commands/drill.ts'
import { runLeak } from './commands/leak.ts'
import { logs } from './commands/logs.ts'
import { runMutation } from './commands/mutation.ts'
import { runRecall } from './commands/recall.ts'
import { makeRecording, type Recorded } from './commands/record.ts'
import { reloadStack } from './commands/reload.ts'
import { status } from './commands/status.ts'
import { type Asked, askSweep, askWorkbench, goldenOf } from './commands/tune.ts'
import { up } from './commands/up.ts'
import { verify } from './commands/verify.ts'
import { view } from './commands/viewer.ts'
import { type AskedWhy, askWhy } from './commands/why.ts'
import { type MeasuredName, type Result, writeMeasured } from './measured.ts'
import { SHIPPED_POLICY } from './policy.ts'
import { applyPrices } from './prices.ts'
import { remembered } from './remembered.ts'
import { readSettings, type Settings } from './settings.ts'
import { CLASSES, COMMITTED_RECORDING } from './workbench.ts'

const say = (line: string) => console.log(line)
/** Progress, kept apart from an answer that another program may read. */
const tell = (line: string) => console.error(line)
const cancelled = new AbortController()
async function ask(settings: Settings, { sweep: range, ...asked }: Asked & { sweep?: string }): Promise<void> {
  if (range) return say(await askSweep(settings, { ...asked, range }, working()))
  const { text, lost } = await askWorkbench(settings, asked, working())
  say(text)
  exitWith(!lost)
}

/** 300,000, and the one per cent that a busy machine may send too late to count. */
const RECALL_COUNT = '304000'

/** Twice every kind in every encoding in every field, and a little more. */
const LEAK_COUNT = '60000'

/** Enough traces that the mean over the salts is known to a third of the bias that is allowed. */
const BIAS = { traces: 60_000, salts: 100 }

/** As long as an outage that somebody must get up for; and enough kills to meet every moment of a trace. */
const DRILL = { kills: '200', outageSeconds: 60, bodies: 1000 }

/** For commands whose progress is what they have to say, and for those that end with an answer. */
const showing = () => ({ cancel: cancelled.signal, say })
const working = () => ({ cancel: cancelled.signal, say: tell })

function exitWith(well: boolean): void {
  if (!well) process.exitCode = 1
}

/** Says what was found. A run of the full size, with all options at their defaults, is also written to docs/measured/. */
function prove(name: MeasuredName, { report, holds }: Result, command: Command): void {
  const { format, ...options } = command.opts<{ format: Format }>()
  say(report(format))
  if (Object.keys(options).every((option) => command.getOptionValueSource(option) === 'default'))
    tell(`written to ${writeMeasured(name, report('markdown'))}`)
  exitWith(holds)
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
    .action((options) => up(settings(), { ...options, ...showing() }))
  stack
    .command('down')
    .description('stop everything')
    .option('--state', 'also remove data and logs', false)
    .action((options) => down(settings(), { ...options, say }))
  stack
    .command('status')
    .description('what runs, and whether it answers')
    .action(async () => exitWith(await status(settings(), say)))
  stack
    .command('logs')
    .description('follow the logs')
    .argument('[service]')
    .action((service) => logs(settings(), service, cancelled.signal))
  stack
    .command('reload')
    .description('check a policy file, show what it changes and put it in force')
    .addOption(policy)
    .addOption(new Option('--recording <file>', 'default: the one written last').env('RECORDING'))
    .action((options) => reloadStack(settings(), { ...options, ...showing() }))
  stack
    .command('viewer')
    .description('show the boards in a browser without a Grafana')
    .action(() => view(settings(), working()))
  stack
    .command('prices')
    .description('write the rules of grafana/prices.yaml and budgets.yaml and put them in force')
    .action(() => {
      const here = settings()
      return applyPrices(here, { isUp: remembered(here) !== undefined }, showing())
    })
  stack
    .command('doctor')
    .description('tools, versions, ports, memory, disk')
    .action(async () => exitWith(await doctor(settings(), say)))
  stack
    .command('verify')
    .description('follow one marked tick through every backend')
    .action(() => verify(settings(), showing()))
  stack
    .command('record')
    .description('write down what the sampler sees of a run of the simulator')
    .addOption(new Option('--seed <number>').env('SEED').default('7'))
    .addOption(new Option('--ticks <count>').env('TICKS').default('40'))
    .addOption(new Option('--preset <name>', 'how much goes wrong').env('PRESET').default('chaos'))
    .addOption(new Option('--time-factor <number>').env('TIME_FACTOR').default('1'))
    .action(async (size: Recorded) => {
      await makeRecording(settings(), size, working())
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
    .description('write what the shipped list makes of the committed recording into docs/measured/tune.md')
    .action(async () =>
      say(`written to ${writeMeasured('tune', await goldenOf(settings(), SHIPPED_POLICY, working()))}`),
    )
  stack
    .command('mutation')
    .description('make mistakes in the shipped list, and see that the check or a case finds each')
    .addOption(format)
    .action(async (_, command: Command) => prove('mutation', await runMutation(settings(), working()), command))
  stack
    .command('recall')
    .description('send traces that must be kept, in every order and delay, and count what comes out')
    .addOption(new Option('--seed <number>').env('SEED').default('1'))
    .addOption(new Option('--count <number>').env('COUNT').default(RECALL_COUNT))
    .addOption(format)
    .action(async (sent: { seed: string; count: string }, command: Command) =>
      prove('recall', await runRecall(settings(), sent, working()), command),
    )
  stack
    .command('leak')
    .description('send secrets of every kind through a stack of its own, and look for them at every exit')
    .addOption(new Option('--seed <number>').env('SEED').default('1'))
    .addOption(new Option('--n <count>', 'how many secrets').env('N').default(LEAK_COUNT))
    .addOption(format)
    .action(async ({ n, seed }: { n: string; seed: string }, command: Command) =>
      prove('leak', await runLeak(settings(), { seed, count: n }, working()), command),
    )
  stack
    .command('bias')
    .description('estimate counts, errors, tokens and cost from kept traces alone, and compare with the truth')
    .addOption(new Option('--seed <number>').env('SEED').default('1'))
    .addOption(format)
    .action(async ({ seed }: { seed: string }, command: Command) =>
      prove('bias', await runBias(settings(), { ...BIAS, seed }, working()), command),
    )
  stack
    .command('drill')
    .description('kill, starve and flood the collector and its backends, and say where every span is afterwards')
    .addOption(new Option('--drill <names>', 'default: all').env('DRILL'))
    .addOption(new Option('--kills <number>').env('KILLS').default(DRILL.kills))
    .addOption(new Option('--seed <number>').env('SEED').default('1'))
    .addOption(format)
    .action(async ({ drill, kills, seed }: { drill?: string; kills: string; seed: string }, command: Command) =>
      prove(
        'drills',
        await runDrills(settings(), { ...DRILL, kills, seed, only: drill?.split(',') }, working()),
        command,
      ),
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
