import { setTimeout as sleep } from 'node:timers/promises'
import { nanosOf, type Span } from '../../otlp/json.ts'
import { type Random, randomOf } from '../../random/random.ts'
import { isMarked, type Kind, MUST_KEEP, makeTrace } from '../traffic.ts'
import type { Balance, Outcome } from './balance.ts'
import { type DrillTools, SECOND_MS, type Size, withSetup } from './setup.ts'

const SERVICES = ['gateway', 'planner', 'fox', 'bear', 'tools', 'retriever', 'memory', 'model-server'] as const
/** Its spans are in every run, and none of them is a root. */
const KILLED = 'tools'
const RUNS = 500
/** The batch delays of the services, in seconds of the world: from the shortest that is usual to the default of SDKs. */
const USUAL_DELAYS = { shortest: 0.5, longest: 5 }
const LONG_DELAY = 10
const LONGEST_RUN_SECONDS = 600
/** With another delay, a run may be short: only its end matters. */
const SHORT_RUN_SECONDS = 60
const SPANS_OF_A_SERVICE = 2
/** What decides stands in every second run in its last second, where it is most in danger. */
const LAST_SECOND = 0.5

/** Time passes faster here, but batch delays less so, because the sampler counts its waits in whole seconds. */
const SPEED = 30
const DELAY_SPEED = 3
/** The shipped waits, 6 s and 615 s = 600 s + 15 s, at these speeds. */
const AFTER_ROOT_SECONDS = 6 / DELAY_SPEED
const waitsFor = (runSeconds: number, afterRootSeconds: number) => ({
  DECISION_WAIT: `${runSeconds / SPEED + 15 / DELAY_SPEED}s`,
  DECISION_WAIT_AFTER_ROOT: `${afterRootSeconds}s`,
})

type Service = (typeof SERVICES)[number]
/** A span of a run, with the service that makes it and the real time at which it ends. */
type Made = Readonly<{ span: Span; service: Service; endMs: number }>
type Run = Readonly<{ id: string; kind: Kind; spans: readonly Made[] }>

/** One run: a trace of the kind, with spans of every service, none of which ends after the root. */
function makeRun(random: Random, kind: Kind, lastsMs: number): Run {
  const [root, ...rest] = makeTrace(kind, random).spans
  if (!root) throw new Error('a trace has a root')
  const early = () => random.number() * lastsMs
  const decides = () => (random.number() < LAST_SECOND ? lastsMs - (random.number() * SECOND_MS) / SPEED : early())
  const others = SERVICES.slice(1)
  const any = () => others[random.below(others.length)] ?? KILLED
  const more = SERVICES.flatMap((service) =>
    Array.from({ length: SPANS_OF_A_SERVICE }, (): Made => {
      const span = { ...root, name: 'step', spanId: random.hex(16), parentSpanId: root.spanId, attributes: [] }
      return { span, service, endMs: early() }
    }),
  )
  const spans: readonly Made[] = [
    { span: root, service: SERVICES[0], endMs: lastsMs },
    ...rest.map((span) => ({ span, service: any(), endMs: isMarked(span) ? decides() : early() })),
    ...more,
  ]
  return { id: root.traceId, kind, spans }
}

type Scene = Readonly<{
  seed: number
  runSeconds: number
  delays: typeof USUAL_DELAYS
  kill: boolean
  afterRoot: number
}>
type Played = Readonly<{
  balances: readonly Balance[]
  mustKeep: number
  /** Must-keep runs of which the deciding span ended with the killed service, unsent. */
  named: number
  /** Must-keep runs whose deciding span was sent, and which are not stored whole in every backend. */
  lost: number
  unsent: number
}>

async function play(tools: DrillTools, { seed, runSeconds, delays, kill, afterRoot }: Scene): Promise<Played> {
  const random = randomOf('long-runs', seed)
  const longestMs = (runSeconds / SPEED) * SECOND_MS
  const runs = Array.from({ length: RUNS }, (_, number) => {
    const kind = number % 2 === 0 ? 'routine' : (MUST_KEEP[((number - 1) / 2) % MUST_KEEP.length] ?? 'routine')
    // From a twentieth of the longest run to the longest run.
    return makeRun(random, kind, longestMs * (1 - 0.95 * random.number()))
  })
  const killedMs = longestMs / 2
  const batches = SERVICES.flatMap((service, index) => {
    const share = index / (SERVICES.length - 1)
    const everyMs = ((delays.shortest + share * (delays.longest - delays.shortest)) / DELAY_SPEED) * SECOND_MS
    const phaseMs = random.number() * everyMs
    const own = runs.flatMap(({ spans }) => spans.filter((made) => made.service === service))
    const byBatch = Map.groupBy(own, ({ endMs }) => Math.max(0, Math.ceil((endMs - phaseMs) / everyMs)))
    return [...byBatch]
      .map(([batch, made]) => ({ service, dueMs: phaseMs + batch * everyMs, spans: made.map(({ span }) => span) }))
      .filter(({ dueMs }) => !kill || service !== KILLED || dueMs <= killedMs)
  }).sort((one, other) => one.dueMs - other.dueMs)

  const scenario = { seed, list: tools.lists.shipped, waits: waitsFor(runSeconds, afterRoot) }
  return withSetup(tools, scenario, async ({ send, answered, settle, targets, balances }) => {
    const began = Date.now()
    for (const { service, dueMs, spans } of batches) {
      const early = began + dueMs - Date.now()
      if (early > 0) await sleep(early, undefined, { signal: tools.launcher.cancel })
      const endTimeUnixNano = nanosOf(Date.now())
      // A slow call stays slow: only the end moves to now, and the start with it.
      const now = spans.map((span) => {
        const lasts = BigInt(span.endTimeUnixNano ?? 0) - BigInt(span.startTimeUnixNano ?? 0)
        return { ...span, startTimeUnixNano: String(BigInt(endTimeUnixNano) - lasts), endTimeUnixNano }
      })
      void send(now, service)
    }
    await answered()
    // Then every root has come, and each trace is decided within its wait and two ticks.
    await sleep((afterRoot + 2) * SECOND_MS, undefined, { signal: tools.launcher.cancel })
    await settle()
    const sent = new Set(batches.flatMap(({ spans }) => spans.map(({ spanId }) => spanId)))
    const isStored = (id: string, spanId: string) =>
      targets.every(({ proxy }) => proxy.acknowledged.has(`${id} ${spanId}`))
    const stored = new Set(
      targets.flatMap(({ proxy }) => [...proxy.acknowledged.keys()].map((key) => key.split(' ')[0])),
    )
    const mustKeep = runs.filter(({ kind }) => kind !== 'routine')
    const decisive = mustKeep.filter(({ spans }) => spans.some(({ span }) => isMarked(span) && sent.has(span.spanId)))
    return {
      // A run whose deciding span was never sent is an ordinary one for the sampler.
      balances: await balances((id) => !decisive.some((run) => run.id === id) && !stored.has(id)),
      mustKeep: mustKeep.length,
      named: mustKeep.length - decisive.length,
      lost: decisive.filter(({ id, spans }) =>
        spans.some(({ span }) => sent.has(span.spanId) && !isStored(id, span.spanId)),
      ).length,
      unsent: runs.reduce((sum, { spans }) => sum + spans.filter(({ span }) => !sent.has(span.spanId)).length, 0),
    }
  })
}

const share = (part: number, all: number) => `${part} of ${all} (${((100 * part) / all).toFixed(1)} %)`

/** Runs of up to ten minutes in eight services, all at once; one service is killed in the middle. Then a longer batch delay. */
export async function longRuns(tools: DrillTools, { seed }: Size): Promise<Outcome> {
  const usual = {
    seed,
    runSeconds: LONGEST_RUN_SECONDS,
    delays: USUAL_DELAYS,
    kill: true,
    afterRoot: AFTER_ROOT_SECONDS,
  }
  const { balances, mustKeep, named, lost, unsent } = await play(tools, usual)
  const slow = {
    ...usual,
    runSeconds: SHORT_RUN_SECONDS,
    delays: { shortest: LONG_DELAY, longest: LONG_DELAY },
    kill: false,
  }
  const late = await play(tools, slow)
  const cured = await play(tools, { ...slow, afterRoot: (LONG_DELAY + 2) / DELAY_SPEED })
  return {
    drill: 'long-runs',
    balances,
    notes: [
      `${RUNS} runs of up to ten minutes at once, ${SERVICES.length} services with batch delays of ${USUAL_DELAYS.shortest} to ${USUAL_DELAYS.longest} s, ${KILLED} killed half way with ${unsent} spans unsent; of ${mustKeep} runs that must be kept, ${lost} were lost or stored in part, and ${named} ended unsent with ${KILLED}`,
      `with a batch delay of ${LONG_DELAY} s in every service, ${share(late.lost, late.mustKeep)} runs that must be kept were lost or stored in part; with DECISION_WAIT_AFTER_ROOT=${LONG_DELAY + 2}s, ${share(cured.lost, cured.mustKeep)}`,
    ],
    broken: [
      ...(lost > 0 ? [`${lost} runs that must be kept were lost or stored in part`] : []),
      ...(cured.lost > 0 ? [`with the longer wait, ${cured.lost} runs were lost or stored in part`] : []),
    ],
  }
}
