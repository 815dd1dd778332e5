import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { ROOT, readSettings } from '../settings.ts'
import { askExplain, KEPT_HOURS } from './explain.ts'

const ASKED = { trace: undefined, last: undefined, agent: undefined, service: undefined, format: 'text' } as const

test('the README shows what make explain says today of a committed recording', async () => {
  const [block = '', file = '', trace = '', shown] =
    /```\n\$ make explain FILE=(\S+) TRACE=(\S+)\n([\s\S]*?)\n?```/.exec(
      readFileSync(resolve(ROOT, 'README.md'), 'utf8'),
    ) ?? []
  const said = await askExplain(readSettings(), { ...ASKED, trace, file: resolve(ROOT, file) })
  assert.equal(
    shown,
    said,
    `the README is not up to date: put this into it, below ${block.split('\n')[1]}\n\n${said}\n`,
  )
})

test('a folder in the place of a file is refused in words', () =>
  assert.rejects(
    askExplain(readSettings(), { ...ASKED, file: 'docs' }),
    /^Error: FILE=docs cannot be read: it is a folder\. A file has OTLP JSON/,
  ))

test('the hours that a message names are those that Tempo keeps a block', () => {
  const kept = /^ *block_retention: \$\{TEMPO_BLOCK_RETENTION:-(\w+)\}$/m.exec(
    readFileSync(resolve(ROOT, 'grafana/tempo.yaml'), 'utf8'),
  )
  assert.equal(kept?.[1], `${KEPT_HOURS}h`)
})
