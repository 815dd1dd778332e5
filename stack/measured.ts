import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import type { Format } from '../workbench/draw.ts'
import { UserError } from '../workbench/user-error.ts'
import { BACKENDS, served } from './backends/backends.ts'
import { versionOf } from './native.ts'
import { ROOT } from './settings.ts'

/** What a command found, and whether the promise holds. A summary is in the README. */
export type Result = Readonly<{ report: (format: Format) => string; holds: boolean; summary?: string }>

const servers = served(BACKENDS).map(({ server }) => server.recipe)

/** The tables in docs/measured/: which command writes each, and on which programs it depends. */
export const MEASURED = {
  tune: { command: 'make golden', programs: ['collector'] },
  recall: { command: 'make recall', programs: ['collector'] },
  sdks: { command: 'make sdks', programs: ['collector'] },
  mutation: { command: 'make mutation', programs: ['collector'] },
  bias: { command: 'make bias', programs: ['collector'] },
  leak: { command: 'make leak', programs: ['collector', 'prometheus', ...servers] },
  drills: { command: 'make drill', programs: ['collector', ...servers] },
  tiers: { command: 'make drill DRILL=tiers', programs: ['collector'] },
  scale: { command: 'make scale', programs: ['collector'] },
  speed: { command: 'make bench', programs: ['collector'] },
  bench: { command: 'make bench', programs: ['collector', 'prometheus', ...servers] },
} as const satisfies Record<string, Readonly<{ command: string; programs: readonly string[] }>>
export type MeasuredName = keyof typeof MEASURED

const fileOf = (name: MeasuredName) => `docs/measured/${name}.md`

/** Writes a table with its command, day, machine and versions. Returns the path. */
export function writeMeasured(name: MeasuredName, table: string): string {
  const { command, programs } = MEASURED[name]
  const day = new Date().toISOString().slice(0, 10)
  const versions = programs.map((program) => `${program} ${versionOf(program)}`).join(', ')
  const head = `<!-- Written by ${command}. Do not edit: run it again. -->\n\n${day}, ${availableParallelism()} cores, ${versions}.`
  writeFileSync(resolve(ROOT, fileOf(name)), `${head}\n\n${table.trim()}\n`)
  return fileOf(name)
}

const marks = (name: string) => [`<!-- Written by make ${name}. -->\n`, `\n<!-- End of make ${name}. -->`] as const

/** Puts a text between the marks of a command in the README. Throws `UserError` when the marks are not there. */
export function writeInReadme(name: MeasuredName, text: string): void {
  const [before, after] = partsOfReadme(name)
  writeFileSync(resolve(ROOT, 'README.md'), [before, text.trim(), after].join('\n'))
}

/** What stands between the marks now. */
export const inReadme = (name: MeasuredName): string => partsOfReadme(name)[2].trim()

function partsOfReadme(name: MeasuredName): readonly [before: string, after: string, between: string] {
  const [begin, end] = marks(name)
  const readme = readFileSync(resolve(ROOT, 'README.md'), 'utf8')
  const [from, to] = [readme.indexOf(begin) + begin.length, readme.indexOf(end)]
  if (from < begin.length || to < from)
    throw new UserError(
      `README.md must have the lines "${begin.trim()}" and "${end.trim()}": make ${name} writes between them.`,
    )
  return [readme.slice(0, from), readme.slice(to), readme.slice(from, to)]
}

/** The committed table. Throws `UserError` when the file is missing or does not have this form. */
export function committedTable(name: MeasuredName): string {
  const path = resolve(ROOT, fileOf(name))
  const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
  const [, table] = /^<!-- Written by [^\n]* -->\n\n[^\n]*\n\n([\s\S]*)\n$/.exec(text) ?? []
  if (table === undefined)
    throw new UserError(`${fileOf(name)} is missing or was edited. To write it again: ${MEASURED[name].command}`)
  return table
}
