import assert from 'node:assert/strict'
import { test } from 'node:test'
import { roll } from '../../random/random.ts'
import { attemptsLost, draw, type Group, KINDS, type Kind, parseRate, ratesOf } from './faults.ts'

/** What strikes one turn: one to three requests, of which the last decides, as `reply.ts` rolls them. */
function turn(preset: string, seed: number): { kinds: Kind[]; routine: boolean } {
  const rates = ratesOf(preset, [])
  const found: Kind[] = []
  let routine = true
  for (let round = 0; ; round++) {
    const transport = draw('transport', rates, 'fox', seed, round)
    if (transport) found.push(transport)
    const lasting = attemptsLost(seed, round) === 3 || (transport === 'dropped' && roll(seed, round, 'midway') < 1 / 3)
    if (transport === 'slow' || transport === 'stall') routine = false
    if (transport && ['rate_limit', 'server_error', 'dropped'].includes(transport) && lasting) routine = false
    const isTool = roll(seed, round, 'tool') < ([0.35, 0.2][round] ?? 0)
    const groups: Group[] = isTool ? ['tool'] : ['format', 'decision', 'content']
    for (const group of groups) {
      const kind = draw(group, rates, 'fox', seed, round, isTool ? 'tool' : 'answer')
      if (kind) found.push(kind)
      if (kind && ['malformed', 'truncated', 'prose', 'self_buy'].includes(kind)) routine = false
    }
    if (!isTool) return { kinds: found, routine }
  }
}

const turns = (preset: string, count: number) => Array.from({ length: count }, (_, seed) => turn(preset, seed))
const shareOf = <T>(all: readonly T[], holds: (one: T) => boolean) => all.filter(holds).length / all.length

test('by default about 70 % of ticks are routine', () => {
  const all = turns('default', 15_000)
  const ticks = Array.from({ length: 3000 }, (_, i) => all.slice(5 * i, 5 * i + 5))
  const routine = shareOf(ticks, (tick) => tick.every((turn) => turn.routine))
  assert.ok(routine > 0.67 && routine < 0.73, `${routine}`)
})

test('by default every kind comes more than once in five minutes, on average', () => {
  const seen = Map.groupBy(
    turns('default', 6000).flatMap(({ kinds }) => kinds),
    (kind) => kind,
  )
  for (const kind of Object.values(KINDS).flat()) {
    const perFiveMinutes = (seen.get(kind)?.length ?? 0) / 20
    assert.ok(perFiveMinutes > 1, `${kind}: ${perFiveMinutes} in 300 turns`)
  }
})

test('chaos strikes about every third turn, leaky puts personal data into most, calm strikes none', () => {
  const struck = (preset: string) => shareOf(turns(preset, 5000), ({ kinds }) => kinds.length > 0)
  assert.ok(Math.abs(struck('chaos') - 1 / 3) < 0.04, `${struck('chaos')}`)
  assert.equal(struck('calm'), 0)
  const leaky = turns('leaky', 2000)
  assert.ok(shareOf(leaky, ({ kinds }) => kinds.includes('personal_data')) > 0.75)
  assert.equal(
    shareOf(leaky, ({ routine }) => !routine),
    0,
  )
})

test('winter is slower and spends more than the default', () => {
  const share = (preset: string, kind: Kind) => shareOf(turns(preset, 5000), ({ kinds }) => kinds.includes(kind))
  for (const kind of ['slow', 'overspend'] as const) assert.ok(share('winter', kind) > 3 * share('default', kind))
})

test('an override wins over the preset, one for an agent over one for all', () => {
  const rates = ratesOf('chaos', [parseRate('prose@fox=1'), parseRate('prose=0')])
  assert.equal(rates('prose', 'fox'), 1)
  assert.equal(rates('prose', 'bear'), 0)
  assert.equal(rates('malformed', 'bear'), ratesOf('chaos', [])('malformed', 'bear'))
  for (let seed = 0; seed < 500; seed++) assert.equal(draw('format', rates, 'fox', seed), 'prose')
})

test('a wrong rate is refused with its value, the rule and the fix', () => {
  assert.throws(
    () => parseRate('slo=1'),
    /"slo=1" does not name a kind of fault; write KIND=RATE or KIND@AGENT=RATE with one of slow, /,
  )
  assert.throws(() => parseRate('prose'), /"prose" does not name a kind/)
  for (const text of ['slow=2', 'slow=-1', 'slow=x', 'slow=', 'slow@fox=NaN']) {
    assert.throws(() => parseRate(text), {
      message: `"${text}" has no rate between 0 and 1; write for example slow=0.05`,
    })
  }
  assert.throws(() => ratesOf('storm', []), /"storm" is not a preset; use one of default, calm/)
})

test('a fault lasts 1 to 3 attempts, mostly 1', () => {
  const lengths = Array.from({ length: 1000 }, (_, seed) => attemptsLost(seed))
  assert.deepEqual([...new Set(lengths)].sort(), [1, 2, 3])
  assert.ok(shareOf(lengths, (length) => length === 1) > 0.5)
})
