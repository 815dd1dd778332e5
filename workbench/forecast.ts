import type { Study } from './classes.ts'
import type { ClassRow } from './table.ts'

/** What a list would store in a day, and what those traces cost: 24 hours by the clock of the recording, at its rate. */
export type Forecast = Readonly<{
  /** How many times the recording fits into a day. */
  times: number
  tempoBytes: number
  phoenixBytes: number
  /** Of all model calls, and of those in kept traces. */
  usdSent: number
  usdKept: number
}>

/**
 * Measured with Tempo 2.9.0 and Phoenix 20.26.1 in the settings that ship: a line through two runs of the simulator,
 * default seed 5 (974 spans kept, 1.8 MB) and chaos seed 21 (2588 spans, 4.7 MB). To measure a new version of either:
 * npx tsx --test test/forecast.test.ts prints what was stored and what was forecast; put a line through two of its runs.
 */
const TEMPO = {
  /** Each trace is stored by the ingester, and by the generator, which answers TraceQL metrics. */
  copies: 2,
  /** Without any span: 102.4 kB for the Bloom filter, which always has this size; the rest is columns and footers. */
  bytesPerBlock: 135_600,
  bytesPerByte: 0.1061,
  /** One for each hour and copy: the blocks of an hour are merged within minutes. */
  blocksPerDay: 48,
}
/** Its database before the first span, with the prices. A write-ahead log of up to 5 MB comes on top. */
const PHOENIX = { bytesEmpty: 1_178_000, bytesPerByte: 1.0909 }

const DAY_MS = 24 * 60 * 60 * 1000
/** A shorter recording says nothing about a rate. */
const SHORTEST_MS = 1000

/** The bytes that Tempo stores for traces of this size in OTLP JSON, in this number of blocks, with all copies. */
export const tempoStores = (jsonBytes: number, blocks: number): number =>
  blocks * TEMPO.bytesPerBlock + TEMPO.copies * jsonBytes * TEMPO.bytesPerByte

/** The size of Phoenix's database with such traces, after its write-ahead log is merged. */
export const phoenixStores = (jsonBytes: number): number => PHOENIX.bytesEmpty + jsonBytes * PHOENIX.bytesPerByte

/** A day at the rate of a recording. Undefined when it is too short to have one. */
export function forecast({ fromMs, toMs }: Pick<Study, 'fromMs' | 'toMs'>, all: ClassRow): Forecast | undefined {
  const lastsMs = toMs - fromMs
  if (!(lastsMs >= SHORTEST_MS) || fromMs === 0) return undefined
  const times = DAY_MS / lastsMs
  return {
    times,
    tempoBytes: Math.round(tempoStores(all.bytes * times, TEMPO.blocksPerDay)),
    phoenixBytes: Math.round(phoenixStores(all.bytes * times)),
    usdSent: all.usdSent * times,
    usdKept: all.usdKept * times,
  }
}
