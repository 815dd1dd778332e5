import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { before, describe, test } from 'node:test'
import { readRecordings } from '../evidence/foreign/recordings.ts'
import { idOf, type Outcome } from '../evidence/foreign/replay.ts'
import { scatteredOutcome } from '../evidence/foreign/scattered.ts'
import { PROMISES, sdksSummary, verdictsOf } from '../evidence/foreign/verdicts.ts'
import { eachSpan } from '../otlp/json.ts'
import { launcherFor } from '../stack/collectors.ts'
import { inReadme } from '../stack/measured.ts'
import { ownSettings, quiet } from '../stack/own-stack.ts'
import { SHIPPED_POLICY } from '../stack/policy.ts'
import { ROOT, type Settings } from '../stack/settings.ts'

const recordings = readRecordings()
/** What the agents of the recordings were told, in every prompt. */
const PLANTED = [
  'maria.lopez@acme-corp.com',
  '4111 1111 1111 1111',
  '+1 415 555 0132',
  'sk-proj-Zq8rT2vXy7Lw9Kd3Hf6Jm1Np5Bs4Gc0A',
]

let settings: Settings
let outcome: Outcome

before(async () => {
  settings = await ownSettings({ BOOT: 'native' })
  const launcher = await launcherFor(settings, quiet, 'native')
  const bodies = recordings.flatMap(({ runs }) => runs.map(({ body }) => body))
  outcome = await scatteredOutcome(launcher, bodies, 7, resolve(ROOT, SHIPPED_POLICY))
})

test('every recording has its entry, and every entry its recording', () => {
  const files = readdirSync(resolve(ROOT, 'evidence/foreign/recordings')).map((name) => name.replace('.jsonl.gz', ''))
  assert.deepEqual(recordings.map(({ name }) => name).sort(), files.sort())
  assert.ok(recordings.length >= 13)
  assert.ok(recordings.every(({ runs }) => runs.length >= 5))
})

for (const recording of recordings) {
  describe(recording.expected.sdk, () => {
    for (const [promise, ask] of Object.entries(PROMISES)) {
      test(promise, () => {
        const verdict = ask(recording, outcome)
        assert.notEqual(verdict.is, 'no', 'why' in verdict ? verdict.why : '')
      })
    }
  })
}

test('the table in the README is what make sdks would write', () =>
  assert.equal(inReadme('sdks'), sdksSummary(verdictsOf(recordings, outcome))))

test('most promises are kept, and are not excused as not sent', () => {
  const all = verdictsOf(recordings, outcome).flatMap(({ verdicts }) => [...verdicts.values()])
  const kept = all.filter(({ is }) => is === 'yes').length
  assert.ok(kept > all.length * 0.6, `${kept} of ${all.length}`)
})

test('every run that must be kept and can be told is kept', () => {
  const must = recordings.flatMap(({ runs, expected }) =>
    runs.filter(
      (run) => run.class !== 'ordinary' && run.class !== 'stream' && expected.notSent[run.class] === undefined,
    ),
  )
  assert.ok(must.length >= 100, `${must.length}`)
  const lost = must.filter(({ trace }) => !outcome.kept.get(trace)?.startsWith('keep-'))
  assert.deepEqual(
    lost.map((run) => `${run.class} ${run.trace}`),
    [],
  )
})

test('a run is kept whole, though four processes send it', () => {
  const kept = recordings.flatMap(({ runs }) => runs.filter(({ trace }) => outcome.kept.has(trace)))
  const missing = kept
    .flatMap(({ body }) => Array.from(eachSpan(body), ({ span }) => idOf(span)))
    .filter((id) => !outcome.stored.has(id))
  assert.ok(kept.length >= 100, `${kept.length}`)
  assert.deepEqual(missing, [])
})

test('nothing that was planted in the prompts is left', () => {
  const sent = recordings.map(({ runs }) => JSON.stringify(runs)).join('')
  for (const secret of PLANTED) {
    assert.ok(sent.includes(secret), `${secret} was sent`)
    assert.ok(!outcome.text.includes(secret), `${secret} is left`)
  }
})
