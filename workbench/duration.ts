const NANOS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 }

/** A duration as Go writes it, such as `1m30s` or `200ms`, in nanoseconds; undefined for any other text. */
export function durationOf(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)]
  return Math.round(parts.reduce((sum, [, number, unit = '']) => sum + Number(number) * (NANOS[unit] ?? 0), 0))
}

/** The same in milliseconds; NaN for any other text. */
export const millisecondsOf = (text: string): number => (durationOf(text) ?? Number.NaN) / 1e6

/** In seconds or milliseconds, to the microsecond, so that a threshold and a value just below it look different. */
export function shownTime(nanos: bigint): string {
  const isShort = nanos < 1_000_000_000n && nanos > -1_000_000_000n
  return isShort ? `${Number((Number(nanos) / 1e6).toFixed(3))} ms` : `${Number((Number(nanos) / 1e9).toFixed(6))} s`
}
