import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitFor } from './wait.ts'

const after = <T>(count: number, answer: T, before: T) => {
  let asked = 0
  return { ask: () => (++asked > count ? answer : before), asked: () => asked }
}

test('the first answer is given, and nothing is asked after it', async () => {
  const { ask, asked } = after<string | undefined>(2, 'here', undefined)
  assert.equal(await waitFor(ask, { withinMs: 5000, everyMs: 1 }), 'here')
  assert.equal(asked(), 3)
  assert.equal(await waitFor(() => 0, { withinMs: 5000 }), 0, '0 is an answer')
})

test('when the time is up nothing is found, and it was asked at least once', async () => {
  const { ask, asked } = after(1000, true, false)
  assert.equal(await waitFor(ask, { withinMs: 10, everyMs: 5 }), undefined)
  assert.ok(asked() >= 1)
  assert.equal(await waitFor(async () => true, { withinMs: 0 }), true)
})

test('cancelling ends the wait with its reason', async () => {
  const cancel = AbortSignal.timeout(10)
  await assert.rejects(
    waitFor(() => false, { withinMs: 60_000, everyMs: 60_000, cancel }),
    { name: 'AbortError' },
  )
  await assert.rejects(
    waitFor(() => true, { withinMs: 1, cancel }),
    { name: 'TimeoutError' },
  )
})
