import assert from 'node:assert/strict'
import { readdirSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { before, describe, test } from 'node:test'
import { askWorkbench, goldenOf } from '../stack/commands/tune.ts'
import { committedTable } from '../stack/measured.ts'
import { ownSettings, quiet, WAITING_AT_ONCE } from '../stack/own-stack.ts'
import { SHIPPED_POLICY, shippedList } from '../stack/policy.ts'
import { ROOT, type Settings } from '../stack/settings.ts'
import { CLASSES, RECORDINGS } from '../stack/workbench.ts'
import type { Findings } from '../workbench/report.ts'

let settings: Settings

before(async () => {
  settings = await ownSettings({ BOOT: 'native' })
})

describe('the committed table', WAITING_AT_ONCE, () => {
  test('the shipped list does what docs/measured/tune.md says', async () => {
    const changes = changed(committedTable('tune'), await goldenOf(settings, SHIPPED_POLICY, quiet))
    assert.equal(changes, '', `the list decides differently. If this is on purpose, run make golden:\n${changes}`)
  })

  /** The rows that differ, each with the old and the new text. */
  function changed(was: string, is: string): string {
    const [before, now] = [was.split('\n'), is.split('\n')]
    const gone = before.filter((row) => !now.includes(row)).map((row) => `- ${row}`)
    const come = now.filter((row) => !before.includes(row)).map((row) => `+ ${row}`)
    return [...gone, ...come].join('\n') || (was === is ? '' : 'the rows stand in another order')
  }

  test('a list that decides differently gives another table', async () => {
    const file = resolve(settings.state, 'patient.yaml')
    writeFileSync(file, shippedList().replace(/"\$\{env:SLOW_CALL[^}]*\}"/, '"350ms"'))
    const changes = changed(committedTable('tune'), await goldenOf(settings, file, quiet))
    assert.match(changes, /^- \| slow-call .*^\+ \| slow-call /ms)
    assert.doesNotMatch(changes, /parse-error \(must keep\)/)
  })
})

describe('the shipped list keeps all must-keep traces of every committed recording', WAITING_AT_ONCE, () => {
  const recordings = readdirSync(resolve(ROOT, RECORDINGS)).filter((name) => name.endsWith('.jsonl.gz'))
  assert.ok(recordings.length > 0)
  for (const name of recordings) {
    test(name, async () => {
      const recording = `${RECORDINGS}/${name}`
      const asked = {
        a: SHIPPED_POLICY,
        b: undefined,
        recording,
        classes: CLASSES,
        format: 'json',
        speed: undefined,
      } as const
      const { a } = JSON.parse((await askWorkbench(settings, asked, quiet)).text) as Findings
      assert.ok(
        a.table.classes.some(({ mustKeep, sent }) => mustKeep && sent > 0),
        'there is something to keep',
      )
      for (const row of a.table.classes) if (row.mustKeep) assert.equal(row.missed, 0, row.class)
    })
  }
})
