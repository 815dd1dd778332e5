import { type AnyValue, integer, text, toValue } from '../../../otlp/json.ts'
import type { Random } from '../../../random/random.ts'

/** Harmless values of an attribute, which must arrive as they were sent. */
export type Make = (random: Random) => AnyValue

const int =
  (low: number, high: number): Make =>
  (random) =>
    integer(low + random.below(high - low + 1))
const double =
  (high: number, digits: number): Make =>
  (random) => ({
    doubleValue: Number((random.number() * high + 10 ** -digits).toFixed(digits)),
  })
const oneOf =
  (...texts: readonly string[]): Make =>
  (random) =>
    text(texts[random.below(texts.length)] ?? '')
const built =
  (build: (random: Random) => string): Make =>
  (random) =>
    text(build(random))
const list =
  (...texts: readonly string[]): Make =>
  () =>
    toValue(texts)
const yes: Make = (random) => ({ boolValue: random.below(2) === 0 })
const digits = (count: number, random: Random) => Array.from({ length: count }, () => random.below(10)).join('')
const uuid = (random: Random) => [8, 4, 4, 4, 12].map((count) => random.hex(count)).join('-')
const instant = (random: Random) =>
  new Date(Date.UTC(2026, random.below(12), 1 + random.below(28)) + random.below(86_400_000))

// Made-up values: the simulator may get more agents and goods without a change here.
const AGENTS = oneOf('squirrel', 'rabbit', 'fox', 'beaver', 'bear')
const GOODS = oneOf('acorns', 'berries', 'mushrooms', 'firewood', 'honey')
const MODELS = oneOf(
  'Qwen/Qwen2.5-3B-Instruct',
  'gpt-4o-2024-08-06',
  'claude-sonnet-4-5-20250929',
  'gemini-2.5-flash-preview-09-2025',
  'meta-llama/Llama-3.3-70B-Instruct',
)
const ERRORS = oneOf('parse_error', 'self_buy', 'cannot_afford', 'timeout', '429', '500', 'connection_error')
const pebbles = double(50, 2)

const conversation = (random: Random) =>
  JSON.stringify([
    {
      role: 'system',
      parts: [{ type: 'text', content: 'You are the fox. You make mushrooms and need acorns and honey.' }],
    },
    {
      role: 'user',
      parts: [
        {
          type: 'text',
          content: `Tick ${random.below(5000)}, winter. You have ${(random.number() * 30).toFixed(2)} pebbles and ${random.below(9)} mushrooms. Last prices: acorns ${(random.number() * 3).toFixed(2)}, honey ${(random.number() * 5).toFixed(2)}.`,
        },
      ],
    },
  ])
const reply = (random: Random) =>
  JSON.stringify({
    buy: { good: 'acorns', price: Number((random.number() * 3).toFixed(2)), quantity: 1 + random.below(3) },
    sell: { good: 'mushrooms', price: Number((random.number() * 3).toFixed(2)), quantity: 1 },
    behaviour: Number(random.number().toFixed(2)),
  })

/** Every attribute that a policy, a panel or a query of this project uses, as the simulator writes it. */
export const USED: Readonly<Record<string, Make>> = {
  'gen_ai.operation.name': oneOf('chat', 'invoke_agent', 'execute_tool', 'invoke_workflow'),
  'gen_ai.provider.name': oneOf('openai', 'aws.bedrock', 'azure.ai.inference'),
  'gen_ai.agent.name': AGENTS,
  'gen_ai.workflow.name': oneOf('woodland_tick'),
  'gen_ai.conversation.id': built(
    (random) => `run-202611${10 + random.below(19)}${digits(6, random)}-${random.hex(4)}`,
  ),
  'gen_ai.request.model': MODELS,
  'gen_ai.request.temperature': double(1, 2),
  'gen_ai.request.max_tokens': int(100, 128_000),
  'gen_ai.request.seed': int(0, 2 ** 31 - 1),
  'gen_ai.request.stream': yes,
  'gen_ai.output.type': oneOf('json', 'text'),
  'gen_ai.response.id': built((random) => `chatcmpl-${random.hex(32)}`),
  'gen_ai.response.model': MODELS,
  'gen_ai.response.finish_reasons': list('stop', 'tool_calls'),
  'gen_ai.response.time_to_first_chunk': double(4, 6),
  'gen_ai.usage.input_tokens': int(1, 200_000),
  'gen_ai.usage.output_tokens': int(1, 16_000),
  'gen_ai.usage.cache_read.input_tokens': int(0, 100_000),
  'gen_ai.usage.cache_creation.input_tokens': int(0, 100_000),
  'gen_ai.usage.reasoning.output_tokens': int(0, 16_000),
  'gen_ai.input.messages': built(conversation),
  'gen_ai.output.messages': built((random) =>
    JSON.stringify([{ role: 'assistant', parts: [{ type: 'text', content: reply(random) }], finish_reason: 'stop' }]),
  ),
  'gen_ai.prompt.name': oneOf('woodland_decision'),
  'gen_ai.prompt.version': oneOf('1', '2.1', 'v3'),
  'gen_ai.tool.name': oneOf('calculate', 'convert_units', 'recent_prices', 'place_order'),
  'gen_ai.tool.type': oneOf('function'),
  'gen_ai.tool.call.id': built((random) => `call_${random.hex(24)}`),
  'gen_ai.tool.call.arguments': oneOf('{"expression":"(12.5+3)*2/7"}', '{"value":26.2,"from":"miles","to":"km"}'),
  'gen_ai.tool.call.result': built((random) => `{"result":${(random.number() * 100).toFixed(4)}}`),
  'gen_ai.token.type': oneOf('input', 'output'),
  'gen_ai.evaluation.name': oneOf('readable', 'allowed', 'affordable', 'traded'),
  'gen_ai.evaluation.score.value': double(1, 2),
  'gen_ai.evaluation.score.label': oneOf('pass', 'fail'),
  'gen_ai.evaluation.explanation': oneOf(
    'No order was refused for this.',
    'The buy order was refused: self_buy.',
    'The fox buys what it makes: 3 mushrooms for 1.20.',
  ),
  'woodland.tick': int(0, 100_000),
  'woodland.seed': int(0, 999_999_999),
  'woodland.trades': int(0, 40),
  'woodland.pebbles.total': double(50, 2),
  'woodland.tokens': int(0, 1_000_000),
  'woodland.produces': GOODS,
  'woodland.pebbles': pebbles,
  'woodland.mood.before': double(1, 2),
  'woodland.mood.after': double(1, 2),
  'woodland.buy.good': GOODS,
  'woodland.sell.good': GOODS,
  'woodland.good': GOODS,
  'woodland.price': pebbles,
  'woodland.attempt': int(1, 2),
  'woodland.parse.repaired': yes,
  'woodland.reason': ERRORS,
  'woodland.limit': oneOf('attribute_cut', 'token_count', 'span_time'),
  'woodland.side': oneOf('buy', 'sell'),
  'openinference.span.kind': oneOf('LLM', 'AGENT', 'CHAIN', 'TOOL'),
  'agent.name': AGENTS,
  'input.mime_type': oneOf('application/json', 'text/plain'),
  'user.id': built((random) => `user-${digits(5, random)}`),
  'input.value': built(conversation),
  'output.value': built(reply),
  'deployment.environment.name': oneOf('local', 'production', 'eu-west-1'),
  'error.type': ERRORS,
  'server.address': oneOf('127.0.0.1', 'localhost', 'vllm', 'api.openai.com'),
  'server.port': int(80, 65_535),
  'http.request.method': oneOf('POST', 'GET'),
  'http.response.status_code': int(200, 504),
  'http.request.resend_count': int(1, 5),
  'url.full': oneOf('http://127.0.0.1:8000/v1/chat/completions', 'https://api.openai.com/v1/chat/completions'),
  'experiment.id': oneOf('prompt-tone'),
  'experiment.variant': oneOf('a', 'b', 'terse', 'control-2'),
  outcome: oneOf('accepted', 'self_buy', 'parse_error'),
}

const CODE = [
  'for (let i = 0; i < rows.length; i++) total += rows[i].price * 1.19 // VAT',
  "SELECT id, sum(price) FROM orders WHERE day >= '2026-11-01' GROUP BY id HAVING count(*) > 10 LIMIT 1000",
  'def area(r): return 3.141592653589793 * r ** 2  # 2 decimals',
  'curl -s http://127.0.0.1:4318/v1/traces -H "content-type: application/json" -d @body.json',
  'git checkout 9f8e7d6c5b4a39281706f5e4d3c2b1a098765432 && npm ci && make test',
  'Traceback (most recent call last): File "agent.py", line 482, in run: KeyError: \'choices\'',
] as const

const PROSE = [
  (random: Random) =>
    `The bear sold ${random.below(900)} jars in ${1900 + random.below(126)}, ${random.below(99)} % more than the year before.`,
  (random: Random) =>
    `Order 4711-${digits(4, random)} left the store at 14:${10 + random.below(49)} and weighs ${(random.number() * 40).toFixed(1)} kg.`,
  (random: Random) =>
    `A retry after ${random.below(5000)} ms used ${random.below(9000)}+${random.below(900)} tokens; 3 of 5 agents agreed.`,
  (random: Random) =>
    `Version 2.${random.below(30)}.${random.below(20)} of the model, risk-adjusted-return-on-capital ${(random.number() * 9).toFixed(3)}.`,
  (random: Random) =>
    `Winter burns more: ${random.below(9)} logs a tick, at 1.${digits(2, random)} pebbles each. See chapter ${random.below(20)}, page ${random.below(400)}.`,
]

/** Other values that are frequent in telemetry of agents, with the keys of other SDKs. */
export const OTHERS: Readonly<Record<string, Make>> = {
  'llm.input_messages.0.message.content': built((random) => PROSE[random.below(PROSE.length)]?.(random) ?? ''),
  'llm.output_messages.0.message.tool_calls.1.tool_call.function.name': oneOf('recent_prices'),
  'llm.token_count.prompt_details.cache_read': int(0, 100_000),
  'gen_ai.prompt.0.content': built((random) => PROSE[random.below(PROSE.length)]?.(random) ?? ''),
  'gen_ai.completion.0.finish_reason': oneOf('stop', 'length'),
  'gen_ai.usage.cache_read_input_tokens': int(0, 100_000),
  'ai.response.finishReason': oneOf('stop', 'tool-calls'),
  'ai.usage.promptTokens': int(1, 90_000),
  'ai.telemetry.functionId': oneOf('decide', 'summarise'),
  'traceloop.association.properties.sessionId': built(uuid),
  'langfuse.observation.model.name': MODELS,
  'langgraph.node': oneOf('plan', 'act'),
  'mcp.method.name': oneOf('tools/call'),
  'http.request.header.x-request-id': built(uuid),
  'http.request.header.content-type': list('application/json'),
  'http.response.header.x-ratelimit-remaining': int(0, 10_000),
  'k8s.pod.name': built((random) => `agents-${random.hex(10)}-x${random.hex(4)}`),
  'k8s.pod.label.app.kubernetes.io/name': oneOf('agents'),
  'aws.s3.bucket': oneOf('acorn-store'),
  'db.query.text': oneOf(...CODE),
  'code.snippet': oneOf(...CODE),
  'exception.stacktrace': oneOf(
    'Error: no decision\n    at decide (sim/agents/decide.ts:84:17)\n    at async turn (sim/run.ts:61:9)',
  ),
  'order.id': built((random) => `ORD-2026-${digits(6, random)}`),
  'invoice.number': built((random) => `INV${digits(8, random)}`),
  'price.total': built((random) => `${(random.number() * 9000).toFixed(2)} USD`),
  'price.amount': double(9000, 2),
  'started.at': built((random) => instant(random).toISOString()),
  'started.day': built((random) => instant(random).toISOString().slice(0, 10)),
  'started.ms': (random) => integer(instant(random).getTime()),
  'started.ns': (random) => ({ intValue: `${instant(random).getTime()}${digits(6, random)}` }),
  'started.ns.text': built((random) => `${instant(random).getTime()}${digits(6, random)}`),
  'linked.trace': built((random) => random.hex(32)),
  'linked.span': built((random) => random.hex(16)),
  traceparent: built((random) => `00-${random.hex(32)}-${random.hex(16)}-01`),
  'document.sha': built((random) => random.hex(64)),
  'document.id': built(uuid),
  'embedding.dimensions': int(256, 3072),
  'retrieval.scores': () => toValue([0.91, 0.42]),
  'build.version': built((random) => `1.${random.below(40)}.${random.below(20)}-rc.${1 + random.below(9)}`),
  'process.runtime.version': oneOf('24.21.0', '3.14.0', 'go1.26.1'),
  'user.note': built((random) => PROSE[random.below(PROSE.length)]?.(random) ?? ''),
  coordinates: oneOf('52.5200, 13.4050', '-33.8688, 151.2093'),
  'duration.text': oneOf('1.94 s, threshold 2 s', '00:12:31.482'),
  'range.text': oneOf('1000-2000-3000', '10..20', '2026-11-01/2026-11-30'),
}
