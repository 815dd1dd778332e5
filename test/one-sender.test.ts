import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { nanosOf, toAttributes, traceRequest } from '../otlp/json.ts'
import { buckets, counter, gauge, histogram, metricsRequest, number } from '../otlp/metrics.ts'
import { readPage } from '../otlp/page.ts'
import { postOtlp } from '../otlp/post.ts'
import { servicesIn } from '../stack/compose-tiers.ts'
import { eventually, ownSettings, startStack } from '../stack/own-stack.ts'
import { runningPid } from '../stack/processes.ts'
import { prometheus } from '../stack/queries.ts'
import { type Settings, url } from '../stack/settings.ts'

/** For how long one sender floods the others, in seconds. For longer: FLOOD_SECONDS=600 tsx --test test/one-sender.test.ts */
const FLOOD_MS = 1000 * Number(process.env.FLOOD_SECONDS ?? 30)
/** What the README promises of each page. */
const PAGE_MB = 25
/** The Collector's container would be ended above it. */
const MEMORY_MIB = Number.parseInt(servicesIn().collector?.mem_limit ?? '', 10)

const GOOD = ['ant', 'bee', 'cat', 'dog', 'elk']
const BAD = 'bad'

let settings: Settings
let end: () => Promise<void>
before(async () => {
  settings = await ownSettings()
  end = await startStack(settings, 'collector/policies/keep-errors-only.yaml', ['prometheus', 'collector'])
})
after(() => end?.())

const now = () => BigInt(nanosOf(Date.now()))
const begun = now()

/** Whether it was taken. What is refused because memory is short is sent again by every SDK. */
async function post(path: string, body: unknown): Promise<boolean> {
  const answer = await postOtlp(url(settings, 'OTLP_HTTP_PORT', path), body)
  await answer.arrayBuffer()
  assert.ok([200, 503].includes(answer.status), `${path}: ${answer.status}`)
  return answer.status === 200
}
async function postUntilTaken(path: string, body: unknown): Promise<void> {
  while (!(await post(path, body))) await sleep(200)
}

let ids = 0
const span = (attributes: Readonly<Record<string, unknown>>) => ({
  traceId: (++ids).toString(16).padStart(32, '0'),
  spanId: ids.toString(16).padStart(16, '0'),
  name: `a span ${ids}`,
  startTimeUnixNano: nanosOf(Date.now()),
  endTimeUnixNano: nanosOf(Date.now() + 5),
  attributes: toAttributes(attributes),
})

/** Two series of each kind, and each step is one more. */
async function goodStep(service: string, step: number): Promise<void> {
  const labels = { 'gen_ai.agent.name': service, 'gen_ai.operation.name': 'chat' }
  const resource = { 'service.name': service }
  await postUntilTaken('/v1/traces', traceRequest([span(labels)], { resource }))
  const metrics = [
    histogram(
      'gen_ai.client.token.usage',
      [buckets(labels, [0, step], [1], 100 * step, { start: begun, at: now() })],
      'cumulative',
    ),
    counter('its.deltas', [number(labels, 1, { at: now() })], 'delta'),
  ]
  await postUntilTaken('/v1/metrics', metricsRequest(resource, metrics))
}

const ODD = ['le', 'quantile', 'job', 'instance', '__name__', 'gen_ai_agent_name']
/** Values that were never there before: of each label, of the service, and of the metric's name. */
async function badStep(step: number): Promise<void> {
  const each = (kind: string, n: number) => `${kind} ${step} ${n}`
  const labels = (n: number) => ({
    'gen_ai.agent.name': each('agent', n),
    'gen_ai.request.model': each('model', n),
    'gen_ai.tool.name': each('tool', n),
    'error.type': each('error', n),
  })
  const many = Array.from({ length: 400 }, (_, n) => labels(n))
  await post('/v1/traces', traceRequest(many.map(span), { resource: { 'service.name': BAD } }))
  const others = Array.from({ length: 100 }, (_, n) =>
    traceRequest([span(labels(n))], { resource: { 'service.name': each('service', n) } }),
  )
  await post('/v1/traces', { resourceSpans: others.flatMap(({ resourceSpans }) => resourceSpans) })

  const times = { start: begun, at: now() }
  const bounds = Array.from({ length: 14 }, (_, n) => 2 ** n)
  const counts = [...bounds.map(() => 1), 1]
  await post(
    '/v1/metrics',
    metricsRequest({ 'service.name': BAD }, [
      histogram(
        'gen_ai.client.token.usage',
        many.map((each) => buckets(each, counts, bounds, 5, times)),
        'cumulative',
      ),
      gauge(
        'its.level',
        many.slice(0, 50).map((each) => number(each, 1, times)),
      ),
      ...Array.from({ length: 200 }, (_, n) => {
        const odd = { [ODD[n % ODD.length] ?? '']: each('odd', n) }
        const name = `odd.${'abcdefghij'[n % 10]}${n}`
        return n % 2 === 0
          ? histogram(name, [buckets(odd, [1, 1], [1], -1, times)], 'cumulative')
          : gauge(name, [number(odd, 1, times)])
      }),
      gauge('gen_ai.client.token.usage', [number({}, 1, times)]),
    ]),
  )
  const processes = Array.from({ length: 100 }, (_, n) =>
    metricsRequest({ 'service.name': each('service', n) }, [
      counter('its.count', [number({}, 1, times)], 'cumulative'),
    ]),
  )
  await post('/v1/metrics', { resourceMetrics: processes.flatMap(({ resourceMetrics }) => resourceMetrics) })
}

const text = async (name: 'COLLECTOR_EXPORTER_PORT' | 'COLLECTOR_COUNTED_PORT') =>
  (await fetch(url(settings, name, '/metrics'))).text()

test(`five services count exactly while a sixth sends ${FLOOD_MS / 1000} s of new names`, async () => {
  const pid = runningPid(settings, 'collector')
  const memory = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
  let steps = 1
  for (const service of GOOD) await goodStep(service, steps)
  await eventually(async () => {
    const [seen] = await prometheus(settings, 'count(its_deltas_total)')
    assert.equal(seen?.value, GOOD.length)
  })

  const until = Date.now() + FLOOD_MS
  let floods = 0
  let most = 0
  const flood = async () => {
    for (; Date.now() < until; floods++) await badStep(floods)
  }
  const goOn = async () => {
    while (Date.now() < until) {
      steps++
      for (const service of GOOD) await goodStep(service, steps)
      most = Math.max(most, memory())
      await sleep(500)
    }
  }
  await Promise.all([flood(), flood(), goOn()])
  most = Math.max(most, memory())
  console.error(`  ${floods} times 500 spans and 750 points with new names; ${most.toFixed(0)} MiB at most`)
  assert.ok(floods > 5, `only ${floods}`)

  const sent = Object.fromEntries(GOOD.map((service) => [service, steps]))
  const counted = async (expression: string, label: string) => {
    const found = await prometheus(settings, expression)
    return Object.fromEntries(
      found
        .filter(({ labels }) => GOOD.includes(labels[label] ?? ''))
        .map(({ labels, value }) => [labels[label], value]),
    )
  }
  await eventually(async () => {
    assert.deepEqual(await counted('traces_span_metrics_calls_total', 'service_name'), sent)
    assert.deepEqual(await counted('gen_ai_client_token_usage_sum / 100', 'job'), sent)
    assert.deepEqual(await counted('its_deltas_total', 'job'), sent)
  })

  for (const port of ['COLLECTOR_EXPORTER_PORT', 'COLLECTOR_COUNTED_PORT'] as const) {
    const page = await text(port)
    assert.ok(readPage(page).length > 1000)
    console.error(`  ${port}: ${(page.length / 1e6).toFixed(1)} MB`)
    assert.ok(page.length < PAGE_MB * 1e6, `${port} has ${page.length} bytes`)
  }
  assert.ok(most < MEMORY_MIB, `the collector took ${most} MiB of ${MEMORY_MIB}`)
  const down = await prometheus(
    settings,
    `min by (job) (avg_over_time(up{job=~"agents|counted"}[${Math.ceil(FLOOD_MS / 1000)}s])) < 0.5`,
  )
  assert.deepEqual(down, [], 'Prometheus could not read a page most of the time')

  await eventually(async () => {
    const firing = await prometheus(settings, 'ALERTS{alertname=~"ServiceNearsItsLimit|SeriesDropped"}')
    const told = firing.map(({ labels }) => `${labels.alertname} ${labels.service_name ?? ''}`).sort()
    assert.deepEqual(told, ['SeriesDropped ', `ServiceNearsItsLimit ${BAD}`])
  })
})
