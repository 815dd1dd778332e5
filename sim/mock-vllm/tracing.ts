import type { IncomingHttpHeaders } from 'node:http'
import { defaultTextMapGetter, ROOT_CONTEXT, type Span, SpanKind, type Tracer, trace } from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'

const NAME = 'vllm.llm_engine'
const propagator = new W3CTraceContextPropagator()

type Tracing = Readonly<{ tracer: Tracer; shutdown: () => Promise<void> }>

/**
 * Spans to OTLP/HTTP, configured by the standard environment. No diag logger is set: without a collector the spans are
 * lost, but nothing is printed and no reply waits.
 */
export function tracingFrom(env: NodeJS.ProcessEnv): Tracing {
  if (env.OTEL_TRACES_EXPORTER === 'none' || env.OTEL_SDK_DISABLED === 'true') {
    return { tracer: trace.getTracer(NAME), shutdown: async () => {} }
  }
  const endpoint = env.OTEL_EXPORTER_OTLP_ENDPOINT || env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT
  const exporter = new OTLPTraceExporter(endpoint ? {} : { url: 'http://127.0.0.1:4318/v1/traces' })
  const defaults = {
    'service.name': 'mock-vllm',
    'openinference.project.name': 'thousand-token-wood',
    'woodland.links': 'ids-only',
  }
  const provider = new TracerProvider({
    resource: defaultResource()
      .merge(resourceFromAttributes(defaults))
      .merge(detectResources({ detectors: [envDetector] })),
    // The same delay as the simulator, or the halves of a trace reach the sampler too far apart.
    spanProcessors: [new BatchSpanProcessor({ exporter, scheduledDelayMillis: 500, maxQueueSize: 8192 })],
  })
  return { tracer: provider.getTracer(NAME), shutdown: () => provider.shutdown() }
}

/** The server's part of a client's trace. A span that never ends, as after an abort, is never exported, as with vLLM. */
export const startRequestSpan = (tracer: Tracer, headers: IncomingHttpHeaders): Span =>
  tracer.startSpan(
    'llm_request',
    { kind: SpanKind.SERVER },
    propagator.extract(ROOT_CONTEXT, headers, defaultTextMapGetter),
  )
