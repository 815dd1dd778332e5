/** However busy a machine is, a collector answers sooner. */
const ANSWER_LIMIT_MS = 60_000

/** Sends a request of OTLP in JSON, as `traceRequest` makes it, to the whole address, such as http://127.0.0.1:4318/v1/traces. */
export const postOtlp = (
  address: string,
  request: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> =>
  fetch(address, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
    body: typeof request === 'string' ? request : JSON.stringify(request),
  })
