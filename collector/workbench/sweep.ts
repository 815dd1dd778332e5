import type { Class, Study } from './classes.ts'
import type { Bench } from './collector.ts'
import { drawIn, type Format } from './draw.ts'
import { Refusal } from './refusal.ts'
import { type Decisions, replayEach, type Traffic } from './replay.ts'
import { type Table, tabulate } from './table.ts'

/** One number of a policy file, and the values to try for it. */
export type Range = Readonly<{ variable: string; unit: string; values: readonly number[] }>

const MOST_VALUES = 50
const USUAL_VALUES = 9
const WRITE = 'write SWEEP=slow-call=1s..5s, or with a step SWEEP=token-heavy=3000..9000/500'
const UNITS: Readonly<Record<string, number>> = { us: 1e-6, ms: 1e-3, s: 1, m: 60 }

/** Reads `slow-call=1s..5s/500ms`. Times come out in seconds. Throws what is wrong with it. */
export function readRange(text: string): Range {
  const parts = /^([a-z][a-z0-9-]*)=([^.\s/]+(?:\.\d+)?[a-z]*)\.\.([^\s/]+?)(?:\/(\S+))?$/.exec(text)
  if (!parts) throw new Refusal(`SWEEP=${text} cannot be read: ${WRITE}`)
  const [, name = '', from = '', to = '', step] = parts
  const [low, high, by] = [from, to, step ?? to].map((one) => amount(one, text))
  if (!low || !high || !by) throw new Refusal(`SWEEP=${text} cannot be read: ${WRITE}`)
  if ([high, by].some(({ unit }) => (unit === '') !== (low.unit === '')))
    throw new Refusal(`SWEEP=${text} mixes numbers with and without a unit: give both ends the same, e.g. 1s..5s`)
  if (!(low.value < high.value))
    throw new Refusal(`SWEEP=${text} goes from ${from} to ${to}, which is not upwards: name the smaller one first`)
  if (step !== undefined && !(by.value > 0)) throw new Refusal(`SWEEP=${text} has a step that is not above 0: ${WRITE}`)
  const stride = step === undefined ? (high.value - low.value) / (USUAL_VALUES - 1) : by.value
  const count = Math.floor((high.value - low.value) / stride + 1e-9) + 1
  if (count > MOST_VALUES)
    throw new Refusal(`SWEEP=${text} is ${count} values, and ${MOST_VALUES} can be tried at once: choose a larger step`)
  const isWhole = low.unit === ''
  const values = Array.from({ length: count }, (_, index) => low.value + index * stride)
  const rounded = values.map((value) => (isWhole ? Math.round(value) : Number(value.toPrecision(6))))
  return { variable: name.toUpperCase().replaceAll('-', '_'), unit: isWhole ? '' : 's', values: [...new Set(rounded)] }
}

function amount(text: string, whole: string): { value: number; unit: string } {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)([a-z]*)$/.exec(text) ?? []
  if (number === '' || (unit !== '' && !(unit in UNITS)))
    throw new Refusal(`SWEEP=${whole}: "${text}" is no number or time: ${WRITE}`)
  return { value: Number(number) * (UNITS[unit] ?? 1), unit }
}

export type Swept = Readonly<{ value: string; isInForce: boolean; table: Table }>

const VARIABLE = /\$\{env:(\w+)(?::-([^}]*))?\}/g

/**
 * Judges the same traffic by one list under many values of one of its numbers, all in one real collector. `inForce`
 * tells the value that the variable has now, as the list is told it; `scaled` turns a value of world time into that.
 */
export async function sweep(
  bench: Bench,
  traffic: Traffic,
  {
    list,
    range,
    config,
    inForce,
    scale,
  }: Readonly<{ list: string; range: Range; config: string; inForce: Readonly<Record<string, string>>; scale: number }>,
  { found, classes }: Readonly<{ found: Study; classes: readonly Class[] }>,
): Promise<readonly Swept[]> {
  const read = new Map(
    [...list.matchAll(VARIABLE)].map(([, name = '', otherwise = '']) => [name, inForce[name] || otherwise]),
  )
  const now = read.get(range.variable)
  if (now === undefined) {
    const names = [...read.keys()].map((name) => name.toLowerCase().replaceAll('_', '-'))
    throw new Refusal(
      `SWEEP names ${range.variable}, which the list does not read; ${names.length > 0 ? `it reads ${names.join(' and ')}` : 'it reads no variable'}`,
    )
  }
  const written = (value: number) => (range.unit === '' ? String(value) : `${Number((value * 1000) / scale)}ms`)
  const set = (value: string) =>
    list.replace(VARIABLE, (_, name, otherwise = '') => (name === range.variable ? value : inForce[name] || otherwise))
  const current = range.unit === '' ? Number(now) : amount(now, now).value * scale
  const values = [...new Set([...range.values, current])].sort((a, b) => a - b)
  const lists = values.map((value) => ({ name: String(value), text: set(written(value)) }))
  const decided = await replayEach(bench, traffic, { config, lists })
  return values.map((value) => ({
    value: range.unit === '' ? String(value) : `${Number(value.toPrecision(6))} s`,
    isInForce: value === current,
    table: tabulate(found, classes, decided.get(String(value)) ?? NOTHING, new Map()),
  }))
}

const NOTHING: Decisions = new Map()

export function sweepReport(variable: string, swept: readonly Swept[], format: Format): string {
  if (format === 'json') return JSON.stringify({ variable, swept }, null, 2)
  const must = swept[0]?.table.classes.filter(({ mustKeep, sent }) => mustKeep && sent > 0) ?? []
  const rows = swept.map(({ value, isInForce, table }) => [
    isInForce ? `${value} (now)` : value,
    ...[table.total.kept, table.total.spans, table.total.bytes].map(String),
    table.total.usdKept.toFixed(6),
    ...must.map(({ class: name }) => String(table.classes.find((row) => row.class === name)?.missed ?? 0)),
  ])
  const head = [variable, 'kept', 'spans', 'bytes', 'USD kept', ...must.map(({ class: name }) => `${name} missed`)]
  return drawIn(format)([head, ...rows])
}
