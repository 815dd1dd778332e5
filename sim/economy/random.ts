import { createHash } from 'node:crypto'

/**
 * Dice without state: the same key always rolls the same number in [0, 1), so five agents
 * deciding at once cannot disturb each other's luck by finishing in another order.
 */
export function roll(...key: readonly (string | number)[]): number {
  return createHash('sha256').update(key.join('\u0000')).digest().readUIntBE(0, 6) / 2 ** 48
}
