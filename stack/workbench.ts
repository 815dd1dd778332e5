import { readFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { type PriceOf, readClasses } from '../collector/workbench/classes.ts'
import type { Command } from '../collector/workbench/collector.ts'
import type { Format } from '../collector/workbench/draw.ts'
import { record, type World } from '../collector/workbench/record.ts'
import { timeFactorOf } from '../collector/workbench/recording.ts'
import { Refusal } from '../collector/workbench/refusal.ts'
import { report } from '../collector/workbench/report.ts'
import { tune } from '../collector/workbench/tune.ts'
import { benchOf } from './bench.ts'
import { type Place, ROOT, Trouble } from './place.ts'
import { checkPolicy, SHIPPED_POLICY } from './policy.ts'
import { pricesAt } from './prices.ts'
import { slowCall, tsx } from './services.ts'

export const RECORDINGS = 'collector/workbench/recordings'
export const COMMITTED_RECORDING = `${RECORDINGS}/seed-7-ticks-40-chaos.jsonl.gz`
export const CLASSES = 'collector/workbench/classes.yaml'

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
    model: (port, otlp) => program('sim/vllm/main.ts', otlp, '--port', String(port), '--preset', preset),
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
  { a, b, recording, classes, format, speed }: Asked,
  options: Options,
): Promise<Readonly<{ text: string; lost: boolean }>> {
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
  const shown = { ...findings, recording: relative(ROOT, path) }
  return { text: report(shown, format), lost: (findings.diff?.mustKeepLost ?? 0) > 0 }
}

/** What model calls cost on the day of a recording, so that its table does not change with tomorrow's prices. */
export function pricesOf(day: Date): PriceOf {
  const prices = new Map(pricesAt(day).map((price) => [price.model, price]))
  return (model, inputTokens, outputTokens) => {
    const price = prices.get(model)
    return price && (inputTokens * price.input + outputTokens * price.output) / 1e6
  }
}
