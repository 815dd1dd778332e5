import type { Price } from '../../grafana/source/prices.ts'
import type { Programs } from '../native.ts'
import type { Service } from '../service.ts'
import type { PortName, Settings } from '../settings.ts'

/** Where kept traces go. The Collector loads `collector/backends/ID.yaml` for it, and nothing else knows its name. */
export type Backend = Readonly<{
  /** Its name in `BACKENDS`, of its file in collector/backends/ and of its service in docker-compose.yml. */
  id: string
  /** As its makers write it. */
  title: string
  /** The variable in its collector file that says where it takes OTLP. */
  endpointVariable: string
  /** What only a person can tell: addresses and keys, each with an example. */
  needs?: Readonly<Record<string, string>>
  /** What its collector file is told. Throws `UserError` when a variable is missing or is not what it must be. */
  environment: (settings: Settings) => Readonly<Record<string, string>>
  /** The server, when this project runs it. Without one, the backend is somewhere else. */
  server?: BackendServer
}>

/** A backend whose server this project builds, starts and asks. */
export type BackendServer = Readonly<{
  /** Its recipe in stack/native/recipes.yaml. */
  recipe: string
  service: (settings: Settings, programs: Programs) => Service
  /** Where its metrics are, if Prometheus is to read them. */
  metricsPort?: PortName
  /** Where a person looks, and what for. */
  link: Readonly<{ port: PortName; path: string; what: string }>
  /**
   * Tells it what models cost, if it computes costs itself; before the first span comes, and when prices change. Answers
   * how many milliseconds to wait until they hold: 0 when nothing changed.
   */
  setPrices?: (settings: Settings, prices: readonly Price[]) => Promise<number>
  /** What it shows of a tick; undefined while something of it is missing. */
  shows: (settings: Settings, tick: Tick) => Promise<Shown | undefined>
  /** Asks how many copies it holds of each of these spans (`spanKey`), and perhaps of others. */
  stored: (settings: Settings) => (keys: readonly string[]) => Promise<ReadonlyMap<string, number>>
  /** Whether it has stored so many traces, for a server that acknowledges before it stores. */
  hasStored?: (settings: Settings, traces: number) => Promise<boolean>
  /** Has it write to disk what it holds in memory. */
  flush?: (settings: Settings) => Promise<unknown>
  /** All that it answers about these traces, and of what else is in it, with a name for each kind of answer. */
  answers: (settings: Settings, traceIds: readonly string[]) => AsyncIterable<Answer>
}>

/** A tick that was played to follow it. */
export type Tick = Readonly<{ run: string; trace: string; agents: readonly string[]; project: string }>
export type Shown = Readonly<{ spans: number; sentence: string; content: string }>
export type Answer = Readonly<{ where: string; bytes: Buffer }>
