import assert from 'node:assert/strict'
import { test } from 'node:test'
import { questionsPanel, readRecipes, renderCookbook } from './cookbook.ts'

const LINK = /\[[^\]]+\]\((?<url>[^()\s]+)\)/g

const opened = (url: string) => {
  const panes = new URL(url, 'http://grafana').searchParams.get('panes')
  const [pane] = Object.values(JSON.parse(panes ?? '') as Record<string, { queries: { query: string }[] }>)
  return pane?.queries[0]?.query
}

test('every link in the docs and on the panel opens its question', () => {
  const queries = readRecipes().map(({ query }) => query)
  const { content } = questionsPanel(24, 8).build().options as { content: string }
  for (const text of [renderCookbook(readRecipes()), content]) {
    const links = [...text.matchAll(LINK)]
      .map(({ groups }) => groups?.url ?? '')
      .filter((url) => url.includes('panes='))
    assert.deepEqual(links.map(opened), queries)
  }
})

test('a question without its fields, or twice, is named', () => {
  assert.throws(() => readRecipes('- id: slow\n  question: Slow?\n  query: "{}"\n'), /traceql\.yaml: .*shows/s)
  const twice = '- { id: slow, question: "Slow?", query: "{}", shows: "It." }\n'.repeat(2)
  assert.throws(() => readRecipes(twice), /"slow" is the id of two questions/)
})
