import assert from 'node:assert/strict'
import { chmodSync, cpSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { execa } from 'execa'
import { ownFolder } from '../stack/own-folder.ts'
import { ROOT } from '../stack/settings.ts'

/**
 * macOS ships make 3.81 (gnumake-136) and BSD tools. Neither is here, so these tests hold the Makefile to rules with which it cannot
 * fail there. With a build of that make from Apple's source, every target worked (last tried 2026-11-28).
 */
const MAKEFILE = readFileSync(resolve(ROOT, 'Makefile'), 'utf8')
const targets = /^\.PHONY: (.+)$/m.exec(MAKEFILE)?.[1]?.split(' ') ?? []

const folder = ownFolder()

/** What make itself takes a variable for. It is not read from the text, so nothing in the text can mislead. */
async function variableIn(text: string, name: string): Promise<string | undefined> {
  const file = join(folder, 'Makefile.asked')
  writeFileSync(file, text)
  const asked = ['-npq', '-f', file, 'help']
  const { stdout } = await execa('make', asked, { cwd: ROOT, reject: false, env: { LC_ALL: 'C' } })
  return new RegExp(`^${name} :?= (.*)$`, 'm').exec(stdout)?.[1]
}

/** Every make starts a line without shell characters by itself, if SHELL is this. That of macOS does so with the PATH that it was started with. */
const SHELL_OF_MAKE = '/bin/sh'

test('every line of a recipe goes through a shell, so that it sees the PATH that the Makefile exports', async () => {
  const shell = await variableIn(MAKEFILE, 'SHELL')
  assert.ok(shell && shell !== SHELL_OF_MAKE, `SHELL is ${shell}: make of macOS finds no tsx`)
  assert.equal(resolve(shell), SHELL_OF_MAKE, 'and it is the shell that every system has')
  assert.match((await variableIn(MAKEFILE, 'PATH')) ?? '', /^[^:]*\/node_modules\/\.bin:/)
  assert.match(MAKEFILE, /^export PATH := /m)
  assert.doesNotMatch(MAKEFILE, /^\S+:\s*(?:export )?(?:SHELL|PATH)\s*:?=/m, 'no target has its own')
})

test('without the line that sets it, make would start the lines by itself', async () => {
  const without = MAKEFILE.replace(/^SHELL := .*\n/m, '')
  assert.notEqual(without, MAKEFILE)
  assert.equal(await variableIn(without, 'SHELL'), SHELL_OF_MAKE)
})

test('every target runs its program from node_modules/.bin, though the PATH outside has no such program', async () => {
  const copy = join(folder, 'copy')
  const bin = join(copy, 'node_modules/.bin')
  for (const path of [bin, 'viewer/node_modules', 'viewer/dist']) mkdirSync(resolve(copy, path), { recursive: true })
  cpSync(resolve(ROOT, 'Makefile'), join(copy, 'Makefile'))
  for (const name of ['node', 'tsx', 'tsc', 'biome']) {
    writeFileSync(join(bin, name), `#!/bin/sh\necho "$0 $*"\n`)
    chmodSync(join(bin, name), 0o755)
  }
  const [old, now] = [new Date(Date.now() - 60_000), new Date()]
  const installed = ['node_modules/.package-lock.json', 'viewer/node_modules/.package-lock.json', 'viewer/dist/main.js']
  const before = ['package.json', 'package-lock.json', 'viewer/package.json', 'viewer/package-lock.json']
  for (const path of [...before, ...installed]) {
    const time = installed.includes(path) ? now : old
    writeFileSync(join(copy, path), '')
    utimesSync(join(copy, path), time, time)
  }
  const env = { PATH: '/usr/bin:/bin', HOME: folder }
  await execa('git', ['init', '-q'], { cwd: copy, env, extendEnv: false })
  assert.ok(targets.length > 25)
  for (const target of targets.filter((name) => name !== 'help')) {
    const { stdout } = await execa('make', ['--no-print-directory', target], { cwd: copy, env, extendEnv: false })
    for (const line of stdout.split('\n'))
      assert.match(line, /^\S+\/node_modules\/\.bin\/(?:node|tsx|tsc|biome) /, target)
  }
})

test('a Ctrl-C reaches each program itself, which then stops what it has started', async () => {
  const between = MAKEFILE.split('\n').filter((line) => /^\t@?tsx (?!--test )/.test(line))
  assert.deepEqual(between, [], 'the command tsx kills what does not answer at once')
})

test('what npm says while it installs does not come before the answer of a command', async () => {
  const [copy, bin] = [ownFolder(), ownFolder()]
  const programs = join(copy, 'node_modules/.bin')
  mkdirSync(programs, { recursive: true })
  for (const file of ['package.json', 'package-lock.json']) writeFileSync(join(copy, file), '')
  cpSync(resolve(ROOT, 'Makefile'), join(copy, 'Makefile'))
  for (const [file, text] of [
    [join(programs, 'node'), 'echo a list'],
    [join(bin, 'npm'), 'echo added 3 packages'],
  ] as const)
    writeFileSync(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  const env = { PATH: `${bin}:/usr/bin:/bin`, HOME: folder }
  const { stdout } = await execa('make', ['--no-print-directory', 'limit'], { cwd: copy, env, extendEnv: false })
  assert.equal(stdout, 'a list')
})

test('make help shows every target with what it does', async () => {
  const { stdout } = await execa('make', ['--no-print-directory', 'help'], { cwd: ROOT })
  const shown = [...stdout.matchAll(/^ {2}make ([a-z]+) +\S/gm)].map(([, name]) => name)
  assert.deepEqual(shown, targets)
  for (const title of ['Run', 'Look', 'Tune', 'Prove']) assert.match(stdout, new RegExp(`^\\n?${title}$`, 'm'))
})

/** What make 3.81 or a BSD tool does not know, with a line that has it and a line that only looks like it. */
const NEWER: Readonly<Record<string, readonly [pattern: RegExp, has: string, hasNot: string]>> = {
  'a target with an attribute of make 3.82 or newer': [
    /^\.(?:ONESHELL|RECIPEPREFIX|NOTPARALLEL\s*:.*\S)/m,
    '.ONESHELL:',
    '.PHONY: up',
  ],
  'an assignment of make 4': [/^[A-Za-z_]+\s*(?:!=|:::?=)/m, 'now != date', 'now := date'],
  'grouped targets of make 4.3': [/^[^#\t].*&:/m, 'a b &: c', '\t@true && echo a:'],
  'a word of make 3.82 or newer': [/^(?:private|undefine)\s/m, 'undefine A', 'undefined := A'],
  'a function of make 4': [/\$\((?:file|let|intcmp|guile)\s/, '$(file > a,b)', '$(filter a,b)'],
  'a line break or a tab in a replacement, which BSD sed takes for a letter': [
    /\bsed\b.*\bs(.)(?:(?!\1).)*\1(?:(?!\1).)*\\[nt]/,
    "sed -E 's/^a/\\n/'",
    "sed -E 's/a\\.b/c/'",
  ],
  'sed -i, which takes a suffix on BSD': [/\bsed\b[^|;]* -i\b/, 'sed -E -i s/a/b/ f', 'sed -n s/a/b/p f'],
  'an option that only GNU tools have': [
    /\bgrep\b[^|;]* -[a-zA-Z]*P|\bsort\b[^|;]* -[a-z]*V|\bdate\b[^|;]* -d\b|\bxargs\b[^|;]* -r\b|\bstat\b[^|;]* -c\b|\bcp\b[^|;]* -[a-z]*[al]/,
    'ls | sort -V',
    'ls | sort -u; cp -R a b',
  ],
  'base64 or mktemp with options of GNU': [/\bbase64\b[^|;]* -w|\bmktemp\b[^|;]* --/, 'base64 -w 0', 'base64 < f'],
}

const SHELL_BLOCK = /```sh\n([\s\S]*?)```/g
const texts = new Map([
  ['Makefile', MAKEFILE],
  ['.ci/run', readFileSync(resolve(ROOT, '.ci/run'), 'utf8')],
  ...[
    'README.md',
    'docs/your-agents.md',
    'collector/README.md',
    'evidence/README.md',
    'workbench/README.md',
    'grafana/README.md',
  ].map((file) => {
    const blocks = [...readFileSync(resolve(ROOT, file), 'utf8').matchAll(SHELL_BLOCK)].map(([, text]) => text)
    return [file, blocks.join('\n')] as const
  }),
])

for (const [what, [pattern, has, hasNot]] of Object.entries(NEWER))
  test(`no command uses ${what}`, () => {
    assert.match(has, pattern)
    assert.doesNotMatch(hasNot, pattern)
    for (const [file, text] of texts) assert.doesNotMatch(text, pattern, file)
  })
