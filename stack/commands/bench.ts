import { randomBytes } from 'node:crypto'
import { createWriteStream, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip, gunzipSync } from 'node:zlib'
import { execa } from 'execa'
import packageJson from '../../package.json' with { type: 'json' }
import type { Entry } from '../../sim/ledger.ts'
import { studying } from '../../workbench/classes.ts'
import { withScratch } from '../../workbench/collector.ts'
import { readRecording } from '../../workbench/recording.ts'
import { comfortableSpeed, recordedMs, replay, replayEach } from '../../workbench/replay.ts'
import { singlePolicies } from '../../workbench/single-policies.ts'
import { tabulate } from '../../workbench/table.ts'
import { UserError } from '../../workbench/user-error.ts'
import { launcherFor } from '../collectors.ts'
import { writeMeasured } from '../measured.ts'
import { eventually, ownSettings, play, quiet, SHIPPED_WAITS, simulator, startStack } from '../own-stack.ts'
import { SHIPPED_POLICY } from '../policy.ts'
import { runningPid, started } from '../processes.ts'
import { phoenixSpans, prometheus, tempoSearch } from '../queries.ts'
import { ROOT, type Settings } from '../settings.ts'
import { quantile, speed } from '../speed.ts'
import { COMMITTED_RECORDING } from '../workbench.ts'

const SERVICES = ['tempo', 'prometheus', 'phoenix', 'collector', 'mock-vllm']
const rows: (readonly [what: string, found: string, aim: string])[] = []
const report = (what: string, found: string, aim: string) => {
  rows.push([what, found, aim])
  console.error(`${what}: ${found} (aim: ${aim})`)
}
const ticksOf = (entries: readonly Entry[]) => entries.filter((entry) => entry.kind === 'tick')

async function withStack(env: Record<string, string>, policy: string, measure: (settings: Settings) => Promise<void>) {
  const settings = await ownSettings({ ...SHIPPED_WAITS, ...env })
  const end = await startStack(settings, policy, SERVICES)
  try {
    await measure(settings)
  } finally {
    await end()
  }
}

/** Ten ticks a second for a minute. The numbers of spans that were sent, received, decided on and stored must be equal. */
async function loss(settings: Settings): Promise<void> {
  const count = async (query: string) => (await prometheus(settings, query))[0]?.value ?? 0
  const everything = `sum(traces_span_metrics_calls_total{service_name="${packageJson.name}"})`
  const before = await count(everything)
  const interval = `${100 * Number(settings.env.TIME_FACTOR)}ms`
  const { entries, spans, id } = await play(settings, '--ticks', '600', '--tick-interval', interval, '--seed', '3')
  const ticks = ticksOf(entries)
  const seconds = ticks.reduce((sum, { ms }) => sum + Math.max(100, ms), 0) / 1000
  const found = await eventually(async () => {
    const judged = await count('sum(otelcol_processor_tail_sampling_global_count_traces_sampled)')
    const kept = await count('sum(otelcol_processor_tail_sampling_global_count_traces_sampled{sampled="true"})')
    const stored = (await tempoSearch(settings, `{ span.gen_ai.conversation.id = "${id}" && nestedSetParent < 0 }`))
      .length
    const counted = (await count(everything)) - before
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

async function memory(settings: Settings): Promise<void> {
  const each = await Promise.all(
    started(settings).map(async (name) => {
      const { stdout } = await execa('ps', ['-o', 'rss=', '-p', String(runningPid(settings, name))])
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

const BACKENDS = ['Tempo', 'Phoenix', 'Prometheus'] as const

/** From the end of a tick in the simulator until each backend shows it. Every trace is kept here. Returns the ms of a round. */
async function freshness(settings: Settings): Promise<number> {
  const waits: Record<(typeof BACKENDS)[number], number[]> = { Tempo: [], Phoenix: [], Prometheus: [] }
  const rounds: number[] = []
  for (let tick = 0; tick < 12; tick++) {
    const { entries, id } = await play(settings, '--ticks', '1', '--seed', String(tick))
    const written = Date.now()
    const [played] = ticksOf(entries)
    rounds.push(...ticksOf(entries).map(({ ms }) => ms))
    const shows: Record<(typeof BACKENDS)[number], () => Promise<boolean>> = {
      Tempo: async () =>
        (await tempoSearch(settings, `{ span.gen_ai.conversation.id = "${id}" && nestedSetParent < 0 }`)).length > 0,
      Phoenix: async () => (await phoenixSpans(settings, packageJson.name, played?.trace)).length > 0,
      Prometheus: async () => (await prometheus(settings, `woodland_decisions_total{instance="${id}"} > 0`)).length > 0,
    }
    await Promise.all(
      BACKENDS.map(async (name) => {
        await eventually(async () => {
          if (!(await shows[name]())) throw new Error(`${id} with ${entries.length} entries is not in ${name}`)
        })
        waits[name].push((Date.now() - written) / 1000)
      }),
    )
  }
  for (const name of BACKENDS)
    report(
      `root span end → seen in ${name}`,
      `p50 ${quantile(waits[name], 0.5).toFixed(1)} s, p95 ${quantile(waits[name], 0.95).toFixed(1)} s`,
      'p95 ≤ 10 s',
    )
  return quantile(rounds, 0.5)
}

/** The CPU cost of telemetry in the simulator: milliseconds a round, and the ratio to the CPU without telemetry. */
async function overhead(settings: Settings) {
  const TICKS = 200
  const cpu = async (more: Record<string, string>) => {
    const flags = ['--ticks', String(TICKS), '--tick-interval', '1ms', '--seed', '5']
    const { file, args, cwd, env } = simulator(settings, ...flags)
    const words = ['-c', '"$@" >/dev/null 2>&1; times', 'sh', file, ...args]
    const { stdout } = await execa('sh', words, { cwd, env: { ...env, ...more }, extendEnv: false })
    const [, user, system] = /\n(\S+) (\S+)$/.exec(stdout) ?? []
    const seconds = (text = '') => Number(/(\d+)m/.exec(text)?.[1] ?? 0) * 60 + Number(/([\d.]+)s/.exec(text)?.[1] ?? 0)
    return seconds(user) + seconds(system)
  }
  const runs: { on: number; off: number }[] = []
  for (let pair = 0; pair < 3; pair++) runs.push({ on: await cpu({}), off: await cpu({ OTEL_SDK_DISABLED: 'true' }) })
  const median = (of: (run: { on: number; off: number }) => number) => quantile(runs.map(of), 0.5)
  return { ms: (median(({ on, off }) => on - off) / TICKS) * 1000, ratio: median(({ on, off }) => on / off) }
}

/** Repeats the committed recording, each time later and with new ids, until there are this many spans. */
function* multiplied(wanted: number): Generator<string> {
  const lines = gunzipSync(readFileSync(resolve(ROOT, COMMITTED_RECORDING)))
    .toString()
    .trimEnd()
    .split('\n')
  const arrivals = lines.map((line) => BigInt(/"recording\.arrival","value":\{"intValue":"(\d+)"/.exec(line)?.[1] ?? 0))
  const length = (arrivals.at(-1) ?? 0n) - (arrivals[0] ?? 0n) + 500_000_000n
  let spans = 0
  for (let later = 0n; ; later += length) {
    const ids = new Map<string, string>()
    const fresh = (id: string) => {
      const known = ids.get(id) ?? randomBytes(id.length / 2).toString('hex')
      ids.set(id, known)
      return known
    }
    for (const line of lines) {
      if (spans >= wanted) return
      spans += line.split('"startTimeUnixNano"').length - 1
      yield `${line
        .replace(/"((?:trace|span|parentSpan)Id)":"([0-9a-f]+)"/g, (_, key, id) => `"${key}":"${fresh(id)}"`)
        .replace(
          /("\w+UnixNano":"|"recording\.arrival","value":\{"intValue":")(\d+)/g,
          (_, before, nanos) => `${before}${BigInt(nanos) + later}`,
        )}\n`
    }
  }
}

/** The highest memory in MB of this process and its collector during the work, measured twice a second. */
async function peakMemory<T>(work: () => Promise<T>): Promise<readonly [T, workbench: number, collector: number]> {
  const peak = [0, 0]
  const look = async () => {
    const { stdout } = await execa('ps', ['-A', '-o', 'ppid=,rss=,args='])
    const ours = stdout.split('\n').filter((line) => Number.parseInt(line, 10) === process.pid && /otelcol/.test(line))
    const collectors = ours.map((line) => Number(line.trim().split(/\s+/)[1]) / 1024)
    peak[0] = Math.max(peak[0] ?? 0, process.memoryUsage.rss() / 1024 ** 2)
    peak[1] = Math.max(peak[1] ?? 0, ...collectors)
  }
  const timer = setInterval(() => void look().catch(() => {}), 500)
  try {
    const done = await work()
    return [done, peak[0] ?? 0, peak[1] ?? 0]
  } finally {
    clearInterval(timer)
  }
}

/** Replays a long recording in the workbench: it is read, sent, decided on, written, read again and counted. */
async function replaySpeed(): Promise<void> {
  const wanted = Number(process.env.REPLAY_SPANS || 300_000)
  const settings = await ownSettings()
  rmSync(settings.state, { recursive: true })
  const launcher = await launcherFor(settings, { ...quiet, say: console.error }, 'native')
  const policies = resolve(ROOT, SHIPPED_POLICY)
  await withScratch(async (folder) => {
    const path = join(folder, 'long.jsonl.gz')
    await pipeline(Readable.from(multiplied(wanted)), createGzip({ level: 1 }), createWriteStream(path))
    const { see, found } = studying(() => () => 0)
    const timed = async (what: string, aim: string, work: () => Promise<unknown>) => {
      const from = performance.now()
      const [, workbench, collector] = await peakMemory(work)
      const seconds = (performance.now() - from) / 1000
      const { spans } = found()
      const peak = `peak memory workbench ${workbench.toFixed(0)} MB, collector ${collector.toFixed(0)} MB`
      report(what, `${(spans / seconds).toFixed(0)} spans/s: ${spans} in ${seconds.toFixed(1)} s; ${peak}`, aim)
    }
    const traffic = { requests: () => readRecording(path), speed: 1, slowCall: '2s' }
    await timed('replay of a recording, with its table', '1,000,000 spans in ≤ 60 s', async () => {
      traffic.speed = comfortableSpeed(await recordedMs(launcher, traffic.requests()))
      const kept = await replay(launcher, { ...traffic, watch: see }, policies)
      tabulate(found(), [], kept, new Map())
    })
    const lists = singlePolicies(readFileSync(policies, 'utf8'))
    await timed(`the same for each of its ${lists.length} policies alone`, '–', () =>
      replayEach(launcher, traffic, lists),
    )
  })
}

/** Start, loss, memory and freshness of the running servers, and the replay of the workbench. Returns lines of Markdown. */
async function servers(): Promise<readonly string[]> {
  const began = Date.now()
  let cost = { ms: Number.NaN, ratio: Number.NaN }
  await withStack({ TIME_FACTOR: '40', VLLM_PRESET: 'default' }, SHIPPED_POLICY, async (settings) => {
    report(
      'start of the servers, built before, without data',
      `${((Date.now() - began) / 1000).toFixed(1)} s`,
      '≤ 20 s',
    )
    await loss(settings)
    await memory(settings)
    cost = await overhead(settings)
  })
  await withStack({ VLLM_PRESET: 'calm' }, 'collector/policies/keep-everything.yaml', async (settings) => {
    const round = await freshness(settings)
    const share = ((cost.ms / round) * 100).toFixed(2)
    report(
      'telemetry in the simulator',
      `${cost.ms.toFixed(2)} ms CPU a round, ${share} % of a round of ${round} ms; ${cost.ratio.toFixed(2)} × the CPU without telemetry`,
      '≤ 1 %',
    )
  })
  await replaySpeed()
  return ['| measured | found | aim |', '| --- | --- | --- |', ...rows.map((row) => `| ${row.join(' | ')} |`)]
}

/** The parts of the benchmark. Each is one file in docs/measured/. */
const PARTS = {
  bench: servers,
  speed: async () => speed(await ownSettings(), (line) => console.error(line)),
}

const { BENCH: asked, SHAPE: shape } = process.env
const isPart = (name: string): name is keyof typeof PARTS => Object.hasOwn(PARTS, name)
try {
  for (const name of asked ? [asked] : Object.keys(PARTS)) {
    if (!isPart(name))
      throw new UserError(`BENCH=${name} is no part of the benchmark. There are: ${Object.keys(PARTS).join(', ')}`)
    const table = (await PARTS[name]()).join('\n')
    console.log(table)
    // A table with some of the variants would be half of the one that the documents point to.
    if (!shape) console.error(`written to ${writeMeasured(name, table)}`)
  }
} catch (error) {
  if (!(error instanceof UserError)) throw error
  console.error(error.message)
  process.exitCode = 1
}
