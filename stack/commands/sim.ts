import { execa } from 'execa'
import { senderEnvironment } from '../receiver-options.ts'
import { tsx } from '../service.ts'
import type { Settings } from '../settings.ts'

/** Runs the simulator against the model server and the Collector of this stack. Its options are variables. Returns whether it went well. */
export async function simulate(settings: Settings, cancel: AbortSignal): Promise<boolean> {
  const { file, args, cwd } = tsx('sim/main.ts')
  const env = { ...senderEnvironment(settings), ...settings.env }
  const running = execa(file, args, { cwd, env, stdio: 'inherit', reject: false })
  // It finishes its tick first. A Ctrl-C reaches it from the terminal, too, and is the same one.
  cancel.addEventListener('abort', () => running.kill('SIGTERM'))
  return !(await running).failed
}
