import { readFileSync } from 'node:fs'
import { isMap, isSeq, parseDocument } from 'yaml'
import { type Class, type PriceOf, type Study, study } from './classes.ts'
import type { Bench } from './collector.ts'
import { readRecording } from './recording.ts'
import { comfortableSpeed, type Decisions, type List, replay, replayEach, type Traffic } from './replay.ts'
import type { Findings } from './report.ts'
import { compare, tabulate } from './table.ts'

export type Question = Readonly<{
  recording: string
  /** Paths of checked policy files, each with the name to show. */
  a: Readonly<{ path: string; shown: string }>
  b?: Readonly<{ path: string; shown: string }>
  slowCall: string
  /** Undefined takes the speed at which the recording lasts about ten seconds. */
  speed: number | undefined
  classes: readonly Class[]
  pricesOf: (day: Date) => PriceOf
  /** The text of the shipped configuration, for the sampler of each single policy. */
  config: string
}>

/** Replays a recording with one policy file or two, and says what is kept, by whom, and what changes. */
export async function tune(bench: Bench, question: Question): Promise<Findings> {
  const { recording, a, b, classes, slowCall, config } = question
  const found: Study = await study(readRecording(recording), classes, question.pricesOf)
  const speed = question.speed ?? comfortableSpeed(found.toMs - found.fromMs)
  const judge = async ({ path, shown }: { path: string; shown: string }) => {
    const began = performance.now()
    bench.say(`  ${shown}: ${found.spans} spans, about ${Math.ceil((found.toMs - found.fromMs) / speed / 1000) + 4} s`)
    const traffic: Traffic = { requests: () => readRecording(recording), speed, slowCall }
    const [kept, alone] = await bothOrNone(bench, traffic, path, config)
    bench.say(
      `  ${shown}: ${kept.size} of ${found.traces.size} traces kept, ${((performance.now() - began) / 1000).toFixed(1)} s`,
    )
    return { kept, side: { file: shown, table: tabulate(found, classes, kept, alone) } }
  }
  const first = await judge(a)
  const second = b && (await judge(b))
  return {
    recording,
    traces: found.traces.size,
    spans: found.spans,
    speed,
    slowCall,
    a: first.side,
    ...(second ? { b: second.side, diff: compare(found, classes, first.kept, second.kept) } : {}),
  }
}

/** The whole list and its single policies at the same time; when one fails the other is ended before this answers. */
async function bothOrNone(
  bench: Bench,
  traffic: Traffic,
  policyFile: string,
  config: string,
): Promise<readonly [Decisions, ReadonlyMap<string, Decisions>]> {
  const failed = new AbortController()
  const shared = { ...bench, cancel: AbortSignal.any([bench.cancel, failed.signal]) }
  const quiet = { ...shared, say: () => {} }
  const work = [
    replay(shared, traffic, policyFile),
    replayEach(quiet, traffic, { config, lists: singlePolicies(readFileSync(policyFile, 'utf8')) }),
  ] as const
  try {
    return await Promise.all(work)
  } catch (error) {
    failed.abort()
    await Promise.allSettled(work)
    throw error
  }
}

/** Each policy of a list as a list of its own, in the words of the file. */
export function singlePolicies(text: string): readonly List[] {
  const list = parseDocument(text).contents
  if (!isSeq(list)) return []
  return list.items.flatMap((item) => {
    if (!isMap(item)) return []
    const [from = 0, , to = text.length] = item.range ?? []
    const indent = ' '.repeat(from - (text.lastIndexOf('\n', from) + 1) - 2)
    return [{ name: String(item.get('name')), text: `${indent}- ${text.slice(from, to)}` }]
  })
}
