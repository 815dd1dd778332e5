import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { parse } from 'yaml'
import { nanosOf, toAttributes, traceRequest } from '../otlp/json.ts'
import {
  buckets,
  counter,
  exponential,
  gauge,
  histogram,
  type Metric,
  metricsRequest,
  number,
  powers,
} from '../otlp/metrics.ts'
import { readPage, type Sample } from '../otlp/page.ts'
import { eventually, ownSettings } from '../stack/own-stack.ts'
import { ROOT, type Settings } from '../stack/settings.ts'
import { type Running, sumOf } from '../workbench/collector.ts'
import { collectorFor, sendTo } from './collector.ts'

const TOKENS = 'gen_ai.client.token.usage'
const SECOND = 1_000_000_000n

let settings: Settings
let collector: Running
let begun: bigint

const start = (name: string, ...overlays: readonly string[]) =>
  collectorFor(settings, {
    folder: mkdtempSync(join(settings.state, name)),
    policy: 'collector/policies/keep-everything.yaml',
    overlays,
  })

before(async () => {
  settings = await ownSettings()
  begun = BigInt(nanosOf(Date.now()))
  collector = await start('collector-')
})
after(() => collector?.stop())

const post = (path: string, body: unknown, to = collector) => sendTo(to.otlp, path, body)
const send = (service: string, metrics: readonly Metric[], more: Record<string, string> = {}, scope = 'test') =>
  post('/v1/metrics', metricsRequest({ 'service.name': service, ...more }, metrics, scope))
const page = async (text: () => Promise<string>) => readPage(await text())

/** What the page of agents says about a service. */
const samplesOf = async (service: string) =>
  (await page(collector.agents)).filter(({ labels }) => labels.job === service)
/** The same, as soon as it is right. */
const shows = (service: string, look: (samples: readonly Sample[]) => void) =>
  eventually(async () => look(await samplesOf(service)))
const valueAt = (samples: readonly Sample[], name: string, labels: Record<string, string> = {}) => {
  const found = samples.filter(
    (one) => one.name === name && Object.entries(labels).every(([label, value]) => one.labels[label] === value),
  )
  assert.equal(found.length, 1, `${found.length} series of ${name} ${JSON.stringify(labels)}`)
  return found[0]?.value
}
const at = (seconds: number) => ({ start: begun, at: begun + BigInt(seconds) * SECOND })

const RESERVED = ['le', 'quantile', 'job', 'instance', '__name__', 'gen_ai_agent_name', 'gen-ai.agent.name']
for (const label of RESERVED) {
  test(`a point of each kind with the attribute ${label} harms nobody, itself included`, async () => {
    const service = `odd ${label}`
    const labels = { 'gen_ai.agent.name': 'fox', [label]: 'x' }
    await send(service, [
      histogram(TOKENS, [buckets(labels, [1, 2], [10], 30, at(1))], 'cumulative', '{token}'),
      exponential('odd.powers', [powers(labels, [3], { scale: 0, offset: 0 }, 4, at(1))], 'cumulative'),
      counter('odd.count', [number(labels, 5, at(1))], 'cumulative'),
      gauge('odd.level', [number(labels, 7, at(1))]),
      {
        name: 'odd.summary',
        summary: {
          dataPoints: [{ attributes: toAttributes(labels), count: '2', sum: 8, timeUnixNano: String(begun) }],
        },
      },
    ])
    await shows(service, (samples) => {
      assert.equal(valueAt(samples, 'gen_ai_client_token_usage_sum', { gen_ai_agent_name: 'fox' }), 30)
      assert.equal(valueAt(samples, 'odd_powers_count'), 3)
      assert.equal(valueAt(samples, 'odd_count_total'), 5)
      assert.equal(valueAt(samples, 'odd_level'), 7)
      assert.equal(valueAt(samples, 'odd_summary_sum_total'), 8)
    })
  })
}

test('a label that is not in the list is taken away, and what is then equal is added up', async () => {
  const calls = Array.from({ length: 30 }, (_, call) => ({
    hidden_params: `{"call": ${call}}`,
    'gen_ai.system': 'openai',
  }))
  await send('litellm', [
    histogram(
      TOKENS,
      calls.map((labels) => buckets({ ...labels, 'gen_ai.response.model': 'm' }, [0, 1], [10], 20, at(1))),
      'cumulative',
      '{token}',
    ),
    gauge(
      'its.level',
      calls.map((labels, call) => number(labels, call, at(1))),
    ),
  ])
  await shows('litellm', (samples) => {
    assert.equal(
      valueAt(samples, 'gen_ai_client_token_usage_sum', {
        gen_ai_request_model: 'm',
        gen_ai_provider_name: 'openai',
        gen_ai_agent_name: 'litellm',
      }),
      600,
    )
    assert.equal(valueAt(samples, 'its_level'), 29, 'levels cannot be added up: the highest stays')
    assert.ok(samples.every(({ labels }) => !('hidden_params' in labels)))
  })
})

test('tokens by kind, cache and phase stay apart, and so do the methods of MCP', async () => {
  await send('newest', [
    counter(
      'gen_ai.client.inference.input_tokens_by_cache',
      [number({ 'gen_ai.token.cache': 'none' }, 5, at(1)), number({ 'gen_ai.token.cache': 'read' }, 3, at(1))],
      'cumulative',
    ),
    counter(
      'gen_ai.client.inference.tokens',
      ['text', 'audio'].map((kind, index) => number({ 'gen_ai.token.modality': kind }, index + 1, at(1))),
      'cumulative',
    ),
    counter(
      'mcp.calls',
      ['tools/call', 'tools/list'].map((name, index) => number({ 'mcp.method.name': name }, index + 1, at(1))),
      'cumulative',
    ),
  ])
  await shows('newest', (samples) => {
    const caches = 'gen_ai_client_inference_input_tokens_by_cache_total'
    assert.equal(valueAt(samples, caches, { gen_ai_token_cache: 'read' }), 3)
    assert.equal(valueAt(samples, 'gen_ai_client_inference_tokens_total', { gen_ai_token_modality: 'audio' }), 2)
    assert.equal(valueAt(samples, 'mcp_calls_total', { mcp_method_name: 'tools/call' }), 1)
  })
})

test('a label is a short text', async () => {
  await send('texts', [
    counter(
      'its.count',
      [
        number({ 'gen_ai.agent.name': 'a'.repeat(128) }, 1, at(1)),
        number({ 'gen_ai.agent.name': 'b'.repeat(129) }, 2, at(1)),
        number({ 'gen_ai.agent.name': 'c'.repeat(1000) }, 3, at(1)),
        number({ 'gen_ai.agent.name': '' }, 4, at(1)),
        number({ 'gen_ai.agent.name': ['d', 'e'] }, 5, at(1)),
        number({}, 6, at(1)),
      ],
      'cumulative',
    ),
  ])
  await shows('texts', (samples) => {
    assert.equal(valueAt(samples, 'its_count_total', { gen_ai_agent_name: 'a'.repeat(128) }), 1)
    assert.equal(valueAt(samples, 'its_count_total', { gen_ai_agent_name: 'over 128 characters' }), 5)
    assert.equal(samples.find(({ labels }) => !('gen_ai_agent_name' in labels))?.value, 15)
  })
})

test('deltas add up over idle gaps, whatever their kind', async () => {
  let now = 0
  for (const [value, idle] of [
    [5, 0],
    [6, 0],
    [20, 400],
    [40, 800],
  ] as const) {
    now += idle + 1
    const times = { start: at(now - 1).at, at: at(now).at }
    await send('deltas', [
      counter('its.count', [number({}, value, times)], 'delta'),
      histogram(TOKENS, [buckets({}, [0, value], [10], value * 1000, times)], 'delta', '{token}'),
      // The scale of a process changes as its values spread.
      exponential(
        'gen_ai.client.operation.duration',
        [powers({}, [value], { scale: idle ? 1 : 3, offset: 0 }, value, times)],
        'delta',
        's',
      ),
    ])
  }
  await shows('deltas', (samples) => {
    assert.equal(valueAt(samples, 'its_count_total'), 71)
    assert.equal(valueAt(samples, 'gen_ai_client_token_usage_sum'), 71_000)
    assert.equal(valueAt(samples, 'gen_ai_client_token_usage_count'), 71)
    assert.equal(valueAt(samples, 'gen_ai_client_operation_duration_seconds_count'), 71)
    assert.equal(valueAt(samples, 'gen_ai_client_operation_duration_seconds_bucket', { le: '+Inf' }), 71)
  })
})

test('an exponential histogram has buckets that end where its values are', async () => {
  // 2^(0/4) to 2^(4/4): 1 to 2 s. 90 of 100 calls take up to 1.19 s; the others 1.68 to 2 s. And 5 take none.
  const point = { ...powers({}, [90, 0, 0, 10], { scale: 2, offset: 0 }, 120, at(1)), zeroCount: '5', count: '105' }
  await send('powers', [exponential('gen_ai.client.operation.duration', [point], 'cumulative', 's')])
  await shows('powers', (samples) => {
    const upTo = (le: string) => valueAt(samples, 'gen_ai_client_operation_duration_seconds_bucket', { le })
    assert.deepEqual(['0.01', '0.64', '1.28', '2.56', '+Inf'].map(upTo), [5, 5, 95, 105, 105])
  })
})

test('exponential histograms of labels that are taken away add up, whatever their scales', async () => {
  const of = (calls: number, { scale, offset }: { scale: number; offset: number }, host: string) =>
    powers({ 'server.address': host }, [calls], { scale, offset }, calls, at(calls))
  for (const calls of [1, 2])
    await send('scales', [
      exponential(
        'gen_ai.client.operation.duration',
        // 1 to 2 s, and 4 to 4.76 s.
        [of(calls, { scale: 0, offset: 0 }, 'a'), of(calls + 1, { scale: 2, offset: 8 }, 'b')],
        'cumulative',
        's',
      ),
    ])
  await shows('scales', (samples) => {
    const upTo = (le: string) => valueAt(samples, 'gen_ai_client_operation_duration_seconds_bucket', { le })
    assert.deepEqual(['0.64', '1.28', '2.56', '5.12', '+Inf'].map(upTo), [0, 0, 2, 5, 5])
    assert.equal(valueAt(samples, 'gen_ai_client_operation_duration_seconds_sum'), 5)
    assert.ok(samples.every(({ labels }) => !('woodland_apart' in labels)))
  })
})

test('whole numbers and fractions add up, as Python sends them', async () => {
  const whole = (labels: object, value: number, times: Parameters<typeof number>[2]) => {
    const { asDouble: _, ...point } = number({ ...labels }, 1, times)
    return { ...point, asInt: String(value) }
  }
  const times = (n: number) => ({ start: at(n - 1).at, at: at(n).at })
  const total = (n: number) => ({ start: begun, at: at(n).at })
  for (const [n, value, sum] of [
    [1, 5, 5],
    [2, 2.5, 7.5],
    [3, 4, 11.5],
    [4, 0, 11.5],
    [5, 0.5, 12],
  ] as const) {
    const make = (one: number) => (Number.isInteger(one) ? whole : number)
    await send('mixed', [
      counter('its.steps', [make(value)({}, value, times(n))], 'delta'),
      counter('its.cost', [make(sum)({}, sum, total(n))], 'cumulative'),
    ])
  }
  const both = [whole({ host: 'a' }, 5, at(1)), number({ host: 'b' }, 7.5, at(1))]
  await send('mixed', [counter('its.sum', both, 'cumulative'), gauge('its.level', both)])
  await shows('mixed', (samples) => {
    assert.equal(valueAt(samples, 'its_steps_total'), 12)
    assert.equal(valueAt(samples, 'its_cost_total'), 12)
    assert.equal(valueAt(samples, 'its_sum_total'), 12.5)
    assert.equal(valueAt(samples, 'its_level'), 7.5)
  })
})

test('a counter that goes down, and a sum that is neither steps nor a total, are dropped and counted', async () => {
  const filtered = async () =>
    sumOf(await collector.metrics(), 'otelcol_processor_filter_datapoints_filtered', 'filter/malformed')
  const before = await filtered()
  const step = (n: number) => ({ start: at(n - 1).at, at: at(n).at })
  for (const [n, value] of [1000, -5, 3].entries())
    await send('down', [counter('its.count', [number({}, value, step(n + 1))], 'delta')])
  const { name, sum } = counter('its.other', [number({}, 7, at(1))], 'delta')
  await send('down', [{ name, sum: { ...(sum as object), aggregationTemporality: 0 } }])
  await shows('down', (samples) => assert.equal(valueAt(samples, 'its_count_total'), 1003))
  assert.equal((await filtered()) - before, 2)
})

test('two workers that name no instance add up, and so does one that was started again', async () => {
  for (const step of [1, 2, 3])
    for (const [worker, value] of [
      [1n, 1000 + 10 * step],
      [2n, 10 + step],
    ] as const)
      await send('pool', [
        histogram(
          TOKENS,
          [buckets({}, [0, value], [1], value * 100, { start: begun + worker, at: at(step).at })],
          'cumulative',
        ),
        counter('its.count', [number({}, value, { start: begun + worker, at: at(step).at })], 'cumulative'),
      ])
  await send('pool', [counter('its.count', [number({}, 7, { start: begun + 3n, at: at(9).at })], 'cumulative')])
  await shows('pool', (samples) => {
    assert.equal(valueAt(samples, 'gen_ai_client_token_usage_sum'), (1030 + 13) * 100)
    assert.equal(valueAt(samples, 'its_count_total'), 1030 + 13 + 7)
  })
})

test('two instrumentations of one process may send the same metric', async () => {
  for (const scope of ['one', 'two'])
    await send(
      'twice',
      [counter('its.count', [number({}, 3, at(1))], 'cumulative')],
      { 'service.instance.id': 'i' },
      scope,
    )
  await shows('twice', (samples) => {
    assert.equal(valueAt(samples, 'its_count_total', { otel_scope_name: 'one', instance: 'i' }), 3)
    assert.equal(valueAt(samples, 'its_count_total', { otel_scope_name: 'two', instance: 'i' }), 3)
  })
})

test('a histogram with fewer counts than bounds is dropped, and its neighbours are not', async () => {
  const good = buckets({}, [1, 2, 3], [1, 2], 9, at(1))
  await send('malformed', [histogram('its.size', [{ ...good, bucketCounts: ['1'] }, good], 'cumulative')])
  await shows('malformed', (samples) => assert.equal(valueAt(samples, 'its_size_count'), 6))
})

const ODD = ['NaN', 'Infinity', '-Infinity', 1e300] as const
for (const odd of ODD)
  test(`a value that cannot be added up (${odd}) is dropped, and the total goes on`, async () => {
    const service = `odd ${odd}`
    const step = (n: number) => ({ start: at(n - 1).at, at: at(n).at })
    const of = (value: number, n: number) => [
      counter('its.count', [number({}, value, step(n))], 'delta'),
      histogram('its.size', [buckets({}, [1, 1], [10], value, step(n))], 'delta'),
      exponential('its.powers', [powers({}, [2], { scale: 0, offset: 0 }, value, step(n))], 'delta'),
    ]
    for (const [index, value] of [2.5, odd as number, 4.5].entries()) await send(service, of(value, index + 1))
    await shows(service, (samples) => {
      assert.equal(valueAt(samples, 'its_count_total'), 7)
      assert.equal(valueAt(samples, 'its_size_sum'), 7)
      assert.equal(valueAt(samples, 'its_powers_sum'), 7)
    })
  })

test('whole numbers near the end of 64 bits are dropped, so no total becomes negative', async () => {
  const huge = (n: number) => {
    const { asDouble: _, ...point } = number({}, 1, { start: at(n - 1).at, at: at(n).at })
    return counter('its.count', [{ ...point, asInt: String(2n ** 62n) }], 'delta')
  }
  for (const n of [1, 2, 3]) await send('huge', [huge(n)])
  await send('huge', [counter('its.count', [number({}, 3, { start: at(3).at, at: at(4).at })], 'delta')])
  await shows('huge', (samples) => assert.equal(valueAt(samples, 'its_count_total'), 3))
})

test('more than 500 sets of labels in one export are one series with the right total', async () => {
  const many = Array.from({ length: 501 }, (_, n) => number({ 'gen_ai.agent.name': `agent ${n}` }, 2, at(1)))
  const scales = many.map((_, n) =>
    powers({ 'gen_ai.agent.name': `agent ${n}` }, [2], { scale: n % 5, offset: n }, 2, at(1)),
  )
  await send('ids', [
    counter('its.count', many, 'cumulative'),
    counter('its.other', many.slice(1), 'cumulative'),
    exponential('its.powers', scales, 'cumulative'),
  ])
  await shows('ids', (samples) => {
    assert.equal(valueAt(samples, 'its_count_total', { otel_metric_overflow: 'true' }), 1002)
    assert.equal(valueAt(samples, 'its_powers_count', { otel_metric_overflow: 'true' }), 1002)
    assert.equal(valueAt(samples, 'its_powers_sum', { otel_metric_overflow: 'true' }), 1002)
    assert.equal(samples.filter(({ name }) => name === 'its_other_total').length, 500)
  })
})

test('a histogram of more than 40 buckets keeps its count and its sum', async () => {
  const bounds = Array.from({ length: 41 }, (_, n) => n)
  await send('fine', [
    histogram('its.size', [buckets({}, [...bounds, 1], bounds, 5, at(1))], 'cumulative'),
    histogram('its.width', [buckets({}, bounds, bounds.slice(1), 5, at(1))], 'cumulative'),
  ])
  await shows('fine', (samples) => {
    assert.equal(samples.filter(({ name }) => name === 'its_size_bucket').length, 1)
    assert.equal(samples.filter(({ name }) => name === 'its_width_bucket').length, 41)
    assert.equal(valueAt(samples, 'its_size_sum'), 5)
  })
})

/** A unit and a kind that are wrong for the names of ours. */
const TAKEN = [
  ['up', 'gauge'],
  ['scrape.duration', 'gauge'],
  ['ALERTS', 'gauge'],
  ['target.info', 'gauge'],
  ['otelcol.exporter.sent', 'counter'],
  ['traces.span.metrics.calls', 'counter'],
  ['gen_ai.usage.tokens', 'counter'],
  ['gen-ai.price.usd.per.token', 'gauge'],
  [TOKENS, 'gauge'],
  ['gen_ai_client_token_usage', 'histogram'],
  ['gen_ai.client.token.usage.count', 'counter'],
  ['gen_ai.client.operation.duration.seconds', 'histogram'],
  ['woodland.decisions', 'gauge'],
  ['woodland.decisions.total', 'counter'],
  ['woodland.pebbles', 'counter'],
] as const
const FREE = [
  ['uptime', 'gauge'],
  ['scraped.pages', 'counter'],
  ['tracesize', 'gauge'],
  ['gen_ai.usage.cost', 'counter'],
  ['gen_ai.client.token.usages', 'gauge'],
  [TOKENS, 'histogram'],
  ['woodland.decisions', 'counter'],
  ['woodland.pebbles', 'gauge'],
] as const
const MADE = {
  gauge: (name: string) => gauge(name, [number({}, 1, at(1))]),
  counter: (name: string) => counter(name, [number({}, 1, at(1))], 'cumulative'),
  histogram: (name: string) => histogram(name, [buckets({}, [0, 1], [1], 1, at(1))], 'cumulative'),
}
test('nobody can take the name of a metric from others, and every other name is free', async () => {
  await send(
    'thief',
    TAKEN.map(([name, kind]) => MADE[kind](name)),
  )
  // An unknown unit would become the end of the name.
  await send('smith', [gauge('gen_ai.client.token', [number({}, 1, at(1))], 'usage')])
  for (const [index, [name, kind]] of FREE.entries()) await send(`owner ${index}`, [MADE[kind](name)])
  for (const index of FREE.keys())
    await shows(`owner ${index}`, (samples) => assert.ok(samples.length > 0, FREE[index]?.[0]))
  await shows('thief', (samples) =>
    assert.deepEqual(
      samples.map(({ name }) => name),
      [],
    ),
  )
  await shows('smith', (samples) =>
    assert.deepEqual(
      samples.map(({ name }) => name),
      ['gen_ai_client_token'],
    ),
  )
})

test('a name that is not ours keeps the kind that came first; of a histogram and a gauge that are written alike, one hides the other', async () => {
  const namesOf = async (service: string) => [...new Set((await samplesOf(service)).map(({ name }) => name))].sort()
  const histogramOf = (name: string) => ['bucket', 'count', 'sum'].map((part) => `${name}_${part}`)
  const [hidden, shown] = [
    ['jobs_total', ...histogramOf('work_size')],
    [...histogramOf('cache_miss'), 'jobs_total', ...histogramOf('work_size')],
  ]
  await send('first', [MADE.histogram('work.size'), MADE.histogram('cache.miss'), MADE.counter('jobs')])
  await eventually(async () => assert.deepEqual(await namesOf('first'), shown))
  await send('second', [MADE.gauge('work.size'), MADE.gauge('cache.miss.count'), MADE.counter('jobs')])
  // Which of them stays differs from one process to the next.
  await eventually(async () => {
    const second = await namesOf('second')
    assert.ok(second.includes('jobs_total'))
    const isGaugeShown = second.includes('cache_miss_count')
    assert.deepEqual(second, isGaugeShown ? ['cache_miss_count', 'jobs_total'] : ['jobs_total'])
    assert.deepEqual(await namesOf('first'), isGaugeShown ? hidden : shown)
  })
})

const spans = (service: string | undefined, names: readonly string[], attributes: Record<string, unknown>) =>
  traceRequest(
    names.map((name, index) => ({
      traceId: Buffer.from(`${service}`.padEnd(16).slice(0, 16)).toString('hex'),
      spanId: String(index + 1).padStart(16, '0'),
      name,
      startTimeUnixNano: nanosOf(Date.now()),
      endTimeUnixNano: nanosOf(Date.now() + 5),
      attributes: toAttributes(attributes),
    })),
    service === undefined ? {} : { resource: { 'service.name': service, 'service.instance.id': `${Math.random()}` } },
  )
const CALLS = 'traces_span_metrics_calls_total'
const counts = async (service: string) =>
  (await page(collector.counted)).filter(({ name, labels }) => name === CALLS && labels.service_name === service)

test('spans are counted by what they do, not by their names or processes', async () => {
  const ids = Array.from({ length: 50 }, (_, tick) => `simulation.tick/${tick}`)
  const labels = {
    'gen_ai.agent.name': 'fox',
    'gen_ai.tool.name': 'hammer',
    'error.type': 'x'.repeat(129),
    prompt: 'hello',
  }
  for (const _ of [1, 2, 3]) await post('/v1/traces', spans('ticks', ids, labels))
  await eventually(async () => {
    const [one, ...more] = await counts('ticks')
    assert.deepEqual(more, [])
    assert.deepEqual(one, {
      name: CALLS,
      labels: {
        service_name: 'ticks',
        gen_ai_agent_name: 'fox',
        gen_ai_tool_name: 'hammer',
        error_type: 'over 128 characters',
        span_kind: 'SPAN_KIND_UNSPECIFIED',
        status_code: 'STATUS_CODE_UNSET',
      },
      value: 150,
    })
  })
})

test('spans of a process that names no service are counted too', async () => {
  await post('/v1/traces', spans(undefined, ['a', 'b'], {}))
  await eventually(async () =>
    assert.deepEqual(
      (await counts('unknown_service')).map(({ value }) => value),
      [2],
    ),
  )
})

/** As labels/span-labels.yaml and dialects/metric-labels.yaml choose it. */
const shareOf = (service: string) =>
  Math.floor(Number.parseInt(createHash('sha256').update(service).digest('hex').slice(0, 1), 16) / 4)

const SHIPPED = parse(readFileSync(resolve(ROOT, 'collector/config.yaml'), 'utf8'), { merge: true })

test('SDKs of one service fill its share, and no other', async () => {
  const names = ['one', 'two', 'six', 'ten', 'red', 'sun', 'sky', 'oak']
  const taken = names.find((service) => names.some((other) => shareOf(other) !== shareOf(service))) ?? ''
  const other = names.find((service) => shareOf(service) !== shareOf(taken)) ?? ''
  const room = SHIPPED.processors['delta_to_cumulative/share_0'].max_streams
  const full = await start('full-')
  const give = (service: string, agents: readonly string[], value: number) => {
    const points = agents.map((agent) => number({ 'gen_ai.agent.name': agent }, value, at(1)))
    return post(
      '/v1/metrics',
      metricsRequest({ 'service.name': service }, [counter('its.count', points, 'cumulative')]),
      full,
    )
  }
  try {
    await give(taken, ['first'], 1)
    for (let times = 0; times * 400 <= room; times++)
      await give(
        taken,
        Array.from({ length: 400 }, (_, n) => `agent ${times} ${n}`),
        1,
      )
    await give(other, ['first'], 1)
    await give(taken, ['first'], 8)
    await eventually(async () => {
      const samples = await page(full.agents)
      assert.equal(valueAt(samples, 'its_count_total', { job: taken, gen_ai_agent_name: 'first' }), 8)
      assert.equal(valueAt(samples, 'its_count_total', { job: other }), 1)
      assert.equal(samples.filter(({ labels }) => labels.job === taken).length, room)
      const own = await full.metrics()
      assert.equal(
        sumOf(own, 'otelcol_deltatocumulative_datapoints', 'error="limit"'),
        1 + 400 * Math.ceil((room + 1) / 400) - room,
      )
    })
  } finally {
    await full.stop()
  }
})

test('the tokens of one service fill its share, and no other', async () => {
  const names = ['one', 'two', 'six', 'ten', 'red', 'sun', 'sky', 'oak']
  const [taken = ''] = names
  const other = names.find((service) => shareOf(service) !== shareOf(taken)) ?? ''
  const room = SHIPPED.processors['delta_to_cumulative/counted_0'].max_streams
  const full = await start('tokens-')
  const call = (agent: string) => ({
    'gen_ai.operation.name': 'chat',
    'gen_ai.agent.name': agent,
    'gen_ai.usage.input_tokens': 3,
  })
  const give = (service: string, agents: readonly string[]) =>
    post(
      '/v1/traces',
      { resourceSpans: agents.flatMap((agent) => spans(service, ['a'], call(agent)).resourceSpans) },
      full,
    )
  try {
    await give(taken, ['first'])
    await give(
      taken,
      Array.from({ length: room + 10 }, (_, n) => `agent ${n}`),
    )
    await give(other, ['first'])
    await give(taken, ['first'])
    await eventually(async () => {
      const samples = (await page(full.counted)).filter(({ name }) => name === 'gen_ai_usage_tokens_total')
      assert.equal(
        valueAt(samples, 'gen_ai_usage_tokens_total', { service_name: taken, gen_ai_agent_name: 'first' }),
        6,
      )
      assert.equal(valueAt(samples, 'gen_ai_usage_tokens_total', { service_name: other }), 3)
      assert.equal(samples.filter(({ labels }) => labels.service_name === taken).length, room)
    })
  } finally {
    await full.stop()
  }
})

test('a service may have so many series; what comes after is counted without labels, and the others count on', async () => {
  const limit = SHIPPED.connectors['span_metrics/every'].aggregation_cardinality_limit
  assert.ok(limit > 100)
  const others = ['ant', 'bee', 'cat', 'dog', 'elk', 'fox']
  for (const service of others) await post('/v1/traces', spans(service, ['a'], {}))
  for (let agent = 0; agent < limit + 50; agent += 50) {
    const requests = Array.from(
      { length: 50 },
      (_, n) => spans('crowd', ['a'], { 'gen_ai.agent.name': `agent ${agent + n}` }).resourceSpans,
    )
    await post('/v1/traces', { resourceSpans: requests.flat() })
  }
  for (const service of others) await post('/v1/traces', spans(service, ['a'], {}))
  await eventually(async () => {
    const samples = await page(collector.counted)
    const room = samples.filter(
      ({ name, labels }) => name === CALLS && labels.service_name && shareOf(labels.service_name) === shareOf('crowd'),
    )
    assert.equal(room.length, limit)
    for (const service of others)
      assert.deepEqual(
        (await counts(service)).map(({ value }) => value),
        [2],
        service,
      )
    assert.equal(
      valueAt(samples, CALLS, { otel_metric_overflow: 'true' }) ?? 0,
      limit + 50 - (await counts('crowd')).length,
    )
  })
  const late = ['gnu', 'hen', 'imp', 'jay'].find((service) => shareOf(service) !== shareOf('crowd')) ?? ''
  await post('/v1/traces', spans(late, ['a'], {}))
  await eventually(async () => assert.equal((await counts(late)).length, 1, 'a new service in another share'))
})

test('series end when their process does', async () => {
  const overlay = join(settings.state, 'short.yaml')
  writeFileSync(
    overlay,
    `exporters: { prometheus/agents: { metric_expiration: 5s }, prometheus/counted: { metric_expiration: 5s } }
connectors: { span_metrics/every: { series_expiration: 3s }, span_metrics/kept: { series_expiration: 3s } }
`,
  )
  const short = await start('short-', overlay)
  try {
    // At once: on a busy machine, the first of them would end before the last one comes.
    const processes = Array.from({ length: 200 }, (_, index) =>
      metricsRequest({ 'service.name': 'brief', 'service.instance.id': `process ${index}` }, [
        counter('its.count', [number({}, 1, at(1))], 'cumulative'),
      ]),
    )
    await post('/v1/traces', spans('brief', ['a'], {}), short)
    await eventually(async () => assert.ok((await page(short.counted)).some(({ name }) => name === CALLS)))
    await post('/v1/metrics', { resourceMetrics: processes.flatMap(({ resourceMetrics }) => resourceMetrics) }, short)
    const counts = async () => (await page(short.agents)).filter(({ name }) => name === 'its_count_total')
    await eventually(async () => assert.equal((await counts()).length, 200))
    await eventually(async () => {
      assert.deepEqual(await page(short.agents), [])
      assert.deepEqual(await page(short.counted), [])
    })
  } finally {
    await short.stop()
  }
})
