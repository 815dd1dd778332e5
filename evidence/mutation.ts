import { parse, stringify } from 'yaml'
import { randomOf } from '../random/random.ts'
import type { Launcher } from '../workbench/collector.ts'
import { drawIn, type Format } from '../workbench/draw.ts'
import type { Request } from '../workbench/recording.ts'
import { type Decisions, type List, replayEach, type Traffic } from '../workbench/replay.ts'
import { UserError } from '../workbench/user-error.ts'
import { withVariables } from '../workbench/variables.ts'
import { type Case, judgeCases } from './cases.ts'
import { BEGINNING, MUST_KEEP, makeTrace, makeTraffic, requestOf } from './traffic.ts'

/** The shipped list with one mistake in it. */
export type Mutant = Readonly<{ name: string; text: string }>

/** How a mutant was found out. `harmless` means that it decides all other traces, so many, as the shipped list does. */
export type Verdict = Readonly<{ mutant: string }> &
  (
    | Readonly<{ caught: 'by the check'; why: string }>
    | Readonly<{ caught: 'by a case'; why: string; cases: number }>
    | Readonly<{ caught: 'no'; harmless: boolean; traces: number }>
  )

type Policy = { name: string; type: string; [settings: string]: unknown }
type Settings = Record<string, unknown>

/**
 * Every small mistake that we can think of, made in every place of a list where it can be made: a policy left out,
 * swapped, taken away by a drop rule; a bound moved, an operator turned, a word misspelt, a setting forgotten.
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

/** Mistakes in the settings of one policy. */
function settingsOf(policy: Policy): readonly (readonly [what: string, settings: Settings])[] {
  const own = policy[policy.type] as Settings
  const within = (more: Settings) => ({ [policy.type]: { ...own, ...more } })
  const without = (key: string) => ({
    [policy.type]: Object.fromEntries(Object.entries(own).filter(([name]) => name !== key)),
  })
  if (policy.type === 'ottl_condition') {
    const [condition = ''] = own.span as string[]
    const turned = conditionsLike(condition).map(([what, text]) => [what, within({ span: [text] })] as const)
    return [
      ...turned,
      ['without error_mode', without('error_mode')],
      ['error_mode: propagate', within({ error_mode: 'propagate' })],
      ['on events instead of spans', { [policy.type]: { error_mode: 'ignore', spanevent: own.span } }],
    ]
  }
  if (policy.type === 'numeric_attribute') {
    const moved = (key: string, by: number) =>
      within({ [key]: String(own[key]).replace(/\d+(?=\}?$)/, (digits) => String(Number(digits) + by)) })
    const numbers = (settings: Settings) => ({
      [policy.type]: Object.fromEntries(
        Object.entries(settings[policy.type] as Settings).map(([key, value]) => [
          key,
          /^\d+$/.test(String(value)) ? Number(value) : value,
        ]),
      ),
    })
    return [
      ['its lower bound one higher', numbers(moved('min_value', 1))],
      ['its lower bound one lower', numbers(moved('min_value', -1))],
      ['its upper bound one higher', numbers(moved('max_value', 1))],
      ['its upper bound one lower', numbers(moved('max_value', -1))],
      ['another key', within({ key: `${own.key}s` })],
      ['inverted', within({ invert_match: true })],
      ['without its lower bound', without('min_value')],
      ['without its upper bound', without('max_value')],
    ]
  }
  if (policy.type === 'probabilistic') {
    return [
      ...[0, 1, 9, 11, 100].map((percent) => [`${percent} %`, within({ sampling_percentage: percent })] as const),
      ['another hash', within({ hash_salt: 'pepper' })],
    ]
  }
  return []
}

/** A condition with one word or sign of it wrong, for each that it has. */
function conditionsLike(condition: string): readonly (readonly [what: string, text: string])[] {
  const turns: readonly (readonly [what: string, from: string, to: string])[] = [
    ['== turned into !=', '==', '!='],
    ['and turned into or', ' and ', ' or '],
    ['> turned into >=', ') > ', ') >= '],
    ['> turned into <', ') > ', ') < '],
    ['a longer bound', ':-2s}', ':-2001ms}'],
    ['a shorter bound', ':-2s}', ':-1999ms}'],
    ['a bound in another unit', ':-2s}', ':-2ms}'],
    ['the span looked for on the resource', 'span.attributes', 'resource.attributes'],
    ['errors turned into successes', 'STATUS_CODE_ERROR', 'STATUS_CODE_OK'],
    ['errors turned into no status', 'STATUS_CODE_ERROR', 'STATUS_CODE_UNSET'],
    ['the status left out', ' and span.status.code == STATUS_CODE_ERROR', ''],
    ['the operation left out', 'span.attributes["gen_ai.operation.name"] == "chat" and ', ''],
    ['a sign forgotten', '==', '='],
  ]
  const guards = condition.match(/[\w.]+\["[^"]+"\] != nil and /g) ?? []
  const words = [...condition.matchAll(/"([a-z_.]+)"/g)].map(([, word = '']) => word)
  return [
    ...turns
      .filter(([, from]) => condition.includes(from))
      .map(([what, from, to]) => [what, condition.replace(from, to)] as const),
    ...guards.map((guard) => [`no guard "${guard.trim()}"`, condition.replace(guard, '')] as const),
    ...words.map((word) => [`"${word}" misspelt`, condition.replace(`"${word}"`, `"${word}s"`)] as const),
  ]
}

/** Finds what is wrong with a list before it runs, or undefined. */
export type Check = (mutant: Mutant) => Promise<string | undefined>

/**
 * Tries every mutant: first the check that `make reload` makes, then the cases, all lists at once in one collector.
 * A mutant that no case tells from the shipped list is harmless when it also decides other traffic as that does.
 * Throws when the shipped list does not hold in the same run, for then the run says nothing of the others.
 */
export async function tryMutants(
  launcher: Launcher,
  shipped: string,
  {
    cases,
    check,
    config,
    others,
  }: { cases: readonly Case[]; check: Check; config: string; others: readonly Traffic[] },
): Promise<readonly Verdict[]> {
  const mutants = mutantsOf(shipped)
  launcher.say(`  ${mutants.length} mutants are read`)
  const wrong = await patiently(() => check({ name: SHIPPED, text: shipped }))
  if (wrong) throw new UserError(`the shipped list is itself refused by the check: ${wrong} Mend it first`)
  const refused = new Map<string, string>()
  const waiting = mutants.values()
  const checker = async () => {
    for (const mutant of waiting) {
      const why = await patiently(() => check(mutant))
      if (why) refused.set(mutant.name, why)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, checker))
  const lists: List[] = mutants.filter(({ name }) => !refused.has(name))
  launcher.say(`  ${refused.size} are refused by the check; ${lists.length} run on ${cases.length} cases`)
  const failures = await judgeCases(launcher, cases, { config, lists: [{ name: SHIPPED, text: shipped }, ...lists] })
  const [own] = failures.get(SHIPPED) ?? []
  if (own) throw new UserError(`the shipped list itself fails ${own.name}: ${own.why}. ${MEND}`)
  const survivors = lists.filter(({ name }) => failures.get(name)?.length === 0)
  launcher.say(`  ${survivors.length} are left; they run on other traffic`)
  const different = await otherwise(launcher, { shipped, config, survivors, others })
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
const MEND = 'Mend the list or the case; when both are as they were, the machine is too busy for this: run it once more'
/** Checks at a time. Each mostly waits for its collector. */
const AT_ONCE = 8
const TRIES = 5

/** A port that was free may be taken before the collector listens on it: with so many collectors it is, now and then. */
async function patiently<T>(work: () => Promise<T>, tries = TRIES): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (tries <= 1 || !(error instanceof UserError && error.message.includes('address already in use'))) throw error
    return patiently(work, tries - 1)
  }
}

/** Made traffic, beside recordings: so many traces of one kind, in every profile, and some of two kinds. */
export function madeTraffic(mustKeep: number): readonly Traffic[] {
  const size = { seed: 1, mustKeep, perSecond: 1000, speed: 10 }
  const sent = { speed: size.speed, slowCall: '' }
  return [
    { ...sent, requests: () => makeTraffic(size, () => {}) },
    { ...sent, requests: makePairs },
  ]
}

const PER_PAIR = 4

/** Traces that are of two kinds at once, for every two: what is recorded of them tells the order of a list. */
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

/** Which lists decide other traffic otherwise than the shipped one, and how many traces they were asked about. */
async function otherwise(
  launcher: Launcher,
  size: { shipped: string; config: string; survivors: readonly List[]; others: readonly Traffic[] },
): Promise<Readonly<{ names: ReadonlySet<string>; traces: number }>> {
  const { shipped, config, survivors, others } = size
  // The shipped list twice: when the two differ, so may all others, and for no reason of their own.
  const control = [SHIPPED, `${SHIPPED}, too`]
  const lists = [...control.map((name) => ({ name, text: shipped })), ...survivors]
  const written = lists.map(({ name, text }) => ({ name, text: withVariables(text, {}) }))
  const seen = new Set<string>()
  const watch = ({ spans }: { spans: readonly { traceId: string }[] }) => {
    for (const { traceId } of spans) seen.add(traceId)
  }
  const names = new Set<string>()
  const asked = survivors.length > 0 ? others : []
  const answers = await Promise.all(
    asked.map((traffic) => replayEach(launcher, { ...traffic, watch }, { config, lists: written })),
  )
  for (const decided of answers) {
    const asShipped = decisionsAsText(decided.get(SHIPPED))
    for (const { name } of written) if (decisionsAsText(decided.get(name)) !== asShipped) names.add(name)
  }
  if (control.some((name) => names.has(name)))
    throw new UserError(`the shipped list twice in one collector decided in two ways. ${MEND}`)
  return { names, traces: seen.size }
}

const decisionsAsText = (decisions: Decisions | undefined) =>
  [...(decisions ?? [])]
    .map(([id, { policy, spans }]) => `${id} ${policy} ${spans}`)
    .sort()
    .join()

/** Mutants that behave otherwise than the shipped list and were found by nothing. */
export const missed = (verdicts: readonly Verdict[]) =>
  verdicts.filter((verdict) => verdict.caught === 'no' && !verdict.harmless)

export function mutationReport(verdicts: readonly Verdict[], format: Format): string {
  if (format === 'json') return JSON.stringify(verdicts, null, 2)
  const rows = verdicts.map((verdict) => {
    if (verdict.caught === 'by the check') return [verdict.mutant, 'the check', verdict.why]
    if (verdict.caught === 'no') {
      const { mutant, harmless, traces } = verdict
      return harmless
        ? [mutant, 'harmless', `${traces} other traces are decided as the shipped list does`]
        : [mutant, 'MISSED', `of ${traces} other traces some are decided otherwise: add a case`]
    }
    const others = verdict.cases > 1 ? ` and ${verdict.cases - 1} more` : ''
    return [verdict.mutant, 'a case', `${verdict.why}${others}`]
  })
  const harmless = verdicts.filter((verdict) => verdict.caught === 'no' && verdict.harmless).length
  const [count, left] = [verdicts.length - harmless, missed(verdicts).length]
  const score = `${verdicts.length} mutants: ${harmless} change nothing, ${count - left} of the other ${count} are caught.`
  return [drawIn(format)([['mutant', 'caught by', 'which says'], ...rows]), score].join('\n\n')
}
