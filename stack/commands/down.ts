import { rmSync } from 'node:fs'
import { haltNative } from '../boot.ts'
import { haltDocker, hasDockerData } from '../docker.ts'
import { forget, remembered } from '../remembered.ts'
import type { Settings } from '../settings.ts'

/** Stops everything. With `state`, also removes data and logs. */
export async function down(
  settings: Settings,
  { state, say }: Readonly<{ state: boolean; say: (line: string) => void }>,
): Promise<void> {
  const boot = remembered(settings)?.boot
  if (boot === 'docker' || (state && hasDockerData(settings))) await haltDocker(settings, state)
  await haltNative(settings, say)
  forget(settings)
  if (state) rmSync(settings.state, { recursive: true, force: true })
  say(
    state
      ? 'down; state and logs are removed'
      : boot
        ? 'down; state is kept in .stack/ (make clean removes it)'
        : 'nothing was up',
  )
}
