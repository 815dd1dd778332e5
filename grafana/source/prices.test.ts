import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { isPerHour, isPerToken, parsePrices, pricesOn, readPrices } from './prices.ts'

const shipped = fileURLToPath(new URL('../prices.yaml', import.meta.url))
const MODEL = 'Qwen/Qwen2.5-3B-Instruct'

/** Line 3 holds the entry. */
const withEntry = (entry: string) => `models:\n  ${MODEL}:\n    - ${entry}\n`

test('the shipped file holds the prices of the model and of its fallback', () => {
  assert.deepEqual(readPrices(shipped), [
    { model: MODEL, from: '2025-01-01', input: 0.06, output: 0.18 },
    { model: 'Qwen/Qwen2.5-1.5B-Instruct', from: '2025-01-01', input: 0.03, output: 0.09 },
  ])
})

test('a cache may have a price of its own', () => {
  const [price] = parsePrices(
    withEntry('{ from: 2026-11-01, input: 1, output: 2, cache_read: 0.1, cache_creation: 1.25 }'),
  )
  assert.deepEqual(price, {
    model: MODEL,
    from: '2026-11-01',
    input: 1,
    output: 2,
    cacheRead: 0.1,
    cacheCreation: 1.25,
  })
})

test('a model may cost by the token until one day, and by the hour of its server from then on', () => {
  const prices = parsePrices(
    'models:\n  m:\n    - { from: 2026-12-01, usd_per_hour: 2.50 }\n    - { from: 2026-11-01, input: 1, output: 3 }\n',
  )
  assert.deepEqual(pricesOn(prices, new Date('2026-11-30')), [{ model: 'm', from: '2026-11-01', input: 1, output: 3 }])
  const [later] = pricesOn(prices, new Date('2026-12-01'))
  assert.ok(later && isPerHour(later))
  assert.equal(later.usdPerHour, 2.5)
})

test('a newer price takes over on its day and not before', () => {
  const prices = parsePrices(
    `models:\n  m:\n    - { from: 2026-12-01, input: 2, output: 4 }\n    - { from: 2026-11-01, input: 1, output: 3 }\n`,
  )
  const input = (day: string) =>
    pricesOn(prices, new Date(day))
      .filter(isPerToken)
      .map((price) => price.input)
  assert.deepEqual(input('2026-10-31T23:59:59Z'), [])
  assert.deepEqual(input('2026-11-30T23:59:59Z'), [1])
  assert.deepEqual(input('2026-12-01T00:00:00Z'), [2])
})

test('a model that is really free is accepted', () => {
  const [free] = parsePrices(withEntry('{ from: 2026-11-01, input: 0, output: 0 }'))
  assert.deepEqual(free, { model: MODEL, from: '2026-11-01', input: 0, output: 0 })
})

const key = `models.${MODEL}.0`
const defects: readonly { readonly name: string; readonly text: string; readonly message: RegExp }[] = [
  {
    name: 'a price in quotes',
    text: withEntry('{ from: 2026-11-01, input: "0.06", output: 0.18 }'),
    message: /^prices\.yaml:3: models.*\.input is "0\.06": a price is a number .* without quotes/,
  },
  {
    name: 'a price with a currency sign',
    text: withEntry('{ from: 2026-11-01, input: $0.06, output: 0.18 }'),
    message: /:3: .*\.input is "\$0\.06": .* without quotes or currency/,
  },
  {
    name: 'a negative price',
    text: withEntry('{ from: 2026-11-01, input: -0.06, output: 0.18 }'),
    message: /:3: .*\.input is -0\.06: .* zero or more/,
  },
  {
    name: 'a price per token',
    text: withEntry('{ from: 2026-11-01, input: 0.00000006, output: 0.18 }'),
    message: /:3: .*\.input is 6e-8: .* not per token; multiply it by 1,000,000/,
  },
  {
    name: 'a price that no model has',
    text: withEntry('{ from: 2026-11-01, input: 60000, output: 0.18 }'),
    message: /:3: .*\.input is 60000: .* at most 10000/,
  },
  {
    name: 'no output price',
    text: withEntry('{ from: 2026-11-01, input: 0.06 }'),
    message: /:3: .*\.output is missing: a price is a number of USD per million tokens/,
  },
  {
    name: 'no date',
    text: withEntry('{ input: 0.06, output: 0.18 }'),
    message: /:3: .*\.from is missing: from is the first day the price holds; write it as YYYY-MM-DD/,
  },
  {
    name: 'a day that does not exist',
    text: withEntry('{ from: 2026-02-30, input: 0.06, output: 0.18 }'),
    message: /:3: .*\.from is "2026-02-30": from is a day that exists/,
  },
  {
    name: 'a date in another order',
    text: withEntry('{ from: 01.11.2026, input: 0.06, output: 0.18 }'),
    message: /:3: .*\.from is "01\.11\.2026": .*YYYY-MM-DD/,
  },
  {
    name: 'a misspelled key',
    text: withEntry('{ from: 2026-11-01, input: 0.06, output: 0.18, ouput: 0.2 }'),
    message:
      /:3: .*\.ouput is 0\.2: an entry has only from, input, output \(and cache_read, cache_creation\) or from, usd_per_hour; rename or remove it/,
  },
  {
    name: 'a misspelled key in the place of a needed one',
    text: withEntry('{ from: 2026-11-01, imput: 0.06, output: 0.18 }'),
    message:
      /:3: .*\.imput is 0\.06: an entry has only from, input, output \(and cache_read, cache_creation\) or from, usd_per_hour; rename or remove it/,
  },
  {
    name: 'a price of both kinds',
    text: withEntry('{ from: 2026-11-01, input: 0.06, output: 0.18, usd_per_hour: 2.5 }'),
    message: /:3: .*\.usd_per_hour is 2\.5: a model costs by the token or by the hour, not both; remove/,
  },
  {
    name: 'a price of no kind',
    text: withEntry('{ from: 2026-11-01 }'),
    message:
      /:3: models.*\.0 is \{.*\}: an entry has from, input, output \(and cache_read, cache_creation\) or from, usd_per_hour; write e\.g\. /,
  },
  {
    name: 'no input price',
    text: withEntry('{ from: 2026-11-01, output: 0.06 }'),
    message: /:3: .*\.input is missing: a price is a number of USD per million tokens; add what input/,
  },
  {
    name: 'a price per hour in words',
    text: withEntry('{ from: 2026-11-01, usd_per_hour: 2.50/h }'),
    message: /:3: .*\.usd_per_hour is "2\.50\/h": usd_per_hour is what the server .* without quotes or currency/,
  },
  {
    name: 'a negative price per hour',
    text: withEntry('{ from: 2026-11-01, usd_per_hour: -1 }'),
    message: /:3: .*\.usd_per_hour is -1: .* zero or more/,
  },
  {
    name: 'a price per hour that no server has',
    text: withEntry('{ from: 2026-11-01, usd_per_hour: 50000 }'),
    message: /:3: .*\.usd_per_hour is 50000: .* at most 10000; is this the price of a month\?/,
  },
  {
    name: 'two kinds from the same day',
    text: `${withEntry('{ from: 2026-11-01, input: 0.06, output: 0.18 }')}    - { from: 2026-11-01, usd_per_hour: 2 }\n`,
    message: /^prices\.yaml:4: .*\.1\.from is "2026-11-01": a model has one price per day; keep one of the two$/,
  },
  {
    name: 'two prices from the same day',
    text: `${withEntry('{ from: 2026-11-01, input: 0.06, output: 0.18 }')}    - { from: 2026-11-01, input: 0.07, output: 0.2 }\n`,
    message: /^prices\.yaml:4: .*\.1\.from is "2026-11-01": a model has one price per day; keep one of the two$/,
  },
  {
    name: 'a model that stands twice',
    text: `models:\n  m:\n    - { from: 2026-11-01, input: 1, output: 2 }\n  m:\n    - { from: 2026-12-01, input: 1, output: 2 }\n`,
    message: /^prices\.yaml:4: the text is "m:": a key stands once; put both prices into one list$/,
  },
  {
    name: 'a price that is no list',
    text: 'models:\n  m: { from: 2026-11-01, input: 1, output: 2 }\n',
    message: /^prices\.yaml:2: models\.m is .*: a model has a list of dated prices/,
  },
  {
    name: 'a model with no price',
    text: 'models:\n  m: []\n',
    message: /^prices\.yaml:2: models\.m is \[\]: a model has at least one dated price/,
  },
  {
    name: 'no models',
    text: 'models: {}\n',
    message: /^prices\.yaml:1: models is \{\}: models names at least one model/,
  },
  { name: 'an empty file', text: '', message: /^prices\.yaml:1: the file is empty: the file has the key models/ },
  {
    name: 'another key at the top',
    text: `${withEntry('{ from: 2026-11-01, input: 1, output: 2 }')}currency: EUR\n`,
    message: /^prices\.yaml:4: currency is "EUR": the file has only the key models/,
  },
  {
    name: 'broken YAML',
    text: `models:\n  m:\n    - { from: 2026-11-01, input: 1, output: 2\n`,
    message: /^prices\.yaml:\d+: the text is .*: the file is YAML; /,
  },
]

for (const { name, text, message } of defects) {
  test(`one clear error for ${name}`, () => {
    assert.throws(
      () => parsePrices(text, 'prices.yaml'),
      (error: Error) => {
        assert.match(error.message, message)
        assert.equal(error.message.split('\n').length, 1, error.message)
        return true
      },
    )
  })
}

test('several defects are told in the order of their lines', () => {
  const text = `${withEntry('{ from: soon, input: 1, output: 2 }')}    - { from: 2026-12-01, input: x, output: 2 }\n`
  assert.throws(() => parsePrices(text, 'p.yaml'), {
    message: new RegExp(`^p\\.yaml:3: ${key}\\.from is "soon".*\np\\.yaml:4: .*\\.input is "x"`),
  })
})

test('a file that is not there is named', () => {
  assert.throws(() => readPrices('/nowhere/prices.yaml'), { message: /^\/nowhere\/prices\.yaml: cannot be read/ })
})
