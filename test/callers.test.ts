import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { before, test } from 'node:test'
import { inTurn, type Outcome, outcomeOf } from '../evidence/foreign/replay.ts'
import { type TraceRequest, toAttributes, traceRequest } from '../otlp/json.ts'
import { randomOf } from '../random/random.ts'
import { launcherFor } from '../stack/collectors.ts'
import { ownSettings, quiet } from '../stack/own-stack.ts'
import { ROOT, type Settings } from '../stack/settings.ts'
import { COLLECTOR, GEN_AI, METRICS, OTHER } from '../vocabulary/attributes.ts'

const TRACES = 600
const random = randomOf(5, 'callers')

type Step = readonly [
  does: string | undefined,
  agent: string | undefined,
  service: string,
  tokens?: Readonly<{ input: number; output: number }>,
]

/** A chain of spans, each below the one before. They are sent as SDKs send them: a span when it ends, so the last comes first. */
function chain(steps: readonly Step[]): TraceRequest {
  const traceId = random.hex(32)
  const ids = steps.map(() => random.hex(16))
  const requests = steps.map(([does, agent, service, tokens], index) =>
    traceRequest(
      [
        {
          traceId,
          spanId: ids[index] ?? '',
          parentSpanId: ids[index - 1] ?? '',
          name: does ?? 'step',
          startTimeUnixNano: '1795223772818000000',
          endTimeUnixNano: '1795223772918000000',
          attributes: toAttributes({
            ...(does && { [GEN_AI.OPERATION]: does }),
            ...(agent && { [GEN_AI.AGENT]: agent }),
            ...(tokens && {
              [GEN_AI.REQUEST_MODEL]: 'gpt-4o-mini',
              [GEN_AI.INPUT_TOKENS]: tokens.input,
              [GEN_AI.OUTPUT_TOKENS]: tokens.output,
            }),
          }),
        },
      ],
      { resource: { [OTHER.SERVICE_NAME]: service } },
    ),
  )
  return { resourceSpans: requests.toReversed().flatMap(({ resourceSpans }) => resourceSpans) }
}

const asking = () =>
  chain([
    ['invoke_workflow', undefined, 'site'],
    ['invoke_agent', 'foreman', 'site'],
    ['execute_tool', 'foreman', 'site'],
    [undefined, undefined, 'site'],
    [undefined, undefined, 'yard'],
    ['invoke_agent', 'carpenter', 'yard'],
    ['chat', 'carpenter', 'yard'],
  ])
/** Frameworks that have two spans for one turn, and an agent alone. */
const alone = () =>
  chain([
    ['invoke_agent', 'mason', 'site'],
    ['invoke_agent', 'mason', 'site'],
    ['chat', 'mason', 'site'],
  ])
/** Two agents whose calls do not name them, with a tool that carries the sum of its calls, and a call that no agent is above. */
const TOKENS = { writer: { input: 100, output: 10 }, reader: { input: 300, output: 5 } }
const nameless = (agent: keyof typeof TOKENS) =>
  chain([
    ['invoke_agent', agent, 'desk'],
    ['execute_tool', undefined, 'desk', TOKENS[agent]],
    ['chat', undefined, 'desk', TOKENS[agent]],
  ])
const nobody = () => chain([['chat', undefined, 'desk', { input: 7, output: 7 }]])

let settings: Settings
let outcome: Outcome
before(async () => {
  settings = await ownSettings({ BOOT: 'native' })
  const launcher = await launcherFor(settings, quiet, 'native')
  const requests = Array.from({ length: TRACES }, (_, index) => [
    index % 3 === 0 ? alone() : asking(),
    index % 3 === 0 ? nobody() : nameless(index % 3 === 1 ? 'writer' : 'reader'),
  ]).flat()
  outcome = await outcomeOf(launcher, inTurn(requests), resolve(ROOT, 'collector/policies/sample-10-percent.yaml'))
})

test('calls from agent to agent are estimated: each kept one counts for as many as the sampler says', () => {
  const calls = outcome.counted.filter(({ name }) => name === METRICS.AGENT_CALLS)
  assert.deepEqual(
    calls.map(({ labels }) => [
      labels[COLLECTOR.CALLER_SERVICE],
      labels[COLLECTOR.CALLER],
      labels[OTHER.SERVICE_NAME],
      labels[GEN_AI.AGENT],
    ]),
    [['site', 'foreman', 'yard', 'carpenter']],
  )
  const asked = [...outcome.seen.values()].filter(({ service }) => service === 'yard').length / 3
  const kept = [...outcome.seen.entries()].filter(
    ([id, { span }]) =>
      outcome.stored.has(id) && span.name === 'invoke_agent' && span.parentSpanId && outcome.kept.has(span.traceId),
  )
  const carpenters = kept.filter(([, { attributes }]) => attributes[GEN_AI.AGENT] === 'carpenter').length
  assert.equal(asked, 400)
  assert.ok(carpenters > 10 && carpenters < 100, `${carpenters} kept`)
  assert.ok(
    Math.abs((calls[0]?.value ?? 0) - 10 * carpenters) < 0.01 * carpenters,
    `${calls[0]?.value} of ${carpenters} kept`,
  )
})

test('tokens of calls that name no agent are estimated for the agent above them, and no others', () => {
  const estimated = outcome.counted.filter(({ name }) => name === METRICS.AGENT_TOKENS)
  const found = Object.fromEntries(
    estimated.map(({ labels, value }) => [`${labels[COLLECTOR.CALLER]} ${labels[GEN_AI.TOKEN_TYPE]}`, value]),
  )
  for (const { labels } of estimated)
    assert.deepEqual(
      [labels[OTHER.SERVICE_NAME], labels[GEN_AI.AGENT], labels[GEN_AI.REQUEST_MODEL]],
      ['desk', 'desk', 'gpt-4o-mini'],
    )
  assert.equal(estimated.length, 4)
  for (const [agent, tokens] of Object.entries(TOKENS)) {
    const kept = [...outcome.seen.entries()].filter(
      ([id, { span, attributes }]) =>
        outcome.stored.has(id) && span.name === 'chat' && attributes[GEN_AI.INPUT_TOKENS] === tokens.input,
    ).length
    assert.ok(kept > 5 && kept < 60, `${kept} kept`)
    for (const [type, each] of Object.entries(tokens)) {
      const wanted = 10 * kept * each
      const value = found[`${agent} ${type}`] ?? 0
      assert.ok(Math.abs(value - wanted) < 0.001 * wanted, `${agent} ${type}: ${value}, not ${wanted}`)
    }
  }
})

test('what is stored does not have the caller: it is only counted', () => {
  const stored = JSON.stringify(outcome.exported)
  assert.ok(stored.includes('carpenter'))
  assert.ok(!stored.includes(COLLECTOR.CALLER) && !stored.includes(COLLECTOR.CALLER_SERVICE))
})
