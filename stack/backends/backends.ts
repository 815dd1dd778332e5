import { UserError } from '../../workbench/user-error.ts'
import type { Settings } from '../settings.ts'
import { annotations } from './annotations.ts'
import type { Backend, BackendServer, Relay } from './backend.ts'
import { jaeger } from './jaeger.ts'
import { langfuse } from './langfuse.ts'
import { otlp } from './otlp.ts'
import { phoenix } from './phoenix.ts'
import { tempo } from './tempo.ts'

/** Every backend with a file in collector/backends/. */
export const BACKENDS: readonly Backend[] = [tempo, phoenix, annotations, jaeger, langfuse, otlp]

type ServedBackend = Backend & Readonly<{ server: BackendServer }>

/** The backends whose servers this project runs. */
export const served = (backends: readonly Backend[]): readonly ServedBackend[] =>
  backends.filter((backend): backend is ServedBackend => backend.server !== undefined)

/** The programs that hand on to other backends. */
export const relays = (backends: readonly Backend[]): readonly Relay[] =>
  backends.flatMap(({ relay }) => (relay ? [relay] : []))

/** The ids of the backends with a program here, as services in docker-compose.yml have them. */
export const running = (backends: readonly Backend[]): readonly string[] =>
  backends.filter(({ server, relay }) => server !== undefined || relay !== undefined).map(({ id }) => id)

/** The file that the Collector loads for a backend, from the root of the repository. */
export const collectorFile = ({ id }: Backend): string => `collector/backends/${id}.yaml`

/** The exporter of a backend, as its name is in the Collector's own metrics. */
export const exporterOf = (id: string): string => `otlp_http/${id}`

/** The first of these that hands on to a backend which is not among them, and the id of that one. */
export function lacking(chosen: readonly Backend[]): Readonly<{ id: string; to: string }> | undefined {
  const [first] = chosen.flatMap(({ id, relay }) =>
    relay && !chosen.includes(relay.to) ? [{ id, to: relay.to.id }] : [],
  )
  return first
}

/** The backends that `BACKENDS` names. Throws `UserError` when one is unknown or named twice. */
export function chosenBackends(settings: Settings): readonly Backend[] {
  const { BACKENDS: given = '' } = settings.env
  const ids = given.split(',').map((id) => id.trim())
  const known = BACKENDS.map(({ id }) => id).join(', ')
  if (!given.trim())
    throw new UserError(`BACKENDS is empty: it must name backends, with commas between. There are ${known}.`)
  const chosen = ids.map((id, index) => {
    const backend = BACKENDS.find((one) => one.id === id)
    if (!backend)
      throw new UserError(
        `BACKENDS=${given}: there is no backend "${id}". There are ${known}. Write names with commas between.`,
      )
    if (ids.indexOf(id) !== index) throw new UserError(`BACKENDS=${given} names ${id} twice: write each backend once.`)
    return backend
  })
  const lost = lacking(chosen)
  if (lost)
    throw new UserError(
      `BACKENDS=${given}: ${lost.id} hands on to ${lost.to}, so it needs it. Write BACKENDS=${given},${lost.to}.`,
    )
  return chosen
}

/** Throws `UserError` when a chosen backend lacks a variable. Only a start needs them: a stack is looked at and stopped without. */
export function refuseMissing(settings: Settings): void {
  for (const backend of chosenBackends(settings)) backend.environment(settings)
}

/** The variables of the chosen backends, as far as they are there. */
export const environmentThere = (settings: Settings): Readonly<Record<string, string>> =>
  Object.assign(
    {},
    ...chosenBackends(settings).map((backend) => {
      try {
        return backend.environment(settings)
      } catch (error) {
        if (error instanceof UserError) return {}
        throw error
      }
    }),
  )
