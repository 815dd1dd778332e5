/** tsx, which starts these programs, passes a Ctrl-C on when its child seems not to have heard it: an echo, no second one. */
const ECHO_MS = 1000

/** Calls `stop` at the first Ctrl-C or SIGTERM. A second one ends the process at once, with 130. */
export function onInterrupt(stop: () => void): void {
  let heard: number | undefined
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (heard === undefined) {
        heard = performance.now()
        stop()
      } else if (performance.now() - heard > ECHO_MS) process.exit(130)
    })
  }
}
