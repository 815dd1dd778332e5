import { settings } from '../../grafana/source/settings.ts'
import type { Pipeline } from './counted.ts'

type Where = Readonly<{
  pipeline: Pipeline
  window: string
  endpoint: string
  grpcPort: number
  needsToken: boolean
}>

const TOKEN = 'OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20…", with the OTLP_TOKEN of make up'
const TOO_LARGE = `larger than ${settings.largestRequestMiB} MiB`

/** What an answer of the receiver means for its sender, in both protocols. */
const MEANS: Readonly<Record<string, string>> = {
  '400': `the request is malformed, or ${TOO_LARGE}`,
  '401': `the token is missing or wrong: ${TOKEN}`,
  '404':
    'the path is wrong: an SDK adds /v1/traces to OTEL_EXPORTER_OTLP_ENDPOINT itself, but not to OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
  '405': 'the method is wrong: OTLP is sent with POST',
  '415': 'the content type is wrong: application/x-protobuf or application/json',
  '503': 'memory is short: the board Pipeline shows which service sends the most',
  UNAUTHENTICATED: `the token is missing or wrong: ${TOKEN}`,
  RESOURCE_EXHAUSTED: `the request is ${TOO_LARGE}, or memory is short`,
  UNIMPLEMENTED: 'there is no such service: the receiver takes traces, metrics and logs of OTLP',
}

const isGood = (code: string) => /^2\d\d$/.test(code) || code === 'OK'

/** What to check when no service arrived, by what the receiver has counted. */
export function nothingArrived({ pipeline, window, endpoint, grpcPort, needsToken }: Where): readonly string[] {
  const bad = pipeline.answers.filter(({ code }) => !isGood(code))
  const good = pipeline.answers.filter(({ code }) => isGood(code)).reduce((sum, { count }) => sum + count, 0)
  const about =
    bad.length > 0
      ? bad.map(
          ({ protocol, code, count }) =>
            `${count} requests over ${protocol} were answered ${code}: ${MEANS[code] ?? 'see make logs'}`,
        )
      : good > 0
        ? [`${good} requests were taken, but they held no span with an id, no metric and no log record`]
        : ['no request reached the Collector, so look at the address and the protocol of the sender:']
  const grpc = new URL(endpoint)
  grpc.port = String(grpcPort)
  return [
    `BAD  arrives   nothing in ${window}, of any service`,
    ...[
      ...about,
      `export OTEL_EXPORTER_OTLP_ENDPOINT=${endpoint} OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf`,
      `export OTEL_EXPORTER_OTLP_ENDPOINT=${grpc.origin} OTEL_EXPORTER_OTLP_PROTOCOL=grpc   # or this`,
      ...(needsToken ? [`export ${TOKEN}`] : []),
      'In a container, 127.0.0.1 is that container: run it with --network host.',
      'Does the Collector run? make status. Does it take a run of ours? make example NAME=opentelemetry.',
    ].map((line) => `     ${line}`),
  ]
}
