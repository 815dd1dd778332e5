import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { nanosOf, resourceSpans, type Span, toAttributes } from '../otlp/json.ts'
import { readPage } from '../otlp/page.ts'
import { eventually, ownSettings } from '../stack/own-stack.ts'
import type { Running } from '../workbench/collector.ts'
import { collectorFor, sendTo } from './collector.ts'
import { AGENT, CALL, IN, OP, OUT, REQUEST } from './dialect-cases.ts'

/** A call of a model, an agent or a tool that stands on two spans of one request is one call (collector/labels/calls-again.yaml). */
let collector: Running
before(async () => {
  collector = await collectorFor(await ownSettings())
  for (const [name, [calls]] of Object.entries(CASES)) await sendTo(collector.otlp, '/v1/traces', request(name, calls))
})
after(() => collector?.stop())

type Call = Readonly<{ scope?: string; below?: string; failed?: boolean; is?: object }>
const START = Date.now() - 60_000
const USED = { [IN]: 160n, [OUT]: 40n }

/** Spans of one trace by their ids, each a call at the same time below one span that is no call. */
function request(service: string, calls: Readonly<Record<string, Call>>) {
  const one = (id: string, { below = '1', failed = false, is = USED }: Call): Span => ({
    ...{ traceId: 'a'.repeat(32), spanId: id.repeat(16), parentSpanId: below.repeat(16), name: 'call' },
    ...{ startTimeUnixNano: nanosOf(START), endTimeUnixNano: nanosOf(START + 80) },
    ...(failed && { status: { code: 2 } }),
    attributes: toAttributes({ ...CALL, ...is }),
  })
  return {
    resourceSpans: Object.entries(calls).map(([id, call]) =>
      resourceSpans([one(id, call)], { resource: { 'service.name': service }, scope: { name: call.scope ?? 'outer' } }),
    ),
  }
}

const sdk = { scope: 'com.anthropic.sdk.python' }
const streamed = { ...sdk, is: { [IN]: 160n, [OUT]: 41n } }
const embedding = { [OP]: 'embeddings', [IN]: 28n }
const tool = { [OP]: 'execute_tool', 'gen_ai.tool.name': 'add' }
const agent = { [OP]: 'invoke_agent', [AGENT]: 'fox' }
const nameless = { [OP]: 'invoke_agent' }
const dated = { ...USED, [REQUEST]: 'm-2024-07-18' }
const short = { ...USED, [REQUEST]: 'm-20241022' }
const CASES: Readonly<
  Record<string, readonly [calls: Readonly<Record<string, Call>>, counted: number, tokens: number]>
> = {
  "Anthropic's SDK below another instrumentation": [{ 2: { below: '3', ...sdk }, 3: {} }, 1, 200],
  "Anthropic's SDK beside another instrumentation": [{ 2: {}, 3: sdk }, 1, 200],
  'the same, of a stream, whose output they count otherwise': [{ 2: {}, 3: streamed }, 1, 200],
  'the same, of a call that failed': [{ 2: { failed: true, is: {} }, 3: { ...sdk, failed: true, is: {} } }, 1, 0],
  'an embedding on two spans of one SDK': [{ 2: { is: embedding }, 3: { below: '2', is: embedding } }, 1, 28],
  'a model with its date above the same without it': [{ 2: { is: dated }, 3: { below: '2' } }, 1, 200],
  'a model above the same with its date': [{ 2: {}, 3: { below: '2', is: short } }, 1, 200],
  'two models, one below the other': [{ 2: {}, 3: { below: '2', is: { ...USED, [REQUEST]: 'm-pro' } } }, 2, 400],
  'three spans, each below the one before': [{ 2: {}, 3: { below: '2' }, 4: { below: '3' } }, 1, 200],
  'two calls, each on two spans': [{ 2: {}, 3: sdk, 4: {}, 5: sdk }, 2, 400],
  'two calls of one instrumentation': [{ 2: {}, 3: {} }, 2, 400],
  'a loop of Spring AI': [{ 2: {}, 3: { scope: 'org.springframework.boot', below: '2' } }, 2, 400],
  'two calls of two instrumentations': [{ 2: {}, 3: { ...sdk, scope: 'another' } }, 2, 400],
  'two models, as a fallback': [{ 2: {}, 3: { ...sdk, is: { ...USED, [REQUEST]: 'another' } } }, 2, 400],
  'a try that failed below the call': [{ 2: {}, 3: { below: '2', failed: true, is: {} } }, 2, 200],
  'a call that another with other tokens stands below': [{ 2: {}, 3: { below: '2', is: { [IN]: 5n } } }, 2, 205],
  'a tool on two spans': [{ 2: { is: tool }, 3: { below: '2', is: tool } }, 1, 0],
  'a tool that failed inside of one that did not': [
    { 2: { is: tool }, 3: { below: '2', failed: true, is: tool } },
    2,
    0,
  ],
  'a tool that uses another': [
    { 2: { is: tool }, 3: { below: '2', is: { ...tool, 'gen_ai.tool.name': 'sum' } } },
    2,
    0,
  ],
  'a turn of an agent on two spans': [{ 2: { is: agent }, 3: { below: '2', is: agent } }, 1, 0],
  'an agent below another': [{ 2: { is: agent }, 3: { below: '2', is: { ...agent, [AGENT]: 'owl' } } }, 2, 0],
  'two agents without a name': [{ 2: { is: nameless }, 3: { below: '2', is: nameless } }, 2, 0],
  'a call without tokens above one that has some': [{ 2: { is: {} }, 3: { below: '2' } }, 1, 200],
  'a call without tokens above one of another model': [
    { 2: { is: { [REQUEST]: 'other' } }, 3: { below: '2' } },
    2,
    200,
  ],
  'a call that failed above one that did not': [{ 2: { failed: true, is: {} }, 3: { below: '2' } }, 2, 200],
  'a call without tokens above a try that failed and one that did not': [
    { 2: { is: {} }, 3: { below: '2', failed: true, is: {} }, 4: { below: '2' } },
    2,
    200,
  ],
}

for (const [name, [, counted, tokens]] of Object.entries(CASES))
  test(name, () =>
    eventually(async () => {
      const page = readPage(await collector.counted()).filter(
        ({ labels }) => labels.service_name === name && labels.gen_ai_operation_name !== undefined,
      )
      const sum = (metric: string) =>
        page.filter(({ name }) => name === metric).reduce((total, { value }) => total + value, 0)
      assert.deepEqual([sum('traces_span_metrics_calls_total'), sum('gen_ai_usage_tokens_total')], [counted, tokens])
    }),
  )
