import { waitFor } from '../../workbench/wait.ts'
import type { Member } from '../tiers/processes.ts'
import { type Balance, type Outcome, type SpanState, spanKey } from './balance.ts'
import { type Backend, type DrillTools, SECOND_MS, type Size, untilQuiet } from './setup.ts'
import {
  atAll,
  IN_FLIGHT_MS,
  OF_TRACES,
  QUEUED,
  SAMPLERS,
  SETTLED_WITHIN_MS,
  type SentPart,
  type Setup,
  withTiers,
} from './tiers-setup.ts'

/** While a process is away. Clients and gateways try many times. */
const AWAY_MS = SECOND_MS
/** Each kill takes some seconds of this drill, and `KILLS` is for the drill with one Collector. */
const KILLS_EACH = 10

/** Spans that the first backend did not get, with the trace and the gateway that took them. */
const missing = ({ sent, targets }: Setup) => {
  const [first] = targets
  const arrived = atAll(first ? [first] : [])
  return sent().filter(({ id, parts }) =>
    parts.some(({ spans }) => spans.some((span) => !arrived.has(spanKey(id, span)))),
  )
}

const lossOf = (found: readonly Balance[], states: readonly SpanState[]) =>
  found.flatMap(({ backend, states: own }) =>
    states.flatMap((state) => (own[state] > 0 ? [`${backend} lacks ${own[state]} spans: ${state}`] : [])),
  )
const LOST: readonly SpanState[] = ['undecided', 'givenUp', 'unstored', 'refused']

/** Kills a process of a tier again and again while clients send, and starts it again. */
async function whileKilled(
  { random, play, kill, restart }: Setup,
  member: Member | undefined,
  times: number,
  before: () => Promise<void>,
) {
  if (!member) throw new Error('there is no such process')
  for (let count = 0; count < times; count++) {
    await play(IN_FLIGHT_MS + random.below(2 * SECOND_MS))
    await before()
    await kill(member)
    await play(AWAY_MS)
    await Promise.all([play(AWAY_MS), restart(member)])
  }
  await play(SECOND_MS)
}

const killsOf = ({ kills }: Size) => Math.ceil(kills / KILLS_EACH)

async function samplerKilled(tools: DrillTools, size: Size): Promise<Outcome> {
  return withTiers(tools, size, async (setup) => {
    const [, victim] = setup.samplers
    let held = 0
    await whileKilled(setup, victim, killsOf(size), async () => {
      held += victim ? await setup.held([victim]) : 0
    })
    await setup.settle()
    const balances = await setup.balances()
    const lost = new Set(missing(setup).map(({ id }) => id))
    const owners = await Promise.all([...lost].map((trace) => setup.ownerOf(trace)))
    const others = owners.filter((owner) => owner !== victim?.name).length
    return {
      drill: 'sampler-killed',
      balances,
      notes: [
        `${killsOf(size)} kills of ${victim?.name}, which held ${held} traces just before; ${lost.size} traces were lost in whole or in part, ${lost.size - others} of them its own; ${setup.sentAgain()} spans were sent again by clients`,
      ],
      broken: [
        ...(others > 0 ? [`${others} traces were lost that ${victim?.name} did not judge`] : []),
        ...(setup.sentAgain() > 0 ? ['a gateway refused spans because a sampler was away'] : []),
        ...lossOf(balances, ['givenUp', 'unstored', 'refused']),
      ],
    }
  })
}

const COUNTED = 'traces_span_metrics_calls_total'

async function gatewayKilled(tools: DrillTools, size: Size): Promise<Outcome> {
  return withTiers(tools, size, async (setup) => {
    const [victim] = setup.gateways
    let shown = 0
    await whileKilled(setup, victim, killsOf(size), async () => {
      shown += victim ? await setup.total([victim], COUNTED) : 0
    })
    await setup.settle()
    const balances = await setup.balances()
    const lost = missing(setup)
    const strange = lost.filter(({ answeredBy }) => answeredBy !== victim?.name).length
    const spans = balances[0]?.sent ?? 0
    // Counts come to the page every five seconds, so they are asked until they stay.
    let counted = Number.NaN
    await untilQuiet(() => [counted], {
      isDone: async () => {
        counted = await setup.total(setup.gateways, COUNTED)
        return true
      },
      quietMs: 7 * SECOND_MS,
      cancel: tools.launcher.cancel,
    })
    return {
      drill: 'gateway-killed',
      balances,
      notes: [
        `${killsOf(size)} kills of ${victim?.name}; clients sent ${setup.sentAgain()} of ${spans} spans again, to the other gateway: at most so many are stored or counted twice; ${balances[0]?.duplicated ?? 0} were stored twice`,
        `${lost.reduce((sum, { parts }) => sum + parts.reduce((all, part) => all + part.spans.length, 0), 0)} spans were lost that it had answered and not handed on`,
        `the pages of the gateways count ${shown + counted} of ${spans} spans: what a gateway had counted since its page was last made is not on it`,
      ],
      broken: [
        ...(strange > 0 ? [`${strange} parts of traces were lost that the other gateway had taken`] : []),
        ...(shown + counted > spans + setup.sentAgain() ? ['more spans were counted than were sent'] : []),
        ...lossOf(balances, ['givenUp', 'unstored', 'refused']),
      ],
    }
  })
}

async function backendDown(tools: DrillTools, { seed, outageSeconds }: Size): Promise<Outcome> {
  return withTiers(tools, { seed }, async (setup) => {
    const { targets, play, sent, settle, samplers, total } = setup
    const [down, ...others] = targets
    if (!down) throw new Error('there is no backend')
    const behave = (kind: 'down' | 'well') => Promise.all(down.proxies.map((proxy) => proxy.behave({ kind })))
    await play(SECOND_MS)
    await behave('down')
    await play(outageSeconds * SECOND_MS)
    // Each other backend gets every trace whose root is sent, though one is down.
    const spans = () =>
      sent().reduce((sum, { parts }) => sum + parts.reduce((all, part) => all + part.spans.length, 0), 0)
    const hadAll = await waitFor(() => others.every((target) => atAll([target]).size >= spans()), {
      withinMs: SETTLED_WITHIN_MS,
      cancel: tools.launcher.cancel,
    })
    const waiting = await Promise.all(samplers.map((one) => total([one], QUEUED, `exporter="${down.exporter}"`)))
    await behave('well')
    await play(SECOND_MS)
    await settle()
    const balances = await setup.balances()
    return {
      drill: `tiers-${down.id}-down`,
      balances,
      notes: [
        `${outageSeconds} s; ${waiting.join(', ')} bytes waited for ${down.id} on the samplers; ${setup.sentAgain()} spans were sent again by clients`,
      ],
      broken: [
        ...(hadAll ? [] : [`while ${down.id} was down, the other backends did not get all spans`]),
        ...(waiting.some((bytes) => bytes === 0) ? [`a sampler had nothing in its queue for ${down.id}`] : []),
        ...lossOf(balances, LOST),
      ],
    }
  })
}

/** When each gateway changed from one list of samplers to the next. */
type Change = ReadonlyMap<string, Readonly<{ beganMs: number; endedMs: number }>>

/** Changes the list of samplers, as an operator does: the file, and then one gateway after the other. */
async function withNewList({ list, gateways }: Setup, samplers: readonly Member[]): Promise<Change> {
  list(samplers)
  const change = new Map<string, { beganMs: number; endedMs: number }>()
  for (const { name, now } of gateways) {
    const beganMs = Date.now()
    await now().reload()
    change.set(name, { beganMs, endedMs: Date.now() })
  }
  return change
}

/** The list by which a gateway handed on what it answered at this time. */
function listOf({ answeredBy, parts }: SentPart, change: Change): 'old' | 'new' | 'either' {
  const { beganMs = 0, endedMs = 0 } = change.get(answeredBy) ?? {}
  const answeredMs = parts[0]?.answeredMs ?? 0
  return answeredMs < beganMs ? 'old' : answeredMs > endedMs ? 'new' : 'either'
}

/** Which traces were sent partly by the old list and partly by the new one, and which were judged by two samplers. */
function splitBy({ sent, targets }: Setup, change: Change) {
  const places = new Map<string, Set<number>>()
  for (const [index, { acknowledged }] of (targets[0]?.proxies ?? []).entries())
    for (const key of acknowledged.keys()) {
      const [trace = ''] = key.split(' ')
      places.set(trace, (places.get(trace) ?? new Set()).add(index))
    }
  const split = [...places].filter(([, at]) => at.size > 1).map(([trace]) => trace)
  const lists = Map.groupBy(sent(), ({ id }) => id)
  const isUnderWay = (trace: string) => {
    const used = new Set((lists.get(trace) ?? []).map((part) => listOf(part, change)))
    return used.size > 1 || used.has('either')
  }
  return {
    split: split.length,
    underWay: [...lists.keys()].filter(isUnderWay).length,
    strange: split.filter((trace) => !isUnderWay(trace)).length,
  }
}

const lasted = (change: Change) =>
  [...change.values()].map(({ beganMs, endedMs }) => `${((endedMs - beganMs) / SECOND_MS).toFixed(1)} s`).join(' and ')

const listChanged =
  (drill: string, theory: string, first: number, change: (setup: Setup) => Promise<readonly [Change, string]>) =>
  (tools: DrillTools, { seed }: Size): Promise<Outcome> =>
    withTiers(tools, { seed, listed: first }, async (setup) => {
      await setup.play(2 * IN_FLIGHT_MS)
      const [[times, what]] = await Promise.all([change(setup), setup.play(2 * IN_FLIGHT_MS)])
      await setup.play(SECOND_MS)
      await setup.settle()
      const balances = await setup.balances()
      const { split, underWay, strange } = splitBy(setup, times)
      return {
        drill,
        balances,
        notes: [
          `${what}; the gateways took ${lasted(times)} to change; of ${underWay} traces that were sent by both lists, ${split} were split (${Math.round((100 * split) / underWay)} %; by theory ${theory}); ${setup.sentAgain()} spans were sent again while a gateway was away`,
        ],
        broken: [
          ...(strange > 0 ? [`${strange} traces were split that were sent by one list`] : []),
          ...lossOf(balances, LOST),
        ],
      }
    })

const samplerAdded = listChanged('sampler-added', 'one in three', 2, async (setup) => [
  await withNewList(setup, setup.samplers),
  'a third sampler was added',
])

/** Takes a sampler off the list, waits until it has judged and handed on what it holds, and stops it. */
const samplerDrained = listChanged('sampler-drained', 'one in three', SAMPLERS, async (setup) => {
  const [leaving, ...staying] = setup.samplers
  if (!leaving) throw new Error('there is no sampler')
  const change = await withNewList(setup, staying)
  const isEmpty = async () => (await setup.held([leaving])) + (await setup.total([leaving], QUEUED, OF_TRACES)) === 0
  if (!(await waitFor(isEmpty, { withinMs: SETTLED_WITHIN_MS })))
    throw new Error(`${leaving.name} was not empty within ${SETTLED_WITHIN_MS / SECOND_MS} s`)
  await leaving.now().stop()
  await leaving.start()
  return [change, `${leaving.name} was taken off the list, and stopped when it was empty`]
})

/** The drills with two gateways and three samplers. */
export const tierDrills = ([first]: readonly Backend[]) => [
  { name: 'sampler-killed', run: samplerKilled },
  { name: 'gateway-killed', run: gatewayKilled },
  { name: `tiers-${first?.id}-down`, run: backendDown },
  { name: 'sampler-added', run: samplerAdded },
  { name: 'sampler-drained', run: samplerDrained },
]
