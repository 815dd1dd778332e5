import assert from 'node:assert/strict'
import { test } from 'node:test'
import { text as string } from '../../otlp/json.ts'
import { falsePositivesIn, isHarmless, makeHarmlessTraces, percentAltered } from './false-positives.ts'

const harmless = [...makeHarmlessTraces({ seed: 1, count: 1000 })]
const sentBy = (id: string) => harmless.find(({ traceId }) => traceId === id)?.attributes ?? []

test('an attribute that arrives as it was sent is not altered', () => {
  const harm = falsePositivesIn(harmless, sentBy)
  assert.ok(harm.attributes >= 1000 && isHarmless(harm))
  assert.equal(percentAltered(harm), 0)
})

for (const [what, change, allowed] of [
  ['a value that another has masked in part', { key: 'code.snippet', value: string('curl ****') }, true],
  ['an attribute that a policy looks at', { key: 'error.type', value: string('****') }, false],
  ['a number that became text', { key: 'woodland.tokens', value: string('12') }, false],
] as const) {
  test(`${what} is ${allowed ? 'accepted' : 'refused'}`, () => {
    const harm = falsePositivesIn(harmless, (id) =>
      sentBy(id).map((attribute) => (attribute.key === change.key ? change : attribute)),
    )
    assert.ok(harm.altered.length >= harmless.length && harm.altered.every(({ key }) => key === change.key))
    assert.equal(harm.altered.length > 0 && isHarmless({ ...harm, alteredBytes: 0 }), allowed)
  })
}

test('an attribute that is gone counts with all its bytes', () => {
  const harm = falsePositivesIn(harmless, (id) => sentBy(id).filter(({ key }) => key !== 'db.query.text'))
  assert.ok(percentAltered(harm) > 0.5 && !isHarmless(harm))
})
