import { readFileSync, writeFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { isPerToken } from '../grafana/source/prices.ts'
import { type PriceOf, readClasses, study } from '../workbench/classes.ts'
import type { Command } from '../workbench/collector.ts'
import type { Format } from '../workbench/draw.ts'
import { record, type World } from '../workbench/record.ts'
import { readRecording, timeFactorOf } from '../workbench/recording.ts'
import { Refusal } from '../workbench/refusal.ts'
import { comfortableSpeed } from '../workbench/replay.ts'
import { type Findings, goldenTable, report } from '../workbench/report.ts'
import { readRange, sweep, sweepReport } from '../workbench/sweep.ts'
import { tune } from '../workbench/tune.ts'
import { findTrace, why, whyReport } from '../workbench/why.ts'
import { benchOf } from './collectors.ts'
import { type Place, ROOT, Trouble } from './place.ts'
import { checkPolicy, SHIPPED_POLICY } from './policy.ts'
import { pricesAt } from './prices.ts'
import { slowCall, tsx } from './services.ts'

export const RECORDINGS = 'workbench/recordings'
export const COMMITTED_RECORDING = `${RECORDINGS}/seed-7-ticks-40-chaos.jsonl.gz`
export const CLASSES = 'workbench/classes.yaml'

/** What the workbench refuses is a mistake that a user can mend. */
export const mendable = async <T>(work: Promise<T>): Promise<T> =>
  work.catch((error: unknown) => {
    throw error instanceof Refusal ? new Trouble(error.message) : error
  })

type Options = Readonly<{ cancel: AbortSignal; say: (line: string) => void }>

export type Recorded = Readonly<{ seed: string; ticks: string; preset: string; timeFactor: string }>

/** Records the simulator, and answers where. Throws `Trouble` when a number is none. */
export async function makeRecording(
  place: Place,
  wish: Recorded,
  options: Options,
  folder = resolve(ROOT, RECORDINGS),
): Promise<string> {
  const { seed, ticks, preset, timeFactor } = wish
  for (const [name, value] of Object.entries({ SEED: seed, TICKS: ticks })) {
    if (!/^\d{1,9}$/.test(value))
      throw new Trouble(`${name}=${value} is no number: it must be a whole number, such as 40.`)
  }
  if (ticks === '0') throw new Trouble('TICKS=0 would never end: name how many ticks to record.')
  if (!(Number(timeFactor) >= 0.1))
    throw new Trouble(`TIME_FACTOR=${timeFactor} must be a number from 0.1, such as 10.`)
  const bench = await benchOf(place, options)
  const target = resolve(folder, `seed-${seed}-ticks-${ticks}-${preset}.jsonl.gz`)
  const began = Date.now()
  const size = await mendable(record(bench, world(place, wish), resolve(ROOT, SHIPPED_POLICY), target))
  const seconds = ((Date.now() - began) / 1000).toFixed(0)
  options.say(`${relative(process.cwd(), target)}: ${Math.ceil(size / 1000)} kB, recorded in ${seconds} s`)
  return target
}

function world(place: Place, { seed, ticks, preset, timeFactor }: Recorded): World {
  const { PATH = '', HOME = '', TMPDIR } = place.env
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
 * lost. Throws `Trouble` with every defect of what was named.
 */
export const askWorkbench = (place: Place, asked: Asked, options: Options) => mendable(answer(place, asked, options))

async function answer(
  place: Place,
  asked: Asked,
  options: Options,
): Promise<Readonly<{ text: string; lost: boolean }>> {
  const findings = await findingsOf(place, asked, options)
  return { text: report(findings, asked.format), lost: (findings.diff?.mustKeepLost ?? 0) > 0 }
}

async function findingsOf(
  place: Place,
  { a, b, recording, classes, speed }: Asked,
  options: Options,
): Promise<Findings> {
  if (speed !== undefined && !(Number(speed) >= 1)) throw new Trouble(`SPEED=${speed} must be a number from 1.`)
  const path = resolve(ROOT, recording)
  const threshold = slowCall(place, await timeFactorOf(path))
  const env = { ...place.env, SLOW_CALL: threshold }
  const read = readClasses(resolve(ROOT, classes), env)
  const bench = await benchOf(place, options)
  for (const file of new Set([a, ...(b ? [b] : [])])) await checkPolicy(bench, file)
  const side = (file: string) => ({ path: resolve(ROOT, file), shown: relative(ROOT, resolve(ROOT, file)) })
  const findings = await tune(bench, {
    recording: path,
    a: side(a),
    ...(b ? { b: side(b) } : {}),
    slowCall: threshold,
    speed: speed === undefined ? undefined : Number(speed),
    classes: read,
    pricesOf,
    config: readFileSync(resolve(ROOT, 'collector/config.yaml'), 'utf8'),
  })
  return { ...findings, recording: relative(ROOT, path) }
}

const GOLDEN = {
  file: resolve(ROOT, 'collector/README.md'),
  begin: '<!-- make golden -->\n',
  end: '\n<!-- /make golden -->',
}

/** What a list makes of the committed recording, with its own defaults whatever the environment says. */
export async function goldenOf(place: Place, policy: string, options: Options): Promise<string> {
  const { SLOW_CALL: _, TOKEN_HEAVY: __, ...env } = place.env
  const asked = { a: policy, b: undefined, recording: COMMITTED_RECORDING, classes: CLASSES, speed: undefined }
  return goldenTable(await mendable(findingsOf({ ...place, env }, { ...asked, format: 'markdown' }, options)))
}

/** The table that is committed. */
export function committedGolden(): string {
  const [, rest] = readFileSync(GOLDEN.file, 'utf8').split(GOLDEN.begin)
  const [table] = rest?.split(GOLDEN.end) ?? []
  if (table === undefined)
    throw new Trouble(
      `${relative(ROOT, GOLDEN.file)} has lost the two lines that make golden writes between: restore it.`,
    )
  return table
}

/** Writes the table of the shipped list anew, and says whether it changed. */
export async function writeGolden(place: Place, options: Options): Promise<boolean> {
  const before = committedGolden()
  const table = await goldenOf(place, SHIPPED_POLICY, options)
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

/** Says why one trace of a recording is kept or dropped. Throws `Trouble` when there is no such trace. */
export const askWhy = (place: Place, asked: AskedWhy, options: Options): Promise<string> =>
  mendable(answerWhy(place, asked, options))

async function answerWhy(
  place: Place,
  { trace, a, recording, classes, format }: AskedWhy,
  options: Options,
): Promise<string> {
  const path = resolve(ROOT, recording)
  const timeFactor = await timeFactorOf(path)
  const env = { SLOW_CALL: slowCall(place, timeFactor), TOKEN_HEAVY: place.env.TOKEN_HEAVY ?? '' }
  const read = readClasses(resolve(ROOT, classes), { ...place.env, ...env })
  const found = await findTrace({ path, shown: relative(ROOT, path) }, trace, read)
  const bench = await benchOf(place, options)
  const failed = new AbortController()
  const lent = { ...bench, cancel: AbortSignal.any([bench.cancel, failed.signal]) }
  const config = readFileSync(resolve(ROOT, 'collector/config.yaml'), 'utf8')
  const answer = async () => {
    const list = readFileSync(resolve(ROOT, a), 'utf8')
    return why(lent, found, { list, config, env, classes: read, pricesOf, timeFactor })
  }
  // Both take seconds, mostly in waiting. What the check says of a list comes first.
  const [checked, answered] = await Promise.allSettled([
    checkPolicy(bench, a).catch((error: unknown) => {
      failed.abort()
      throw error
    }),
    answer(),
  ])
  if (checked.status === 'rejected') throw checked.reason
  if (answered.status === 'rejected') throw answered.reason
  return whyReport(answered.value, format)
}

/** Tries many values for one number of a policy file. Throws `Trouble` when there is no such number, or no such range. */
export const askSweep = (place: Place, asked: Asked & { range: string }, options: Options): Promise<string> =>
  mendable(answerSweep(place, asked, options))

async function answerSweep(
  place: Place,
  { range: text, a, b, recording, classes, format, speed }: Asked & { range: string },
  options: Options,
): Promise<string> {
  if (b !== undefined)
    throw new Trouble(`SWEEP tries values of one list, and B=${b} is a second: leave one of them out.`)
  if (speed !== undefined && !(Number(speed) >= 1)) throw new Trouble(`SPEED=${speed} must be a number from 1.`)
  const range = readRange(text)
  const path = resolve(ROOT, recording)
  const timeFactor = await timeFactorOf(path)
  const threshold = slowCall(place, timeFactor)
  const read = readClasses(resolve(ROOT, classes), { ...place.env, SLOW_CALL: threshold })
  const bench = await benchOf(place, options)
  const list = await checkPolicy(bench, a)
  const found = await study(readRecording(path), read, pricesOf)
  const traffic = {
    requests: () => readRecording(path),
    speed: speed === undefined ? comfortableSpeed(found.toMs - found.fromMs) : Number(speed),
    slowCall: threshold,
  }
  const wish = {
    list,
    range,
    config: readFileSync(resolve(ROOT, 'collector/config.yaml'), 'utf8'),
    env: { SLOW_CALL: threshold, TOKEN_HEAVY: place.env.TOKEN_HEAVY },
    timeFactor,
  }
  const swept = await sweep(bench, traffic, wish, { study: found, classes: read })
  const size = `${found.traces.size} traces, ${found.spans} spans`
  return sweepReport(`${relative(ROOT, path)}: ${size}, judged by ${relative(ROOT, resolve(ROOT, a))}`, swept, format)
}
