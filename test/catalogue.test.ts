import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { calcPrice, type MatchLogic, waitForUpdate } from '@pydantic/genai-prices'
import { parse } from 'yaml'
import { OF_THE_CONVENTIONS } from '../grafana/source/catalogue.ts'
import { series } from '../grafana/source/metrics.ts'
import { onLoopback } from '../otlp/loopback.ts'
import { eventually, ownSettings, startStack } from '../stack/own-stack.ts'
import { SHIPPED_POLICY } from '../stack/policy.ts'
import { prometheus } from '../stack/queries.ts'
import { ROOT, type Settings } from '../stack/settings.ts'

const TYPES = {
  input: 'input_mtok',
  output: 'output_mtok',
  cache_read: 'cache_read_mtok',
  cache_creation: 'cache_write_mtok',
} as const
type Type = keyof typeof TYPES
const types = Object.keys(TYPES) as Type[]

type Case = Readonly<{ provider: string; model: string }>

const sent = Object.entries(
  parse(readFileSync(resolve(ROOT, 'test/model-names.yaml'), 'utf8')) as Record<string, readonly string[]>,
).flatMap(([provider, models]) => models.map((model): Case => ({ provider, model })))

const namesIn = (match: MatchLogic): readonly string[] =>
  'or' in match ? match.or.flatMap(namesIn) : 'and' in match ? match.and.flatMap(namesIn) : Object.values(match)

/** Every name, and every part of a name, in the catalogue: as the provider has it, with something after it, and in other hands. */
const catalogued = ((await waitForUpdate()) ?? []).flatMap(({ id, models }) =>
  models
    .flatMap((model) => [model.id, ...namesIn(model.match)])
    .filter((name) => /^[\w.:/@-]+$/.test(name))
    .flatMap((name): readonly Case[] => [
      { provider: id, model: name },
      { provider: id, model: `${name}-20250514` },
      { provider: 'azure', model: name },
      { provider: '', model: name },
      { provider: 'litellm', model: `${id}/${name}` },
    ]),
)

const cases = [...new Map([...sent, ...catalogued].map((one) => [`${one.provider} ${one.model}`, one])).values()]

/** What the library asks for a million tokens of each type, at its base price. A type that is missing has no price. */
function told({ provider, model }: Case): Readonly<Partial<Record<Type, number>>> {
  const found = calcPrice({ input_tokens: 1 }, model, { providerId: OF_THE_CONVENTIONS[provider] ?? provider })
  if (found && Object.keys(found.model_price).length === 0) return { input: 0, output: 0 }
  return Object.fromEntries(
    types.flatMap((type) => {
      const price = found?.model_price[TYPES[type]]
      return price === undefined ? [] : [[type, typeof price === 'object' ? price.base : price]]
    }),
  )
}

let settings: Settings
let end: () => Promise<void>
let ended: () => void
const page = createServer((_, response) => {
  response.setHeader('content-type', 'text/plain; version=0.0.4')
  const lines = cases.flatMap(({ provider, model }, index) =>
    types.map(
      (type) =>
        `${series.countedTokens}{service_name="wood",gen_ai_agent_name="${index}",gen_ai_provider_name="${provider}",gen_ai_request_model="${model}",gen_ai_token_type="${type}"} 1000000\n`,
    ),
  )
  response.end(`# TYPE ${series.countedTokens} counter\n${lines.join('')}`)
})

before(async () => {
  settings = await ownSettings()
  end = await startStack(settings, SHIPPED_POLICY, ['prometheus'])
  const { port, close } = await onLoopback(page)
  ended = close
  const target = resolve(settings.state, 'prometheus/targets/counted.yaml')
  rmSync(target)
  writeFileSync(target, `- targets: ["127.0.0.1:${port}"]\n`)
  await eventually(async () => {
    const [loaded] = await prometheus(settings, series.catalogueLoaded)
    const [scraped] = await prometheus(settings, `count(${series.countedTokens})`)
    assert.ok(loaded && loaded.value > 5000, `${loaded?.value} prices`)
    assert.equal(scraped?.value, cases.length * types.length)
  })
})
after(async () => {
  ended?.()
  await end?.()
})

const PRICED = `${series.countedTokens} * on (gen_ai_price_key, gen_ai_token_type) group_left () ${series.price}`

test('200 names as SDKs send them, and every name of the catalogue, cost what the library of the catalogue says', async () => {
  assert.ok(sent.length >= 200)
  assert.ok(catalogued.length > 5000)
  const priced = new Map(
    (await prometheus(settings, PRICED)).map(({ labels, value }) => [
      `${labels.gen_ai_agent_name} ${labels.gen_ai_token_type}`,
      value,
    ]),
  )
  const wrong = cases.flatMap((one, index) => {
    const prices = told(one)
    return types.flatMap((type) => {
      const wanted = prices[type]
      const found = priced.get(`${index} ${type}`)
      const isSame =
        wanted === undefined || found === undefined ? wanted === found : Math.abs(wanted - found) <= 1e-9 * wanted
      return isSame ? [] : [`${one.provider} ${one.model} ${type}: ${found}, and the library says ${wanted}`]
    })
  })
  assert.deepEqual(wrong, [])
})

test('a model that the library does not know has no price, and is never free', async () => {
  const unknown = sent.filter((one) => told(one).input === undefined)
  assert.ok(unknown.length > 20, `${unknown.length} are unknown`)
  assert.ok(sent.length - unknown.length > 100, `${sent.length - unknown.length} have a price`)
  for (const { labels } of await prometheus(settings, `${PRICED} == 0`)) {
    const one = cases[Number(labels.gen_ai_agent_name)]
    assert.equal(one && told(one)[labels.gen_ai_token_type as Type], 0, `${one?.provider} ${one?.model}`)
  }
})
