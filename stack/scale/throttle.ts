import { existsSync, readFileSync } from 'node:fs'
import { UserError } from '../../workbench/user-error.ts'

/** The unit of times in /proc: every Linux shows a hundredth of a second there, whatever the kernel counts in. */
const TICKS_PER_SECOND = 100
const CHECK_EVERY_MS = 10
/** What a process may have saved up while it had nothing to do, in seconds of its share. */
const SAVED_SECONDS = 0.5

/** Throws `UserError` where the CPU time of another process cannot be read. */
export function needsProc(): void {
  if (!existsSync('/proc/self/stat'))
    throw new UserError('make scale reads the CPU time of processes from /proc, so it runs on Linux only.')
}

/** The CPU time of a process, in seconds. */
export function cpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name of the program is in brackets, and may hold spaces.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

/** The memory of a process, in bytes. */
export const residentBytes = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024

type Throttle = Readonly<{ end: () => void }>

/**
 * Gives each process at most this share of a core: it is stopped when it has used more, and goes on when it has not. This needs no
 * rights that a user lacks, as a control group often does. `end` lets all of them go on.
 */
export function throttle(pids: readonly number[], share: number): Throttle {
  const began = performance.now()
  const states = pids.map((pid) => ({ pid, usedBefore: cpuSeconds(pid), allowed: 0, isStopped: false, atMs: began }))
  const tell = (one: (typeof states)[number], isStopped: boolean) => {
    if (one.isStopped === isStopped) return
    one.isStopped = isStopped
    process.kill(one.pid, isStopped ? 'SIGSTOP' : 'SIGCONT')
  }
  const look = () => {
    const now = performance.now()
    for (const one of states) {
      try {
        const used = cpuSeconds(one.pid)
        const more = ((now - one.atMs) / 1000) * share - (used - one.usedBefore)
        one.allowed = Math.min(SAVED_SECONDS * share, one.allowed + more)
        one.usedBefore = used
        one.atMs = now
        tell(one, one.allowed < 0)
      } catch {
        // It has ended.
      }
    }
  }
  const timer = setInterval(look, CHECK_EVERY_MS)
  const end = () => {
    clearInterval(timer)
    process.off('exit', end)
    for (const one of states)
      try {
        tell(one, false)
      } catch {
        // It has ended.
      }
  }
  // A stopped process would not see that it should end.
  process.once('exit', end)
  return { end }
}
