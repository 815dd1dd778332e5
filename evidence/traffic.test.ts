import assert from 'node:assert/strict'
import { test } from 'node:test'
import { spansOf, type TraceRequest } from '../otlp/json.ts'
import type { Request } from '../workbench/recording.ts'
import { type Labelled, MODELS, MUST_KEEP, makeTraffic, PROFILES } from './traffic.ts'

const WISH = { seed: 5, mustKeep: 10 * MUST_KEEP.length * PROFILES.length, perSecond: 1000, speed: 10 }

async function all(size = WISH) {
  const labels: Labelled[] = []
  const requests: Request[] = []
  for await (const request of makeTraffic(size, (trace) => void labels.push(trace))) requests.push(request)
  return { labels, requests }
}

const sentIn = ({ body }: Request) => spansOf(JSON.parse(body.toString()) as TraceRequest)

test('every class is sent in every profile, and so are routine traces', async () => {
  const { labels } = await all()
  for (const { name } of PROFILES)
    for (const kind of [...MUST_KEEP, 'routine'])
      assert.ok(
        labels.some((label) => label.profile === name && label.kind === kind),
        `${kind}, ${name}`,
      )
  assert.equal(new Set(PROFILES.map(({ name }) => name)).size, PROFILES.length)
  assert.equal(labels.filter(({ kind }) => kind !== 'routine').length, WISH.mustKeep)
})

test('the same seed makes the same traffic, and fewer traces of it are its beginning', async () => {
  const [one, same, fewer, other] = [
    await all(),
    await all(),
    await all({ ...WISH, mustKeep: 100 }),
    await all({ ...WISH, seed: 6, mustKeep: 100 }),
  ]
  const digest = ({ requests }: typeof one) => requests.map(({ atMs, body }) => `${atMs} ${body}`).join('\n')
  assert.equal(digest(one), digest(same))
  assert.deepEqual(fewer.labels, one.labels.slice(0, fewer.labels.length))
  assert.ok(fewer.labels.some(({ number }) => number === 100))
  const ids = new Set(one.labels.map(({ id }) => id))
  assert.equal(ids.size, one.labels.length)
  assert.ok(other.labels.every(({ id }) => !ids.has(id)))
})

test('requests are in the order of their times, and no part comes later than the sampler waits', async () => {
  const { labels, requests } = await all()
  const times = requests.map(({ atMs }) => atMs)
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  )
  const seen = new Map<string, { first: number; root: number; last: number }>()
  for (const request of requests)
    for (const { traceId, parentSpanId } of sentIn(request)) {
      const atMs = request.atMs / WISH.speed
      const times = seen.get(traceId) ?? { first: atMs, root: Number.POSITIVE_INFINITY, last: atMs }
      const root = parentSpanId === undefined ? Math.min(times.root, atMs) : times.root
      seen.set(traceId, { first: times.first, root, last: atMs })
    }
  for (const { id, profile } of labels) {
    const { first = 0, root = 0, last = Number.NaN } = seen.get(id) ?? {}
    assert.ok(last - first < 2000 && last - root < 1000, `${profile}: ${first} ${root} ${last}`)
  }
})

test('the mark of a deciding span is not sent, and both models are used', async () => {
  const { requests } = await all({ ...WISH, mustKeep: 300 })
  const text = requests.map(({ body }) => body.toString()).join('')
  for (const model of MODELS) assert.ok(text.includes(model))
  assert.doesNotMatch(text, /marked|decides|Symbol/)
  assert.match(text, /next-door/)
})
