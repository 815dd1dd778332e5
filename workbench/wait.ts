import { setTimeout as sleep } from 'node:timers/promises'

/** How long a server may take to answer. A busy machine answers late. */
export const ANSWER_LIMIT_MS = 10_000

/** The HTTP status that a server answers; undefined if it does not answer. */
export const statusOf = (address: string): Promise<number | undefined> =>
  fetch(address, { signal: AbortSignal.timeout(ANSWER_LIMIT_MS) }).then(
    async ({ status, body }) => {
      await body?.cancel()
      return status
    },
    () => undefined,
  )

/** Whether a server answers with success. */
export const isWell = async (address: string): Promise<boolean> => {
  const status = await statusOf(address)
  return status !== undefined && status >= 200 && status < 300
}

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
