import { nanosOf, text, traceRequest } from '../otlp/json.ts'
import { postOtlp } from '../otlp/post.ts'
import { otlpSink } from '../stack/otlp-sink.ts'

/** What was sent to a backend: under which name it was reached, and the bytes. */
type Taken = Readonly<{ host: string; bytes: string }>

/** A server in the place of a backend. It takes everything. */
export async function backendThatTakesAll() {
  const taken: Taken[] = []
  const { url, close } = await otlpSink(
    (_, body, { host = '' }) => void taken.push({ host, bytes: body.toString('latin1') }),
  )
  return { port: Number(new URL(url).port), taken, close }
}

/** Sends a failed call with an e-mail address in its prompt, which the shipped list keeps. */
export function sendFailedCall(
  port: number,
  { address = '127.0.0.1', token, trace = 'a'.repeat(32) }: { address?: string; token?: string; trace?: string } = {},
) {
  const now = Date.now()
  const span = {
    traceId: trace,
    spanId: 'b'.repeat(16),
    name: 'chat',
    kind: 3,
    startTimeUnixNano: nanosOf(now),
    endTimeUnixNano: nanosOf(now + 1),
    status: { code: 2 },
    attributes: [
      { key: 'gen_ai.operation.name', value: text('chat') },
      { key: 'prompt', value: text('write to somebody@example.com soon') },
    ],
  }
  const headers = token ? { authorization: `Bearer ${token}` } : {}
  return postOtlp(`http://${address}:${port}/v1/traces`, traceRequest([span]), headers)
}
