import { calcPrice, type MatchLogic, type ModelInfo, type ModelPrice, waitForUpdate } from '@pydantic/genai-prices'
import { literal } from './regex.ts'

/**
 * The price catalogue in two forms that Prometheus can use: prices by key, and relabelling that finds the key of a provider
 * and a model. The package itself says which model a name means; here it is only translated.
 */

type Provider = NonNullable<Awaited<ReturnType<typeof waitForUpdate>>>[number]

// It resolves to the data that the package was published with: nothing here asks for newer ones.
const providers: readonly Provider[] = (await waitForUpdate()) ?? []

/** USD per million tokens, by type of token. A part that has no price of its own costs what the whole costs. */
export type Rates = Readonly<Partial<Record<TokenType, number>>>
export type TokenType = 'input' | 'output' | 'cache_read' | 'cache_creation' | 'reasoning'

const PRICED: readonly (readonly [type: TokenType, key: string, whole: 'input' | 'output'])[] = [
  ['input', 'input_mtok', 'input'],
  ['output', 'output_mtok', 'output'],
  ['cache_read', 'cache_read_mtok', 'input'],
  ['cache_creation', 'cache_write_mtok', 'input'],
  ['reasoning', 'output_reasoning_mtok', 'output'],
]

/** A price with tiers by the size of the prompt counts with its base, because no metric says how long each prompt was. */
const base = (price: ModelPrice[string]) => (typeof price === 'object' ? price.base : price)

/** A model with no price at all is free; one that is paid by the hour of sound or by the page has no price by the token. */
const ratesOf = (prices: ModelPrice): Rates =>
  Object.keys(prices).length === 0
    ? { input: 0, output: 0 }
    : Object.fromEntries(
        PRICED.flatMap(([type, key]) => {
          const usd = base(prices[key])
          return usd === undefined ? [] : [[type, usd]]
        }),
      )

/** When a price holds: from a day on, or from one second of each day to another, UTC. */
type When = Readonly<{ from: number } | { between: readonly [number, number] }>

/** Prices that hold at their times, the strongest first; the last one holds always. */
export type Schedule = readonly Readonly<{ when?: When; rates: Rates }>[]

const secondOfDay = (time: string) => (Date.parse(`1970-01-01T${time}`) / 1000 + 86_400) % 86_400

const scheduleOf = ({ prices }: ModelInfo): Schedule =>
  !Array.isArray(prices)
    ? [{ rates: ratesOf(prices) }]
    : [...prices].reverse().map(({ constraint, prices }) => {
        const rates = ratesOf(prices)
        if (constraint === undefined) return { rates }
        return constraint.type === 'start_date'
          ? { when: { from: Date.parse(`${constraint.start_date}T00:00:00Z`) / 1000 }, rates }
          : { when: { between: [secondOfDay(constraint.start_time), secondOfDay(constraint.end_time)] }, rates }
      })

/** Names are compared in lower case. */
const lowerLiteral = (text: string) => literal(text.toLowerCase())
/** The package also knows a name when it writes its date without hyphens. */
const withAnyDate = (regex: string) =>
  regex.replace(/(20\d\d)-(\d\d)-(\d\d)/g, '$1-?$2-?$3').replaceAll('\\d{4}-\\d{2}-\\d{2}', '\\d{4}-?\\d{2}-?\\d{2}')
const NO_HYPHENS = /-(20\d\d)-(\d\d)-(\d\d)(?=-|:|$)/g

/** One way to match: all of some regular expressions of a whole name, and none of others. RE2, for names in lower case. */
type Way = Readonly<{ all: readonly string[]; none: readonly string[] }>

const LOOKAHEAD = /^\^\(\?!((?:[^()]|\((?:[^()])*\))*)\)(.*)$/

function ofRegex(regex: string): Way {
  const [, refused, rest] = LOOKAHEAD.exec(regex) ?? []
  if (refused !== undefined && rest !== undefined)
    return { all: rest === '' ? [] : ofRegex(`^${rest}`).all, none: ofRegex(`^${refused}`).all }
  if (/\(\?[=!<]/.test(regex)) throw new Error(`Prometheus has no such regular expression: ${regex}`)
  const begins = regex.startsWith('^')
  const ends = regex.endsWith('$') && !regex.endsWith('\\$')
  const inner = regex.slice(begins ? 1 : 0, ends ? -1 : undefined)
  return { all: [`${begins ? '' : '.*'}(?:${withAnyDate(inner)})${ends ? '' : '.*'}`], none: [] }
}

/** Every way but the exact names, which need no rule. */
function waysOf(match: MatchLogic, exact: 'with exact names' | 'without' = 'without'): readonly Way[] {
  const only = (regex: string): readonly Way[] => [{ all: [withAnyDate(regex)], none: [] }]
  if ('or' in match) return match.or.flatMap((one) => waysOf(one, exact))
  if ('and' in match)
    return match.and
      .map((one) => waysOf(one, 'with exact names'))
      .reduce((left, right) =>
        left.flatMap((a) => right.map((b) => ({ all: [...a.all, ...b.all], none: [...a.none, ...b.none] }))),
      )
  if ('equals' in match) return exact === 'without' ? [] : only(lowerLiteral(match.equals))
  if ('starts_with' in match) return only(`${lowerLiteral(match.starts_with)}.*`)
  if ('ends_with' in match) return only(`.*${lowerLiteral(match.ends_with)}`)
  if ('contains' in match) return only(`.*${lowerLiteral(match.contains)}.*`)
  return [ofRegex(match.regex)]
}

const namesIn = (match: MatchLogic): readonly string[] =>
  'or' in match ? match.or.flatMap(namesIn) : 'equals' in match ? [match.equals.toLowerCase()] : []

const exactNames = ({ models }: Provider): readonly string[] => [
  ...new Set(
    models.flatMap(({ match }) => namesIn(match)).flatMap((name) => [name, name.replace(NO_HYPHENS, '-$1$2$3')]),
  ),
]

const answer = (provider: string, name: string) => {
  const found = calcPrice({}, name, { providerId: provider })
  return found?.provider.id === provider ? found.model : undefined
}

const exactKey = (provider: Provider, name: string) => `${provider.id}:${name}`
/** The asterisk says that many names have this key. A name in full is never such a key, because the model's own name may not match. */
const fuzzyKey = (provider: Provider, model: ModelInfo) => `${provider.id}:${model.id.toLowerCase()}*`

const remembered = <Key, Value>(make: (key: Key) => Value) => {
  const known = new Map<Key, Value>()
  return (key: Key): Value => {
    if (!known.has(key)) known.set(key, make(key))
    return known.get(key) as Value
  }
}

const fuzzyModels = remembered(({ models }: Provider) =>
  models.flatMap((model) => {
    const ways = waysOf(model.match)
    return ways.length > 0 ? [{ model, ways }] : []
  }),
)

const wholly = remembered((regex: string) => new RegExp(`^(?:${regex})$`))
const matches = ({ all, none }: Way, name: string) => {
  const is = (regex: string) => wholly(regex).test(name)
  return all.every(is) && !none.some(is)
}
const helpersOf = ({ fallback_model_providers: all = [] }: Provider) =>
  all.flatMap((id) => providers.filter((one) => one.id === id))

/** What the rules for many names make of a name. */
const fuzzyAnswer = (provider: Provider, name: string) =>
  [provider, ...helpersOf(provider)].flatMap(fuzzyModels).find(({ ways }) => ways.some((way) => matches(way, name)))
    ?.model

/** The exact names that those rules get wrong, or do not know. */
const ownKeys = (provider: Provider) =>
  exactNames(provider).flatMap((name) => {
    const model = answer(provider.id, name)
    return model && fuzzyAnswer(provider, name) !== model
      ? [[exactKey(provider, name), scheduleOf(model)] as const]
      : []
  })

let made: ReadonlyMap<string, Schedule> | undefined
/**
 * What each key costs. A key is the catalogue's name of the provider, a colon, and what the model is asked by. It takes a moment to
 * make, so it is made when somebody asks: every command reads this file, and few need it.
 */
export const catalogue = (): ReadonlyMap<string, Schedule> => {
  made ??= new Map(
    providers.flatMap((provider) => [
      ...fuzzyModels(provider).map(({ model }) => [fuzzyKey(provider, model), scheduleOf(model)] as const),
      ...ownKeys(provider),
    ]),
  )
  return made
}

export type Relabel = Readonly<{
  source_labels?: readonly string[]
  regex?: string
  action?: string
  target_label?: string
  replacement?: string
}>

const PROVIDER = '__tmp_provider'
const ASKED = '__tmp_asked'
const MODEL = '__tmp_model'
export const PRICE_KEY = 'gen_ai_price_key'

/** A rule for each way that has more than one condition, and one for all others together. */
function rulesFor(
  ways: readonly Way[],
  { before = '', of, from, ...then }: { before?: string; of: readonly string[]; from: string } & Relabel,
): readonly Relabel[] {
  const simple = ways.filter(({ all, none }) => all.length === 1 && none.length === 0).flatMap(({ all }) => all)
  const rest = ways.filter(({ all, none }) => all.length !== 1 || none.length > 0)
  return [
    ...rest.map(({ all, none }) => ({
      source_labels: [...of, ...all.map(() => from), ...none.map(refusedLabel)],
      regex: `${before}${[...all, ...none.map(() => '')].join(';')}`,
      ...then,
    })),
    ...(simple.length > 0
      ? [{ source_labels: [...of, from], regex: `${before}(?:${simple.join('|')})`, ...then }]
      : []),
  ]
}

const models = providers.flatMap((provider) => [
  ...(provider.model_match ? waysOf(provider.model_match, 'with exact names') : []),
  ...fuzzyModels(provider).flatMap(({ ways }) => ways),
])
/** RE2 cannot say "not": what must not match sets a label first. */
const REFUSED = [...new Set(models.flatMap(({ none }) => none))]
const refusedLabel = (regex: string) => `__tmp_not_${REFUSED.indexOf(regex)}`

/** Names of providers in the GenAI conventions that the package does not know by those names. */
export const OF_THE_CONVENTIONS: Readonly<Record<string, string>> = {
  'azure.ai.inference': 'azure',
  'gcp.gen_ai': 'google',
  x_ai: 'x-ai',
}

const ids = `(?:${providers.map(({ id }) => lowerLiteral(id)).join('|')})`
const lastFirst = <T>(all: readonly T[]) => [...all].reverse()

/** Who is asked after a provider that does not know a model, before that provider: of two rules that match, the later one holds. */
const inOrder = () => {
  const helpers = new Set(providers.flatMap(({ fallback_model_providers: all = [] }) => lastFirst(all)))
  for (const { id, fallback_model_providers: all } of providers)
    if (all && helpers.has(id))
      throw new Error(`${id} is asked after others and asks others itself: write a rule for it`)
  const helping = [...helpers].flatMap((id) => providers.filter((provider) => provider.id === id))
  return [...helping, ...providers.filter(({ id }) => !helpers.has(id))]
}
const askersOf = (id: string) => providers.filter((one) => one.fallback_model_providers?.includes(id))

/** Exact names that a rule for many names would take, or that another provider's list has. */
function exactRules(provider: Provider): readonly Relabel[] {
  const owners = [provider, ...helpersOf(provider)]
  const namesOf = new Map<string, string[]>()
  for (const name of new Set(owners.flatMap(exactNames))) {
    const model = answer(provider.id, name)
    const owner = owners.find((one) => model && one.models.includes(model))
    const fuzzy = fuzzyAnswer(provider, name)
    if (!model || !owner || fuzzy === model || (owner === provider && fuzzy === undefined)) continue
    const key = catalogue().has(exactKey(owner, name)) ? `${owner.id}:$1` : fuzzyKey(owner, model)
    namesOf.set(key, [...(namesOf.get(key) ?? []), name])
  }
  return [...namesOf].map(([key, names]) => ({
    source_labels: [PROVIDER, MODEL],
    regex: `${lowerLiteral(provider.id)};(${names.map(lowerLiteral).join('|')})`,
    target_label: PRICE_KEY,
    replacement: key,
  }))
}

/**
 * Puts the price key on series of tokens, as the package would find the model: the provider by its name, else by the model's;
 * of its models the first that matches. Of two rules that match, the later one holds, so all lists are turned round.
 * `own` are the names of prices.yaml: they are keys themselves, and win.
 */
export function relabelling(metrics: readonly string[], own: readonly string[]): readonly Relabel[] {
  const ofTokens = `(?:${metrics.join('|')});`
  const lower = (label: string): Relabel => ({ source_labels: [label], action: 'lowercase', target_label: label })
  const copied = (label: string, to: string): readonly Relabel[] => [
    { source_labels: ['__name__', label], regex: `${ofTokens}(.+)`, target_label: to },
    lower(to),
  ]
  return [
    ...copied('gen_ai_provider_name', ASKED),
    ...copied('gen_ai_request_model', MODEL),
    ...REFUSED.map((regex) => ({
      source_labels: [MODEL],
      regex,
      target_label: refusedLabel(regex),
      replacement: 'matches',
    })),
    // LiteLLM names the provider in the model. The name before the slash counts if the catalogue has it.
    { source_labels: [ASKED, MODEL], regex: 'litellm;([^/]+)/.+', target_label: ASKED, replacement: 'litellm/$1' },
    ...lastFirst(providers).flatMap(({ id, provider_match: match }) =>
      match
        ? rulesFor(
            waysOf(match, 'with exact names').map(({ all, none }) => ({
              all: all.map((regex) => `(?:litellm/)?(?:${regex})`),
              none,
            })),
            { of: [], from: ASKED, target_label: PROVIDER, replacement: id },
          )
        : [],
    ),
    { source_labels: [ASKED], regex: `(?:litellm/)?(${ids})`, target_label: PROVIDER },
    ...Object.entries(OF_THE_CONVENTIONS).map(([name, id]) => ({
      source_labels: [ASKED],
      regex: lowerLiteral(name),
      target_label: PROVIDER,
      replacement: id,
    })),
    {
      source_labels: [PROVIDER, ASKED, MODEL],
      regex: '[^;]+;litellm/[^;]+;[^/]+/(.+)',
      target_label: MODEL,
    },
    // Without a provider, or with LiteLLM, which only hands on, the model says whose it is.
    {
      source_labels: [PROVIDER, ASKED, MODEL],
      regex: ';(?:litellm(?:/.*)?)?;.+',
      target_label: '__tmp_by_model',
      replacement: 'yes',
    },
    ...lastFirst(providers).flatMap(({ id, model_match: match }) =>
      match
        ? rulesFor(waysOf(match, 'with exact names'), {
            of: ['__tmp_by_model'],
            before: 'yes;',
            from: MODEL,
            target_label: PROVIDER,
            replacement: id,
          })
        : [],
    ),
    { source_labels: [PROVIDER, MODEL], regex: '(.+);(.+)', target_label: PRICE_KEY, replacement: '$1:$2' },
    ...inOrder().flatMap((provider) => {
      const askers = [provider, ...askersOf(provider.id)].map(({ id }) => lowerLiteral(id))
      return lastFirst(fuzzyModels(provider)).flatMap(({ model, ways }) =>
        rulesFor(ways, {
          of: [PROVIDER],
          before: askers.length > 1 ? `(?:${askers.join('|')});` : `${askers[0]};`,
          from: MODEL,
          target_label: PRICE_KEY,
          replacement: fuzzyKey(provider, model),
        }),
      )
    }),
    ...providers.flatMap(exactRules),
    ...(own.length > 0
      ? [
          {
            source_labels: ['__name__', 'gen_ai_request_model'],
            regex: `${ofTokens}(${own.map(literal).join('|')})`,
            target_label: PRICE_KEY,
          },
        ]
      : []),
    { action: 'labeldrop', regex: '__tmp_.+' },
  ]
}

/** What the package asks for a model on a day, at its base price; undefined when it does not know the model. */
export function ratesOn(day: Date, provider: string | undefined, model: string): Rates | undefined {
  const providerId = provider && (OF_THE_CONVENTIONS[provider] ?? provider)
  const found = calcPrice({ input_tokens: 1 }, model, { ...(providerId ? { providerId } : {}), timestamp: day })
  return found ? ratesOf(found.model_price) : undefined
}
