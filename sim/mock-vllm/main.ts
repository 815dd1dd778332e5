import { Command, InvalidArgumentError, Option } from 'commander'
import { type Override, PRESETS, parseRate, ratesOf } from './faults.ts'
import { modelServer, type Settings } from './server.ts'
import { tracingFrom } from './tracing.ts'

/** Open requests may end by themselves this long, then spans are flushed: a stop takes less than 2 s, collector or not. */
const GRACE_MS = 300
const FLUSH_MS = 1200

type Flags = Omit<Settings, 'rates'> &
  Readonly<{ host: string; port: number; preset: string; rate: readonly Override[] }>

function number(rule: string, holds: (value: number) => boolean): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text)
    if (!holds(value)) throw new InvalidArgumentError(`It must be ${rule}.`)
    return value
  }
}

const whole = (least: number, most: number) =>
  number(`a whole number from ${least} to ${most}`, (n) => Number.isInteger(n) && n >= least && n <= most)

function rates(text: string, previous: readonly Override[]): readonly Override[] {
  try {
    return [...previous, ...text.split(',').map((part) => parseRate(part.trim()))]
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
}

// An empty variable means unset: make and Compose pass them along that way.
for (const [name, value] of Object.entries(process.env)) if (value === '') delete process.env[name]

const flag = (flags: string, env: string, value: string | number, help: string) =>
  new Option(flags, help).env(env).default(value)

const { host, port, preset, rate, ...settings } = new Command('mock-vllm')
  .description(
    'A mock model server. It speaks the dialect of vLLM, and makes mistakes on purpose: seeded, and at rates you choose.',
  )
  .addOption(flag('--host <address>', 'VLLM_HOST', '127.0.0.1', 'address to listen on'))
  .addOption(flag('--port <port>', 'VLLM_PORT', 8000, 'TCP port; 0 takes a free one').argParser(whole(0, 65_535)))
  .addOption(flag('--model <name>', 'VLLM_MODEL', 'Qwen/Qwen2.5-3B-Instruct', 'model served'))
  .addOption(
    flag(
      '--fallback-model <name>',
      'VLLM_FALLBACK_MODEL',
      'Qwen/Qwen2.5-1.5B-Instruct',
      'second model: faster, without faults',
    ),
  )
  .addOption(flag('--preset <name>', 'VLLM_PRESET', 'default', 'how much goes wrong').choices(Object.keys(PRESETS)))
  .addOption(
    new Option(
      '--rate <KIND[@AGENT]=RATE>',
      'share (0..1) at which one kind of fault strikes, over the preset; repeatable',
    )
      .env('VLLM_RATES')
      .default([], 'the preset')
      .argParser(rates),
  )
  .addOption(
    flag('--max-num-seqs <n>', 'VLLM_MAX_NUM_SEQS', 16, 'requests answered at once; more queue').argParser(
      whole(1, 1e5),
    ),
  )
  .addOption(
    flag('--max-model-len <n>', 'VLLM_MAX_MODEL_LEN', 8192, 'tokens of prompt and output together').argParser(
      whole(1, 1e7),
    ),
  )
  .addOption(
    flag('--time-factor <x>', 'TIME_FACTOR', 1, 'every latency (seconds) is divided by it').argParser(
      number('a number from 0.01 to 10000', (n) => n >= 0.01 && n <= 10_000),
    ),
  )
  .addHelpText(
    'after',
    '\nTraces go to OTEL_EXPORTER_OTLP_ENDPOINT (default http://127.0.0.1:4318); OTEL_TRACES_EXPORTER=none: nowhere.',
  )
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .parse()
  .opts<Flags>()

const tracing = tracingFrom(process.env)
const server = modelServer({ ...settings, rates: ratesOf(preset, rate) }, tracing.tracer)

server.on('error', (error: NodeJS.ErrnoException) => {
  const why = error.code === 'EADDRINUSE' ? 'it is in use' : (error.code ?? error.message)
  console.error(
    `error: cannot listen on ${host} port ${port}: ${why}; free it, or set another --host, --port (VLLM_PORT)`,
  )
  process.exit(1)
})

server.listen(port, host, () => {
  const address = server.address()
  const bound = typeof address === 'object' && address ? address.port : port
  console.log(
    `mock-vllm: ${settings.model} at http://${host}:${bound}/v1, preset ${preset}, time factor ${settings.timeFactor}`,
  )
})

function stop(): void {
  for (const signal of ['SIGTERM', 'SIGINT']) process.removeListener(signal, stop).on(signal, () => {})
  server.close()
  setTimeout(async () => {
    server.closeAllConnections()
    await Promise.race([tracing.shutdown().catch(() => {}), new Promise((resolve) => setTimeout(resolve, FLUSH_MS))])
    process.exit(0)
  }, GRACE_MS)
}
process.on('SIGTERM', stop)
process.on('SIGINT', stop)
