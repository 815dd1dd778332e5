import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import packageJson from '../package.json' with { type: 'json' }
import type { Entry } from '../sim/ledger.ts'
import { UserError } from '../workbench/user-error.ts'
import { phoenixCost, phoenixSpans, prometheus, tempoSearch, tempoTrace } from './backends.ts'
import { freePorts } from './ports.ts'
import { senderEnvironment } from './receiver-options.ts'
import { tsx } from './services.ts'
import type { Settings } from './settings.ts'

/** How long one backend may take to show what was sent. Seen: 4 s. */
const PATIENCE_MS = 60_000

type Options = Readonly<{ cancel: AbortSignal; say: (line: string) => void }>

/**
 * Sends one marked tick, whose prompts carry an e-mail address nobody has, and follows it to Tempo, Phoenix and
 * Prometheus; then looks for the address in all of them. The fox is made to buy its own mushrooms, so that every
 * policy which keeps errors keeps the tick. Throws `UserError` at the first thing that is not as promised.
 */
export async function verify(settings: Settings, { cancel, say }: Options): Promise<void> {
  const canary = `canary-${randomBytes(6).toString('hex')}@example.com`
  const { run, trace, agents } = await play(settings, canary, cancel)
  say(`ok   one tick was played as ${run}`)

  const within = async <T>(what: string, look: () => Promise<T | undefined>): Promise<T> => {
    const until = Date.now() + PATIENCE_MS
    let problem = 'it is not there'
    while (Date.now() < until) {
      cancel.throwIfAborted()
      const found = await look().catch((error: Error) => {
        problem = error.message
        return undefined
      })
      if (found !== undefined) return found
      await sleep(250)
    }
    throw new UserError(`BAD  ${what}: not within ${PATIENCE_MS / 1000} s: ${problem}`)
  }

  const query = `{ span.gen_ai.conversation.id = "${run}" && span.gen_ai.operation.name = "invoke_workflow" }`
  await within(`Tempo: ${query}; does the policy in force keep traces with an error?`, async () =>
    (await tempoSearch(settings, query)).find(({ traceID }) => traceID.padStart(32, '0') === trace),
  )
  const spans = await tempoTrace(settings, trace)
  const policy = spans.map(({ scope }) => scope['tailsampling.policy']).find(Boolean)
  say(`ok   Tempo finds its ${spans.length} spans by TraceQL; kept by ${policy ?? 'a policy that left no name'}`)

  const [costs, shown] = await within('Phoenix: its model calls with messages and cost', async () => {
    const stored = await phoenixSpans(settings, packageJson.name, trace)
    const calls = stored.filter(
      ({ span_kind, attributes }) => span_kind === 'LLM' && 'llm.output_messages.0.message.role' in attributes,
    )
    if (stored.length < spans.length || calls.length < agents.length) return undefined
    const costs = await Promise.all(calls.map(({ id }) => phoenixCost(settings, id)))
    return costs.every((cost) => cost !== null) ? ([costs, stored] as const) : undefined
  })
  const usd = costs.reduce<number>((sum, cost) => sum + (cost ?? 0), 0)
  say(`ok   Phoenix shows ${costs.length} model calls with their messages, ${usd.toFixed(6)} USD`)

  const series = await within(`Prometheus: tokens of ${agents.join(', ')}`, async () => {
    const samples = await prometheus(
      settings,
      `sum by (gen_ai_agent_name) (gen_ai_client_token_usage_sum{instance="${run}"})`,
    )
    return samples.length === agents.length && samples.every(({ value }) => value > 0) ? samples : undefined
  })
  say(`ok   Prometheus counts tokens of ${series.map(({ labels }) => labels.gen_ai_agent_name).join(', ')}`)

  const labels = await prometheus(settings, `{instance="${run}"}`)
  const texts = { Tempo: text(spans), Phoenix: text(shown), Prometheus: text(labels) }
  for (const [backend, content] of Object.entries(texts)) {
    if (content.includes(canary.split('@')[0] ?? canary))
      throw new UserError(`BAD  ${backend} holds ${canary}: the redaction does not work.`)
  }
  for (const backend of ['Tempo', 'Phoenix'] as const) {
    if (!texts[backend].includes('They say: write to ****'))
      throw new UserError(`BAD  ${backend} does not hold the masked sentence: what came instead?`)
  }
  say('ok   the e-mail address in its prompts is nowhere; **** stands in its place')
}

/** One tick against a mock of its own, so that the check asks nothing of the model server in use. */
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
    const up = async () => {
      for (let tries = 0; tries < 100; tries++) {
        if (
          await fetch(`http://127.0.0.1:${port}/health`).then(
            (response) => response.ok,
            () => false,
          )
        )
          return
        await sleep(100)
      }
      throw new UserError('BAD  the mock model server did not start')
    }
    await up()
    const sim = await execa(file, args, { env, extendEnv: false, reject: false, cancelSignal: cancel })
    if (sim.failed) throw new UserError(`BAD  the tick could not be played:\n${sim.stderr}`)
    if (/could not be sent/.test(sim.stderr))
      throw new UserError(
        `BAD  the collector at ${env.OTEL_EXPORTER_OTLP_ENDPOINT} did not take the spans: is the stack up (make status)? A token or a certificate of make up must be given here too.`,
      )
    const entries = readFileSync(ledger, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Entry)
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

const text = (value: unknown) => JSON.stringify(value, (_key, item) => (typeof item === 'bigint' ? String(item) : item))
