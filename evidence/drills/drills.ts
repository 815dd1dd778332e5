import { setTimeout as sleep } from 'node:timers/promises'
import { nanosOf, nanosToMs } from '../../otlp/json.ts'
import type { Outcome } from './balance.ts'
import type { Behaviour } from './fault-proxy.ts'
import { longRuns } from './long-runs.ts'
import { oddRequests } from './odd-requests.ts'
import {
  type Backend,
  DECIDED_WITHOUT_ROOT_AFTER_MS,
  type DrillTools,
  type Scenario,
  SECOND_MS,
  SEND_EVERY_MS,
  type Setup,
  type Shape,
  type Size,
  SLOW_MS,
  SPANS_PER_TRACE,
  type Target,
  TRACES_PER_SECOND,
  untilQuiet,
  withSetup,
} from './setup.ts'

/** More than the slowest backend can write at one time. */
const KILLED_AT_PER_SECOND = 2 * TRACES_PER_SECOND

type Drill = Readonly<{ name: string; run: (tools: DrillTools, size: Size) => Promise<Outcome> }>

/** Kills the collector at random moments while it works, and starts it again on the same disk. */
async function killed(tools: DrillTools, { seed, kills }: Size): Promise<Outcome> {
  const [steady, disturbed] = tools.backends
  const scenario = { seed, real: [steady?.id ?? ''], list: tools.lists.shipped }
  return withSetup(tools, scenario, async ({ random, targets, play, kill, startCollector, settle, balances }) => {
    const { proxy } = targetOf(targets, disturbed)
    const behaviours: readonly Behaviour[] = [
      { kind: 'slow', afterMs: () => random.below(SLOW_MS) },
      { kind: 'hangs' },
      { kind: 'down' },
      { kind: 'well' },
    ]
    for (let count = 0; count < kills; count++) {
      // The spans in its queue must survive the kill.
      await proxy.behave(behaviours[count % behaviours.length] ?? { kind: 'well' })
      const lifeMs = 500 + random.below(4500)
      const killing = async () => {
        await sleep(lifeMs)
        await kill()
        await startCollector()
      }
      // The client goes on sending in the meantime, and gets errors.
      await Promise.all([play(lifeMs + 2 * SEND_EVERY_MS), killing()])
      if (count % 10 === 9) tools.launcher.say(`  kill: ${count + 1} of ${kills}`)
    }
    await proxy.behave({ kind: 'well' })
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

/** A backend among those of a setup. */
function targetOf(targets: readonly Target[], backend: Backend | undefined): Target {
  const found = targets.find(({ id }) => id === backend?.id)
  if (!found) throw new Error(`no backend ${backend?.id} is loaded`)
  return found
}

type Disturbance = Readonly<{ start: (target: Target) => Promise<unknown>; end: (target: Target) => Promise<unknown> }>

/**
 * Disturbs one backend for a time. Before that ends, each other backend must have all spans that were sent meanwhile, and
 * the collector must not have refused anything.
 */
async function whileDisturbed(
  tools: DrillTools,
  { seed, outageSeconds }: Size,
  {
    drill,
    disturbed,
    disturbance,
    perSecond,
    ...scenario
  }: Omit<Scenario, 'seed'> &
    Readonly<{ drill: string; disturbed: Backend | undefined; disturbance: Disturbance; perSecond?: number }>,
): Promise<Outcome> {
  return withSetup(
    tools,
    { ...scenario, seed },
    async ({ targets, play, settle, balances, slowest, sent, counter }) => {
      const target = targetOf(targets, disturbed)
      const others = targets.filter((other) => other !== target)
      await play(SECOND_MS)
      const calm = slowest()
      await disturbance.start(target)
      await play(outageSeconds * SECOND_MS, perSecond)
      const meanwhile = slowest()
      const spans = sent() * SPANS_PER_TRACE
      const arrivedAt = () => others.map(({ proxy }) => proxy.acknowledged.size)
      await untilQuiet(arrivedAt, {
        isDone: async () => true,
        isOver: () => arrivedAt().every((arrived) => arrived >= spans),
        quietMs: 10 * SECOND_MS,
        cancel: tools.launcher.cancel,
      })
      const arrived = arrivedAt()
      const waiting = await counter('otelcol_exporter_queue_size', target)
      await disturbance.end(target)
      await play(SECOND_MS)
      await settle()
      const found = await balances()
      const broken = [
        ...others.flatMap(({ id }, index) =>
          (arrived[index] ?? 0) < spans
            ? [`${id} got only ${arrived[index]} of ${spans} spans while ${target.id} was disturbed`]
            : [],
        ),
        ...(found.some(({ states }) => states.refused > 0) ? ['the collector refused spans of the client'] : []),
      ]
      return {
        drill,
        balances: found,
        notes: [
          `${outageSeconds} s; ${others.map(({ id }) => id).join(', ')} had all ${spans} spans before it ended, ${waiting} bytes waited for ${target.id}; slowest answer to the client ${meanwhile} ms, ${calm} ms before`,
          ...(target.unread() > 0
            ? [
                `${target.unread()} traces could not be read from the queue, and the collector dropped them without a count`,
              ]
            : []),
        ],
        broken,
      }
    },
  )
}

const behaving = (behaviour: Behaviour): Disturbance => ({
  start: ({ proxy }) => proxy.behave(behaviour),
  end: ({ proxy }) => proxy.behave({ kind: 'well' }),
})

/** Stops the collector with SIGTERM and starts it again. */
const away: Disturbance = {
  start: async ({ running }) => running?.end('SIGTERM'),
  end: async ({ running }) => running?.start(),
}

/** Kills a backend: it loses the spans that it has acknowledged and not stored yet. */
async function backendKilled(tools: DrillTools, { seed, outageSeconds }: Size, { id }: Backend): Promise<Outcome> {
  return withSetup(tools, { seed, real: [id] }, async ({ targets, play, settle, balances }) => {
    const { running, proxy } = targetOf(
      targets,
      tools.backends.find((backend) => backend.id === id),
    )
    await play(outageSeconds * SECOND_MS, KILLED_AT_PER_SECOND)
    const acknowledged = proxy.acknowledged.size
    await running?.end('SIGKILL')
    await play(SECOND_MS)
    await running?.start()
    await play(SECOND_MS)
    await settle()
    const found = await balances()
    const lost = found.find(({ backend }) => backend === id)?.states.unstored ?? 0
    return {
      drill: `${id}-killed`,
      balances: found,
      notes: [
        `${KILLED_AT_PER_SECOND} traces a second for ${outageSeconds} s; of ${acknowledged} spans that ${id} had acknowledged when it was killed, ${lost} are not there`,
      ],
      broken: [],
    }
  })
}

/** About five hundred spans. The queue must hold the smallest batch, or the collector does not start. */
const SMALL_QUEUE_BYTES = 256 * 1024
/** A small queue, which is full soon. */
const smallQueue = (exporter: string) =>
  `exporters: { ${exporter}: { sending_queue: { queue_size: ${SMALL_QUEUE_BYTES}, batch: { min_size: ${SMALL_QUEUE_BYTES} } } } }`

/** At level debug, the redactor logs each statement. That is too much to read, so the redactor is left out here. */
const SAYS_ALL = `
service:
  telemetry: { logs: { level: debug, sampling: { enabled: false }, disable_stacktrace: true } }
  pipelines: { traces/in: { processors: [memory_limiter] } }
`

/** While its writes fail, the collector decides seconds late, so each other queue must hold a burst of some seconds. */
const SMALL_DISK_KB = 6000
/** A full disk for one program: none of its files can grow beyond this size. */
const smallDisk: NonNullable<Scenario['started']> = ({ file, args, env }) => ({
  file: 'sh',
  // sh counts in blocks of 512 bytes.
  args: ['-c', `ulimit -f ${SMALL_DISK_KB * 2}; exec "$0" "$@"`, file, ...args],
  env,
})

/** Stops and starts the collector, or makes it read its list again, while it works and one backend is slow. */
const again =
  (drill: string, times: number, how: (setup: Setup) => Promise<void>) =>
  (tools: DrillTools, { seed }: Size): Promise<Outcome> =>
    withSetup(tools, { seed, list: tools.lists.shipped }, async (setup) => {
      const { random, targets, play, settle, balances } = setup
      await targets.at(-1)?.proxy.behave({ kind: 'slow', afterMs: () => random.below(SLOW_MS) })
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
/** How far the clock of a machine may be wrong, for example after its battery was empty. */
const WRONG_CLOCKS: readonly ((startMs: number, endMs: number) => readonly [number, number])[] = [
  ...[-400 * DAY_MS, -2 * DAY_MS, -HOUR_MS, HOUR_MS, DAY_MS, 400 * DAY_MS].map(
    (by) => (start: number, end: number) => [start + by, end + by] as const,
  ),
  (start, end) => [end, start],
  (start) => [start, start],
  (start, end) => [0, end - start],
  () => [0, 0],
]
const wronglyTimed: Shape = (spans, random) => {
  const clock = WRONG_CLOCKS[random.below(WRONG_CLOCKS.length)]
  return spans.map((span) => {
    const [start, end] = [nanosToMs(span.startTimeUnixNano), nanosToMs(span.endTimeUnixNano)]
    const [from, to] = clock?.(start, end) ?? [start, end]
    return { ...span, startTimeUnixNano: nanosOf(from), endTimeUnixNano: nanosOf(to) }
  })
}

async function clocks(tools: DrillTools, { seed }: Size): Promise<Outcome> {
  return withSetup(tools, { seed, real: realIn(tools), shape: wronglyTimed }, async ({ play, settle, balances }) => {
    await play(4 * SECOND_MS)
    await settle()
    return { drill: 'clocks', balances: await balances(), notes: [], broken: [] }
  })
}

const BURST = 20

async function burst(tools: DrillTools, { seed }: Size): Promise<Outcome> {
  return withSetup(tools, { seed, real: realIn(tools).slice(0, 1), list: tools.lists.shipped }, async (setup) => {
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

/** When a text is not UTF-8, the collector refuses it with a message that quotes the text. It cannot send that message, so its 400 becomes a 500. */
const UNSAYABLE = '{"code": 13, "message": "failed to marshal error message"}'
const BETWEEN = 10
const ANSWER_WITHIN_MS = 30_000

/** Sends malformed requests, with valid ones between them. Each must be refused as a mistake of the client, or accepted and accounted for. */
async function odd(tools: DrillTools, { seed, bodies }: Size): Promise<Outcome> {
  return withSetup(tools, { seed, real: realIn(tools) }, async (setup) => {
    const { collector, counter, play, settle, balances, targets } = setup
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
    for (const target of targets) {
      const handed = setup.unsentSpans(target)
      if (handed + filtered !== taken)
        broken.push(`of ${taken} odd spans that were taken, ${filtered} had no ids and ${handed} came to ${target.id}`)
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

/** Every drill that can be run with these backends. */
export function drillsOver(backends: readonly Backend[]): readonly Drill[] {
  const [first] = backends
  /** More spans than a small queue can hold while its backend is down. */
  const overflow = (drill: string, more: Partial<Scenario>): Drill => ({
    name: drill,
    run: (tools, size) =>
      whileDisturbed(tools, size, {
        ...more,
        drill,
        disturbed: first,
        disturbance: behaving({ kind: 'down' }),
        perSecond: 4 * TRACES_PER_SECOND,
      }),
  })
  // The longest come first, because several may run at the same time.
  return [
    { name: 'kill', run: killed },
    { name: 'long-runs', run: longRuns },
    ...backends
      .filter(({ start }) => start)
      .map(
        (backend): Drill => ({
          name: `${backend.id}-killed`,
          run: (tools, size) => backendKilled(tools, size, backend),
        }),
      ),
    ...backends.flatMap((disturbed) => {
      const drill = (how: string, disturbance: Disturbance, real: readonly string[] = []): Drill => ({
        name: `${disturbed.id}-${how}`,
        run: (tools, size) =>
          whileDisturbed(tools, size, { drill: `${disturbed.id}-${how}`, disturbed, disturbance, real }),
      })
      return [
        ...(disturbed.start ? [drill('down', away, [disturbed.id])] : []),
        ...[500, 429, 503].map((status) => drill(String(status), behaving({ kind: 'answers', status }))),
        drill('hangs', behaving({ kind: 'hangs' })),
      ]
    }),
    overflow('queue-full', { overlay: smallQueue(first?.exporter ?? '') }),
    overflow('disk-full', { started: smallDisk, overlay: SAYS_ALL }),
    { name: 'sigterm', run: again('sigterm', 3, stopAndStart) },
    { name: 'reload', run: again('reload', 3, hangUp) },
    { name: 'clocks', run: clocks },
    { name: 'burst', run: burst },
    { name: 'odd', run: odd },
  ]
}

/** The backends that can be real. */
const realIn = ({ backends }: DrillTools) => backends.filter(({ start }) => start).map(({ id }) => id)
