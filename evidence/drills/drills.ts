import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Random, randomOf } from '../../random/random.ts'
import { type Launcher, type Running, startCollector, sumOf, withScratch } from '../../workbench/collector.ts'
import { startPosting } from '../../workbench/post.ts'
import { nanosToMs, type Span } from '../../workbench/recording.ts'
import { replay } from '../../workbench/replay.ts'
import { withVariables } from '../../workbench/variables.ts'
import { BEGINNING, type Kind, MUST_KEEP, makeTrace, requestOf } from '../traffic.ts'
import {
  type Account,
  type Balance,
  balance,
  type Events,
  type Outcome,
  type Part,
  type SentTrace,
  spanKey,
} from './balance.ts'
import { type Behaviour, type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import { oddRequests } from './odd-requests.ts'

export const BACKENDS = ['tempo', 'phoenix'] as const
export type BackendName = (typeof BACKENDS)[number]

/** A real backend, with a disk of its own. It is started already. */
export type Backend = Readonly<{
  /** Where it takes OTLP over HTTP. */
  endpoint: string
  end: (how: 'SIGTERM' | 'SIGKILL') => Promise<void>
  start: () => Promise<void>
  /** How many copies it holds of each of these spans, and perhaps of others. */
  stored: (keys: readonly string[]) => Promise<ReadonlyMap<string, number>>
}>

/** What drills are lent. */
export type DrillTools = Readonly<{
  launcher: Launcher
  /** Starts a real backend on an empty disk in this folder. */
  backend: (name: BackendName, folder: string) => Promise<Backend>
  /** The policy lists by what they do. */
  lists: Readonly<{ everything: string; shipped: string }>
}>

/** How long a drill takes and how much it sends. */
export type Size = Readonly<{ seed: number; kills: number; outageSeconds: number; bodies: number }>

const SECOND_MS = 1000
/** Traces have a root, so that these are the waits of every one: one second, and up to one until the sampler's next tick. */
const WAITS = { DECISION_WAIT: '5s', DECISION_WAIT_AFTER_ROOT: '1s' }
const DECIDED_AFTER_MS = 2 * SECOND_MS
/** A trace that lost its root on the way is decided when the longer wait is over. */
const DECIDED_WITHOUT_ROOT_AFTER_MS = 7 * SECOND_MS
/** A busy machine wakes the sampler late: with this, what is older was decided. */
const UNDECIDED_FOR_MS = DECIDED_AFTER_MS + SECOND_MS
const TRACES_PER_SECOND = 50
/** A backend that answers after up to this has a request under way at any time, and can still follow. */
const SLOW_MS = 50
/** A client sends what has ended since it last did. */
const SEND_EVERY_MS = 100
const IN_FLIGHT = 32
const LOOK_AGAIN_MS = 100
/** Phoenix writes some two hundred spans a second, and a drill may leave twenty thousand waiting for it. */
const SETTLED_WITHIN_MS = 600 * SECOND_MS
/** Nothing waits in a queue and nothing has come for so long. */
const QUIET_MS = SECOND_MS
const CALM_SPEED = 10
const CALM_PER_SECOND = 1500

type Shape = (spans: readonly Span[], random: Random, atMs: number) => readonly Span[]
type Scenario = Readonly<{
  seed: number
  /** Which backends are real; of the others a stand-in takes the place, and fails as it is told to. */
  real?: readonly BackendName[]
  /** By default all is kept. */
  list?: string
  /** What the drill changes in the configuration, as YAML. */
  overlay?: string
  /** Wraps how the collector is started. */
  started?: (command: ReturnType<Launcher['collector']>) => ReturnType<Launcher['collector']>
  shape?: Shape
}>

/** A collector under the shipped configuration, with fault proxies in front of its backends and a client that writes down everything. */
type Setup = Readonly<{
  folder: string
  random: Random
  /** The one that runs now. */
  collector: () => Running
  startCollector: () => Promise<void>
  kill: () => Promise<void>
  proxies: Readonly<Record<BackendName, FaultProxy>>
  backends: Readonly<Partial<Record<BackendName, Backend>>>
  /** Sends traces for so long, or until something is over. */
  play: (until: number | (() => boolean), perSecond?: number) => Promise<void>
  /** The slowest answer to the client since this was asked last, in milliseconds. */
  slowest: () => number
  sent: () => number
  /** Waits until all that can be handed on has been. */
  settle: () => Promise<void>
  counter: (name: string, backend?: BackendName) => Promise<number>
  /** Waits until the client has an answer to everything. */
  answered: () => Promise<void>
  /** Where all that the client sent is. */
  balances: () => Promise<readonly Balance[]>
  /** Where spans are that came to the backends and that the client did not send. */
  unsentBalances: () => Promise<readonly Balance[]>
  /** How many traces the collector dropped when it could not read them from its own queue. It says so to nobody who does not debug it. */
  unread: (backend: BackendName) => number
  /** How many spans that the client did not send were handed to a backend, or rejected by it. */
  unsentSpans: (proxy: FaultProxy) => number
}>

async function withSetup<T>(tools: DrillTools, size: Scenario, work: (setup: Setup) => Promise<T>): Promise<T> {
  const { cancel } = tools.launcher
  return withScratch(async (folder) => {
    const ends: (() => Promise<unknown>)[] = []
    try {
      const policies = join(folder, 'list.yaml')
      writeFileSync(policies, withVariables(size.list ?? tools.lists.everything, {}))
      const overlays = size.overlay ? [join(folder, 'overlay.yaml')] : []
      for (const overlay of overlays) writeFileSync(overlay, size.overlay ?? '')

      const backends: Partial<Record<BackendName, Backend>> = {}
      for (const name of size.real ?? []) {
        const backend = await tools.backend(name, join(folder, name))
        ends.push(() => backend.end('SIGKILL'))
        backends[name] = backend
      }
      // The same ports for every collector of a drill: who sends knows one address.
      const free = await tools.launcher.freePorts(8)
      const [tempoPort = 0, phoenixPort = 0, ...ports] = free
      const proxies = {
        tempo: await startFaultProxy(tempoPort, backends.tempo?.endpoint),
        phoenix: await startFaultProxy(phoenixPort, backends.phoenix?.endpoint),
      }
      ends.push(proxies.tempo.stop, proxies.phoenix.stop)
      const launcher: Launcher = {
        ...tools.launcher,
        freePorts: async () => ports,
        collector: (...asked) => (size.started ?? ((command) => command))(tools.launcher.collector(...asked)),
      }
      const env = {
        ...WAITS,
        POLICY_FILE: policies,
        TEMPO_OTLP_ENDPOINT: proxies.tempo.endpoint,
        PHOENIX_OTLP_ENDPOINT: proxies.phoenix.endpoint,
      }
      const unread: Partial<Record<BackendName, number>> = {}
      const line = (text: string) => {
        if (!text.includes(UNREAD)) return
        for (const name of BACKENDS) if (text.includes(`otlp_http/${name}`)) unread[name] = (unread[name] ?? 0) + 1
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
      const client = startClient(`${collector().otlp}/v1/traces`, size, cancel)
      ends.push(client.stop)

      const counter = async (name: string, backend?: BackendName) => {
        const page = await fetch(collector().metrics, { signal: AbortSignal.timeout(10_000) }).then((answer) =>
          answer.text(),
        )
        return sumOf(page, name, backend && `exporter="otlp_http/${backend}"`)
      }
      const settle = async () => {
        await client.settle()
        await sleep(DECIDED_AFTER_MS, undefined, { signal: cancel })
        await untilQuiet(() => [proxies.tempo.requests(), proxies.phoenix.requests()], {
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
      const seenAt = ({ acknowledged, rejected }: FaultProxy) => [...acknowledged, ...rejected]
      const unsentSpans = (proxy: FaultProxy) => {
        const sent = keysSent()
        return seenAt(proxy).reduce((sum, [key, times]) => (sent.has(key) ? sum : sum + times), 0)
      }
      const unsentTraces = (): readonly SentTrace[] => {
        const sent = keysSent()
        const keys = new Set(Object.values(proxies).flatMap((proxy) => seenAt(proxy).map(([key]) => key)))
        return [...keys]
          .filter((key) => !sent.has(key))
          .map((key) => {
            const [id = '', span = ''] = key.split(' ')
            return { id, parts: [{ spans: [span], sentMs: 0, answeredMs: 0, refused: undefined }] }
          })
      }
      const balancesOf = async (traces: readonly SentTrace[], others: ReadonlySet<string>) => {
        const isDropped = size.list ? await dropsOf(tools, size, policies, traces.length) : () => false
        const events: Events = { killsMs, undecidedForMs: UNDECIDED_FOR_MS, isDropped }
        const found: Balance[] = []
        for (const backend of BACKENDS) {
          const proxy = proxies[backend]
          const stored = await storedIn(backends[backend], proxy, cancel)
          const account: Account = {
            backend,
            stored: new Map([...stored].filter(([key]) => !others.has(key))),
            acknowledged: proxy.acknowledged,
            rejected: proxy.rejected,
            elsewhere: proxies[otherThan(backend)].acknowledged,
            givenUp:
              (await counter('otelcol_exporter_enqueue_failed_spans', backend)) +
              (unread[backend] ?? 0) * SPANS_PER_TRACE,
          }
          found.push(balance(traces, events, account))
        }
        return found
      }
      const balances = () => balancesOf(client.sent(), new Set(unsentTraces().map(keyOf)))
      const unsentBalances = () => balancesOf(unsentTraces(), keysSent())
      return await work({
        folder,
        random: randomOf('drill', size.seed),
        collector,
        startCollector: start,
        kill,
        proxies,
        backends,
        play: client.play,
        slowest: client.slowest,
        sent: () => client.sent().length,
        settle,
        counter,
        balances,
        answered: client.settle,
        unsentSpans,
        unsentBalances,
        unread: (backend) => unread[backend] ?? 0,
      })
    } finally {
      for (const end of ends.reverse()) await end()
    }
  })
}

/** A real backend may store what it has acknowledged a while later: it is asked until that has come, or no more comes. */
async function storedIn(backend: Backend | undefined, proxy: FaultProxy, cancel: AbortSignal) {
  if (!backend) return proxy.acknowledged
  const keys = [...proxy.acknowledged.keys()]
  let stored = await backend.stored(keys)
  await untilQuiet(() => [stored.size], {
    isDone: async () => {
      stored = await backend.stored(keys)
      return true
    },
    isOver: () => stored.size >= proxy.acknowledged.size,
    quietMs: 5 * QUIET_MS,
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

/** Waits until these numbers have stayed the same for a time, and it is done. */
async function untilQuiet(numbers: () => readonly number[], { isDone, isOver, quietMs, cancel }: Quiet): Promise<void> {
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

/** The trace of this number: the same for the same seed, but for when it happened. */
function traceOf(seed: number, number: number, atMs: number, shape?: Shape): readonly Span[] {
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

/** Sends each trace whole and once, as a client without patience does, and writes down what it was told. */
function startClient(url: string, { seed, shape }: Scenario, cancel: AbortSignal) {
  const posting = startPosting(url, IN_FLIGHT)
  const sent: { id: string; parts: Part[] }[] = []
  const waiting = new Set<Promise<void>>()
  let slowest = 0
  const send = async (traces: readonly (readonly Span[])[]) => {
    const sentMs = Date.now()
    const answer = await posting.post(requestOf(sentMs, traces.flat()).body)
    const answeredMs = Date.now()
    slowest = Math.max(slowest, answeredMs - sentMs)
    const refused = 'error' in answer ? answer.error : answer.status < 300 ? undefined : `HTTP ${answer.status}`
    for (const spans of traces)
      sent.push({
        id: spans[0]?.traceId ?? '',
        parts: [{ spans: spans.map(({ spanId }) => spanId), sentMs, answeredMs, refused }],
      })
  }
  let made = 0
  return {
    sent: () => sent,
    play: async (until: number | (() => boolean), perSecond = TRACES_PER_SECOND) => {
      const [began, before] = [Date.now(), made]
      const isOver = typeof until === 'number' ? () => Date.now() - began >= until : until
      while (!isOver()) {
        const due = before + Math.ceil(((Date.now() - began) / SECOND_MS) * perSecond)
        const traces: (readonly Span[])[] = []
        for (; made < due; made++) traces.push(traceOf(seed, made, Date.now(), shape))
        if (traces.length > 0) {
          const sending = send(traces)
          waiting.add(sending)
          sending.finally(() => waiting.delete(sending))
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

/** Which of the traces a list drops: the same traces once more, through a collector that nothing happens to. */
async function dropsOf(tools: DrillTools, { seed, shape }: Scenario, policies: string, count: number) {
  const requests = async function* () {
    for (let number = 0; number < count; number++) {
      const atMs = BEGINNING.getTime() + (number / CALM_PER_SECOND) * SECOND_MS * CALM_SPEED
      yield requestOf(atMs, traceOf(seed, number, BEGINNING.getTime(), shape))
    }
  }
  const kept = await replay(tools.launcher, { requests, speed: CALM_SPEED, slowCall: '' }, policies)
  return (trace: string) => !kept.has(trace)
}

const keyOf = ({ id, parts }: SentTrace) => spanKey(id, parts[0]?.spans[0] ?? '')

type Drill = Readonly<{ name: string; run: (tools: DrillTools, size: Size) => Promise<Outcome> }>

/** The collector is killed at random moments while it works, and started again on the same disk. */
async function killed(tools: DrillTools, { seed, kills }: Size): Promise<Outcome> {
  const size = { seed, real: ['tempo'] as const, list: tools.lists.shipped }
  return withSetup(tools, size, async ({ random, proxies, play, kill, startCollector, settle, balances }) => {
    const behaviours: readonly Behaviour[] = [
      { kind: 'slow', afterMs: () => random.below(SLOW_MS) },
      { kind: 'hangs' },
      { kind: 'down' },
      { kind: 'well' },
    ]
    for (let count = 0; count < kills; count++) {
      // What waits for it must outlive the kill.
      await proxies.phoenix.behave(behaviours[count % behaviours.length] ?? { kind: 'well' })
      const lifeMs = 500 + random.below(4500)
      const killing = async () => {
        await sleep(lifeMs)
        await kill()
        await startCollector()
      }
      // Who sends goes on meanwhile, and is refused.
      await Promise.all([play(lifeMs + 2 * SEND_EVERY_MS), killing()])
      if (count % 10 === 9) tools.launcher.say(`  kill: ${count + 1} of ${kills}`)
    }
    await proxies.phoenix.behave({ kind: 'well' })
    await play(SECOND_MS)
    await settle()
    const found = await balances()
    const most = Math.max(...found.map(({ oldestUndecidedMs }) => oldestUndecidedMs))
    const traces = Math.max(...found.map(({ undecidedTraces }) => undecidedTraces))
    const notes = [
      `${kills} kills; ${traces} traces were lost undecided, ${(traces / kills).toFixed(1)} for each kill at ${TRACES_PER_SECOND} a second; the oldest had come ${(most / SECOND_MS).toFixed(1)} s before`,
    ]
    return { drill: 'kill', balances: found, notes, broken: [] }
  })
}

const otherThan = (name: BackendName): BackendName => (name === 'tempo' ? 'phoenix' : 'tempo')

type Disturbance = Readonly<{ start: (setup: Setup) => Promise<void>; end: (setup: Setup) => Promise<void> }>

/**
 * One backend is in trouble for a time. The other must have all that was sent meanwhile before the trouble ends, and
 * the client must not be refused anything.
 */
async function whileDisturbed(
  tools: DrillTools,
  { seed, outageSeconds }: Size,
  {
    drill,
    sick,
    trouble,
    perSecond,
    ...size
  }: Omit<Scenario, 'seed'> & Readonly<{ drill: string; sick: BackendName; trouble: Disturbance; perSecond?: number }>,
): Promise<Outcome> {
  return withSetup(tools, { ...size, seed }, async (setup) => {
    const { play, proxies, settle, balances, slowest, sent, counter, unread } = setup
    await play(SECOND_MS)
    const calm = slowest()
    await trouble.start(setup)
    await play(outageSeconds * SECOND_MS, perSecond)
    const meanwhile = slowest()
    const well = proxies[otherThan(sick)]
    const spans = sent() * SPANS_PER_TRACE
    await untilQuiet(() => [well.acknowledged.size], {
      isDone: async () => true,
      isOver: () => well.acknowledged.size >= spans,
      quietMs: 10 * SECOND_MS,
      cancel: tools.launcher.cancel,
    })
    const arrived = well.acknowledged.size
    const waiting = await counter('otelcol_exporter_queue_size', sick)
    await trouble.end(setup)
    await play(SECOND_MS)
    await settle()
    const found = await balances()
    const broken = [
      ...(arrived < spans
        ? [`${otherThan(sick)} had only ${arrived} of ${spans} spans while ${sick} was in trouble`]
        : []),
      ...(found.some(({ states }) => states.refused > 0) ? ['the client was refused something'] : []),
    ]
    return {
      drill,
      balances: found,
      notes: [
        `${outageSeconds} s; ${otherThan(sick)} had all ${arrived} spans before it ended, ${waiting} waited for ${sick}; slowest answer to the client ${meanwhile} ms, ${calm} ms before`,
        ...(unread(sick) > 0
          ? [`${unread(sick)} traces were dropped in silence when they could not be read from the queue`]
          : []),
      ],
      broken,
    }
  })
}

const SPANS_PER_TRACE = 4

const behaving = (sick: BackendName, behaviour: Parameters<FaultProxy['behave']>[0]): Disturbance => ({
  start: ({ proxies }) => proxies[sick].behave(behaviour),
  end: ({ proxies }) => proxies[sick].behave({ kind: 'well' }),
})

/** Stopped as an administrator does, and started again. */
const away = (sick: BackendName): Disturbance => ({
  start: async ({ backends }) => backends[sick]?.end('SIGTERM'),
  end: async ({ backends }) => backends[sick]?.start(),
})

const down =
  (sick: BackendName) =>
  (tools: DrillTools, size: Size): Promise<Outcome> =>
    whileDisturbed(tools, size, { drill: `${sick}-down`, sick, real: [sick], trouble: away(sick) })

const answers =
  (sick: BackendName, status: number) =>
  (tools: DrillTools, size: Size): Promise<Outcome> =>
    whileDisturbed(tools, size, {
      drill: `${sick}-${status}`,
      sick,
      real: [],
      trouble: behaving(sick, { kind: 'answers', status }),
    })

const hangs =
  (sick: BackendName) =>
  (tools: DrillTools, size: Size): Promise<Outcome> =>
    whileDisturbed(tools, size, { drill: `${sick}-hangs`, sick, real: [], trouble: behaving(sick, { kind: 'hangs' }) })

/** What a backend has acknowledged and not stored yet is lost with it. */
const backendKilled =
  (name: BackendName, perSecond: number) =>
  (tools: DrillTools, { seed, outageSeconds }: Size): Promise<Outcome> =>
    withSetup(tools, { seed, real: [name] }, async ({ backends, proxies, play, settle, balances }) => {
      await play(outageSeconds * SECOND_MS, perSecond)
      const acknowledged = proxies[name].acknowledged.size
      await backends[name]?.end('SIGKILL')
      await play(SECOND_MS)
      await backends[name]?.start()
      await play(SECOND_MS)
      await settle()
      const found = await balances()
      const lost = found.find(({ backend }) => backend === name)?.states.unstored ?? 0
      return {
        drill: `${name}-killed`,
        balances: found,
        notes: [
          `${perSecond} traces a second for ${outageSeconds} s; of ${acknowledged} spans that ${name} had acknowledged when it was killed, ${lost} are not there`,
        ],
        broken: [],
      }
    })

/** No less than one batch, or the collector does not start. */
const SMALL_QUEUE_SPANS = 512
/** A queue that holds little, so that it is full soon. */
const smallQueue = (name: BackendName) =>
  `exporters: { otlp_http/${name}: { sending_queue: { queue_size: ${SMALL_QUEUE_SPANS} } } }`

/** What the collector says, one line for each, when it drops something because it cannot note in its queue that it read it. */
const UNREAD = 'Failed to dispatch item'
/** At this level the redactor tells of each statement, more than anyone can read: here it is left out. */
const SAYS_ALL = `
service:
  telemetry: { logs: { level: debug, sampling: { enabled: false }, disable_stacktrace: true } }
  pipelines: { traces/every: { processors: [memory_limiter] } }
`

const SMALL_DISK_KB = 2000
/** A disk that is full for one program: none of its files may grow beyond this. */
const smallDisk: NonNullable<Scenario['started']> = ({ file, args, env }) => ({
  file: 'sh',
  // sh counts in pieces of 512 bytes.
  args: ['-c', `ulimit -f ${SMALL_DISK_KB * 2}; exec "$0" "$@"`, file, ...args],
  env,
})

/** Ended and started again, or told to read its list again, while it works and one backend is slow. */
const again =
  (drill: string, times: number, how: (setup: Setup) => Promise<void>) =>
  (tools: DrillTools, { seed }: Size): Promise<Outcome> =>
    withSetup(tools, { seed, list: tools.lists.shipped }, async (setup) => {
      const { random, proxies, play, settle, balances } = setup
      await proxies.phoenix.behave({ kind: 'slow', afterMs: () => random.below(SLOW_MS) })
      let left = times
      const telling = async () => {
        for (; left > 0; left--) {
          await sleep(SECOND_MS + random.below(SECOND_MS), undefined, { signal: tools.launcher.cancel })
          await how(setup)
        }
      }
      await Promise.all([telling(), play(() => left === 0)])
      await play(SECOND_MS)
      await settle()
      return { drill, balances: await balances(), notes: [`${times} times`], broken: [] }
    })

const stopAndStart = async ({ collector, startCollector }: Setup) => {
  await collector().stop()
  await startCollector()
}
const hangUp = ({ collector }: Setup) => collector().reload()

const [HOUR_MS, DAY_MS] = [3_600_000, 86_400_000]
/** By how much the clock of a machine may be wrong, or its battery empty. */
const WRONG_CLOCKS: readonly ((startMs: number, endMs: number) => readonly [number, number])[] = [
  ...[-400 * DAY_MS, -2 * DAY_MS, -HOUR_MS, HOUR_MS, DAY_MS, 400 * DAY_MS].map(
    (by) => (start: number, end: number) => [start + by, end + by] as const,
  ),
  (start, end) => [end, start],
  (start) => [start, start],
  (start, end) => [0, end - start],
  () => [0, 0],
]
const nanosOf = (ms: number) => String(BigInt(Math.round(ms)) * 1_000_000n)
const wronglyTimed: Shape = (spans, random) => {
  const clock = WRONG_CLOCKS[random.below(WRONG_CLOCKS.length)]
  return spans.map((span) => {
    const [start, end] = [nanosToMs(span.startTimeUnixNano), nanosToMs(span.endTimeUnixNano)]
    const [from, to] = clock?.(start, end) ?? [start, end]
    return { ...span, startTimeUnixNano: nanosOf(from), endTimeUnixNano: nanosOf(to) }
  })
}

async function clocks(tools: DrillTools, { seed }: Size): Promise<Outcome> {
  return withSetup(tools, { seed, real: BACKENDS, shape: wronglyTimed }, async ({ play, settle, balances }) => {
    await play(4 * SECOND_MS)
    await settle()
    return { drill: 'clocks', balances: await balances(), notes: [], broken: [] }
  })
}

const BURST = 20

async function burst(tools: DrillTools, { seed }: Size): Promise<Outcome> {
  return withSetup(tools, { seed, real: ['tempo'], list: tools.lists.shipped }, async (setup) => {
    const { play, slowest, settle, balances, counter } = setup
    await play(2 * SECOND_MS)
    const calm = slowest()
    await play(2 * SECOND_MS, BURST * TRACES_PER_SECOND)
    const meanwhile = slowest()
    await play(2 * SECOND_MS)
    await settle()
    const early = await counter('otelcol_processor_tail_sampling_sampling_trace_dropped_too_early')
    return {
      drill: 'burst',
      balances: await balances(),
      notes: [
        `from ${TRACES_PER_SECOND} to ${BURST * TRACES_PER_SECOND} traces a second for 2 s; slowest answer ${meanwhile} ms, ${calm} ms before`,
      ],
      broken: early > 0 ? [`the sampler had no room for ${early} traces`] : [],
    }
  })
}

/** The collector refuses what is no UTF-8 with a reason that quotes it, which it cannot send, so that a 400 becomes a 500. */
const UNSAYABLE = '{"code": 13, "message": "failed to marshal error message"}'
const BETWEEN = 10
const ANSWER_WITHIN_MS = 30_000

/** Odd requests, with valid ones between. Each must be refused as the client's fault, or taken and accounted for. */
async function odd(tools: DrillTools, { seed, bodies }: Size): Promise<Outcome> {
  return withSetup(tools, { seed, real: BACKENDS }, async (setup) => {
    const { collector, counter, play, settle, balances, proxies } = setup
    const accepted = () => counter('otelcol_receiver_accepted_spans')
    const answers = new Map<number, number>()
    const broken: string[] = []
    let [taken, number] = [0, 0]
    for (const { name, method, path, headers, body } of oddRequests(seed, bodies)) {
      if (number % BETWEEN === 0) await play(2 * SEND_EVERY_MS)
      number++
      await setup.answered()
      const before = await accepted()
      const { status, said } = await fetch(`${collector().otlp}${path}`, {
        method,
        headers,
        body: new Uint8Array(body),
        signal: AbortSignal.any([tools.launcher.cancel, AbortSignal.timeout(ANSWER_WITHIN_MS)]),
      }).then(
        async (answer) => ({ status: answer.status, said: await answer.text() }),
        () => ({ status: 0, said: '' }),
      )
      collector().alive()
      const more = (await accepted()) - before
      answers.set(status, (answers.get(status) ?? 0) + 1)
      if (status >= 200 && status < 300) taken += more
      else if (more > 0) broken.push(`${name} was answered with ${status}, and ${more} spans of it were taken`)
      if (status < 200) broken.push(`${name} was not answered`)
      if (status >= 500 && said !== UNSAYABLE) broken.push(`${name} was answered with ${status}: ${said}`)
    }
    await play(SECOND_MS)
    await sleep(DECIDED_WITHOUT_ROOT_AFTER_MS, undefined, { signal: tools.launcher.cancel })
    await settle()
    const filtered = await counter('otelcol_processor_filter_spans_filtered')
    for (const backend of BACKENDS) {
      const handed = setup.unsentSpans(proxies[backend])
      if (handed + filtered !== taken)
        broken.push(`of ${taken} odd spans that were taken, ${filtered} had no ids and ${handed} came to ${backend}`)
    }
    const valid = await balances()
    for (const { backend, sent, states } of valid)
      if (states.stored < sent)
        broken.push(`${backend} has ${states.stored} of ${sent} spans that were sent between odd ones`)
    const strange = (await setup.unsentBalances()).map((found) => ({
      ...found,
      backend: `${found.backend}, odd spans`,
      sent: found.sent + filtered,
      states: { ...found.states, dropped: found.states.dropped + filtered },
    }))
    const told = [...answers].sort(([a], [b]) => a - b).map(([status, count]) => `${count} × ${status}`)
    return {
      drill: 'odd',
      balances: [...valid, ...strange],
      notes: [`${number} odd requests, answered ${told.join(', ')}; ${taken} spans of them were taken`],
      broken,
    }
  })
}

export const DRILLS: readonly Drill[] = [
  { name: 'kill', run: killed },
  ...BACKENDS.flatMap((sick) => [
    { name: `${sick}-down`, run: down(sick) },
    ...[500, 429, 503].map((status) => ({ name: `${sick}-${status}`, run: answers(sick, status) })),
    { name: `${sick}-hangs`, run: hangs(sick) },
  ]),
  { name: 'tempo-killed', run: backendKilled('tempo', TRACES_PER_SECOND) },
  { name: 'phoenix-killed', run: backendKilled('phoenix', 2 * TRACES_PER_SECOND) },
  {
    name: 'queue-full',
    run: (tools, size) =>
      whileDisturbed(tools, size, {
        drill: 'queue-full',
        sick: 'tempo',
        real: [],
        overlay: smallQueue('tempo'),
        trouble: behaving('tempo', { kind: 'down' }),
        perSecond: 4 * TRACES_PER_SECOND,
      }),
  },
  {
    name: 'disk-full',
    run: (tools, size) =>
      whileDisturbed(tools, size, {
        drill: 'disk-full',
        sick: 'tempo',
        real: [],
        started: smallDisk,
        overlay: SAYS_ALL,
        trouble: behaving('tempo', { kind: 'down' }),
        perSecond: 4 * TRACES_PER_SECOND,
      }),
  },
  { name: 'sigterm', run: again('sigterm', 3, stopAndStart) },
  { name: 'reload', run: again('reload', 3, hangUp) },
  { name: 'clocks', run: clocks },
  { name: 'burst', run: burst },
  { name: 'odd', run: odd },
]
