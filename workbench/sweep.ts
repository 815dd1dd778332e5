import { type Class, classified, classLists, type Study } from './classes.ts'
import type { Launcher } from './collector.ts'
import { drawIn, type Format } from './draw.ts'
import { durationOf } from './duration.ts'
import { replayEach, type Traffic } from './replay.ts'
import { type Table, tabulate } from './table.ts'
import { UserError } from './user-error.ts'
import { variablesIn, withValue } from './variables.ts'

/** The values to try for one number of a policy file: plain numbers, or times in nanoseconds. */
type Range = Readonly<{ variable: string; isTime: boolean; values: readonly number[]; text: string }>

const MOST_VALUES = 50
const USUAL_VALUES = 9
/** Only this time of a list is in the time of the recording. A range is in the time of the world. */
const IN_RECORDED_TIME = 'SLOW_CALL'
const SUCH = 'write for example SWEEP=slow-call=1s..5s, or with a step SWEEP=token-heavy=3000..9000/500'

/** Reads `slow-call=1s..5s` or, with a step, `slow-call=1s..5s/500ms`. Throws what is wrong with it. */
export function readRange(text: string): Range {
  const such = (why: string) => new UserError(`SWEEP=${text} ${why}`)
  const [, name = '', from = '', to = '', step] =
    /^([A-Za-z]\w*(?:-\w+)*)=([^/]*?)\.\.([^/]*?)(?:\/(.*))?$/.exec(text) ?? []
  if (name === '') throw such(`is no range: ${SUCH}`)
  const parts = [from, to, ...(step === undefined ? [] : [step])]
  const amounts = parts.map((part) => {
    const number = /^\d+(\.\d+)?$/.test(part) ? Number(part) : undefined
    const value = number ?? durationOf(part)
    if (value === undefined) throw such(`has "${part}", which is no number and no time: ${SUCH}`)
    return { value, isTime: number === undefined }
  })
  const [low, high, stride] = amounts
  if (!low || !high) throw such(`is no range: ${SUCH}`)
  const { isTime } = low
  if (amounts.some((one) => one.isTime !== isTime))
    throw such(`mixes times and plain numbers: write all of it with a unit, as in 1s..5s/500ms, or none of it`)
  if (high.value <= low.value) throw such(`does not go upwards, from ${from} to ${to}: write the smaller one first`)
  if (stride && stride.value <= 0) throw such(`has a step of nothing, which never ends: ${SUCH}`)
  const by = stride?.value ?? (high.value - low.value) / (USUAL_VALUES - 1)
  // Fractions of a step must not lose the last value.
  const count = Math.floor((high.value - low.value) / by + 1e-9) + 1
  if (count > MOST_VALUES)
    throw such(`asks for ${count} values, and one run can answer for ${MOST_VALUES}: take larger steps`)
  // Values between whole numbers are rounded to whole numbers: a policy may accept no others.
  const isWhole = isTime || amounts.every(({ value }) => Number.isInteger(value))
  const values = Array.from({ length: count }, (_, index) => low.value + index * by)
  const rounded = values.map((value) => (isWhole ? Math.round(value) : Number(value.toPrecision(9))))
  return { variable: name.toUpperCase().replaceAll('-', '_'), isTime, values: [...new Set(rounded)], text }
}

export type SweptRow = Readonly<{
  value: string
  /** The value that the list has now. */
  isInForce: boolean
  kept: number
  spans: number
  bytes: number
  usdKept: number
  /** How many traces of each must-keep class would be lost; undefined for a class that no trace belongs to. */
  missed: Readonly<Record<string, number | undefined>>
}>
export type Swept = Readonly<{ variable: string; traces: number; rows: readonly SweptRow[] }>

type SweepRequest = Readonly<{
  /** The text of a checked policy file. */
  list: string
  range: Range
  /** The variables of the list, in the time of the recording. */
  env: Readonly<Record<string, string | undefined>>
  /** How much faster than the clock the recorded world ran. */
  timeFactor: number
}>

/** Tries one list with many values of one of its numbers, all at the same time in one real collector. */
export async function sweep(
  launcher: Launcher,
  traffic: Traffic,
  request: SweepRequest,
  { study, classes }: Readonly<{ study: Study; classes: readonly Class[] }>,
): Promise<Swept> {
  const { list, range } = request
  const tries = triesOf(request)
  const lists = tries.map(({ told }) => ({ name: told, text: withValue(list, range.variable, told) }))
  const decided = await replayEach(launcher, traffic, [...lists, ...classLists(classes)])
  const known = classified(study, classes, decided)
  const rows = tries.map(({ value, told, isInForce }): SweptRow => {
    const { total, classes: of } = tabulate(known, classes, decided.get(told) ?? new Map(), new Map())
    return {
      value,
      isInForce,
      kept: total.kept,
      spans: total.spans,
      bytes: total.bytes,
      usdKept: total.usdKept,
      missed: missed(of),
    }
  })
  return { variable: range.variable, traces: study.traces.size, rows }
}

const missed = (rows: Table['classes']) =>
  Object.fromEntries(
    rows.filter(({ mustKeep }) => mustKeep).map((row) => [row.class, row.sent === 0 ? undefined : row.missed]),
  )

type Try = Readonly<{ value: string; told: string; isInForce: boolean }>

/**
 * Each value as it is shown and as the list gets it, in rising order, together with the one in force. Throws `UserError` when
 * the list does not read the variable, or reads another kind of value.
 */
export function triesOf({ list, range, env, timeFactor }: SweepRequest): readonly Try[] {
  const { variable, isTime, values, text } = range
  const all = variablesIn(list, env)
  const factorOf = (name: string) => (name === IN_RECORDED_TIME ? timeFactor : 1)
  const worldly = (name: string, told: string) => {
    const nanos = durationOf(told)
    return nanos === undefined ? told || 'empty' : exactTime(nanos * factorOf(name))
  }
  const told = all.get(variable)
  if (told === undefined) {
    const names = [...all.keys()].map(
      (name) => `${name.toLowerCase().replaceAll('_', '-')} (${worldly(name, all.get(name) ?? '')})`,
    )
    const reads = names.length > 0 ? `it reads ${names.join(', ')}` : 'it reads none'
    throw new UserError(`SWEEP=${text} names ${variable}, which the list does not read; ${reads}`)
  }
  const now = isTime ? durationOf(told) : told === '' ? Number.NaN : Number(told)
  if (now === undefined || Number.isNaN(now)) {
    const kind = isTime ? 'a number without a unit' : durationOf(told) === undefined ? 'no number' : 'a time'
    throw new UserError(
      `SWEEP=${text} tries ${isTime ? 'times' : 'plain numbers'}, but ${variable} is ${kind}, now ${worldly(variable, told)}: ${isTime ? 'leave the units out' : 'write the values like it'}`,
    )
  }
  const factor = isTime ? factorOf(variable) : 1
  // The default is rounded to whole milliseconds, so the value in force may differ by a rounding.
  const isNow = (value: number) => Math.abs(value / factor - now) <= (factor === 1 ? 0 : 0.5e6)
  const shown = (value: number) => (isTime ? exactTime(value) : String(value))
  const tried = values.map((value) => ({
    order: value,
    value: shown(value),
    told: isNow(value) ? told : isTime ? `${Math.round(value / factor)}ns` : String(value),
    isInForce: isNow(value),
  }))
  const inForce = { order: now * factor, value: shown(now * factor), told, isInForce: true }
  return [...tried, ...(tried.some(({ isInForce }) => isInForce) ? [] : [inForce])]
    .sort((one, other) => one.order - other.order)
    .map(({ order: _, ...rest }) => rest)
}

const exactTime = (nanos: number) => (nanos < 1e9 ? `${nanos / 1e6} ms` : `${nanos / 1e9} s`)

export function sweepReport(head: string, swept: Swept, format: Format): string {
  if (format === 'json') return JSON.stringify(swept, null, 2)
  const { variable, rows } = swept
  const classes = Object.keys(rows[0]?.missed ?? {})
  const table = drawIn(format)([
    [variable, 'kept', 'spans', 'bytes', 'USD kept', ...classes],
    ...rows.map((row) => [
      `${row.value}${row.isInForce ? ' (in force)' : ''}`,
      ...[row.kept, row.spans, row.bytes].map(String),
      row.usdKept.toFixed(6),
      ...classes.map((name) => String(row.missed[name] ?? '–')),
    ]),
  ])
  const lossless = rows.filter(({ missed }) => Object.values(missed).every((count) => !count)).map(({ value }) => value)
  const verdict =
    lossless.length === rows.length
      ? 'No trace that must be kept is lost at any of these values.'
      : lossless.length === 0
        ? 'At each of these values traces are lost that must be kept.'
        : `No trace that must be kept is lost at ${lossless.join(', ')}.`
  const legend = `Below ${classes.join(', ')}: how many of them would be lost; each keeps its own threshold. –: the recording has none.`
  return [head, table, `${verdict}\n${legend}`].join('\n\n')
}
