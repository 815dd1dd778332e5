/** One arm of an experiment: its turns, and those in which an order was refused. */
export type Arm = Readonly<{ name: string; turns: number; refused: number }>

/** For an interval that holds the true difference in 95 of 100 experiments. */
const Z = 1.959964

/** What is known of a share of so many turns (Wilson). */
function wilson({ turns, refused }: Arm): readonly [number, number] {
  const share = refused / turns
  const middle = share + Z ** 2 / (2 * turns)
  const half = Z * Math.sqrt((share * (1 - share)) / turns + Z ** 2 / (4 * turns ** 2))
  return [(middle - half) / (1 + Z ** 2 / turns), (middle + half) / (1 + Z ** 2 / turns)]
}

/** The first share minus the second, and the interval of the difference (Newcombe 1998, method 10): right for few turns, too. */
export function difference(one: Arm, other: Arm) {
  const [p, q] = [one.refused / one.turns, other.refused / other.turns]
  const [[lowP, highP], [lowQ, highQ]] = [wilson(one), wilson(other)]
  return {
    points: p - q,
    low: p - q - Math.hypot(p - lowP, highQ - q),
    high: p - q + Math.hypot(highP - p, q - lowQ),
  }
}

/** Whether one arm is refused less, in two lines. Nothing when only one arm had turns. */
export function armsReport(arms: readonly Arm[]): readonly string[] {
  const [one, other] = arms.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  if (one === undefined || other === undefined) return []
  const percent = (share: number) => (100 * share).toFixed(1)
  const told = ({ name, turns, refused }: Arm) =>
    `${name} in ${refused} of ${turns} turns (${percent(refused / turns)} %)`
  const { points, low, high } = difference(one, other)
  const may = low > 0 || high < 0 ? 'more than chance' : 'chance may do as much'
  return [
    `orders were refused: ${told(one)}, ${told(other)}`,
    `${one.name} minus ${other.name}: ${percent(points)} points, 95 % interval ${percent(low)} to ${percent(high)}: ${may}.`,
  ]
}
