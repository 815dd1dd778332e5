import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import PQueue from 'p-queue'
import { type Attribute, toAttributes } from '../otlp/json.ts'
import { readPage, type Sample } from '../otlp/page.ts'
import { postOtlp } from '../otlp/post.ts'
import { eventually, ownSettings } from '../stack/own-stack.ts'
import type { Running } from '../workbench/collector.ts'
import { collectorFor } from './collector.ts'
import { attributeOf, ODD, ODD_ATTRIBUTES, ODD_TIMES, SECRET, shown } from './odd-values.ts'

type Fields = Readonly<Record<string, unknown>>
type Point = Fields & Readonly<{ attributes: readonly Attribute[] }>

const BEGUN = BigInt(Date.now()) * 1_000_000n
const at = (step: number) => String(BEGUN + BigInt(step) * 1_000_000_000n)

const FLOATS = ['NaN', 'Infinity', '-Infinity', -5, 1e300, -1e300, 2 ** 63]
const COUNTS = ['9223372036854775807', '9223372036854775808', '18446744073709551615']
/** The ends of 32 bits. */
const ENDS = [2147483647, -2147483648]
const EXEMPLAR = { timeUnixNano: at(1), asDouble: 0.5, traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }
const COMMON = {
  startTimeUnixNano: ODD_TIMES,
  timeUnixNano: ODD_TIMES,
  flags: [1, 2, 3, 4294967295],
  exemplars: [
    [{ ...EXEMPLAR, timeUnixNano: '18446744073709551615' }],
    [{ ...EXEMPLAR, asDouble: 'NaN' }],
    [{ ...EXEMPLAR, traceId: '', spanId: '', filteredAttributes: toAttributes({ le: SECRET }) }],
  ],
}
const COUNTED = { ...COMMON, count: [0, ...COUNTS], sum: FLOATS, min: FLOATS, max: FLOATS }

type Kind = Readonly<{
  /** The field of the metric. */
  field: string
  more?: Fields
  /** What a point says when it has been added to so often. */
  good: (times: number) => Fields
  odd: Readonly<Record<string, readonly unknown[]>>
}>
const KINDS: Readonly<Record<string, Kind>> = {
  sum: {
    field: 'sum',
    more: { isMonotonic: true },
    good: (times) => ({ asDouble: 3 * times }),
    odd: { ...COMMON, asDouble: [...FLOATS, undefined], asInt: ['-5', '9223372036854775807', '-9223372036854775808'] },
  },
  level: { field: 'sum', good: (times) => ({ asDouble: 3 * times }), odd: { ...COMMON, asDouble: FLOATS } },
  gauge: { field: 'gauge', good: () => ({ asDouble: 3 }), odd: { ...COMMON, asDouble: FLOATS, asInt: ['-5'] } },
  histogram: {
    field: 'histogram',
    good: (times) => ({ count: 2 * times, sum: 3 * times, bucketCounts: [times, times], explicitBounds: [1] }),
    odd: {
      ...COUNTED,
      bucketCounts: [[], [1], [1, 1, 1], COUNTS.slice(0, 2), [COUNTS[2], 0]],
      explicitBounds: [
        [],
        ['NaN'],
        ['Infinity'],
        ['-Infinity'],
        [1, 1],
        [1, 2, 3],
        Array.from({ length: 41 }, (_, n) => n),
      ],
    },
  },
  powers: {
    field: 'exponentialHistogram',
    good: (times) => ({
      ...{ count: 2 * times, sum: 3 * times, scale: 0, zeroCount: 0 },
      positive: { offset: 0, bucketCounts: [times, times] },
    }),
    odd: {
      ...COUNTED,
      scale: [-11, 1, 21, ...ENDS],
      zeroCount: COUNTS,
      zeroThreshold: FLOATS,
      positive: [
        ...[...ENDS, 60_000_000].map((offset) => ({ offset, bucketCounts: [1, 1] })),
        ...COUNTS.map((count) => ({ offset: 0, bucketCounts: [count, 1] })),
      ],
      negative: ENDS.map((offset) => ({ offset, bucketCounts: [1, 1] })),
    },
  },
  summary: {
    field: 'summary',
    good: (times) => ({ count: 2 * times, sum: 3 * times }),
    odd: {
      startTimeUnixNano: ODD_TIMES,
      timeUnixNano: ODD_TIMES,
      flags: [1],
      count: COUNTS,
      sum: FLOATS,
      quantileValues: [[{ quantile: 'NaN', value: 'NaN' }], [{ quantile: 2, value: 1 }]],
    },
  },
}

/** Steps or totals, as OTLP numbers them. */
type Way = 1 | 2
const STEPS = [1, 2, 3]
const SIDES = ['left', 'right']
const pointOf = (kind: string, way: Way, step: number, model: string): Point => ({
  attributes: toAttributes({ model }),
  startTimeUnixNano: at(way === 1 ? step - 1 : 0),
  timeUnixNano: at(step),
  ...KINDS[kind]?.good(way === 1 ? 1 : step),
})
const metricOf = (kind: string, way: Way, dataPoints: readonly Point[], more: Fields = {}) => {
  const { field = '', more: also } = KINDS[kind] ?? {}
  return { name: `odd.${kind}`, [field]: { aggregationTemporality: way, ...also, dataPoints }, ...more }
}
const part = (attributes: readonly Attribute[], metrics: readonly unknown[], scope: Fields = { name: 'lab' }) => ({
  resource: { attributes },
  scopeMetrics: [{ scope, metrics }],
})
const named = (service: string) => toAttributes({ 'service.name': service })

type Case = Readonly<{
  title: string
  kind: string
  way: Way
  body: (service: string, step: number) => readonly unknown[]
}>

/** Three exports, and in the second of them a point between two good ones is odd. */
const withPoint = (title: string, kind: string, way: Way, odd: (good: Point) => Point): Case => ({
  title: `${kind} ${way === 1 ? 'in steps' : 'as totals'}, ${title}`,
  kind,
  way,
  body: (service, step) => {
    const [left, good, right] = ['left', 'odd', 'right'].map((model) => pointOf(kind, way, step, model)) as [
      Point,
      Point,
      Point,
    ]
    return [part(named(service), [metricOf(kind, way, [left, step === 2 ? odd(good) : good, right])])]
  },
})
/** Each export has something odd around or beside a good metric. */
const around = (title: string, body: (service: string, good: unknown, step: number) => readonly unknown[]): Case => ({
  title,
  kind: 'sum',
  way: 2,
  body: (service, step) =>
    body(
      service,
      metricOf(
        'sum',
        2,
        SIDES.map((model) => pointOf('sum', 2, step, model)),
      ),
      step,
    ),
})

const waysOf = (kind: string): readonly Way[] => (kind === 'gauge' || kind === 'summary' ? [2] : [1, 2])
const oddMetric = (more: Fields, step: number) => metricOf('sum', 2, [pointOf('sum', 2, step, 'odd')], more)
const CASES: readonly Case[] = [
  ...Object.entries(KINDS).flatMap(([kind, { odd }]) =>
    waysOf(kind).flatMap((way) => [
      ...Object.entries(odd).flatMap(([field, values]) =>
        values.map((value) =>
          withPoint(`${field} = ${shown(value)}`, kind, way, ({ asDouble, ...good }) => ({
            ...(field === 'asInt' || asDouble === undefined ? good : { ...good, asDouble }),
            [field]: value,
          })),
        ),
      ),
      ...ODD_ATTRIBUTES.map((attributes) =>
        withPoint(`with ${shown(attributes)}`, kind, way, (good) => ({
          ...good,
          attributes: [...good.attributes, ...attributes],
        })),
      ),
      ...ODD.map((value) =>
        withPoint(`model = ${shown(value)}`, kind, way, (good) => ({
          ...good,
          attributes: [attributeOf('model', value)],
        })),
      ),
      withPoint('model twice', kind, way, (good) => ({
        ...good,
        attributes: [...good.attributes, ...toAttributes({ model: 'again' })],
      })),
    ]),
  ),
  ...['service.name', 'service.instance.id', 'service.namespace', 'gen_ai.agent.name'].flatMap((key) =>
    ODD.map((value) =>
      around(`resource, ${key} = ${shown(value)}`, (service, good, step) => [
        part([attributeOf(key, value)], [oddMetric({}, step)]),
        part(named(service), [good]),
      ]),
    ),
  ),
  ...ODD_ATTRIBUTES.flatMap((attributes) => [
    around(`resource with ${shown(attributes)}`, (service, good) => [part([...named(service), ...attributes], [good])]),
    around(`scope with ${shown(attributes)}`, (service, good) => [
      part(named(service), [good], { name: 'lab', attributes }),
    ]),
  ]),
  ...['', SECRET, 'x'.repeat(10_000), '\u0000'].map((name) =>
    around(`scope named ${shown(name)}`, (service, good) => [part(named(service), [good], { name, version: name })]),
  ),
  ...[
    ...['', SECRET, 'a b', '1', 'odd', 'x'.repeat(60_000), `odd.${SECRET}`, 'up', 'odd.sum.total'].map((name) => ({
      name,
    })),
    ...['', SECRET, 'x'.repeat(10_000), '{x', 'total', '1'].map((unit) => ({ name: 'odd.unit', unit })),
    { name: 'odd.text', description: SECRET, metadata: toAttributes({ note: SECRET }) },
    { name: 'odd.none', sum: undefined },
    ...[0, 3].map((way) => ({
      name: 'odd.way',
      sum: { aggregationTemporality: way, dataPoints: [pointOf('sum', 2, 1, 'odd')] },
    })),
  ].map((more) =>
    around(`metric ${shown(more)}`, (service, good, step) => [part(named(service), [oddMetric(more, step), good])]),
  ),
  around('a summary of 2000 points', (service, good, step) => [
    part(named(service), [
      metricOf(
        'summary',
        2,
        Array.from({ length: 2000 }, (_, n) => pointOf('summary', 2, step, `m${n}`)),
      ),
      good,
    ]),
  ]),
]

const lines: string[] = []
const refused: string[] = []
let collector: Running
let sender: (name: string, one: Case) => Promise<void>

before(async () => {
  collector = await collectorFor(await ownSettings(), { line: (line) => void lines.push(line) })
  sender = async (service, one) => {
    for (const step of STEPS) {
      const answer = await postOtlp(`${collector.otlp}/v1/metrics`, { resourceMetrics: one.body(service, step) })
      const said = await answer.text()
      if (!answer.ok) refused.push(`${one.title}: ${answer.status} ${said.slice(0, 200)}`)
    }
  }
  // What a good neighbour of each kind must look like.
  for (const kind of Object.keys(KINDS))
    for (const way of waysOf(kind))
      await sender(
        `good ${kind} ${way}`,
        withPoint('', kind, way, (good) => good),
      )
  await new PQueue({ concurrency: 4 }).addAll(CASES.map((one, index) => () => sender(`case ${index}`, one)))
})
after(() => collector?.stop())

const byJob = (samples: readonly Sample[]) => Map.groupBy(samples, ({ labels }) => labels.job ?? '')
const neighbours = (samples: readonly Sample[] = []) =>
  samples
    .filter(({ labels }) => SIDES.includes(labels.model ?? ''))
    .map(({ name, labels: { model, le = '' }, value }) => `${name} ${model} ${le} ${value}`)
    .sort()

test('no request is refused for one odd point, and the Collector goes on', () => {
  assert.ok(CASES.length > 800, String(CASES.length))
  collector.alive()
  assert.deepEqual(refused, [])
})

test('beside an odd point, the others are shown with their exact totals', async () => {
  await eventually(async () => {
    const jobs = byJob(readPage(await collector.agents()))
    for (const kind of Object.keys(KINDS))
      for (const way of waysOf(kind)) {
        if (kind !== 'level' || way === 2)
          assert.ok(neighbours(jobs.get(`good ${kind} ${way}`)).length >= 2, `${kind} ${way}`)
      }
    const wrong = CASES.flatMap(({ title, kind, way }, index) => {
      const [found, good] = [`case ${index}`, `good ${kind} ${way}`].map((job) => neighbours(jobs.get(job)).join('\n'))
      return found === good ? [] : [`${title}:\n${found}\nand not\n${good}`]
    })
    assert.deepEqual(wrong.slice(0, 5), [], `${wrong.length} cases`)
  })
})

test('what is counted of an odd point is a possible number, and no label is long', async () => {
  const samples = readPage(await collector.agents())
  const wrong = samples.filter(
    ({ name, value, labels }) =>
      (/_(?:total|count|bucket|sum)$/.test(name) && !(value >= 0 && value < 1e5)) ||
      Object.values(labels).some((text) => text.length > 128),
  )
  assert.deepEqual(wrong.slice(0, 5), [], `${wrong.length} samples`)
})

test('no secret is shown, and no line of the log holds a value', async () => {
  assert.ok(!(await collector.agents()).includes(SECRET))
  const said = lines.filter((line) => !/\tinfo\t/.test(line) && !/context prefix/.test(line))
  assert.deepEqual(
    said.filter((line) => line.includes(SECRET) || line.length > 10_000).map((line) => line.slice(0, 300)),
    [],
  )
  assert.deepEqual(said.filter((line) => /panic|failed to (?:convert|execute)/.test(line)).slice(0, 3), [])
})
