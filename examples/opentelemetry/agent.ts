/** An agent on the plain openai package, whose spans are written by hand. It needs the packages of package.json. */
import { type Attributes, type Span, SpanStatusCode, trace } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources'
import { NodeSDK } from '@opentelemetry/sdk-node'
import OpenAI from 'openai'

// The name that boards and Tempo show, and the project in Phoenix. OTLP goes to OTEL_EXPORTER_OTLP_ENDPOINT, or else to port 4318.
const NAME = 'example-opentelemetry'
const resource = resourceFromAttributes({ 'service.name': NAME, 'openinference.project.name': NAME })
process.env.OTEL_LOGS_EXPORTER ??= 'none'
const traceExporter = new OTLPTraceExporter()
const sdk = new NodeSDK({ resource: defaultResource().merge(resource), traceExporter, metricReaders: [] })
sdk.start()
const tracer = trace.getTracer(NAME)

/** Does some work in a span, which has the agent's name and fails when the work does. */
const traced = <T>(operation: string, what: string, attributes: Attributes, work: (span: Span) => Promise<T>) =>
  tracer.startActiveSpan(`${operation} ${what}`, async (span) => {
    span.setAttributes({ 'gen_ai.operation.name': operation, 'gen_ai.agent.name': 'owl', ...attributes })
    return work(span)
      .catch((error: Error) => {
        span.setAttribute('error.type', error.constructor.name)
        span.setStatus({ code: SpanStatusCode.ERROR, message: error.message })
        throw error
      })
      .finally(() => span.end())
  })

const baseURL = process.env.VLLM_BASE_URL ?? 'http://127.0.0.1:8000/v1'
const client = new OpenAI({ baseURL, apiKey: process.env.VLLM_API_KEY ?? 'none' })
const MODEL = process.env.VLLM_MODEL ?? 'Qwen/Qwen2.5-3B-Instruct'
const place = { type: 'object', properties: { place: { type: 'string' } }, required: ['place'] }
const tools = [{ type: 'function' as const, function: { name: 'forecast', parameters: place } }]

type Messages = OpenAI.ChatCompletionMessageParam[]
const chat = (model: string, messages: Messages) =>
  traced('chat', model, { 'gen_ai.provider.name': 'openai', 'gen_ai.request.model': model }, async (span) => {
    const { choices, usage } = await client.chat.completions.create({ model, messages, tools })
    span.setAttribute('gen_ai.usage.input_tokens', usage?.prompt_tokens ?? 0)
    span.setAttribute('gen_ai.usage.output_tokens', usage?.completion_tokens ?? 0)
    return choices[0]?.message
  })

async function owl(messages: Messages, model: string): Promise<string | null | undefined> {
  const reply = await chat(model, messages)
  if (!reply?.tool_calls?.length) return reply?.content
  for (const { id } of reply.tool_calls)
    await traced('execute_tool', 'forecast', { 'gen_ai.tool.name': 'forecast', 'gen_ai.tool.call.id': id }, async () =>
      messages.push(reply, { role: 'tool', tool_call_id: id, content: 'rain from noon' }),
    )
  return owl(messages, model)
}

// No server has the last model: this run fails, and the shipped policies keep each failed run.
for (const model of [MODEL, MODEL, 'a-model-that-nobody-has'])
  console.log(
    await traced('invoke_agent', 'owl', {}, () => owl([{ role: 'user', content: 'Rain?' }], model)).catch(String),
  )
await sdk.shutdown() // sends what is still in the batch
