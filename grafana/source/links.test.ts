import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exploreTraces, filledIn } from './links.ts'

/** What the browser sees after Grafana has filled in the variables; decoded once more than it should be, as some releases do. */
const opened = (url: string) => {
  const filled = url.replace(/\$\{[^}]+\}/g, (variable) =>
    encodeURIComponent(variable.includes('labels') ? 'fox' : '1'),
  )
  const panes = new URL(decodeURIComponent(filled), 'http://grafana').searchParams.get('panes')
  return JSON.parse(panes ?? '') as Record<string, { queries: { query: string }[]; range: Record<string, unknown> }>
}

test('a link keeps TraceQL whole through an extra round of decoding', () => {
  const question = `{ span.a = "${filledIn('__field.labels.x')}" && span.b > 50 } | select(span.c) #+%`
  const [pane] = Object.values(opened(exploreTraces(question)))
  assert.equal(pane?.queries[0]?.query, '{ span.a = "fox" && span.b > 50 } | select(span.c) #+%')
})

test('a link has a pane id of three letters and a range of strings, or Explore falls back to its default', () => {
  const panes = opened(exploreTraces('{}'))
  assert.match(Object.keys(panes).join(), /^[a-z]{3}$/)
  assert.deepEqual(Object.values(panes)[0]?.range, { from: '1', to: '1' })
})
