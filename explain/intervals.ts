/** A stretch of time, in milliseconds. */
export type Interval = Readonly<{ start: number; end: number }>

/** The same time without overlaps, in order. */
export function merged(intervals: readonly Interval[]): readonly Interval[] {
  const parts: { start: number; end: number }[] = []
  for (const { start, end } of intervals.toSorted((one, other) => one.start - other.start)) {
    const last = parts.at(-1)
    if (last && start <= last.end) last.end = Math.max(last.end, end)
    else parts.push({ start, end })
  }
  return parts
}

/** How much time they cover together. */
export const covered = (intervals: readonly Interval[]): number =>
  merged(intervals).reduce((sum, { start, end }) => sum + end - start, 0)

/** Whether some time is in both. Both are merged. */
export function overlap(one: readonly Interval[], other: readonly Interval[]): boolean {
  let [i, j] = [0, 0]
  for (;;) {
    const [a, b] = [one[i], other[j]]
    if (!a || !b) return false
    if (Math.min(a.end, b.end) > Math.max(a.start, b.start)) return true
    if (a.end <= b.end) i++
    else j++
  }
}
