import { resolve } from 'node:path'
import { spanKey } from '../../evidence/drills/balance.ts'
import { UserError } from '../../workbench/user-error.ts'
import { bytesFrom, tempoSearch, tempoTrace } from '../queries.ts'
import { dataFolder, environment } from '../service.ts'
import { ROOT, type Settings, url } from '../settings.ts'
import type { Backend } from './backend.ts'
import { lookUpMissing } from './lookups.ts'

const MOST_TRACES = 100_000

const flush = (settings: Settings) =>
  fetch(url(settings, 'TEMPO_PORT', '/flush'), { signal: AbortSignal.timeout(5000) })

export const tempo: Backend = {
  id: 'tempo',
  title: 'Tempo',
  endpointVariable: 'TEMPO_OTLP_ENDPOINT',
  environment: (settings) => ({ TEMPO_OTLP_ENDPOINT: url(settings, 'TEMPO_OTLP_HTTP_PORT') }),
  server: {
    recipe: 'tempo',
    service: (settings, programs) => ({
      name: 'tempo',
      ports: ['TEMPO_PORT', 'TEMPO_GRPC_PORT', 'TEMPO_GOSSIP_PORT', 'TEMPO_OTLP_GRPC_PORT', 'TEMPO_OTLP_HTTP_PORT'],
      command: () => ({
        file: programs('tempo'),
        args: ['-target=all', '-config.expand-env=true', `-config.file=${resolve(ROOT, 'grafana/tempo.yaml')}`],
        env: environment(settings, {
          TEMPO_STATE_DIR: dataFolder(settings, 'tempo'),
          TEMPO_REMOTE_WRITE_URL: url(settings, 'PROMETHEUS_PORT', '/api/v1/write'),
          GOMEMLIMIT: '256MiB',
        }),
      }),
      ready: url(settings, 'TEMPO_PORT', '/ready'),
      // Tempo 2.9 may never end after SIGTERM when it was queried just before. After /flush, a kill loses nothing.
      graceMs: 8_000,
      beforeStop: () => flush(settings),
    }),
    metricsPort: 'TEMPO_PORT',
    link: {
      port: 'TEMPO_PORT',
      path: '/api/search?q=%7B%20status%20%3D%20error%20%7D',
      what: 'kept traces by TraceQL, here those with an error',
    },
    shows: async (settings, { run, trace }) => {
      const query = `{ span.gen_ai.conversation.id = "${run}" && span.gen_ai.operation.name = "invoke_workflow" }`
      const found = await tempoSearch(settings, query)
      if (!found.some(({ traceID }) => traceID.padStart(32, '0') === trace))
        throw new Error(`${query} finds nothing. Does the policy in force keep traces with an error?`)
      const spans = await tempoTrace(settings, trace)
      const policy = spans.map(({ scope }) => scope['tailsampling.policy']).find(Boolean)
      return {
        spans: spans.length,
        sentence: `finds its ${spans.length} spans by TraceQL; kept by ${policy ?? 'a policy that left no name'}`,
        content: JSON.stringify(spans, (_key, item) => (typeof item === 'bigint' ? String(item) : item)),
      }
    },
    stored: (settings) => {
      const stored = new Map<string, number>()
      return async (keys) => {
        // One search finds most spans. It does not find spans with unusual times, and a lookup of a missing trace is slow,
        // so only the rest is looked up.
        if (stored.size === 0)
          for (const { traceID, spanSets } of await tempoSearch(settings, '{}', { limit: MOST_TRACES }))
            for (const { spans } of spanSets ?? [])
              for (const { spanID } of spans as readonly { spanID: string }[])
                stored.set(spanKey(traceID.padStart(32, '0'), spanID.padStart(16, '0')), 1)
        await lookUpMissing(keys, stored, async (id) => {
          for (const { traceId, spanId } of await tempoTrace(settings, id))
            stored.set(spanKey(traceId.padStart(32, '0'), spanId), 1)
        })
        return stored
      }
    },
    flush,
    answers: async function* (settings, traceIds) {
      for (const id of traceIds) {
        const bytes = await bytesFrom(url(settings, 'TEMPO_PORT', `/api/v2/traces/${id}`))
        if (!bytes.includes('"spans"'))
          throw new UserError(
            `Tempo has lost trace ${id}, so it cannot be searched for secrets. Run the command again.`,
          )
        yield { where: 'Tempo', bytes }
      }
      const tags = await bytesFrom(url(settings, 'TEMPO_PORT', '/api/v2/search/tags?limit=100000'))
      yield { where: 'Tempo: names of attributes', bytes: tags }
    },
  },
}
