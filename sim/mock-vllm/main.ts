import { Command, InvalidArgumentError } from 'commander'
import { decimal, option, optionsOf, whole } from '../options.ts'
import { type Override, PRESETS, parseRate, ratesOf } from './faults.ts'
import { modelServer, type Settings } from './server.ts'
import { tracingFrom } from './tracing.ts'

/** Open requests may take this long to end, then spans are flushed. A stop takes less than 2 s, with or without a collector. */
const GRACE_MS = 300
const FLUSH_MS = 1200

type Flags = Omit<Settings, 'rates'> &
  Readonly<{ host: string; port: number; preset: string; rate: readonly Override[] }>

function rates(text: string, previous: readonly Override[]): readonly Override[] {
  try {
    return [...previous, ...text.split(',').map((part) => parseRate(part.trim()))]
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
}

const program = new Command('mock-vllm')
  .description(
    'A mock model server. It speaks the dialect of vLLM, and makes mistakes on purpose: seeded, and at rates you choose.',
  )
  .addOption(option('--host <address>', 'VLLM_HOST', 'address to listen on', '127.0.0.1'))
  .addOption(option('--port <port>', 'VLLM_PORT', 'TCP port; 0 takes a free one', 8000, whole(0, 65_535)))
  .addOption(option('--model <name>', 'VLLM_MODEL', 'model to serve', 'Qwen/Qwen2.5-3B-Instruct'))
  .addOption(
    option(
      '--fallback-model <name>',
      'VLLM_FALLBACK_MODEL',
      'second model: faster, no faults',
      'Qwen/Qwen2.5-1.5B-Instruct',
    ),
  )
  .addOption(option('--preset <name>', 'VLLM_PRESET', 'how much goes wrong', 'default').choices(Object.keys(PRESETS)))
  .addOption(
    option('--rate <KIND[@AGENT]=RATE>', 'VLLM_RATES', 'share (0..1) of one kind of fault, over the preset; repeatable')
      .default([], 'the preset')
      .argParser(rates),
  )
  .addOption(
    option('--max-num-seqs <n>', 'VLLM_MAX_NUM_SEQS', 'requests answered at once; more wait', 16, whole(1, 1e5)),
  )
  .addOption(
    option('--max-model-len <n>', 'VLLM_MAX_MODEL_LEN', 'tokens of prompt and output together', 8192, whole(1, 1e7)),
  )
  .addOption(option('--time-factor <x>', 'TIME_FACTOR', 'every latency is divided by it', 1, decimal(0.01, 10_000)))
  .addHelpText(
    'after',
    '\nTraces go to OTEL_EXPORTER_OTLP_ENDPOINT (default http://127.0.0.1:4318); OTEL_TRACES_EXPORTER=none sends none.',
  )
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
const { host, port, preset, rate, ...settings } = optionsOf<Flags>(program, process.argv.slice(2))

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
