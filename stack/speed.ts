import { join, resolve } from 'node:path'
import { execa } from 'execa'
import { type Launcher, type Running, startCollector, withScratch } from '../workbench/collector.ts'
import { drawIn } from '../workbench/draw.ts'
import { UserError } from '../workbench/user-error.ts'
import type { Backend } from './backends/backend.ts'
import { chosenBackends, collectorFile, served } from './backends/backends.ts'
import { launcherFor } from './collectors.ts'
import { makeBodies, SPANS_PER_TRACE, send, sink } from './load.ts'
import { quiet } from './own-stack.ts'
import { SHIPPED_POLICY } from './policy.ts'
import { sendAndSettle, total } from './scale/lab.ts'
import { collectorEnvironment } from './services.ts'
import { ROOT, type Settings } from './settings.ts'

type Cost = Readonly<{ usPerSpan: number; keptShare: number; megabytes: number }>
type Shape = Readonly<{
  name: string
  overlays?: readonly string[]
  /** Another configuration in the place of the shipped one. */
  instead?: string
  /** Another folder in the place of `collector/`. */
  folder?: string
  /** Spans as OpenInference writes them, in the place of the simulator's. */
  isForeign?: boolean
  kept: number
  env?: Readonly<Record<string, string>>
}>

const KB = 1024
const HIGH_VOLUME = resolve(ROOT, 'collector/overlays/high-volume.yaml')
/** The defaults of Go. */
const UNTUNED = { GOGC: '100', GOMEMLIMIT: 'off' }
const speedFile = (name: string) => resolve(ROOT, `evidence/speed/${name}.yaml`)
const PASSTHROUGH = 'passthrough'

const SHAPES: readonly Shape[] = [
  { name: PASSTHROUGH, instead: speedFile('passthrough'), kept: 0, env: UNTUNED },
  { name: 'textbook', instead: speedFile('textbook'), kept: 0.3, env: UNTUNED },
  { name: 'no masking', overlays: [speedFile('unmasked')], kept: 0.1 },
  { name: 'no dialects', overlays: [speedFile('no-dialects')], kept: 0.1 },
  { name: 'as shipped', kept: 0.1 },
  { name: 'as shipped', kept: 0.3 },
  { name: 'high volume', overlays: [HIGH_VOLUME], kept: 0.1 },
  { name: 'high volume', overlays: [HIGH_VOLUME], kept: 0.3 },
  { name: 'OpenInference, no dialects', isForeign: true, overlays: [speedFile('no-dialects')], kept: 0.1 },
  { name: 'OpenInference', isForeign: true, kept: 0.1 },
]

/** The shipped shapes again, with `collector/` of another commit. */
const atCommit = (commit: string, folder: string): readonly Shape[] =>
  SHAPES.filter(({ name }) => name === 'as shipped' || name === 'high volume').map((shape) => ({
    ...shape,
    name: `${shape.name} at ${commit}`,
    folder,
    overlays: (shape.overlays ?? []).map((file) => inFolder(file, folder)),
  }))

const SHIPPED = resolve(ROOT, 'collector')
const inFolder = (path: string, folder: string) =>
  path.startsWith(SHIPPED) ? folder + path.slice(SHIPPED.length) : path

/** Writes `collector/` of this commit below a folder. Throws `UserError` when git does not know the commit. */
async function extract(commit: string, below: string): Promise<string> {
  const archive = await execa('git', ['-C', ROOT, 'archive', commit, 'collector'], {
    encoding: 'buffer',
    reject: false,
  })
  if (archive.failed)
    throw new UserError(
      `BASE=${commit} is no commit of this repository with a folder collector/. git log shows those there are`,
    )
  await execa('tar', ['-x', '-C', below], { input: archive.stdout })
  return join(below, 'collector')
}

type Lab = Readonly<{ launcher: Launcher; live: Readonly<Record<string, string>>; backends: readonly Backend[] }>

async function withShape<T>(
  { launcher, live, backends }: Lab,
  shape: Shape,
  work: (collector: Running) => Promise<T>,
): Promise<T> {
  const { overlays = [], instead, folder: other = SHIPPED, env = {} } = shape
  const replaced: Launcher = {
    ...launcher,
    collector: (...asked) => {
      const { args, ...command } = launcher.collector(...asked)
      return { ...command, args: instead ? ['--config', instead] : args.map((path) => inFolder(path, other)) }
    },
  }
  const backend = await sink()
  try {
    return await withScratch(async (folder) => {
      const collector = await startCollector(replaced, {
        folder,
        overlays: [...backends.map((one) => inFolder(resolve(ROOT, collectorFile(one)), other)), ...overlays],
        env: {
          COLLECTOR_DIR: other,
          POLICY_FILE: inFolder(resolve(ROOT, SHIPPED_POLICY), other),
          DECISION_WAIT: '5s',
          DECISION_WAIT_AFTER_ROOT: '1s',
          // As make up starts it.
          GOGC: live.GOGC ?? '',
          GOMEMLIMIT: live.GOMEMLIMIT ?? '',
          ...env,
          ...Object.fromEntries(backends.map(({ endpointVariable }) => [endpointVariable, backend.url])),
        },
      })
      try {
        return await work(collector)
      } finally {
        await collector.stop()
      }
    })
  } finally {
    backend.close()
  }
}

const WARM_UP_SPANS = 2000

async function cost(lab: Lab, shape: Shape, contentBytes: number, spans: number): Promise<Cost> {
  const content = { ...shape, bytes: contentBytes }
  return withShape(lab, shape, async (collector) => {
    const play = async (count: number) => {
      if (shape.name !== PASSTHROUGH) return sendAndSettle(lab.launcher, [collector], [collector], content, count)
      return { spans: SPANS_PER_TRACE * (await send([collector.otlp], makeBodies(content), count)), kept: 0 }
    }
    await play(WARM_UP_SPANS)
    const before = await total([collector], 'otelcol_process_cpu_seconds')
    const played = await play(spans)
    const seconds = (await total([collector], 'otelcol_process_cpu_seconds')) - before
    const megabytes = (await total([collector], 'otelcol_process_memory_rss')) / KB ** 2
    return { usPerSpan: (seconds * 1e6) / played.spans, keptShare: played.kept, megabytes }
  })
}

const PENDING_SPANS = 20_000
/** Garbage is collected often, so the memory shows what the collector holds. */
const TIDY = { GOGC: '10', GOMEMLIMIT: 'off' }

/** Bytes of memory for a span that waits for the decision, with its content. */
async function pending(lab: Lab, contentBytes: number): Promise<number> {
  const shape: Shape = { name: 'as shipped', kept: 0, env: { DECISION_WAIT: '300s', ...TIDY } }
  const bodies = makeBodies({ ...shape, bytes: contentBytes, hasRoots: false })
  return withShape(lab, shape, async (collector) => {
    const before = await total([collector], 'otelcol_process_memory_rss')
    await send([collector.otlp], bodies, PENDING_SPANS)
    return ((await total([collector], 'otelcol_process_memory_rss')) - before) / PENDING_SPANS
  })
}

const ROUNDS = 5
const SIZES = [
  { bytes: KB, spans: 30_000 },
  { bytes: 4 * KB, spans: 10_000 },
]

/** The value below which this share of the values lies. */
export const quantile = (values: readonly number[], q: number) =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN

/**
 * The CPU cost of one span in each variant of the pipeline, beside a pipeline that drops it: lines of Markdown. Variants take
 * turns, and the median of five turns counts. `BASE` names a commit whose `collector/` takes turns too; `SHAPE` one variant.
 * Throws `UserError` when git does not know the commit, or there is no such variant.
 */
export async function speed(settings: Settings, say: (line: string) => void): Promise<readonly string[]> {
  const launcher = await launcherFor(settings, { ...quiet, say }, 'native')
  const lab = { launcher, live: collectorEnvironment(settings), backends: served(chosenBackends(settings)) }
  const { SHAPE: only, BASE: base } = process.env
  return withScratch(async (folder) => {
    const all = [...SHAPES, ...(base ? atCommit(base, await extract(base, folder)) : [])]
    const asked = all.filter(({ name }) => !only || name.startsWith(only))
    if (asked.length === 0)
      throw new UserError(
        `SHAPE=${only} is no variant. There are: ${[...new Set(all.map(({ name }) => name))].join(', ')}`,
      )
    const shapes = all.filter((shape) => shape.name === PASSTHROUGH || asked.includes(shape))
    const rows: (readonly string[])[] = []
    const waiting: string[] = []
    for (const { bytes, spans } of SIZES) {
      const found = new Map<Shape, readonly Cost[]>()
      for (let round = 0; round < ROUNDS; round++)
        for (const shape of shapes) {
          const one = await cost(lab, shape, bytes, spans)
          found.set(shape, [...(found.get(shape) ?? []), one])
          say(
            `${shape.name}, ${bytes / KB} KB, turn ${round + 1} of ${ROUNDS}: ${one.usPerSpan.toFixed(1)} µs a span, ${(one.keptShare * 100).toFixed(0)} % kept`,
          )
        }
      const middle = (costs: readonly Cost[], of: (cost: Cost) => number) => quantile(costs.map(of), 0.5)
      const least = middle([...found.values()][0] ?? [], ({ usPerSpan }) => usPerSpan)
      for (const [{ name }, costs] of found) {
        const usPerSpan = middle(costs, (one) => one.usPerSpan)
        const kept = name === PASSTHROUGH ? '–' : `${(middle(costs, (one) => one.keptShare) * 100).toFixed(0)} %`
        const megabytes = middle(costs, (one) => one.megabytes).toFixed(0)
        const [perSecond, compared] = [Math.round(1e6 / usPerSpan), `${(usPerSpan / least).toFixed(1)} ×`]
        rows.push([name, `${bytes / KB} KB`, kept, usPerSpan.toFixed(1), String(perSecond), compared, megabytes])
      }
      if (!only) waiting.push(`${((await pending(lab, bytes)) / KB).toFixed(1)} KiB at ${bytes / KB} KB of content`)
    }
    const head = ['pipeline', 'content', 'kept', 'CPU µs per span', 'spans/s per core']
    return [
      drawIn('markdown')([[...head, 'CPU, compared with passthrough', 'resident MB'], ...rows]),
      '',
      `Memory of a span that waits for the decision: ${waiting.join(', ') || 'not measured'}.`,
    ]
  })
}
