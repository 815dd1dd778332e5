import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Price as TokenPrice } from '../explain/calls.ts'
import { PRICE_KEY, type Rates, ratesOn } from '../grafana/source/catalogue.ts'
import { series } from '../grafana/source/metrics.ts'
import { byType, isPerHour, isPerToken, type Price, pricesOn, readPrices } from '../grafana/source/prices.ts'
import { generatedRules } from '../grafana/source/rules.ts'
import type { Caller } from '../workbench/collector.ts'
import { UserError } from '../workbench/user-error.ts'
import { isWell, waitFor } from '../workbench/wait.ts'
import { chosenBackends, served } from './backends/backends.ts'
import { prometheus } from './queries.ts'
import { startLimitMs } from './service.ts'
import { ROOT, type Settings, shownAs, url } from './settings.ts'

const GRAFANA = resolve(ROOT, 'grafana')

const orUserError = <T>(read: () => T): T => {
  try {
    return read()
  } catch (error) {
    throw new UserError((error as Error).message)
  }
}

/** What each model costs on a day. Throws `UserError` with every defect of the price file. */
export const pricesAt = (day: Date, folder = GRAFANA): readonly Price[] =>
  orUserError(() => pricesOn(readPrices(join(folder, 'prices.yaml')), day))

export const pricesToday = (): readonly Price[] => pricesAt(new Date())

/**
 * What a token cost on a day: by grafana/prices.yaml, else by the price catalogue, as on the boards. A server that costs by the
 * hour has no price for a token.
 */
export function tokenPriceOn(day: Date): TokenPrice {
  const own = new Map(pricesAt(day).map((price) => [price.model, price]))
  return (model, provider, type) => {
    const price = own.get(model)
    const rates: Rates | undefined = price
      ? isPerToken(price)
        ? Object.fromEntries(byType(price))
        : undefined
      : ratesOn(day, provider, model)
    const usd = rates?.[type]
    return usd === undefined ? undefined : usd / 1e6
  }
}

type PriceRequest = Readonly<{
  isUp: boolean
  /** Where prices.yaml and budgets.yaml are. */
  folder?: string
  /** Where Prometheus reads what is generated from them. */
  into?: string
}>

const LOOK_AGAIN_MS = 200

/**
 * Writes the rules of prices and budgets, and the jobs that put price keys on tokens. When the stack is up, also puts them
 * in force in Prometheus and in each backend that computes costs. Past cost does not change. Throws `UserError` and changes
 * nothing when a file has a defect, or when Prometheus refuses the rules.
 */
export async function applyPrices(settings: Settings, size: PriceRequest, { cancel, say }: Caller): Promise<void> {
  const { isUp, folder = GRAFANA, into = GRAFANA } = size
  const wanted = orUserError(() => generatedRules(shownAs(folder)))
  const prices = pricesAt(new Date(), shownAs(folder))
  if (isUp) await refuseDeaf(settings)

  const before = new Map([...wanted.keys()].map((name) => [name, textOf(join(into, name))]))
  const changed = [...wanted].filter(([name, text]) => before.get(name) !== text)
  write(into, new Map(changed))
  say(`  rules       ${changed.map(([name]) => name).join(', ') || 'none changed'}`)
  if (!isUp) return say('  the stack is not up: they come into force at make up')

  const began = Date.now()
  const refusal = await reloadRules(settings)
  if (refusal !== undefined) {
    write(into, before)
    throw new UserError(`Prometheus refuses the rules, so the old rules stay in force: ${refusal}`)
  }
  const files = [...wanted.keys()].filter((name) => name.startsWith('rules/'))
  await untilLoaded(settings, { since: began, files, prices, cancel })
  say(
    `  prometheus  ${prices.length} models of your own have a price, in force after ${((Date.now() - began) / 1000).toFixed(1)} s; past cost keeps its old price`,
  )

  for (const { id, title, setPrices } of priced(settings)) {
    const wait = await setPrices(settings, prices).catch((error: Error) => {
      throw new UserError(
        `Prometheus has the prices, but ${title} does not: ${error.message}. To see why: make logs S=${id}. Then run make prices again.`,
      )
    })
    await sleep(wait, undefined, { signal: cancel })
    say(`  ${id.padEnd(11)} ${wait > 0 ? 'has the new prices, for new spans' : 'had them already'}`)
    const left = prices.filter(isPerHour).map(({ model }) => model)
    if (left.length > 0)
      say(
        `              without a price: ${left.join(', ')}. They cost by the hour, and ${title} has prices by the token only.`,
      )
  }
}

/** The backends that compute costs themselves. */
const priced = (settings: Settings) =>
  served(chosenBackends(settings)).flatMap(({ id, title, server: { setPrices, service } }) =>
    setPrices ? [{ id, title, setPrices, address: service(settings, () => '').ready ?? '' }] : [],
  )

const textOf = (path: string) => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** Writes each file in one step, because Prometheus may read it at any time. */
function write(folder: string, texts: ReadonlyMap<string, string | undefined>): void {
  for (const [name, text] of texts) {
    const path = join(folder, name)
    if (text === undefined) {
      rmSync(path, { force: true })
      continue
    }
    writeFileSync(`${path}.new`, text)
    renameSync(`${path}.new`, path)
  }
}

async function refuseDeaf(settings: Settings): Promise<void> {
  for (const [name, address] of [
    ['Prometheus', url(settings, 'PROMETHEUS_PORT', '/-/ready')],
    ...priced(settings).map(({ title, address }) => [title, address] as const),
  ] as const) {
    if (!(await isWell(address)))
      throw new UserError(`${name} does not answer at ${address}. To see why: make status. To start it: make up.`)
  }
}

/** Makes Prometheus read its rules again, in both boots, and waits until it has. Returns undefined, or why it refuses them. */
const reloadRules = (settings: Settings): Promise<string | undefined> =>
  fetch(url(settings, 'PROMETHEUS_PORT', '/-/reload'), {
    method: 'POST',
    signal: AbortSignal.timeout(startLimitMs(settings)),
  }).then(
    async (answer) => (answer.ok ? undefined : (await answer.text()).trim()),
    (error: Error) => `it does not answer (${error.message})`,
  )

type Loaded = {
  data: {
    groups: readonly {
      file: string
      rules: readonly { name: string; health: string; lastEvaluation: string; lastError?: string }[]
    }[]
  }
}

/** Rules that are loaded are not yet in force: every rule must have run since then, and the prices must be those of today. */
async function untilLoaded(
  settings: Settings,
  {
    since,
    files,
    prices,
    cancel,
  }: { since: number; files: readonly string[]; prices: readonly Price[]; cancel: AbortSignal },
): Promise<void> {
  let missing = 'nothing answered'
  const isLoaded = async () => {
    const answer = await fetch(url(settings, 'PROMETHEUS_PORT', '/api/v1/rules'), {
      signal: AbortSignal.timeout(30_000),
    })
    const { data } = (await answer.json()) as Loaded
    const ours = data.groups.filter(({ file }) => files.some((name) => file.endsWith(`/${name}`)))
    const waiting = ours
      .flatMap((group) => group.rules)
      .find(({ health, lastEvaluation }) => health !== 'ok' || Date.parse(lastEvaluation) < since)
    if (waiting || ours.length === 0) {
      missing = `${waiting?.name ?? files.join(', ')} ${waiting?.lastError || 'has not run since'}`
      return false
    }
    const held = await pricesHeld(settings, prices)
    const wanted = priceTable(prices)
    missing = `prices are ${held} and should be ${wanted}`
    return held === wanted
  }
  const withinMs = startLimitMs(settings)
  if (await waitFor(isLoaded, { withinMs, everyMs: LOOK_AGAIN_MS, cancel })) return
  throw new UserError(`Prometheus has not put the prices in force within ${withinMs / 1000} s: ${missing}`)
}

const table = (rows: readonly (readonly [name: string, usd: number])[]) =>
  rows
    .map(([name, usd]) => `${name} ${usd.toPrecision(9)}`)
    .sort()
    .join(', ')

const priceTable = (prices: readonly Price[]) =>
  table([
    ...prices.filter(isPerHour).map(({ model, usdPerHour }) => [model, usdPerHour] as const),
    ...prices
      .filter(isPerToken)
      .flatMap((price) => byType(price).map(([type, usd]) => [`${price.model} ${type}`, usd / 1e6] as const)),
  ])

/** Of the models of prices.yaml, whose names are their keys. */
async function pricesHeld(settings: Settings, prices: readonly Price[]): Promise<string> {
  const own = new Set(prices.map(({ model }) => model))
  const held = await prometheus(settings, `{__name__=~"${series.price}|${series.pricePerHour}"}`)
  return table(
    held.flatMap(({ labels, value }) => {
      const { [PRICE_KEY]: key, gen_ai_request_model: model = key ?? '', gen_ai_token_type: type } = labels
      return own.has(model) ? [[type ? `${model} ${type}` : model, value] as const] : []
    }),
  )
}
