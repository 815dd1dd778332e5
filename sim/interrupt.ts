/** tsx starts these programs and may pass one Ctrl-C on to them twice. A signal within this time is the same one. */
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
