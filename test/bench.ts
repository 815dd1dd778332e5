import { availableParallelism, cpus } from 'node:os'
import { resolve } from 'node:path'
import { execa } from 'execa'
import type { Entry } from '../sim/ledger.ts'
import { prometheus, tempoSearch } from '../stack/backends.ts'
import { type Place, url } from '../stack/place.ts'
import { runningPid, started } from '../stack/processes.ts'
import { tsx } from '../stack/services.ts'
import { eventually, play, startStack, testPlace } from './stack.ts'

const SERVICES = ['tempo', 'prometheus', 'phoenix', 'collector', 'model']
const rows: (readonly [what: string, found: string, aim: string])[] = []
const report = (what: string, found: string, aim: string) => {
  rows.push([what, found, aim])
  console.error(`${what}: ${found} (aim: ${aim})`)
}
const quantile = (values: readonly number[], q: number) =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN
const ticksOf = (entries: readonly Entry[]) => entries.filter((entry) => entry.kind === 'tick')

async function withStack(env: Record<string, string>, policy: string, measure: (place: Place) => Promise<void>) {
  const place = await testPlace(env)
  const end = await startStack(place, policy, SERVICES)
  try {
    await measure(place)
  } finally {
    await end()
  }
}

/** Ten ticks a second for a minute: what was sent, received, judged and stored must be the same. */
async function loss(place: Place): Promise<void> {
  const { entries, spans, id } = await play(
    place,
    '--ticks',
    '600',
    '--tick-interval',
    `${100 * Number(place.env.TIME_FACTOR)}ms`,
    '--seed',
    '3',
  )
  const ticks = ticksOf(entries)
  const seconds = ticks.reduce((sum, { ms }) => sum + Math.max(100, ms), 0) / 1000
  const count = async (query: string) => (await prometheus(place, query))[0]?.value ?? 0
  const found = await eventually(async () => {
    const judged = await count('sum(otelcol_processor_tail_sampling_global_count_traces_sampled)')
    const kept = await count('sum(otelcol_processor_tail_sampling_global_count_traces_sampled{sampled="true"})')
    const stored = (await tempoSearch(place, `{ span.gen_ai.conversation.id = "${id}" && nestedSetParent < 0 }`)).length
    const counted = await count(`sum(traces_span_metrics_calls_total{instance="${id}"})`)
    if (judged !== ticks.length || stored !== kept || counted !== spans)
      throw new Error(`judged ${judged}, kept ${kept}, stored ${stored}, counted ${counted} of ${spans}`)
    return { judged, kept, stored, counted }
  }).catch((error: Error) => error.message)
  const rate = (ticks.length / seconds).toFixed(1)
  if (typeof found === 'string') return report(`spans lost at ${rate} ticks/s`, `NOT BALANCED: ${found}`, '0')
  report(
    `spans lost at ${rate} ticks/s, ${ticks.length} ticks`,
    `0 of ${spans}; ${found.stored} of ${found.kept} kept traces in Tempo`,
    '0',
  )
}

async function memory(place: Place): Promise<void> {
  const each = await Promise.all(
    started(place).map(async (name) => {
      const { stdout } = await execa('ps', ['-o', 'rss=', '-p', String(await runningPid(place, name))])
      return [name, Number(stdout) / 1024] as const
    }),
  )
  const total = each.reduce((sum, [, mb]) => sum + mb, 0)
  report(
    'resident memory after that',
    `${total.toFixed(0)} MB: ${each.map(([name, mb]) => `${name} ${mb.toFixed(0)}`).join(', ')}`,
    '≤ 1300 MB without the simulator',
  )
}

/** From the end of a tick, as the simulator sees it, to TraceQL finding it. Every trace is kept here. Answers the ms of a round. */
async function freshness(place: Place): Promise<number> {
  const waits: number[] = []
  const rounds: number[] = []
  for (let tick = 0; tick < 12; tick++) {
    const { entries, id } = await play(place, '--ticks', '1', '--seed', String(tick))
    const written = Date.now()
    rounds.push(...ticksOf(entries).map(({ ms }) => ms))
    await eventually(async () => {
      const found = await tempoSearch(place, `{ span.gen_ai.conversation.id = "${id}" && nestedSetParent < 0 }`)
      if (found.length === 0) throw new Error(`${id} with ${entries.length} entries is not found`)
    })
    waits.push((Date.now() - written) / 1000)
  }
  report(
    'root span end → found by TraceQL',
    `p50 ${quantile(waits, 0.5).toFixed(1)} s, p95 ${quantile(waits, 0.95).toFixed(1)} s`,
    'p95 ≤ 10 s',
  )
  return quantile(rounds, 0.5)
}

/** CPU that telemetry costs the simulator: milliseconds a round, and as a ratio to the CPU without. */
async function overhead(place: Place) {
  const TICKS = 200
  const cpu = async (env: Record<string, string>) => {
    const ledger = resolve(place.state, `bench-${process.hrtime.bigint()}.jsonl`)
    const flags = [
      '--ticks',
      String(TICKS),
      '--tick-interval',
      '1ms',
      '--seed',
      '5',
      '--ledger',
      ledger,
      '--base-url',
      url(place, 'VLLM_PORT', '/v1'),
    ]
    const { file, args, cwd } = tsx('sim/main.ts', ...flags)
    const { stdout } = await execa('sh', ['-c', '"$@" >/dev/null 2>&1; times', 'sh', file, ...args], {
      cwd,
      env: {
        PATH: place.env.PATH ?? '',
        TIME_FACTOR: place.env.TIME_FACTOR ?? '1',
        OTEL_EXPORTER_OTLP_ENDPOINT: url(place, 'OTLP_HTTP_PORT'),
        ...env,
      },
      extendEnv: false,
    })
    const [, user, system] = /\n(\S+) (\S+)$/.exec(stdout) ?? []
    const seconds = (text = '') => Number(/(\d+)m/.exec(text)?.[1] ?? 0) * 60 + Number(/([\d.]+)s/.exec(text)?.[1] ?? 0)
    return seconds(user) + seconds(system)
  }
  const runs: { on: number; off: number }[] = []
  for (let pair = 0; pair < 3; pair++) runs.push({ on: await cpu({}), off: await cpu({ OTEL_SDK_DISABLED: 'true' }) })
  const median = (of: (run: { on: number; off: number }) => number) => quantile(runs.map(of), 0.5)
  return { ms: (median(({ on, off }) => on - off) / TICKS) * 1000, ratio: median(({ on, off }) => on / off) }
}

const began = Date.now()
let cost = { ms: Number.NaN, ratio: Number.NaN }
await withStack({ TIME_FACTOR: '40', VLLM_PRESET: 'default' }, 'collector/policies/woodland.yaml', async (place) => {
  report('start of the servers, built before, without data', `${((Date.now() - began) / 1000).toFixed(1)} s`, '≤ 20 s')
  await loss(place)
  await memory(place)
  cost = await overhead(place)
})
await withStack({ VLLM_PRESET: 'calm' }, 'collector/policies/keep-everything.yaml', async (place) => {
  const round = await freshness(place)
  const share = ((cost.ms / round) * 100).toFixed(2)
  report(
    'telemetry in the simulator',
    `${cost.ms.toFixed(2)} ms CPU a round, ${share} % of a round of ${round} ms; ${cost.ratio.toFixed(2)} × the CPU without`,
    '≤ 1 %',
  )
})

console.log(`${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, Node ${process.version}\n`)
console.log(['| measured | found | aim |', '|---|---|---|', ...rows.map((row) => `| ${row.join(' | ')} |`)].join('\n'))
