import { resolve } from 'node:path'
import { spanKey } from '../../evidence/drills/balance.ts'
import { spansOf, type TraceRequest } from '../../otlp/json.ts'
import { UserError } from '../../workbench/user-error.ts'
import { bytesFrom } from '../queries.ts'
import { dataFolder, environment } from '../service.ts'
import { ROOT, type Settings, url } from '../settings.ts'
import type { Backend } from './backend.ts'
import { lookUpMissing } from './lookups.ts'

type Trace = Readonly<{ spans: readonly Readonly<{ spanID: string }>[] }>

export const jaeger: Backend = {
  id: 'jaeger',
  title: 'Jaeger',
  endpointVariable: 'JAEGER_OTLP_ENDPOINT',
  environment: (settings) => ({ JAEGER_OTLP_ENDPOINT: url(settings, 'JAEGER_OTLP_PORT') }),
  server: {
    recipe: 'jaeger',
    service: (settings, programs) => ({
      name: 'jaeger',
      ports: ['JAEGER_PORT', 'JAEGER_GRPC_PORT', 'JAEGER_OTLP_PORT', 'JAEGER_HEALTH_PORT'],
      command: () => ({
        file: programs('jaeger'),
        args: ['--config', resolve(ROOT, 'stack/backends/jaeger.yaml')],
        env: environment(settings, { JAEGER_STATE_DIR: dataFolder(settings, 'jaeger'), GOMEMLIMIT: '256MiB' }),
      }),
      ready: url(settings, 'JAEGER_HEALTH_PORT', '/status'),
      graceMs: 10_000,
    }),
    link: {
      port: 'JAEGER_PORT',
      path: '/search?service=thousand-token-wood',
      what: 'kept traces by service and attribute',
    },
    shows: async (settings, { trace }) => {
      const bytes = await bytesFrom(url(settings, 'JAEGER_PORT', `/api/traces/${trace}`))
      const { length } = spansIn(bytes)
      return { spans: length, sentence: `finds its ${length} spans`, content: bytes.toString() }
    },
    stored: (settings) => {
      const stored = new Map<string, number>()
      return async (keys) => {
        await lookUpMissing(keys, stored, async (id) => {
          const copies = new Map<string, number>()
          // As OTLP: the other answer is an error when an attribute of the trace is NaN (1.76.0).
          for (const { spanId } of spansOf(await asOtlp(settings, id)))
            copies.set(spanKey(id, spanId), (copies.get(spanKey(id, spanId)) ?? 0) + 1)
          for (const [key, count] of copies) stored.set(key, count)
        })
        return stored
      }
    },
    answers: async function* (settings, traceIds) {
      for (const id of traceIds) {
        const bytes = await found(settings, id)
        if (spansIn(bytes).length === 0)
          throw new UserError(
            `Jaeger has lost trace ${id}, so it cannot be searched for secrets. Run the command again.`,
          )
        yield { where: 'Jaeger', bytes }
      }
      const services = await bytesFrom(url(settings, 'JAEGER_PORT', '/api/services'))
      yield { where: 'Jaeger: names of services', bytes: services }
      for (const service of (JSON.parse(services.toString()) as { data: readonly string[] | null }).data ?? []) {
        const path = `/api/operations?service=${encodeURIComponent(service)}`
        yield { where: 'Jaeger: names of operations', bytes: await bytesFrom(url(settings, 'JAEGER_PORT', path)) }
      }
    },
  },
}

/** What Jaeger answers at a path about a trace, or `empty`: it answers 404 when it does not have the trace. */
const answerOr = (empty: string, settings: Settings, path: string): Promise<Buffer> =>
  bytesFrom(url(settings, 'JAEGER_PORT', path)).catch((error: Error) => {
    if (/HTTP 404/.test(error.message)) return Buffer.from(empty)
    throw error
  })

const found = (settings: Settings, id: string) => answerOr('{"data":[]}', settings, `/api/traces/${id}`)

async function asOtlp(settings: Settings, id: string): Promise<TraceRequest> {
  const bytes = await answerOr('{"result":{"resourceSpans":[]}}', settings, `/api/v3/traces/${id}`)
  return (JSON.parse(bytes.toString()) as { result: TraceRequest }).result
}

const spansIn = (bytes: Buffer) =>
  ((JSON.parse(bytes.toString()) as { data: readonly Trace[] | null }).data ?? []).flatMap(({ spans }) => spans)
