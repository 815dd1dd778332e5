import { diff } from 'node:util'
import type { Caller } from '../../workbench/collector.ts'
import { millisecondsOf } from '../../workbench/duration.ts'
import { UserError } from '../../workbench/user-error.ts'
import { waitFor } from '../../workbench/wait.ts'
import { chosenBackends } from '../backends/backends.ts'
import { agentNames } from '../inspect/agents.ts'
import { byCounts } from '../inspect/by-counts.ts'
import { byTraces } from '../inspect/by-traces.ts'
import { type Counted, countedIn, type Pipeline, pipelineIn } from '../inspect/counted.ts'
import { nothingArrived } from '../inspect/nothing.ts'
import { reportOn, verdictOn } from '../inspect/report.ts'
import { callersIn, spansIn, storedOf } from '../inspect/stored.ts'
import { prometheus } from '../queries.ts'
import { senderEnvironment } from '../receiver-options.ts'
import { remembered } from '../remembered.ts'
import { type Settings, url } from '../settings.ts'
import { waitsNow } from '../waits.ts'

/** The stack cannot be asked, so nothing is said about any service. */
export class Unreachable extends UserError {}

/** With every program of a machine in one report, nobody reads it: the busiest come first. */
const MOST_SERVICES = 10
/** Counts come every 5 s; Tempo is asked about three hours. */
const [SHORTEST_MS, LONGEST_MS] = [30_000, 3 * 3_600_000]
/** From the end of a span until it is counted: the batch delay of an SDK, the flush and the scrape, 5 s each. */
const ARRIVAL_MS = 16_000

export type Asked = Readonly<{
  /** Without it, every service is looked at. */
  service?: string | undefined
  /** How far back, such as 10m. */
  since: string
}>
type Options = Caller & Readonly<{ arrivalMs?: number }>

/**
 * Says for one service, or for all that arrived, what works and what is missing, with the fix. Returns whether boards and
 * policies see all of them. Throws `UserError` when the service did not arrive, and `Unreachable` without a stack.
 */
export async function inspect(
  settings: Settings,
  { service: asked, since }: Asked,
  { cancel, say, arrivalMs = ARRIVAL_MS }: Options,
): Promise<boolean> {
  const windowMs = millisecondsOf(since)
  if (!(windowMs >= SHORTEST_MS && windowMs <= LONGEST_MS))
    throw new UserError(`SINCE must be a time from 30s to 3h, such as SINCE=2m, not "${since}".`)
  await refuseUnreachable(settings)
  const look = async () => {
    const all = await countedIn(settings, since)
    return all.some(({ service }) => asked === undefined || service === asked) && all
  }
  const arrived =
    (await waitFor(look, { withinMs: arrivalMs, everyMs: 2000, cancel })) ?? (await countedIn(settings, since))
  const around = { pipeline: await pipelineIn(settings, since), window: since }
  if (arrived.length === 0) {
    for (const line of nothingArrived({ ...around, ...addressesOf(settings) })) say(line)
    return false
  }
  const chosen = asked === undefined ? arrived : arrived.filter(({ service }) => service === asked)
  if (chosen.length === 0) throw new UserError(unknown(asked ?? '', arrived, around))
  const verdicts: boolean[] = []
  for (const counted of chosen.slice(0, MOST_SERVICES)) {
    if (verdicts.length > 0) say('')
    const lines = await linesOf(settings, counted, around)
    for (const line of reportOn(counted.service, lines, chosen.length > 1)) say(line)
    verdicts.push(verdictOn(lines) === 'seen')
  }
  const left = chosen.slice(MOST_SERVICES).map(({ service }) => service)
  if (chosen.length > 1) say(`\nAll lines of one service: make inspect SERVICE=${chosen[0]?.service}`)
  if (left.length > 0) say(`Not looked at, because they sent less: ${left.join(', ')}`)
  return verdicts.every(Boolean)
}

const addressesOf = (settings: Settings) => ({
  endpoint: senderEnvironment(settings).OTEL_EXPORTER_OTLP_ENDPOINT,
  grpcPort: settings.ports.OTLP_GRPC_PORT,
  needsToken: Boolean(settings.env.OTLP_TOKEN),
})

type Around = Readonly<{ pipeline: Pipeline; window: string }>

async function linesOf(settings: Settings, counted: Counted, around: Around) {
  const { service } = counted
  const waits = waitsNow(settings)
  const loaded = chosenBackends(settings).map(({ id }) => id)
  const since = Date.now() - millisecondsOf(around.window)
  const stored = await storedOf(settings, service, {
    since: new Date(since),
    rootlessSince: new Date(since - millisecondsOf(waits.root)),
    loaded,
  })
  const agents = agentNames(counted, spansIn(stored.traces, service))
  const { endpoint } = addressesOf(settings)
  const callers = callersIn(stored.traces, service)
  return [
    ...byCounts(counted, { callers, backends: loaded, endpoint, window: around.window }),
    ...(agents ? [agents] : []),
    ...byTraces({ ...around, service, counted, stored, waits }),
  ]
}

async function refuseUnreachable(settings: Settings): Promise<void> {
  const address = url(settings, 'PROMETHEUS_PORT')
  const next = remembered(settings) ? 'To see why: make status.' : 'The stack is down: make up starts it.'
  const pages = await prometheus(settings, 'up{job="counted"}').catch((error: Error) => {
    throw new Unreachable(`Prometheus does not answer at ${address} (${causeOf(error)}). ${next}`)
  })
  if (!pages.some(({ value }) => value === 1))
    throw new Unreachable(
      `Prometheus at ${address} cannot read what the Collector counts (port ${settings.ports.COLLECTOR_COUNTED_PORT}). Does the Collector run? To see: make status.`,
    )
}

const causeOf = (error: Error) => (error.cause as Error | undefined)?.message || error.message

/** That a service did not arrive, with the one that it may be. */
function unknown(asked: string, arrived: readonly Counted[], { pipeline, window }: Around): string {
  const names = arrived.map(({ service }) => service)
  const changes = (name: string) => diff(asked, name).filter(([kind]) => kind !== 0).length
  const [nearest] = [...names].sort((a, b) => changes(a) - changes(b))
  const isNear = nearest !== undefined && changes(nearest) <= asked.length / 2
  return [
    `SERVICE=${asked}: nothing of it arrived in ${window}. ${isNear ? `Did you mean SERVICE=${nearest}? ` : ''}These did: ${names.join(', ')}.`,
    ...(pipeline.refused > 0
      ? [`The Collector refused ${pipeline.refused} spans; it does not know of which service.`]
      : []),
    'The name is service.name of the resource: export OTEL_SERVICE_NAME=…, or set it as the examples do (examples/README.md).',
  ].join('\n')
}
