import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parse, stringify } from 'yaml'
import { settings as shipped } from '../grafana/source/settings.ts'
import { durationOf } from '../workbench/duration.ts'
import { UserError } from '../workbench/user-error.ts'
import { activePolicy } from './policy.ts'
import type { Settings } from './settings.ts'

/** How long the sampler waits, by the user's variable, with the key of its setting. */
const KEYS = {
  DECISION_WAIT: 'decision_wait',
  DECISION_WAIT_AFTER_ROOT: 'decision_wait_after_root_received',
} as const
const NAMES = ['DECISION_WAIT', 'DECISION_WAIT_AFTER_ROOT'] as const
type Waits = Readonly<Partial<Record<(typeof NAMES)[number], string>>>

const SECOND = 1e9
const LONGEST_SECONDS = 86_400

/**
 * The file with the waits that the user chose. The Collector loads it last, in both boots. It is a file and not a variable,
 * because a running process keeps its environment, and a reload must be able to change the waits.
 */
export const waitsFile = (settings: Settings): string => resolve(dirname(activePolicy(settings)), 'waits.yaml')

/** The waits that the environment names. Throws `UserError` when one is not valid. */
export function waitsIn({ env }: Settings): Waits {
  const given = NAMES.filter((name) => env[name])
  for (const name of given) {
    const seconds = (durationOf(env[name] ?? '') ?? 0) / SECOND
    if (!Number.isInteger(seconds) || seconds < 1 || seconds > LONGEST_SECONDS)
      throw new UserError(
        `${name} must be a whole number of seconds from 1s to 24h, such as ${name}=20s or ${name}=10m, not "${env[name]}". The sampler decides once a second.`,
      )
  }
  return Object.fromEntries(given.map((name) => [name, env[name]]))
}

/** The waits of the last start or reload. */
function waitsInForce(settings: Settings): Waits {
  const file = waitsFile(settings)
  if (!existsSync(file)) return {}
  const sampler = parse(readFileSync(file, 'utf8'))?.processors?.tail_sampling ?? {}
  return Object.fromEntries(NAMES.flatMap((name) => (sampler[KEYS[name]] ? [[name, String(sampler[KEYS[name]])]] : [])))
}

/** Writes the waits that the environment names; the others are those of config.yaml. */
export const startWithWaits = (settings: Settings): void => write(settings, waitsIn(settings))

/**
 * For a reload: changes the waits that the environment names, and keeps the others as they are. Returns what it put in force,
 * in a sentence; undefined when nothing changes.
 */
export function changeWaits(settings: Settings): string | undefined {
  const before = waitsInForce(settings)
  const now = { ...before, ...waitsIn(settings) }
  const changed = NAMES.filter((name) => now[name] !== before[name])
  if (changed.length === 0) return undefined
  write(settings, now)
  return changed.map((name) => `${name}=${now[name]}`).join(', ')
}

function write(settings: Settings, waits: Waits): void {
  const keys = Object.fromEntries(NAMES.flatMap((name) => (waits[name] ? [[KEYS[name], waits[name]]] : [])))
  const file = waitsFile(settings)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, stringify({ processors: { tail_sampling: keys } }))
}

/** The waits in force, also where nobody chose them. */
export const waitsNow = (settings: Settings): Readonly<{ root: string; afterRoot: string }> => {
  const { DECISION_WAIT, DECISION_WAIT_AFTER_ROOT } = waitsInForce(settings)
  return {
    root: DECISION_WAIT ?? shipped.decisionWait,
    afterRoot: DECISION_WAIT_AFTER_ROOT ?? shipped.decisionWaitAfterRoot,
  }
}
