import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { before, test } from 'node:test'
import { type Values, valuesIn } from '../evidence/leak/alterations.ts'
import { carried } from '../evidence/leak/carriers.ts'
import { makeCorpus, type Sent } from '../evidence/leak/corpus.ts'
import { faultsIn, jsonIn } from '../evidence/leak/json-levels.ts'
import { judge, type Leaks, readKnownLeaks } from '../evidence/leak/leak.ts'
import { redacted } from '../evidence/leak/redactor.ts'
import { searcherFor } from '../evidence/leak/search.ts'
import type { TraceRequest } from '../otlp/json.ts'
import { launcherFor } from '../stack/collectors.ts'
import { KNOWN_LEAKS } from '../stack/commands/leak.ts'
import { ownSettings, quiet } from '../stack/own-stack.ts'
import { ROOT, type Settings } from '../stack/settings.ts'

const seed = Number(process.env.SEED ?? 7)
const requestOf = ({ body }: Sent) => JSON.parse(body) as TraceRequest

let settings: Settings
let arrived: readonly TraceRequest[]
let values: Values
const corpus = [...makeCorpus({ seed, count: 30_000 })].filter(({ signal }) => signal === 'traces')
const recorded = [...carried({ seed })]

before(async () => {
  settings = await ownSettings()
  const launcher = await launcherFor(settings, quiet, 'native')
  arrived = await redacted(launcher, [...corpus, ...recorded].map(requestOf))
  values = valuesIn(arrived)
})

/** What leaked, one line for each kind and encoding, with an example. */
function linesOf({ leaks }: Leaks): readonly string[] {
  const groups = Map.groupBy(
    leaks.filter(({ known }) => !known),
    ({ item: { kind, encoding } }) => `${kind}, ${encoding}`,
  )
  return [...groups].map(
    ([name, [leak, ...more]]) => `  ${name}, ${more.length + 1} times: ${leak?.item.needles[0]} (${leak?.item.field})`,
  )
}

for (const [what, sent] of [
  ['any field of a trace', corpus],
  ['a message of a real SDK', recorded],
] as const)
  test(`no secret in ${what} passes, whatever its kind and however it is written`, () => {
    const items = sent.flatMap(({ items }) => items)
    assert.ok(items.length > 1000)
    const found = searcherFor(items.map(({ needles }) => needles))(Buffer.from(JSON.stringify(arrived)))
    const known = readKnownLeaks(readFileSync(resolve(ROOT, KNOWN_LEAKS), 'utf8'), KNOWN_LEAKS)
    const leaks = linesOf(judge(items, new Map([...found].map((index) => [index, ['the redactor']])), known))
    assert.equal(leaks.length, 0, `of ${items.length} secrets these leaked:\n${leaks.join('\n')}`)
  })

for (const [what, sent] of [
  ['made messages', corpus],
  ['messages of real SDKs', recorded],
] as const)
  test(`each level of JSON in ${what} has the same keys and values afterwards, except the secrets`, () => {
    let levels = 0
    const faults = sent.flatMap((each) => {
      const needles = each.items.flatMap(({ needles }) => needles)
      const isSecret = (text: string) => needles.some((needle) => text.includes(needle))
      return [...valuesIn([requestOf(each)])].flatMap(([span, placed]) => {
        const now = new Map((values.get(span) ?? []).map(({ place, value }) => [place, value]))
        return placed.flatMap(({ place, value: { stringValue: was = '' } }) => {
          const json = jsonIn(was)
          if (json === undefined || !now.has(place)) return []
          levels++
          const became = now.get(place)?.stringValue ?? ''
          return faultsIn(json, jsonIn(became), isSecret).map(
            (fault) => `${place}: ${fault}\n    ${was}\n    ${became}`,
          )
        })
      })
    })
    assert.ok(levels > 1000, `only ${levels} values were JSON`)
    assert.equal(faults.length, 0, `${faults.length} faults, for example:\n${faults.slice(0, 20).join('\n')}`)
  })
