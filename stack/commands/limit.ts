import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { settings as shipped } from '../../grafana/source/settings.ts'
import { limited } from '../../workbench/limit.ts'
import { UserError } from '../../workbench/user-error.ts'
import { refuseDefects } from '../policy.ts'
import { ROOT, shownAs } from '../settings.ts'

const GB = 1e9
const MIB = 1024 ** 2

/** A list that keeps at most so many GB a day. Throws `UserError` with the defects of the list, or for a wrong number. */
export function limitedList(policy: string, gbPerDay: string | undefined): string {
  const bytesPerDay = Number(gbPerDay || Number.NaN) * GB
  if (!(bytesPerDay > 0 && Number.isFinite(bytesPerDay)))
    throw new UserError(`GB must be how many GB a day may be kept, such as GB=20 or GB=0.5, not "${gbPerDay ?? ''}".`)
  const path = resolve(ROOT, policy)
  refuseDefects(policy)
  return `# ${shownAs(path)} with a limit: at most ${gbPerDay} GB a day. Written by make limit.\n${limited(
    readFileSync(path, 'utf8'),
    { bytesPerDay, largestTraceBytes: shipped.largestTraceMiB * MIB },
  )}`
}
