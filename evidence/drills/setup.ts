import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Span, traceRequest } from '../../otlp/json.ts'
import { type Random, randomOf } from '../../random/random.ts'
import { type Launcher, PORTS, type Running, startCollector, sumOf, withScratch } from '../../workbench/collector.ts'
import { startPosting } from '../../workbench/post.ts'
import { replay, SHORTEST_WAITS_SPEED } from '../../workbench/replay.ts'
import { withVariables } from '../../workbench/variables.ts'
import { BEGINNING, type Kind, MUST_KEEP, makeTrace, requestOf } from '../traffic.ts'
import { type Account, type Balance, balance, type Events, type Part, type SentTrace, spanKey } from './balance.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'

/** A backend of a drill. */
export type Backend = Readonly<{
  id: string
  /** Its name in the Collector's own metrics. */
  exporter: string
  /** The path of the file that the Collector loads for it. */
  collectorFile: string
  /** The variables of that file when the backend receives OTLP at this address. */
  environment: (endpoint: string) => Readonly<Record<string, string>>
  /** Starts the real server with an empty disk in this folder; undefined if there is only a stand-in. */
  start?: (folder: string) => Promise<RunningBackend>
}>

/** A running real backend with its own disk. */
export type RunningBackend = Readonly<{
  /** The address at which it receives OTLP over HTTP. */
  endpoint: string
  end: (how: 'SIGTERM' | 'SIGKILL') => Promise<void>
  start: () => Promise<void>
  /** How many copies it holds of each of these spans, and perhaps of others. */
  stored: (keys: readonly string[]) => Promise<ReadonlyMap<string, number>>
}>

/** What drills need from their caller. */
export type DrillTools = Readonly<{
  launcher: Launcher
  /** The same for a Collector with the load balancer, which is built when it is first asked for. */
  tiersLauncher: () => Promise<Launcher>
  /** Each drill loads all of them: the real servers that it names, and stand-ins for the others. */
  backends: readonly Backend[]
  /** The policy lists by what they do. */
  lists: Readonly<{ everything: string; shipped: string }>
}>

/** How long a drill takes and how much it sends. */
export type Size = Readonly<{ seed: number; kills: number; outageSeconds: number; bodies: number }>

export const SECOND_MS = 1000
/** Every trace has a root, so each waits one second, and up to one second more until the next tick of the sampler. */
export const WAITS = { DECISION_WAIT: '5s', DECISION_WAIT_AFTER_ROOT: '1s' }
const DECIDED_AFTER_MS = 2 * SECOND_MS
/** A trace that lost its root on the way is decided when the longer wait is over. */
export const DECIDED_WITHOUT_ROOT_AFTER_MS = 7 * SECOND_MS
/** On a busy machine the sampler decides late. A trace that is older than this was decided. */
const UNDECIDED_FOR_MS = DECIDED_AFTER_MS + SECOND_MS
export const TRACES_PER_SECOND = 50
/** With answers after up to this time, a backend always has an open request and still keeps up. */
export const SLOW_MS = 50
/** How often a client sends its ended spans. */
export const SEND_EVERY_MS = 100
export const IN_FLIGHT = 32
const LOOK_AGAIN_MS = 100
/** Phoenix writes about two hundred spans a second, and after a drill twenty thousand may wait for it. */
const SETTLED_WITHIN_MS = 600 * SECOND_MS
/** A drill is over when the queues are empty and nothing has come for this long. */
const QUIET_MS = SECOND_MS
/** A backend on a busy machine may write nothing for a while. Only a drill that loses spans waits as long as this. */
const STORED_QUIET_MS = 60 * SECOND_MS
/** How many spans a generated trace has. */
export const SPANS_PER_TRACE = 4
/** The collector logs one such line for each trace that it drops because it cannot update its queue on disk. */
const UNREAD = 'Failed to dispatch item'
const CALM_PER_SECOND = 1500

export type Shape = (spans: readonly Span[], random: Random, atMs: number) => readonly Span[]
export type Scenario = Readonly<{
  seed: number
  /** Ids of the backends that are real servers. Stand-ins replace the others and fail on purpose. */
  real?: readonly string[]
  /** By default, all traces are kept. */
  list?: string
  /** What the drill changes in the configuration, as YAML. */
  overlay?: string
  /** Changes the command of the collector. */
  started?: (command: ReturnType<Launcher['collector']>) => ReturnType<Launcher['collector']>
  shape?: Shape
  /** How long the sampler waits, if not `WAITS`. */
  waits?: typeof WAITS
}>

/** A backend of a drill, with a fault proxy in front of it. */
export type Target = Backend &
  Readonly<{
    proxy: FaultProxy
    /** The real server; undefined if the proxy is a stand-in. */
    running: RunningBackend | undefined
    /** How many traces the collector dropped because it could not read them from its own queue. The collector logs this only at level debug. */
    unread: () => number
  }>

/** A collector with the shipped configuration, fault proxies in front of its backends, and a client that records what it sends. */
export type Setup = Readonly<{
  folder: string
  random: Random
  /** The collector that runs now. */
  collector: () => Running
  startCollector: () => Promise<void>
  kill: () => Promise<void>
  targets: readonly Target[]
  /** Sends traces for this long, or until the given work is done. */
  play: (until: number | (() => boolean), perSecond?: number) => Promise<void>
  /** Sends these spans in one request, as one service does. */
  send: (spans: readonly Span[], service: string) => Promise<void>
  /** The slowest answer to the client since the last call, in milliseconds. */
  slowest: () => number
  sent: () => number
  /** Waits until the collector has sent all that it can send. */
  settle: () => Promise<void>
  counter: (name: string, target?: Target) => Promise<number>
  /** Waits until the client has an answer to everything. */
  answered: () => Promise<void>
  /** Where all spans of the client are. Which traces the list drops is found in a calm run, unless the drill knows it. */
  balances: (isDropped?: Events['isDropped']) => Promise<readonly Balance[]>
  /** Where the spans are that the backends got and that the client did not send. */
  unsentBalances: () => Promise<readonly Balance[]>
  /** How many spans that the client did not send came to a backend or were rejected by it. */
  unsentSpans: (target: Target) => number
}>

/** Starts what a drill needs, runs the drill, and stops everything in any case. */
export async function withSetup<T>(
  tools: DrillTools,
  scenario: Scenario,
  work: (setup: Setup) => Promise<T>,
): Promise<T> {
  const { cancel } = tools.launcher
  return withScratch(async (folder) => {
    const ends: (() => Promise<unknown>)[] = []
    try {
      const policies = join(folder, 'list.yaml')
      writeFileSync(policies, withVariables(scenario.list ?? tools.lists.everything, {}))
      const overlay = join(folder, 'overlay.yaml')
      if (scenario.overlay) writeFileSync(overlay, scenario.overlay)

      const unread = new Map<string, number>()
      const targets: Target[] = []
      for (const backend of tools.backends) {
        const start = scenario.real?.includes(backend.id) ? backend.start : undefined
        const real = await start?.(join(folder, backend.id))
        if (real) ends.push(() => real.end('SIGKILL'))
        const [port = 0] = await tools.launcher.freePorts(1)
        const proxy = await startFaultProxy(port, real?.endpoint)
        ends.push(proxy.stop)
        targets.push({ ...backend, proxy, running: real, unread: () => unread.get(backend.id) ?? 0 })
      }
      // Every collector of a drill has the same ports, because the client knows one address.
      const ports = await tools.launcher.freePorts(PORTS)
      const launcher: Launcher = {
        ...tools.launcher,
        freePorts: async () => ports,
        collector: (...asked) => (scenario.started ?? ((command) => command))(tools.launcher.collector(...asked)),
      }
      const env = {
        ...(scenario.waits ?? WAITS),
        POLICY_FILE: policies,
        ...Object.assign({}, ...targets.map(({ environment, proxy }) => environment(proxy.endpoint))),
      }
      const overlays = [...targets.map(({ collectorFile }) => collectorFile), ...(scenario.overlay ? [overlay] : [])]
      const line = (text: string) => {
        if (!text.includes(UNREAD)) return
        for (const { id, exporter } of targets) if (text.includes(exporter)) unread.set(id, (unread.get(id) ?? 0) + 1)
      }
      let running: Running | undefined
      const start = async () => {
        running = await startCollector(launcher, { folder, overlays, env, line })
      }
      const collector = () => running as Running
      const killsMs: number[] = []
      const kill = async () => {
        killsMs.push(Date.now())
        await collector().kill()
      }
      await start()
      ends.push(() => collector().kill())
      const client = startClient(`${collector().otlp}/v1/traces`, scenario, cancel)
      ends.push(client.stop)

      const counter = async (name: string, target?: Target) =>
        sumOf(await collector().metrics(), name, target && `exporter="${target.exporter}"`)
      const settle = async () => {
        await client.settle()
        await sleep(DECIDED_AFTER_MS, undefined, { signal: cancel })
        await untilQuiet(() => targets.map(({ proxy }) => proxy.requests()), {
          isDone: async () => (await counter('otelcol_exporter_queue_size')) === 0,
          quietMs: QUIET_MS,
          cancel,
        })
      }
      const keysSent = () =>
        new Set(
          client
            .sent()
            .flatMap(({ id, parts }) => parts.flatMap(({ spans }) => spans.map((span) => spanKey(id, span)))),
        )
      const seenAt = ({ proxy }: Target) => [...proxy.acknowledged, ...proxy.rejected]
      const unsentSpans = (target: Target) => {
        const sent = keysSent()
        return seenAt(target).reduce((sum, [key, times]) => (sent.has(key) ? sum : sum + times), 0)
      }
      const unsentTraces = (): readonly SentTrace[] => {
        const sent = keysSent()
        const keys = new Set(targets.flatMap((target) => seenAt(target).map(([key]) => key)))
        return [...keys]
          .filter((key) => !sent.has(key))
          .map((key) => {
            const [id = '', span = ''] = key.split(' ')
            return { id, parts: [{ spans: [span], sentMs: 0, answeredMs: 0, refused: undefined }] }
          })
      }
      const balancesOf = async (
        traces: readonly SentTrace[],
        others: ReadonlySet<string>,
        known?: Events['isDropped'],
      ) => {
        const isDropped =
          known ?? (scenario.list ? await dropsOf(tools, scenario, policies, traces.length) : () => false)
        const events: Events = { killsMs, undecidedForMs: UNDECIDED_FOR_MS, isDropped }
        const found: Balance[] = []
        for (const target of targets) {
          const stored = await storedIn(target, cancel)
          const elsewhere = targets.filter((other) => other !== target).flatMap(({ proxy }) => [...proxy.acknowledged])
          const account: Account = {
            backend: target.id,
            stored: new Map([...stored].filter(([key]) => !others.has(key))),
            acknowledged: target.proxy.acknowledged,
            rejected: target.proxy.rejected,
            elsewhere: new Map(elsewhere),
            givenUp:
              (await counter('otelcol_exporter_enqueue_failed_spans', target)) + target.unread() * SPANS_PER_TRACE,
          }
          found.push(balance(traces, events, account))
        }
        return found
      }
      const balances = (isDropped?: Events['isDropped']) =>
        balancesOf(client.sent(), new Set(unsentTraces().map(keyOf)), isDropped)
      const unsentBalances = () => balancesOf(unsentTraces(), keysSent())
      return await work({
        folder,
        random: randomOf('drill', scenario.seed),
        collector,
        startCollector: start,
        kill,
        targets,
        play: client.play,
        send: client.send,
        slowest: client.slowest,
        sent: () => client.sent().length,
        settle,
        counter,
        balances,
        answered: client.settle,
        unsentSpans,
        unsentBalances,
      })
    } finally {
      for (const end of ends.reverse()) await end()
    }
  })
}

/** A real backend may store an acknowledged span later, so it is asked until all are stored or no more come. */
async function storedIn({ running, proxy }: Target, cancel: AbortSignal) {
  if (!running) return proxy.acknowledged
  const keys = [...proxy.acknowledged.keys()]
  let stored = await running.stored(keys)
  await untilQuiet(() => [stored.size], {
    isDone: async () => {
      stored = await running.stored(keys)
      return true
    },
    isOver: () => stored.size >= proxy.acknowledged.size,
    quietMs: STORED_QUIET_MS,
    cancel,
  })
  return stored
}

type Quiet = Readonly<{
  isDone: () => Promise<boolean>
  isOver?: () => boolean
  quietMs: number
  cancel: AbortSignal
}>

/** Waits until these numbers have not changed for a time and the work is done. */
export async function untilQuiet(
  numbers: () => readonly number[],
  { isDone, isOver, quietMs, cancel }: Quiet,
): Promise<void> {
  const until = Date.now() + SETTLED_WITHIN_MS
  let before = ''
  let since = Date.now()
  while (Date.now() < until && !isOver?.()) {
    const done = await isDone()
    const now = String(numbers())
    if (now !== before || !done) since = Date.now()
    before = now
    if (Date.now() - since >= quietMs) return
    await sleep(LOOK_AGAIN_MS, undefined, { signal: cancel })
  }
}

const KINDS: readonly Kind[] = [...MUST_KEEP, ...Array<Kind>(MUST_KEEP.length).fill('routine')]

/** The trace of this number. The same seed gives the same trace, except for its times. */
export function traceOf(seed: number, number: number, atMs: number, shape?: Shape): readonly Span[] {
  const random = randomOf('drill', seed, number)
  const { spans } = makeTrace(KINDS[number % KINDS.length] ?? 'routine', random)
  const byNanos = BigInt(Math.round(atMs - BEGINNING.getTime())) * 1_000_000n
  const later = (nanos: string | number = 0) => String(BigInt(nanos) + byNanos)
  const now = spans.map((span) => ({
    ...span,
    startTimeUnixNano: later(span.startTimeUnixNano),
    endTimeUnixNano: later(span.endTimeUnixNano),
  }))
  return shape?.(now, random, atMs) ?? now
}

/** Sends each trace whole and once, without retries, and records the answer. */
function startClient(url: string, { seed, shape }: Scenario, cancel: AbortSignal) {
  const posting = startPosting(url, IN_FLIGHT)
  const sent: { id: string; parts: Part[] }[] = []
  const waiting = new Set<Promise<void>>()
  let slowest = 0
  const send = async (traces: readonly (readonly Span[])[], body: Buffer) => {
    const sentMs = Date.now()
    const answer = await posting.post(body)
    const answeredMs = Date.now()
    slowest = Math.max(slowest, answeredMs - sentMs)
    const refused = 'error' in answer ? answer.error : answer.status < 300 ? undefined : `HTTP ${answer.status}`
    for (const spans of traces)
      sent.push({
        id: spans[0]?.traceId ?? '',
        parts: [{ spans: spans.map(({ spanId }) => spanId), sentMs, answeredMs, refused }],
      })
  }
  const tracked = (sending: Promise<void>) => {
    waiting.add(sending)
    return sending.finally(() => waiting.delete(sending))
  }
  let made = 0
  return {
    sent: () => sent,
    send: (spans: readonly Span[], service: string) => {
      const body = Buffer.from(JSON.stringify(traceRequest(spans, { resource: { 'service.name': service } })))
      return tracked(send([...Map.groupBy(spans, ({ traceId }) => traceId).values()], body))
    },
    play: async (until: number | (() => boolean), perSecond = TRACES_PER_SECOND) => {
      const [began, before] = [Date.now(), made]
      const isOver = typeof until === 'number' ? () => Date.now() - began >= until : until
      while (!isOver()) {
        const due = before + Math.ceil(((Date.now() - began) / SECOND_MS) * perSecond)
        const traces: (readonly Span[])[] = []
        for (; made < due; made++) traces.push(traceOf(seed, made, Date.now(), shape))
        if (traces.length > 0) {
          tracked(send(traces, requestOf(Date.now(), traces.flat()).body))
        }
        await sleep(SEND_EVERY_MS, undefined, { signal: cancel })
      }
    },
    slowest: () => {
      const found = slowest
      slowest = 0
      return found
    },
    settle: async () => {
      await Promise.all(waiting)
    },
    stop: posting.stop,
  }
}

/** Finds which traces a list drops: sends the same traces again, through a collector that is not disturbed. */
async function dropsOf(tools: DrillTools, { seed, shape }: Scenario, policies: string, count: number) {
  const requests = async function* () {
    for (let number = 0; number < count; number++) {
      const atMs = BEGINNING.getTime() + (number / CALM_PER_SECOND) * SECOND_MS * SHORTEST_WAITS_SPEED
      yield requestOf(atMs, traceOf(seed, number, BEGINNING.getTime(), shape))
    }
  }
  const kept = await replay(tools.launcher, { requests, speed: SHORTEST_WAITS_SPEED, slowCall: '' }, policies)
  return (trace: string) => !kept.has(trace)
}

const keyOf = ({ id, parts }: SentTrace) => spanKey(id, parts[0]?.spans[0] ?? '')
