import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const folders: string[] = []
process.once('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** A temporary folder for a test or a measurement. It is removed when this program exits. */
export function ownFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'wood-'))
  folders.push(folder)
  return folder
}
