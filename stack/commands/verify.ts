import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { execa } from 'execa'
import packageJson from '../../package.json' with { type: 'json' }
import { readLedger } from '../../sim/ledger.ts'
import { type Caller, sumOf } from '../../workbench/collector.ts'
import { UserError } from '../../workbench/user-error.ts'
import { isWell, waitFor } from '../../workbench/wait.ts'
import type { Backend, Tick } from '../backends/backend.ts'
import { chosenBackends, exporterOf, served } from '../backends/backends.ts'
import { freePorts } from '../ports.ts'
import { pageOf, prometheus } from '../queries.ts'
import { senderEnvironment } from '../receiver-options.ts'
import { startLimitMs, tsx } from '../service.ts'
import type { Settings } from '../settings.ts'
import { judges } from '../tiers.ts'

/** How long one backend may take to show what was sent. With the shipped waits it takes 8 to 9 s; on a busy machine, more than a minute. */
const PATIENCE_MS = 180_000

/**
 * Sends one marked tick and finds it in each backend and in Prometheus. The prompts of the tick hold an e-mail address that
 * nobody has; then this searches all of them for the address. The fox is made to buy its own mushrooms, so every policy that
 * keeps errors keeps the tick. Throws `UserError` at the first check that fails.
 */
export async function verify(settings: Settings, { cancel, say }: Caller): Promise<void> {
  const canary = `canary-${randomBytes(6).toString('hex')}@example.com`
  const backends = chosenBackends(settings)
  const elsewhere = backends.filter(({ server }) => !server)
  const before = new Map<Backend, HandedOn>()
  for (const backend of elsewhere) before.set(backend, await handedOn(settings, backend))
  const { run, trace, agents } = await play(settings, canary, cancel)
  say(`ok   one tick was played as ${run}`)

  const within = async <T>(what: string, look: () => Promise<T | undefined>): Promise<T> => {
    let problem = 'not found'
    const tried = () =>
      look().catch((error: Error) => {
        problem = error.message
        return undefined
      })
    const found = await waitFor(tried, { withinMs: PATIENCE_MS, everyMs: 250, cancel })
    if (found !== undefined) return found as T
    throw new UserError(`BAD  ${what}: not within ${PATIENCE_MS / 1000} s: ${problem}`)
  }

  const tick: Tick = { run, trace, agents, project: packageJson.name }
  const seen: { title: string; content: string }[] = []
  let spans = 0
  for (const { title, server } of served(backends)) {
    const shown = await within(`${title}: all spans of the tick`, async () => {
      const found = await server.shows(settings, tick)
      spans = Math.max(spans, found?.spans ?? 0)
      return found && found.spans >= spans ? found : undefined
    })
    say(`ok   ${title} ${shown.sentence}`)
    seen.push({ title, content: shown.content })
  }
  // This backend cannot be queried from here. The collector counts which spans it accepted; other traffic is in the count too.
  for (const backend of elsewhere) {
    const { sent, failed } = before.get(backend) ?? { sent: 0, failed: 0 }
    const logs = judges(settings).map(({ name }) => `S=${name}`)
    const why = `To see why: make logs ${logs.join(' or ')}`
    // A relay takes only some of them.
    const least = backend.relay ? 1 : Math.max(spans, 1)
    const now = await within(`${backend.title}: the spans of the tick are sent`, async () => {
      const found = await handedOn(settings, backend)
      if (found.failed > failed || found.sent - sent >= least) return found
      throw new Error(`it took ${found.sent - sent} of ${least}, and the Collector tries again. ${why}`)
    })
    if (now.failed > failed)
      throw new UserError(
        `BAD  ${backend.title} refused ${now.failed - failed} spans, so it does not have them. ${why}`,
      )
    const rest = backend.relay ? ` for ${backend.relay.to.title}` : '; look there for the rest'
    say(`ok   ${backend.title} took ${now.sent - sent} spans${rest}`)
  }

  const series = await within(`Prometheus: tokens of ${agents.join(', ')}`, async () => {
    const samples = await prometheus(
      settings,
      `sum by (gen_ai_agent_name) (gen_ai_client_token_usage_sum{instance="${run}"})`,
    )
    return samples.length === agents.length && samples.every(({ value }) => value > 0) ? samples : undefined
  })
  say(`ok   Prometheus counts tokens of ${series.map(({ labels }) => labels.gen_ai_agent_name).join(', ')}`)

  const labels = await prometheus(settings, `{instance="${run}"}`)
  for (const { title, content } of [...seen, { title: 'Prometheus', content: JSON.stringify(labels) }]) {
    if (content.includes(canary.split('@')[0] ?? canary))
      throw new UserError(`BAD  ${title} holds ${canary}: the redaction does not work.`)
  }
  for (const { title, content } of seen) {
    if (!content.includes('They say: write to ****'))
      throw new UserError(
        `BAD  ${title} does not hold the masked sentence "They say: write to ****". Search it for ${run}.`,
      )
  }
  say('ok   the e-mail address of the prompts was found nowhere; **** is in its place')
}

type HandedOn = Readonly<{ sent: number; failed: number }>

/** How many spans the backend has accepted from the collector since the start of the collector, and how many it has refused for good. */
async function handedOn(settings: Settings, { id }: Backend): Promise<HandedOn> {
  const pages = await Promise.all(judges(settings).map((one) => pageOf(one.settings)))
  const count = (name: string) => sumOf(pages.join('\n'), name, `exporter="${exporterOf(id)}"`)
  return { sent: count('otelcol_exporter_sent_spans'), failed: count('otelcol_exporter_send_failed_spans') }
}

/** One tick with a separate mock server, so that the check sends nothing to the model server in use. */
async function play(settings: Settings, canary: string, cancel: AbortSignal) {
  const folder = mkdtempSync(resolve(tmpdir(), 'verify-'))
  const ledger = resolve(folder, 'ledger.jsonl')
  const [port = 0] = await freePorts(1)
  const env = {
    PATH: settings.env.PATH ?? '',
    ...senderEnvironment(settings),
    VLLM_PORT: String(port),
  }
  const { file, args } = tsx('sim/main.ts', '--ticks', '1', '--ledger', ledger, '--rumour', `write to ${canary}`)
  const mock = tsx('sim/mock-vllm/main.ts', '--preset', 'calm', '--rate', 'self_buy@fox=1')
  const server = execa(mock.file, mock.args, {
    env,
    extendEnv: false,
    reject: false,
    cancelSignal: cancel,
    stdout: 'ignore',
  })
  try {
    const isUp = () => isWell(`http://127.0.0.1:${port}/health`)
    if (!(await waitFor(isUp, { withinMs: startLimitMs(settings), cancel })))
      throw new UserError('BAD  the mock model server did not start')
    const sim = await execa(file, args, { env, extendEnv: false, reject: false, cancelSignal: cancel })
    if (sim.failed) throw new UserError(`BAD  the simulator failed:\n${sim.stderr}`)
    if (/could not be sent/.test(sim.stderr))
      throw new UserError(
        `BAD  the collector at ${env.OTEL_EXPORTER_OTLP_ENDPOINT} did not accept the spans. To see whether the stack is up: make status. If make up had a token or a certificate, give it here too.`,
      )
    const entries = readLedger(ledger)
    const run = entries.find((entry) => entry.kind === 'run')?.run ?? ''
    const trace = entries.find((entry) => entry.kind === 'tick')?.trace ?? ''
    const agents = entries.flatMap((entry) => (entry.kind === 'turn' ? [entry.agent] : []))
    return { run, trace, agents }
  } finally {
    server.kill()
    await server
    rmSync(folder, { recursive: true, force: true })
  }
}
