import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Recipe, readRecipes } from '../grafana/source/cookbook.ts'
import { settings as settingsOfBoards } from '../grafana/source/settings.ts'
import type { Entry } from '../sim/ledger.ts'
import { eventually, ownSettings, play, type Run, startStack } from '../stack/own-stack.ts'
import { shippedAndTheRest } from '../stack/policy.ts'
import { type Span, tempoMetrics, tempoSearch, tempoTrace } from '../stack/queries.ts'
import { type Settings, url } from '../stack/settings.ts'
import { entriesOf } from './runs.ts'

const TICKS = 60

let settings: Settings
let end: () => Promise<void>
let run: Run
/** Every trace of the run, from Tempo by its id. What the ledger does not hold is compared with these. */
let spans: readonly Span[]

const of = <K extends Entry['kind']>(kind: K) => entriesOf(run, kind)

before(async () => {
  // What is asked for must come more than once, also where a slow machine makes calls run out of time: three self-buys after
  // a reply that could not be read, and a simulator that waits four times as long as the mock's pace asks for.
  const VLLM_RATES = 'malformed=0.1,self_buy=0.15'
  settings = await ownSettings({ TIME_FACTOR: '20', VLLM_PRESET: 'chaos', VLLM_RATES })
  // The questions name policies, and every trace of the ledger must be found.
  end = await startStack(settings, shippedAndTheRest(settings), ['tempo', 'collector', 'mock-vllm'])
  run = await play(settings, '--ticks', String(TICKS), '--seed', '11', '--tick-interval', '125ms', '--time-factor', '5')
  await eventually(async () => {
    const found = await tempoSearch(settings, recipe('one-run').query.replace('RUN', run.id))
    assert.equal(found.length, TICKS)
  })
  // Structural queries see the whole trace only after it was flushed.
  await fetch(url(settings, 'TEMPO_PORT', '/flush'), { method: 'POST' })
  const traces: (readonly Span[])[] = []
  for (const { trace } of of('tick')) traces.push(await tempoTrace(settings, trace))
  spans = traces.flat()
})

after(() => end?.())

const recipes = new Map(readRecipes().map((one) => [one.id, one]))
function recipe(id: string): Recipe {
  const found = recipes.get(id)
  assert.ok(found, `grafana/traceql.yaml has no question ${id}`)
  return found
}

type Counts = Readonly<Record<string, number>>
const count = (keys: readonly string[], weigh: (index: number) => number = () => 1): Counts => {
  const counts: Record<string, number> = {}
  for (const [index, key] of keys.entries()) counts[key] = (counts[key] ?? 0) + weigh(index)
  return counts
}
const traces = (entries: readonly { trace: string }[]) => count(entries.map(({ trace }) => trace))
const ofSpans = (holds: (span: Span) => boolean) => count(spans.filter(holds).map(({ traceId }) => traceId))

const isTurn = ({ attributes }: Span) => attributes['gen_ai.operation.name'] === 'invoke_agent'
const isCall = ({ attributes }: Span) => attributes['gen_ai.operation.name'] === 'chat'
const childrenOf = (parent: Span) =>
  spans.filter(({ traceId, parentSpanId }) => traceId === parent.traceId && parentSpanId === parent.spanId)
const below = (parent: Span): readonly Span[] => childrenOf(parent).flatMap((child) => [child, ...below(child)])
const under = (parent: (span: Span) => boolean, holds: (span: Span) => boolean) =>
  count(
    spans
      .filter(parent)
      .flatMap((span) => below(span).filter(holds))
      .map(({ traceId }) => traceId),
  )

/** The middle of the widest gap in the upper tenth of the values, so that two measurements agree on which values are above it. */
function inGap(numbers: readonly number[]): number {
  const upper = [...numbers].sort((a, b) => a - b).slice(Math.floor(numbers.length * 0.9))
  const gaps = upper.slice(1).map((high, index) => ({ low: upper[index] ?? 0, high }))
  const widest = gaps.reduce((one, other) => (other.high - other.low > one.high - one.low ? other : one))
  return Math.round((widest.low + widest.high) / 2)
}

type Check = () => { query: string; expected: Counts }
const asIs = (id: string, expected: Counts) => ({ query: recipe(id).query, expected })

/** What each search must find: traces, and the number of their spans. From the ledger if it holds them. */
const searches: Readonly<Record<string, Check>> = {
  'slow-turns-of-one-agent': () => {
    const turns = of('turn').filter(({ agent }) => agent === 'fox')
    const ms = inGap(turns.map((turn) => turn.ms))
    const query = recipe('slow-turns-of-one-agent').query.replace(settingsOfBoards.slowCall, `${ms}ms`)
    return { query, expected: traces(turns.filter((turn) => turn.ms > ms)) }
  },
  'slow-calls': () => {
    const ms = inGap(of('call').map((call) => call.ms))
    const query = recipe('slow-calls').query.replace(settingsOfBoards.slowCall, `${ms}ms`)
    return { query, expected: traces(of('call').filter((call) => call.ms > ms)) }
  },
  'waited-in-the-queue': () => {
    const waited = (span: Span) => Number(span.attributes['gen_ai.latency.time_in_queue'] ?? 0)
    const isRequest = ({ name }: Span) => name === 'llm_request'
    const seconds = inGap(spans.filter(isRequest).map((span) => waited(span) * 1e6)) / 1e6
    const query = recipe('waited-in-the-queue').query.replace('0.1', String(seconds))
    return { query, expected: under(isCall, (span) => isRequest(span) && waited(span) > seconds) }
  },
  'retried-and-saved': () => {
    const children = spans
      .filter((span) => isCall(span) && !span.error)
      .flatMap((span) => childrenOf(span).filter(({ name, error }) => name === 'POST' && error))
    return asIs('retried-and-saved', count(children.map(({ traceId }) => traceId)))
  },
  'fallback-model': () =>
    asIs(
      'fallback-model',
      ofSpans(({ events }) => events.some(({ name }) => name === 'fallback_model')),
    ),
  'failed-calls': () => asIs('failed-calls', traces(of('call').filter(({ outcome }) => outcome !== 'ok'))),
  // Every turn that the simulator does not accept fails one of its evaluations.
  'failed-evaluations': () =>
    asIs('failed-evaluations', traces(of('turn').filter(({ outcome }) => outcome !== 'accepted'))),
  'two-agents-failed': () => {
    const failed = traces(of('turn').filter(({ outcome }) => outcome !== 'accepted'))
    return asIs('two-agents-failed', Object.fromEntries(Object.entries(failed).filter(([, turns]) => turns >= 2)))
  },
  'self-buys': () => asIs('self-buys', traces(of('turn').filter(({ outcome }) => outcome === 'self_buy'))),
  'self-buys-after-a-retry': () =>
    asIs(
      'self-buys-after-a-retry',
      traces(of('turn').filter(({ outcome, attempts }) => outcome === 'self_buy' && attempts === 2)),
    ),
  'repaired-replies': () =>
    asIs(
      'repaired-replies',
      ofSpans(({ attributes }) => attributes['woodland.parse.repaired'] === true),
    ),
  'tool-errors-of-one-agent': () =>
    asIs(
      'tool-errors-of-one-agent',
      under(
        (span) => isTurn(span) && span.attributes['gen_ai.agent.name'] === 'bear',
        ({ attributes, error }) =>
          attributes['gen_ai.operation.name'] === 'execute_tool' &&
          attributes['gen_ai.tool.name'] !== 'place_order' &&
          error,
      ),
    ),
  'calls-over-tokens': () => {
    const used = ({ inputTokens, outputTokens }: Extract<Entry, { kind: 'call' }>) => inputTokens + outputTokens
    const limit = inGap(of('call').map(used))
    const query = recipe('calls-over-tokens').query.replace('1000', String(limit))
    return { query, expected: traces(of('call').filter((call) => used(call) > limit)) }
  },
  'token-heavy-ticks': () => {
    const limit = inGap(of('tick').map(({ tokens }) => tokens))
    const query = recipe('token-heavy-ticks').query.replace(settingsOfBoards.tokenHeavy, String(limit))
    return { query, expected: traces(of('tick').filter(({ tokens }) => tokens >= limit)) }
  },
  'ticks-with-few-trades': () => {
    const limit = Math.min(...of('tick').map(({ trades }) => trades)) + 2
    const query = recipe('ticks-with-few-trades').query.replace('3', String(limit))
    return { query, expected: traces(of('tick').filter(({ trades }) => trades < limit)) }
  },
  'kept-by-policy': () => {
    const unread = of('turn').filter(({ attempts, outcome }) => attempts > 1 || outcome === 'parse_error')
    return asIs('kept-by-policy', traces([...new Set(unread.map(({ trace }) => trace))].map((trace) => ({ trace }))))
  },
  'one-run': () => ({ query: recipe('one-run').query.replace('RUN', run.id), expected: traces(of('tick')) }),
}

describe('a search finds what the ledger says, no more and no less', () => {
  for (const [id, check] of Object.entries(searches)) {
    test(recipe(id).question, async () => {
      const { query, expected } = check()
      assert.ok(Object.keys(expected).length > 0, `the run has nothing to find for ${id}`)
      assert.ok(id === 'one-run' || Object.keys(expected).length < TICKS, `every trace matches ${id}`)
      await eventually(async () => {
        const found = await tempoSearch(settings, query)
        const counts = found.map(({ traceID, spanSets = [] }) => [
          traceID.padStart(32, '0'),
          spanSets.reduce((sum, { matched }) => sum + matched, 0),
        ])
        assert.deepEqual(Object.fromEntries(counts.sort()), Object.fromEntries(Object.entries(expected).sort()), query)
      })
    })
  }
})

/** The sum over the run that each metrics query must give, by the labels of its series. */
const sums: Readonly<Record<string, () => Counts>> = {
  'failed-turns-by-kind': () => {
    const failed = of('turn').filter(({ outcome }) => outcome !== 'accepted')
    return count(failed.map(({ outcome }) => outcome))
  },
  'models-that-write-most': () => {
    const calls = of('call').filter(({ outcome }) => outcome === 'ok')
    return count(
      calls.map(({ agent, model }) => `${agent} ${model}`),
      (index) => calls[index]?.outputTokens ?? 0,
    )
  },
}

describe('a question in numbers adds up to what the ledger says', () => {
  for (const [id, expected] of Object.entries(sums)) {
    test(recipe(id).question, async () => {
      const series = await tempoMetrics(settings, recipe(id).query)
      const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0)
      const found = series.map(({ labels, values }) => [Object.values(labels).join(' '), total(values)] as const)
      const some = found.filter(([, value]) => value > 0)
      assert.ok(some.length > 1)
      assert.deepEqual(Object.fromEntries([...some].sort()), Object.fromEntries(Object.entries(expected()).sort()))
    })
  }

  test(recipe('p95-by-prompt').question, async () => {
    const series = await tempoMetrics(settings, recipe('p95-by-prompt').query)
    const versions = new Set(spans.filter(isCall).map(({ attributes }) => String(attributes['gen_ai.prompt.version'])))
    const asked = series.map(({ labels }) => labels['span.gen_ai.prompt.version'] ?? '')
    assert.ok(versions.size === 2)
    assert.deepEqual(new Set(asked), versions)
    const longest = Math.max(...of('call').map(({ ms }) => ms / 1000))
    for (const { values } of series) {
      const highest = Math.max(...values.filter(Number.isFinite))
      // Buckets are powers of two, so the answer may be up to twice the real value.
      assert.ok(highest > 0 && highest <= 2 * longest, `${highest} s of at most ${longest} s`)
    }
  })

  test(recipe('failed-against-fine').question, async () => {
    const series = await tempoMetrics(settings, recipe('failed-against-fine').query)
    const total = (meta: string, kind: string) =>
      series
        .filter(({ labels }) => labels.__meta_type === meta && labels['span.error.type'] === kind)
        .flatMap(({ values }) => values)
        .reduce((sum, value) => sum + value, 0)
    const refused = of('turn').filter(({ outcome }) => outcome === 'self_buy').length
    assert.ok(refused > 0)
    assert.equal(total('selection', 'self_buy'), refused)
    assert.equal(total('baseline', 'self_buy'), 0)
  })
})

describe('questions whose answer must be empty have an empty answer', () => {
  for (const { id, question, query } of [...recipes.values()].filter(({ empty }) => empty)) {
    test(question, async () => {
      assert.deepEqual(await tempoSearch(settings, query), [])
      assert.ok(
        (await tempoSearch(settings, couldFind[id] ?? '{ false }')).length > 0,
        'a like question finds something',
      )
    })
  }
})

/** The same queries, changed so that they must find something. Otherwise a typing error would look like an empty answer. */
const couldFind: Readonly<Record<string, string>> = {
  'pebbles-lost': '{ span.error.type = "self_buy" }',
  'calls-outside-a-turn': '{ span.gen_ai.operation.name = "chat" } !>> { span.gen_ai.operation.name = "invoke_agent" }',
  'unmasked-addresses':
    '{ span.gen_ai.input.messages =~ `.*[\\w.]+ [\\w-]+\\.[a-z]*.*` || span.gen_ai.output.messages =~ `.*".*`}',
}

test('every question has a test here', () => {
  const asked = [...Object.keys(searches), ...Object.keys(sums), 'p95-by-prompt', 'failed-against-fine']
  const empty = [...recipes.values()].filter((one) => one.empty).map(({ id }) => id)
  assert.deepEqual([...asked, ...empty].sort(), [...recipes.keys()].sort())
  assert.ok(recipes.size >= 15)
})
