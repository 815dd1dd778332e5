import { type Edge, failedIn, type Party, sumOf, type Usage } from './calls.ts'
import { countsOf, type Evaluation, type Failure } from './happenings.ts'
import type { Summary } from './summary.ts'
import { PARTS, type Part } from './time.ts'

const MOST_LINES = 20
/** A line of a terminal, roughly; what a span says is cut to it. */
const WIDTH = 130
const LABEL = 10
const MOST_FAILURES = 2
const MOST_NAMES = 6

/** A row without a label goes on with the one above. */
type Row = Readonly<{ label: string; text: string }>

/** A summary in at most twenty lines. What did not happen has no line. */
export function textReport(summary: Summary): string {
  const rows = rowsOf(summary, MOST_LINES - 1).map(({ label, text }) => `${label.padEnd(LABEL)}${text}`.trimEnd())
  return [headline(summary), ...rows].join('\n')
}

/** All rows but the headline. */
export function rowsOf(summary: Summary, most: number): readonly Row[] {
  const before = [when(summary), ...broken(summary), ...words(summary), ...failed(summary), ...kept(summary)]
  const after = [
    ...time(summary),
    ...agents(summary),
    ...tokens(summary),
    ...again(summary),
    ...linked(summary),
    ...refused(summary),
    ...evaluated(summary),
    ...masked(summary),
  ]
  return [...before, ...called(summary, Math.max(1, most - before.length - after.length)), ...after]
}

const line = (label: string, text: string): Row => ({ label, text: cut(text) })

/** One line of what a sender wrote: no line breaks, no control characters, not too long. */
export function cut(text: string, most = WIDTH): string {
  const flat = text.replaceAll(/[\s\p{Cc}\p{Cf}]+/gu, ' ').trim()
  return flat.length <= most ? flat : `${[...flat].slice(0, most - 1).join('')}…`
}

/** A list that ends early rather than filling the screen. */
export function few(items: readonly string[], { most = MOST_NAMES, between = ', ' } = {}): string {
  const left = items.length - most
  return left > 0 ? `${items.slice(0, most).join(between)} and ${left} more` : items.join(between)
}

export const seconds = (ms: number): string =>
  ms >= 1000 ? `${(ms / 1000).toFixed(2)} s` : ms >= 1 ? `${Math.round(ms)} ms` : `${Number(ms.toPrecision(2))} ms`

const times = (count: number) => (count === 1 ? '' : ` ×${count}`)
const many = (count: number, one: string) => `${count.toLocaleString('en-US')} ${one}${count === 1 ? '' : 's'}`
const tally = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts).map(([word, count]) => `${cut(word, 60)}${times(count)}`)

export function outcome({ turns, failures, error }: Summary): string {
  const fatal = failures.filter((failure) => failure.fatal)
  const failed = turns.filter(
    (turn) => Object.keys(turn.failed).length > 0 || fatal.some(({ agent }) => agent === turn.agent),
  )
  if (failed.length > 0 && turns.length > 1) return `${failed.length} of ${many(turns.length, 'agent')} failed`
  if (failed.length > 0 || fatal.length > 0 || error !== undefined) return 'failed'
  return failures.length > 0 ? `went well, though ${many(failures.length, 'step')} inside failed` : 'went well'
}

export const inShort = (summary: Summary) => `${cut(summary.name, 60)}, ${outcome(summary)}`
export const headline = (summary: Summary) => `${summary.trace}: ${inShort(summary)}`

function when({ began, ms, spans, services, conversations }: Summary): Row {
  const day = began.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')
  const talk = conversations.length > 0 ? `, conversation ${few(conversations, { most: 1 })}` : ''
  return line(
    'when',
    `${day}, ${seconds(ms)}, ${many(spans, 'span')} of ${few(services, { most: 3 }) || 'a service without a name'}${talk}`,
  )
}

const broken = ({ defects }: Summary) =>
  defects.length > 0 ? [line('broken', defects.map(({ says }) => says).join('; '))] : []

function words({ wordsOf, words: { asked, answered } }: Summary): readonly Row[] {
  const of = wordsOf === undefined ? '' : `${cut(wordsOf, 30)}: `
  return [
    ...(asked === undefined ? [] : [line('asked', of + asked)]),
    ...(answered === undefined ? [] : [line('answered', of + answered)]),
  ]
}

const failureText = ({ agent, where, error, message, fatal }: Failure) =>
  `${agent === undefined ? '' : `${cut(agent, 30)}: `}${error} in ${cut(where, 40)}${message === undefined ? '' : ` (${cut(message, 60)})`}${fatal ? '' : ', which was dealt with'}`

/** What was fatal comes first, and of that what befell the agent that the reader asks about. */
function failed({ failures, wordsOf }: Summary): readonly Row[] {
  const rank = ({ fatal, agent }: Failure) => 2 * Number(fatal) + Number(agent === wordsOf)
  const fatal = failures.toSorted((one, other) => rank(other) - rank(one))
  const left = fatal.length - MOST_FAILURES
  return fatal
    .slice(0, MOST_FAILURES)
    .map((failure, index) =>
      line(
        index === 0 ? 'failed' : '',
        `${failureText(failure)}${index === MOST_FAILURES - 1 && left > 0 ? `; and ${left} more` : ''}`,
      ),
    )
}

const kept = ({ policies }: Summary) => (policies.length > 0 ? [line('kept', `by ${few(policies)}`)] : [])

const callText = (edge: Edge): string => {
  const wrong = failedIn(edge)
  return `${cut(edge.to.name, 40)}${times(edge.count)}${wrong > 0 ? ` (${wrong} failed)` : ''}`
}

/** A line for all that called the same. If there are too many, the last line has the rest in numbers. */
function called({ graph }: Summary, most: number): readonly Row[] {
  const key = ({ kind, name }: Party) => JSON.stringify([kind, name])
  const callers = [...Map.groupBy(graph, ({ from }) => key(from)).values()]
  // Agents that called the same share a line.
  const calls = (edges: readonly Edge[]) => few(edges.map(callText).sort())
  const alike = [...Map.groupBy(callers, calls)]
  const rows = alike.map(([what, all]) => `${few(all.map(([edge]) => cut(edge?.from.name ?? '', 40)))} → ${what}`)
  const shown = rows.length > most ? rows.slice(0, most - 1) : rows
  const others = alike.slice(shown.length).flatMap(([, all]) => all)
  const rest = others.flat()
  const sum = rest.reduce((all, { count }) => all + count, 0)
  return [...shown, ...(rest.length > 0 ? [`${many(others.length, 'other caller')}: ${many(sum, 'call')}`] : [])].map(
    (row, index) => line(index === 0 ? 'called' : '', row),
  )
}

function time({ time: { ms, parts, steps } }: Summary): readonly Row[] {
  if (ms === 0) return []
  const share = (its: number) => `${((100 * its) / ms).toFixed(0)} %`
  const kinds = (Object.entries(parts) as [Part, number][])
    .filter(([, its]) => its / ms >= 0.01)
    .sort(([, one], [, other]) => other - one)
    .map(
      ([part, its]) => `${share(its)} ${part === 'model' && parts.decode ? 'in the rest of model calls' : PARTS[part]}`,
    )
  const longest = steps
    .slice(0, 3)
    .map(
      ({ agent, what, ms: its }) =>
        `${agent === undefined ? '' : `${cut(agent, 30)}: `}${cut(what, 40)} ${seconds(its)}`,
    )
  return [line('time', `${seconds(ms)} on the critical path: ${kinds.join(', ')}`), line('longest', longest.join(', '))]
}

function agents({ time: { agents: all, atOnce } }: Summary): readonly Row[] {
  if (all.length === 0) return []
  const together = atOnce > 1 ? `; ${atOnce} at the same time, so this is no sum` : ''
  return [line('agents', `${few(all.map(({ agent, ms }) => `${cut(agent, 30)} ${seconds(ms)}`))}${together}`)]
}

const counts = ({ input, output, cacheRead, cacheCreation, reasoning }: ReturnType<typeof sumOf>) => {
  const parts = [
    ...(cacheRead > 0 ? [`${cacheRead.toLocaleString('en-US')} from a cache`] : []),
    ...(cacheCreation > 0 ? [`${cacheCreation.toLocaleString('en-US')} to a cache`] : []),
  ]
  const read = `${input.toLocaleString('en-US')}${parts.length > 0 ? ` (${parts.join(', ')})` : ''}`
  return `${read} + ${output.toLocaleString('en-US')}${reasoning > 0 ? ` (${reasoning.toLocaleString('en-US')} reasoning)` : ''}`
}

export const usd = (amount: number | undefined): string =>
  amount === undefined ? 'no price' : `${amount.toFixed(6)} USD`

function tokens({ usage }: Summary): readonly Row[] {
  const sum = sumOf(usage)
  if (sum.input + sum.output === 0) return []
  const priced = usage.flatMap((one) => one.usd ?? [])
  const cost = priced.reduce((sum, one) => sum + one, 0)
  const missing = [...new Set(usage.filter((one) => one.usd === undefined).map(({ model }) => cut(model, 40)))]
  const price =
    missing.length === 0
      ? usd(cost)
      : `${priced.length > 0 ? `${usd(cost)}, and ` : ''}no price for ${few(missing, { most: 2 })}`
  const rows = usage.map((one: Usage) => `${one.agent ?? 'no agent'} ${usd(one.usd)}`)
  return [
    line('tokens', `${counts(sum)} = ${price}`),
    ...(usage.length > 1 ? [line('costs', few(costRows(usage, rows)))] : []),
  ]
}

/** An agent that asks two models has two rows; then each says its model. */
const costRows = (usage: readonly Usage[], rows: readonly string[]) =>
  new Set(usage.map(({ model }) => model)).size === 1
    ? rows
    : usage.map(({ agent, model, usd: cost }) => `${agent ?? 'no agent'} at ${cut(model, 40)} ${usd(cost)}`)

function again({ retries, repeats, fallbacks }: Summary): readonly Row[] {
  const parts = [
    ...retries.map(
      ({ agent, tries, after }) =>
        `${agent ?? 'no agent'} sent a request ${tries} times${after.length > 0 ? ` (${tally(countsOf(after)).join(', ')})` : ''}`,
    ),
    ...tally(countsOf(repeats)).map((who) => `${who} asked again`),
    ...fallbacks.map(
      ({ agent, model, after }) =>
        `${agent ?? 'no agent'} went over to ${cut(model, 40)}${after ? ` after ${after}` : ''}`,
    ),
  ]
  return parts.length > 0 ? [line('again', few(parts))] : []
}

/** How many linked traces have a line. Whoever follows links need not fetch more. */
export const MOST_LINKED = 2

const linked = ({ linked }: Summary) => [
  ...linked
    .slice(0, MOST_LINKED)
    .map(({ trace, from, says }, index) =>
      line(index === 0 ? 'linked' : '', `${cut(from, 40)} → ${trace}${says ? `: ${says}` : ''}`),
    ),
  ...(linked.length > MOST_LINKED ? [line('', `and ${linked.length - MOST_LINKED} more`)] : []),
]

const refused = ({ refusals }: Summary) =>
  refusals.length === 0
    ? []
    : [
        line(
          'refused',
          few(tally(countsOf(refusals.map(({ agent, reason, what }) => `${agent ?? 'no agent'} ${what}: ${reason}`)))),
        ),
      ]

function evaluated({ evaluations }: Summary): readonly Row[] {
  if (evaluations.length === 0) return []
  const who = ({ agent, label, score, explanation }: Evaluation) =>
    `${agent ?? 'no agent'} ${label ?? score}${explanation === undefined ? '' : ` (${cut(explanation, 60)})`}`
  const names = [...Map.groupBy(evaluations, ({ name }) => name)].map(([name, all]) => {
    const bad = all.filter(({ passed }) => passed === false)
    const unsure = all.filter(({ passed }) => passed === undefined)
    const good = all.length - bad.length - unsure.length
    return {
      bad: bad.length,
      text: `${cut(name, 30)}: ${[...(good > 0 ? [`${good} passed`] : []), ...[...bad, ...unsure].map(who)].join(', ')}`,
    }
  })
  return [
    line(
      'evaluated',
      few(
        names.sort((one, other) => other.bad - one.bad).map(({ text }) => text),
        { between: '; ' },
      ),
    ),
  ]
}

function masked({ masked: { values, keys, limits } }: Summary): readonly Row[] {
  const cutValues = limits.attribute_cut ?? 0
  const wide = limits.attribute_count ?? 0
  const odd = limits.token_count ?? 0
  const parts = [
    ...(values > 0 ? [`${many(values, 'value')}, in ${few(Object.keys(keys))}`] : []),
    ...(cutValues > 0 ? [`${many(cutValues, 'span')} with a value that was too long`] : []),
    ...(wide > 0 ? [`${many(wide, 'span')} with too many attributes`] : []),
    ...(odd > 0 ? [`${many(odd, 'span')} with a number of tokens that cannot be`] : []),
  ]
  return parts.length > 0 ? [line('masked', parts.join('; '))] : []
}
