import { createHash } from 'node:crypto'
import { z } from 'zod'
import { valueFor } from './schema.ts'
import { tokens } from './tokens.ts'

const Text = z.union([z.string(), z.array(z.looseObject({ type: z.string(), text: z.string().optional() })), z.null()])

const Message = z.looseObject({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool', 'function']),
  content: Text.optional(),
  tool_calls: z
    .array(z.looseObject({ function: z.looseObject({ name: z.string(), arguments: z.string() }) }))
    .nullish(),
})

/** How many choices and stop texts one request may ask for. vLLM has no limit; a mock that is asked for a million would hang. */
const [MOST_CHOICES, MOST_STOPS] = [64, 64]

/** What this server reads of a chat request. Like vLLM it ignores fields that it does not know. */
const Body = z.looseObject({
  model: z.string().nullish(),
  messages: z.array(Message).min(1),
  user: z.string().nullish(),
  seed: z.number().refine(Number.isInteger, 'must be an integer').nullish(),
  n: z.number().int().min(1).max(MOST_CHOICES, `this mock gives at most ${MOST_CHOICES} choices`).nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(MOST_STOPS)]).nullish(),
  include_stop_str_in_output: z.boolean().nullish(),
  // They change how likely a token is, so any answer follows them.
  temperature: z.number().min(0).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.number().int().nullish(),
  max_tokens: z.number().int().min(1).nullish(),
  max_completion_tokens: z.number().int().min(1).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  tools: z
    .array(z.looseObject({ function: z.looseObject({ name: z.string(), parameters: z.unknown().optional() }) }))
    .nullish(),
  tool_choice: z
    .union([z.enum(['none', 'auto', 'required']), z.looseObject({ function: z.looseObject({ name: z.string() }) })])
    .nullish(),
  response_format: z
    .looseObject({
      type: z.enum(['text', 'json_object', 'json_schema', 'structural_tag']),
      json_schema: z.looseObject({ name: z.string(), schema: z.unknown().optional() }).nullish(),
    })
    .nullish(),
})

/** What vLLM follows and this mock does not. A request that asks for it is refused, because another answer would be a lie. */
const NOT_FOLLOWED = `
  echo continue_final_message ignore_eos use_beam_search return_token_ids return_tokens_as_token_ids logit_bias stop_token_ids
  bad_words prompt_logprobs logprob_token_ids allowed_token_ids structured_outputs guided_json guided_regex guided_choice
  guided_grammar functions function_call audio min_tokens
`
  .trim()
  .split(/\s+/)
/** `false`, 0 and an empty list ask for nothing. */
const asks = (value: unknown): boolean =>
  typeof value === 'object' && value !== null ? Object.keys(value).length > 0 : Boolean(value)

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
  /** Rounds of tool calls since the last user message. */
  toolRounds: number
  state: State | null
  promptTokens: number
  maxTokens: number
  /** Texts that end an answer. */
  stops: readonly string[]
  choices: number
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
  const problem = notFollowed(body)
  if (problem) return problem
  if (body.stream_options && !body.stream) {
    return bad('Stream options can only be defined when `stream=True`.', 'stream_options')
  }
  const model = body.model ?? models[0] ?? ''
  if (!models.includes(model)) {
    const message = `The model \`${model}\` does not exist. This server has ${models.join(', ')}.`
    return { status: 404, type: 'NotFoundError', message, param: 'model' }
  }

  const parts = body.messages.flatMap(({ content }) => (Array.isArray(content) ? content : []))
  const other = parts.find(({ type }) => !TEXT_PARTS.includes(type))
  if (other)
    return bad(`${model} is not a multimodal model: it reads no part of the type \`${other.type}\``, 'messages')

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
  const request: ChatRequest = {
    body,
    model,
    agent: body.user ?? state?.agent ?? '',
    seed: String(body.seed ?? createHash('sha256').update(JSON.stringify(body.messages)).digest('hex')),
    toolRounds: body.messages.slice(lastUser + 1).filter(({ tool_calls }) => tool_calls?.length).length,
    state,
    promptTokens,
    maxTokens: asked ?? maxModelLen - promptTokens,
    stops: [body.stop ?? []].flat().filter((stop) => stop !== ''),
    choices: body.n ?? 1,
  }
  return badTools(request) ?? badFormat(request) ?? request
}

const TEXT_PARTS = ['text', 'refusal', 'thinking', 'input_text', 'output_text']

/** Why this request cannot be followed, in the words of vLLM where it has some. */
function notFollowed(body: z.infer<typeof Body>): Problem | undefined {
  const unfollowed = NOT_FOLLOWED.find((name) => asks(body[name]))
  if (unfollowed) return bad(`\`${unfollowed}\` is not followed by this mock: leave it out.`, unfollowed)
  if (body.top_logprobs && !body.logprobs)
    return bad('when using `top_logprobs`, `logprobs` must be set to true.', 'top_logprobs')
  if (body.logprobs) return bad('This mock has no probabilities: leave `logprobs` out.', 'logprobs')
  if (body.stream_options?.continuous_usage_stats)
    return bad('`continuous_usage_stats` is not followed by this mock: leave it out.', 'stream_options')
  return undefined
}

/** With which each choice rolls its dice. The first is that of a request for one. */
export const seedOf = ({ seed }: Pick<ChatRequest, 'seed'>, choice: number): string =>
  choice === 0 ? seed : `${seed}, choice ${choice}`
export const answerKey = (seed: string, toolRounds: number) => [seed, toolRounds, 'answer'] as const
export const toolKey = (seed: string, toolRounds: number) => [seed, toolRounds, 'tool'] as const

/** Why a schema cannot be followed, by the same dice with which the replies are made. */
function badSchema(schema: unknown, param: string, request: ChatRequest, keyOf: typeof answerKey | typeof toolKey) {
  for (let choice = 0; choice < request.choices; choice++) {
    const made = valueFor(schema ?? {}, ...keyOf(seedOf(request, choice), request.toolRounds))
    if ('why' in made)
      return bad(`The provided JSON schema contains features not supported by this mock: ${made.why}.`, param)
  }
  return undefined
}

function badTools(request: ChatRequest): Problem | undefined {
  const { tools, tool_choice: choice } = request.body
  if (!choice || choice === 'none') return undefined
  if (!tools?.length) return bad('When using `tool_choice`, `tools` must be set.', 'tool_choice')
  if (choice === 'auto') return undefined
  const isCalled = (name: string) => typeof choice !== 'object' || choice.function.name === name
  const called = tools.filter((tool) => isCalled(tool.function.name))
  if (called.length === 0)
    return bad('The tool specified in `tool_choice` does not match any of the specified `tools`', 'tool_choice')
  for (const tool of called) {
    const problem = badSchema(tool.function.parameters, 'tools', request, toolKey)
    if (problem) return problem
  }
  return undefined
}

function badFormat(request: ChatRequest): Problem | undefined {
  const { type, json_schema: asked } = request.body.response_format ?? {}
  if (type === 'structural_tag') return bad('`structural_tag` is not followed by this mock.', 'response_format')
  if (type !== 'json_schema') return undefined
  const missing = "When response_format type is 'json_schema', the 'json_schema' field must be provided."
  return asked ? badSchema(asked.schema, 'response_format', request, answerKey) : bad(missing, 'response_format')
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
