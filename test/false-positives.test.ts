import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { examplesOf, harmIn, percentAltered, type Values, valuesIn } from '../evidence/leak/alterations.ts'
import { familyOf, makeHarmless } from '../evidence/leak/harmless/corpus.ts'
import { PLANTED, recordedTraces } from '../evidence/leak/recorded.ts'
import { redacted } from '../evidence/leak/redactor.ts'
import type { TraceRequest } from '../otlp/json.ts'
import { launcherFor } from '../stack/collectors.ts'
import { ownSettings } from '../stack/own-stack.ts'
import type { Settings } from '../stack/settings.ts'

const SIZE = {
  seed: Number(process.env.SEED ?? 7),
  ids: 20_000,
  numbers: 100_000,
  pictures: { count: 2, bytes: 3_000_000 },
}

let settings: Settings
let arrived: Values
const harmless: readonly TraceRequest[] = [...makeHarmless(SIZE)]
const recorded = recordedTraces()

before(async () => {
  settings = await ownSettings()
  const launcher = await launcherFor(settings, { cancel: new AbortController().signal, say: console.error }, 'native')
  arrived = valuesIn(await redacted(launcher, [...harmless, ...[...recorded.values()].flat()]))
})

after(() => rmSync(settings.state, { recursive: true, force: true }))

describe('what real SDKs sent is masked where its four secrets are, and nowhere else:', () => {
  assert.equal(recorded.size, 13)
  for (const [sdk, requests] of recorded) {
    test(sdk, () => {
      const harm = harmIn(requests, arrived, () => sdk, PLANTED)
      assert.ok((harm.families.get(sdk)?.values ?? 0) > 100)
      assert.equal(harm.altered.length, 0, `\n${examplesOf(harm)}`)
    })
  }
})

describe('what is not private leaves the redactor as it came:', () => {
  for (const group of ['ids', 'numbers', 'texts', 'attributes']) {
    test(group, () => {
      const harm = harmIn(harmless, arrived, (place) => {
        const family = familyOf(place)
        return family?.startsWith(group) ? family : undefined
      })
      assert.ok(harm.families.size > 0)
      assert.equal(harm.altered.length, 0, `\n${examplesOf(harm)}`)
    })
  }

  test('at most one byte in a thousand', () => {
    assert.ok(percentAltered(harmIn(harmless, arrived, familyOf)) <= 0.1)
  })
})
