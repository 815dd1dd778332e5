import { type AnyValue, integer, text, toValue } from '../../../otlp/json.ts'
import type { Random } from '../../../random/random.ts'

/** Numbers of all magnitudes, as attributes and as text. `count` says how many numbers are in one value. */
type Numbers = Readonly<{ count: number; make: (random: Random) => AnyValue }>

const double = (make: (random: Random) => number): Numbers => ({
  count: 1,
  make: (random) => ({ doubleValue: make(random) }),
})
const written = (make: (random: Random) => string): Numbers => ({ count: 1, make: (random) => text(make(random)) })

const signed = (random: Random, value: number) => (random.below(4) === 0 ? -value : value)
/** The same chance for each order of magnitude. */
const anyMagnitude = (random: Random) => signed(random, (1 + 9 * random.number()) * 10 ** (random.below(600) - 300))
const anyInteger = (random: Random) => {
  const digits = 1 + random.below(18)
  const value = BigInt(Math.floor(random.number() * 1e9)) * 1_000_000_000n + BigInt(Math.floor(random.number() * 1e9))
  return (random.below(4) === 0 ? -1n : 1n) * (value % 10n ** BigInt(digits))
}
const cost = (random: Random) => random.number() * 1e-4
const vector = (random: Random) => Array.from({ length: 100 }, () => signed(random, random.number()))

export const NUMBERS: Readonly<Record<string, Numbers>> = {
  'double-fraction': double((random) => random.number()),
  'double-cost': double(cost),
  'double-ms': double((random) => random.number() * 5000),
  'double-any': double(anyMagnitude),
  integer: { count: 1, make: (random) => integer(anyInteger(random)) },
  'integer-ns': {
    count: 1,
    make: (random) => integer(1_400_000_000_000_000_000n + BigInt(random.below(2 ** 48)) * 2000n),
  },
  'text-fraction': written((random) => String(random.number())),
  'text-cost': written((random) => `cost ${cost(random)} USD`),
  'text-any': written((random) => String(anyMagnitude(random))),
  'text-integer': written((random) => String(anyInteger(random))),
  'json-score': written((random) => JSON.stringify({ score: random.number(), ok: true })),
  'json-any': written((random) => JSON.stringify({ min: anyMagnitude(random), count: random.below(1e6) })),
  'json-in-json': written((random) => JSON.stringify({ arguments: JSON.stringify({ total: random.number(), n: 2 }) })),
  list: { count: 10, make: (random) => toValue(vector(random).slice(0, 10)) },
  'json-vector': { count: 100, make: (random) => text(JSON.stringify(vector(random))) },
  'vector-in-json': { count: 100, make: (random) => text(JSON.stringify({ embedding: vector(random), index: 0 })) },
  table: {
    count: 12,
    make: (random) => {
      const row = () =>
        Array.from({ length: 3 }, () => 1 + random.below(random.below(2) === 0 ? 2000 : 100_000)).join(' ')
      return text(`${row()}\n${row()}\n${row()}\n${row()}`)
    },
  },
}
