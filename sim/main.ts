import { randomBytes } from 'node:crypto'
import OpenAI from 'openai'
import { askWith } from './agents/ask.ts'
import { placeOrderWith, type Turn, takeTurnWith, tokensOf } from './agents/decide.ts'
import { ADVICE, RECALL } from './agents/prompt.ts'
import { withRecall } from './agents/recall.ts'
import { runTool } from './agents/tools.ts'
import { type Arm, armsReport } from './arms.ts'
import { LIMITS, readConfig } from './config.ts'
import { type Message, seal } from './economy/queue.ts'
import { seasonAt } from './economy/seasons.ts'
import { market, type Tick, tickWith, tradesOf } from './economy/tick.ts'
import { AGENTS, newWorld } from './economy/world.ts'
import { onInterrupt } from './interrupt.ts'
import { lastTurnFrom } from './last-turn.ts'
import { type Ledger, openLedger } from './ledger.ts'
import { findModelServer } from './model-server.ts'
import { run } from './run.ts'
import { metersWith } from './telemetry/meters.ts'
import { setTelemetryDefaults, startTelemetry } from './telemetry/sdk.ts'
import { tracedWith } from './telemetry/traced.ts'

const NO_LEDGER: Ledger = { write: () => {}, close: async () => {} }

async function main(): Promise<void> {
  const config = readConfig(process.argv.slice(2), process.env)
  setTelemetryDefaults()
  const started = new Date().toISOString()
  const runId = `run-${started.slice(0, 19).replace(/\D/g, '')}-${randomBytes(2).toString('hex')}`
  const clock = () => performance.now()
  const stop = stopOnSignal()

  const server = await findModelServer(config)
  const ledger = config.ledger ? openLedger(config.ledger) : NO_LEDGER
  const telemetry = startTelemetry({ run: runId, toConsole: config.console })
  const meters = metersWith(telemetry.meter, clock)
  const traced = tracedWith({
    tracer: telemetry.tracer,
    meters,
    run: runId,
    server: new URL(server.url),
    clock,
    capture: config.contentCapture,
  })

  const client = new OpenAI({
    baseURL: server.url,
    apiKey: config.apiKey,
    timeout: Math.ceil(LIMITS.requestMs / config.timeFactor),
    maxRetries: 2,
    fetch: traced.fetch(fetch),
  })
  const limit = (worldMs: number) => AbortSignal.timeout(Math.ceil(worldMs / config.timeFactor))
  const ask = askWith(client, clock)
  const recall = config.recallTempo === undefined ? undefined : lastTurnFrom(config.recallTempo, runId)
  const queue: Message[] = []
  const takeTurn = traced.takeTurn(
    takeTurnWith(
      {
        ask: traced.ask(({ signal, ...question }) =>
          ask({ ...question, signal: AbortSignal.any([signal, limit(LIMITS.callMs)]) }),
        ),
        useTool: traced.useTool(withRecall(runTool, recall)),
        placeOrder: traced.placeOrder(placeOrderWith((order) => queue.push(seal(order, traced.carrier())))),
        clock,
      },
      { model: config.model, fallbackModel: server.fallbackModel },
      { rumour: config.rumour, experiment: recall ? RECALL : ADVICE },
    ),
  )
  const playTick = tickWith({
    decide: (agent, world) => takeTurn(agent, world, limit(LIMITS.agentMs)),
    receive: () => queue.splice(0),
    market: traced.market(market),
  })

  const to = config.console ? 'this terminal' : process.env.OTEL_EXPORTER_OTLP_ENDPOINT
  say(`${runId}: seed ${config.seed}, ${config.model} at ${server.url}, telemetry to ${to}`)
  const { seed, model, timeFactor } = config
  ledger.write({ kind: 'run', run: runId, seed, model, timeFactor, started })
  const score = newScore()
  try {
    await run(
      { world: newWorld(config.seed), book: [] },
      {
        ticks: config.ticks || Number.POSITIVE_INFINITY,
        intervalMs: config.tickInterval / config.timeFactor,
        stop,
        playTick: traced.playTick(playTick),
        clock,
        ledger,
        traceOf: traced.traceOf,
        onTick: (tick, ms) => {
          score.add(tick)
          say(progress(tick, ms))
        },
      },
    )
  } finally {
    const delivered = await telemetry.stop()
    server.stop()
    if (!config.console) score.print()
    if (telemetry.off) say('telemetry was off (OTEL_SDK_DISABLED=true).')
    else say(account(traced.spans(), delivered, to))
    await ledger.close()
  }
}

const account = (started: number, delivered: number, to: string | undefined) =>
  delivered < started
    ? `${started - delivered} of ${started} spans could not be sent: nothing took them at ${to}.`
    : `all ${delivered} spans were sent.`

const say = (line: string) => console.error(line)

function progress(played: Tick<Turn>, ms: number): string {
  const { before, turns } = played
  const { tick } = before
  const failed = turns
    .filter(({ outcome }) => outcome !== 'accepted')
    .map(({ agent, outcome }) => `${agent} ${outcome}`)
  const rest = failed.length > 0 ? `  ${failed.join(', ')}` : ''
  return `tick ${String(tick).padStart(4)}  ${seasonAt(tick)}  ${tradesOf(played)} trades  ${tokensOf(turns)} tokens  ${(ms / 1000).toFixed(2)} s${rest}`
}

function newScore() {
  const rows = new Map(
    AGENTS.map((agent) => [agent, { pebbles: 0, mood: 0, inputTokens: 0, outputTokens: 0, calls: 0, refusals: 0 }]),
  )
  const arms = new Map<string, Arm>()
  return {
    add(tick: Tick<Turn>) {
      for (const { agent, variant, calls, refused } of tick.turns) {
        const arm = arms.get(variant) ?? { name: variant, turns: 0, refused: 0 }
        arms.set(variant, { ...arm, turns: arm.turns + 1, refused: arm.refused + Number(refused.length > 0) })
        const row = rows.get(agent)
        if (!row) continue
        const { pebbles, mood } = tick.after.world.agents[agent]
        Object.assign(row, { pebbles: pebbles / 100, mood })
        row.calls += calls.length
        row.refusals += refused.length
        for (const call of calls) {
          row.inputTokens += call.inputTokens
          row.outputTokens += call.outputTokens
        }
      }
    },
    print: () => {
      console.table(Object.fromEntries(rows))
      for (const line of armsReport([...arms.values()])) say(line)
    },
  }
}

/** The first Ctrl-C or SIGTERM ends the run after the tick that has begun. */
function stopOnSignal(): AbortSignal {
  const stopping = new AbortController()
  onInterrupt(() => {
    say('finishing this tick, then sending what is left; once more to leave at once')
    stopping.abort()
  })
  return stopping.signal
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    say(`sim: ${error instanceof Error ? error.message : String(error)}`)
    process.exit(1)
  },
)
