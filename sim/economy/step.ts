import { fuelNeeded, harvest, seasonAt } from './seasons.ts'
import {
  type AgentName,
  CREATURES,
  GOODS,
  type Goods,
  type Holdings,
  perAgent,
  perGood,
  totalGoods,
  totalPebbles,
  type World,
} from './world.ts'

/** Food beyond this amount spoils before the next tick: hoarding must cost something. */
const LARDER = 8

const MEAL_CHEERS = 0.04
const HUNGER_HURTS = 0.06

type Change = Readonly<{ world: World; amounts: Goods }>

const clampMood = (mood: number) => Math.round(Math.min(1, Math.max(0.1, mood)) * 1000) / 1000

/** The start of a tick: each creature brings home what it makes. The only source of goods. */
export function produce(world: World): Change {
  const season = seasonAt(world.tick)
  const agents = perAgent((agent) => {
    const good = CREATURES[agent].produces
    const { goods, ...holdings } = world.agents[agent]
    return { ...holdings, goods: { ...goods, [good]: goods[good] + harvest(season, good) } }
  })
  return changed(world, { ...world, agents })
}

/** The end of a tick: eat, burn firewood, lose what spoiled. The only sink of goods. */
export function consume(world: World): Change {
  const agents = perAgent((agent) => afterMeal(agent, world))
  return changed(world, { ...world, agents })
}

function afterMeal(agent: AgentName, world: World): Holdings {
  const { goods, mood, pebbles } = world.agents[agent]
  let cheer = 0
  const left = perGood((good) => {
    let stock = goods[good]
    if ((CREATURES[agent].needs as readonly string[]).includes(good)) {
      const wanted = good === 'firewood' ? fuelNeeded(seasonAt(world.tick)) : 1
      const had = Math.min(stock, wanted)
      stock -= had
      cheer += had === wanted ? MEAL_CHEERS : -HUNGER_HURTS
    }
    return good === 'firewood' ? stock : Math.min(stock, LARDER)
  })
  return { pebbles, mood: clampMood(mood + cheer), goods: left }
}

/** An agent's mood moves halfway to the mood that the agent names. Meals do the rest. */
export function feel(world: World, moods: Readonly<Partial<Record<AgentName, number>>>): World {
  const agents = perAgent((agent) => {
    const holdings = world.agents[agent]
    return { ...holdings, mood: clampMood((holdings.mood + (moods[agent] ?? holdings.mood)) / 2) }
  })
  return { ...world, agents }
}

/** The world does not add up. That is a bug in this program: no decision of an agent can cause it. */
export class NotConserved extends Error {}

/**
 * Throws `NotConserved` when the pebbles changed in total, or when goods changed other than by production and
 * consumption. The run must not go on after that.
 */
export function assertConserved(before: World, after: World, produced: Goods, consumed: Goods): void {
  const held = totalPebbles(before)
  const now = totalPebbles(after)
  if (held !== now)
    throw new NotConserved(`tick ${before.tick}: pebbles are not conserved: ${held} before, ${now} after (hundredths)`)
  const start = totalGoods(before)
  const end = totalGoods(after)
  for (const good of GOODS) {
    const expected = start[good] + produced[good] + consumed[good]
    if (end[good] !== expected) {
      throw new NotConserved(`tick ${before.tick}: ${good} are not conserved: expected ${expected}, found ${end[good]}`)
    }
  }
}

function changed(before: World, world: World): Change {
  const start = totalGoods(before)
  const end = totalGoods(world)
  return { world, amounts: perGood((good) => end[good] - start[good]) }
}
