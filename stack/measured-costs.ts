import { UserError } from '../workbench/user-error.ts'
import { committedTable } from './measured.ts'
import type { Measured, Waiting } from './plan.ts'

/** The columns of the table of costs in docs/measured/scale.md, which `make plan` reads. */
export const COSTS_HEAD = [
  'content',
  'kept',
  'one Collector',
  'gateways',
  'samplers',
  'second tier',
  'bytes of a span between the tiers',
  'bytes of a kept span',
] as const

/** One row of that table. */
export const costRow = ({
  kilobytes,
  kept,
  one,
  gateways,
  samplers,
  hopBytes,
  keptBytes,
}: Measured): readonly string[] => [
  `${kilobytes} KB`,
  `${(kept * 100).toFixed(1)} %`,
  ...[one, gateways, samplers, gateways + samplers - one].map((us) => us.toFixed(1)),
  ...[hopBytes, keptBytes].map((bytes) => bytes.toFixed(0)),
]

const COST_ROW = /^\| (\d+) KB \| ([\d.]+) % \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| -?[\d.]+ \| (\d+) \| (\d+) \|$/gm

/** What `make scale` measured last, from docs/measured/scale.md. Throws `UserError` when that is missing or was edited. */
export function measuredCosts(): readonly Measured[] {
  const rows = [...committedTable('scale').matchAll(COST_ROW)].map((row) => {
    const [kilobytes = 0, kept = 0, one = 0, gateways = 0, samplers = 0, hopBytes = 0, keptBytes = 0] = row
      .slice(1)
      .map(Number)
    return { kilobytes, kept: kept / 100, one, gateways, samplers, hopBytes, keptBytes }
  })
  if (rows.length < 2)
    throw new UserError('docs/measured/scale.md has no table of costs. To write it again: make scale')
  return rows
}

/** What `make bench` measured last of spans that wait, from docs/measured/speed.md. Throws `UserError` when it does not say. */
export function measuredWaiting(): readonly Waiting[] {
  const found = [...committedTable('speed').matchAll(/([\d.]+) KiB at ([\d.]+) KB of content/g)].map(
    ([, kib, size]) => ({
      kilobytes: Number(size),
      kib: Number(kib),
    }),
  )
  if (found.length < 2)
    throw new UserError(
      'docs/measured/speed.md does not say how much memory a span needs that waits. To write it again: make bench BENCH=speed',
    )
  return found
}
