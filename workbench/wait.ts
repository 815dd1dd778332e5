import { setTimeout as sleep } from 'node:timers/promises'

type Patience = Readonly<{
  withinMs: number
  /** Between two questions. */
  everyMs?: number
  cancel?: AbortSignal
}>

/**
 * Asks until there is an answer, and returns it. `false` and `undefined` are not answers. Returns undefined when the time
 * is up, after it has asked one last time. Throws the reason when it is cancelled.
 */
export async function waitFor<T>(
  ask: () => T | Promise<T>,
  { withinMs, everyMs = 100, cancel }: Patience,
): Promise<Exclude<T, false | undefined> | undefined> {
  for (const until = performance.now() + withinMs; ; ) {
    cancel?.throwIfAborted()
    const isLast = performance.now() >= until
    const answer = await ask()
    if (answer !== false && answer !== undefined) return answer as Exclude<T, false | undefined>
    if (isLast) return undefined
    await sleep(everyMs, undefined, { signal: cancel })
  }
}
