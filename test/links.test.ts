import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { test } from 'node:test'
import { execa } from 'execa'
import { ROOT } from '../stack/settings.ts'

const { stdout } = await execa('git', ['ls-files', '*.md'], { cwd: ROOT })
const files = stdout.split('\n')

/** What a page shows as code is no link and no heading. */
const proseOf = (path: string) =>
  readFileSync(resolve(ROOT, path), 'utf8')
    .replace(/^(```+)[\s\S]*?^\1/gm, '')
    .replace(/<!--[\s\S]*?-->/g, '')

/** The names that GitHub gives to the headings of a page. */
function anchorsOf(path: string): ReadonlySet<string> {
  const anchors = new Set<string>()
  for (const [, heading = ''] of proseOf(path).matchAll(/^#{1,6} +(.+?) *$/gm)) {
    const name = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-')
    let [anchor, again] = [name, 0]
    while (anchors.has(anchor)) anchor = `${name}-${++again}`
    anchors.add(anchor)
  }
  return anchors
}

/** The targets of links and pictures: [text](target), and [name]: target. */
const targetsOf = (path: string) => {
  const prose = proseOf(path)
  const inline = prose
    .replace(/`[^`\n]*`/g, '``')
    .matchAll(/\]\(<?([^()\s>]*(?:\([^()\s]*\)[^()\s>]*)*)>?(?: "[^"]*")?\)/g)
  const named = prose.matchAll(/^\[[^\]]+\]: +(\S+)/gm)
  return [...inline, ...named].map(([, target = '']) => target)
}

const isElsewhere = (target: string) => /^[a-z]+:/i.test(target)
const links = files.flatMap((file) => targetsOf(file).map((target) => ({ file, target })))

/** Why a link leads nowhere, or undefined. */
function defectIn({ file, target }: Readonly<{ file: string; target: string }>): string | undefined {
  const [path = '', anchor] = target.split('#')
  const to = path === '' ? file : relative(ROOT, resolve(ROOT, dirname(file), decodeURIComponent(path)))
  if (to.startsWith('..')) return `${file}: ${target} leads out of the repository`
  if (!existsSync(resolve(ROOT, to))) return `${file}: ${target} leads to no file`
  if (anchor && !(to.endsWith('.md') && anchorsOf(to).has(anchor)))
    return `${file}: ${target} leads to no heading of ${to}`
  return undefined
}

test('every link of a page leads to a file, and to a heading, of this repository', (t) => {
  const inside = links.filter(({ target }) => !isElsewhere(target))
  assert.ok(inside.length > 50, `${inside.length} links`)
  assert.deepEqual(
    inside.flatMap((link) => defectIn(link) ?? []),
    [],
  )
  // Others are not asked: they may be down, and this machine may have no network.
  for (const { file, target } of links.filter(({ target }) => isElsewhere(target))) t.diagnostic(`${file}: ${target}`)
})

test('a link to no file, to no heading, or out of the repository is found', () => {
  const defect = (target: string) => defectIn({ file: 'collector/README.md', target }) ?? ''
  assert.equal(defect('../README.md#to-change-x-go-to-y'), '')
  assert.equal(defect('config.yaml'), '')
  assert.match(defect('nowhere.yaml'), /leads to no file$/)
  assert.match(defect('../README.md#nowhere'), /leads to no heading of README\.md$/)
  assert.match(defect('config.yaml#service'), /leads to no heading of collector\/config\.yaml$/)
  assert.match(defect('../../elsewhere.md'), /leads out of the repository$/)
})

test('every command and file that a page quotes exists', () => {
  const targets = new Set(
    [...readFileSync(resolve(ROOT, 'Makefile'), 'utf8').matchAll(/^([a-z]+):/gm)].map(([, name = '']) => name),
  )
  const { scripts } = JSON.parse(readFileSync(resolve(ROOT, 'package.json'), 'utf8')) as { scripts: object }
  const defects: string[] = []
  for (const file of files) {
    // A decision says what was so when it was made.
    if (file.startsWith('docs/decisions/')) continue
    const text = readFileSync(resolve(ROOT, file), 'utf8')
    for (const [, name = ''] of text.matchAll(/(?:^|[`;(] ?)(?:[A-Z_]+=\S+ )*make ([a-z]+)\b/gm))
      if (!targets.has(name)) defects.push(`${file}: there is no make ${name}`)
    for (const [, name = ''] of text.matchAll(/npm run (\w+)/g))
      if (!(name in scripts)) defects.push(`${file}: there is no npm run ${name}`)
  }
  const contributing = readFileSync(resolve(ROOT, 'CONTRIBUTING.md'), 'utf8')
  for (const [, path = ''] of contributing.matchAll(/`([\w./-]+[/.][\w./-]*)`/g))
    if (!path.includes('NAME') && !existsSync(resolve(ROOT, path))) defects.push(`CONTRIBUTING.md: there is no ${path}`)
  assert.deepEqual(defects, [])
})

test('every file of this repository that a comment or a setting names exists', async () => {
  const { stdout } = await execa('git', ['ls-files'], { cwd: ROOT })
  const tracked = stdout.split('\n')
  const folders = new Set(tracked.filter((path) => path.includes('/')).map((path) => path.split('/')[0]))
  const path = /(?<![\w./$}-])([a-z-]+)\/[\w./-]*\w\.(?:ts|ya?ml|md|ini|env|mod|py)\b/g
  // Tests name files that they make or that must not exist; the changelog and decisions name what was.
  const told = tracked.filter(
    (file) => !/^test\/|\.test\.ts$|^CHANGELOG|^docs\/decisions\/|\.(?:gz|png|sum)$|lock\.json$/.test(file),
  )
  const defects: string[] = []
  for (const file of told) {
    for (const [name, folder = ''] of readFileSync(resolve(ROOT, file), 'utf8').matchAll(path))
      if (folders.has(folder) && !/NAME|ID/.test(name) && !existsSync(resolve(ROOT, name)))
        defects.push(`${file}: there is no ${name}`)
  }
  assert.ok(told.length > 300, `${told.length} files`)
  assert.deepEqual(defects, [])
})
