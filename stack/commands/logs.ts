import { execa } from 'execa'
import { UserError } from '../../workbench/user-error.ts'
import { logsDocker } from '../docker.ts'
import { logFile, started } from '../processes.ts'
import { remembered } from '../remembered.ts'
import type { Settings } from '../settings.ts'

/** Follows the logs, of one service or of all, until cancelled. */
export async function logs(settings: Settings, service: string | undefined, cancel: AbortSignal): Promise<void> {
  if (remembered(settings)?.boot === 'docker') return logsDocker(settings, service, cancel)
  const names = started(settings)
  if (names.length === 0)
    throw new UserError('no service is running here, so there are no logs to follow. Old logs are in .stack/logs/.')
  if (service && !names.includes(service))
    throw new UserError(`there is no service "${service}". These services run: ${names.join(', ')}.`)
  const files = (service ? [service] : names).map((name) => logFile(settings, name))
  await execa('tail', ['-n', service ? '100' : '20', '-F', ...files], {
    stdio: 'inherit',
    reject: false,
    cancelSignal: cancel,
  })
}
