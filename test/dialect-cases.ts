import { type Span, type TraceRequest, toAttributes, traceRequest } from '../otlp/json.ts'
import type { Random } from '../random/random.ts'

/** A number that ends in n is an integer, as in OTLP. */
type Attributes = Readonly<Record<string, unknown>>
type Case = Readonly<{
  /** What arrives. */
  sent: Attributes
  name?: string
  scope?: string
  version?: string
  kind?: number
  /** Not the whole run. */
  parent?: true
  failed?: true
  events?: readonly Readonly<{ name: string; attributes: Attributes }>[]
  resource?: Attributes
  /** What must be there; undefined must not. */
  becomes: Attributes
  status?: number
}>

export const OP = 'gen_ai.operation.name'
export const [IN, OUT] = ['gen_ai.usage.input_tokens', 'gen_ai.usage.output_tokens']
export const READ = 'gen_ai.usage.cache_read.input_tokens'
export const WRITE = 'gen_ai.usage.cache_creation.input_tokens'
export const REASONING = 'gen_ai.usage.reasoning.output_tokens'
export const KIND = 'openinference.span.kind'
export const AGENT = 'gen_ai.agent.name'
export const REQUEST = 'gen_ai.request.model'
export const PROVIDER = 'gen_ai.provider.name'

/** The fewest words with which a span is a call in the conventions. */
export const CALL = { [OP]: 'chat', [REQUEST]: 'm', [PROVIDER]: 'openai' }

export const DIALECTS: Readonly<Record<string, Case>> = {
  'Sentry: a call of the Responses API': {
    sent: { 'gen_ai.system': 'openai', [OP]: 'responses', [REQUEST]: 'gpt-4o', [IN]: 7n, [OUT]: 8n },
    becomes: { [OP]: 'chat', [IN]: 7, [KIND]: 'LLM', 'woodland.operation.name.sent': 'responses' },
  },
  'Sentry: a call of the Vercel AI SDK': {
    sent: { 'gen_ai.system': 'google.generative-ai', [OP]: 'stream_text', [REQUEST]: 'gemini-2.5-flash', [IN]: 7n },
    becomes: { [OP]: 'chat', [PROVIDER]: 'gcp.gemini' },
  },
  'Sentry: the time to the first token': {
    sent: { 'gen_ai.system': 'openai', [OP]: 'chat', [REQUEST]: 'gpt-4o', 'gen_ai.response.time_to_first_token': 0.5 },
    becomes: { 'gen_ai.response.time_to_first_chunk': 0.5 },
  },
  'Sentry: the parts of its tokens': {
    sent: {
      ...{ 'gen_ai.system': 'anthropic', [OP]: 'chat', [REQUEST]: 'claude-sonnet-4-5', [IN]: 100n, [OUT]: 40n },
      ...{ 'gen_ai.usage.input_tokens.cached': 64n, 'gen_ai.usage.input_tokens.cache_write': 16n },
      ...{ 'gen_ai.usage.output_tokens.reasoning': 8n, 'gen_ai.usage.total_tokens': 140n },
    },
    becomes: { [IN]: 100, [OUT]: 40, [READ]: 64, [WRITE]: 16, [REASONING]: 8 },
  },
  "Azure's SDKs: the names that its providers had at first": {
    sent: { 'gen_ai.system': 'az.ai.inference', [OP]: 'chat', [REQUEST]: 'gpt-4o', [IN]: 7n },
    becomes: { [PROVIDER]: 'azure.ai.inference' },
  },
  'any-agent: a call': {
    scope: 'any_agent',
    parent: true,
    sent: {
      ...{ [OP]: 'call_llm', [REQUEST]: 'gpt-4o-mini', [IN]: 160n, [OUT]: 40n },
      ...{ 'gen_ai.input.messages': '[{"role": "user", "content": "hi"}]', 'gen_ai.output': 'four' },
    },
    becomes: {
      ...{ [OP]: 'chat', 'woodland.operation.name.sent': 'call_llm', [IN]: 160, [OUT]: 40, [KIND]: 'LLM' },
      ...{ 'input.value': '[{"role": "user", "content": "hi"}]', 'output.value': 'four' },
    },
  },
  'any-agent: a tool': {
    scope: 'any_agent',
    sent: { [OP]: 'execute_tool', 'gen_ai.tool.name': 'add', 'gen_ai.tool.args': '{"a": 2}', 'gen_ai.output': '4' },
    becomes: {
      ...{ 'gen_ai.tool.call.arguments': '{"a": 2}', 'gen_ai.tool.call.result': '4' },
      ...{ 'input.value': '{"a": 2}', 'output.value': '4', [KIND]: 'TOOL' },
    },
  },
  'an operation that is the name of an API: a call': {
    sent: { [OP]: 'chat.completions', [REQUEST]: 'gpt-4o', [IN]: 7n },
    becomes: { [OP]: 'chat', 'woodland.operation.name.sent': 'chat.completions', [KIND]: 'LLM' },
  },
  'an operation called tool: a tool that failed counts as one': {
    sent: { [OP]: 'tool', 'gen_ai.tool.name': 'add' },
    failed: true,
    becomes: { [OP]: 'execute_tool', 'woodland.operation.name.sent': 'tool', [KIND]: 'TOOL', 'error.type': '_OTHER' },
  },
  'an operation called agent_run: an agent, and its tokens are sums': {
    sent: { [OP]: 'agent_run', [AGENT]: 'owl', [REQUEST]: 'gpt-4o', [IN]: 7n },
    becomes: { [OP]: 'invoke_agent', [AGENT]: 'owl', 'woodland.operation.name.sent': 'agent_run', [KIND]: 'AGENT' },
  },
  'Gemini CLI: its span of a call is no second call beside its log record': {
    sent: { [OP]: 'llm_call', [AGENT]: 'gemini-cli', [REQUEST]: 'gemini-2.5-pro', [IN]: 7n },
    becomes: { [OP]: 'llm_call', [KIND]: 'CHAIN' },
  },
  'OpenLLMetry: a search in a database of vectors that failed': {
    scope: 'opentelemetry.instrumentation.chromadb',
    name: 'chroma.query',
    sent: { 'db.system': 'chroma', 'db.operation': 'query' },
    failed: true,
    becomes: { [OP]: 'retrieval', [KIND]: 'RETRIEVER', 'error.type': '_OTHER' },
  },
  'OpenLLMetry: what else a database of vectors did is a step': {
    scope: 'opentelemetry.instrumentation.qdrant',
    name: 'qdrant.upsert',
    sent: { 'db.system': 'Qdrant' },
    becomes: { [OP]: undefined, [KIND]: 'CHAIN' },
  },
  'a database that holds no vectors is left as it is': {
    scope: 'opentelemetry.instrumentation.sqlalchemy',
    name: 'db.query',
    sent: { 'db.system': 'postgresql' },
    becomes: { [OP]: undefined, [KIND]: undefined, 'woodland.dialect': undefined },
  },
  'OpenLIT: a search in a database of vectors': {
    scope: 'openlit.instrumentation.chroma',
    name: 'QUERY docs',
    sent: { [OP]: 'vectordb', 'db.system.name': 'chroma', 'db.operation.name': 'QUERY' },
    becomes: { [OP]: 'retrieval', 'woodland.operation.name.sent': 'vectordb', [KIND]: 'RETRIEVER' },
  },
  'Azure AI Projects: an agent that runs at Azure is one call': {
    scope: 'azure.core.tracing.ext.opentelemetry_span',
    sent: {
      ...{ [OP]: 'invoke_agent', [AGENT]: 'owl', [REQUEST]: 'gpt-4o-mini', [PROVIDER]: 'microsoft.foundry' },
      ...{ 'gen_ai.response.id': 'resp_1', [IN]: 160n, [OUT]: 40n },
    },
    becomes: {
      ...{ [OP]: 'chat', 'woodland.operation.name.sent': 'invoke_agent', [AGENT]: 'owl', [KIND]: 'AGENT' },
      ...{ [PROVIDER]: 'azure.ai.inference', 'woodland.provider.name.sent': 'microsoft.foundry', [IN]: 160, [OUT]: 40 },
    },
  },
  'Azure AI Projects: an agent that failed has no response': {
    scope: 'azure.core.tracing.ext.opentelemetry_span',
    sent: { [OP]: 'invoke_agent', [AGENT]: 'owl', [REQUEST]: 'gpt-4o-mini', [PROVIDER]: 'microsoft.foundry' },
    failed: true,
    becomes: { [OP]: 'invoke_agent', [KIND]: 'AGENT' },
  },
  'Sentry: embeddings': {
    sent: { 'gen_ai.system': 'openai', [OP]: 'embed_many', [REQUEST]: 'text-embedding-3-small', [IN]: 7n },
    becomes: { [OP]: 'embeddings', [KIND]: 'EMBEDDING' },
  },
  'genkit: a call, whose keys have colons and whose tokens are in JSON': {
    scope: 'genkit-tracer',
    parent: true,
    sent: {
      'genkit:type': 'action',
      'genkit:metadata:subtype': 'model',
      'genkit:name': 'googleai/gemini-2.5-flash',
      'genkit:path': '/{day,t:flow}/{owl,t:flow}/{generate,t:util}/{googleai/gemini-2.5-flash,t:action,s:model}',
      'genkit:input': '{"messages":[]}',
      'genkit:output':
        '{"finishReason":"stop","usage":{"inputTokens":240,"outputTokens":24,"thoughtsTokens":16,"cachedContentTokens":64,"totalTokens":280}}',
    },
    becomes: {
      [OP]: 'chat',
      [REQUEST]: 'gemini-2.5-flash',
      [PROVIDER]: 'gcp.gemini',
      [AGENT]: 'owl',
      [IN]: 240,
      [OUT]: 40,
      [READ]: 64,
      [REASONING]: 16,
      'gen_ai.response.finish_reasons': ['stop'],
      'genkit:type': 'action',
      'input.value': '{"messages":[]}',
    },
  },
  'genkit: a flow is the agent, and a step has no operation': {
    sent: { 'genkit:type': 'action', 'genkit:metadata:subtype': 'flow', 'genkit:path': '/{owl,t:flow}' },
    becomes: { [OP]: 'invoke_agent', [AGENT]: 'owl', [KIND]: 'AGENT' },
  },
  'genkit: a tool of the Go version': {
    sent: {
      'genkit:type': 'action',
      'genkit:metadata:subtype': 'tool.v2',
      'genkit:name': 'sum',
      'genkit:input': '{"a":1}',
    },
    becomes: { [OP]: 'execute_tool', 'gen_ai.tool.name': 'sum', 'gen_ai.tool.call.arguments': '{"a":1}' },
  },
  'voltagent: a call': {
    scope: '@voltagent/core',
    sent: {
      'span.type': 'llm',
      'entity.type': 'agent',
      'entity.name': 'owl',
      'conversation.id': 'c-1',
      'llm.model': 'gpt-4o-mini',
      'llm.messages': '[]',
      'llm.usage.prompt_tokens': 240n,
      'llm.usage.completion_tokens': 40n,
      'llm.usage.cached_tokens': 64n,
      'llm.usage.reasoning_tokens': 16n,
      'llm.finish_reason': 'stop',
    },
    becomes: {
      [OP]: 'chat',
      [AGENT]: 'owl',
      [REQUEST]: 'gpt-4o-mini',
      [IN]: 240,
      [OUT]: 40,
      [READ]: 64,
      [REASONING]: 16,
      'gen_ai.conversation.id': 'c-1',
      'input.value': '[]',
    },
  },
  'voltagent: an agent, whose tokens are sums': {
    scope: '@voltagent/core',
    sent: { 'entity.type': 'agent', 'entity.name': 'owl', 'agent.state': 'completed', 'usage.prompt_tokens': 480n },
    becomes: { [OP]: 'invoke_agent', [AGENT]: 'owl', [IN]: undefined },
  },
  'voltagent: a tool': {
    scope: '@voltagent/core',
    parent: true,
    failed: true,
    sent: { 'span.type': 'tool', 'entity.type': 'agent', 'entity.name': 'owl', 'tool.name': 'sum', input: '{"a":1}' },
    becomes: { [OP]: 'execute_tool', 'gen_ai.tool.name': 'sum', 'gen_ai.tool.call.arguments': '{"a":1}' },
  },
  'mastra: what an agent got and gave, and the name of its provider': {
    sent: {
      'mastra.span.type': 'agent_run',
      [OP]: 'invoke_agent',
      [PROVIDER]: 'openai.chat',
      'mastra.agent_run.input': 'Rain?',
      'mastra.agent_run.output': 'Yes.',
    },
    becomes: {
      [PROVIDER]: 'openai',
      'woodland.provider.name.sent': 'openai.chat',
      'input.value': 'Rain?',
      'output.value': 'Yes.',
    },
  },
  'a profile of Bedrock is no model: the one that answered is': {
    sent: {
      ...CALL,
      [PROVIDER]: 'aws.bedrock',
      [REQUEST]: 'arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/s529qz7ddy06',
      'gen_ai.response.model': 'anthropic.claude-sonnet-4-5-20250929-v1:0',
    },
    becomes: {
      [REQUEST]: 'anthropic.claude-sonnet-4-5-20250929-v1:0',
      'woodland.request.model.sent':
        'arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/s529qz7ddy06',
    },
  },
  'a router is no model': {
    sent: {
      ...CALL,
      [PROVIDER]: 'openrouter',
      [REQUEST]: 'openrouter/auto',
      'gen_ai.response.model': 'anthropic/claude-sonnet-4',
    },
    becomes: { [REQUEST]: 'anthropic/claude-sonnet-4', 'woodland.request.model.sent': 'openrouter/auto' },
  },
  'a router of Azure is no model': {
    sent: {
      ...CALL,
      [PROVIDER]: 'azure.ai.openai',
      [REQUEST]: 'model-router',
      'gen_ai.response.model': 'gpt-5-nano-2025-08-07',
    },
    becomes: { [REQUEST]: 'gpt-5-nano-2025-08-07', 'woodland.request.model.sent': 'model-router' },
  },
  'a deployment of Azure with a name of its own is no model': {
    sent: {
      ...CALL,
      [PROVIDER]: 'azure.ai.openai',
      [REQUEST]: 'prod-chat-eu',
      'gen_ai.response.model': 'gpt-4o-2024-08-06',
    },
    becomes: { [REQUEST]: 'gpt-4o-2024-08-06', 'woodland.request.model.sent': 'prod-chat-eu' },
  },
  'a model that is not known is the one that answered': {
    sent: { ...CALL, [PROVIDER]: 'anthropic', [REQUEST]: 'unknown', 'gen_ai.response.model': 'claude-haiku-4-5' },
    becomes: { [REQUEST]: 'claude-haiku-4-5', 'woodland.request.model.sent': 'unknown' },
  },
  'a deployment of Azure with the name of a model is that model': {
    sent: { ...CALL, [PROVIDER]: 'azure.ai.openai', [REQUEST]: 'gpt-4-turbo', 'gen_ai.response.model': 'gpt-4' },
    becomes: { [REQUEST]: 'gpt-4-turbo', 'woodland.request.model.sent': undefined },
  },
  'a model that is asked for by its short name keeps it': {
    sent: { ...CALL, [REQUEST]: 'gpt-4o', 'gen_ai.response.model': 'gpt-4o-2024-08-06' },
    becomes: { [REQUEST]: 'gpt-4o', 'woodland.request.model.sent': undefined },
  },
  'a call that ended with an error has failed': {
    sent: { ...CALL, 'gen_ai.response.finish_reasons': '["error"]' },
    becomes: { 'error.type': '_OTHER' },
    status: 2,
  },
  'a stream that its reader closed has not, though OpenTelemetry for Python says so': {
    scope: 'opentelemetry.instrumentation.genai.openai',
    sent: { ...CALL, 'gen_ai.request.stream': true, 'gen_ai.response.finish_reasons': ['error'] },
    becomes: { [OP]: 'chat', 'error.type': undefined },
    status: 0,
  },
  'an agent whose answer ended with an error has failed': {
    sent: {
      [OP]: 'invoke_agent',
      [AGENT]: 'owl',
      'gen_ai.output.messages': '[{"role":"assistant","parts":[],"finish_reason":"error","name":null}]',
    },
    becomes: { 'error.type': '_OTHER' },
    status: 2,
  },
  'an agent that answers with JSON of an error has not': {
    sent: {
      [OP]: 'invoke_agent',
      [AGENT]: 'owl',
      'gen_ai.output.messages':
        '[{"role":"assistant","parts":[{"content":"{\\"finish_reason\\":\\"error\\"}"}],"finish_reason":"stop"}]',
    },
    becomes: { 'error.type': undefined },
    status: 0,
  },
  'a call that ended well has not': {
    sent: { ...CALL, 'gen_ai.response.finish_reasons': ['stop'] },
    becomes: { 'error.type': undefined },
    status: 0,
  },
  'langfuse: an observation whose level is an error has failed, and its first chunk has a time': {
    sent: {
      'langfuse.observation.type': 'generation',
      'langfuse.observation.level': 'ERROR',
      // 50 ms after the span began.
      'langfuse.observation.completion_start_time': `"${new Date(1795223772868).toISOString()}"`,
    },
    becomes: { 'error.type': '_OTHER', 'gen_ai.response.time_to_first_chunk': 0.05 },
    status: 2,
  },
  'langfuse: what was cached and what was reasoned are both beside the rest': {
    sent: {
      'langfuse.observation.type': 'generation',
      'langfuse.observation.usage_details':
        '{"input":176,"output":24,"total":280,"input_cached_tokens":64,"output_reasoning_tokens":16}',
    },
    becomes: { [IN]: 240, [OUT]: 40, [READ]: 64, [REASONING]: 16 },
  },
  'laminar: a function that is a tool': {
    scope: 'lmnr.tracer',
    name: 'add',
    parent: true,
    sent: {
      'lmnr.span.type': 'TOOL',
      'lmnr.span.input': '{"a":1}',
      'lmnr.span.output': '2',
      'lmnr.association.properties.session_id': 's-7',
      'lmnr.association.properties.user_id': 'u-1',
    },
    becomes: {
      [OP]: 'execute_tool',
      [KIND]: 'TOOL',
      'gen_ai.tool.name': 'add',
      'gen_ai.tool.call.arguments': '{"a":1}',
      'gen_ai.tool.call.result': '2',
      'gen_ai.conversation.id': 's-7',
      'user.id': 'u-1',
    },
  },
  'laminar: a function is a workflow only where it is the whole run': {
    scope: 'lmnr.tracer',
    parent: true,
    sent: { 'lmnr.span.type': 'DEFAULT', 'lmnr.span.input': '{}' },
    becomes: { [OP]: undefined, [KIND]: 'CHAIN', 'input.value': '{}' },
  },
  'laminar: why a call ended stands in its messages': {
    scope: 'lmnr.tracer',
    parent: true,
    sent: {
      'lmnr.span.type': 'LLM',
      'gen_ai.system': 'openai',
      [REQUEST]: 'gpt-4o-mini',
      'gen_ai.output.messages': '[{"finish_reason":"tool_calls","index":0,"message":{"role":"assistant"}}]',
    },
    becomes: { [OP]: 'chat', 'gen_ai.response.finish_reasons': ['tool_calls'] },
  },
  'langwatch: a call of Python, with the provider in the name of the model': {
    scope: 'langwatch',
    parent: true,
    sent: {
      'langwatch.span.type': 'llm',
      [REQUEST]: 'openai/gpt-4o-mini',
      'langwatch.input': '{"type": "chat_messages", "value": []}',
      'langwatch.metrics': '{"prompt_tokens": 160, "completion_tokens": 40, "reasoning_tokens": 8}',
      'langwatch.timestamps': '{"started_at": 1795992683292, "first_token_at": 1795992683324}',
    },
    becomes: {
      [OP]: 'chat',
      [REQUEST]: 'gpt-4o-mini',
      'woodland.request.model.sent': 'openai/gpt-4o-mini',
      [PROVIDER]: 'openai',
      [IN]: 160,
      [OUT]: 40,
      [REASONING]: 8,
      'gen_ai.response.time_to_first_chunk': 0.032,
      'input.value': '{"type": "chat_messages", "value": []}',
    },
  },
  'langwatch: a call of JavaScript': {
    parent: true,
    sent: {
      'langwatch.span.type': 'llm',
      [REQUEST]: 'Qwen/Qwen2.5-3B-Instruct',
      'langwatch.metrics': '{"type":"json","value":{"promptTokens":240,"completionTokens":40}}',
    },
    becomes: { [OP]: 'chat', [REQUEST]: 'Qwen/Qwen2.5-3B-Instruct', [PROVIDER]: undefined, [IN]: 240, [OUT]: 40 },
  },
  'langwatch: an agent, its conversation and its tool': {
    name: 'owl',
    sent: { 'langwatch.span.type': 'agent', metadata: '{"user_id": "u-1", "thread_id": "s-7"}' },
    becomes: { [OP]: 'invoke_agent', [AGENT]: 'owl', 'gen_ai.conversation.id': 's-7', 'user.id': 'u-1' },
  },
  'langwatch: what a tool got and gave is in JSON': {
    name: 'add',
    parent: true,
    sent: {
      'langwatch.span.type': 'tool',
      'langwatch.input': '{"type": "json", "value": {"a": 1}}',
      'langwatch.output': '{"type": "text", "value": "two"}',
    },
    becomes: {
      [OP]: 'execute_tool',
      'gen_ai.tool.name': 'add',
      'gen_ai.tool.call.arguments': '{"a":1}',
      'gen_ai.tool.call.result': 'two',
    },
  },
  'monocle: a call by a framework, whose tokens are in an event': {
    scope: 'monocle_apptrace',
    parent: true,
    sent: {
      'span.type': 'inference.framework',
      'entity.1.type': 'inference.azure_openai',
      'entity.2.name': 'gpt-4o-mini',
      'scope.agentic.session': 's-7',
    },
    events: [
      { name: 'data.input', attributes: { input: 'hello' } },
      { name: 'data.output', attributes: { response: 'hi' } },
      { name: 'metadata', attributes: { prompt_tokens: 160n, completion_tokens: 40n, finish_reason: 'stop' } },
    ],
    becomes: {
      [OP]: 'chat',
      [REQUEST]: 'gpt-4o-mini',
      [PROVIDER]: 'azure.ai.openai',
      [IN]: 160,
      [OUT]: 40,
      'gen_ai.response.finish_reasons': ['stop'],
      'gen_ai.conversation.id': 's-7',
      'input.value': 'hello',
      'output.value': 'hi',
    },
  },
  'monocle: the same call below it is not counted again': {
    scope: 'monocle_apptrace',
    parent: true,
    failed: true,
    sent: { 'span.type': 'inference.modelapi' },
    events: [
      { name: 'data.output', attributes: { error_code: 'internal' } },
      { name: 'metadata', attributes: { prompt_tokens: 160n } },
    ],
    becomes: { [OP]: undefined, [KIND]: 'CHAIN', [IN]: undefined, 'error.type': 'internal' },
  },
  'monocle: a tool knows its agent': {
    scope: 'monocle_apptrace',
    parent: true,
    sent: { 'span.type': 'agentic.tool.invocation', 'entity.1.name': 'add', 'entity.2.name': 'owl' },
    events: [
      { name: 'data.input', attributes: { input: '{"a":1}' } },
      { name: 'data.output', attributes: { response: '2' } },
    ],
    becomes: {
      [OP]: 'execute_tool',
      [AGENT]: 'owl',
      'gen_ai.tool.name': 'add',
      'gen_ai.tool.call.arguments': '{"a":1}',
      'gen_ai.tool.call.result': '2',
    },
  },
  'Azure AI inference: its name, and messages as JSON in events': {
    sent: { [OP]: 'chat', 'gen_ai.system': 'az.ai.inference', [REQUEST]: 'gpt-4o-mini' },
    events: [
      { name: 'gen_ai.user.message', attributes: { 'gen_ai.event.content': '{"content":"hello"}' } },
      { name: 'gen_ai.choice', attributes: { 'gen_ai.event.content': '{"message":{"content":"hi"}}' } },
    ],
    becomes: {
      [PROVIDER]: 'azure.ai.inference',
      'input.value': '{"content":"hello"}',
      'output.value': '{"message":{"content":"hi"}}',
    },
  },
  'Ax: the tokens of a call are in an event, and its total holds what was cached': {
    kind: 2,
    parent: true,
    sent: { [OP]: 'chat', 'gen_ai.system': 'OpenAI', [REQUEST]: 'gpt-4o-mini' },
    events: [
      {
        name: 'gen_ai.usage',
        attributes: {
          'gen_ai.usage.input_tokens': 176n,
          'gen_ai.usage.output_tokens': 40n,
          'gen_ai.usage.total_tokens': 280n,
        },
      },
      { name: 'gen_ai.choice', attributes: { finish_reason: 'stop' } },
    ],
    becomes: { [IN]: 240, [OUT]: 40, [PROVIDER]: 'openai', 'gen_ai.response.finish_reasons': ['stop'] },
  },
  'Langtrace: what was read from a cache': {
    sent: { ...CALL, 'gen_ai.system': 'openai', [IN]: 160n, [OUT]: 40n, 'gen_ai.usage.cached_tokens': 64n },
    becomes: { [IN]: 160, [READ]: 64 },
  },
  'llamaindex: the name of a method is a call, and its events tell the rest': {
    scope: 'llamaindex.opentelemetry.tracer',
    name: 'OpenAI.achat',
    parent: true,
    sent: { 'llamaindex.run_id': 'r' },
    events: [
      {
        name: 'LLMChatStartEvent',
        attributes: {
          messages: '[]',
          'model_dict.model_name': 'gpt-4o-mini',
          'model_dict.class_name': 'Azure_OpenAI_LLM',
        },
      },
      {
        name: 'LLMChatEndEvent',
        attributes: {
          'response.raw.model': 'gpt-4o-mini-2024-07-18',
          'response.raw.choices': '[{"finish_reason": "stop", "index": 0}]',
          'response.raw.usage.prompt_tokens': 160n,
          'response.raw.usage.completion_tokens': 40n,
          'response.raw.usage.prompt_tokens_details.cached_tokens': 64n,
          'response.raw.usage.completion_tokens_details.reasoning_tokens': 'null',
          'response.message.blocks': '[{"text":"hi"}]',
        },
      },
    ],
    becomes: {
      [OP]: 'chat',
      [KIND]: 'LLM',
      [REQUEST]: 'gpt-4o-mini',
      'gen_ai.response.model': 'gpt-4o-mini-2024-07-18',
      [PROVIDER]: 'azure.ai.openai',
      [IN]: 160,
      [OUT]: 40,
      [READ]: 64,
      [REASONING]: undefined,
      'gen_ai.response.finish_reasons': ['stop'],
      'input.value': '[]',
      'output.value': '[{"text":"hi"}]',
    },
  },
  'llamaindex: a tool is named where Python shows its call': {
    scope: 'llamaindex.opentelemetry.tracer',
    name: 'FunctionTool.acall',
    parent: true,
    failed: true,
    sent: {
      'llamaindex.step.input_summary': "ToolCall(tool_name='add', tool_kwargs={'a': 2}, tool_id='call_1')",
    },
    becomes: {
      [OP]: 'execute_tool',
      'gen_ai.tool.name': 'add',
      'gen_ai.tool.call.arguments': "{'a': 2}",
      'gen_ai.tool.call.id': 'call_1',
    },
  },
  'llamaindex: an engine that chats is no call': {
    scope: 'llamaindex.opentelemetry.tracer',
    name: 'SimpleChatEngine.chat',
    parent: true,
    sent: { 'llamaindex.run_id': 'r' },
    becomes: { [OP]: undefined, [KIND]: 'CHAIN' },
  },
  'pydantic-ai: version 1 has the answer at the end of its events': {
    scope: 'pydantic-ai',
    parent: true,
    sent: {
      ...CALL,
      events:
        '[{"content": "hello", "event.name": "gen_ai.user.message"}, {"index": 0, "message": {"content": "hi"}, "gen_ai.system": "openai", "event.name": "gen_ai.choice"}]',
    },
    becomes: { 'output.value': '{"content": "hi"}' },
  },
  'pydantic-ai: details of the cache in the words of OpenAI': {
    scope: 'pydantic-ai',
    sent: {
      ...CALL,
      [IN]: 100,
      [OUT]: 20,
      'gen_ai.usage.details.cached_tokens': 40,
      'gen_ai.usage.details.reasoning_tokens': 7,
    },
    becomes: { [IN]: 100, [OUT]: 20, [READ]: 40, [REASONING]: 7 },
  },
  'pydantic-ai: details of the cache in the words of Anthropic': {
    scope: 'pydantic-ai',
    sent: {
      ...CALL,
      [IN]: 100,
      [OUT]: 20,
      'gen_ai.usage.details.cache_read_input_tokens': 40,
      'gen_ai.usage.details.cache_creation_input_tokens': 9,
    },
    becomes: { [IN]: 100, [OUT]: 20, [READ]: 40, [WRITE]: 9 },
  },
  'pydantic-ai: what runs several tools is no operation': {
    scope: 'pydantic-ai',
    parent: true,
    sent: { tools: ['add'] },
    becomes: { [OP]: undefined, [KIND]: 'CHAIN' },
  },
  'span-kind: a call that failed has its model in JSON, and LangChain knows the agent': {
    parent: true,
    failed: true,
    sent: {
      'gen_ai.span.kind': 'LLM',
      'gen_ai.request.parameters': '{"model": "gpt-4o-mini", "stream": true}',
      ls_provider: 'openai',
      lc_agent_name: 'owl',
    },
    becomes: { [OP]: 'chat', [KIND]: 'LLM', [REQUEST]: 'gpt-4o-mini', [PROVIDER]: 'openai', [AGENT]: 'owl' },
    status: 2,
  },
  'span-kind: a tool': {
    parent: true,
    sent: { 'gen_ai.span.kind': 'TOOL', 'gen_ai.tool.name': 'add', 'input.value': '{"a":1}', 'output.value': '2' },
    becomes: { [OP]: 'execute_tool', 'gen_ai.tool.call.arguments': '{"a":1}', 'gen_ai.tool.call.result': '2' },
  },
  'span-kind: a chain is a workflow only where it is the whole run': {
    parent: true,
    sent: { 'gen_ai.span.kind': 'CHAIN' },
    becomes: { [OP]: undefined, [KIND]: 'CHAIN' },
  },
  'OpenLLMetry of before 0.50 with LangChain: who answers is known to LangChain': {
    sent: {
      'llm.request.type': 'chat',
      'gen_ai.system': 'Langchain',
      [REQUEST]: 'gpt-4o-mini',
      'traceloop.association.properties.ls_provider': 'openai',
    },
    becomes: { [OP]: 'chat', [PROVIDER]: 'openai' },
  },
  'spring-ai: a tool has the operation of a framework': {
    sent: {
      'spring.ai.kind': 'tool_call',
      [OP]: 'framework',
      'gen_ai.system': 'spring_ai',
      'spring.ai.tool.definition.name': 'sum',
    },
    becomes: {
      [OP]: 'execute_tool',
      'woodland.operation.name.sent': 'framework',
      'gen_ai.tool.name': 'sum',
      [PROVIDER]: undefined,
    },
  },
  'spring-ai: an advisor is a step': {
    sent: { 'spring.ai.kind': 'advisor', [OP]: 'framework', 'gen_ai.system': 'spring_ai' },
    becomes: { [OP]: undefined, [KIND]: 'CHAIN', 'woodland.operation.name.sent': 'framework' },
  },
  'spring-ai: numbers as text, an embedding, and no model that answered': {
    sent: {
      [OP]: 'embedding',
      'gen_ai.system': 'openai',
      [REQUEST]: 'e',
      'gen_ai.response.model': 'none',
      [IN]: '12',
    },
    becomes: { [OP]: 'embeddings', [IN]: 12, 'gen_ai.response.model': undefined },
  },
  'conventions of after v1.41: what was written to the cache': {
    sent: { ...CALL, [IN]: 240n, [OUT]: 40n, 'gen_ai.usage.cache_write.input_tokens': 32n },
    becomes: { [WRITE]: 32, [IN]: 240 },
  },
  'openinference: LangChain for JavaScript names the provider in JSON only': {
    sent: { [KIND]: 'LLM', 'llm.model_name': 'm', metadata: '{"ls_provider":"amazon-bedrock"}' },
    becomes: { [PROVIDER]: 'aws.bedrock' },
  },
  'claude-code: a call, whose tokens are counted from its record': {
    scope: 'com.anthropic.claude_code.tracing',
    sent: { ...CALL, 'span.type': 'llm_request', ttft_ms: 250n, [IN]: 240n },
    becomes: { [IN]: 240, 'gen_ai.response.time_to_first_chunk': 0.25 },
  },
  'qwen-code: a call, whose tokens are counted from its record': {
    scope: 'qwen-code',
    sent: { ...CALL, 'qwen-code.model': 'm', [IN]: 240n },
    becomes: { [IN]: 240 },
  },
  'claude-code: only the span that ran a tool says that it failed': {
    scope: 'com.anthropic.claude_code.tracing',
    parent: true,
    failed: true,
    sent: { 'span.type': 'tool.execution', 'error.type': 'tool_error' },
    becomes: { [OP]: 'execute_tool', [KIND]: 'TOOL' },
    status: 2,
  },
  'google-adk: a model of LiteLLM has no provider in front': {
    scope: 'gcp.vertex.agent',
    sent: {
      [OP]: 'generate_content',
      [REQUEST]: 'openai/Qwen/Qwen2.5-3B-Instruct',
      [PROVIDER]: 'openai',
      'gcp.vertex.agent.llm_request': '{"contents": []}',
    },
    becomes: {
      [REQUEST]: 'Qwen/Qwen2.5-3B-Instruct',
      'woodland.request.model.sent': 'openai/Qwen/Qwen2.5-3B-Instruct',
      'input.value': '{"contents": []}',
      [KIND]: 'LLM',
    },
  },
  'google-adk: what a model of LiteLLM reasoned is in its output once': {
    scope: 'gcp.vertex.agent',
    sent: {
      [OP]: 'generate_content',
      [REQUEST]: 'openai/gpt-4o',
      [PROVIDER]: 'openai',
      [IN]: 160n,
      [OUT]: 48n,
      [REASONING]: 8n,
    },
    becomes: { [OUT]: 40, 'woodland.usage.output_tokens.sent': 48 },
  },
  'google-adk: what Gemini reasoned is beside its output, and the SDK has added it': {
    scope: 'gcp.vertex.agent',
    sent: {
      [OP]: 'generate_content',
      [REQUEST]: 'gemini-2.5-pro',
      [PROVIDER]: 'gcp.vertex_ai',
      [IN]: 160n,
      [OUT]: 48n,
      [REASONING]: 8n,
    },
    becomes: { [OUT]: 48, 'woodland.usage.output_tokens.sent': undefined },
  },
  'google-adk: another model keeps its name': {
    scope: 'gcp.vertex.agent',
    sent: { [OP]: 'generate_content', [REQUEST]: 'gemini-2.5-pro', [PROVIDER]: 'gcp.vertex_ai' },
    becomes: { [REQUEST]: 'gemini-2.5-pro', 'woodland.request.model.sent': undefined },
  },
  'google-adk 1: what asks Gemini has what it reasoned beside its output, and the agent in the words to it': {
    scope: 'gcp.vertex.agent',
    name: 'call_llm',
    sent: {
      'gen_ai.system': 'gcp.vertex.agent',
      [REQUEST]: 'gemini-2.5-flash',
      [IN]: 160n,
      [OUT]: 24n,
      'gen_ai.usage.experimental.reasoning_tokens': 16n,
      'gcp.vertex.agent.llm_request':
        '{"config": {"system_instruction": "You add.\\n\\nYou are an agent. Your internal name is \\"owl\\"."}}',
    },
    becomes: {
      ...{ [OP]: 'generate_content', [PROVIDER]: 'gcp.gemini', [AGENT]: 'owl', [KIND]: 'LLM' },
      ...{ [OUT]: 40, [REASONING]: 16, 'woodland.usage.output_tokens.sent': 24 },
    },
  },
  'google-adk 1: with a model of LiteLLM what it reasoned is in the output': {
    scope: 'gcp.vertex.agent',
    name: 'call_llm',
    sent: {
      ...{ 'gen_ai.system': 'gcp.vertex.agent', [REQUEST]: 'openai/gpt-4o', [IN]: 160n, [OUT]: 40n },
      'gen_ai.usage.experimental.reasoning_tokens': 16n,
    },
    becomes: { [PROVIDER]: 'openai', [REQUEST]: 'gpt-4o', [OUT]: 40, [REASONING]: 16 },
  },
  'google-adk 1: the span below a call that worked has its tokens once more': {
    scope: 'gcp.vertex.agent',
    sent: {
      ...{ 'gen_ai.system': 'gemini', [OP]: 'generate_content', [REQUEST]: 'gemini-2.5-flash', [AGENT]: 'owl' },
      ...{ [IN]: 160n, [OUT]: 24n },
    },
    becomes: { [OP]: undefined, [KIND]: 'CHAIN', [IN]: 160, 'woodland.operation.name.sent': 'generate_content' },
  },
  'google-adk 1: only the span below a call that failed tells of it': {
    scope: 'gcp.vertex.agent',
    failed: true,
    sent: { 'gen_ai.system': 'gemini', [OP]: 'generate_content', [REQUEST]: 'gemini-2.5-flash', [AGENT]: 'owl' },
    becomes: { [OP]: 'generate_content', [KIND]: 'LLM' },
    status: 2,
  },
  'google-adk 1: a tool is shown with its arguments, and not as an empty request': {
    scope: 'gcp.vertex.agent',
    sent: {
      ...{ [OP]: 'execute_tool', 'gen_ai.tool.name': 'add', 'gcp.vertex.agent.tool_call_args': '{"a": 2}' },
      ...{ 'gcp.vertex.agent.llm_request': '{}', 'gcp.vertex.agent.llm_response': '{}' },
      'gcp.vertex.agent.tool_response': '{"result": 4}',
    },
    becomes: { 'input.value': '{"a": 2}', 'output.value': '{"result": 4}' },
  },
  'google-adk with OpenInference: a tool that names its operation': {
    scope: 'openinference.instrumentation.google_adk',
    sent: {
      ...{ [OP]: 'execute_tool', [KIND]: 'TOOL', 'gen_ai.tool.name': 'add' },
      ...{ 'input.value': '{"a": 2}', 'output.value': '4' },
    },
    becomes: { 'gen_ai.tool.call.arguments': '{"a": 2}', 'gen_ai.tool.call.result': '4' },
  },
  'Vercel 5: what Anthropic says of its cache, which is beside its input': {
    sent: {
      'ai.operationId': 'ai.generateText.doGenerate',
      ...{ 'ai.model.provider': 'anthropic.messages', 'ai.model.id': 'claude-sonnet-4-5', [IN]: 1000n, [OUT]: 40n },
      'ai.response.providerMetadata':
        '{"anthropic":{"usage":{"input_tokens":1000,"output_tokens":40,"cache_creation_input_tokens":32,"cache_read_input_tokens":64}}}',
    },
    becomes: { [IN]: 1096, [READ]: 64, [WRITE]: 32, 'woodland.usage.input_tokens.sent': 1000 },
  },
  'Vercel 6: what Anthropic says of its cache is in the input already': {
    sent: {
      'ai.operationId': 'ai.streamText.doStream',
      ...{ 'ai.model.provider': 'anthropic.messages', 'ai.model.id': 'claude-sonnet-4-5', [IN]: 1096n, [OUT]: 40n },
      'ai.response.providerMetadata':
        '{"anthropic":{"usage":{"input_tokens":1000,"output_tokens":40,"cache_creation_input_tokens":32,"cache_read_input_tokens":64}}}',
    },
    becomes: { [IN]: 1096, [READ]: 64, [WRITE]: 32, 'woodland.usage.input_tokens.sent': undefined },
  },
  'Vercel 4: what Anthropic says of its cache': {
    sent: {
      'ai.operationId': 'ai.generateText.doGenerate',
      ...{ 'ai.model.provider': 'anthropic.messages', 'ai.model.id': 'claude-sonnet-4-5', [IN]: 1000n, [OUT]: 40n },
      'ai.response.providerMetadata': '{"anthropic":{"cacheCreationInputTokens":32,"cacheReadInputTokens":64}}',
    },
    becomes: { [IN]: 1096, [READ]: 64, [WRITE]: 32 },
  },
  'Vercel 4: what OpenAI says of its cache and its reasoning': {
    sent: {
      'ai.operationId': 'ai.generateText.doGenerate',
      ...{ 'ai.model.provider': 'openai.chat', 'ai.model.id': 'gpt-4o', [IN]: 160n, [OUT]: 40n },
      'ai.response.providerMetadata': '{"openai":{"reasoningTokens":16,"cachedPromptTokens":64}}',
    },
    becomes: { [IN]: 160, [READ]: 64, [REASONING]: 16, 'woodland.usage.input_tokens.sent': undefined },
  },
  'Vercel: what was embedded': {
    sent: { 'ai.operationId': 'ai.embed.doEmbed', 'ai.values': ['"acorns"', '"berries"'] },
    becomes: { 'input.value': '["\\"acorns\\"","\\"berries\\""]' },
  },
  'pydantic-ai 0: the parts of tokens by the names of OpenAI': {
    scope: 'pydantic-ai',
    sent: {
      ...{ [OP]: 'chat', 'gen_ai.system': 'openai', [REQUEST]: 'gpt-4o', [IN]: 160n, [OUT]: 40n },
      'gen_ai.usage.details.cached_tokens': 64n,
    },
    becomes: { [IN]: 160, [READ]: 64 },
  },
  'pydantic-ai 0: the parts of tokens by the names of Anthropic': {
    scope: 'pydantic-ai',
    sent: {
      ...{ [OP]: 'chat', 'gen_ai.system': 'anthropic', [REQUEST]: 'claude-sonnet-4-5', [IN]: 160n, [OUT]: 40n },
      ...{
        'gen_ai.usage.details.cache_read_input_tokens': 64n,
        'gen_ai.usage.details.cache_creation_input_tokens': 32n,
      },
    },
    becomes: { [IN]: 160, [READ]: 64, [WRITE]: 32 },
  },
  'Logfire 3: the parts of tokens are in the answer': {
    scope: 'logfire.openai_agents',
    sent: {
      ...{ [OP]: 'chat', 'gen_ai.system': 'openai', [REQUEST]: 'gpt-4o', [IN]: 160n, [OUT]: 40n },
      response:
        '{"usage":{"input_tokens":160,"input_tokens_details":{"cached_tokens":64},"output_tokens_details":{"reasoning_tokens":16}}}',
    },
    becomes: { [IN]: 160, [READ]: 64, [REASONING]: 16 },
  },
  'Logfire: the request of a stream is no call': {
    scope: 'logfire.openai',
    parent: true,
    sent: {
      ...{ ...CALL, 'gen_ai.system': 'openai', 'logfire.span_type': 'span', request_data: '{"model":"m"}' },
      ...{ 'logfire.msg_template': 'Chat Completion with {request_data[model]!r}', 'gen_ai.response.model': 'm' },
    },
    becomes: { [OP]: undefined, 'woodland.operation.name.sent': 'chat', [KIND]: 'CHAIN' },
  },
  'Logfire: the request of a stream that failed is one': {
    scope: 'logfire.openai',
    failed: true,
    sent: { ...CALL, 'gen_ai.system': 'openai', 'logfire.span_type': 'span', request_data: '{"model":"m"}' },
    becomes: { [OP]: 'chat', [KIND]: 'LLM' },
  },
  'Logfire: the log of its answer is the call': {
    scope: 'logfire.openai',
    sent: {
      ...{ ...CALL, 'gen_ai.system': 'openai', 'logfire.span_type': 'log', duration: 2.5, [IN]: 160n, [OUT]: 40n },
      'logfire.msg_template': 'streaming response from {request_data[model]!r} took {duration:.2f}s',
    },
    becomes: { [OP]: 'chat', [IN]: 160, [KIND]: 'LLM' },
  },
  'Langfuse with LangChain: the provider of a call': {
    sent: {
      ...{ 'langfuse.observation.type': 'generation', 'langfuse.observation.model.name': 'claude-sonnet-4-5' },
      'langfuse.observation.metadata.ls_provider': 'anthropic',
    },
    becomes: { [PROVIDER]: 'anthropic' },
  },
  'Langfuse with LangChain: a step with "agent" in its name is no agent': {
    name: 'RunnableAssign<agent_scratchpad>',
    parent: true,
    sent: { 'langfuse.observation.type': 'agent' },
    becomes: { [OP]: undefined, [AGENT]: undefined, [KIND]: 'CHAIN' },
  },
  'Langfuse with LangChain: the whole run': {
    sent: { 'langfuse.observation.type': 'chain' },
    becomes: { [OP]: 'invoke_workflow', [KIND]: 'CHAIN' },
  },
  'Langfuse with LangGraph: the agent of a call': {
    sent: {
      ...{ 'langfuse.observation.type': 'generation', 'langfuse.observation.model.name': 'gpt-4o' },
      'langfuse.observation.metadata.langgraph_checkpoint_ns': 'owl:0a615b2c|agent:4b0aa2e8',
    },
    becomes: { [AGENT]: 'owl' },
  },
  'Langfuse with LangGraph: the agent of a call, as it names itself': {
    sent: {
      ...{ 'langfuse.observation.type': 'generation', 'langfuse.observation.model.name': 'gpt-4o' },
      'langfuse.observation.metadata.lc_agent_name': 'owl',
    },
    becomes: { [AGENT]: 'owl' },
  },
  'OpenLLMetry with LangGraph: the agent of a call': {
    sent: {
      ...{ 'llm.request.type': 'chat', [REQUEST]: 'gpt-4o', 'traceloop.workflow.name': 'forest' },
      'traceloop.association.properties.langgraph_checkpoint_ns': 'forest:1|owl:0a615b2c|1|agent:4b0aa2e8',
    },
    becomes: { [AGENT]: 'owl' },
  },
  'LangSmith with LangGraph: the agent of a call': {
    sent: {
      ...{ 'langsmith.span.kind': 'llm', [OP]: 'chat', [REQUEST]: 'gpt-4o' },
      'langsmith.metadata.langgraph_checkpoint_ns': 'owl:0a615b2c|agent:4b0aa2e8',
    },
    becomes: { [AGENT]: 'owl' },
  },
  'OpenInference with LangGraph: the agent of a call': {
    sent: {
      ...{ [KIND]: 'LLM', 'llm.model_name': 'gpt-4o' },
      metadata:
        '{"langgraph_node": "agent", "langgraph_checkpoint_ns": "owl:0a615b2c|agent:4b0aa2e8", "checkpoint_ns": "owl:0a615b2c"}',
    },
    becomes: { [AGENT]: 'owl' },
  },
  'OpenInference with LangGraph: a graph that a tool calls has no name here': {
    sent: {
      ...{ [KIND]: 'LLM', 'llm.model_name': 'gpt-4o' },
      metadata: '{"langgraph_checkpoint_ns": "tools:0a615b2c|agent:4b0aa2e8"}',
    },
    becomes: { 'woodland.agent.from': 'service' },
  },
  'OpenInference with LangChain: a step with "agent" in its name is no agent': {
    scope: 'openinference.instrumentation.langchain',
    name: 'RunnableAssign<agent_scratchpad>',
    parent: true,
    sent: { [KIND]: 'AGENT' },
    becomes: { [OP]: undefined, [KIND]: 'AGENT' },
  },
  'OpenInference 0.1.54 with LangChain: the cache of Anthropic is beside the input': {
    scope: 'openinference.instrumentation.langchain',
    version: '0.1.54',
    sent: {
      ...{ [KIND]: 'LLM', 'llm.model_name': 'claude-sonnet-4-5', 'llm.provider': 'anthropic' },
      ...{ 'llm.token_count.prompt': 1000n, 'llm.token_count.completion': 40n },
      ...{ 'llm.token_count.prompt_details.cache_read': 64n, 'llm.token_count.prompt_details.cache_write': 32n },
    },
    becomes: { [IN]: 1096, [READ]: 64, [WRITE]: 32 },
  },
  'OpenInference 0.1.55 with LangChain: the cache of Anthropic is in the input': {
    scope: 'openinference.instrumentation.langchain',
    version: '0.1.55',
    sent: {
      ...{ [KIND]: 'LLM', 'llm.model_name': 'claude-sonnet-4-5', 'llm.provider': 'anthropic' },
      ...{ 'llm.token_count.prompt': 1000n, 'llm.token_count.completion': 40n },
      ...{ 'llm.token_count.prompt_details.cache_read': 64n, 'llm.token_count.prompt_details.cache_write': 32n },
    },
    becomes: { [IN]: 1000, [READ]: 64, [WRITE]: 32 },
  },
  'google-adk 1: the whole run': {
    scope: 'gcp.vertex.agent',
    name: 'invocation',
    sent: {},
    becomes: { [OP]: 'invoke_workflow', [KIND]: 'CHAIN' },
  },
  'MLflow with LangGraph: the agent of a call': {
    sent: {
      ...{ 'mlflow.spanType': '"CHAT_MODEL"', 'mlflow.llm.model': '"gpt-4o"' },
      metadata: '{"langgraph_node": "model", "lc_agent_name": "owl", "ls_provider": "openai"}',
    },
    becomes: { [OP]: 'chat', [AGENT]: 'owl' },
  },
  'OpenInference of before 1.2 with OpenAI Agents: the name of an agent': {
    scope: 'openinference.instrumentation.openai_agents',
    sent: { [KIND]: 'AGENT', 'graph.node.id': 'owl' },
    becomes: { [OP]: 'invoke_agent', [AGENT]: 'owl' },
  },
  'the conventions: messages in the event that tells of the call': {
    sent: CALL,
    events: [
      {
        name: 'gen_ai.client.inference.operation.details',
        attributes: { 'gen_ai.input.messages': '[{"role":"user"}]' },
      },
      {
        name: 'gen_ai.client.inference.operation.details',
        attributes: { 'gen_ai.output.messages': '[{"role":"assistant"}]' },
      },
    ],
    becomes: {
      'gen_ai.input.messages': '[{"role":"user"}]',
      'gen_ai.output.messages': '[{"role":"assistant"}]',
      [KIND]: 'LLM',
    },
  },
  'the conventions: an operation of an SDK of its own has a kind in Phoenix': {
    sent: { [OP]: 'execute_event_loop_cycle' },
    becomes: { [OP]: 'execute_event_loop_cycle', [KIND]: 'CHAIN' },
  },
  'LlamaIndex with OpenInference: a step before the call is no call': {
    scope: 'openinference.instrumentation.llama_index',
    name: 'OpenAILike._prepare_chat_with_tools',
    sent: { [KIND]: 'LLM', 'llm.model_name': 'gpt-4o' },
    becomes: { [OP]: undefined },
  },
  'LlamaIndex with OpenInference: the method around the call is no second call': {
    scope: 'openinference.instrumentation.llama_index',
    name: 'OpenAILike.achat',
    sent: { [KIND]: 'LLM', 'llm.model_name': 'gpt-4o', 'output.value': '{}', 'output.mime_type': 'application/json' },
    becomes: { [OP]: undefined },
  },
  'LlamaIndex with OpenInference: the call has its result as text': {
    scope: 'openinference.instrumentation.llama_index',
    name: 'OpenAILike.achat',
    sent: { [KIND]: 'LLM', 'llm.model_name': 'gpt-4o', 'output.value': 'assistant: hi' },
    becomes: { [OP]: 'chat' },
  },
  'smolagents with OpenInference: the agent is named in the name of its span': {
    scope: 'openinference.instrumentation.smolagents',
    name: 'fox.run',
    sent: { [KIND]: 'AGENT', 'llm.token_count.prompt': 320n },
    becomes: { [OP]: 'invoke_agent', [AGENT]: 'fox' },
  },
  'CrewAI with OpenInference: the agent is a node of its graph': {
    scope: 'openinference.instrumentation.crewai',
    name: 'fox._execute_core',
    sent: { [KIND]: 'AGENT', 'graph.node.id': 'fox' },
    becomes: { [OP]: 'invoke_agent', [AGENT]: 'fox' },
  },
  'AutoGen with OpenInference: the agent is a node of its graph, and the name of its span has more': {
    scope: 'openinference.instrumentation.autogen_agentchat',
    name: 'owl.on_messages_stream',
    sent: { [KIND]: 'AGENT', 'graph.node.id': 'owl' },
    becomes: { [OP]: 'invoke_agent', [AGENT]: 'owl' },
  },
  'Strands: its own name is no provider, and its first chunk is in milliseconds': {
    scope: 'strands.telemetry.tracer',
    sent: {
      [OP]: 'chat',
      'gen_ai.system': 'strands-agents',
      [REQUEST]: 'gpt-4o',
      'gen_ai.server.time_to_first_token': 250n,
    },
    becomes: { [PROVIDER]: undefined, 'gen_ai.response.time_to_first_chunk': 0.25 },
  },
  'Strands: what a tool got is in an event': {
    scope: 'strands.telemetry.tracer',
    sent: { [OP]: 'execute_tool', 'gen_ai.system': 'strands-agents', 'gen_ai.tool.name': 'add' },
    events: [
      { name: 'gen_ai.tool.message', attributes: { content: '{"a":1}' } },
      { name: 'gen_ai.choice', attributes: { message: '2' } },
    ],
    becomes: {
      'gen_ai.tool.call.arguments': '{"a":1}',
      'gen_ai.tool.call.result': '2',
      'input.value': '{"a":1}',
      'output.value': '2',
    },
  },
  'Strands for JavaScript: the loop of calls and tools is no call': {
    scope: 'strands-agents',
    parent: true,
    sent: { 'agent_loop.cycle_id': 'cycle-1' },
    becomes: { [OP]: undefined, [KIND]: 'CHAIN' },
  },
  "OpenTelemetry's OpenAI Agents v2: a name that stands for no agent is taken away": {
    scope: 'opentelemetry.instrumentation.openai_agents',
    parent: true,
    resource: { 'service.name': 'lab' },
    sent: {
      ...{ [OP]: 'chat', 'gen_ai.system': 'openai', [REQUEST]: 'gpt-4o-mini', [IN]: 7n, [AGENT]: 'OpenAI Agent' },
      'gen_ai.agent.description': 'OpenAI Agents instrumentation',
    },
    becomes: { [AGENT]: 'lab', 'woodland.agent.from': 'service', 'woodland.agent.name.sent': 'OpenAI Agent', [IN]: 7 },
  },
  "OpenTelemetry's OpenAI Agents v2: the root is the workflow, and is sent as a server's": {
    scope: 'opentelemetry.instrumentation.openai_agents',
    name: 'Agent workflow',
    kind: 2,
    sent: { [OP]: 'invoke_agent', 'gen_ai.system': 'openai', [PROVIDER]: 'openai' },
    becomes: {
      ...{ [OP]: 'invoke_workflow', 'woodland.operation.name.sent': 'invoke_agent', [KIND]: 'CHAIN' },
      [AGENT]: undefined,
    },
  },
  'an operation called unknown is taken away': {
    parent: true,
    sent: { [OP]: 'unknown', [PROVIDER]: 'openai' },
    becomes: { [OP]: undefined, 'woodland.operation.name.sent': 'unknown', [KIND]: 'CHAIN', [AGENT]: undefined },
  },
  'Semantic Kernel: the reason why a call ended, as Python shows it': {
    sent: { ...CALL, 'gen_ai.system': 'openai', 'gen_ai.response.finish_reason': 'FinishReason.TOOL_CALLS' },
    becomes: { 'gen_ai.response.finish_reasons': ['tool_calls'] },
  },
  'Semantic Kernel: the loop of calls and tools is no call': {
    sent: { 'sk.available_functions': 'add' },
    becomes: { [OP]: undefined, [KIND]: 'CHAIN' },
  },
  'OpenInference: a call': {
    sent: {
      [KIND]: 'LLM',
      'llm.model_name': 'openai/gpt-4o',
      'llm.provider': 'azure',
      'llm.token_count.completion': 2n,
    },
    becomes: {
      [OP]: 'chat',
      [REQUEST]: 'gpt-4o',
      'gen_ai.response.model': 'gpt-4o',
      [PROVIDER]: 'azure.ai.openai',
      [OUT]: 2,
    },
  },
  'OpenInference: one model is asked, and a dated one answers': {
    sent: {
      [KIND]: 'LLM',
      'llm.model_name': 'gpt-4o-2024-08-06',
      'llm.request.model_name': 'gpt-4o',
      'llm.response.model_name': 'gpt-4o-2024-08-06',
      'llm.token_count.completion': 2n,
    },
    becomes: { [REQUEST]: 'gpt-4o', 'gen_ai.response.model': 'gpt-4o-2024-08-06' },
  },
  'OpenInference: a slash in a name is not a provider': {
    sent: { [KIND]: 'LLM', 'llm.model_name': 'Qwen/Qwen2.5-3B-Instruct' },
    becomes: { [REQUEST]: 'Qwen/Qwen2.5-3B-Instruct' },
  },
  'OpenInference: a failed call names its model in its parameters': {
    sent: { [KIND]: 'LLM', 'llm.invocation_parameters': '{"model": "gpt-4o", "n": 1}' },
    becomes: { [REQUEST]: 'gpt-4o' },
  },
  'OpenInference: parameters without a model': {
    sent: { [KIND]: 'LLM', 'llm.invocation_parameters': '{"base_url": "http://x"}' },
    becomes: { [REQUEST]: undefined },
  },
  'OpenInference: LangGraph names its agent in JSON': {
    sent: { [KIND]: 'LLM', metadata: '{"ls_provider": "openai", "lc_agent_name": "calculator"}', 'session.id': 's1' },
    becomes: { [AGENT]: 'calculator', 'woodland.agent.from': undefined, 'gen_ai.conversation.id': 's1' },
  },
  'OpenInference: a tool': {
    sent: { [KIND]: 'TOOL', 'tool.name': 'add', 'input.value': '{"a":1}', 'output.value': '2' },
    becomes: {
      [OP]: 'execute_tool',
      'gen_ai.tool.name': 'add',
      'gen_ai.tool.call.arguments': '{"a":1}',
      'gen_ai.tool.call.result': '2',
    },
  },
  'OpenInference: a chain is a workflow when it is the whole run': {
    sent: { [KIND]: 'CHAIN' },
    becomes: { [OP]: 'invoke_workflow', [AGENT]: undefined },
  },
  'OpenInference: a chain within a run is nothing else': {
    sent: { [KIND]: 'CHAIN' },
    parent: true,
    becomes: { [OP]: undefined, [AGENT]: undefined },
  },
  'OpenInference: kinds without an operation': {
    sent: { [KIND]: 'RERANKER' },
    becomes: { [OP]: undefined },
  },
  'OpenLLMetry before 0.50': {
    sent: {
      'llm.request.type': 'chat',
      'gen_ai.system': 'OpenAI',
      [REQUEST]: 'gpt-4o',
      'gen_ai.usage.prompt_tokens': 7n,
      'gen_ai.usage.completion_tokens': 3n,
      'llm.usage.total_tokens': 10n,
      'gen_ai.prompt.0.role': 'user',
      'gen_ai.prompt.0.content': 'hello',
      'gen_ai.completion.0.content': 'hi',
      'gen_ai.completion.0.finish_reason': 'stop',
    },
    becomes: {
      [OP]: 'chat',
      [PROVIDER]: 'openai',
      [IN]: 7,
      [OUT]: 3,
      'gen_ai.response.finish_reasons': ['stop'],
      [KIND]: 'LLM',
      'output.value': '{"gen_ai.completion.0.content":"hi","gen_ai.completion.0.finish_reason":"stop"}',
    },
  },
  'OpenLLMetry: a decorated task is no operation': {
    sent: { 'traceloop.span.kind': 'task', 'traceloop.entity.name': 'plan', 'traceloop.entity.input': '{}' },
    becomes: { [OP]: undefined, [KIND]: 'CHAIN', 'input.value': '{}' },
  },
  'Vercel: the loop carries sums': {
    sent: {
      'ai.operationId': 'ai.generateText',
      'ai.usage.inputTokens': 500n,
      'ai.model.id': 'gpt-4o',
      'ai.telemetry.functionId': 'fox',
    },
    becomes: { [OP]: 'invoke_agent', [IN]: undefined, [AGENT]: 'fox', [KIND]: 'AGENT' },
  },
  'Vercel: an embedding': {
    sent: { 'ai.operationId': 'ai.embedMany.doEmbed', 'ai.usage.tokens': 9n, 'ai.model.provider': 'openai.embedding' },
    becomes: { [OP]: 'embeddings', [IN]: 9, [PROVIDER]: 'openai', [KIND]: 'EMBEDDING' },
  },
  'Vercel: the first chunk is in milliseconds': {
    sent: {
      'ai.operationId': 'ai.streamText.doStream',
      'ai.response.msToFirstChunk': 250.5,
      'ai.response.text': '',
      'ai.response.toolCalls': '[]',
    },
    becomes: { 'gen_ai.response.time_to_first_chunk': 0.2505, 'output.value': '[]' },
  },
  'pydantic-ai 1: a run': {
    scope: 'pydantic-ai',
    sent: { agent_name: 'fox', model_name: 'gpt-4o', [IN]: 300n, all_messages_events: '[]', final_result: 'done' },
    becomes: { [OP]: 'invoke_agent', [AGENT]: 'fox', 'input.value': '[]', 'output.value': 'done' },
  },
  'pydantic-ai 1: a tool': {
    scope: 'pydantic-ai',
    sent: { 'gen_ai.tool.name': 'add', 'gen_ai.tool.call.id': 'c1', tool_arguments: '{"a":1}', tool_response: '2' },
    becomes: {
      [OP]: 'execute_tool',
      'gen_ai.tool.call.arguments': '{"a":1}',
      'input.value': '{"a":1}',
      'output.value': '2',
    },
  },
  'LiteLLM: names of functions': {
    scope: 'litellm',
    sent: {
      [OP]: 'acompletion',
      'litellm.provider.model': 'openai/gpt-4o',
      'gen_ai.response.finish_reasons': '["stop"]',
      'llm.is_streaming': 'True',
    },
    becomes: {
      [OP]: 'chat',
      'woodland.operation.name.sent': 'acompletion',
      [REQUEST]: 'gpt-4o',
      'gen_ai.response.finish_reasons': ['stop'],
      'gen_ai.request.stream': true,
    },
  },
  'LiteLLM: a call of the Responses API, whose provider stands before its model': {
    scope: 'litellm',
    parent: true,
    sent: { [OP]: 'aresponses', 'gen_ai.system': '', [REQUEST]: 'gpt-4o', 'litellm.provider.model': 'azure/gpt-4o' },
    becomes: { [OP]: 'chat', [PROVIDER]: 'azure.ai.openai', 'woodland.operation.name.sent': 'aresponses' },
  },
  "LiteLLM's proxy: what it does before a call is a step": {
    scope: 'opentelemetry.instrumentation.fastapi',
    name: 'POST /v1/chat/completions',
    kind: 2,
    sent: { 'litellm.call_id': 'c', [REQUEST]: 'gpt-4o' },
    becomes: { [OP]: undefined, [KIND]: 'CHAIN' },
  },
  'LiteLLM: the raw request is a twin': {
    scope: 'litellm',
    name: 'raw_gen_ai_request',
    sent: { 'llm.openai.model': 'gpt-4o' },
    becomes: { [OP]: undefined, [KIND]: 'CHAIN' },
  },
  LangSmith: {
    sent: {
      'langsmith.span.kind': 'llm',
      'langsmith.metadata.ls_model_name': 'gpt-4o',
      'langsmith.metadata.ls_provider': 'google',
      'gen_ai.prompt': '[]',
      'langsmith.trace.session_id': 's',
    },
    becomes: {
      [OP]: 'chat',
      [REQUEST]: 'gpt-4o',
      [PROVIDER]: 'gcp.gemini',
      'input.value': '[]',
      'gen_ai.conversation.id': 's',
    },
  },
  'OpenLIT: a call that failed has a name and nothing else': {
    scope: 'openlit.instrumentation.anthropic',
    name: 'chat claude-sonnet-4-5',
    kind: 3,
    sent: {},
    failed: true,
    becomes: { [OP]: 'chat', [REQUEST]: 'claude-sonnet-4-5', [PROVIDER]: 'anthropic', 'error.type': '_OTHER' },
  },
  'OpenLIT: the first chunk is that of a stream': {
    scope: 'openlit.instrumentation.openai',
    sent: { ...CALL, 'gen_ai.request.stream': true, 'gen_ai.server.time_to_first_token': 0.25 },
    becomes: { 'gen_ai.response.time_to_first_chunk': 0.25 },
  },
  'OpenLIT: without a stream there is no first chunk': {
    scope: 'openlit.instrumentation.openai',
    sent: { ...CALL, 'gen_ai.request.stream': false, 'gen_ai.server.time_to_first_token': 0.25 },
    becomes: { 'gen_ai.response.time_to_first_chunk': undefined },
  },
  'OpenLIT: the decorated function around a run is the workflow': {
    scope: 'openlit',
    name: 'answer',
    sent: { 'function.args': '()', 'gen_ai.output.messages': '4' },
    becomes: { [OP]: 'invoke_workflow', [KIND]: 'CHAIN', 'input.value': '()', 'output.value': '4' },
  },
  'OpenLIT: a decorated function within a run is a step': {
    scope: 'openlit',
    name: 'add',
    parent: true,
    sent: { 'function.args': '(2, 2)' },
    becomes: { [OP]: undefined, [KIND]: 'CHAIN' },
  },
  'Logfire, OpenAI Agents: a tool': {
    scope: 'logfire.openai_agents',
    parent: true,
    sent: { 'logfire.msg_template': 'Function: {name}', name: 'add', input: '{"a":1}', output: '2' },
    becomes: {
      [OP]: 'execute_tool',
      'gen_ai.tool.name': 'add',
      'gen_ai.tool.call.arguments': '{"a":1}',
      'gen_ai.tool.call.result': '2',
      [KIND]: 'TOOL',
    },
  },
  'Logfire, OpenAI Agents: an agent': {
    scope: 'logfire.openai_agents',
    parent: true,
    sent: { 'logfire.msg_template': 'Agent run: {name!r}', name: 'owl', 'gen_ai.system': 'openai' },
    becomes: { [OP]: 'invoke_agent', [AGENT]: 'owl', [KIND]: 'AGENT' },
  },
  'Logfire, OpenAI Agents: a turn within the run of an agent is no second run': {
    scope: 'logfire.openai_agents',
    parent: true,
    sent: { 'logfire.msg_template': 'Turn {turn} for agent owl', agent_name: 'owl', 'gen_ai.system': 'openai' },
    becomes: { [OP]: undefined, [KIND]: 'CHAIN' },
  },
  'Logfire, OpenAI Agents: a call that failed': {
    scope: 'logfire.openai_agents',
    parent: true,
    sent: {
      'logfire.msg_template': 'Responses API with {gen_ai.request.model!r}',
      [REQUEST]: 'gpt-4o',
      'gen_ai.system': 'openai',
    },
    failed: true,
    becomes: { [OP]: 'chat', [PROVIDER]: 'openai', 'error.type': '_OTHER' },
  },
  'Logfire: a span that somebody opened around a run is the workflow': {
    scope: 'logfire',
    sent: { 'logfire.span_type': 'span', 'logfire.msg': 'answer' },
    becomes: { [OP]: 'invoke_workflow', [KIND]: 'CHAIN' },
  },
  'Logfire: what was reasoned is in the text of the usage': {
    scope: 'logfire.openai',
    sent: { ...CALL, [OUT]: 40n, 'gen_ai.usage.raw': '{"output_tokens_details":{"reasoning_tokens":8}}' },
    becomes: { [OUT]: 40, [REASONING]: 8 },
  },
  'LangSmith: the chain of an agent, with a word of its own as the operation': {
    scope: 'langsmith',
    sent: {
      'langsmith.span.kind': 'chain',
      'langsmith.trace.name': 'owl',
      'langsmith.metadata.lc_agent_name': 'owl',
      [OP]: 'chain',
      'gen_ai.system': 'langchain',
      'gen_ai.prompt': '{}',
    },
    becomes: { [OP]: 'invoke_agent', [AGENT]: 'owl', [KIND]: 'AGENT', [PROVIDER]: undefined, 'input.value': '{}' },
  },
  'LangSmith: the template of a prompt is no call': {
    scope: 'langsmith',
    parent: true,
    sent: { 'langsmith.span.kind': 'prompt', [OP]: 'chat' },
    becomes: { [OP]: 'prompt', 'woodland.operation.name.sent': 'chat', [KIND]: 'CHAIN' },
  },
  'LangSmith: the parts of the tokens': {
    scope: 'langsmith',
    sent: {
      'langsmith.span.kind': 'llm',
      [OP]: 'chat',
      [IN]: 160n,
      [OUT]: 40n,
      'langsmith.metadata.usage_metadata':
        '{"input_tokens":160,"input_token_details":{"cache_read":64},"output_token_details":{"reasoning":8}}',
    },
    becomes: { [READ]: 64, [REASONING]: 8, 'woodland.usage.input_tokens.sent': undefined },
  },
  'LangSmith: a tool that failed has the status OK, and an exception': {
    scope: 'langsmith',
    parent: true,
    sent: { 'langsmith.span.kind': 'tool', [OP]: 'execute_tool', 'gen_ai.tool.name': 'add' },
    events: [
      {
        name: 'exception',
        attributes: { 'exception.type': 'Exception', 'exception.message': "ValueError('broken')Traceback" },
      },
    ],
    becomes: { 'error.type': 'ValueError' },
    status: 2,
  },
  'LiveKit: a tool that failed has no status': {
    scope: 'livekit-agents',
    parent: true,
    sent: {
      [OP]: 'execute_tool',
      'gen_ai.tool.name': 'add',
      'lk.function_tool.is_error': true,
      'error.type': 'tool_error',
    },
    becomes: { [KIND]: 'TOOL', 'error.type': 'tool_error' },
    status: 2,
  },
  'LiveKit: the provider is the address of its server': {
    scope: 'livekit-agents',
    sent: { ...CALL, [PROVIDER]: 'api.openai.com', 'gen_ai.usage.reasoning_tokens': 8n },
    becomes: { [PROVIDER]: 'openai', 'woodland.provider.name.sent': 'api.openai.com', 'woodland.dialect': 'livekit' },
  },
  'LiveKit: an address that is no known provider stays': {
    scope: 'livekit-agents',
    sent: { ...CALL, [PROVIDER]: '127.0.0.1:9901' },
    becomes: { [PROVIDER]: '127.0.0.1:9901', 'woodland.provider.name.sent': undefined },
  },
  'LiveKit: a step has a kind in Phoenix': {
    scope: 'livekit-agents',
    parent: true,
    sent: { [REQUEST]: 'gpt-4o', [PROVIDER]: 'api.openai.com', 'lk.pii.response.text': 'hi' },
    becomes: { [OP]: undefined, [KIND]: 'CHAIN', 'output.value': 'hi' },
  },
  'Pipecat: what a call got and gave, and its first chunk': {
    scope: 'pipecat',
    parent: true,
    sent: { ...CALL, [IN]: 7n, input: '[{"role": "user", "content": "hi"}]', output: 'ho', 'metrics.ttfb': 0.5 },
    becomes: {
      ...{ 'input.value': '[{"role": "user", "content": "hi"}]', 'output.value': 'ho' },
      ...{ 'gen_ai.response.time_to_first_chunk': 0.5, [KIND]: 'LLM', 'woodland.dialect': 'pipecat' },
    },
  },
  'Pipecat: a turn is a step of a conversation': {
    scope: 'pipecat.turn',
    parent: true,
    sent: { 'conversation.id': 'talk-1', 'turn.number': 1n },
    becomes: { [OP]: undefined, [KIND]: 'CHAIN', 'gen_ai.conversation.id': 'talk-1' },
  },
  'Pipecat: the response of a model that hears and speaks is a call': {
    scope: 'pipecat',
    parent: true,
    sent: { ...CALL, [OP]: 'llm_response', [IN]: 7n, [OUT]: 8n },
    becomes: { [OP]: 'chat', [KIND]: 'LLM', 'woodland.operation.name.sent': 'llm_response' },
  },
  'Pipecat: what speaks has no first chunk of a call': {
    scope: 'pipecat',
    parent: true,
    sent: { [OP]: 'tts', [REQUEST]: 'tts-1', [PROVIDER]: 'openai', text: 'ho', 'metrics.ttfb': 0.5 },
    becomes: { [OP]: 'tts', [KIND]: 'CHAIN', 'gen_ai.response.time_to_first_chunk': undefined },
  },
  'Pipecat: a call that failed had no first chunk': {
    scope: 'pipecat',
    parent: true,
    failed: true,
    sent: { ...CALL, 'metrics.ttfb': 0.5 },
    becomes: { [OP]: 'chat', 'gen_ai.response.time_to_first_chunk': undefined },
    status: 2,
  },
  'BeeAI: the error of a call is a span of its own, and no second call': {
    name: 'error',
    scope: 'openinference.instrumentation.beeai',
    parent: true,
    sent: { [KIND]: 'LLM', 'input.value': '{"error": "down"}' },
    becomes: { [OP]: undefined, [KIND]: 'LLM' },
  },
  'Haystack 3: a call in an agent, whose model and tokens are in JSON': {
    name: 'haystack.agent.step.llm',
    parent: true,
    sent: {
      'haystack.agent.step.llm.input': '{"messages": []}',
      'haystack.agent.step.llm.output':
        '{"replies": [{"role": "assistant", "meta": {"model": "gpt-4o-mini", "finish_reason": "stop", "usage": {"completion_tokens": 40, "prompt_tokens": 160, "total_tokens": 200, "completion_tokens_details": {"reasoning_tokens": 8}, "prompt_tokens_details": {"cached_tokens": 64}}}}]}',
    },
    becomes: {
      [OP]: 'chat',
      [REQUEST]: 'gpt-4o-mini',
      [IN]: 160,
      [OUT]: 40,
      [READ]: 64,
      [REASONING]: 8,
      [KIND]: 'LLM',
      'input.value': '{"messages": []}',
      'gen_ai.response.finish_reasons': ['stop'],
      'woodland.dialect': 'haystack',
    },
  },
  'Haystack 2: a component that writes text has what it knows beside its replies': {
    name: 'haystack.component.run',
    parent: true,
    sent: {
      'haystack.component.type': 'OpenAIGenerator',
      'haystack.component.input': '{"prompt": "hi"}',
      'haystack.component.output':
        '{"replies": ["4"], "meta": [{"model": "gpt-4o", "usage": {"completion_tokens": 4, "prompt_tokens": 16}}]}',
    },
    becomes: { [OP]: 'chat', [REQUEST]: 'gpt-4o', [IN]: 16, [OUT]: 4 },
  },
  'Haystack 2: text that is embedded': {
    name: 'haystack.component.run',
    parent: true,
    sent: {
      'haystack.component.type': 'OpenAITextEmbedder',
      'haystack.component.input': '{"text": "hi"}',
      'haystack.component.output':
        '{"embedding": [0.1], "meta": {"model": "text-embedding-3-small", "usage": {"prompt_tokens": 2, "total_tokens": 2}}}',
    },
    becomes: { [OP]: 'embeddings', [REQUEST]: 'text-embedding-3-small', [IN]: 2, [KIND]: 'EMBEDDING' },
  },
  'Haystack 2: without its content it is no call, because it traces beside every other instrumentation': {
    name: 'haystack.component.run',
    parent: true,
    sent: { 'haystack.component.type': 'OpenAIChatGenerator', 'haystack.component.name': 'owl' },
    becomes: { [OP]: undefined, [KIND]: 'CHAIN' },
  },
  'Haystack: the fallback asks other generators, so it is no call itself': {
    name: 'haystack.component.run',
    parent: true,
    sent: { 'haystack.component.type': 'FallbackChatGenerator', 'haystack.component.input': '{"messages": []}' },
    becomes: { [OP]: undefined, [KIND]: 'CHAIN' },
  },
  'Haystack 3: a tool that failed has no status': {
    name: 'haystack.agent.step.tool',
    parent: true,
    sent: {
      'haystack.tool.name': 'add',
      'haystack.agent.step.tool.input': '{"a": 2}',
      'haystack.agent.step.tool.output': 4n,
      'haystack.tool.error': true,
    },
    becomes: {
      [OP]: 'execute_tool',
      'gen_ai.tool.name': 'add',
      'gen_ai.tool.call.arguments': '{"a": 2}',
      'gen_ai.tool.call.result': '4',
      'error.type': '_OTHER',
    },
    status: 2,
  },
  'Haystack: a pipeline is the whole run': {
    name: 'haystack.pipeline.run',
    sent: { 'haystack.pipeline.max_runs_per_component': 100n },
    becomes: { [OP]: 'invoke_workflow', [KIND]: 'CHAIN' },
  },
  'AG2: what was thought, under a word of its own': {
    scope: 'opentelemetry.instrumentation.ag2',
    parent: true,
    sent: { ...CALL, 'ag2.span.type': 'llm', [IN]: 160n, [OUT]: 40n, 'gen_ai.usage.thinking_tokens': 8n },
    becomes: { [IN]: 160, [OUT]: 40, [REASONING]: 8, [KIND]: 'LLM' },
  },
  'AG2: the span that repeats the tokens of a call is no call': {
    scope: 'opentelemetry.instrumentation.ag2',
    parent: true,
    sent: { 'ag2.span.type': 'usage', [PROVIDER]: 'openai', 'gen_ai.response.model': 'm', [IN]: 160n, [OUT]: 40n },
    becomes: { [OP]: undefined, [KIND]: 'CHAIN' },
  },
  'TanStack AI: the loop of calls and tools has their sums': {
    sent: { 'gen_ai.system': 'openai', [REQUEST]: 'gpt-4o-mini', [IN]: 480n, [OUT]: 80n, 'tanstack.ai.iterations': 2n },
    becomes: { [OP]: 'invoke_agent', [KIND]: 'AGENT' },
  },
  'TanStack AI: a loop that failed says only what it was asked': {
    sent: {
      'gen_ai.system': 'openai',
      [REQUEST]: 'gpt-4o-mini',
      'langfuse.trace.input': '[]',
      'langfuse.observation.input': '[]',
    },
    failed: true,
    becomes: { [OP]: 'invoke_agent', 'input.value': '[]' },
  },
  'TanStack AI: a tool has no operation': {
    parent: true,
    sent: {
      'gen_ai.tool.name': 'add',
      'gen_ai.tool.call.id': 'call_1',
      'gen_ai.input.messages': '[{"role":"tool"}]',
      'gen_ai.output.messages': '[{"role":"tool","content":"4"}]',
      'tanstack.ai.tool.outcome': 'error',
    },
    failed: true,
    becomes: {
      [OP]: 'execute_tool',
      [KIND]: 'TOOL',
      'gen_ai.tool.call.arguments': '[{"role":"tool"}]',
      'gen_ai.tool.call.result': '[{"role":"tool","content":"4"}]',
    },
  },
  'LoongSuite: the time to the first token is in nanoseconds': {
    parent: true,
    sent: { ...CALL, 'gen_ai.span.kind': 'LLM', 'gen_ai.response.time_to_first_token': 29594029n },
    becomes: { 'gen_ai.response.time_to_first_chunk': 0.029594029 },
  },
  "OpenLLMetry for Bedrock: the input is without the cache, and so is the SDK's total": {
    scope: 'opentelemetry.instrumentation.bedrock',
    sent: {
      ...CALL,
      [PROVIDER]: 'aws.bedrock',
      [IN]: 80n,
      [OUT]: 40n,
      [READ]: 64n,
      [WRITE]: 16n,
      'gen_ai.usage.total_tokens': 120n,
    },
    becomes: { [IN]: 160, 'woodland.usage.input_tokens.sent': 80 },
  },
  "Mistral's own spans: what failed has no status": {
    scope: 'mistralai_sdk_tracer',
    sent: { ...CALL, [PROVIDER]: 'mistral_ai' },
    becomes: { 'error.type': '_OTHER' },
    status: 2,
  },
  "Mistral's own spans: what went well has the status OK": {
    scope: 'mistralai_sdk_tracer',
    sent: { ...CALL, 'gen_ai.response.id': 'c-1' },
    becomes: { 'error.type': undefined },
    status: 0,
  },
  'Strands in the newer conventions: the name of a framework is no provider under the new key either': {
    scope: 'strands.telemetry.tracer',
    parent: true,
    sent: { ...CALL, [PROVIDER]: 'strands-agents' },
    becomes: { [PROVIDER]: undefined, 'woodland.provider.name.sent': 'strands-agents' },
  },
  'OpenLLMetry for LlamaIndex: a tool in a task is a tool': {
    parent: true,
    sent: { [OP]: 'execute_tool', 'gen_ai.tool.name': 'add', 'traceloop.span.kind': 'task' },
    becomes: { [KIND]: 'TOOL' },
  },
  'OpenLLMetry for JavaScript: a tool of LangChain in a task has what it got and gave': {
    scope: '@traceloop/instrumentation-langchain',
    parent: true,
    sent: {
      ...{ [OP]: 'execute_tool', [PROVIDER]: 'langchain', 'traceloop.span.kind': 'task' },
      ...{ 'traceloop.entity.name': 'add', 'traceloop.entity.input': '{"a":2}', 'traceloop.entity.output': '4' },
    },
    becomes: {
      ...{ 'gen_ai.tool.name': 'add', 'gen_ai.tool.call.arguments': '{"a":2}', 'gen_ai.tool.call.result': '4' },
      [KIND]: 'TOOL',
    },
  },
  'an operation called workflow is one where it is the whole run': {
    sent: { [OP]: 'workflow', 'traceloop.span.kind': 'workflow', 'traceloop.workflow.name': 'LangGraph' },
    failed: true,
    becomes: {
      ...{ [OP]: 'invoke_workflow', 'woodland.operation.name.sent': 'workflow', [KIND]: 'CHAIN' },
      ...{ [AGENT]: undefined, 'error.type': '_OTHER' },
    },
  },
  'an operation called workflow within a run is a step': {
    parent: true,
    sent: { [OP]: 'workflow', 'traceloop.span.kind': 'workflow', 'traceloop.workflow.name': 'RunnableSequence' },
    becomes: { [OP]: undefined, 'woodland.operation.name.sent': 'workflow', [KIND]: 'CHAIN', [AGENT]: undefined },
  },
  'MCP: a request is a step, which Phoenix shows as one': {
    scope: 'mcp-python-sdk',
    kind: 3,
    sent: { 'mcp.method.name': 'tools/list' },
    becomes: { [OP]: undefined, [KIND]: 'CHAIN', [AGENT]: undefined },
  },
  "SGLang's own span is the other side of a call": {
    sent: { 'gen_ai.usage.prompt_tokens': 9n, 'gen_ai.usage.cached_tokens': 4n, 'gen_ai.latency.e2e': 0.5 },
    becomes: { [OP]: undefined, [IN]: undefined, 'woodland.dialect': undefined },
  },
  'a gateway that names its model and no operation: a call': {
    kind: 2,
    sent: {
      'gen_ai.model.provider': 'workers-ai',
      [REQUEST]: 'gpt-4o-mini',
      [IN]: 7n,
      'gen_ai.prompt_json': '[{"role":"user","content":"hi"}]',
      'gen_ai.completion_json': '{"role":"assistant","content":"ho"}',
    },
    becomes: {
      [OP]: 'chat',
      [PROVIDER]: 'workers-ai',
      [KIND]: 'LLM',
      'input.value': '[{"role":"user","content":"hi"}]',
      'output.value': '{"role":"assistant","content":"ho"}',
    },
  },
  'a gateway below its caller is the other side of a call': {
    kind: 2,
    parent: true,
    sent: { [PROVIDER]: 'openai', [REQUEST]: 'gpt-4o-mini', [IN]: 7n },
    becomes: { [OP]: undefined },
  },
  'by hand: a model and its tokens are a call': {
    parent: true,
    sent: { [REQUEST]: 'gpt-4o-mini', [IN]: 7n, [OUT]: 8n, 'gen_ai.prompt': 'hi', 'gen_ai.completion': 'ho' },
    becomes: { [OP]: 'chat', [IN]: 7, 'input.value': 'hi', 'output.value': 'ho' },
  },
  'by hand: a step that names the model of its calls is no call': {
    parent: true,
    sent: { [REQUEST]: 'gpt-4o-mini' },
    becomes: { [OP]: undefined, 'woodland.dialect': undefined },
  },
  'an API in the place of the operation, with the newer name of the provider: a call': {
    sent: { [OP]: 'responses', [PROVIDER]: 'openai', [REQUEST]: 'gpt-4o', [IN]: 7n },
    becomes: { [OP]: 'chat', 'woodland.operation.name.sent': 'responses', [KIND]: 'LLM' },
  },
  'a step with a model is no call': {
    sent: { [OP]: 'plan', [PROVIDER]: 'openai', [REQUEST]: 'gpt-4o' },
    becomes: { [OP]: 'plan', 'woodland.operation.name.sent': undefined, 'woodland.dialect': undefined },
  },
  'OpenInference by hand: a kind in small letters': {
    parent: true,
    sent: { [KIND]: 'llm', 'llm.model_name': 'gpt-4o', 'llm.token_count.prompt': 7n },
    becomes: { [OP]: 'chat', [IN]: 7, [KIND]: 'llm' },
  },
  'messages that Phoenix cannot read are shown as text': {
    sent: {
      ...CALL,
      'gen_ai.input.messages': '[{"role":"user","content":"hi"}]',
      'gen_ai.output.messages': '[{"role":"assistant","parts":[{"type":"text","content":"ho"}]}]',
    },
    becomes: {
      'input.value': '[{"role":"user","content":"hi"}]',
      'output.value': '[{"role":"assistant","parts":[{"type":"text","content":"ho"}]}]',
    },
  },
  'what a tool got and gave may be a map': {
    sent: { [OP]: 'execute_tool', 'gen_ai.tool.call.arguments': { a: 1n }, 'gen_ai.tool.call.result': ['b'] },
    becomes: { 'input.value': '{"a":1}', 'output.value': '["b"]' },
  },
  'messages that Phoenix can read are not there twice': {
    sent: {
      ...CALL,
      'gen_ai.input.messages': [{ role: 'user', parts: [{ type: 'text', content: 'hi' }] }],
      'gen_ai.output.messages': '[{"role":"assistant","parts":[],"finish_reason":"stop"}]',
    },
    becomes: { 'input.value': undefined, 'output.value': undefined },
  },
  'MCP: a span that names no tool is no second tool': {
    scope: 'mcp-python-sdk',
    kind: 3,
    parent: true,
    sent: { 'mcp.method.name': 'tools/call' },
    becomes: { [OP]: undefined, [KIND]: 'CHAIN' },
  },
  'MCP: a gateway names the method and the tool': {
    kind: 3,
    failed: true,
    sent: { 'mcp.method.name': 'tools/call', 'mcp.tool.name': 'add' },
    events: [{ name: 'exception', attributes: { 'exception.type': 'timeout' } }],
    becomes: { [OP]: 'execute_tool', 'gen_ai.tool.name': 'add', [KIND]: 'TOOL', 'error.type': 'timeout' },
  },
  "Anthropic's own spans: why a call ended, and what it wrote to its cache": {
    scope: 'com.anthropic.sdk.python',
    kind: 3,
    sent: {
      [OP]: 'chat',
      [PROVIDER]: 'anthropic',
      [REQUEST]: 'claude',
      [IN]: 160n,
      [READ]: 64n,
      'gen_ai.usage.cache_write.input_tokens': 16n,
      'anthropic.message.stop_reason': 'end_turn',
    },
    becomes: {
      [IN]: 160,
      [WRITE]: 16,
      'woodland.usage.input_tokens.sent': undefined,
      'gen_ai.response.finish_reasons': ['end_turn'],
    },
  },
  'Langfuse: the parts of the input are beside it': {
    sent: {
      'langfuse.observation.type': 'generation',
      'langfuse.observation.model.name': 'gpt-4o',
      'langfuse.observation.usage_details': '{"input":10,"output":5,"total":45,"input_cached_tokens":30}',
      'langfuse.session.id': 's',
      'langfuse.user.id': 'u',
    },
    becomes: {
      [OP]: 'chat',
      [IN]: 40,
      [OUT]: 5,
      [READ]: 30,
      'woodland.usage.input_tokens.sent': 10,
      'gen_ai.conversation.id': 's',
      'user.id': 'u',
    },
  },
  'Langfuse: what OpenAI says of the tokens': {
    sent: {
      'langfuse.observation.type': 'generation',
      'langfuse.observation.usage_details':
        '{"completion_tokens": 40, "prompt_tokens": 160, "total_tokens": 200, "completion_tokens_details": {"reasoning_tokens": 8}, "prompt_tokens_details": {"cached_tokens": 64}}',
    },
    becomes: { [IN]: 160, [OUT]: 40, [READ]: 64, [REASONING]: 8, 'woodland.usage.input_tokens.sent': undefined },
  },
  'Langfuse: an agent has the name of its span': {
    name: 'fox',
    sent: { 'langfuse.observation.type': 'agent' },
    becomes: { [OP]: 'invoke_agent', [AGENT]: 'fox' },
  },
  MLflow: {
    sent: {
      'mlflow.spanType': '"CHAT_MODEL"',
      'mlflow.llm.model': '"gpt-4o"',
      'mlflow.chat.tokenUsage': '{"input_tokens": 4, "output_tokens": 2, "total_tokens": 6}',
      'mlflow.spanInputs': '{}',
    },
    becomes: { [OP]: 'chat', [REQUEST]: 'gpt-4o', [IN]: 4, [OUT]: 2, 'input.value': '{}' },
  },
  'MLflow: a failed call names its model in the arguments': {
    sent: { 'mlflow.spanType': '"CHAT_MODEL"', model: '"gpt-4o"' },
    failed: true,
    becomes: { [OP]: 'chat', [REQUEST]: 'gpt-4o' },
  },
  Braintrust: {
    sent: {
      'braintrust.span_attributes': '{"type":"llm","name":"x"}',
      'braintrust.metadata': '{"model":"gpt-4o"}',
      'braintrust.metrics': '{"prompt_tokens":4,"completion_tokens":2,"tokens":6,"time_to_first_token":0.5}',
    },
    becomes: { [OP]: 'chat', [REQUEST]: 'gpt-4o', [IN]: 4, [OUT]: 2, 'gen_ai.response.time_to_first_chunk': 0.5 },
  },
  'messages in events': {
    sent: { 'gen_ai.system': 'openai', [REQUEST]: 'gpt-4o' },
    events: [
      { name: 'gen_ai.user.message', attributes: { content: 'hello' } },
      { name: 'gen_ai.choice', attributes: { message: '{"content":"hi"}', index: 0n } },
    ],
    becomes: { 'input.value': 'hello', 'output.value': '{"content":"hi"}' },
  },
  'by hand: a call': {
    sent: { 'gen_ai.system': 'anthropic', [REQUEST]: 'claude', [IN]: 5n },
    becomes: { [OP]: 'chat', [PROVIDER]: 'anthropic', [IN]: 5 },
  },
  'by hand: a tool by its name': {
    name: 'tool.calculate',
    sent: { 'tool.arguments': '1' },
    becomes: { [OP]: 'execute_tool', 'gen_ai.tool.name': 'calculate', 'input.value': '1' },
  },
  'by hand: a turn': {
    name: 'agent.decide/fox',
    sent: { 'agent.name': 'fox', 'llm.prompt_tokens': 90n },
    becomes: { [OP]: 'invoke_agent', [AGENT]: 'fox', [IN]: undefined },
  },
  'by hand: a reply that cannot be read': {
    name: 'agent.decide/fox',
    sent: { 'agent.name': 'fox', 'parse.error': true, error: true },
    becomes: { 'error.type': 'parse_error' },
    status: 2,
  },
  'by hand: error = true': { name: 'agent.run', sent: { error: true }, becomes: { 'error.type': '_OTHER' }, status: 2 },
  'by hand: error = "true" is a text': {
    name: 'agent.run',
    sent: { error: 'true' },
    becomes: { 'error.type': undefined },
    status: 0,
  },
  'an error has the type of its exception': {
    sent: CALL,
    failed: true,
    events: [{ name: 'exception', attributes: { 'exception.type': 'RateLimitError' } }],
    becomes: { 'error.type': 'RateLimitError' },
  },
  'a call with an exception and no response has failed': {
    name: 'completion gpt-4o-mini',
    sent: { ...CALL, [PROVIDER]: 'open_ai' },
    events: [{ name: 'exception', attributes: { 'exception.type': 'InternalServerException' } }],
    becomes: { [PROVIDER]: 'openai', 'error.type': 'InternalServerException' },
    status: 2,
  },
  'LangChain4j: a service is an agent, and fails without a status': {
    scope: 'io.quarkus.opentelemetry',
    name: 'langchain4j.aiservices.Owl.answer',
    sent: {},
    events: [{ name: 'exception', attributes: { 'exception.type': 'InternalServerException' } }],
    becomes: { [OP]: 'invoke_agent', [AGENT]: 'Owl', [KIND]: 'AGENT', 'error.type': 'InternalServerException' },
    status: 2,
  },
  'LangChain4j: an older version says nothing of a call that failed but its model': {
    scope: 'io.quarkus.opentelemetry',
    name: 'completion gpt-4o-mini',
    parent: true,
    sent: { [REQUEST]: 'gpt-4o-mini', 'gen_ai.prompt': 'hi' },
    events: [{ name: 'exception', attributes: { 'exception.type': 'InternalServerException' } }],
    becomes: { [OP]: 'chat', 'input.value': 'hi', [KIND]: 'LLM', 'error.type': 'InternalServerException' },
    status: 2,
  },
  'another request of Quarkus is no call': {
    scope: 'io.quarkus.opentelemetry',
    name: 'POST /chat/completions',
    kind: 3,
    parent: true,
    sent: { 'http.request.method': 'POST' },
    becomes: { [OP]: undefined, [KIND]: undefined, 'woodland.dialect': undefined },
  },
  'a tool with an exception and no result has failed': {
    parent: true,
    sent: { [OP]: 'execute_tool', 'gen_ai.tool.name': 'add' },
    events: [{ name: 'exception', attributes: { 'exception.type': 'IllegalStateException' } }],
    becomes: { 'error.type': 'IllegalStateException' },
    status: 2,
  },
  'a tool that has a result dealt with its exception': {
    parent: true,
    sent: { [OP]: 'execute_tool', 'gen_ai.tool.name': 'add', 'gen_ai.tool.call.result': '4' },
    events: [{ name: 'exception', attributes: { 'exception.type': 'IllegalStateException' } }],
    becomes: { 'error.type': undefined },
    status: 0,
  },
  'LangChain4j: the names of its providers': {
    sent: { ...CALL, [PROVIDER]: 'google_vertex_ai_gemini' },
    becomes: { [PROVIDER]: 'gcp.vertex_ai', 'woodland.provider.name.sent': 'google_vertex_ai_gemini' },
  },
  'an exception in a call that went well is no error': {
    sent: { ...CALL, [OUT]: 4n },
    events: [{ name: 'exception', attributes: { 'exception.type': 'RateLimitError' } }],
    becomes: { 'error.type': undefined },
  },
}

export const SHAPES: Readonly<Record<string, Case>> = {
  'OpenAI: the cache is in the input': {
    sent: { ...CALL, [IN]: 100n, [OUT]: 10n, [READ]: 64n, [REASONING]: 8n, 'gen_ai.usage.total_tokens': 110n },
    becomes: {
      [IN]: 100,
      [OUT]: 10,
      'woodland.usage.input_tokens.sent': undefined,
      'woodland.usage.output_tokens.sent': undefined,
    },
  },
  'OpenAI by OpenLLMetry with the new name of the provider: an old name of the cache': {
    sent: { ...CALL, [IN]: 100n, [OUT]: 10n, 'gen_ai.usage.cache_read_input_tokens': 64n },
    becomes: { [IN]: 100, [READ]: 64, 'woodland.usage.input_tokens.sent': undefined },
  },
  'OpenClaw: its total says that the input is without its cache': {
    sent: {
      ...{ ...CALL, [PROVIDER]: 'anthropic', [IN]: 100n, [OUT]: 50n, 'gen_ai.usage.total_tokens': 1010n },
      ...{ 'gen_ai.usage.cache_read_tokens': 800n, 'gen_ai.usage.cache_write_tokens': 60n },
    },
    becomes: { [IN]: 960, [OUT]: 50, [READ]: 800, [WRITE]: 60, 'woodland.usage.input_tokens.sent': 100 },
  },
  'names of its own for the parts, in an input that holds them': {
    sent: {
      ...{ ...CALL, [PROVIDER]: 'anthropic', [IN]: 1200n, [OUT]: 300n, 'gen_ai.usage.cached_input_tokens': 1024n },
      ...{ 'gen_ai.usage.cache_creation_tokens': 60n, 'gen_ai.usage.thoughts_tokens': 120n },
    },
    becomes: { [IN]: 1200, [OUT]: 300, [READ]: 1024, [WRITE]: 60, [REASONING]: 120 },
  },
  'Microsoft.Extensions.AI of before 9.6: tokens of the response': {
    sent: { ...CALL, 'gen_ai.response.input_tokens': 512n, 'gen_ai.response.output_tokens': 128n },
    becomes: { [IN]: 512, [OUT]: 128 },
  },
  'audio is a part of the input and of the output, and nothing of its own': {
    sent: {
      ...{ ...CALL, [IN]: 300n, [OUT]: 120n },
      ...{ 'gen_ai.usage.audio.input_tokens': 200n, 'gen_ai.usage.audio.output_tokens': 110n },
    },
    becomes: { [IN]: 300, [OUT]: 120, 'woodland.usage.input_tokens.sent': undefined },
  },
  'Anthropic raw: input without its cache': {
    sent: {
      'gen_ai.system': 'anthropic',
      [REQUEST]: 'claude',
      [IN]: 100n,
      [OUT]: 10n,
      'gen_ai.usage.cache_read_input_tokens': 60n,
      'gen_ai.usage.cache_creation_input_tokens': 20n,
    },
    becomes: { [IN]: 180, [OUT]: 10, [READ]: 60, [WRITE]: 20, 'woodland.usage.input_tokens.sent': 100 },
  },
  'Anthropic by OpenLLMetry: its total says that the cache is in': {
    sent: {
      'gen_ai.system': 'anthropic',
      [REQUEST]: 'claude',
      'gen_ai.usage.prompt_tokens': 180n,
      'gen_ai.usage.completion_tokens': 10n,
      'llm.usage.total_tokens': 190n,
      'gen_ai.usage.cache_read_input_tokens': 60n,
      'gen_ai.usage.cache_creation_input_tokens': 20n,
    },
    becomes: { [IN]: 180, 'woodland.usage.input_tokens.sent': undefined },
  },
  'Bedrock by Strands: another name for what was written to the cache': {
    sent: {
      ...CALL,
      [PROVIDER]: 'aws.bedrock',
      [IN]: 4299n,
      [OUT]: 631n,
      'gen_ai.usage.total_tokens': 25291n,
      'gen_ai.usage.cache_read_input_tokens': 2574n,
      'gen_ai.usage.cache_write_input_tokens': 17787n,
    },
    becomes: { [IN]: 24660, [READ]: 2574, [WRITE]: 17787, 'woodland.usage.input_tokens.sent': 4299 },
  },
  'Bedrock by botocore: input without its cache': {
    scope: 'opentelemetry.instrumentation.botocore.bedrock-runtime',
    sent: {
      [OP]: 'chat',
      'gen_ai.system': 'aws.bedrock',
      [REQUEST]: 'claude',
      [IN]: 80n,
      [OUT]: 40n,
      [READ]: 64n,
      [WRITE]: 16n,
    },
    becomes: { [IN]: 160, 'woodland.usage.input_tokens.sent': 80 },
  },
  'Anthropic by OpenLIT: input without its cache': {
    scope: 'openlit.instrumentation.anthropic',
    sent: { ...CALL, [PROVIDER]: 'anthropic', [IN]: 80n, [OUT]: 40n, [READ]: 64n, [WRITE]: 16n },
    becomes: { [IN]: 160, 'woodland.usage.input_tokens.sent': 80 },
  },
  'Anthropic by OpenLLMetry for JavaScript: input without its cache, and so is the total': {
    scope: '@traceloop/instrumentation-anthropic',
    sent: {
      ...{ ...CALL, [PROVIDER]: 'anthropic', [IN]: 800n, [OUT]: 40n, [READ]: 64n, [WRITE]: 16n },
      'gen_ai.usage.total_tokens': 840n,
    },
    becomes: { [IN]: 880, 'woodland.usage.input_tokens.sent': 800 },
  },
  'Bedrock by OpenInference for JavaScript: input without its cache': {
    scope: '@arizeai/openinference-instrumentation-bedrock',
    sent: {
      ...{
        [KIND]: 'LLM',
        'llm.provider': 'aws',
        'llm.model_name': 'claude-sonnet-4-5',
        'llm.token_count.prompt': 800n,
      },
      ...{ 'llm.token_count.completion': 40n, 'llm.token_count.prompt_details.cache_read': 64n },
    },
    becomes: { [IN]: 864, 'woodland.usage.input_tokens.sent': 800 },
  },
  'OpenAI by OpenLIT: the cache is in the input': {
    scope: 'openlit.instrumentation.openai',
    sent: { ...CALL, [IN]: 160n, [OUT]: 40n, [READ]: 64n, [WRITE]: 0n },
    becomes: { [IN]: 160, 'woodland.usage.input_tokens.sent': undefined },
  },
  'more read from a cache than there is input': {
    sent: { ...CALL, [IN]: 5n, [READ]: 900n },
    becomes: { [IN]: 905, 'woodland.usage.input_tokens.sent': 5 },
  },
  'converted once, though two collectors do it': {
    sent: {
      ...CALL,
      [IN]: 905n,
      [READ]: 900n,
      'woodland.usage.input_tokens.sent': 5n,
      'woodland.dialect': 'older-genai',
    },
    becomes: { [IN]: 905 },
  },
  'Gemini raw: thoughts beside the output': {
    sent: { ...CALL, [IN]: 100n, [OUT]: 10n, [REASONING]: 50n, 'gen_ai.usage.total_tokens': 160n },
    becomes: { [OUT]: 60, 'woodland.usage.output_tokens.sent': 10 },
  },
  'Gemini: only the total says that it thought': {
    sent: {
      ...CALL,
      [OP]: 'generate_content',
      [PROVIDER]: 'gcp.gen_ai',
      [IN]: 160n,
      [OUT]: 32n,
      'gen_ai.usage.total_tokens': 200n,
    },
    becomes: { [OUT]: 40, [REASONING]: 8, 'woodland.usage.output_tokens.sent': 32 },
  },
  'another provider whose total is greater has not thought for that': {
    sent: { ...CALL, [IN]: 160n, [OUT]: 32n, 'gen_ai.usage.total_tokens': 200n },
    becomes: { [OUT]: 32, [REASONING]: undefined },
  },
  'Gemini: a total that is the sum says that it did not think': {
    sent: { ...CALL, [PROVIDER]: 'gcp.gemini', [IN]: 160n, [OUT]: 40n, [READ]: 64n, 'gen_ai.usage.total_tokens': 200n },
    becomes: { [OUT]: 40, [REASONING]: undefined },
  },
  'Vercel, Gemini: its total says that thoughts are beside the output': {
    sent: {
      'ai.operationId': 'ai.generateText.doGenerate',
      'ai.usage.inputTokens': 100n,
      'ai.usage.outputTokens': 50n,
      'ai.usage.reasoningTokens': 20n,
      'ai.usage.totalTokens': 170n,
    },
    becomes: { [OUT]: 70, [REASONING]: 20 },
  },
  'an agent keeps its sums as they are': {
    sent: { [OP]: 'invoke_agent', [IN]: 5n, [READ]: 900n },
    becomes: { [IN]: 5 },
  },
}

const LONG = 'fox '.repeat(2500)
export const BAD: Readonly<Record<string, Case>> = {
  'tokens as text': { sent: { ...CALL, [IN]: '160', [OUT]: '40' }, becomes: { [IN]: 160, [OUT]: 40 } },
  'tokens as a double': { sent: { ...CALL, [IN]: 160 }, becomes: { [IN]: 160 } },
  'a model as a list': {
    sent: { [KIND]: 'LLM', 'llm.model_name': ['a', 'b'] },
    becomes: { [OP]: 'chat', [REQUEST]: undefined },
  },
  'messages with gaps': {
    sent: {
      'gen_ai.system': 'openai',
      [REQUEST]: 'm',
      'gen_ai.prompt.0.role': 'system',
      'gen_ai.prompt.7.content': 'hello',
    },
    becomes: { 'input.value': '{"gen_ai.prompt.0.role":"system","gen_ai.prompt.7.content":"hello"}' },
  },
  'broken JSON': {
    sent: {
      'mlflow.spanType': '"LLM"',
      'mlflow.chat.tokenUsage': '{"input_tokens": 4, "outp',
      metadata: '{"lc_agent_name',
    },
    becomes: { [OP]: 'chat', [IN]: 4, [OUT]: undefined },
  },
  'two dialects on one span: the operation in words of the conventions, and the tokens in those of OpenInference': {
    sent: {
      [OP]: 'chat',
      [REQUEST]: 'a',
      [KIND]: 'LLM',
      'llm.token_count.prompt': 4n,
      'llm.token_count.completion': 2n,
    },
    becomes: { [IN]: 4, [OUT]: 2, 'woodland.dialect': 'openinference' },
  },
  'two dialects on one span: what is there first stays': {
    sent: {
      [KIND]: 'LLM',
      'llm.model_name': 'a',
      'ai.operationId': 'ai.generateText.doGenerate',
      'ai.model.id': 'b',
      [IN]: 3n,
      'llm.token_count.prompt': 4n,
      'ai.usage.inputTokens': 5n,
    },
    becomes: { [OP]: 'chat', [REQUEST]: 'a', [IN]: 3, 'woodland.dialect': 'openinference' },
  },
  'what a sender wrote in the words of the conventions stays': {
    sent: {
      [KIND]: 'AGENT',
      [OP]: 'chat',
      'llm.model_name': 'b',
      [REQUEST]: 'a',
      [AGENT]: 'bear',
      'agent.name': 'fox',
    },
    becomes: { [OP]: 'chat', [REQUEST]: 'a', [AGENT]: 'bear', [KIND]: 'AGENT' },
  },
  'an agent with a name of 10 KB': { sent: { ...CALL, [AGENT]: LONG }, becomes: { [AGENT]: LONG } },
  'the agent of the resource': {
    sent: CALL,
    resource: { [AGENT]: 'owl' },
    becomes: { [AGENT]: 'owl', 'woodland.agent.from': 'resource' },
  },
  'a service without a name has no agent': {
    sent: CALL,
    resource: { 'service.name': undefined },
    becomes: { [AGENT]: undefined, 'woodland.agent.from': undefined },
  },
  'the SDK names a service that has no name': {
    sent: CALL,
    resource: { 'service.name': 'unknown_service:python' },
    becomes: { [AGENT]: 'unknown_service:python', 'woodland.agent.from': 'service' },
  },
  'the other side of a call is no second call': {
    kind: 2,
    sent: { 'gen_ai.usage.prompt_tokens': 9n, 'gen_ai.usage.completion_tokens': 1n, 'gen_ai.response.model': 'm' },
    becomes: { [OP]: undefined, [IN]: undefined, 'woodland.dialect': undefined },
  },
  'a web server is not an agent': {
    name: 'GET /health',
    sent: { 'http.request.method': 'GET' },
    failed: true,
    becomes: { [OP]: undefined, [AGENT]: undefined, [KIND]: undefined, 'error.type': undefined },
  },
}

/** A span of its own trace, and the request that brings it. */
export function sentOf(one: Case, random: Random, service: string): Readonly<{ span: Span; body: TraceRequest }> {
  const span: Span = {
    traceId: random.hex(32),
    spanId: random.hex(16),
    ...(one.parent ? { parentSpanId: random.hex(16) } : {}),
    name: one.name ?? 'step',
    kind: one.kind ?? 1,
    startTimeUnixNano: '1795223772818000000',
    endTimeUnixNano: '1795223772918000000',
    attributes: toAttributes(one.sent),
    events: (one.events ?? []).map(({ name, attributes }) => ({ name, attributes: toAttributes(attributes) })),
    status: { code: one.failed ? 2 : 0 },
  }
  const resource = { 'service.name': service, ...one.resource }
  return {
    span,
    body: traceRequest([span], {
      resource,
      scope: { name: one.scope ?? 'lab', ...(one.version && { version: one.version }) },
    }),
  }
}
