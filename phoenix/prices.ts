import { isPerHour, isPerToken, type Price } from '../grafana/source/prices.ts'
import { literal } from '../grafana/source/regex.ts'

/** Phoenix reads its prices again every 5 s. A span that comes earlier never gets a cost. */
const CACHE_MS = 5000

/**
 * Sends the prices of models to Phoenix. Phoenix computes the cost when it stores a span, so call this before traffic.
 * Phoenix has prices by the token only: a model that costs by the hour is left out and has no cost there.
 * Returns how many milliseconds to wait until the prices are in use: 0 when nothing changed. Throws when Phoenix refuses a price.
 */
export async function syncPrices(phoenix: string, prices: readonly Price[]): Promise<number> {
  const known = await knownModels(phoenix)
  let wait = 0
  for (const { model } of prices.filter(isPerHour)) {
    const id = known.get(model)?.id
    if (id === undefined) continue
    await ask(phoenix, 'mutation ($input: DeleteModelMutationInput!) { deleteModel(input: $input) { __typename } }', {
      input: { id },
    })
    wait = CACHE_MS + 1000
  }
  for (const { model, input, output } of prices.filter(isPerToken)) {
    const wanted = costs(input, output)
    const id = known.get(model)
    if (id?.costs === JSON.stringify(wanted)) continue
    const fields = { name: model, provider: 'openai', namePattern: `^${literal(model)}$`, costs: wanted }
    await ask(
      phoenix,
      id
        ? 'mutation ($input: UpdateModelMutationInput!) { updateModel(input: $input) { __typename } }'
        : 'mutation ($input: CreateModelMutationInput!) { createModel(input: $input) { __typename } }',
      { input: id ? { id: id.id, ...fields } : fields },
    )
    wait = CACHE_MS + 1000
  }
  return wait
}

const costs = (input: number, output: number) => [
  { tokenType: 'input', kind: 'PROMPT', costPerMillionTokens: input },
  { tokenType: 'output', kind: 'COMPLETION', costPerMillionTokens: output },
]

type Known = {
  generativeModels: {
    edges: readonly {
      node: {
        id: string
        name: string
        kind: 'CUSTOM' | 'BUILT_IN'
        tokenPrices: readonly { tokenType: string; kind: string; costPerMillionTokens: number }[]
      }
    }[]
  }
}

async function knownModels(phoenix: string) {
  const { generativeModels } = await ask<Known>(
    phoenix,
    '{ generativeModels(first: 1000) { edges { node { id name kind tokenPrices { tokenType kind costPerMillionTokens } } } } }',
  )
  const custom = generativeModels.edges.map(({ node }) => node).filter(({ kind }) => kind === 'CUSTOM')
  return new Map(
    custom.map(({ id, name, tokenPrices }) => {
      const inOrder = [...tokenPrices].sort((a, b) => a.tokenType.localeCompare(b.tokenType))
      return [name, { id, costs: JSON.stringify(inOrder) }]
    }),
  )
}

async function ask<T>(phoenix: string, query: string, variables: Record<string, unknown> = {}): Promise<T> {
  const response = await fetch(`${phoenix}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
    signal: AbortSignal.timeout(60_000),
  })
  const { data, errors } = (await response.json()) as { data?: T; errors?: readonly { message: string }[] }
  if (errors?.[0] || !data)
    throw new Error(`Phoenix refused a price: ${errors?.[0]?.message ?? `HTTP ${response.status}`}`)
  return data
}
