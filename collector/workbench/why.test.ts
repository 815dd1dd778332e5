import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Span } from './recording.ts'
import { looksAt } from './why.ts'

const attribute = (key: string, value: object) => ({ key, value })
const span = (seconds: number, attributes: Span['attributes'], more: object = {}): Span => ({
  traceId: 'a'.repeat(32),
  spanId: 'b'.repeat(16),
  startTimeUnixNano: '1000000000',
  endTimeUnixNano: String(1e9 + seconds * 1e9),
  attributes: attributes ?? [],
  ...more,
})
const chat = attribute('gen_ai.operation.name', { stringValue: 'chat' })
const tool = attribute('gen_ai.operation.name', { stringValue: 'execute_tool' })

const seen = (type: string, settings: Record<string, unknown>, ...spans: readonly Span[]) =>
  looksAt({ name: 'it', type, settings }, [
    {
      spans,
      body: Buffer.from(
        JSON.stringify({
          resourceSpans: [
            { resource: { attributes: [attribute('tier', { stringValue: 'gold' })] }, scopeSpans: [{ spans }] },
          ],
        }),
      ),
    },
  ])

const SLOW = {
  span: ['span.attributes["gen_ai.operation.name"] == "chat" and (span.end_time - span.start_time) > Duration("2s")'],
}

test('a near miss of a condition is the longest span that agrees with the rest of it', () => {
  const spans = [span(9, [tool]), span(1.94, [chat]), span(0.5, [chat])]
  assert.equal(
    seen('ottl_condition', SLOW, ...spans),
    'gen_ai.operation.name = chat, the longest took 1.94 s, threshold 2s',
  )
})

test('a value that is another than the one looked for is told with it', () => {
  const condition = { span: ['span.attributes["error.type"] == "parse_error"'] }
  const error = (stringValue: string) => span(1, [attribute('error.type', { stringValue })])
  assert.equal(seen('ottl_condition', condition, error('timeout')), 'error.type = timeout, looked for parse_error')
  assert.equal(seen('ottl_condition', condition, error('timeout'), error('parse_error')), 'error.type = parse_error')
  assert.equal(seen('ottl_condition', condition, span(1, [])), 'none of its 1 spans has error.type')
})

test('attribute policies look at spans and resources, and the largest number is told', () => {
  const tokens = (intValue: string) => span(1, [attribute('woodland.tokens', { intValue })])
  const bounds = { key: 'woodland.tokens', min_value: 6000, max_value: 9000 }
  assert.equal(
    seen('numeric_attribute', bounds, tokens('10'), tokens('5999')),
    'woodland.tokens = 5999, kept from 6000 up to 9000',
  )
  assert.equal(seen('numeric_attribute', bounds, span(1, [])), 'none of its 1 spans has woodland.tokens')
  assert.equal(
    seen('string_attribute', { key: 'tier', values: ['free', 'trial'] }, span(1, [])),
    'tier = gold, kept: free or trial',
  )
})

test('parts of a policy are told one by one, and of an unknown type nothing is guessed', () => {
  const parts = {
    and_sub_policy: [
      { name: 'a', type: 'latency', latency: { threshold_ms: 500 } },
      { name: 'b', type: 'always_sample' },
    ],
  }
  assert.equal(
    seen('and', parts, span(0.25, [])),
    'the trace took 0.25 s, kept above 0.5 s; nothing: it keeps every trace',
  )
  assert.equal(seen('moonlight', {}, span(1, [])), '–')
})
