import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import {
  fakerAR,
  fakerDV,
  fakerEL,
  fakerEN,
  fakerFA,
  fakerHE,
  fakerHY,
  fakerJA,
  fakerKA_GE,
  fakerKO,
  fakerNE,
  fakerRU,
  fakerTH,
  fakerUR,
  fakerVI,
  fakerZH_CN,
} from '@faker-js/faker'
import { parse } from 'yaml'
import type { Random } from '../../../random/random.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const HERE = import.meta.dirname

/** One file in each language: of other projects where they are installed here, and small programs in code/ for the rest. */
const CODE_OF_OTHERS = [
  'node_modules/yaml/dist/compose/composer.js',
  'node_modules/zod/src/v4/core/regexes.ts',
  'node_modules/protobufjs/google/protobuf/descriptor.proto',
  'node_modules/@biomejs/biome/configuration_schema.json',
  'node_modules/@faker-js/faker/package.json',
  'node_modules/commander/Readme.md',
]

/** Files of others name their authors: a line with an address or a telephone number is not harmless. */
const withoutAddresses = (text: string) =>
  text
    .split('\n')
    .filter((line) => !/@[\w-]+\.\w|\d{1,3}(?:\.\d{1,3}){3}|:\/\/[^/\s]*:[^/\s]*@/.test(line))
    .join('\n')

/** A file in pieces that an attribute can hold whole. */
const PIECE = 6000
const pieces = (text: string) => text.match(new RegExp(`[\\s\\S]{1,${PIECE}}`, 'g')) ?? []

const filesIn = (folder: string) => readdirSync(folder).map((name) => join(folder, name))

/** Texts that are always the same: lines of texts.yaml and files of code, by family. */
export function fixedTexts(): Readonly<Record<string, readonly string[]>> {
  const lines = parse(readFileSync(join(HERE, 'texts.yaml'), 'utf8')) as Record<string, string[]>
  const files = [...CODE_OF_OTHERS.map((path) => join(ROOT, path)), ...filesIn(join(HERE, 'code'))]
  const code = files.flatMap((path) => pieces(withoutAddresses(readFileSync(path, 'utf8'))))
  return { ...lines, files: code }
}

/** Faker has texts in these scripts; names of people and cities where it has no prose. */
const PROSE = [fakerAR, fakerDV, fakerFA, fakerHE, fakerHY, fakerJA, fakerKO, fakerRU, fakerUR, fakerVI]
const NAMES = [fakerEL, fakerKA_GE, fakerNE, fakerTH, fakerZH_CN]

/** Texts that are new each time. */
export const NEW_TEXTS: Readonly<Record<string, (random: Random) => string>> = {
  'prose in ten scripts': (random) => {
    const faker = PROSE[random.below(PROSE.length)] ?? fakerRU
    faker.seed(random.below(2 ** 31))
    return faker.lorem.paragraph()
  },
  'names in five scripts': (random) => {
    const faker = NAMES[random.below(NAMES.length)] ?? fakerEL
    faker.seed(random.below(2 ** 31))
    return `${faker.person.fullName()}, ${faker.location.city()}`
  },
  'words of the trade': (random) => {
    fakerEN.seed(random.below(2 ** 31))
    const { hacker, commerce, git, system, company, date } = fakerEN
    return `${hacker.phrase()} ${commerce.productDescription()} ${company.catchPhrase()}: ${commerce.price()} EUR. ${git.branch()} ${git.commitDate({ refDate: '2026-11-28' })} ${system.filePath()} ${system.mimeType()} ${date.recent({ refDate: '2026-11-28' }).toISOString()} 😀👩‍🚀`
  },
  browsers: (random) => {
    fakerEN.seed(random.below(2 ** 31))
    return fakerEN.internet.userAgent()
  },
  'data in JSON': (random) => {
    fakerEN.seed(random.below(2 ** 31))
    const { commerce, string, number, location, database, color, airline } = fakerEN
    return JSON.stringify({
      id: string.uuid(),
      product: commerce.productName(),
      price: Number(commerce.price()),
      at: [location.latitude(), location.longitude()],
      big: number.int(),
      ratio: number.float(),
      key: string.alphanumeric(24),
      column: database.column(),
      color: color.rgb(),
      flight: airline.flightNumber({ addLeadingZeros: true }),
      nested: JSON.stringify({ isbn: commerce.isbn(), upc: commerce.upc() }),
    })
  },
}

/** A picture as agents that see send it: random bytes, as a good compressor leaves them, in base64. */
export function picture(random: Random, bytes: number): string {
  const content = Buffer.alloc(bytes)
  for (let at = 0; at < bytes; at += 32) content.write(random.hex(64), at, 'hex')
  return `data:image/png;base64,${content.toString('base64')}`
}
