import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Arrow, graphPicture } from './graph.ts'

const call = (agent: string, model: string): Arrow => ({
  from: { kind: 'agent', name: agent },
  to: { kind: 'model', name: model },
  text: `by ${agent}`,
  says: '',
  failed: false,
})

test('each arrow ends at a place of its own, so that no text stands on another', () => {
  const arrows = ['bear', 'fox', 'owl', 'squirrel', 'rabbit'].flatMap((agent) => [
    call(agent, 'oak'),
    call(agent, 'elm'),
  ])
  const places = [...graphPicture(arrows).matchAll(/<text x="[\d.]+" y="([\d.]+)" text-anchor="end">by/g)].map(
    ([, y]) => Number(y),
  )
  assert.equal(places.length, arrows.length)
  const sorted = places.toSorted((one, other) => one - other)
  for (const [index, y] of sorted.entries()) if (index > 0) assert.ok(y - (sorted[index - 1] ?? 0) >= 12, `${sorted}`)
})

test('what is too much is counted, and no arrow leads to a box that is not there', () => {
  const picture = graphPicture(Array.from({ length: 100 }, (_, index) => call(`agent ${index}`, 'oak')))
  assert.match(picture, /and 41 more\./)
  assert.equal(picture.match(/marker-end/g)?.length, 59)
})
