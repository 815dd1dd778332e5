import PQueue from 'p-queue'
import { parse, stringify } from 'yaml'
import { randomOf } from '../random/random.ts'
import type { Launcher } from '../workbench/collector.ts'
import { drawIn, type Format } from '../workbench/draw.ts'
import { durationOf } from '../workbench/duration.ts'
import type { Request } from '../workbench/recording.ts'
import { type Decisions, type List, replayEach, type Traffic } from '../workbench/replay.ts'
import { UserError } from '../workbench/user-error.ts'
import { withVariables } from '../workbench/variables.ts'
import { type Case, judgeCases } from './cases.ts'
import { BEGINNING, MUST_KEEP, makeTrace, makeTraffic, requestOf } from './traffic.ts'

/** The shipped list with one mistake in it. */
export type Mutant = Readonly<{ name: string; text: string }>

/** What found a mutant. `harmless` means that it decides on all other traffic (`traces`) as the shipped list does. */
export type Verdict = Readonly<{ mutant: string }> &
  (
    | Readonly<{ caught: 'by the check'; why: string }>
    | Readonly<{ caught: 'by a case'; why: string; cases: number }>
    | Readonly<{ caught: 'no'; harmless: boolean; traces: number }>
  )

type Policy = { name: string; type: string; [settings: string]: unknown }
type Settings = Record<string, unknown>

/**
 * Makes every small mistake that we can think of, in every place of a list where it is possible: a policy is left out, moved,
 * or blocked by a drop policy; a threshold or an operator is changed, a word misspelt, a setting forgotten.
 */
export function mutantsOf(text: string): readonly Mutant[] {
  const list = (): Policy[] => parse(text)
  const names = list().map(({ name }) => name)
  const mutant = (name: string, change: (policies: Policy[]) => unknown): Mutant => {
    const policies = list()
    const changed = change(policies)
    return { name, text: stringify(Array.isArray(changed) ? changed : policies, { lineWidth: 0 }) }
  }
  const perPolicy = list().flatMap((policy, index) => [
    mutant(`${policy.name} left out`, (policies) => policies.toSpliced(index, 1)),
    mutant(`${policy.name} taken away by a drop rule`, (policies) => [
      { name: 'drop-some', type: 'drop', drop: { drop_sub_policy: [{ ...policy, name: 'some' }] } },
      ...policies,
    ]),
    mutant(`${policy.name} written twice`, (policies) => policies.toSpliced(index, 0, policy)),
    mutant(`${policy.name} of an unknown type`, (policies) => {
      Object.assign(policies[index] ?? {}, { type: `${policy.type}s` })
    }),
    ...(index + 1 < names.length
      ? [
          mutant(`${policy.name} after ${names[index + 1]}`, (policies) =>
            policies.toSpliced(index, 2, policies[index + 1] as Policy, policy),
          ),
        ]
      : []),
    ...settingsOf(policy).map(([what, settings]) =>
      mutant(`${policy.name}: ${what}`, (policies) => {
        Object.assign(policies[index] ?? {}, settings)
      }),
    ),
  ])
  return [
    ...perPolicy,
    mutant('an empty list', () => []),
    mutant('everything is kept', (policies) => [...policies, { name: 'keep-the-rest', type: 'always_sample' }]),
  ]
}

type Mistake = readonly [what: string, settings: Settings]

/** Settings that a policy of a type may have in addition. Mistakes in its present settings: see `mistakesIn`. */
const MORE: Readonly<Record<string, readonly Settings[]>> = {
  numeric_attribute: [{ invert_match: true }],
  string_attribute: [{ invert_match: true }],
  boolean_attribute: [{ invert_match: true }],
  probabilistic: [
    { sampling_percentage: 0 },
    { sampling_percentage: 1 },
    { sampling_percentage: 100 },
    { hash_salt: 'pepper' },
  ],
  ottl_condition: [{ error_mode: 'propagate' }],
}
/** A type without settings can only be replaced by another type. */
const INSTEAD: Readonly<Record<string, string>> = { always_sample: 'trace_flags', trace_flags: 'always_sample' }

/** Mistakes in the settings of one policy, of any type. A table of types and settings would not have the next type. */
function settingsOf(policy: Policy): readonly Mistake[] {
  const { type } = policy
  const own = (policy[type] ?? {}) as Settings
  const other = INSTEAD[type]
  if (other) return [[`${other} instead`, { type: other }]]
  const isNew = (one: Settings) =>
    Object.entries(one).some(([key, value]) => own[key] !== value && typeof own[key] !== 'boolean')
  const more = (MORE[type] ?? []).filter(isNew).map((one): Mistake => [told(one), { ...own, ...one }])
  const events: Mistake[] =
    type === 'ottl_condition' && own.span
      ? [['on events instead of spans', { error_mode: 'ignore', spanevent: own.span }]]
      : []
  return [...mistakesIn(own), ...more, ...events].map(([what, settings]) => [what, { [type]: settings }])
}

const told = (settings: Settings) =>
  Object.entries(settings)
    .map(([key, value]) => `${key}: ${value}`)
    .join(', ')

/** Leaves out each setting once, and changes each value in all ways of its type. */
function mistakesIn(settings: Settings): readonly Mistake[] {
  return Object.entries(settings).flatMap(([key, value]) => [
    [`without ${key}`, Object.fromEntries(Object.entries(settings).filter(([name]) => name !== key))] as const,
    ...wrong(key, value).map(([what, other]): Mistake => [what, { ...settings, [key]: other }]),
  ])
}

type Wrong = readonly [what: string, value: unknown]

function wrong(key: string, value: unknown): readonly Wrong[] {
  if (CONDITIONS.includes(key))
    return [value]
      .flat()
      .flatMap((one, at, all) =>
        conditionsLike(String(one)).map(
          ([what, text]): Wrong => [at === 0 ? what : `${what} in its ${nth(at)} condition`, all.with(at, text)],
        ),
      )
  if (typeof value === 'boolean') return [[`${key}: ${!value}`, !value]]
  // Do not change a rate by one: the traffic of a second varies more.
  if (typeof value === 'number')
    return (RATES.test(key) ? [Math.ceil(value / 10), value * 10] : [value - 1, value + 1]).map(
      (other): Wrong => [`${key}: ${other}`, other],
    )
  if (typeof value === 'string') return wrongText(key, value)
  if (Array.isArray(value))
    return value.flatMap((item, at) => [
      ...(value.length > 1 ? [[`${key} without its ${nth(at)}`, value.toSpliced(at, 1)] as const] : []),
      ...(isPolicy(item) ? inner(item) : wrong(key, item)).map(([what, other]): Wrong => [what, value.with(at, other)]),
    ])
  if (isPolicy(value)) return inner(value)
  return typeof value === 'object' && value !== null ? mistakesIn(value as Settings) : []
}

const CONDITIONS = ['span', 'spanevent']
const RATES = /_per_second$|^burst_capacity$/
const nth = (at: number) => `${at + 1}.`
const isPolicy = (value: unknown): value is Policy =>
  typeof value === 'object' && value !== null && 'name' in value && 'type' in value
const inner = (policy: Policy): readonly Wrong[] =>
  settingsOf(policy).map(([what, settings]) => [`${policy.name}: ${what}`, { ...policy, ...settings }])

/** Misspells a word, takes another status, or changes the default of a number: `${env:NAME:-6000}`. */
function wrongText(key: string, value: string): readonly Wrong[] {
  const [, before, digits, after] = /^(\$\{env:\w+:-)(\d+)(\})$/.exec(value) ?? []
  if (digits !== undefined)
    return [-1, 1].map((by): Wrong => [`${key}: ${Number(digits) + by}`, `${before}${Number(digits) + by}${after}`])
  if (key === 'status_codes')
    return ['OK', 'ERROR', 'UNSET']
      .filter((code) => code !== value)
      .map((code): Wrong => [`${value} turned into ${code}`, code])
  return key === 'error_mode' || key === 'name' ? [] : [[`${key}: "${value}" misspelt`, `${value}s`]]
}

/** The condition with one wrong word or sign, for each word and sign in it. */
function conditionsLike(condition: string): readonly (readonly [what: string, text: string])[] {
  const turns: readonly (readonly [what: string, from: string, to: string])[] = [
    ['== turned into !=', '==', '!='],
    ['and turned into or', ' and ', ' or '],
    ['> turned into >=', ') > ', ') >= '],
    ['> turned into <', ') > ', ') < '],
    ['>= turned into >', ' >= ', ' > '],
    ['>= turned into <', ' >= ', ' < '],
    ['not left out', ' not ', ' '],
    ['the span looked for on the resource', 'span.attributes', 'resource.attributes'],
    ['errors turned into successes', 'STATUS_CODE_ERROR', 'STATUS_CODE_OK'],
    ['errors turned into no status', 'STATUS_CODE_ERROR', 'STATUS_CODE_UNSET'],
    ['the status left out', ' and span.status.code == STATUS_CODE_ERROR', ''],
    ['the operation left out', 'span.attributes["gen_ai.operation.name"] == "chat" and ', ''],
    ['a sign forgotten', '==', '='],
  ]
  const [, bound = ''] = /(?::-|Duration\(")([\d.]+m?s)[}"]/.exec(condition) ?? []
  const milliseconds = (durationOf(bound) ?? 0) / 1e6
  const bounds =
    bound &&
    ([
      ['a longer bound', `${milliseconds + 1}ms`],
      ['a shorter bound', `${milliseconds - 1}ms`],
      ['a bound in another unit', bound.endsWith('ms') ? bound.replace('ms', 's') : bound.replace('s', 'ms')],
    ] as const)
  const guards = condition.match(/[\w.]+\["[^"]+"\] != nil and /g) ?? []
  const words = [...new Set([...condition.matchAll(/"([a-z_.]+)"/g)].map(([, word = '']) => word))]
  const [limit, number = ''] = /:-(\d+)\}/.exec(condition) ?? []
  const limits = limit === undefined ? [] : [Number(number) - 1, Number(number) + 1]
  // A pattern that is a list of words, "^(?:chat|embeddings)$", or of the last parts of words, "(?:^|[.])(?:Interrupt|Deferred)$".
  const lists = [...condition.matchAll(/"(?:\^|\(\?:\^\|\[\.\]\))\(\?:([\w|[\]+-]+)\)\$"/g)].map(
    ([, list = '']) => list,
  )
  const shorter = lists.flatMap((list) =>
    list.split('|').map(
      (word) =>
        [
          word,
          list,
          list
            .split('|')
            .filter((other) => other !== word)
            .join('|'),
        ] as const,
    ),
  )
  return [
    ...turns
      .filter(([, from]) => condition.includes(from))
      .map(([what, from, to]) => [what, condition.replace(from, to)] as const),
    ...(bounds || []).map(([what, other]) => [what, condition.replace(bound, other)] as const),
    ...limits.map((other) => [`a bound of ${other}`, condition.replace(`:-${number}}`, `:-${other}}`)] as const),
    ...shorter.map(([word, from, to]) => [`without ${word} in its list`, condition.replace(from, to)] as const),
    ...guards.map((guard) => [`no guard "${guard.trim()}"`, condition.replace(guard, '')] as const),
    ...words.map((word) => [`"${word}" misspelt`, condition.replace(`"${word}"`, `"${word}s"`)] as const),
  ]
}

/** Finds what is wrong with a list before it runs, or undefined. */
type Check = (mutant: Mutant) => Promise<string | undefined>

/**
 * Tries every mutant: first with the check of `make reload`, then with the cases, all lists at the same time in one collector.
 * If no case finds a mutant, it is harmless if it also decides on other traffic as the shipped list does.
 * Throws when the shipped list itself fails in the same run, because then the run proves nothing about the mutants.
 */
export async function tryMutants(
  launcher: Launcher,
  shipped: string,
  { cases, check, others }: { cases: readonly Case[]; check: Check; others: readonly Traffic[] },
): Promise<readonly Verdict[]> {
  const mutants = mutantsOf(shipped)
  launcher.say(`  ${mutants.length} mutants`)
  const wrong = await check({ name: SHIPPED, text: shipped })
  if (wrong) throw new UserError(`the check refuses the shipped list itself: ${wrong} Repair the list first`)
  const refused = new Map<string, string>()
  const checked = async (mutant: Mutant) => {
    const why = await check(mutant)
    if (why) refused.set(mutant.name, why)
  }
  await new PQueue({ concurrency: AT_ONCE }).addAll(mutants.map((mutant) => () => checked(mutant)))
  const lists: List[] = mutants.filter(({ name }) => !refused.has(name))
  launcher.say(`  the check refuses ${refused.size}; the other ${lists.length} are tried on ${cases.length} cases`)
  const failures = await judgeCases(launcher, cases, [{ name: SHIPPED, text: shipped }, ...lists])
  const [own] = failures.get(SHIPPED) ?? []
  if (own) throw new UserError(`the shipped list itself fails ${own.name}: ${own.why}. ${MEND}`)
  const survivors = lists.filter(({ name }) => failures.get(name)?.length === 0)
  launcher.say(`  no case finds ${survivors.length}; they are tried on other traffic`)
  const different = await otherwise(launcher, { shipped, survivors, others })
  return mutants.map(({ name: mutant }): Verdict => {
    const why = refused.get(mutant)
    if (why) return { mutant, caught: 'by the check', why }
    const failed = failures.get(mutant) ?? []
    const [first] = failed
    if (first)
      return { mutant, caught: 'by a case', why: first.name, cases: new Set(failed.map(({ name }) => name)).size }
    return { mutant, caught: 'no', harmless: !different.names.has(mutant), traces: different.traces }
  })
}

const SHIPPED = 'as shipped'
const MEND = 'Repair the list or the case. If nobody changed them, the machine is too busy: run the command again'
/** How many checks run at the same time. Each mostly waits for its collector. */
const AT_ONCE = 8

/** Generated traffic, in addition to recordings: traces of one kind in every profile, and some of two kinds. */
export function madeTraffic(mustKeep: number): readonly Traffic[] {
  const size = { seed: 1, mustKeep, perSecond: 1000, speed: 10 }
  const sent = { speed: size.speed, slowCall: '' }
  return [
    { ...sent, requests: () => makeTraffic(size, () => {}) },
    { ...sent, requests: makePairs },
  ]
}

const PER_PAIR = 4

/** Traces of two kinds at the same time, for each two kinds. The policy that is recorded on them shows the order of a list. */
async function* makePairs(): AsyncGenerator<Request> {
  for (const first of MUST_KEEP)
    for (const second of MUST_KEEP)
      for (let turn = 0; turn < PER_PAIR; turn++) {
        const random = randomOf(first, second, turn)
        const [one, other] = [makeTrace(first, random).spans, makeTrace(second, random).spans]
        const traceId = one[0]?.traceId ?? ''
        yield requestOf(BEGINNING.getTime(), [...one, ...other.map((span) => ({ ...span, traceId }))])
      }
}

/**
 * Which lists decide on other traffic differently from the shipped list, and how many traces were sent. If a part of a trace
 * came late in one sampler and not in another, this is not a difference between lists. So lists that differ are tried again, more
 * slowly, and a list differs only if the same trace shows it each time.
 */
async function otherwise(
  launcher: Launcher,
  { shipped, survivors, others }: { shipped: string; survivors: readonly List[]; others: readonly Traffic[] },
): Promise<Readonly<{ names: ReadonlySet<string>; traces: number }>> {
  const seen = new Set<string>()
  const watch = ({ spans }: { spans: readonly { traceId: string }[] }) => {
    for (const { traceId } of spans) seen.add(traceId)
  }
  const tell = async (some: readonly List[], stretch: number): Promise<ReadonlyMap<string, ReadonlySet<string>>> => {
    const written = [{ name: SHIPPED, text: shipped }, ...some]
    const lists = written.map(({ name, text }) => ({ name, text: withVariables(text, {}) }))
    const answers = await Promise.all(
      others.map((traffic) => replayEach(launcher, { ...traffic, watch, stretch }, lists)),
    )
    const telling = (name: string) =>
      answers.flatMap((decided) => [...unlike(decided.get(SHIPPED) ?? new Map(), decided.get(name) ?? new Map())])
    return new Map(some.map(({ name }) => [name, new Set(telling(name))]))
  }
  let open = survivors
  let differing = new Map<string, ReadonlySet<string>>()
  for (const stretch of TRIES_AT) {
    if (open.length === 0) break
    const told = await tell(open, stretch)
    differing = new Map(
      open.flatMap(({ name }): [string, ReadonlySet<string>][] => {
        const each = told.get(name) ?? new Set()
        const before = differing.get(name) ?? each
        const both = new Set([...each].filter((id) => before.has(id)))
        return both.size > 0 ? [[name, both]] : []
      }),
    )
    open = open.filter(({ name }) => differing.has(name))
  }
  return { names: new Set(differing.keys()), traces: seen.size }
}

/** How much slower other traffic is sent in each try. */
const TRIES_AT = [1, 3]

/** The traces on which two lists decide differently. */
function* unlike(one: Decisions, other: Decisions): Generator<string> {
  for (const id of new Set([...one.keys(), ...other.keys()])) {
    const [a, b] = [one.get(id), other.get(id)]
    if (a?.policy !== b?.policy || a?.spans !== b?.spans) yield id
  }
}

/** Mutants that decide differently from the shipped list and that nothing found. */
export const missed = (verdicts: readonly Verdict[]) =>
  verdicts.filter((verdict) => verdict.caught === 'no' && !verdict.harmless)

export function mutationReport(verdicts: readonly Verdict[], format: Format): string {
  if (format === 'json') return JSON.stringify(verdicts, null, 2)
  const rows = verdicts.map((verdict) => {
    if (verdict.caught === 'by the check') return [verdict.mutant, 'the check', verdict.why]
    if (verdict.caught === 'no') {
      const { mutant, harmless, traces } = verdict
      return harmless
        ? [mutant, 'harmless', `it decides on ${traces} other traces as the shipped list does`]
        : [mutant, 'MISSED', `it decides differently on some of ${traces} other traces: add a case`]
    }
    const others = verdict.cases > 1 ? ` and ${verdict.cases - 1} more` : ''
    return [verdict.mutant, 'a case', `${verdict.why}${others}`]
  })
  const harmless = verdicts.filter((verdict) => verdict.caught === 'no' && verdict.harmless).length
  const [count, left] = [verdicts.length - harmless, missed(verdicts).length]
  const score = `${verdicts.length} mutants: ${harmless} change nothing; ${count - left} of the other ${count} are found.`
  return [drawIn(format)([['mutant', 'caught by', 'which says'], ...rows]), score].join('\n\n')
}
