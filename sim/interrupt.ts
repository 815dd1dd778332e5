/**
 * A Ctrl-C reaches a program from the terminal and again from the program that started it. A signal within this
 * time is the same one.
 */
const ECHO_MS = 1000

/** Calls `stop` at the first Ctrl-C or SIGTERM. A second one ends the process at once, with 130. */
export function onInterrupt(stop: () => void, clock = () => performance.now()): void {
  let heard: number | undefined
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      const now = clock()
      if (heard === undefined) {
        heard = now
        stop()
      } else if (now - heard > ECHO_MS) process.exit(130)
    })
  }
}
