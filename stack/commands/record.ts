import { resolve } from 'node:path'
import type { Caller, Command } from '../../workbench/collector.ts'
import { record, type World } from '../../workbench/record.ts'
import { UserError } from '../../workbench/user-error.ts'
import { launcherFor } from '../collectors.ts'
import { SHIPPED_POLICY } from '../policy.ts'
import { tsx } from '../service.ts'
import { ROOT, type Settings, shownAs } from '../settings.ts'
import { RECORDINGS } from '../workbench.ts'

export type Recorded = Readonly<{ seed: string; ticks: string; preset: string; timeFactor: string }>

/** Records a run of the simulator and returns the path. Throws `UserError` for a wrong number. */
export async function makeRecording(
  settings: Settings,
  run: Recorded,
  options: Caller,
  folder = resolve(ROOT, RECORDINGS),
): Promise<string> {
  const { seed, ticks, preset, timeFactor } = run
  for (const [name, value] of Object.entries({ SEED: seed, TICKS: ticks })) {
    if (!/^\d{1,9}$/.test(value)) throw new UserError(`${name} must be a whole number, such as 40, not "${value}".`)
  }
  if (ticks === '0') throw new UserError('TICKS must be 1 or more, such as TICKS=40: with 0 the simulator never ends.')
  if (!(Number(timeFactor) >= 0.1))
    throw new UserError(`TIME_FACTOR must be a number of 0.1 or more, such as 10, not "${timeFactor}".`)
  const launcher = await launcherFor(settings, options)
  const target = resolve(folder, `seed-${seed}-ticks-${ticks}-${preset}.jsonl.gz`)
  const began = Date.now()
  const size = await record(launcher, world(settings, run), resolve(ROOT, SHIPPED_POLICY), target)
  const seconds = ((Date.now() - began) / 1000).toFixed(0)
  options.say(`${shownAs(target)}: ${Math.ceil(size / 1000)} kB, recorded in ${seconds} s`)
  return target
}

function world(settings: Settings, { seed, ticks, preset, timeFactor }: Recorded): World {
  const { PATH = '', HOME = '', TMPDIR } = settings.env
  const shared = { PATH, HOME, ...(TMPDIR ? { TMPDIR } : {}), TIME_FACTOR: timeFactor }
  const program = (script: string, otlp: string, ...args: string[]): Command => ({
    ...tsx(script, ...args),
    env: { ...shared, OTEL_EXPORTER_OTLP_ENDPOINT: otlp },
  })
  return {
    cwd: ROOT,
    model: (port, otlp) => program('sim/mock-vllm/main.ts', otlp, '--port', String(port), '--preset', preset),
    agents: (port, otlp, ledger) =>
      program(
        'sim/main.ts',
        otlp,
        ...['--seed', seed, '--ticks', ticks, '--ledger', ledger, '--base-url', `http://127.0.0.1:${port}/v1`],
      ),
  }
}
