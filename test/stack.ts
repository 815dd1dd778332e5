import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import type { Entry } from '../sim/ledger.ts'
import { bootNative, haltNative } from '../stack/boot.ts'
import { portsOfItsOwn } from '../stack/ports.ts'
import { senderEnvironment } from '../stack/receiver-options.ts'
import { tsx } from '../stack/services.ts'
import { readSettings, type Settings, url } from '../stack/settings.ts'

export type Run = Readonly<{ id: string; entries: readonly Entry[]; spans: number; said: string }>

/** Settings for a test: free ports, a temporary folder, and only the named environment. */
export async function testPlace(extra: Readonly<Record<string, string>> = {}): Promise<Settings> {
  const shipped = readSettings(mkdtempSync(resolve(tmpdir(), 'wood-test-')))
  const env = { ...shipped.env }
  for (const name of ['GRAFANA_HOME', 'VLLM_BASE_URL', 'TIME_FACTOR', 'SLOW_CALL', 'TOKEN_HEAVY']) delete env[name]
  return { ...shipped, ports: await portsOfItsOwn(), env: { ...env, ...extra } }
}

/** Starts the named services of the real stack. Returns a function that stops them and removes their files. */
export async function startStack(
  settings: Settings,
  policy: string,
  only: readonly string[],
): Promise<() => Promise<void>> {
  const said: string[] = []
  const say = (line: string) => void said.push(line)
  const end = async () => {
    await haltNative(settings, say)
    rmSync(settings.state, { recursive: true, force: true })
  }
  process.once('SIGINT', () => void end().then(() => process.exit(130)))
  await bootNative(settings, { policy, only, cancel: new AbortController().signal, say }).catch(async (error) => {
    await end()
    throw error
  })
  return end
}

/** Runs ticks with the model server of these settings and returns the ledger. */
export async function play(settings: Settings, ...flags: readonly string[]): Promise<Run> {
  const ledger = resolve(settings.state, `ledger-${process.hrtime.bigint()}.jsonl`)
  const { file, args, cwd } = tsx(
    'sim/main.ts',
    '--ledger',
    ledger,
    '--base-url',
    url(settings, 'VLLM_PORT', '/v1'),
    ...flags,
  )
  const { stderr } = await execa(file, args, {
    cwd,
    env: {
      PATH: settings.env.PATH ?? '',
      TIME_FACTOR: settings.env.TIME_FACTOR ?? '1',
      ...senderEnvironment(settings),
    },
    extendEnv: false,
    timeout: 600_000,
  })
  const entries = readFileSync(ledger, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Entry)
  const id = entries.find((entry) => entry.kind === 'run')?.run ?? ''
  return { id, entries, spans: Number(/all (\d+) spans were sent/.exec(stderr)?.[1] ?? Number.NaN), said: stderr }
}

/** Tries twice a second until it succeeds. After the time limit, throws the last error. */
export async function eventually<T>(look: () => Promise<T>, seconds = 60, cancel?: AbortSignal): Promise<T> {
  const until = Date.now() + seconds * 1000
  for (;;) {
    try {
      return await look()
    } catch (error) {
      if (Date.now() > until) throw error
      await sleep(500, undefined, cancel && { signal: cancel })
    }
  }
}
