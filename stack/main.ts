import { Command, Option } from 'commander'
import { SECRETS_OF_A_RUN } from '../evidence/leak/corpus.ts'
import { onInterrupt } from '../sim/interrupt.ts'
import { FORMATS, type Format } from '../workbench/draw.ts'
import { UserError } from '../workbench/user-error.ts'
import { runBias } from './commands/bias.ts'
import { doctor } from './commands/doctor.ts'
import { down } from './commands/down.ts'
import { DRILL_TABLES, runDrills } from './commands/drill.ts'
import { type AskedEvaluate, askEvaluate, BY } from './commands/evaluate.ts'
import { example, examples } from './commands/example.ts'
import { type AskedExplain, askExplain, EXPLAIN_FORMATS, LASTS } from './commands/explain.ts'
import { type Asked as Inspected, inspect, Unreachable } from './commands/inspect.ts'
import { runLeak } from './commands/leak.ts'
import { limitedList } from './commands/limit.ts'
import { logs } from './commands/logs.ts'
import { runMutation } from './commands/mutation.ts'
import { type AskedPlan, PLAN_DEFAULTS, plan } from './commands/plan.ts'
import { runRecall } from './commands/recall.ts'
import { makeRecording, type Recorded } from './commands/record.ts'
import { reloadStack } from './commands/reload.ts'
import { runScale } from './commands/scale.ts'
import { runSdks } from './commands/sdks.ts'
import { simulate } from './commands/sim.ts'
import { status } from './commands/status.ts'
import { type Asked, askSweep, askWorkbench, goldenOf } from './commands/tune.ts'
import { up } from './commands/up.ts'
import { verify } from './commands/verify.ts'
import { view } from './commands/viewer.ts'
import { type AskedWhy, askWhy } from './commands/why.ts'
import { EXAMPLES } from './examples.ts'
import { type MeasuredName, type Result, writeInReadme, writeMeasured } from './measured.ts'
import { SHIPPED_POLICY } from './policy.ts'
import { applyPrices } from './prices.ts'
import { remembered } from './remembered.ts'
import { PORT_NAMES, readSettings, type Settings } from './settings.ts'
import { CLASSES, COMMITTED_RECORDING } from './workbench.ts'

const say = (line: string) => console.log(line)
/** Progress goes to stderr, because another program may read the answer from stdout. */
const tell = (line: string) => console.error(line)
const cancelled = new AbortController()
async function ask(settings: Settings, { sweep: range, ...asked }: Asked & { sweep?: string }): Promise<void> {
  if (range) return say(await askSweep(settings, { ...asked, range }, working()))
  const { text, lost } = await askWorkbench(settings, asked, working())
  say(text)
  exitWith(!lost)
}

/** 300,000, and about one per cent more, because a busy machine may send some traces too late to count. */
const RECALL_COUNT = '304000'

/** With so many traces, the error of the mean over the salts is a third of the allowed bias. */
const BIAS = { traces: 60_000, salts: 100 }

/** The outage is long enough for many retries. There are enough kills to hit every moment in the life of a trace. */
const DRILL = { kills: '50', outageSeconds: 30, bodies: 1000, atOnce: 2 }

/** What it takes: some 20 minutes. Ten minutes of load is `MINUTES=10`. */
const SCALE = { count: '30000', minutes: '1' }

/** Options for commands whose output is their progress, and for commands that end with an answer. */
const showing = () => ({ cancel: cancelled.signal, say })
const working = () => ({ cancel: cancelled.signal, say: tell })

function exitWith(well: boolean): void {
  if (!well) process.exitCode = 1
}

/**
 * Prints the report. If all options have their defaults, also writes it to docs/measured/, and its summary into the README. `chosen`
 * is an option that chooses the table.
 */
function prove(name: MeasuredName, { report, holds, summary }: Result, command: Command, chosen?: string): void {
  const { format, ...all } = command.opts<{ format: Format }>()
  const options = Object.fromEntries(Object.entries(all).filter(([option]) => option !== chosen))
  say(report(format))
  if (Object.keys(options).every((option) => command.getOptionValueSource(option) === 'default')) {
    tell(`written to ${writeMeasured(name, report('markdown'))}`)
    if (summary !== undefined) writeInReadme(name, summary)
  }
  exitWith(holds)
}

function program(settings: () => Settings): Command {
  const policy = new Option('--policy <file>', 'which traces to keep').env('POLICY').default(SHIPPED_POLICY)
  const format = new Option('--format <kind>').env('FORMAT').choices(FORMATS).default('text')
  const seed = new Option('--seed <number>').env('SEED').default('1')
  const list = new Option('--a <file>', 'policy file').env('A').default(SHIPPED_POLICY)
  const recording = new Option('--recording <file>').env('RECORDING').default(COMMITTED_RECORDING)
  const classes = new Option('--classes <file>', 'what is worth keeping').env('CLASSES').default(CLASSES)
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
    .description('show which services run, and whether they answer')
    .action(async () => exitWith(await status(settings(), say)))
  stack
    .command('logs')
    .description('follow the logs')
    .argument('[service]')
    .action((service) => logs(settings(), service, cancelled.signal))
  stack
    .command('sim')
    .description('run the simulator once more beside the running stack')
    .action(async () => exitWith(await simulate(settings(), cancelled.signal)))
  stack
    .command('reload')
    .description('check a policy file, show what it changes and put it in force')
    .addOption(policy)
    .addOption(new Option('--recording <file>', 'default: the newest one').env('RECORDING'))
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
    .description('check tools, versions, ports, memory and disk')
    .action(async () => exitWith(await doctor(settings(), say)))
  stack
    .command('evaluate')
    .description('judge a kept trace after the fact: the boards count it, and it is shown beside the trace')
    .addOption(new Option('--trace <id>', 'its id').env('TRACE'))
    .addOption(new Option('--agent <name>', 'the turn of this agent; default: the whole run').env('AGENT'))
    .addOption(new Option('--name <evaluation>', 'what was evaluated').env('NAME'))
    .addOption(new Option('--score <number>').env('SCORE'))
    .addOption(new Option('--label <word>', 'pass and fail count; so do yes, no, correct and others').env('LABEL'))
    .addOption(new Option('--why <text>', 'an explanation').env('WHY'))
    .addOption(new Option('--by <kind>', 'who evaluated').env('BY').choices(BY).default('human'))
    .action(async (asked: AskedEvaluate) => say(await askEvaluate(settings(), asked)))
  stack
    .command('verify')
    .description('send one marked tick and find it in every backend')
    .action(() => verify(settings(), showing()))
  stack
    .command('inspect')
    .description(
      'say what works for a service that sends here, and what is missing; ends with 1 if a board or a policy does not see it, with 2 if the stack cannot be asked',
    )
    .addOption(new Option('--service <name>', 'default: every service that arrived since then').env('SERVICE'))
    .addOption(new Option('--since <time>', 'how far back to look').env('SINCE').default('10m'))
    .action(async (asked: Inspected) => exitWith(await inspect(settings(), asked, showing())))
  stack
    .command('example')
    .description('run the agent of another SDK against the running stack, and say where it is seen')
    .addOption(new Option('--name <example>', EXAMPLES.join(', ')).env('NAME').default(''))
    .action(({ name }: { name: string }) => example(settings(), name, showing()))
  stack
    .command('examples')
    .description('run the agents of all SDKs against a stack of their own, and test what is stored of them')
    .addOption(new Option('--name <examples>', 'with commas between; default: all').env('NAME'))
    .action(async ({ name }: { name?: string }) => exitWith(await examples(name?.split(',') ?? EXAMPLES, showing())))
  stack
    .command('record')
    .description('run the simulator and write what the sampler sees to a file')
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
    .addOption(list)
    .addOption(new Option('--b <file>', 'policy file to compare with').env('B'))
    .addOption(recording)
    .addOption(classes)
    .addOption(format)
    .addOption(new Option('--speed <factor>', 'default: a replay of about ten seconds').env('SPEED'))
    .addOption(new Option('--sweep <range>', 'many values for one number, e.g. slow-call=1s..5s').env('SWEEP'))
    .action((asked: Asked & { sweep?: string }) => ask(settings(), asked))
  stack
    .command('limit')
    .description('write a policy list that keeps at most so many GB a day')
    .addOption(new Option('--gb <number>', 'GB a day, as the sampler sees traces').env('GB'))
    .addOption(policy)
    .action(({ gb, policy }: { gb?: string; policy: string }) => say(limitedList(policy, gb).trimEnd()))
  stack
    .command('why')
    .description('show why a trace of a recording is kept or dropped')
    .addOption(new Option('--trace <id>', 'its id, or the beginning of it').env('TRACE'))
    .addOption(list)
    .addOption(recording)
    .addOption(classes)
    .addOption(format)
    .action(async (asked: AskedWhy) => say(await askWhy(settings(), asked, working())))
  stack
    .command('explain')
    .description(
      'say what happened in one kept trace: who called whom, where the time and the money went, why it failed',
    )
    .addOption(new Option('--trace <id>', 'its id').env('TRACE'))
    .addOption(new Option('--last <kind>', 'the newest kept trace of this kind').env('LAST').choices(LASTS))
    .addOption(new Option('--agent <name>', 'of this agent').env('AGENT'))
    .addOption(new Option('--service <name>', 'of this service').env('SERVICE'))
    .addOption(new Option('--file <path>', 'read OTLP JSON from a file, without any server; - is stdin').env('FILE'))
    .addOption(new Option('--format <kind>').env('FORMAT').choices(EXPLAIN_FORMATS).default('text'))
    .action(async (asked: AskedExplain) => say(await askExplain(settings(), asked)))
  stack
    .command('plan')
    .description('say what a load needs in two tiers: gateways, samplers, memory, disk, traffic')
    .addOption(new Option('--spans <rate>', 'spans in a second, minute, hour or day').env('SPANS').default(''))
    .addOption(new Option('--spans-per-trace <number>').env('SPANS_PER_TRACE').default(PLAN_DEFAULTS.spansPerTrace))
    .addOption(new Option('--kilobytes <number>', 'content of a span').env('KB').default(PLAN_DEFAULTS.kilobytes))
    .addOption(new Option('--run <time>', 'how long a run takes').env('RUN').default(PLAN_DEFAULTS.run))
    .addOption(new Option('--kept <share>', 'of all traces').env('KEPT').default(PLAN_DEFAULTS.kept))
    .addOption(new Option('--without-root <share>').env('WITHOUT_ROOT').default(PLAN_DEFAULTS.withoutRoot))
    .addOption(new Option('--core-usd <price>', 'of a core, for an hour').env('CORE_USD'))
    .addOption(new Option('--gb-usd <price>', 'of a GB that is sent to backends').env('GB_USD'))
    .addOption(format)
    .action((asked: AskedPlan) => say(plan(settings(), asked)))
  stack
    .command('golden')
    .description('write what the shipped list keeps of the committed recording to docs/measured/tune.md')
    .action(async () =>
      say(`written to ${writeMeasured('tune', await goldenOf(settings(), SHIPPED_POLICY, working()))}`),
    )
  stack
    .command('mutation')
    .description('make mistakes in the shipped list, and test that the check or a case finds each')
    .addOption(format)
    .action(async (_, command: Command) => prove('mutation', await runMutation(settings(), working()), command))
  stack
    .command('sdks')
    .description('send what real SDKs sent, and show what each of them gets')
    .addOption(format)
    .action(async (_, command: Command) => prove('sdks', await runSdks(settings(), working()), command))
  stack
    .command('recall')
    .description('send traces that must be kept, in every order and with every delay, and count the lost ones')
    .addOption(seed)
    .addOption(new Option('--count <number>').env('COUNT').default(RECALL_COUNT))
    .addOption(format)
    .action(async (sent: { seed: string; count: string }, command: Command) =>
      prove('recall', await runRecall(settings(), sent, working()), command),
    )
  stack
    .command('leak')
    .description('send secrets of every kind through a scratch stack, and search for them in every output')
    .addOption(seed)
    .addOption(new Option('--n <count>', 'how many secrets').env('N').default(String(SECRETS_OF_A_RUN)))
    .addOption(format)
    .action(async ({ n, seed }: { n: string; seed: string }, command: Command) =>
      prove('leak', await runLeak(settings(), { seed, count: n }, working()), command),
    )
  stack
    .command('bias')
    .description('estimate counts, errors, tokens and cost from kept traces alone, and compare with all traces')
    .addOption(seed)
    .addOption(format)
    .action(async ({ seed }: { seed: string }, command: Command) =>
      prove('bias', await runBias(settings(), { ...BIAS, seed }, working()), command),
    )
  stack
    .command('drill')
    .description('kill, block and flood the collector and its backends, and say where every span is afterwards')
    .addOption(
      new Option('--drill <names>', `${Object.keys(DRILL_TABLES).join(' and ')} are groups; default: all`).env('DRILL'),
    )
    .addOption(new Option('--kills <number>').env('KILLS').default(DRILL.kills))
    .addOption(seed)
    .addOption(format)
    .action(async ({ drill, kills, seed }: { drill?: string; kills: string; seed: string }, command: Command) => {
      const size = { ...DRILL, kills, seed }
      const groups = Object.entries(DRILL_TABLES).filter(([group]) => !drill || drill === group)
      for (const [group, table] of groups)
        prove(table, await runDrills(settings(), { ...size, only: [group] }, working()), command, 'drill')
      if (drill && groups.length === 0)
        prove('drills', await runDrills(settings(), { ...size, only: drill.split(',') }, working()), command)
    })
  stack
    .command('scale')
    .description(
      'measure two tiers against one Collector: verdicts, cost of a span, throughput, and load above the plan',
    )
    .addOption(new Option('--count <traces>', 'traces that must be kept').env('COUNT').default(SCALE.count))
    .addOption(
      new Option('--minutes <number>', 'of load, below and above the plan').env('MINUTES').default(SCALE.minutes),
    )
    .addOption(seed)
    .addOption(format)
    .action(async (size: { count: string; minutes: string; seed: string }, command: Command) =>
      prove('scale', await runScale(size, working()), command),
    )
  return stack
}

onInterrupt(() => cancelled.abort(new UserError('stopped')))

const stack = program(readSettings)
// An empty variable means unset, because make passes unset variables as empty ones. The first are not options of any command.
for (const name of [
  'BACKENDS',
  'TIERS',
  ...PORT_NAMES,
  ...stack.commands.flatMap(({ options }) => options.flatMap(({ envVar }) => envVar ?? [])),
])
  if (process.env[name] === '') delete process.env[name]

stack.parseAsync().catch((error: unknown) => {
  const told =
    cancelled.signal.aborted && error instanceof Error && error.name === 'AbortError' ? cancelled.signal.reason : error
  console.error(told instanceof UserError ? told.message : told)
  process.exit(cancelled.signal.aborted ? 130 : told instanceof Unreachable ? 2 : 1)
})
