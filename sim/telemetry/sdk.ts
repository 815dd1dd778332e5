import { metrics, trace } from '@opentelemetry/api'
import { ExportResultCode } from '@opentelemetry/core'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { defaultResource, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { NodeSDK } from '@opentelemetry/sdk-node'
import { ConsoleSpanExporter, type SpanExporter } from '@opentelemetry/sdk-trace'
import packageJson from '../../package.json' with { type: 'json' }
import { OPENINFERENCE, OTHER, WOODLAND } from '../../vocabulary/attributes.ts'

const NAME = packageJson.name

/**
 * Defaults for the SDK's own switches; the environment wins. The batch delay stays below the collector's
 * wait after a root span, so that a trace is whole when it is judged; the queue holds a minute of fast play.
 */
const SDK_DEFAULTS = {
  OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${process.env.OTLP_HTTP_PORT || 4318}`,
  OTEL_BSP_SCHEDULE_DELAY: '500',
  OTEL_BSP_MAX_QUEUE_SIZE: '16384',
  OTEL_METRIC_EXPORT_INTERVAL: '5000',
  OTEL_METRIC_EXPORT_TIMEOUT: '4000',
  OTEL_LOGS_EXPORTER: 'none',
  OTEL_NODE_EXPERIMENTAL_SDK_METRICS: 'true',
}

/** Sets the defaults. Call it first, so that a mock-vllm that is started has them too. */
export function setTelemetryDefaults(): void {
  for (const [name, value] of Object.entries(SDK_DEFAULTS)) process.env[name] ||= value
}

/** How long the last flush may take before the run ends without it. */
const FLUSH_LIMIT_MS = 5000

/**
 * Starts the SDK: traces and metrics to an OTLP endpoint, or spans to the terminal when `toConsole` is set.
 * `stop` flushes within 5 seconds and answers how many spans were delivered.
 */
export function startTelemetry({ run, toConsole }: { readonly run: string; readonly toConsole: boolean }) {
  const delivered = { spans: 0 }
  const sdk = new NodeSDK({
    // Only these and what the environment adds. Host names and command lines stay private.
    resourceDetectors: [envDetector],
    resource: defaultResource().merge(
      resourceFromAttributes({
        [OTHER.SERVICE_NAME]: NAME,
        [OTHER.SERVICE_VERSION]: packageJson.version,
        [OTHER.SERVICE_INSTANCE]: run,
        [OTHER.ENVIRONMENT]: 'local',
        [OPENINFERENCE.PROJECT]: NAME,
        [WOODLAND.LINKS]: 'ids-only',
      }),
    ),
    traceExporter: counting(toConsole ? new ConsoleSpanExporter() : new OTLPTraceExporter(), delivered),
    metricReaders: toConsole
      ? []
      : [
          new PeriodicExportingMetricReader({
            exporter: new OTLPMetricExporter(),
            exportIntervalMillis: Number(process.env.OTEL_METRIC_EXPORT_INTERVAL),
            exportTimeoutMillis: Number(process.env.OTEL_METRIC_EXPORT_TIMEOUT),
          }),
        ],
  })
  sdk.start()
  return {
    tracer: trace.getTracer(NAME, packageJson.version),
    off: process.env.OTEL_SDK_DISABLED === 'true',
    meter: metrics.getMeter(NAME, packageJson.version),
    stop: async () => {
      const late = new Promise((resolve) => setTimeout(resolve, FLUSH_LIMIT_MS).unref())
      await Promise.race([sdk.shutdown().catch(() => {}), late])
      return delivered.spans
    },
  }
}

function counting(exporter: SpanExporter, delivered: { spans: number }): SpanExporter {
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        if (result.code === ExportResultCode.SUCCESS) delivered.spans += spans.length
        done(result)
      }),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  }
}
