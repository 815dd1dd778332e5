import { createHash } from 'node:crypto'
import { base, en, Faker } from '@faker-js/faker'
import { Snowflake } from '@sapphire/snowflake'
import baseX from 'base-x'
import KSUID from 'ksuid'
import { customRandom, urlAlphabet } from 'nanoid'
import Sqids from 'sqids'
import { TypeID } from 'typeid-js'
import { ulid } from 'ulid'
import { v1, v3, v4, v5, v6, v7 } from 'uuid'
import { Xid } from 'xid-ts'
import type { Random } from '../../../random/random.ts'

/** A kind of id, made by the library that programs make it with. Nobody hides such an id. */
type Make = (random: Random) => string

const faker = new Faker({ locale: [en, base] })
/** Faker keeps a state of its own. It gets a new seed for each id, so that an id depends on its own dice only. */
const faked =
  (make: (faker: Faker) => string): Make =>
  (random) => {
    faker.seed(random.below(2 ** 31))
    return make(faker)
  }

const bytes = (count: number, random: Random): Uint8Array => Buffer.from(random.hex(2 * count), 'hex')
const [FROM_MS, TO_MS] = [Date.UTC(2015), Date.UTC(2035)]
const timeMs = (random: Random) => FROM_MS + random.below(TO_MS - FROM_MS)
const digits = (count: number, random: Random) => Array.from({ length: count }, () => random.below(10)).join('')
const oneOf = (items: readonly string[], random: Random) => items[random.below(items.length)] ?? ''
/** What follows the last whole millisecond of a time, as so many digits. */
const finer = (count: number, random: Random) => `${timeMs(random)}${digits(count, random)}`

const BASES = {
  'base32-lower': 'abcdefghijklmnopqrstuvwxyz234567',
  'base32-upper': 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567',
  'base36-lower': '0123456789abcdefghijklmnopqrstuvwxyz',
  'base36-upper': '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ',
  base58: '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz',
  base62: '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz',
} as const
const inBase = Object.fromEntries(
  Object.entries(BASES).map(([name, alphabet]): [string, Make] => {
    const { encode } = baseX(alphabet)
    return [name, (random) => encode(bytes(10 + random.below(22), random))]
  }),
)

const hashed = (name: string, encoding: 'hex' | 'base64'): Make => {
  return (random) => createHash(name).update(random.hex(8)).digest(encoding)
}
const HASHES: Readonly<Record<string, Make>> = Object.fromEntries(
  ['md5', 'sha1', 'sha256', 'sha512'].map((name) => [name, hashed(name, 'hex')]),
)

const node = (random: Random) => bytes(6, random)
const UUIDS: Readonly<Record<string, Make>> = {
  'uuid-v1': (random) => {
    const [msecs, clockseq] = [timeMs(random), random.below(2 ** 14)]
    return v1({ msecs, nsecs: random.below(10_000), clockseq, node: node(random) })
  },
  'uuid-v3': (random) => v3(random.hex(8), v3.URL),
  'uuid-v4': (random) => v4({ random: bytes(16, random) }),
  'uuid-v5': (random) => v5(random.hex(8), v5.DNS),
  'uuid-v6': (random) => {
    const [msecs, clockseq] = [timeMs(random), random.below(2 ** 14)]
    return v6({ msecs, nsecs: random.below(10_000), clockseq, node: node(random) })
  },
  'uuid-v7': (random) => v7({ msecs: timeMs(random), random: bytes(16, random) }),
  'uuid-plain': (random) => v4({ random: bytes(16, random) }).replaceAll('-', ''),
}

/** The same in capitals, as macOS, .NET and SQL Server write them. */
const inCapitals = (some: Readonly<Record<string, Make>>): Readonly<Record<string, Make>> =>
  Object.fromEntries(
    Object.entries(some).map(([name, make]) => [`${name}-upper`, (random: Random) => make(random).toUpperCase()]),
  )

/** The last digit makes the sum of an ISIN right: letters count as two digits, and every second digit counts double. */
function isin(random: Random): string {
  const body = `${oneOf(['US', 'DE', 'GB', 'FR', 'IE', 'LU', 'CH'], random)}${digits(9, random)}`
  const asDigits = [...body].map((letter) => Number.parseInt(letter, 36)).join('')
  const sum = [...asDigits].reverse().reduce((total, digit, index) => {
    const value = Number(digit) * (index % 2 === 0 ? 2 : 1)
    return total + (value > 9 ? value - 9 : value)
  }, 0)
  return `${body}${(10 - (sum % 10)) % 10}`
}

const REGIONS = ['us-east-1', 'eu-west-1', 'ap-southeast-2', '']
const RESOURCES = ['role/agent', 'function:decide', 'inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0']

export const IDS: Readonly<Record<string, Make>> = {
  ...UUIDS,
  ...inCapitals(UUIDS),
  'uuid-urn': (random) => `urn:uuid:${v4({ random: bytes(16, random) })}`,
  'uuid-braces': (random) => `{${v4({ random: bytes(16, random) }).toUpperCase()}}`,
  ulid: (random) => ulid(timeMs(random), () => random.number()),
  'ulid-lower': (random) => ulid(timeMs(random), () => random.number()).toLowerCase(),
  ksuid: (random) => KSUID.fromParts(timeMs(random), Buffer.from(bytes(16, random))).string,
  nanoid: (random) => customRandom(urlAlphabet, 21, (size) => bytes(size, random))(),
  objectid: faked(({ database }) => database.mongodbObjectId()),
  'snowflake-twitter': (random) => snowflake(1_288_834_974_657n, random),
  'snowflake-discord': (random) => snowflake(1_420_070_400_000n, random),
  xid: (random) => new Xid(bytes(12, random)).toString(),
  typeid: (random) => TypeID.fromUUIDBytes('user', bytes(16, random)).toString(),
  sqids: (random) => new Sqids({ minLength: 10 }).encode([random.below(1e6), random.below(1e6), random.below(1e6)]),
  ...inBase,
  base64: (random) => Buffer.from(bytes(12 + random.below(40), random)).toString('base64'),
  'base64-url': (random) => Buffer.from(bytes(12 + random.below(40), random)).toString('base64url'),
  ...HASHES,
  ...inCapitals(HASHES),
  'sha256-base64': hashed('sha256', 'base64'),
  'sha384-integrity': (random) => `sha384-${hashed('sha384', 'base64')(random)}`,
  digest: (random) => `sha256:${hashed('sha256', 'hex')(random)}`,
  'git-sha': faked(({ git }) => git.commitSha()),
  'git-sha-short': faked(({ git }) => git.commitSha({ length: 8 })),
  'trace-id': (random) => random.hex(32),
  'span-id': (random) => random.hex(16),
  traceparent: (random) => `00-${random.hex(32)}-${random.hex(16)}-01`,
  arn: (random) =>
    `arn:aws:${oneOf(['iam', 'lambda', 'bedrock'], random)}:${oneOf(REGIONS, random)}:${digits(12, random)}:${oneOf(RESOURCES, random)}`,
  'epoch-s': (random) => String(Math.floor(timeMs(random) / 1000)),
  'epoch-ms': (random) => String(timeMs(random)),
  'epoch-us': (random) => finer(3, random),
  'epoch-ns': (random) => finer(6, random),
  'time-iso': (random) => new Date(timeMs(random)).toISOString(),
  isin,
  sku: (random) =>
    baseX(BASES['base36-upper'])
      .encode(bytes(9, random))
      .slice(0, 12)
      .replace(/.{4}(?=.)/g, '$&-'),
  isbn: faked(({ commerce }) => commerce.isbn()),
  ean: faked(({ commerce }) => commerce.isbn({ separator: '' })),
  upc: faked(({ commerce }) => commerce.upc()),
  vin: faked(({ vehicle }) => vehicle.vin()),
  bic: faked(({ finance }) => finance.bic()),
  imei: faked(({ phone }) => phone.imei()),
  ethereum: faked(({ finance }) => finance.ethereumAddress()),
  bitcoin: faked(({ finance }) => finance.bitcoinAddress()),
  semver: faked(({ system }) => `v${system.semver()}`),
  'flight-locator': faked(({ airline }) => airline.recordLocator({ allowNumerics: true })),
  cron: faked(({ system }) => system.cron()),
  'container-number': (random) => `MSCU${digits(7, random)}`,
  order: (random) => `ORD-2026-${digits(6, random)}`,
  'finetuned-model': (random) => `ft:gpt-4o-mini-2024-07-18:acme::${baseX(BASES.base62).encode(bytes(6, random))}`,
  'call-id': (random) => `call_${baseX(BASES.base62).encode(bytes(18, random))}`,
  'tool-use-id': (random) => `toolu_01${baseX(BASES.base58).encode(bytes(16, random))}`,
  'response-id': (random) => `resp_${random.hex(48)}`,
  'request-id': (random) => `req_011${baseX(BASES.base62).encode(bytes(16, random))}`,
  'thread-id': (random) => `thread_${baseX(BASES.base62).encode(bytes(18, random))}`,
  'pod-name': (random) =>
    `agents-${random.hex(10)}-${baseX(BASES['base36-lower']).encode(bytes(4, random)).slice(0, 5)}`,
}

function snowflake(epoch: bigint, random: Random): string {
  const timestamp = Math.max(timeMs(random), Number(epoch))
  const [workerId, processId, increment] = [
    BigInt(random.below(32)),
    BigInt(random.below(32)),
    BigInt(random.below(4096)),
  ]
  return String(new Snowflake(epoch).generate({ timestamp, workerId, processId, increment }))
}
