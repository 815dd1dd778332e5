import { relative } from 'node:path'
import { statusNative } from '../boot.ts'
import { statusDocker } from '../docker.ts'
import { remembered } from '../remembered.ts'
import { ROOT, type Settings } from '../settings.ts'

/** Prints which services run. Returns whether all of them do. */
export async function status(settings: Settings, say: (line: string) => void): Promise<boolean> {
  const boot = remembered(settings)?.boot
  if (!boot) {
    say('down: make up starts the stack')
    return true
  }
  const rows: readonly { name: string; state: string; log?: string }[] =
    boot === 'docker' ? await statusDocker(settings) : await statusNative(settings)
  for (const { name, state, log } of rows)
    say(`${name.padEnd(11)} ${state.padEnd(34)} ${log ? relative(ROOT, log) : ''}`)
  return rows.every(({ state }) => state.startsWith('running') && !state.endsWith('not ready'))
}
