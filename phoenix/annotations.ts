import { fromAttributes, type LogsRequest, type Plain, type TraceRequest } from '../otlp/json.ts'
import { plainSpans, type Values } from '../otlp/plain.ts'
import { DIALECTS, EVENTS, GEN_AI, handWrittenEvaluations, LOGS, OTHER } from '../vocabulary/attributes.ts'

/** What Phoenix takes, as JSON, at POST /v1/span_annotations and, with a trace in the place of a span, at /v1/trace_annotations (20.26). */
export type Annotation = Readonly<{
  name: string
  annotator_kind: Annotator
  /** One name may stand several times on one span, for several agents. The same name and identifier again replaces it. */
  identifier: string
  result: Readonly<{ label: string | undefined; score: number | undefined; explanation: string | undefined }>
  metadata: Readonly<Record<string, string | undefined>>
}> &
  Target
export type Target = Readonly<{ span_id: string }> | Readonly<{ trace_id: string }>

export const ANNOTATORS = ['CODE', 'LLM', 'HUMAN'] as const
type Annotator = (typeof ANNOTATORS)[number]

/** Phoenix keeps this name for itself, and refuses the whole request with it. */
const RESERVED = 'note'

/** The evaluations of kept spans, as the Collector names them: events of any SDK, and attributes of agents written by hand. */
export const annotationsOf = (request: TraceRequest): readonly Annotation[] =>
  plainSpans(request).flatMap(({ spanId, attributes, events }) => [
    ...events
      .filter(({ name }) => name === EVENTS.EVALUATION)
      .map((event) => annotation({ span_id: spanId }, event.attributes)),
    ...handWrittenEvaluations(attributes).map(({ name, score, label }) =>
      annotation(
        { span_id: spanId },
        {
          ...attributes,
          [GEN_AI.EVALUATION_NAME]: name,
          [GEN_AI.EVALUATION_SCORE]: score,
          [GEN_AI.EVALUATION_LABEL]: label,
        },
      ),
    ),
  ])

/** The evaluations that came as log records. One without a span is about the whole trace; one without a trace is about nothing stored. */
export const annotationsOfRecords = ({ resourceLogs = [] }: Partial<LogsRequest>): readonly Annotation[] =>
  resourceLogs
    .flatMap(({ scopeLogs = [] }) => scopeLogs.flatMap(({ logRecords = [] }) => logRecords))
    .flatMap(({ eventName = '', traceId = '', spanId = '', attributes }) => {
      const values = fromAttributes(attributes)
      if ((eventName || values[LOGS.EVENT_NAME]) !== EVENTS.EVALUATION || traceId === '') return []
      return [annotation(spanId ? { span_id: spanId } : { trace_id: traceId }, values)]
    })

function annotation(target: Target, values: Values): Annotation {
  const name = textOf(values[GEN_AI.EVALUATION_NAME]) ?? 'unnamed'
  const score = values[GEN_AI.EVALUATION_SCORE]
  const agent = textOf(values[GEN_AI.AGENT])
  return {
    ...target,
    name: name === RESERVED ? `${RESERVED} (evaluation)` : name,
    annotator_kind: ANNOTATORS.find((kind) => kind === values[DIALECTS.EVALUATION_BY]) ?? 'CODE',
    identifier: agent ?? '',
    result: {
      label: textOf(values[GEN_AI.EVALUATION_LABEL]),
      score: typeof score === 'number' && Number.isFinite(score) ? score : undefined,
      explanation: textOf(values[GEN_AI.EVALUATION_EXPLANATION]),
    },
    metadata: {
      agent,
      prompt_version: textOf(values[GEN_AI.PROMPT_VERSION]),
      arm: textOf(values[OTHER.VARIANT]),
      outcome: textOf(values[DIALECTS.EVALUATION_OUTCOME]),
    },
  }
}

const textOf = (value: Plain): string | undefined =>
  value === undefined || value === '' || typeof value === 'object' ? undefined : String(value)
