import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Span } from '../../otlp/json.ts'
import { type Random, randomOf } from '../../random/random.ts'
import { sumOf, unjudgedOn, withScratch } from '../../workbench/collector.ts'
import { startPosting } from '../../workbench/post.ts'
import { withVariables } from '../../workbench/variables.ts'
import { waitFor } from '../../workbench/wait.ts'
import { type Member, startTiers, type Tiers } from '../tiers/processes.ts'
import { requestOf } from '../traffic.ts'
import { type Balance, balance, type Outcome, type SentTrace, spanKey } from './balance.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import {
  type Backend,
  type DrillTools,
  IN_FLIGHT,
  SECOND_MS,
  SEND_EVERY_MS,
  TRACES_PER_SECOND,
  traceOf,
  untilQuiet,
  WAITS,
} from './setup.ts'

const GATEWAYS = 2
export const SAMPLERS = 3
/** The root of a trace comes so long after its other spans, and through the other gateway. In between, the trace is in flight. */
export const IN_FLIGHT_MS = 2 * SECOND_MS
/**
 * A trace that came longer ago than this was judged, also on a busy machine. What came while its sampler was away waited in a gateway, so
 * that time counts too. Each drill checks by other means that only those that a kill may explain were lost.
 */
const UNDECIDED_FOR_MS = 30 * SECOND_MS
const AGAIN_AFTER_MS = 100
/** How long a client tries again before it gives a request up. */
const GIVEN_UP_AFTER_MS = 120 * SECOND_MS
export const SETTLED_WITHIN_MS = 300 * SECOND_MS
/** A sampler looks at what has come once a second, and later on a busy machine. */
const QUIET_MS = 5 * SECOND_MS
export const QUEUED = 'otelcol_exporter_queue_size'
/** Metrics are sent every five seconds for ever. */
export const OF_TRACES = 'data_type="traces"'
/** Also those that an exporter tries again, which are in no queue. */
const BEING_SENT = 'otelcol_exporter_in_flight_requests'

/** Spans of one trace that were sent in one request, and the gateway that answered it. */
export type SentPart = SentTrace & Readonly<{ answeredBy: string }>
/** A backend, with one stand-in for each sampler, so that it is known which of them judged a trace. */
export type Target = Backend & Readonly<{ proxies: readonly FaultProxy[] }>

/** Two gateways, three samplers, stand-ins for their backends, and a client that sends each trace in two parts. */
export type Setup = Tiers &
  Readonly<{
    random: Random
    targets: readonly Target[]
    play: (ms: number, perSecond?: number) => Promise<void>
    sent: () => readonly SentPart[]
    /** How many spans were sent again, because their gateway did not answer or was not there. */
    sentAgain: () => number
    /** Sends what is still to be sent, and waits until all of it is judged and with the backends. */
    settle: () => Promise<void>
    total: (members: readonly Member[], name: string, label?: string) => Promise<number>
    /** How many traces these samplers have taken in and not yet judged. */
    held: (samplers: readonly Member[]) => Promise<number>
    kill: (member: Member) => Promise<void>
    /** Starts what was killed again. */
    restart: (member: Member) => Promise<void>
    balances: () => Promise<readonly Balance[]>
    /** Which sampler gets this trace when it is sent now. */
    ownerOf: (trace: string) => Promise<string>
  }>

/** Starts what a drill of two tiers needs, runs the drill, and stops everything in any case. */
export async function withTiers(
  tools: DrillTools,
  { seed, listed }: Readonly<{ seed: number; listed?: number }>,
  work: (setup: Setup) => Promise<Outcome>,
): Promise<Outcome> {
  const { cancel } = tools.launcher
  const launcher = await tools.tiersLauncher()
  return withScratch(async (folder) => {
    const ends: (() => Promise<unknown>)[] = []
    try {
      const policies = join(folder, 'list.yaml')
      writeFileSync(policies, withVariables(tools.lists.everything, {}))
      const targets: Target[] = []
      for (const backend of tools.backends) {
        const ports = await launcher.freePorts(SAMPLERS)
        const proxies = await Promise.all(ports.map((port) => startFaultProxy(port)))
        ends.push(...proxies.map(({ stop }) => stop))
        targets.push({ ...backend, proxies })
      }
      const tiers = await startTiers(launcher, {
        folder,
        gateways: GATEWAYS,
        samplers: SAMPLERS,
        ...(listed ? { listed } : {}),
        env: { ...WAITS, POLICY_FILE: policies },
        samplerFiles: targets.map(({ collectorFile }) => collectorFile),
        samplerEnv: (index) =>
          Object.assign({}, ...targets.map(({ environment, proxies }) => environment(proxies[index]?.endpoint ?? ''))),
      })
      const { gateways, samplers } = tiers
      ends.push(() => Promise.all([...gateways, ...samplers].map((one) => one.now().kill())))
      const client = startClient(gateways, seed, cancel)
      ends.push(client.stop)

      const total = async (members: readonly Member[], name: string, label?: string) => {
        // Only the page of what is counted has names of another kind.
        const pages = members.map(({ now }) => (name.startsWith('otelcol_') ? now().metrics() : now().counted()))
        return (await Promise.all(pages)).reduce((sum, text) => sum + sumOf(text, name, label), 0)
      }
      const held = async (members: readonly Member[]) =>
        (await Promise.all(members.map(({ now }) => now().metrics()))).reduce((sum, page) => sum + unjudgedOn(page), 0)
      const proxies = targets.flatMap((target) => target.proxies)
      const settle = async () => {
        await client.finish()
        const all = [...gateways, ...samplers]
        const isDone = async () =>
          (await total(all, QUEUED, OF_TRACES)) + (await total(all, BEING_SENT, OF_TRACES)) + (await held(samplers)) ===
          0
        if (!(await waitFor(isDone, { withinMs: SETTLED_WITHIN_MS, cancel })))
          throw new Error(`two tiers did not come to rest within ${SETTLED_WITHIN_MS / SECOND_MS} s`)
        await untilQuiet(() => proxies.map((proxy) => proxy.requests()), { isDone, quietMs: QUIET_MS, cancel })
      }
      const killsMs: number[] = []
      let longestAwayMs = 0
      return await work({
        ...tiers,
        random: randomOf('drill', seed),
        targets,
        play: client.play,
        sent: client.sent,
        sentAgain: client.sentAgain,
        settle,
        total,
        held,
        kill: async (member) => {
          killsMs.push(Date.now())
          await member.now().kill()
        },
        restart: async (member) => {
          await member.start()
          longestAwayMs = Math.max(longestAwayMs, Date.now() - (killsMs.at(-1) ?? Date.now()))
        },
        balances: () =>
          Promise.all(
            targets.map(async (target) =>
              balance(
                client.sent(),
                { killsMs, undecidedForMs: UNDECIDED_FOR_MS + longestAwayMs, isDropped: () => false },
                {
                  backend: target.id,
                  stored: atAll([target]),
                  acknowledged: atAll([target]),
                  rejected: new Map(target.proxies.flatMap(({ rejected }) => [...rejected])),
                  elsewhere: atAll(targets.filter((other) => other !== target)),
                  givenUp: await total(
                    samplers,
                    'otelcol_exporter_enqueue_failed_spans',
                    `exporter="${target.exporter}"`,
                  ),
                },
              ),
            ),
          ),
        ownerOf: async (trace) => {
          const span = 'a'.repeat(16)
          await client.send([[{ traceId: trace, spanId: span, name: 'where does it go' }]])
          const key = spanKey(trace, span)
          const at = () => (targets[0]?.proxies ?? []).findIndex(({ acknowledged }) => acknowledged.has(key)) + 1
          await waitFor(() => at() > 0, { withinMs: SETTLED_WITHIN_MS, cancel })
          return `sampler-${at()}`
        },
      })
    } finally {
      for (const end of ends.reverse()) await end()
    }
  })
}

/** How many copies of each span these stand-ins took, of all samplers. */
export function atAll(targets: readonly Target[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { acknowledged } of targets.flatMap(({ proxies }) => proxies))
    for (const [key, times] of acknowledged) counts.set(key, (counts.get(key) ?? 0) + times)
  return counts
}

/** Sends the root of a trace through one gateway and the rest through the other. What one does not take goes to the other. */
function startClient(gateways: readonly Member[], seed: number, cancel: AbortSignal) {
  const posting = gateways.map((one) => startPosting(`${one.now().otlp}/v1/traces`, IN_FLIGHT))
  const parts: SentPart[] = []
  const waiting = new Set<Promise<void>>()
  let [again, made] = [0, 0]
  const deliver = async (some: readonly (readonly Span[])[], first: number) => {
    const { body } = requestOf(Date.now(), some.flat())
    const sentMs = Date.now()
    let refused: string | undefined
    for (let turn = first; ; turn++) {
      const answer = (await posting[turn % posting.length]?.post(body)) ?? { error: 'there is no gateway' }
      refused = 'error' in answer ? answer.error : answer.status === 200 ? undefined : `HTTP ${answer.status}`
      if (refused === undefined || Date.now() > sentMs + GIVEN_UP_AFTER_MS || cancel.aborted) {
        const answeredBy = gateways[turn % posting.length]?.name ?? ''
        const times = { sentMs, answeredMs: Date.now(), refused }
        for (const spans of some)
          parts.push({
            id: spans[0]?.traceId ?? '',
            parts: [{ spans: spans.map(({ spanId }) => spanId), ...times }],
            answeredBy,
          })
        return
      }
      again += some.flat().length
      await sleep(AGAIN_AFTER_MS)
    }
  }
  const send = (some: readonly (readonly Span[])[], first = 0) => {
    const sending = deliver(some, first)
    waiting.add(sending)
    return sending.finally(() => waiting.delete(sending))
  }
  let roots: readonly Readonly<{ atMs: number; spans: readonly Span[]; through: number }>[] = []
  const sendDue = (fresh: readonly (readonly Span[])[]) => {
    const now = Date.now()
    const due = roots.filter(({ atMs }) => atMs <= now)
    roots = roots.filter(({ atMs }) => atMs > now)
    const begun = fresh.map((spans, index) => ({ spans, through: (made + index) % posting.length }))
    roots = [
      ...roots,
      ...begun.map(({ spans, through }) => ({
        atMs: now + IN_FLIGHT_MS,
        spans: spans.filter(({ parentSpanId }) => parentSpanId === undefined),
        through: through + 1,
      })),
    ]
    const rest = begun.map(({ spans, through }) => ({
      through,
      spans: spans.filter(({ parentSpanId }) => parentSpanId !== undefined),
    }))
    for (const [first, some] of Map.groupBy([...rest, ...due], ({ through }) => through % posting.length))
      void send(
        some.map(({ spans }) => spans),
        first,
      )
  }
  return {
    send,
    sent: () => parts,
    sentAgain: () => again,
    play: async (ms: number, perSecond = TRACES_PER_SECOND) => {
      const [began, before] = [Date.now(), made]
      for (let isOver = false; !isOver; ) {
        isOver = Date.now() - began >= ms
        const due = before + Math.ceil((Math.min(ms, Date.now() - began) / SECOND_MS) * perSecond)
        const fresh = Array.from({ length: due - made }, (_, index) => traceOf(seed, made + index, Date.now()))
        sendDue(fresh)
        made = due
        await sleep(SEND_EVERY_MS, undefined, { signal: cancel })
      }
    },
    finish: async () => {
      while (roots.length > 0) {
        sendDue([])
        await sleep(SEND_EVERY_MS, undefined, { signal: cancel })
      }
      await Promise.all(waiting)
    },
    stop: () => Promise.all(posting.map(({ stop }) => stop())),
  }
}
