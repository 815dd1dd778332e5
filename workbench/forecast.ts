import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import type { Study } from './classes.ts'
import type { ClassRow } from './table.ts'

/** What a list would store and stand for in a day: 24 hours of the recording's own clock, at its rate. */
export type Forecast = Readonly<{
  /** How many times the recording fits into a day. */
  times: number
  tempoBytes: number
  phoenixBytes: number
  /** Of all model calls, and of those in kept traces. */
  usdSent: number
  usdKept: number
}>

type Factors = Readonly<{
  tempo: Readonly<{ copies: number; bytes_per_block: number; bytes_per_byte: number; blocks_per_day: number }>
  phoenix: Readonly<{ bytes_empty: number; bytes_per_byte: number }>
}>

const FACTORS: Factors = parse(readFileSync(join(import.meta.dirname, 'forecast.yaml'), 'utf8'))
const DAY_MS = 24 * 60 * 60 * 1000
/** What arrived within less says nothing about a rate. */
const SHORTEST_MS = 1000

/** What Tempo holds of traces that are so long in OTLP JSON, in so many blocks, those of every copy counted. */
export const tempoStores = (jsonBytes: number, blocks: number): number => {
  const { copies, bytes_per_block, bytes_per_byte } = FACTORS.tempo
  return blocks * bytes_per_block + copies * jsonBytes * bytes_per_byte
}

/** How large Phoenix's database is with such traces in it, once its write-ahead log is merged. */
export const phoenixStores = (jsonBytes: number): number =>
  FACTORS.phoenix.bytes_empty + jsonBytes * FACTORS.phoenix.bytes_per_byte

/** A day at the rate of a recording. Undefined when it is too short to have one. */
export function forecast({ fromMs, toMs }: Pick<Study, 'fromMs' | 'toMs'>, all: ClassRow): Forecast | undefined {
  const lastsMs = toMs - fromMs
  if (!(lastsMs >= SHORTEST_MS) || fromMs === 0) return undefined
  const times = DAY_MS / lastsMs
  return {
    times,
    tempoBytes: Math.round(tempoStores(all.bytes * times, FACTORS.tempo.blocks_per_day)),
    phoenixBytes: Math.round(phoenixStores(all.bytes * times)),
    usdSent: all.usdSent * times,
    usdKept: all.usdKept * times,
  }
}
