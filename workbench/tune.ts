import { readFileSync } from 'node:fs'
import { isMap, isSeq, type Node, parseDocument, stringify, visit } from 'yaml'
import { type Class, type PriceOf, studying } from './classes.ts'
import type { Launcher } from './collector.ts'
import { forecast } from './forecast.ts'
import { readRecording } from './recording.ts'
import { comfortableSpeed, type List, recordedMs, replay, replayEach, type Traffic } from './replay.ts'
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
export async function tune(launcher: Launcher, question: Question): Promise<Findings> {
  const { recording, a, b, classes, slowCall, config } = question
  const speed = question.speed ?? comfortableSpeed(await recordedMs(launcher, readRecording(recording)))
  const { see, found } = studying(classes, question.pricesOf)
  const traffic: Traffic = { requests: () => readRecording(recording), speed, slowCall }
  const judge = async ({ path, shown }: { path: string; shown: string }, whole: Traffic) => {
    const began = performance.now()
    launcher.say(`  ${shown}: replayed ${speed} times as fast as it was recorded, or as fast as the collector can`)
    const alone = { config, lists: singlePolicies(readFileSync(path, 'utf8')) }
    const [kept, votes] = await bothOrNone(launcher, (lent) => [
      replay(lent, whole, path),
      replayEach({ ...lent, say: (line) => lent.say(`  each policy alone:${line}`) }, traffic, alone),
    ])
    const study = found()
    const seconds = ((performance.now() - began) / 1000).toFixed(1)
    launcher.say(`  ${shown}: ${kept.size} of ${study.traces.size} traces kept, ${seconds} s`)
    const table = tabulate(study, classes, kept, votes)
    return { study, kept, side: { file: shown, table, forecast: forecast(study, table.total) } }
  }
  const first = await judge(a, { ...traffic, watch: see })
  const second = b && (await judge(b, traffic))
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

/** Two works at the same time; when one fails the other is ended before this answers. */
async function bothOrNone<A, B>(
  launcher: Launcher,
  start: (lent: Launcher) => readonly [Promise<A>, Promise<B>],
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

/** Each policy of a list as a list of its own, in the words of the file; one that borrows from another is written out. */
export function singlePolicies(text: string): readonly List[] {
  const document = parseDocument(text, { merge: true })
  const list = document.contents
  if (!isSeq(list)) return []
  return list.items.flatMap((item) => {
    if (!isMap(item)) return []
    const { name } = item.toJS(document)
    if (borrows(item)) return [{ name: String(name), text: stringify([item.toJS(document)], { lineWidth: 0 }) }]
    const [from = 0, , to = text.length] = item.range ?? []
    const indent = ' '.repeat(from - (text.lastIndexOf('\n', from) + 1) - 2)
    return [{ name: String(name), text: `${indent}- ${text.slice(from, to)}` }]
  })
}

function borrows(item: Node): boolean {
  let found = false
  visit(item, {
    Alias: () => {
      found = true
      return visit.BREAK
    },
  })
  return found
}
