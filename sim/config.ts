import { Command, InvalidArgumentError } from 'commander'
import packageJson from '../package.json' with { type: 'json' }
import { decimal, option, optionsOf, whole } from './options.ts'
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
  recallTempo: string | undefined
  contentCapture: Capture
  console: boolean
}>

/**
 * Limits of the world, in milliseconds of world time. All turns of a tick begin at once, so a tick takes no longer than a
 * turn; that stays below the collector's decision wait, so that a trace is judged whole. A request ends early
 * enough to try it again. A call ends early enough to ask the fallback model, because the limit of a request
 * does not end a stream that stalls.
 */
export const LIMITS = { agentMs: 12_000, callMs: 8_000, requestMs: 5_000 } as const

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

/** Every option of the simulator, once: flag, variable, default, unit. Prints and exits when one is wrong. */
export function readConfig(argv: readonly string[], env: NodeJS.ProcessEnv): Config {
  const program = new Command('sim')
    .description('Woodland creatures trade. Each asks a language model what to buy and what to sell.')
    .version(packageJson.version)
    .addOption(option('--ticks <count>', 'TICKS', 'ticks to play; 0 plays until stopped', 0, whole(0, 999_999_999)))
    .addOption(option('--seed <number>', 'SEED', 'same seed and same answers, same world', 1, whole(0, 999_999_999)))
    .addOption(
      option('--tick-interval <duration>', 'TICK_INTERVAL', 'world time from one tick to the next')
        .default(5000, '5s')
        .argParser(duration),
    )
    .addOption(
      option(
        '--time-factor <number>',
        'TIME_FACTOR',
        'how much faster than the clock world time runs',
        1,
        decimal(0.1, 1000),
      ),
    )
    .addOption(
      option(
        '--base-url <url>',
        'VLLM_BASE_URL',
        'an OpenAI-compatible server; without it mock-vllm stands in',
      ).argParser(httpUrl),
    )
    .addOption(option('--model <name>', 'VLLM_MODEL', 'model to ask', 'Qwen/Qwen2.5-3B-Instruct'))
    .addOption(option('--fallback-model <name>', 'VLLM_FALLBACK_MODEL', 'model to ask when the first fails'))
    .addOption(option('--ledger <file>', 'LEDGER', 'write what happened as JSON lines; the file must not exist'))
    .addOption(option('--rumour <text>', 'RUMOUR', 'a sentence that every prompt carries'))
    .addOption(
      option(
        '--recall-tempo <url>',
        'RECALL_TEMPO',
        'a Tempo that agents may ask, in half of their turns, what happened in the last one that was kept',
      ).argParser(httpUrl),
    )
    .addOption(
      option(
        '--content-capture <how much>',
        'CONTENT_CAPTURE',
        'what is sent of prompts and replies: all of it, only its shape, or nothing',
        'full',
      ).choices(CAPTURES),
    )
    .option('--console', 'print spans to the terminal instead of sending them', false)
    .addHelpText(
      'after',
      '\nVLLM_API_KEY holds the key of the model server. Without --base-url the simulator looks for a server on port 8000' +
        '\n(VLLM_PORT) of this machine, and starts mock-vllm when nothing answers there. Telemetry follows the standard' +
        '\nOTEL_* variables; OTEL_EXPORTER_OTLP_ENDPOINT is http://127.0.0.1:4318 by default.',
    )
    .showHelpAfterError('(--help lists every option)')
    .configureOutput({ outputError: (text, write) => write(text) })
  return { ...optionsOf<Omit<Config, 'apiKey'>>(program, argv), apiKey: env.VLLM_API_KEY || 'EMPTY' }
}
