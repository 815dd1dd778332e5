import protobuf from 'protobufjs'
import { hexOf, type LogsRequest, type Span, type TraceRequest } from './json.ts'

/**
 * The messages of opentelemetry-proto 1.11 for a request of traces: names, types and numbers, which never change.
 * No package has the messages of today (docs/decisions/013).
 */
const MESSAGES = `
syntax = "proto3";
message TraceRequest { repeated ResourceSpans resourceSpans = 1; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scopeSpans = 2; string schemaUrl = 3; }
message Resource {
  repeated KeyValue attributes = 1; uint32 droppedAttributesCount = 2; repeated EntityRef entityRefs = 3;
}
message EntityRef {
  string schemaUrl = 1; string type = 2; repeated string idKeys = 3; repeated string descriptionKeys = 4;
}
message ScopeSpans { Scope scope = 1; repeated Span spans = 2; string schemaUrl = 3; }
message Scope {
  string name = 1; string version = 2; repeated KeyValue attributes = 3; uint32 droppedAttributesCount = 4;
}
message Span {
  bytes traceId = 1; bytes spanId = 2; string traceState = 3; bytes parentSpanId = 4; fixed32 flags = 16;
  string name = 5; SpanKind kind = 6; fixed64 startTimeUnixNano = 7; fixed64 endTimeUnixNano = 8;
  repeated KeyValue attributes = 9; uint32 droppedAttributesCount = 10;
  repeated Event events = 11; uint32 droppedEventsCount = 12;
  repeated Link links = 13; uint32 droppedLinksCount = 14;
  Status status = 15;
}
message Event {
  fixed64 timeUnixNano = 1; string name = 2; repeated KeyValue attributes = 3; uint32 droppedAttributesCount = 4;
}
message Link {
  bytes traceId = 1; bytes spanId = 2; string traceState = 3; fixed32 flags = 6;
  repeated KeyValue attributes = 4; uint32 droppedAttributesCount = 5;
}
message Status { string message = 2; StatusCode code = 3; }
enum SpanKind {
  SPAN_KIND_UNSPECIFIED = 0; SPAN_KIND_INTERNAL = 1; SPAN_KIND_SERVER = 2; SPAN_KIND_CLIENT = 3;
  SPAN_KIND_PRODUCER = 4; SPAN_KIND_CONSUMER = 5;
}
enum StatusCode { STATUS_CODE_UNSET = 0; STATUS_CODE_OK = 1; STATUS_CODE_ERROR = 2; }
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue {
  oneof value {
    string stringValue = 1; bool boolValue = 2; int64 intValue = 3; double doubleValue = 4;
    Values arrayValue = 5; KeyValues kvlistValue = 6; bytes bytesValue = 7;
  }
}
message Values { repeated AnyValue values = 1; }
message KeyValues { repeated KeyValue values = 1; }

message LogsRequest { repeated ResourceLogs resourceLogs = 1; }
message ResourceLogs { Resource resource = 1; repeated ScopeLogs scopeLogs = 2; }
message ScopeLogs { Scope scope = 1; repeated LogRecord logRecords = 2; }
message LogRecord {
  fixed64 timeUnixNano = 1; repeated KeyValue attributes = 6; bytes traceId = 9; bytes spanId = 10; string eventName = 12;
}

message IdsOnly { repeated IdsOfResource resourceSpans = 1; }
message IdsOfResource { repeated IdsOfScope scopeSpans = 2; }
message IdsOfScope { repeated IdsOfSpan spans = 2; }
message IdsOfSpan { bytes traceId = 1; bytes spanId = 2; }
`

const { root } = protobuf.parse(MESSAGES)
const [request, idsOnly] = [root.lookupType('TraceRequest'), root.lookupType('IdsOnly')]
const logsRequest = root.lookupType('LogsRequest')

/** A request in protobuf. Fields that OTLP does not have are left out. */
export const encode = (json: TraceRequest): Buffer =>
  Buffer.from(request.encode(request.fromObject(withIds(json, base64Of))).finish())

/** Converts a request in protobuf to JSON, with kinds and status codes as numbers. Throws when it is not a request, or is cut off. */
export const decode = (body: Uint8Array): TraceRequest =>
  withIds({ resourceSpans: [], ...read<TraceRequest>(request, body) }, hexOf)

/** The same, but of each span only the ids. The rest is not parsed, so it may be malformed, and reading takes a fifth of the time. */
export const decodeIds = (body: Uint8Array): TraceRequest =>
  withIds({ resourceSpans: [], ...read<TraceRequest>(idsOnly, body) }, hexOf)

/** The same for log records. Their bodies and severities are left out. */
export function decodeLogs(body: Uint8Array): LogsRequest {
  const { resourceLogs = [] } = read<LogsRequest>(logsRequest, body)
  return {
    resourceLogs: resourceLogs.map(({ scopeLogs = [], ...part }) => ({
      ...part,
      scopeLogs: scopeLogs.map(({ logRecords = [], ...scope }) => ({
        ...scope,
        logRecords: logRecords.map(({ traceId = '', spanId = '', ...rest }) => ({
          ...rest,
          traceId: hexOf(traceId),
          spanId: hexOf(spanId),
        })),
      })),
    })),
  }
}

function read<T>(message: protobuf.Type, body: Uint8Array): Partial<T> {
  try {
    return message.toObject(message.decode(body), { longs: String, bytes: String, json: true }) as Partial<T>
  } catch (error) {
    const why = (error as Error).message
    throw new Error(
      `these bytes are not an OTLP request, or are cut off, or hold lists that are nested too deeply: ${why}`,
    )
  }
}

const base64Of = (hex: string) => Buffer.from(hex, 'hex').toString('base64')

/** The library writes bytes in base64, but OTLP's JSON has ids in hexadecimal digits. */
const withIds = (request: TraceRequest, convert: (id: string) => string): TraceRequest => ({
  resourceSpans: request.resourceSpans.map((part) => ({
    ...part,
    scopeSpans: (part.scopeSpans ?? []).map((scope) => ({
      ...scope,
      spans: (scope.spans ?? []).map((span) => converted(span, convert)),
    })),
  })),
})

const converted = ({ traceId, spanId, parentSpanId, links, ...rest }: Span, convert: (id: string) => string): Span => ({
  traceId: convert(traceId ?? ''),
  spanId: convert(spanId ?? ''),
  ...(parentSpanId && { parentSpanId: convert(parentSpanId) }),
  ...rest,
  ...(links && {
    links: links.map((link) => ({ ...link, traceId: convert(link.traceId ?? ''), spanId: convert(link.spanId ?? '') })),
  }),
})
