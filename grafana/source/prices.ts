import { z } from 'zod'
import { parseSettings, readText } from './settings-file.ts'

/** What a provider asks. */
export type TokenPrice = Readonly<{
  model: string
  /** First day it holds, 00:00 UTC. */
  from: string
  /** USD per million tokens. */
  input: number
  output: number
  /** Parts of the input. Without a price of their own they cost what input costs. */
  cacheRead?: number
  cacheCreation?: number
}>

/** The prices of an entry, by type of token as the Collector counts it. */
export const byType = ({ input, output, cacheRead, cacheCreation }: TokenPrice) =>
  Object.entries({ input, output, cache_read: cacheRead, cache_creation: cacheCreation }).flatMap(([type, usd]) =>
    usd === undefined ? [] : [[type, usd] as const],
  )

/** What your own server costs, whatever it is asked. */
export type HourPrice = Readonly<{ model: string; from: string; usdPerHour: number }>

export type Price = TokenPrice | HourPrice

export const isPerToken = (price: Price): price is TokenPrice => 'input' in price
export const isPerHour = (price: Price): price is HourPrice => 'usdPerHour' in price

const isDay = (text: string) => {
  const day = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text)
}

// Real prices lie between 0.01 and 600. Outside a thousand times that span on either side, the unit is wrong, not the price.
const SMALLEST = 0.0001
const LARGEST = 10_000

const PER_MILLION = 'a price is a number of USD per million tokens'
const usdPerMillion = z
  .number({ error: `${PER_MILLION}; write it without quotes or currency, e.g. 0.06` })
  .min(0, { error: `${PER_MILLION}, zero or more; write 0 only for a model that is really free` })
  .max(LARGEST, { error: `${PER_MILLION}, at most ${LARGEST}; is this the price of something else?` })
  .refine((usd) => usd <= 0 || usd >= SMALLEST, {
    error: `${PER_MILLION}, not per token; multiply it by 1,000,000`,
    abort: true,
  })

// One GPU costs between 0.2 and 15 an hour; a thousand of them is more than one model runs on here.
const LARGEST_PER_HOUR = 10_000
const PER_HOUR = 'usd_per_hour is what the server that runs the model costs, in USD for one hour'
const usdPerHour = z
  .number({ error: `${PER_HOUR}; write it without quotes or currency, e.g. 2.50` })
  .min(0, { error: `${PER_HOUR}, zero or more; write 0 only for a server that costs nothing` })
  .max(LARGEST_PER_HOUR, { error: `${PER_HOUR}, at most ${LARGEST_PER_HOUR}; is this the price of a month?` })

const FIELDS = 'from, input, output (and cache_read, cache_creation) or from, usd_per_hour'
const EXAMPLES = '{ from: 2026-11-01, input: 0.06, output: 0.18 } or { from: 2026-11-01, usd_per_hour: 2.50 }'
const entry = z
  .strictObject(
    {
      from: z
        .string({ error: 'from is the first day the price holds; write it as YYYY-MM-DD, e.g. 2026-11-01' })
        .refine((text) => /^\d{4}-\d{2}-\d{2}$/.test(text) && isDay(text), {
          error: 'from is a day that exists; write it as YYYY-MM-DD, e.g. 2026-11-01',
        }),
      input: usdPerMillion.optional(),
      output: usdPerMillion.optional(),
      cache_read: usdPerMillion.optional(),
      cache_creation: usdPerMillion.optional(),
      usd_per_hour: usdPerHour.optional(),
    },
    {
      error: (issue) =>
        issue.code === 'unrecognized_keys'
          ? `an entry has only ${FIELDS}; rename or remove it`
          : `an entry has ${FIELDS}; write e.g. ${EXAMPLES}`,
    },
  )
  .superRefine(({ input, output, cache_read, cache_creation, usd_per_hour }, context) => {
    const refuse = (message: string, ...path: string[]) => context.addIssue({ code: 'custom', message, path })
    const perToken = [input, output, cache_read, cache_creation].some((usd) => usd !== undefined)
    if (perToken && usd_per_hour !== undefined)
      refuse(
        'a model costs by the token or by the hour, not both; remove usd_per_hour, or the prices by the token',
        'usd_per_hour',
      )
    else if (!perToken && usd_per_hour === undefined) refuse(`an entry has ${FIELDS}; write e.g. ${EXAMPLES}`)
    else if (perToken && input === undefined) refuse(`${PER_MILLION}; add what input tokens cost`, 'input')
    else if (perToken && output === undefined) refuse(`${PER_MILLION}; add what output tokens cost`, 'output')
  })

const file = z.strictObject(
  {
    models: z
      .record(
        z.string().regex(/\S/, { error: 'a model has a name; write it as the request names it' }),
        z
          .array(entry, { error: 'a model has a list of dated prices; start the line below it with "- { from: …"' })
          .min(1, { error: 'a model has at least one dated price; add one or remove the model' }),
        { error: 'models maps each model to its dated prices; write "models:" and a model below it' },
      )
      .refine((models) => Object.keys(models).length > 0, { error: 'models names at least one model; add one' }),
  },
  {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? 'the file has only the key models; rename or remove it'
        : 'the file has the key models; write "models:" and each model below it',
  },
)

/** Reads the price file. A defect is an error that names the file, the line, the value, the rule and the fix. */
export const readPrices = (path: string): readonly Price[] => parsePrices(readText(path, 'price'), path)

export const parsePrices = (text: string, path = 'grafana/prices.yaml'): readonly Price[] => {
  const { data, refuseAt } = parseSettings(text, path, file, 'put both prices into one list')
  refuseAt(
    Object.entries(data.models).flatMap(([model, entries]) =>
      entries.flatMap(({ from }, index) =>
        entries.findIndex((other) => other.from === from) === index
          ? []
          : [
              {
                keys: ['models', model, index, 'from'],
                rule: 'a model has one price per day; keep one of the two',
              },
            ],
      ),
    ),
  )
  return Object.entries(data.models).flatMap(([model, entries]) =>
    [...entries]
      .sort((a, b) => a.from.localeCompare(b.from))
      .map(
        ({ from, input = Number.NaN, output = Number.NaN, cache_read, cache_creation, usd_per_hour }): Price =>
          usd_per_hour !== undefined
            ? { model, from, usdPerHour: usd_per_hour }
            : {
                model,
                from,
                input,
                output,
                ...(cache_read === undefined ? {} : { cacheRead: cache_read }),
                ...(cache_creation === undefined ? {} : { cacheCreation: cache_creation }),
              },
      ),
  )
}

/** The prices that hold on a day, one per model. */
export const pricesOn = (prices: readonly Price[], day: Date): readonly Price[] => {
  const today = day.toISOString().slice(0, 10)
  return prices.filter(
    ({ model, from }) =>
      from <= today && !prices.some((newer) => newer.model === model && newer.from > from && newer.from <= today),
  )
}
