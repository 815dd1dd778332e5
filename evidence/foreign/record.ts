import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { gunzipSync, gzipSync } from 'node:zlib'
import { eachSpan, type TraceRequest } from '../../otlp/json.ts'
import { decode } from '../../otlp/protobuf.ts'
import { CLASSES, type Class, fileOf } from './recordings.ts'

type ResourceSpans = TraceRequest['resourceSpans'][number]
type Trace = { readonly class: Class; readonly parts: ResourceSpans[] }

/** Attributes of a resource that tell of the machine and not of the SDK. */
const OF_THE_MACHINE = /^(?:host|os|process|container)[.]/
/** The folders of a file on this machine, up to those of a package: exceptions quote them. */
const FOLDERS =
  /\/(?:root|home|Users|usr|opt|var|tmp|private)\/(?:[^\s/"'\\]+\/)*?(?=(?:site-packages|node_modules)\/|[^\s/"'\\]*(?:["'\\\s]|$))/g

/** Keeps the runs that an SDK sends to `/CLASS/v1/traces`, one line for each trace, as `readRecordings` reads them. */
export function recorder() {
  const traces = new Map<string, Trace>()
  return {
    add(name: Class, request: TraceRequest): void {
      for (const { span, scope, resource } of eachSpan(request)) {
        const trace = traces.get(span.traceId) ?? { class: name, parts: [] }
        const attributes = (resource?.attributes ?? []).filter(({ key }) => !OF_THE_MACHINE.test(key))
        trace.parts.push({ resource: { attributes }, scopeSpans: [{ ...(scope && { scope }), spans: [span] }] })
        traces.set(span.traceId, trace)
      }
    },
    lines: (): readonly string[] =>
      [...traces.values()].map(({ class: name, parts }) =>
        JSON.stringify({ class: name, body: { resourceSpans: parts } }).replace(FOLDERS, ''),
      ),
  }
}

async function bodyOf(incoming: IncomingMessage): Promise<TraceRequest> {
  const sent = await buffer(incoming)
  const body = incoming.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent
  return incoming.headers['content-type'] === 'application/json' ? JSON.parse(body.toString()) : decode(body)
}

async function main(name: string): Promise<void> {
  const runs = recorder()
  const server = createServer(async (incoming, answer) => {
    const found = CLASSES.find((one) => incoming.url === `/${one}/v1/traces`)
    if (found === undefined) {
      answer.writeHead(404).end(`send to /CLASS/v1/traces; a class of a run is one of ${CLASSES.join(', ')}\n`)
      return
    }
    runs.add(found, await bodyOf(incoming))
    answer.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  console.log(
    `run the agent with OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:${port}/ordinary (or /slow, /fail500, …); Ctrl-C ends`,
  )
  await once(process, 'SIGINT')
  server.close()
  server.closeAllConnections()
  const lines = runs.lines()
  writeFileSync(fileOf(name), gzipSync(`${lines.join('\n')}\n`, { level: 9 }))
  console.log(`${lines.length} runs are in ${fileOf(name)}`)
}

if (process.argv[1] === import.meta.filename) {
  const name = process.argv[2]
  if (name === undefined || !/^[a-z0-9-]+$/.test(name)) {
    console.error('say what the recording is called, in lower-case words: npx tsx evidence/foreign/record.ts my-sdk')
    process.exit(2)
  }
  await main(name)
}
