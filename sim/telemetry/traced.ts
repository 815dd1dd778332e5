import {
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { EVENTS, GEN_AI, OPENINFERENCE, OTHER, WOODLAND } from '../../vocabulary/attributes.ts'
import { type Ask, errorType, REQUEST } from '../agents/ask.ts'
import { type TakeTurn, type Turn, tokensOf } from '../agents/decide.ts'
import { type Evaluation, evaluate, evaluateTrade } from '../agents/evaluation.ts'
import { PROMPT_NAME, versionOf } from '../agents/prompt.ts'
import { type Carrier, open } from '../economy/queue.ts'
import { NotConserved } from '../economy/step.ts'
import { type Market, type PlayTick, type Tick, tradesOf } from '../economy/tick.ts'
import { CREATURES, perGood, totalPebbles } from '../economy/world.ts'
import type { Capture } from './capture.ts'
import { inputMessages, outputMessages } from './messages.ts'
import type { Meters } from './meters.ts'
import { endRequest, fetchWith } from './requests.ts'
import { fail, inside, inTurn, spansWith, type TurnScope, turnScope } from './spans.ts'
import { inPebbles, toolsWith } from './tools.ts'

type Setting = Readonly<{
  tracer: Tracer
  meters: Meters
  run: string
  server: URL
  clock: () => number
  capture: Capture
}>

/**
 * Wraps the functions of a run, one by one, in functions of the same shape that say what happened. Leave
 * this out and the run is the same, unwatched. `spans()` counts what was started.
 */
export function tracedWith({ tracer, meters, run, server, clock, capture }: Setting) {
  const { begin, started } = spansWith(tracer, capture)
  let lastTick: SpanContext | undefined
  const traceIds = new WeakMap<Tick<Turn>, string>()
  const serverAttributes = {
    [OTHER.SERVER_ADDRESS]: server.hostname,
    [OTHER.SERVER_PORT]: Number(server.port || (server.protocol === 'https:' ? 443 : 80)),
  }

  const say = (span: Span, { agent, variant }: Turn, evaluation: Evaluation) => {
    span.addEvent(EVENTS.EVALUATION, {
      [GEN_AI.EVALUATION_NAME]: evaluation.name,
      [GEN_AI.EVALUATION_SCORE]: evaluation.score,
      ...(evaluation.label ? { [GEN_AI.EVALUATION_LABEL]: evaluation.label } : {}),
      [GEN_AI.EVALUATION_EXPLANATION]: evaluation.explanation,
      [GEN_AI.AGENT]: agent,
      [GEN_AI.PROMPT_VERSION]: versionOf(variant),
      [OTHER.VARIANT]: variant,
    })
    meters.evaluated(agent, evaluation)
  }

  const playTick =
    (play: PlayTick<Turn>): PlayTick<Turn> =>
    async (state) => {
      const { world } = state
      const span = begin(
        'invoke_workflow woodland_tick',
        SpanKind.INTERNAL,
        {
          [GEN_AI.OPERATION]: 'invoke_workflow',
          [GEN_AI.WORKFLOW]: 'woodland_tick',
          [GEN_AI.CONVERSATION]: run,
          [WOODLAND.TICK]: world.tick,
          [WOODLAND.SEED]: world.seed,
          [OPENINFERENCE.KIND]: 'CHAIN',
          [OPENINFERENCE.INPUT]: JSON.stringify({
            tick: world.tick,
            prices: perGood((good) => pebbles(world.prices[good])),
          }),
        },
        { root: true, links: lastTick ? [{ context: lastTick }] : [] },
      )
      lastTick = span.spanContext()
      try {
        const tick = await inside(span, () => play(state))
        traceIds.set(tick, span.spanContext().traceId)
        const traders = new Set(
          tick.clearings.flatMap(({ trades }) => trades.flatMap(({ buyer, seller }) => [buyer, seller])),
        )
        for (const turn of tick.turns) {
          if (turn.orders.length > 0) say(span, turn, evaluateTrade(traders.has(turn.agent)))
        }
        for (const { good, trades } of tick.clearings) meters.traded(good, trades.length)
        meters.observe(tick.after.world)
        span.setAttributes({
          [WOODLAND.TRADES]: tradesOf(tick),
          [WOODLAND.PEBBLES_TOTAL]: totalPebbles(tick.after.world) / 100,
          [WOODLAND.TOKENS]: tokensOf(tick.turns),
          [OPENINFERENCE.OUTPUT]: JSON.stringify(tick.clearings.flatMap(({ trades }) => trades.map(inPebbles))),
        })
        return tick
      } catch (error) {
        fail(span, error instanceof NotConserved ? 'not_conserved' : errorType(error), (error as Error).message)
        throw error
      } finally {
        span.end()
      }
    }

  const takeTurn =
    (take: TakeTurn): TakeTurn =>
    async (agent, world, limit) => {
      const holdings = world.agents[agent]
      const began = clock()
      const span = begin(`invoke_agent ${agent}`, SpanKind.INTERNAL, {
        [GEN_AI.OPERATION]: 'invoke_agent',
        [GEN_AI.AGENT]: agent,
        [GEN_AI.CONVERSATION]: run,
        [WOODLAND.PRODUCES]: CREATURES[agent].produces,
        [WOODLAND.PEBBLES]: holdings.pebbles / 100,
        [WOODLAND.MOOD_BEFORE]: holdings.mood,
        [OPENINFERENCE.KIND]: 'AGENT',
        [OPENINFERENCE.AGENT]: agent,
        [OPENINFERENCE.INPUT]: JSON.stringify({ ...holdings, pebbles: holdings.pebbles / 100 }),
      })
      const scope: TurnScope = { agent, requests: new Set() }
      const ended = meters.turnBegan(agent)
      const turn = await inTurn(span, scope, () => take(agent, world, limit)).finally(ended)
      const failed = turn.outcome !== 'accepted'
      const { buy, sell, mood } = turn.decision ?? {}
      span.setAttributes({
        [WOODLAND.TOKENS]: tokensOf([turn]),
        [GEN_AI.PROMPT_NAME]: PROMPT_NAME,
        [GEN_AI.PROMPT_VERSION]: versionOf(turn.variant),
        [OTHER.EXPERIMENT]: turn.experiment,
        [OTHER.VARIANT]: turn.variant,
        ...(mood === undefined
          ? {}
          : { [WOODLAND.MOOD_AFTER]: mood, [OPENINFERENCE.OUTPUT]: JSON.stringify(turn.decision) }),
        ...(buy ? { [WOODLAND.BUY_GOOD]: buy.good } : {}),
        ...(sell ? { [WOODLAND.SELL_GOOD]: sell.good } : {}),
      })
      for (const evaluation of evaluate(turn)) say(span, turn, evaluation)
      if (failed) fail(span, turn.outcome)
      span.end()
      meters.decided(agent, turn.outcome)
      meters.operationTook((clock() - began) / 1000, {
        [GEN_AI.OPERATION]: 'invoke_agent',
        [GEN_AI.AGENT]: agent,
        [OTHER.VARIANT]: turn.variant,
        ...(failed ? { [OTHER.ERROR_TYPE]: turn.outcome } : {}),
      })
      return turn
    }

  const ask =
    (put: Ask): Ask =>
    async (question) => {
      const { agent, model, prompt, attempt, fallbackAfter } = question
      const began = clock()
      const scope = turnScope()
      if (fallbackAfter) {
        trace
          .getActiveSpan()
          ?.addEvent(EVENTS.FALLBACK, { [GEN_AI.REQUEST_MODEL]: model, [OTHER.ERROR_TYPE]: fallbackAfter })
      }
      const labels = {
        [GEN_AI.OPERATION]: 'chat',
        [GEN_AI.PROVIDER]: 'openai',
        [GEN_AI.REQUEST_MODEL]: model,
        [GEN_AI.AGENT]: agent,
        [OTHER.VARIANT]: prompt.variant,
        ...serverAttributes,
      }
      const span = begin(
        `chat ${model}`,
        SpanKind.CLIENT,
        {
          ...labels,
          [GEN_AI.CONVERSATION]: run,
          [GEN_AI.REQUEST_TEMPERATURE]: REQUEST.temperature,
          [GEN_AI.REQUEST_MAX_TOKENS]: REQUEST.maxTokens,
          [GEN_AI.REQUEST_SEED]: question.seed,
          [GEN_AI.REQUEST_STREAM]: true,
          [GEN_AI.OUTPUT_TYPE]: 'json',
          [GEN_AI.PROMPT_NAME]: PROMPT_NAME,
          [GEN_AI.PROMPT_VERSION]: prompt.version,
          [GEN_AI.INPUT_MESSAGES]: inputMessages(question.messages),
          [OTHER.EXPERIMENT]: prompt.experiment,
          [WOODLAND.ATTEMPT]: attempt,
          [OPENINFERENCE.KIND]: 'LLM',
          [OPENINFERENCE.AGENT]: agent,
        },
        { links: attempt > 1 && scope?.firstAttempt ? [{ context: scope.firstAttempt }] : [] },
      )
      if (scope && attempt === 1) scope.firstAttempt = span.spanContext()
      let error: string | undefined
      try {
        const answer = await inside(span, () => put(question))
        span.setAttributes({
          [GEN_AI.RESPONSE_ID]: answer.id,
          [GEN_AI.RESPONSE_MODEL]: answer.model,
          [GEN_AI.RESPONSE_FINISH_REASONS]: [answer.finishReason],
          [GEN_AI.RESPONSE_FIRST_CHUNK]: answer.firstChunkSeconds,
          [GEN_AI.INPUT_TOKENS]: answer.inputTokens,
          [GEN_AI.OUTPUT_TOKENS]: answer.outputTokens,
          [GEN_AI.OUTPUT_MESSAGES]: outputMessages(answer),
          [OPENINFERENCE.OUTPUT]: answer.text,
        })
        meters.tokensUsed(answer.inputTokens, answer.outputTokens, labels)
        meters.firstChunkAfter(answer.firstChunkSeconds, labels)
        return answer
      } catch (thrown) {
        error = errorType(thrown)
        fail(span, error)
        throw thrown
      } finally {
        for (const request of scope?.requests ?? []) {
          if (error) fail(request, error)
          endRequest(request, scope)
        }
        span.end()
        meters.operationTook((clock() - began) / 1000, { ...labels, ...(error ? { [OTHER.ERROR_TYPE]: error } : {}) })
      }
    }

  const market =
    (trade: Market): Market =>
    (world, good, messages) => {
      const span = begin('process market', SpanKind.CONSUMER, {
        [WOODLAND.GOOD]: good,
        [WOODLAND.TICK]: world.tick,
        [OPENINFERENCE.KIND]: 'CHAIN',
      })
      const cleared = inside(span, () => trade(world, good, messages))
      const matched = new Set(cleared.clearing.trades.flatMap(({ orders }) => orders))
      for (const { carrier, order } of messages.map(open)) {
        const creator = trace.getSpanContext(propagation.extract(ROOT_CONTEXT, carrier))
        if (creator && matched.has(order.id)) span.addLink({ context: creator })
      }
      const { trades, price, refused } = cleared.clearing
      for (const { order, reason } of refused) {
        span.addEvent(EVENTS.REFUSED, {
          [WOODLAND.REASON]: reason,
          [WOODLAND.GOOD]: good,
          [WOODLAND.SIDE]: order.side,
          [GEN_AI.AGENT]: order.agent,
        })
      }
      span.setAttribute(WOODLAND.TRADES, trades.length)
      if (price !== null) span.setAttribute(WOODLAND.PRICE, price / 100)
      span.end()
      return cleared
    }

  /** Trace context for a message that leaves the active span. */
  const carrier = (): Carrier => {
    const injected: Record<string, string> = {}
    propagation.inject(context.active(), injected)
    return injected.traceparent ? { traceparent: injected.traceparent } : {}
  }

  return {
    playTick,
    takeTurn,
    ask,
    fetch: fetchWith(begin, meters, serverAttributes),
    ...toolsWith(begin),
    market,
    carrier,
    traceOf: (tick: Tick<Turn>) => traceIds.get(tick) ?? '',
    spans: started,
  }
}

const pebbles = (cents: number | null) => (cents === null ? null : cents / 100)
