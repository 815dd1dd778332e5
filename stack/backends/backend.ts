import type { Price } from '../../grafana/source/prices.ts'
import type { Programs } from '../native.ts'
import type { Service } from '../service.ts'
import type { PortName, Settings } from '../settings.ts'

/** Where kept traces go. The Collector loads `collector/backends/ID.yaml` for it. Other code does not know its name. */
export type Backend = Readonly<{
  /** Its name in `BACKENDS`, and the name of its file in collector/backends/ and of its service in docker-compose.yml. */
  id: string
  /** The name as its makers write it. */
  title: string
  /** The variable in its collector file with the address where it receives OTLP. */
  endpointVariable: string
  /** What only a person knows: addresses and keys, each with an example. */
  needs?: Readonly<Record<string, string>>
  /** The variables of its collector file. Throws `UserError` when a variable is missing or has a wrong value. */
  environment: (settings: Settings) => Readonly<Record<string, string>>
  /** The server, if this project runs it. Without it, the backend is somewhere else. */
  server?: BackendServer
  /** A program of this project that hands on to another backend, and stores nothing itself. */
  relay?: Relay
}>

export type Relay = Readonly<{
  to: Backend
  service: (settings: Settings) => Service
  /** What it hands on. */
  what: string
}>

/** A backend whose server this project builds, starts and queries. */
export type BackendServer = Readonly<{
  /** Its recipe in stack/native/recipes.yaml. */
  recipe: string
  service: (settings: Settings, programs: Programs) => Service
  /** The port of its metrics, if Prometheus scrapes them. */
  metricsPort?: PortName
  /** The page for a person, and what it shows. */
  link: Readonly<{ port: PortName; path: string; what: string }>
  /**
   * Sends it the prices of models, if it computes costs itself: before the first span comes, and when prices change. Returns
   * how many milliseconds to wait until they are in use: 0 when nothing changed.
   */
  setPrices?: (settings: Settings, prices: readonly Price[]) => Promise<number>
  /** What it shows of a tick; undefined while a part of the tick is missing. */
  shows: (settings: Settings, tick: Tick) => Promise<Shown | undefined>
  /** Returns how many copies it holds of each of these spans (`spanKey`), and perhaps of others. */
  stored: (settings: Settings) => (keys: readonly string[]) => Promise<ReadonlyMap<string, number>>
  /** Whether it has stored this many traces, for a server that acknowledges before it stores. */
  hasStored?: (settings: Settings, traces: number) => Promise<boolean>
  /** Makes it write to disk what it holds in memory. */
  flush?: (settings: Settings) => Promise<unknown>
  /** All that it answers about these traces and about its other content, with a name for each kind of answer. */
  answers: (settings: Settings, traceIds: readonly string[]) => AsyncIterable<Answer>
}>

/** The marked tick of `make verify`. */
export type Tick = Readonly<{ run: string; trace: string; agents: readonly string[]; project: string }>
export type Shown = Readonly<{ spans: number; sentence: string; content: string }>
export type Answer = Readonly<{ where: string; bytes: Buffer }>
