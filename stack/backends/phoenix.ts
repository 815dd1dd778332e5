import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { parseEnv } from 'node:util'
import { spanKey } from '../../evidence/drills/balance.ts'
import { syncPrices } from '../../phoenix/prices.ts'
import { phoenixCost, phoenixData, phoenixPages, phoenixProjects, phoenixSpans } from '../queries.ts'
import { dataFolder, environment } from '../service.ts'
import { ROOT, type Settings, url } from '../settings.ts'
import type { Backend } from './backend.ts'

export const phoenix: Backend = {
  id: 'phoenix',
  title: 'Phoenix',
  endpointVariable: 'PHOENIX_OTLP_ENDPOINT',
  environment: (settings) => ({ PHOENIX_OTLP_ENDPOINT: url(settings, 'PHOENIX_PORT') }),
  server: {
    recipe: 'phoenix',
    service: (settings, programs) => ({
      name: 'phoenix',
      ports: ['PHOENIX_PORT'],
      command: () => ({
        file: programs('phoenix'),
        args: [resolve(ROOT, 'phoenix/serve.py')],
        env: environment(settings, {
          ...variables(settings),
          PHOENIX_WORKING_DIR: dataFolder(settings, 'phoenix'),
          PHOENIX_HOST: '127.0.0.1',
          PHOENIX_PORT: String(settings.ports.PHOENIX_PORT),
        }),
      }),
      ready: url(settings, 'PHOENIX_PORT', '/v1/projects'),
      // It writes the spans in its memory before it ends, which takes longer on a busy machine.
      graceMs: 30_000,
    }),
    link: { port: 'PHOENIX_PORT', path: '/projects', what: 'every kept conversation, with its messages and cost' },
    // Phoenix gives a span a cost only if the model has a price when the span comes.
    setPrices: (settings, prices) => syncPrices(url(settings, 'PHOENIX_PORT'), prices),
    shows: async (settings, { trace, agents, project }) => {
      const stored = await phoenixSpans(settings, project, trace)
      const calls = stored.filter(
        ({ span_kind, attributes }) => span_kind === 'LLM' && 'llm.output_messages.0.message.role' in attributes,
      )
      if (calls.length < agents.length) return undefined
      const costs = await Promise.all(calls.map(({ id }) => phoenixCost(settings, id)))
      if (costs.some((cost) => cost === null)) return undefined
      const usd = costs.reduce<number>((sum, cost) => sum + (cost ?? 0), 0)
      return {
        spans: stored.length,
        sentence: `shows ${costs.length} model calls with their messages, ${usd.toFixed(6)} USD`,
        content: JSON.stringify(stored),
      }
    },
    // Read from its database, because after one malformed span, Phoenix 20.26 cannot list the spans of a project any more.
    stored: (settings) => async () => {
      const database = new DatabaseSync(resolve(dataFolder(settings, 'phoenix'), 'phoenix.db'), { readOnly: true })
      const rows = database
        .prepare('SELECT trace_id, span_id FROM spans JOIN traces ON traces.id = spans.trace_rowid')
        .all()
      database.close()
      const stored = new Map<string, number>()
      for (const row of rows) {
        const key = spanKey(String(row.trace_id), String(row.span_id))
        stored.set(key, (stored.get(key) ?? 0) + 1)
      }
      return stored
    },
    hasStored: async (settings, traces) => {
      type Counts = { projects: { edges: readonly { node: { traceCount: number } }[] } }
      const data = await phoenixData<Counts>(settings, '{ projects { edges { node { traceCount } } } }')
      const stored = data?.projects.edges.reduce((sum, { node }) => sum + node.traceCount, 0) ?? 0
      return stored >= traces
    },
    answers: async function* (settings) {
      for (const name of await phoenixProjects(settings))
        for await (const bytes of phoenixPages(settings, name)) yield { where: 'Phoenix', bytes }
    },
  },
}

/** Settings of Phoenix that both boots share; the environment wins. */
function variables(settings: Settings): Record<string, string | undefined> {
  const shipped = parseEnv(readFileSync(resolve(ROOT, 'phoenix/phoenix.env'), 'utf8'))
  const own = Object.entries(settings.env).filter(([name]) => name.startsWith('PHOENIX_') && name !== 'PHOENIX_IMAGE')
  return { ...shipped, ...Object.fromEntries(own) }
}
