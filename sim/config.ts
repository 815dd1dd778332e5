import { Command, InvalidArgumentError, Option } from 'commander'
import packageJson from '../package.json' with { type: 'json' }
import { CAPTURES, type Capture } from './telemetry/capture.ts'

export type Config = Readonly<{
  ticks: number
  seed: number
  tickInterval: number
  timeFactor: number
  baseUrl: string | undefined
  model: string
  fallbackModel: string | undefined
  apiKey: string
  ledger: string | undefined
  rumour: string | undefined
  contentCapture: Capture
  console: boolean
}>

/**
 * Limits of the world, in milliseconds of world time. All turns of a tick begin at once, so a tick takes no longer than a
 * turn; that stays below the collector's decision wait (20 s), so that a trace is judged whole. A request ends early
 * enough to try it again. A call ends early enough to ask the fallback model: a stream that stalls is no request that
 * times out.
 */
export const LIMITS = { agentMs: 12_000, callMs: 8_000, requestMs: 5_000 } as const

const count = (text: string) => {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 0 to 999999999.')
  return Number(text)
}

const factor = (text: string) => {
  const value = Number(text)
  if (!(value >= 0.1 && value <= 1000)) throw new InvalidArgumentError('It must be a number from 0.1 to 1000.')
  return value
}

const DAY_MS = 86_400_000
const UNITS = { ms: 1, s: 1000, m: 60_000 } as const

const duration = (text: string) => {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text) ?? []
  if (!number || !unit) throw new InvalidArgumentError('It must be a duration such as 500ms, 5s or 1m.')
  const ms = Number(number) * UNITS[unit as keyof typeof UNITS]
  if (ms > DAY_MS) throw new InvalidArgumentError('It must be at most a day, 1440m.')
  return ms
}

const httpUrl = (text: string) => {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new InvalidArgumentError('It must be an http:// or https:// address such as http://127.0.0.1:8000/v1.')
  }
  return text.replace(/\/$/, '')
}

/** Every knob of the simulator, once: flag, default, unit, environment name. Prints and exits when one is wrong. */
export function readConfig(argv: readonly string[], env: NodeJS.ProcessEnv): Config {
  const program = new Command('sim')
    .description('Woodland creatures trade; each asks a language model what to buy and sell.')
    .version(packageJson.version)
    .addOption(
      new Option('--ticks <count>', 'ticks to play; 0 plays until stopped').env('TICKS').default(0).argParser(count),
    )
    .addOption(
      new Option('--seed <number>', 'same seed and same answers, same world').env('SEED').default(1).argParser(count),
    )
    .addOption(
      new Option('--tick-interval <duration>', 'time from one tick to the next, in world time')
        .env('TICK_INTERVAL')
        .default(5000, '5s')
        .argParser(duration),
    )
    .addOption(
      new Option('--time-factor <number>', 'how many times faster than the clock world time runs')
        .env('TIME_FACTOR')
        .default(1)
        .argParser(factor),
    )
    .addOption(
      new Option('--base-url <url>', 'an OpenAI-compatible server; without it the mock server stands in')
        .env('VLLM_BASE_URL')
        .argParser(httpUrl),
    )
    .addOption(new Option('--model <name>', 'model to ask').env('VLLM_MODEL').default('Qwen/Qwen2.5-3B-Instruct'))
    .addOption(new Option('--fallback-model <name>', 'model to ask when the first fails').env('VLLM_FALLBACK_MODEL'))
    .addOption(
      new Option('--ledger <file>', 'write what happened as JSON lines; the file must not exist').env('LEDGER'),
    )
    .addOption(new Option('--rumour <text>', 'a sentence that every prompt carries').env('RUMOUR'))
    .addOption(
      new Option('--content-capture <how much>', 'what leaves of prompts and replies: all, their shape, nothing')
        .env('CONTENT_CAPTURE')
        .choices(CAPTURES)
        .default('full'),
    )
    .option('--console', 'print spans to the terminal instead of sending them', false)
    .addHelpText(
      'after',
      '\nThe key of the model server comes from VLLM_API_KEY; without an address it is looked for on port 8000 (VLLM_PORT)' +
        '\nof this machine, and the mock is started when nothing answers there. Telemetry follows the standard OTEL_* variables;' +
        '\nOTEL_EXPORTER_OTLP_ENDPOINT is http://127.0.0.1:4318 by default.',
    )
    .showHelpAfterError('(--help lists every option)')
    .configureOutput({ outputError: (text, write) => write(text) })
  // An empty variable means unset: make and Compose pass them along that way.
  for (const option of program.options) if (option.envVar && env[option.envVar] === '') delete env[option.envVar]
  const options = program.parse(argv, { from: 'user' }).opts()
  return { ...options, apiKey: env.VLLM_API_KEY || 'EMPTY' } as Config
}
