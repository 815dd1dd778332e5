import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { examplesOf, type Harm, percentAltered } from '../evidence/leak/alterations.ts'
import type { Harms } from '../evidence/leak/harm-report.ts'
import { recordedTraces } from '../evidence/leak/recorded.ts'
import { findHarm } from '../stack/commands/leak.ts'
import { ownSettings, quiet } from '../stack/own-stack.ts'
import type { Settings } from '../stack/settings.ts'

const SEED = Number(process.env.SEED ?? 7)

let settings: Settings
let harms: Harms

before(async () => {
  settings = await ownSettings()
  harms = await findHarm(settings, SEED, quiet)
})

/** At least this many values of families with this beginning were sent, and each left the redactor as it came. */
function isUnaltered({ families, altered }: Harm, beginning: string, atLeast: number): void {
  const isOne = (family: string) => family.startsWith(beginning)
  const values = [...families].reduce((sum, [family, { values }]) => sum + (isOne(family) ? values : 0), 0)
  assert.ok(values >= atLeast, `only ${values} values`)
  const ours = altered.filter(({ family }) => isOne(family))
  assert.equal(ours.length, 0, `\n${examplesOf({ families, altered: ours })}`)
}

describe('what is not private leaves the redactor as it came:', () => {
  test('ids of more than thirty families', () => {
    assert.ok([...harms.harmless.families.keys()].filter((family) => family.startsWith('ids')).length > 30)
    isUnaltered(harms.harmless, 'ids', 40_000)
  })
  test('numbers', () => isUnaltered(harms.harmless, 'numbers', 50_000))
  test('texts and pictures', () => isUnaltered(harms.harmless, 'texts', 3000))
  test('attributes of this project and of other SDKs', () => isUnaltered(harms.harmless, 'attributes', 20_000))
  test('at most one byte in a thousand', () => assert.ok(percentAltered(harms.harmless) <= 0.1))
})

describe('what real SDKs sent is masked where its four secrets are, and nowhere else:', () => {
  const sdks = [...recordedTraces().keys()]
  assert.ok(sdks.length >= 13)
  for (const sdk of sdks) test(sdk, () => isUnaltered(harms.recorded, sdk, 20))
})
