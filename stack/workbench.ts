import { readFileSync, writeFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { isPerToken } from '../grafana/source/prices.ts'
import { type Class, classified, classLists, type PriceOf, readClasses, study } from '../workbench/classes.ts'
import type { Command, Launcher } from '../workbench/collector.ts'
import type { Format } from '../workbench/draw.ts'
import { record, type World } from '../workbench/record.ts'
import { readRecording, timeFactorOf } from '../workbench/recording.ts'
import { comfortableSpeed, replayEach } from '../workbench/replay.ts'
import { type Findings, goldenTable, report } from '../workbench/report.ts'
import { readRange, sweep, sweepReport } from '../workbench/sweep.ts'
import { tune } from '../workbench/tune.ts'
import { UserError } from '../workbench/user-error.ts'
import { variablesIn } from '../workbench/variables.ts'
import { findTrace, why, whyReport } from '../workbench/why.ts'
import { launcherFor } from './collectors.ts'
import { checkPolicy, SHIPPED_POLICY } from './policy.ts'
import { pricesAt } from './prices.ts'
import { slowCall, tsx } from './services.ts'
import { ROOT, type Settings } from './settings.ts'

export const RECORDINGS = 'workbench/recordings'
export const COMMITTED_RECORDING = `${RECORDINGS}/seed-7-ticks-40-chaos.jsonl.gz`
export const CLASSES = 'workbench/classes.yaml'

type Options = Readonly<{ cancel: AbortSignal; say: (line: string) => void }>

export type Recorded = Readonly<{ seed: string; ticks: string; preset: string; timeFactor: string }>

/** Records the simulator, and answers where. Throws `UserError` when a number is none. */
export async function makeRecording(
  settings: Settings,
  run: Recorded,
  options: Options,
  folder = resolve(ROOT, RECORDINGS),
): Promise<string> {
  const { seed, ticks, preset, timeFactor } = run
  for (const [name, value] of Object.entries({ SEED: seed, TICKS: ticks })) {
    if (!/^\d{1,9}$/.test(value))
      throw new UserError(`${name}=${value} is no number: it must be a whole number, such as 40.`)
  }
  if (ticks === '0') throw new UserError('TICKS=0 would never end: name how many ticks to record.')
  if (!(Number(timeFactor) >= 0.1))
    throw new UserError(`TIME_FACTOR=${timeFactor} must be a number from 0.1, such as 10.`)
  const launcher = await launcherFor(settings, options)
  const target = resolve(folder, `seed-${seed}-ticks-${ticks}-${preset}.jsonl.gz`)
  const began = Date.now()
  const size = await record(launcher, world(settings, run), resolve(ROOT, SHIPPED_POLICY), target)
  const seconds = ((Date.now() - began) / 1000).toFixed(0)
  options.say(`${relative(process.cwd(), target)}: ${Math.ceil(size / 1000)} kB, recorded in ${seconds} s`)
  return target
}

function world(settings: Settings, { seed, ticks, preset, timeFactor }: Recorded): World {
  const { PATH = '', HOME = '', TMPDIR } = settings.env
  const shared = { PATH, HOME, ...(TMPDIR ? { TMPDIR } : {}), TIME_FACTOR: timeFactor }
  const program = (script: string, otlp: string, ...args: string[]): Command => ({
    ...tsx(script, ...args),
    env: { ...shared, OTEL_EXPORTER_OTLP_ENDPOINT: otlp },
  })
  return {
    cwd: ROOT,
    model: (port, otlp) => program('sim/mock-vllm/main.ts', otlp, '--port', String(port), '--preset', preset),
    agents: (port, otlp, ledger) =>
      program(
        'sim/main.ts',
        otlp,
        ...['--seed', seed, '--ticks', ticks, '--ledger', ledger, '--base-url', `http://127.0.0.1:${port}/v1`],
      ),
  }
}

export type Asked = Readonly<{
  a: string
  b: string | undefined
  recording: string
  classes: string
  format: Format
  speed: string | undefined
}>

/**
 * Checks the policy files, replays the recording and answers the report, and whether a must-keep trace would be
 * lost. Throws `UserError` with every defect of what was named.
 */
export async function askWorkbench(
  settings: Settings,
  asked: Asked,
  options: Options,
): Promise<Readonly<{ text: string; lost: boolean }>> {
  const findings = await findingsOf(settings, asked, options)
  return { text: report(findings, asked.format), lost: (findings.diff?.mustKeepLost ?? 0) > 0 }
}

async function findingsOf(
  settings: Settings,
  { a, b, recording, classes, speed }: Asked,
  options: Options,
): Promise<Findings> {
  if (speed !== undefined && !(Number(speed) >= 1)) throw new UserError(`SPEED=${speed} must be a number from 1.`)
  const path = resolve(ROOT, recording)
  const threshold = slowCall(settings, await timeFactorOf(path))
  const launcher = await launcherFor(settings, options)
  const read = await classesOf(launcher, classes, { ...settings.env, SLOW_CALL: threshold })
  for (const file of new Set([a, ...(b ? [b] : [])])) await checkPolicy(launcher, file)
  const side = (file: string) => ({ path: resolve(ROOT, file), shown: relative(ROOT, resolve(ROOT, file)) })
  const findings = await tune(launcher, {
    recording: path,
    a: side(a),
    ...(b ? { b: side(b) } : {}),
    slowCall: threshold,
    speed: speed === undefined ? undefined : Number(speed),
    classes: read,
    pricesOf,
  })
  return { ...findings, recording: relative(ROOT, path) }
}

/**
 * The classes of a file. What they leave open is what the shipped list takes for it. A file of the user's own is tried
 * in the real collector first. Throws `UserError` with every defect.
 */
export async function classesOf(
  launcher: Launcher,
  file: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<readonly Class[]> {
  const shipped = variablesIn(readFileSync(resolve(ROOT, SHIPPED_POLICY), 'utf8'), env)
  const read = readClasses(resolve(ROOT, file), { ...env, ...Object.fromEntries(shipped) })
  if (file !== CLASSES) await checkPolicy({ ...launcher, say: () => {} }, file)
  return read
}

const GOLDEN = {
  file: resolve(ROOT, 'collector/README.md'),
  begin: '<!-- make golden -->\n',
  end: '\n<!-- /make golden -->',
}

/** What a list makes of the committed recording, with its own defaults whatever the environment says. */
export async function goldenOf(settings: Settings, policy: string, options: Options): Promise<string> {
  const { SLOW_CALL: _, TOKEN_HEAVY: __, ...env } = settings.env
  const asked = { a: policy, b: undefined, recording: COMMITTED_RECORDING, classes: CLASSES, speed: undefined }
  return goldenTable(await findingsOf({ ...settings, env }, { ...asked, format: 'markdown' }, options))
}

/** The table that is committed. */
export function committedGolden(): string {
  const [, rest] = readFileSync(GOLDEN.file, 'utf8').split(GOLDEN.begin)
  const [table] = rest?.split(GOLDEN.end) ?? []
  if (table === undefined)
    throw new UserError(
      `${relative(ROOT, GOLDEN.file)} has lost the two lines that make golden writes between: restore it.`,
    )
  return table
}

/** Writes the table of the shipped list anew, and says whether it changed. */
export async function writeGolden(settings: Settings, options: Options): Promise<boolean> {
  const before = committedGolden()
  const table = await goldenOf(settings, SHIPPED_POLICY, options)
  const text = readFileSync(GOLDEN.file, 'utf8')
  writeFileSync(
    GOLDEN.file,
    text.replace(`${GOLDEN.begin}${before}${GOLDEN.end}`, () => `${GOLDEN.begin}${table}${GOLDEN.end}`),
  )
  return table !== before
}

/** What model calls cost on the day of a recording, so that its table does not change with tomorrow's prices. */
export function pricesOf(day: Date): PriceOf {
  // A server that costs by the hour costs the same whatever it is asked: one call of it has no price.
  const prices = new Map(
    pricesAt(day)
      .filter(isPerToken)
      .map((price) => [price.model, price]),
  )
  return (model, inputTokens, outputTokens) => {
    const price = prices.get(model)
    return price && (inputTokens * price.input + outputTokens * price.output) / 1e6
  }
}

export type AskedWhy = Readonly<{
  trace: string | undefined
  a: string
  recording: string
  classes: string
  format: Format
}>

/** At which a recording is replayed when nobody waits for its table. */
const FAST = 20

/** Says why one trace of a recording is kept or dropped. Throws `UserError` when there is no such trace. */
export async function askWhy(
  settings: Settings,
  { trace, a, recording, classes, format }: AskedWhy,
  options: Options,
): Promise<string> {
  const path = resolve(ROOT, recording)
  const timeFactor = await timeFactorOf(path)
  const env = { SLOW_CALL: slowCall(settings, timeFactor), TOKEN_HEAVY: settings.env.TOKEN_HEAVY ?? '' }
  const launcher = await launcherFor(settings, options)
  const read = await classesOf(launcher, classes, { ...settings.env, ...env })
  const traffic = { requests: () => readRecording(path), speed: FAST, slowCall: env.SLOW_CALL }
  const quiet = { ...launcher, say: () => {} }
  const found = await findTrace({ path, shown: relative(ROOT, path) }, trace, async (known) =>
    classified(known, read, await replayEach(quiet, traffic, classLists(read))),
  )
  const failed = new AbortController()
  const lent = { ...launcher, cancel: AbortSignal.any([launcher.cancel, failed.signal]) }
  const answer = async () => {
    const list = readFileSync(resolve(ROOT, a), 'utf8')
    return why(lent, found, { list, env, classes: read, pricesOf, timeFactor })
  }
  // Both take seconds, mostly in waiting. What the check says of a list comes first.
  const [checked, answered] = await Promise.allSettled([
    checkPolicy(launcher, a).catch((error: unknown) => {
      failed.abort()
      throw error
    }),
    answer(),
  ])
  if (checked.status === 'rejected') throw checked.reason
  if (answered.status === 'rejected') throw answered.reason
  return whyReport(answered.value, format)
}

/** Tries many values for one number of a policy file. Throws `UserError` when there is no such number, or no such range. */
export async function askSweep(
  settings: Settings,
  { range: text, a, b, recording, classes, format, speed }: Asked & { range: string },
  options: Options,
): Promise<string> {
  if (b !== undefined)
    throw new UserError(`SWEEP tries values of one list, and B=${b} is a second: leave one of them out.`)
  if (speed !== undefined && !(Number(speed) >= 1)) throw new UserError(`SPEED=${speed} must be a number from 1.`)
  const range = readRange(text)
  const path = resolve(ROOT, recording)
  const timeFactor = await timeFactorOf(path)
  const threshold = slowCall(settings, timeFactor)
  const launcher = await launcherFor(settings, options)
  const read = await classesOf(launcher, classes, { ...settings.env, SLOW_CALL: threshold })
  const list = await checkPolicy(launcher, a)
  const found = await study(readRecording(path), pricesOf)
  const traffic = {
    requests: () => readRecording(path),
    speed: speed === undefined ? comfortableSpeed(found.toMs - found.fromMs) : Number(speed),
    slowCall: threshold,
  }
  const request = {
    list,
    range,
    env: { SLOW_CALL: threshold, TOKEN_HEAVY: settings.env.TOKEN_HEAVY },
    timeFactor,
  }
  const swept = await sweep(launcher, traffic, request, { study: found, classes: read })
  const size = `${found.traces.size} traces, ${found.spans} spans`
  return sweepReport(`${relative(ROOT, path)}: ${size}, judged by ${relative(ROOT, resolve(ROOT, a))}`, swept, format)
}
