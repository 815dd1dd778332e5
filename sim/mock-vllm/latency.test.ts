import assert from 'node:assert/strict'
import { test } from 'node:test'
import { queueOf, timingOf } from './latency.ts'

const seconds = (slow: boolean, seed: number, speed = 1) => {
  const { prefillSeconds, decodeSeconds } = timingOf({ promptTokens: 600, outputTokens: 60, speed, slow }, seed)
  return prefillSeconds + decodeSeconds
}
const seeds = Array.from({ length: 200 }, (_, seed) => seed)

test('an ordinary decision takes 0.4 to 0.9 s, a slow one 2.5 to 5 s, and seeds differ', () => {
  for (const seed of seeds) {
    assert.ok(seconds(false, seed) > 0.4 && seconds(false, seed) < 0.9)
    assert.ok(seconds(true, seed) >= 2.5 && seconds(true, seed) <= 5.001)
    assert.ok(seconds(false, seed, 1.7) < seconds(false, seed))
  }
  assert.equal(new Set(seeds.map((seed) => seconds(false, seed))).size, seeds.length)
})

test('the queue lets in the limit and then first in, first out', async () => {
  const queue = queueOf(2)
  const order: string[] = []
  const leave: Record<string, () => void> = {}
  const enter = (name: string) =>
    queue.add(() => {
      order.push(name)
      return new Promise<void>((resolve) => {
        leave[name] = resolve
      })
    })
  const all = ['a', 'b', 'c', 'd'].map(enter)
  assert.deepEqual([queue.pending, queue.size], [2, 2])
  leave.b?.()
  await all[1]
  assert.deepEqual(order, ['a', 'b', 'c'])
  leave.c?.()
  await all[2]
  leave.a?.()
  leave.d?.()
  await Promise.all(all)
  assert.deepEqual(order, ['a', 'b', 'c', 'd'])
  assert.deepEqual([queue.pending, queue.size], [0, 0])
})

test('a request that gives up while it waits takes no place', async () => {
  const queue = queueOf(1)
  let leave = () => {}
  const first = queue.add(
    () =>
      new Promise<void>((resolve) => {
        leave = resolve
      }),
  )
  const impatient = new AbortController()
  const never = () => assert.fail('it was let in')
  const waiting = queue.add(never, { signal: impatient.signal })
  impatient.abort()
  await assert.rejects(waiting, { name: 'AbortError' })
  assert.equal(queue.size, 0)
  leave()
  await first
  assert.equal(queue.pending, 0)
  await assert.rejects(queue.add(never, { signal: impatient.signal }), { name: 'AbortError' })
})
