import { createHash } from 'node:crypto'
import { z } from 'zod'
import { tokens } from './tokens.ts'

const Text = z.union([z.string(), z.array(z.looseObject({ type: z.string(), text: z.string().optional() })), z.null()])

const Message = z.looseObject({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool']),
  content: Text.optional(),
  tool_calls: z
    .array(z.looseObject({ function: z.looseObject({ name: z.string(), arguments: z.string() }) }))
    .nullish(),
})

/** What this server reads of a chat request. Like vLLM it ignores fields it does not know. */
const Body = z.looseObject({
  model: z.string().nullish(),
  messages: z.array(Message).min(1),
  user: z.string().nullish(),
  seed: z.number().refine(Number.isInteger, 'must be an integer').nullish(),
  n: z.literal(1, 'this server gives one choice: leave n out').nullish(),
  temperature: z.number().min(0).nullish(),
  max_tokens: z.number().int().min(1).nullish(),
  max_completion_tokens: z.number().int().min(1).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  tools: z.array(z.looseObject({ function: z.looseObject({ name: z.string() }) })).nullish(),
  tool_choice: z
    .union([z.enum(['none', 'auto', 'required']), z.looseObject({ function: z.looseObject({ name: z.string() }) })])
    .nullish(),
  response_format: z.looseObject({ type: z.enum(['text', 'json_object', 'json_schema', 'structural_tag']) }).nullish(),
})

const State = z.object({
  season: z.string(),
  agent: z.string(),
  produces: z.string(),
  needs: z.array(z.string()),
  pebbles: z.number().min(0),
  mood: z.number(),
  goods: z.record(z.string(), z.number().min(0)),
  last_prices: z.record(z.string(), z.number().positive().nullable()).default({}),
})

/** What a creature says it has: the one line `State: {json}` in a user message. */
export type State = z.infer<typeof State>

export type ChatRequest = Readonly<{
  body: z.infer<typeof Body>
  model: string
  agent: string
  /** Every roll for this request starts with it: the seed, or a hash of the messages when the request has no seed. */
  seed: string
  /** What the user said last. */
  question: string
  /** Rounds of tool calls since the last user message. */
  toolRounds: number
  state: State | null
  promptTokens: number
  maxTokens: number
}>

export type Problem = Readonly<{ status: number; type: string; message: string; param: string | null }>

const bad = (message: string, param: string | null = null): Problem => ({
  status: 400,
  type: 'BadRequestError',
  message,
  param,
})

export function readRequest(json: string, models: readonly string[], maxModelLen: number): ChatRequest | Problem {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (error) {
    return bad(`the body is not JSON: ${(error as Error).message}`)
  }
  const parsed = Body.safeParse(value)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const param = issue?.path.join('.') || null
    return bad(`${param ?? 'the body'}: ${issue?.message ?? 'is not valid'}`, param)
  }
  const body = parsed.data
  if (body.stream_options && !body.stream) {
    return bad('Stream options can only be defined when `stream=True`.', 'stream_options')
  }
  const model = body.model ?? models[0] ?? ''
  if (!models.includes(model)) {
    const message = `The model \`${model}\` does not exist. This server has ${models.join(', ')}.`
    return { status: 404, type: 'NotFoundError', message, param: 'model' }
  }

  const promptTokens = body.messages.reduce(
    (sum, message) => sum + 4 + tokens(promptOf(message)).length,
    toolTokens(body),
  )
  const asked = body.max_completion_tokens ?? body.max_tokens
  if (promptTokens + (asked ?? 1) > maxModelLen) {
    const request = asked ? `${promptTokens} input tokens plus ${asked} 'max_tokens'` : `${promptTokens} input tokens`
    const message = `This model's maximum context length is ${maxModelLen} tokens. However, your request has ${request}.`
    return bad(`${message} Please reduce one or the other.`, asked ? 'input_tokens, max_tokens' : 'input_tokens')
  }

  const state = stateOf(body.messages)
  const lastUser = body.messages.findLastIndex(({ role }) => role === 'user')
  return {
    body,
    model,
    agent: body.user ?? state?.agent ?? '',
    seed: String(body.seed ?? createHash('sha256').update(JSON.stringify(body.messages)).digest('hex')),
    question: contentOf(body.messages[lastUser] ?? { role: 'user' }),
    toolRounds: body.messages.slice(lastUser + 1).filter(({ tool_calls }) => tool_calls?.length).length,
    state,
    promptTokens,
    maxTokens: asked ?? maxModelLen - promptTokens,
  }
}

const toolTokens = ({ tools }: z.infer<typeof Body>) => (tools?.length ? tokens(JSON.stringify(tools)).length : 0)

const contentOf = ({ content }: z.infer<typeof Message>): string =>
  typeof content === 'string' ? content : (content ?? []).map(({ text }) => text ?? '').join('\n')

const promptOf = (message: z.infer<typeof Message>): string =>
  contentOf(message) + (message.tool_calls ?? []).map((call) => call.function.name + call.function.arguments).join('')

function stateOf(messages: z.infer<typeof Body>['messages']): State | null {
  for (const message of messages.toReversed()) {
    const line = message.role === 'user' ? /^State: (\{.*\})\s*$/m.exec(contentOf(message))?.[1] : undefined
    if (!line) continue
    try {
      return State.parse(JSON.parse(line))
    } catch {
      return null // another program wrote this `State:`: it is not one of our agents
    }
  }
  return null
}
