import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { nanosOf, resourceSpans, type Span } from '../otlp/json.ts'
import { eventually, ownSettings, startStack } from '../stack/own-stack.ts'
import { phoenixSpans } from '../stack/queries.ts'
import { type Settings, url } from '../stack/settings.ts'
import { sendTo } from './collector.ts'

let settings: Settings
let end: () => Promise<void>
before(async () => {
  settings = await ownSettings({ BACKENDS: 'phoenix', DECISION_WAIT: '3s' })
  end = await startStack(settings, 'collector/policies/keep-everything.yaml', ['collector', 'phoenix'])
})
after(() => end?.())

const id = () => randomBytes(8).toString('hex')
const now = Date.now()
/** A trace of spans below each other, which start at the same time. The first is below the one that is named, or is the root. */
function chain(length: number, below?: number): readonly Span[] {
  const [traceId, ids] = [randomBytes(16).toString('hex'), Array.from({ length }, id)]
  return ids.map((spanId, index) => {
    const parentSpanId = ids[index - 1] ?? (below === undefined ? undefined : ids[below])
    const times = { startTimeUnixNano: nanosOf(now), endTimeUnixNano: nanosOf(now + 10) }
    // Phoenix adds up errors and tokens of what is below a span, for all that are above it.
    return { traceId, spanId, name: 'step', ...(parentSpanId && { parentSpanId }), ...times, status: { code: 2 } }
  })
}
const send = (project: string, spans: readonly Span[]) =>
  sendTo(url(settings, 'OTLP_HTTP_PORT'), '/v1/traces', {
    resourceSpans: [resourceSpans(spans, { resource: { 'openinference.project.name': project } })],
  })
const roots = async (project: string, length: number) =>
  eventually(async () => {
    const spans = await phoenixSpans(settings, project)
    assert.equal(spans.length, length)
    return spans.filter(({ parent_id: parent }) => parent === null).length
  })

test('spans that are above each other, or above themselves, do not stop Phoenix: one of each circle becomes a root', async () => {
  for (const [project, length] of Object.entries({ itself: 1, two: 2, three: 3, ten: 10 })) {
    await send(project, chain(length, length - 1))
    assert.equal(await roots(project, length), 1, project)
  }
  // The rest of a trace stays as it is.
  await send('tail', chain(6, 2))
  assert.equal(await roots('tail', 6), 1)
  const [first, ...others] = chain(40).toReversed()
  await send('straight', [...others, ...(first ? [first] : [])])
  assert.equal(await roots('straight', 40), 1)
})
