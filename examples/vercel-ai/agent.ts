/** An agent of the Vercel AI SDK with a tool, and the SDK's own telemetry. It needs the packages of package.json. */
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources'
import { NodeSDK } from '@opentelemetry/sdk-node'
import { generateText, stepCountIs, tool } from 'ai'
import { z } from 'zod'

// The name that boards and Tempo show, and the project in Phoenix. OTLP goes to OTEL_EXPORTER_OTLP_ENDPOINT, or else to port 4318.
const NAME = 'example-vercel-ai'
const resource = resourceFromAttributes({ 'service.name': NAME, 'openinference.project.name': NAME })
process.env.OTEL_LOGS_EXPORTER ??= 'none'
const sdk = new NodeSDK({
  resource: defaultResource().merge(resource),
  traceExporter: new OTLPTraceExporter(),
  metricReaders: [], // the Collector counts tokens and calls from spans
})
sdk.start()

const server = createOpenAICompatible({
  name: 'vllm',
  baseURL: process.env.VLLM_BASE_URL ?? 'http://127.0.0.1:8000/v1',
  apiKey: process.env.VLLM_API_KEY ?? 'none',
})
const MODEL = process.env.VLLM_MODEL ?? 'Qwen/Qwen2.5-3B-Instruct'

const forecast = tool({
  description: 'The weather of tomorrow at a place in the wood',
  inputSchema: z.object({ place: z.string() }),
  execute: async ({ place }) => `${place}: dry in the morning, rain from noon`,
})

const owl = (question: string, model: string) =>
  generateText({
    model: server(model),
    system: 'You advise travellers.',
    prompt: question,
    tools: { forecast },
    stopWhen: stepCountIs(5),
    // functionId is the name of the agent: the SDK puts it on each of its spans.
    experimental_telemetry: { isEnabled: true, functionId: 'owl' },
  })

// No server has the last model: this run fails, and the shipped policies keep each failed run.
for (const [question, model] of [
  ['Can I dry acorns in the clearing tomorrow?', MODEL],
  ['Is the path along the brook passable?', MODEL],
  ['Will it snow on the hill?', 'a-model-that-nobody-has'],
] as const) {
  const said = await owl(question, model).then(
    ({ text }) => text,
    (error: Error) => `${error.name}: ${error.message}`,
  )
  console.log(question, said)
}
await sdk.shutdown() // sends what is still in the batch
