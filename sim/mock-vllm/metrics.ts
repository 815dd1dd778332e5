import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Queue } from './latency.ts'

// Wide enough for a world at its own pace and for one a hundred times faster.
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 40]
const TOKENS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000]

/** Seconds one finished request spent, by where, under vLLM's names. `interToken` is the mean between two output tokens. */
const SPENT = {
  queue: 'request_queue_time_seconds',
  prefill: 'request_prefill_time_seconds',
  decode: 'request_decode_time_seconds',
  firstToken: 'time_to_first_token_seconds',
  interToken: 'inter_token_latency_seconds',
  e2e: 'e2e_request_latency_seconds',
}
type Spent = Readonly<Record<keyof typeof SPENT, number>>

type Metrics = Readonly<{
  type: string
  text: () => Promise<string>
  finished: (model: string, finish: string, tokens: Readonly<{ prompt: number; output: number }>, spent: Spent) => void
  aborted: (model: string) => void
  answered: (handler: string, method: string, status: number) => void
}>

/** vLLM's own names, as many as our boards and the common vLLM dashboards ask for. */
export function metricsOf(queues: ReadonlyMap<string, Queue>): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const labelNames = ['model_name', 'engine']
  const label = (model: string) => ({ model_name: model, engine: '0' })

  const counter = (name: string, help: string, labels: readonly string[] = labelNames) =>
    new Counter({ name, help, registers, labelNames: [...labels] })
  const histogram = (name: string, buckets: number[]) =>
    new Histogram({ name: `vllm:${name}`, help: `Histogram of ${name} per request.`, registers, labelNames, buckets })
  const gauge = (name: string, help: string, value: (queue: Queue) => number) =>
    new Gauge({
      ...{ name, help, registers, labelNames },
      collect() {
        for (const [model, queue] of queues) this.set(label(model), value(queue))
      },
    })

  gauge('vllm:num_requests_running', 'Requests being answered.', (queue) => queue.pending)
  gauge('vllm:num_requests_waiting', 'Requests waiting in line.', (queue) => queue.size)
  const promptTokens = counter('vllm:prompt_tokens_total', 'Prompt tokens processed.')
  const outputTokens = counter('vllm:generation_tokens_total', 'Tokens generated.')
  const success = counter('vllm:request_success_total', 'Requests finished, by reason.', [
    ...labelNames,
    'finished_reason',
  ])
  const prompt = histogram('request_prompt_tokens', TOKENS)
  const output = histogram('request_generation_tokens', TOKENS)
  const spentIn = Object.entries(SPENT).map(([part, name]) => [part as keyof Spent, histogram(name, SECONDS)] as const)
  const http = counter('http_requests_total', 'HTTP requests answered.', ['handler', 'method', 'status'])

  return {
    type: registry.contentType,
    text: () => registry.metrics(),
    finished: (model, finish, tokens, spent) => {
      success.inc({ ...label(model), finished_reason: finish === 'length' ? 'length' : 'stop' })
      promptTokens.inc(label(model), tokens.prompt)
      outputTokens.inc(label(model), tokens.output)
      prompt.observe(label(model), tokens.prompt)
      output.observe(label(model), tokens.output)
      for (const [part, seconds] of spentIn) seconds.observe(label(model), spent[part])
    },
    aborted: (model) => success.inc({ ...label(model), finished_reason: 'abort' }),
    answered: (handler, method, status) => http.inc({ handler, method, status: `${Math.floor(status / 100)}xx` }),
  }
}
