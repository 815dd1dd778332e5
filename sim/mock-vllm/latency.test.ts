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
  const never = new AbortController().signal
  const enter = async (name: string) => {
    const leave = await queue.enter(never)
    order.push(name)
    return leave
  }
  const [first, second] = await Promise.all([enter('a'), enter('b')])
  const waiting = [enter('c'), enter('d')]
  assert.deepEqual([queue.running(), queue.waiting()], [2, 2])
  second?.()
  ;(await waiting[0])?.()
  first?.()
  ;(await waiting[1])?.()
  assert.deepEqual(order, ['a', 'b', 'c', 'd'])
  assert.deepEqual([queue.running(), queue.waiting()], [0, 0])
})

test('who gives up while waiting takes no place', async () => {
  const queue = queueOf(1)
  const leave = await queue.enter(new AbortController().signal)
  const impatient = new AbortController()
  const waiting = queue.enter(impatient.signal)
  impatient.abort()
  await assert.rejects(waiting, { name: 'AbortError' })
  assert.equal(queue.waiting(), 0)
  leave()
  assert.equal(queue.running(), 0)
  await assert.rejects(queue.enter(impatient.signal), { name: 'AbortError' })
})
