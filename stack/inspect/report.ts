import { type Line, NAMES } from './line.ts'

/** The end of the command: a board or a policy cannot see a service, or all are seen. */
type Verdict = 'blind' | 'seen'

const MARKS = { ok: 'ok  ', note: 'note', blind: 'BAD ', untold: '?   ' } as const
const WIDTH = Math.max(...NAMES.map((name) => name.length)) + 1
const PAD = ' '.repeat(5)

const inOrder = (lines: readonly Line[]) => [...lines].sort((a, b) => NAMES.indexOf(a.name) - NAMES.indexOf(b.name))

export const verdictOn = (lines: readonly Line[]): Verdict =>
  lines.some(({ is }) => is === 'blind') ? 'blind' : 'seen'

/** A line for each thing that was judged, and below it what to paste. `short` names what is well in one line. */
export function reportOn(service: string, lines: readonly Line[], short: boolean): readonly string[] {
  const all = inOrder(lines)
  const shown = short ? all.filter(({ is }) => is === 'note' || is === 'blind') : all
  const rest = short ? all.filter(({ is }) => is === 'ok').map(({ name }) => name) : []
  return [
    `${service}${verdictOn(lines) === 'blind' ? ': a board or a policy does not see it' : ''}`,
    ...shown.flatMap(({ name, is, found, fix }) => [
      `${MARKS[is]} ${name.padEnd(WIDTH)} ${found}`,
      ...fix.map((line) => `${PAD}${' '.repeat(WIDTH)}   ${line}`),
    ]),
    ...(rest.length > 0 ? [`${MARKS.ok} ${rest.join(', ')}`] : []),
  ]
}
