import { readFileSync } from 'node:fs'
import { type Class, classified, classLists, type PriceOf, type Study, studying } from './classes.ts'
import type { Launcher } from './collector.ts'
import { forecast } from './forecast.ts'
import { readRecording } from './recording.ts'
import { comfortableSpeed, recordedMs, replay, replayEach, type Traffic } from './replay.ts'
import type { Findings } from './report.ts'
import { singlePolicies } from './single-policies.ts'
import { compare, tabulate } from './table.ts'

type Question = Readonly<{
  recording: string
  /** Paths of checked policy files, each with the name to show. */
  a: Readonly<{ path: string; shown: string }>
  b?: Readonly<{ path: string; shown: string }>
  slowCall: string
  /** Undefined means the speed at which the recording takes about ten seconds. */
  speed: number | undefined
  classes: readonly Class[]
  pricesOf: (day: Date) => PriceOf
}>

/** Replays a recording with one policy file or two, and says what is kept, by whom, and what changes. */
export async function tune(launcher: Launcher, question: Question): Promise<Findings> {
  const { recording, a, b, classes, slowCall } = question
  const speed = question.speed ?? comfortableSpeed(await recordedMs(launcher, readRecording(recording)))
  const { see, found } = studying(question.pricesOf)
  const traffic: Traffic = { requests: () => readRecording(recording), speed, slowCall }
  const judge = async ({ path, shown }: Question['a'], whole: Traffic, known?: Study) => {
    const began = performance.now()
    launcher.say(`  ${shown}: replayed ${speed} times as fast as it was recorded, or as fast as the collector can`)
    const alone = singlePolicies(readFileSync(path, 'utf8'))
    // The votes of the classes are the same for the second list.
    const lists = known ? alone : [...alone, ...classLists(classes)]
    const [kept, decided] = await bothOrNone(launcher, (both) => [
      replay(both, whole, path),
      replayEach({ ...both, say: (line) => both.say(`  each policy alone:${line}`) }, traffic, lists),
    ])
    const study = known ?? classified(found(), classes, decided)
    const votes = new Map(alone.map(({ name }) => [name, decided.get(name) ?? new Map()]))
    const seconds = ((performance.now() - began) / 1000).toFixed(1)
    launcher.say(`  ${shown}: ${kept.size} of ${study.traces.size} traces kept, ${seconds} s`)
    const table = tabulate(study, classes, kept, votes)
    return { study, kept, side: { file: shown, table, forecast: forecast(study, table.total) } }
  }
  const first = await judge(a, { ...traffic, watch: see })
  const second = b && (await judge(b, traffic, first.study))
  const { study } = first
  return {
    recording,
    traces: study.traces.size,
    spans: study.spans,
    speed,
    slowCall,
    a: first.side,
    ...(second ? { b: second.side, diff: compare(study, classes, first.kept, second.kept) } : {}),
  }
}

/** Does both at the same time. When one fails, ends the other before it throws. */
async function bothOrNone<A, B>(
  launcher: Launcher,
  start: (both: Launcher) => readonly [Promise<A>, Promise<B>],
): Promise<readonly [A, B]> {
  const failed = new AbortController()
  const work = start({ ...launcher, cancel: AbortSignal.any([launcher.cancel, failed.signal]) })
  try {
    return await Promise.all(work)
  } catch (error) {
    failed.abort()
    await Promise.allSettled(work)
    throw error
  }
}
