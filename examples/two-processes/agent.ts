/** An agent that asks one in another process, by a queue: one trace. A retry is a trace that links to the first attempt. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { context, type Link, propagation, type Span, SpanStatusCode, trace } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources'
import { NodeSDK } from '@opentelemetry/sdk-node'
import OpenAI from 'openai'

// The name that boards and Tempo show, and the project in Phoenix. OTLP goes to OTEL_EXPORTER_OTLP_ENDPOINT, or else to port 4318.
const NAME = 'example-two-processes'
const AGENT = process.argv[2] ?? 'foreman'
const names = { 'service.name': AGENT === 'foreman' ? NAME : `${NAME}-${AGENT}`, 'openinference.project.name': NAME }
// The Collector drops links, unless their sender promises that they hold ids only.
const resource = defaultResource().merge(resourceFromAttributes({ ...names, 'woodland.links': 'ids-only' }))
process.env.OTEL_LOGS_EXPORTER ??= 'none'
const sdk = new NodeSDK({ resource, traceExporter: new OTLPTraceExporter(), metricReaders: [] })
sdk.start()
const traced = <T>(operation: string, what: string, links: Link[], work: (span: Span) => Promise<T>) =>
  trace.getTracer(NAME).startActiveSpan(`${operation} ${what}`, { links }, async (span) => {
    span.setAttributes({ 'gen_ai.operation.name': operation, 'gen_ai.agent.name': AGENT })
    return work(span)
      .catch((error) => Promise.reject(span.setStatus({ code: SpanStatusCode.ERROR }) && error))
      .finally(() => span.end())
  })
const baseURL = process.env.VLLM_BASE_URL ?? 'http://127.0.0.1:8000/v1'
const client = new OpenAI({ baseURL, apiKey: process.env.VLLM_API_KEY ?? 'none' })
const MODEL = process.env.VLLM_MODEL ?? 'Qwen/Qwen2.5-3B-Instruct'
const messages = [{ role: 'user' as const, content: 'Oak or ash?' }]
const chat = (model: string) =>
  traced('chat', model, [], async (span) => {
    span.setAttributes({ 'gen_ai.provider.name': 'openai', 'gen_ai.request.model': model })
    const { usage, choices } = await client.chat.completions.create({ model, messages })
    span.setAttribute('gen_ai.usage.input_tokens', usage?.prompt_tokens ?? 0)
    span.setAttribute('gen_ai.usage.output_tokens', usage?.completion_tokens ?? 0)
    return choices[0]?.message.content
  })
// The carpenter. A message of the queue carries the context of its sender.
process.on('message', async ({ model, carrier }: { model: string; carrier: object }) => {
  const sender = propagation.extract(context.active(), carrier)
  const turn = context.with(sender, () => traced('invoke_agent', AGENT, [], () => chat(model)))
  process.send?.({ answer: await turn.catch(() => undefined) })
})
process.on('disconnect', () => sdk.shutdown().finally(process.exit))
if (AGENT === 'foreman') {
  const carpenter = fork(process.argv[1] ?? '', ['carpenter'])
  let links: Link[] = []
  const ask = async (span: Span, model: string, carrier = {}) => {
    propagation.inject(context.active(), carrier)
    carpenter.send({ model, carrier })
    const [{ answer }] = await once(carpenter, 'message')
    links = answer === undefined ? [{ context: span.spanContext() }] : []
    return answer ?? Promise.reject(new Error('the carpenter has no answer'))
  }
  // No server has the second model, so the third trace is a retry. The shipped policies keep each failed run.
  for (const model of [MODEL, 'a-model-that-nobody-has', MODEL])
    console.log(await traced('invoke_agent', AGENT, links, (span) => ask(span, model)).catch(String))
  carpenter.disconnect()
  await Promise.all([once(carpenter, 'exit'), sdk.shutdown()]) // both send what is still in the batch
}
