import { randomOf } from '../random/random.ts'
import type { Launcher } from '../workbench/collector.ts'
import { drawIn, type Format } from '../workbench/draw.ts'
import { replayEach } from '../workbench/replay.ts'
import { withVariables } from '../workbench/variables.ts'
import { makeTrace, paced } from './traffic.ts'

export type QuietSize = Readonly<{ seed: number; agents: number; runs: number }>

/** How many runs it took, until the first run of an agent was kept; for each agent of which one was kept. */
export type Quiet = QuietSize & Readonly<{ seenAt: readonly number[] }>

const PER_SECOND = 2500

/**
 * Sends ordinary runs of many agents through a list. Nothing ever goes wrong in them, so only the sample keeps any, and an agent
 * that runs seldom may be in no backend for a long time.
 */
export async function quietAgents(launcher: Launcher, list: string, size: QuietSize): Promise<Quiet> {
  const runs = Array.from({ length: size.agents * size.runs }, (_, index) => ({
    agent: index % size.agents,
    ...makeTrace('routine', randomOf(size.seed, 'quiet', index)),
  }))
  const traffic = paced(
    runs.map(({ spans }) => spans),
    PER_SECOND,
  )
  const name = 'list'
  const kept = (await replayEach(launcher, traffic, [{ name, text: withVariables(list, {}) }])).get(name) ?? new Map()
  const count = new Map<number, number>()
  const seenAt = new Map<number, number>()
  for (const { agent, spans } of runs) {
    const number = (count.get(agent) ?? 0) + 1
    count.set(agent, number)
    if (kept.has(spans[0]?.traceId ?? '') && !seenAt.has(agent)) seenAt.set(agent, number)
  }
  return { ...size, seenAt: [...seenAt.values()].sort((a, b) => a - b) }
}

/** How many runs it takes until this share of all agents was seen; undefined when more runs than were sent. */
export const seenBy = ({ agents, seenAt }: Quiet, share: number): number | undefined =>
  seenAt[Math.ceil(share * agents) - 1]

export function quietReport(quiet: Quiet, format: Format): string {
  const { agents, runs, seenAt } = quiet
  const row = (share: number) => [`${100 * share} %`, String(seenBy(quiet, share) ?? `more than ${runs}`)]
  return [
    `Ordinary runs until the first one of an agent is kept (${agents} agents, ${runs} runs each; of ${agents - seenAt.length} none was kept):`,
    drawIn(format)([['of the agents', 'runs'], ...[0.5, 0.75, 0.95, 0.99].map(row)]),
  ].join('\n\n')
}
