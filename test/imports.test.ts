import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, posix, resolve } from 'node:path'
import { test } from 'node:test'

/**
 * What each room may import, and why: a room, or one file of a room. A room stands below every room that it imports, so the
 * arrows point one way. Tests may import more: a test often needs two rooms.
 */
const ROOMS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  otlp: {},
  vocabulary: {},
  random: {},
  examples: {},
  'grafana/source': { vocabulary: 'the names of metrics and labels' },
  phoenix: {
    otlp: 'reads the evaluations of kept traces',
    vocabulary: 'the names of evaluations',
    'grafana/source': 'the type of a price: the price file has one reader',
  },
  explain: { otlp: 'the spans of a trace', vocabulary: 'the names that it reads' },
  sim: {
    vocabulary: 'the names that it sends',
    random: 'seeded numbers',
    explain: 'an agent may recall its last turn, in the words of make explain',
    otlp: 'the trace of that turn, as Tempo answers it',
  },
  viewer: { otlp: 'the values that Tempo answers', explain: 'draws who calls whom' },
  workbench: {
    otlp: 'reads and builds traces',
    vocabulary: 'the names of attributes',
    random: 'seeded numbers',
  },
  evidence: {
    otlp: 'reads and builds traces',
    vocabulary: 'the names of attributes',
    random: 'seeded numbers',
    workbench: 'replays traces through the Collector',
  },
  stack: {
    otlp: 'reads traces that a backend answers',
    vocabulary: 'the names of attributes',
    random: 'seeded numbers',
    explain: 'its command explains a trace of Tempo',
    workbench: 'its commands start the workbench',
    evidence: 'its commands start the proofs, and its backends answer with their types',
    'grafana/source': 'reads prices and writes the boards with the ports of this stack',
    phoenix: 'gives Phoenix the prices',
    'sim/ledger.ts': 'verify and bench compare what is stored with what the simulator wrote down',
    'sim/interrupt.ts': 'both programs end in the same way at Ctrl-C, and sim/ may not import stack/',
  },
}

const ROOT = resolve(import.meta.dirname, '..')
const IMPORT = /\b(?:from|import)\s*\(?\s*['"](\.{1,2}\/[^'"]+)['"]/g

type Import = Readonly<{ from: string; to: string }>

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts', '*.tsx'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .trim()
  .split('\n')
  .filter((file) => !file.startsWith('test/') && !file.endsWith('.test.ts'))

const importsOf = (from: string, source: string): readonly Import[] =>
  [...source.matchAll(IMPORT)].map(([, path = '']) => ({ from, to: posix.join(posix.dirname(from), path) }))

const roomOf = (file: string): string =>
  file.startsWith('grafana/source/') ? 'grafana/source' : (file.split('/')[0] ?? '')

/** An import that the table does not allow, in words; undefined when it is allowed. */
function refusal({ from, to }: Import): string | undefined {
  const room = roomOf(from)
  const allowed = ROOMS[room]
  if (!allowed)
    return `${from}: the room ${room}/ is not in the table of test/imports.test.ts. Add it, with what it may import.`
  if (roomOf(to) === room || to === 'package.json' || roomOf(to) in allowed || to in allowed) return undefined
  return `${from} imports ${to}: ${room}/ may import ${Object.keys(allowed).join(', ') || 'no other room'}.`
}

const imports = files.flatMap((file) => importsOf(file, readFileSync(join(ROOT, file), 'utf8')))

test('every import points to a room that the table allows', () => {
  assert.ok(imports.length > 200, `only ${imports.length} imports were found: the pattern no longer fits the source`)
  assert.deepEqual(imports.map(refusal).filter(Boolean), [])
})

test('every room with TypeScript is in the table', () => {
  assert.deepEqual(
    [...new Set(files.map(roomOf))].filter((room) => !(room in ROOMS)),
    [],
  )
})

test('the arrows point one way: a room may import only rooms above it in the table', () => {
  const order = Object.keys(ROOMS)
  for (const [index, room] of order.entries())
    for (const target of Object.keys(ROOMS[room] ?? {}).filter((target) => order.includes(target)))
      assert.ok(order.indexOf(target) < index, `${room} may import ${target}, which stands below it`)
})

test('a single file that the table allows is still imported', () => {
  const single = Object.values(ROOMS).flatMap((allowed) =>
    Object.keys(allowed).filter((target) => target.endsWith('.ts')),
  )
  assert.deepEqual(
    single.filter((file) => !imports.some(({ to }) => to === file)),
    [],
  )
})

test('an import against the arrows is refused, however it is written', () => {
  const against = [
    "import { start } from '../stack/boot.ts'",
    "import type { Settings } from '../stack/settings.ts'",
    "export { start } from '../stack/boot.ts'",
    "import '../stack/main.ts'",
    "const { start } = await import('../stack/boot.ts')",
  ]
  for (const line of against) {
    const [found] = importsOf('workbench/tune.ts', line)
    assert.ok(found, line)
    assert.match(
      refusal(found) ?? '',
      /^workbench\/tune\.ts imports stack\/\w+\.ts: workbench\/ may import otlp, vocabulary, random\.$/,
    )
  }
  const [tick] = importsOf('stack/main.ts', "import { tick } from '../sim/economy/tick.ts'")
  assert.ok(tick && refusal(tick))
})
