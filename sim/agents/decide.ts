import type { ChatCompletionMessageParam } from 'openai/resources/chat/completions'
import { roll } from '../../random/random.ts'
import { type DesiredTrade, guard, type Refusal } from '../economy/market.ts'
import type { AgentName, Order, World } from '../economy/world.ts'
import { type Ask, errorType } from './ask.ts'
import { type Decision, read } from './decision.ts'
import { type Asking, promptFor, UNREADABLE, type Variant } from './prompt.ts'
import { RECALL_TOOL } from './recall.ts'
import type { ToolCall, ToolResult } from './tools.ts'

const MAX_ATTEMPTS = 2
const MAX_TOOL_ROUNDS = 5

export type Models = Readonly<{ model: string; fallbackModel: string | undefined }>

/** One model call as the ledger tells it. `outcome` is `ok` or an `error.type`. */
export type Call = Readonly<{
  attempt: number
  model: string
  outcome: string
  inputTokens: number
  outputTokens: number
  ms: number
}>

export type Refused = Readonly<{ desired: DesiredTrade; reason: Refusal }>

export type Placement =
  | Readonly<{ readable: false; why: string }>
  | Readonly<{
      readable: true
      decision: Decision
      repaired: boolean
      orders: readonly Order[]
      refused: readonly Refused[]
    }>

export type Turn = Readonly<{
  agent: AgentName
  experiment: string
  variant: Variant
  /** `accepted`, or the `error.type` for which the turn as a whole failed. */
  outcome: string
  decision: Decision | undefined
  orders: readonly Order[]
  refused: readonly Refused[]
  attempts: number
  toolCalls: number
  calls: readonly Call[]
  ms: number
}>

export type PlaceOrder = (reply: string, agent: AgentName, world: World, attempt: number) => Placement
export type UseTool = (call: ToolCall, agent: AgentName, world: World, mayRecall: boolean) => Promise<ToolResult>
export type TakeTurn = (agent: AgentName, world: World, limit: AbortSignal) => Promise<Turn>

type Steps = Readonly<{ ask: Ask; useTool: UseTool; placeOrder: PlaceOrder; clock: () => number }>

/** An agent's turn: ask, use tools, read the reply, place orders; once more when the reply was unreadable. */
export const takeTurnWith =
  (steps: Steps, models: Models, asking: Asking): TakeTurn =>
  async (agent, world, limit) => {
    const started = steps.clock()
    const prompt = promptFor(agent, world, asking)
    const conversation: ChatCompletionMessageParam[] = [...prompt.messages]
    const calls: Call[] = []
    let model = models.model
    let toolRounds = 0
    let toolCalls = 0
    let mayRecall = prompt.mayRecall
    let attempt = 1

    const call = async (mayUseTools: boolean, fallbackAfter?: string) => {
      const asked = steps.clock()
      const seed = Math.floor(roll(world.seed, world.tick, agent, calls.length) * 2 ** 31)
      const record = (outcome: string, inputTokens = 0, outputTokens = 0) =>
        calls.push({ attempt, model, outcome, inputTokens, outputTokens, ms: Math.round(steps.clock() - asked) })
      try {
        const about = { agent, model, fallbackAfter, prompt, attempt, seed, mayUseTools, mayRecall, signal: limit }
        const answer = await steps.ask({ ...about, messages: conversation })
        record('ok', answer.inputTokens, answer.outputTokens)
        return answer
      } catch (error) {
        record(errorType(error))
        throw error
      }
    }

    const callOrFallBack = async (mayUseTools: boolean) => {
      try {
        return await call(mayUseTools)
      } catch (error) {
        if (!models.fallbackModel || model === models.fallbackModel || limit.aborted) throw error
        model = models.fallbackModel
        return call(mayUseTools, errorType(error))
      }
    }

    const converse = async (): Promise<string> => {
      for (;;) {
        const mayUseTools = toolRounds < MAX_TOOL_ROUNDS
        const answer = await callOrFallBack(mayUseTools)
        if (answer.toolCalls.length === 0 || !mayUseTools) return answer.text
        toolRounds++
        conversation.push({
          role: 'assistant',
          content: answer.text || null,
          tool_calls: answer.toolCalls.map(({ id, ...fn }) => ({ id, type: 'function', function: fn })),
        })
        for (const toolCall of answer.toolCalls) {
          toolCalls++
          const { content } = await steps.useTool(toolCall, agent, world, mayRecall)
          // Once in a turn, so that what is recalled has a bounded share of the prompt.
          if (toolCall.name === RECALL_TOOL) mayRecall = false
          conversation.push({ role: 'tool', tool_call_id: toolCall.id, content })
        }
      }
    }

    const ended = (outcome: string, placement?: Placement): Turn => ({
      agent,
      experiment: prompt.experiment,
      variant: prompt.variant,
      outcome,
      decision: placement?.readable ? placement.decision : undefined,
      orders: placement?.readable ? placement.orders : [],
      refused: placement?.readable ? placement.refused : [],
      attempts: attempt,
      toolCalls,
      calls,
      ms: Math.round(steps.clock() - started),
    })

    try {
      for (; ; attempt++) {
        const reply = await converse()
        const placement = steps.placeOrder(reply, agent, world, attempt)
        if (placement.readable) return ended(placement.refused[0]?.reason ?? 'accepted', placement)
        if (attempt === MAX_ATTEMPTS) return ended('parse_error')
        conversation.push({ role: 'assistant', content: reply }, { role: 'user', content: UNREADABLE })
      }
    } catch (error) {
      return ended(limit.aborted ? 'timeout' : errorType(error))
    }
  }

export const tokensOf = (turns: readonly Turn[]): number =>
  turns
    .flatMap(({ calls }) => calls)
    .reduce((sum, { inputTokens, outputTokens }) => sum + inputTokens + outputTokens, 0)

/** Reads a reply and sends the orders that the guard accepts. A refused order is thrown away; the other side stands. */
export const placeOrderWith =
  (send: (order: Order) => void): PlaceOrder =>
  (reply, agent, world) => {
    const reading = read(reply)
    if (!reading.readable) return reading
    const { decision, repaired } = reading
    const orders: Order[] = []
    const refused: Refused[] = []
    for (const side of ['buy', 'sell'] as const) {
      const { good, price, quantity } = decision[side] ?? {}
      if (good === undefined || price === undefined || quantity === undefined) continue
      const desired = { side, good, price: Math.max(1, Math.round(price * 100)), quantity }
      const reason = guard(agent, desired, world.agents[agent])
      if (reason) refused.push({ desired, reason })
      else
        orders.push({
          id: `${world.tick}-${agent}-${side}`,
          tick: world.tick,
          agent,
          ...desired,
          good: desired.good as Order['good'],
        })
    }
    for (const order of orders) send(order)
    return { readable: true, decision, repaired, orders, refused }
  }
