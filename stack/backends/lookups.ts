import PQueue from 'p-queue'

const LOOKUPS_AT_ONCE = 8

/**
 * Looks up the traces of those span keys that are not in `stored` yet, several at a time. An id that is not valid is passed
 * over: no backend stores anything under it.
 */
export async function lookUpMissing(
  keys: readonly string[],
  stored: ReadonlyMap<string, number>,
  lookUp: (traceId: string) => Promise<void>,
): Promise<void> {
  const missing = keys.filter((key) => !stored.has(key)).map((key) => key.split(' ')[0] ?? '')
  const ids = [...new Set(missing)].filter((id) => /^[0-9a-f]{32}$/.test(id))
  await new PQueue({ concurrency: LOOKUPS_AT_ONCE }).addAll(ids.map((id) => () => lookUp(id)))
}
