import type { TraceRequest } from '../../otlp/json.ts'
import { drawIn, type Format } from '../../workbench/draw.ts'
import { examplesOf, type Family, type Harm, harmIn, percentAltered, type Values } from './alterations.ts'
import { familyOf } from './harmless/corpus.ts'
import { PLANTED } from './recorded.ts'

/** What became of the values in which nothing is private, and of the recorded values of real SDKs. */
export type Harms = Readonly<{ harmless: Harm; recorded: Harm }>

/** The percentage of harmless bytes that may be masked by mistake. No id, no number and no recorded value may be. */
const MOST_ALTERED_PERCENT = 0.1

export function harmsIn(
  harmless: readonly TraceRequest[],
  recorded: ReadonlyMap<string, readonly TraceRequest[]>,
  arrived: Values,
): Harms {
  const each = [...recorded].map(([sdk, requests]) => harmIn(requests, arrived, () => sdk, PLANTED))
  return {
    harmless: harmIn(harmless, arrived, familyOf),
    recorded: {
      families: new Map(each.flatMap(({ families }) => [...families])),
      altered: each.flatMap(({ altered }) => altered),
    },
  }
}

export const isHarmless = ({ harmless, recorded }: Harms): boolean =>
  percentAltered(harmless) <= MOST_ALTERED_PERCENT &&
  recorded.altered.length === 0 &&
  harmless.altered.every(({ family }) => !/^(?:ids|numbers)\b/.test(family))

/** A table of the families, and one of the SDKs. */
export function harmReport({ harmless, recorded }: Harms, format: Format): string {
  const row = (name: string, { values, bytes, altered, masked }: Family) => [
    name,
    ...[values, bytes, altered, masked].map(String),
  ]
  const table = (title: string, masked: string, { families }: Harm) =>
    drawIn(format)([
      [title, 'values', 'bytes', 'altered', masked],
      ...[...families].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, family]) => row(name, family)),
    ])
  const told = `Of the bytes in which nothing is private, ${percentAltered(harmless).toFixed(4)} % were altered.`
  return [
    table('not private', 'cannot be told from a secret', harmless),
    told,
    table('recorded values of an SDK', 'hold a secret, masked', recorded),
    ...[harmless, recorded].map(examplesOf).filter(Boolean),
  ].join('\n\n')
}
