const SEASONS = ['spring', 'summer', 'autumn', 'winter'] as const
type Season = (typeof SEASONS)[number]

/** Long enough for prices to follow the weather, short enough for a winter in every five minutes of `make up`. */
const TICKS_PER_SEASON = 12

export const seasonAt = (tick: number): Season =>
  SEASONS[Math.floor(tick / TICKS_PER_SEASON) % SEASONS.length] ?? 'spring'

/** Units of a good its maker brings home in one tick. Supply stays just below what all can eat. */
export function harvest(season: Season, good: string): number {
  if (good === 'honey') return 1
  if (good === 'firewood') return season === 'winter' ? 4 : 3
  return season === 'winter' ? 1 : 2
}

/** Firewood one creature burns in a tick; with food, the only sink of goods. */
export const fuelNeeded = (season: Season): number => (season === 'winter' ? 2 : 1)
