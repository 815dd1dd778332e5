import { readFileSync } from 'node:fs'
import http from 'node:http'
import https, { type RequestOptions } from 'node:https'
import { logsRequest, nanosOf, toAttributes } from '../../otlp/json.ts'
import { ANNOTATORS } from '../../phoenix/annotations.ts'
import { DIALECTS, EVENTS, GEN_AI, OTHER } from '../../vocabulary/attributes.ts'
import { UserError } from '../../workbench/user-error.ts'
import { chosenBackends, relays } from '../backends/backends.ts'
import type { Span } from '../queries.ts'
import { senderEnvironment } from '../receiver-options.ts'
import type { Settings } from '../settings.ts'
import { keptTrace } from './explain.ts'

export type AskedEvaluate = Readonly<{
  trace: string | undefined
  agent: string | undefined
  name: string | undefined
  score: string | undefined
  label: string | undefined
  why: string | undefined
  by: string
}>

export const BY = ANNOTATORS.map((kind) => kind.toLowerCase())

/**
 * Evaluates a kept trace after the fact: sends a log record to the Collector, as any SDK may, and answers what came of it.
 * Throws `UserError` when the trace was not kept, or when something is missing.
 */
export async function askEvaluate(settings: Settings, asked: AskedEvaluate): Promise<string> {
  const { name, label, why, by } = asked
  if (!asked.trace || !name)
    throw new UserError(
      `${asked.trace ? 'NAME' : 'TRACE'} is missing. Type make evaluate TRACE=… NAME=helpful LABEL=pass, and SCORE=0.7, WHY=…, AGENT=… or BY=llm if you like.`,
    )
  const score = asked.score === undefined ? undefined : Number(asked.score)
  if (score !== undefined && (asked.score?.trim() === '' || !Number.isFinite(score)))
    throw new UserError(`SCORE=${asked.score} is no number. Write SCORE=0.7, for example.`)
  if (score === undefined && label === undefined)
    throw new UserError(
      'LABEL and SCORE are both missing: an evaluation has one of them. LABEL=pass or LABEL=fail counts.',
    )
  const spans = await keptTrace(settings, asked.trace)
  const span = judged(spans, asked.agent)
  const about = (key: string) => ({ [key]: span.attributes[key] })
  const record = {
    timeUnixNano: nanosOf(Date.now()),
    traceId: span.traceId,
    spanId: span.spanId,
    eventName: EVENTS.EVALUATION,
    attributes: toAttributes({
      ...about(GEN_AI.AGENT),
      ...about(GEN_AI.PROMPT_VERSION),
      ...about(OTHER.VARIANT),
      [GEN_AI.EVALUATION_NAME]: name,
      [GEN_AI.EVALUATION_SCORE]: score,
      [GEN_AI.EVALUATION_LABEL]: label,
      [GEN_AI.EVALUATION_EXPLANATION]: why,
      [DIALECTS.EVALUATION_BY]: by.toUpperCase(),
    }),
  }
  const resource = { [OTHER.SERVICE_NAME]: span.resource[OTHER.SERVICE_NAME] }
  await send(settings, logsRequest([record], { resource }))
  const shown = relays(chosenBackends(settings)).map(({ to, what }) => `${to.title} gets it with other ${what}.`)
  return [
    `${name} of ${span.name}, trace ${span.traceId}, is counted on the boards.`,
    ...(shown.length > 0
      ? shown
      : ['No backend shows it beside its trace: make up BACKENDS=…,phoenix,annotations does.']),
  ].join('\n')
}

/** The turn of an agent, or the whole run. */
function judged(spans: readonly Span[], agent: string | undefined): Span {
  const turns = spans.filter(({ attributes }) => attributes[GEN_AI.OPERATION] === 'invoke_agent')
  const ids = new Set(spans.map(({ spanId }) => spanId))
  const found =
    agent === undefined
      ? (spans.find(({ parentSpanId }) => !ids.has(parentSpanId)) ?? spans[0])
      : turns.find(({ attributes }) => attributes[GEN_AI.AGENT] === agent)
  if (found) return found
  const names = [...new Set(turns.map(({ attributes }) => attributes[GEN_AI.AGENT]))].join(', ')
  throw new UserError(`AGENT=${agent} has no turn in this trace. It has turns of ${names || 'no agent'}.`)
}

/** As senders do: with the token and the certificate of this stack. Throws `UserError` when the Collector does not take it. */
async function send(settings: Settings, body: unknown): Promise<void> {
  const sender = senderEnvironment(settings)
  const [, token] = /^authorization=(.+)$/.exec(sender.OTEL_EXPORTER_OTLP_HEADERS ?? '') ?? []
  const certificate = sender.OTEL_EXPORTER_OTLP_CERTIFICATE
  const status = await post(`${sender.OTEL_EXPORTER_OTLP_ENDPOINT}/v1/logs`, JSON.stringify(body), {
    headers: { 'content-type': 'application/json', ...(token ? { authorization: decodeURIComponent(token) } : {}) },
    ...(certificate ? { ca: readFileSync(certificate) } : {}),
  })
  if (status !== 200)
    throw new UserError(
      `The Collector at ${sender.OTEL_EXPORTER_OTLP_ENDPOINT} ${status === undefined ? 'does not answer' : `answered HTTP ${status}`}, so nothing was counted. To see whether it runs: make status. If make up had a token or a certificate, give it here too.`,
    )
}

/** The status of the answer; undefined without one. The global fetch takes no certificate. */
const post = (address: string, body: string, options: RequestOptions): Promise<number | undefined> =>
  new Promise((resolve) => {
    const { request } = address.startsWith('https:') ? https : http
    const sending = request(address, { method: 'POST', ...options }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    sending.on('error', () => resolve(undefined))
    sending.end(body)
  })
