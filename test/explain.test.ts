import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { readRecordings } from '../evidence/foreign/recordings.ts'
import { inTurn, outcomeOf } from '../evidence/foreign/replay.ts'
import { failedIn, type Party, sumOf } from '../explain/calls.ts'
import { explain, type Summary } from '../explain/summary.ts'
import { textReport } from '../explain/text.ts'
import { turnReport } from '../explain/turn.ts'
import { eachSpan } from '../otlp/json.ts'
import { type PlainSpan, plainSpans } from '../otlp/plain.ts'
import { REFUSALS } from '../sim/economy/market.ts'
import { lastTurnFrom, MOST_CHARACTERS } from '../sim/last-turn.ts'
import type { Entry } from '../sim/ledger.ts'
import { launcherFor } from '../stack/collectors.ts'
import { type AskedExplain, askExplain } from '../stack/commands/explain.ts'
import { eventually, ownSettings, play, quiet, type Run, startStack } from '../stack/own-stack.ts'
import { SHIPPED_POLICY, shippedAndTheRest } from '../stack/policy.ts'
import { tokenPriceOn } from '../stack/prices.ts'
import { tempoSearch, tempoTrace } from '../stack/queries.ts'
import { portVariables, ROOT, type Settings, url } from '../stack/settings.ts'
import { UserError } from '../workbench/user-error.ts'
import { main } from './collector.ts'
import { entriesOf, sumBy } from './runs.ts'

const TICKS = 40
/** The ledger and a span measure the same work at slightly different times. */
const WATCHES_DIFFER_MS = 25
/** The outcomes of turns in which a reply was read. */
const READ: readonly string[] = ['accepted', ...REFUSALS]
const price = tokenPriceOn(new Date())
const SECRET = 'maria.lopez@acme-corp.com'

let settings: Settings
let end: () => Promise<void>
let run: Run
/** What a busy machine does to a trace. */
const LATE: readonly string[] = ['clocks', 'ends late']
/** What explain says of each tick, by its trace. */
let told: ReadonlyMap<string, Summary>

const of = <K extends Entry['kind']>(kind: K) => entriesOf(run, kind)

before(async () => {
  settings = await ownSettings({ TIME_FACTOR: '20', VLLM_PRESET: 'chaos', BACKENDS: 'tempo' })
  end = await startStack(settings, shippedAndTheRest(settings), ['tempo', 'collector', 'mock-vllm'])
  const flags = ['--ticks', String(TICKS), '--seed', '11', '--tick-interval', '500ms']
  run = await play(settings, ...flags, '--fallback-model', FALLBACK, '--rumour', `write to ${SECRET}`)
  told = new Map(
    await Promise.all(
      of('tick').map(async ({ trace }) => {
        // An answer of Tempo is partial while it writes a block. A whole tick has a root, and no span without its parent.
        const spans = await eventually(async () => {
          const spans = await tempoTrace(settings, trace)
          // A busy machine may end the span of a server after that of a client that gave up.
          const broken = explain(spans, price).summary.defects.filter(({ kind }) => !LATE.includes(kind))
          assert.deepEqual(broken, [], trace)
          assert.ok(spans.some(({ parentSpanId }) => parentSpanId === ''))
          return spans
        })
        return [trace, explain(spans, price).summary] as const
      }),
    ),
  )
})

after(() => end?.())

const FALLBACK = 'Qwen/Qwen2.5-1.5B-Instruct'
type Counts = Readonly<Record<string, number>>
const counted = (keys: readonly string[]): Counts => sorted(sumBy(keys, (key) => key))
const sorted = (counts: Counts): Counts =>
  Object.fromEntries(
    Object.entries(counts)
      .filter(([, count]) => count > 0)
      .sort(),
  )

/** Compares what explain says of each tick with what the ledger says of it. The ledger must have something to compare. */
function same(what: string, ofLedger: (trace: string) => Counts, ofSummary: (summary: Summary) => Counts): void {
  let some = 0
  for (const [trace, summary] of told) {
    const expected = ofLedger(trace)
    some += Object.keys(expected).length
    assert.deepEqual(sorted(ofSummary(summary)), sorted(expected), `${what} of ${trace}`)
  }
  assert.ok(some > 5, `the run has ${some} of ${what}`)
}

const edges = (
  { graph }: Summary,
  kind: Party['kind'],
  count: (edge: Summary['graph'][number]) => number = (edge) => edge.count,
): Counts =>
  Object.fromEntries(
    graph.filter(({ to }) => to.kind === kind).map((edge) => [`${edge.from.name} → ${edge.to.name}`, count(edge)]),
  )

describe('what explain says equals the ledger', () => {
  test('every tick is explained, and none is broken', () => assert.equal(told.size, TICKS))

  test('calls of each agent and model, and how many failed', () => {
    const calls = (trace: string) => of('call').filter((call) => call.trace === trace)
    const key = ({ agent, model }: { agent: string; model: string }) => `${agent} → ${model}`
    same(
      'calls',
      (trace) => counted(calls(trace).map(key)),
      (summary) => edges(summary, 'model'),
    )
    same(
      'failed calls',
      (trace) =>
        counted(
          calls(trace)
            .filter(({ outcome }) => outcome !== 'ok')
            .map(key),
        ),
      (summary) => edges(summary, 'model', failedIn),
    )
    const turns = new Set(
      of('call').flatMap(({ trace, agent, model }) => (model === FALLBACK ? [`${trace} ${agent}`] : [])),
    )
    const went = [...told].flatMap(([trace, { fallbacks }]) => fallbacks.map(({ agent }) => `${trace} ${agent}`))
    assert.ok(turns.size > 0)
    assert.deepEqual(went.sort(), [...turns].sort(), 'fallbacks')
  })

  test('tools of each agent', () => {
    same(
      'tools',
      (trace) =>
        sorted(
          Object.fromEntries(
            of('turn')
              .filter((turn) => turn.trace === trace)
              .map(({ agent, toolCalls }) => [agent, toolCalls]),
          ),
        ),
      ({ graph }) => {
        const asked = graph.filter(({ to }) => to.kind === 'tool' && to.name !== 'place_order')
        const counts: Record<string, number> = {}
        for (const { from, count } of asked) counts[from.name] = (counts[from.name] ?? 0) + count
        return counts
      },
    )
  })

  test('tokens and cost of each agent: the cost is the price of the tokens', () => {
    const spent = new Map<string, number>()
    same(
      'tokens',
      (trace) => {
        const counts: Record<string, number> = {}
        for (const { agent, model, inputTokens, outputTokens } of of('call').filter((call) => call.trace === trace)) {
          const key = `${agent} ${model}`
          counts[`${key} input`] = (counts[`${key} input`] ?? 0) + inputTokens
          counts[`${key} output`] = (counts[`${key} output`] ?? 0) + outputTokens
          const usd =
            inputTokens * (price(model, undefined, 'input') ?? Number.NaN) +
            outputTokens * (price(model, undefined, 'output') ?? Number.NaN)
          spent.set(`${trace} ${key}`, (spent.get(`${trace} ${key}`) ?? 0) + usd)
        }
        return counts
      },
      ({ usage }) =>
        Object.fromEntries(
          usage.flatMap(({ agent, model, input, output }) => [
            [`${agent} ${model} input`, input],
            [`${agent} ${model} output`, output],
          ]),
        ),
    )
    assert.ok(spent.size > TICKS)
    for (const [trace, { usage }] of told)
      for (const { agent, model, usd } of usage) {
        const expected = spent.get(`${trace} ${agent} ${model}`) ?? Number.NaN
        assert.ok(usd !== undefined && Math.abs(usd - expected) < 1e-12, `${trace} ${agent}: ${usd} is not ${expected}`)
      }
    for (const { trace, tokens } of of('tick')) {
      const { input, output } = sumOf(told.get(trace)?.usage ?? [])
      assert.equal(input + output, tokens)
    }
  })

  test('how each turn ended, and why it failed', () => {
    const failed = (trace: string) => of('turn').filter((turn) => turn.trace === trace && turn.outcome !== 'accepted')
    const key = ({ agent, outcome }: { agent: string; outcome: string }) => `${agent} ${outcome}`
    same(
      'failed turns',
      (trace) => counted(failed(trace).map(key)),
      ({ turns }) =>
        counted(turns.flatMap(({ agent, failed }) => Object.keys(failed).map((outcome) => key({ agent, outcome })))),
    )
    for (const [trace, { failures }] of told) {
      const why = new Set(
        failures.filter(({ fatal }) => fatal).map(({ agent = '', error }) => key({ agent, outcome: error })),
      )
      for (const turn of failed(trace))
        if (turn.outcome !== 'timeout') assert.ok(why.has(key(turn)), `${trace}: ${key(turn)} of ${[...why]}`)
    }
  })

  test('the time of the tick and of each turn', () => {
    const turns = of('turn')
    assert.equal(turns.length, 5 * TICKS)
    // A turn in the ledger is inside of its span, and the span of a tick is inside of the tick of the ledger, both to a rounded millisecond.
    const later = turns.map(({ trace, agent, ms }) => {
      const its = told.get(trace)?.time.agents.find((one) => one.agent === agent)
      assert.ok(its && its.ms >= ms - 1, `${trace} ${agent}: ${its?.ms} and ${ms} ms`)
      return its.ms - ms
    })
    for (const { trace, ms } of of('tick')) assert.ok((told.get(trace)?.ms ?? Number.NaN) <= ms + 1, trace)
    // On a busy machine single turns differ by more.
    const median = later.sort((one, other) => one - other)[later.length / 2] ?? Number.NaN
    assert.ok(median <= WATCHES_DIFFER_MS, `${median} ms`)
  })

  test('the critical path fills the whole tick, and no agent has more time than its tick', () => {
    const seen = new Set<string>()
    for (const [trace, { time, ms }] of told) {
      const parts = Object.values(time.parts).reduce((sum, part) => sum + part, 0)
      assert.ok(Math.abs(parts - ms) < 0.001, `${trace}: ${parts} of ${ms} ms`)
      for (const part of Object.keys(time.parts)) seen.add(part)
      for (const agent of time.agents)
        assert.ok(agent.ms <= ms && agent.modelMs <= agent.ms && agent.criticalMs <= agent.ms + 0.001)
      assert.ok(time.atOnce > 1, 'agents decide at the same time')
    }
    for (const part of ['queue', 'prefill', 'decode', 'model', 'retry', 'own'])
      assert.ok(seen.has(part), `${part} of ${[...seen]}`)
  })

  test('second attempts, retries and evaluations', () => {
    same(
      'repeats',
      (trace) =>
        counted(
          of('turn')
            .filter((turn) => turn.trace === trace && turn.attempts > 1)
            .map(({ agent }) => agent),
        ),
      ({ repeats }) => counted([...new Set(repeats)]),
    )
    const again = [...told.values()].flatMap(({ retries }) => retries)
    assert.ok(again.length > 5)
    for (const { after, tries } of again) assert.equal(after.length, tries - 1, 'each try but the last has failed')
    for (const [trace, { evaluations, turns }] of told) {
      // A reply that was read is accepted, or an order of it is refused. On a busy machine a call may also run out of time.
      const unread = of('turn').filter((turn) => turn.trace === trace && !READ.includes(turn.outcome))
      const failed = evaluations.filter(({ name, passed }) => name === 'readable' && passed === false)
      assert.deepEqual(failed.map(({ agent }) => agent).sort(), unread.map(({ agent }) => agent).sort())
      assert.ok(evaluations.length >= turns.length - 1)
    }
  })

  test('why it was kept, and that something was masked', () => {
    const selfBuys = new Set(
      of('turn')
        .filter(({ outcome }) => outcome === 'self_buy')
        .map(({ trace }) => trace),
    )
    assert.ok(selfBuys.size > 0)
    for (const [trace, { policies, masked }] of told) {
      assert.equal(policies.length, 1)
      if (selfBuys.has(trace)) assert.match(policies[0] ?? '', /^keep-(?:self-buys|parse-errors)$/)
      assert.ok(masked.values > 0 && masked.keys['gen_ai.input.messages'], `${trace}: ${JSON.stringify(masked)}`)
    }
  })

  test('the text is at most twenty lines, and has no secret', () => {
    for (const summary of told.values()) {
      const text = textReport(summary)
      assert.ok(text.split('\n').length <= 20)
      assert.ok(!text.includes(SECRET))
    }
  })
})

const NOTHING: AskedExplain = {
  trace: undefined,
  last: undefined,
  agent: undefined,
  service: undefined,
  file: undefined,
  format: 'text',
}
const ask = (asked: Partial<AskedExplain>) => askExplain(settings, { ...NOTHING, ...asked })
/** As a person types it. */
const typed = (...flags: readonly string[]) =>
  main({ BACKENDS: 'tempo', ...portVariables(settings) }, 'explain', ...flags)

describe('the command', () => {
  test('LAST=failed finds the newest tick in which this agent failed, and says why in the words of the ledger', async () => {
    const failed = of('turn').filter(({ agent, outcome }) => agent === 'fox' && outcome !== 'accepted')
    const newest = failed.at(-1)
    assert.ok(newest && failed.length > 1)
    const said = await eventually(async () => {
      const text = await ask({ last: 'failed', agent: 'fox' })
      assert.ok(text.startsWith(`${newest.trace}: woodland_tick, `), `${text.split('\n')[0]} is not ${newest.trace}`)
      return text
    })
    assert.match(said, new RegExp(`^(?:failed)? +fox: ${newest.outcome}`, 'm'))
    const { stdout, stderr, exitCode } = await typed('--last', 'failed', '--agent', 'fox')
    assert.deepEqual([stdout, stderr, exitCode], [said, '', 0])
  })

  test('what happened in a trace that this one links to is said too, or that it was not kept', async () => {
    const [first, second] = of('tick')
    assert.ok(first && second)
    const its = told.get(first.trace)
    const failed = its?.turns.filter((turn) => Object.keys(turn.failed).length > 0).length
    const outcome = failed ? `${failed} of ${its?.turns.length} agents failed` : '.+'
    const linked = new RegExp(
      `^linked +invoke_workflow woodland_tick → ${first.trace}: woodland_tick, ${outcome}$`,
      'm',
    )
    assert.match(await ask({ trace: second.trace }), linked)
    const { stdout } = await typed('--trace', second.trace, '--format', 'json')
    assert.equal((JSON.parse(stdout) as Summary).linked.length, 1)
  })

  test('LAST=costly finds the newest tick with as many tokens as the policy wants', async () => {
    const heavy = of('tick').filter(({ tokens }) => tokens >= 6000)
    assert.ok(heavy.length > 0)
    const text = await ask({ last: 'costly', service: 'thousand-token-wood' })
    assert.ok(text.startsWith(`${heavy.at(-1)?.trace}: `), text)
  })

  test('every format, and the page has a file', async () => {
    const trace = of('tick')[0]?.trace ?? ''
    const json = JSON.parse(await ask({ trace: trace.toUpperCase(), format: 'json' })) as Summary
    assert.deepEqual(json, JSON.parse(JSON.stringify(told.get(trace))))
    assert.match(await ask({ trace, format: 'mermaid' }), /^flowchart LR\n/)
    const path = await ask({ trace, format: 'html' })
    assert.match(readFileSync(resolve(process.cwd(), path), 'utf8'), /^<!doctype html>[\s\S]*<\/html>\n$/)
  })

  test('a file that has what Tempo answered, or OTLP JSON, is explained like the trace', async () => {
    const trace = of('tick')[0]?.trace ?? ''
    const file = resolve(settings.state, 'answer.json')
    const answer = await fetch(url(settings, 'TEMPO_PORT', `/api/v2/traces/${trace}`))
    writeFileSync(file, await answer.text())
    assert.equal(await ask({ file }), await ask({ trace }))
    const recording = resolve(ROOT, 'workbench/recordings/seed-7-ticks-40-chaos.jsonl.gz')
    const refusal = await ask({ file: recording }).catch((error: Error) => error.message)
    assert.match(refusal, / has \d+ traces: say which with TRACE=…, for example [0-9a-f]{32}, /)
    const [, some = ''] = /for example ([0-9a-f]{32})/.exec(refusal) ?? []
    assert.match(await ask({ file: recording, trace: some.slice(0, 8) }), new RegExp(`^${some}: woodland_tick, `))
  })

  const mistakes: Readonly<Record<string, { asked: Partial<AskedExplain>; says: RegExp }>> = {
    nothing: { asked: {}, says: /^No trace is named\. Type make explain TRACE=… / },
    'only an agent': { asked: { agent: 'fox' }, says: /^AGENT=fox alone names no trace\. Type make explain / },
    'a bad id': { asked: { trace: 'fox' }, says: /^TRACE=fox is no trace id: that is 32 digits from 0 to f/ },
    'an unknown trace': {
      asked: { trace: 'f'.repeat(32) },
      says: /^Tempo has no trace f{32}\. One of these is so:\n {2}- the policies did not keep it\..*\n {2}- it is not judged yet.*\n {2}- it is older than 48 hours[\s\S]*make explain LAST=failed$/,
    },
    'a short id': { asked: { trace: 'abc' }, says: /^Tempo has no trace abc \(an id has 32 digits/ },
    'an agent that does not exist': {
      asked: { last: 'failed', agent: 'wolf' },
      says: /^No kept trace of the last 48 hours matches LAST=failed AGENT=wolf\. Leave out AGENT/,
    },
    'an agent with quotes in its name': {
      asked: { last: 'slow', agent: 'a"b' },
      says: / matches LAST=slow AGENT=a"b\. /,
    },
    'LAST beside FILE': {
      asked: { last: 'failed', file: 'x' },
      says: /^LAST=failed searches Tempo, so it does not go with FILE/,
    },
    'no such file': {
      asked: { file: 'no-such' },
      says: /^FILE=no-such cannot be read: there is no such file\. A file has OTLP JSON/,
    },
    'a file with something else': {
      asked: { file: resolve(ROOT, 'package.json') },
      says: /package\.json is no OTLP request of traces\. /,
    },
  }
  for (const [name, { asked, says }] of Object.entries(mistakes))
    test(`${name}: says what is wrong and what to type`, async () => {
      await assert.rejects(ask(asked), (error) => {
        assert.ok(error instanceof UserError, String(error))
        assert.match(error.message, says)
        return true
      })
    })

  test('a mistake ends with code 1 and without a stack trace', async () => {
    const { stderr, stdout, exitCode } = await typed('--trace', 'fox')
    assert.deepEqual([exitCode, stdout], [1, ''])
    assert.match(stderr, /^TRACE=fox is no trace id: [^\n]*$/)
  })

  test('a Tempo that does not answer, and a stack without one', async () => {
    const asked = { ...NOTHING, trace: 'a'.repeat(32) }
    const elsewhere = { ...settings, ports: { ...settings.ports, TEMPO_PORT: 9 } }
    await assert.rejects(
      askExplain(elsewhere, asked),
      /^Error: Tempo does not answer at http:\/\/127\.0\.0\.1:9\. To see whether it runs: make status\./,
    )
    const without = { ...settings, env: { ...settings.env, BACKENDS: 'phoenix' } }
    await assert.rejects(askExplain(without, asked), /^Error: BACKENDS has no tempo/)
  })
})

describe('an agent that asks for its own last turn', () => {
  const tempo = () => url(settings, 'TEMPO_PORT', '')

  test('is told what explain says of its newest turn in the run, within the bound', async () => {
    const last = of('turn')
      .filter(({ agent }) => agent === 'fox')
      .at(-1)
    assert.ok(last)
    const spans = await tempoTrace(settings, last.trace)
    const told = await lastTurnFrom(tempo(), run.id)('fox')
    assert.equal(told, turnReport(spans, 'fox', MOST_CHARACTERS))
    assert.ok(told.startsWith('Your turn ') && told.length <= MOST_CHARACTERS, told)
    const failed = last.outcome !== 'accepted'
    assert.equal(told.startsWith('Your turn failed'), failed, `${last.outcome}: ${told}`)
  })

  test('is told so when none of its turns was kept, and its span has the answer', async () => {
    const NONE = 'None of your turns was kept yet.'
    assert.equal(await lastTurnFrom(tempo(), 'run-of-nobody')('fox'), NONE)
    const flags = ['--ticks', '12', '--seed', '11', '--tick-interval', '500ms', '--time-factor', '4']
    const more = await play(settings, ...flags, '--recall-tempo', tempo())
    assert.match(more.said, /orders were refused: with-recall in \d+ of \d+ turns .*without-recall/)
    await eventually(async () => {
      const asked = `{ span.gen_ai.tool.name = "recall_last_turn" && span.gen_ai.tool.call.result =~ ".*(?:Your turn|${NONE}).*" }`
      const found = await tempoSearch(settings, asked)
      assert.ok(found.length > 0, 'a turn has recalled')
    })
  })
})

describe('traces of other SDKs, after the Collector', () => {
  const recordings = readRecordings()
  let kept: ReadonlyMap<string, readonly PlainSpan[]>

  before(async () => {
    const launcher = await launcherFor(settings, quiet, 'native')
    const bodies = recordings.flatMap(({ runs }) => runs.map(({ body }) => body))
    const { exported } = await outcomeOf(launcher, inTurn(bodies), resolve(ROOT, SHIPPED_POLICY))
    kept = Map.groupBy(
      exported.flatMap((request) => plainSpans(request)),
      ({ traceId }) => traceId,
    )
  })

  for (const { expected, runs } of recordings) {
    test(expected.sdk, () => {
      const its = runs.flatMap((one) => {
        const spans = kept.get(one.trace)
        return spans ? [{ ...one, summary: explain(spans, price).summary }] : []
      })
      assert.ok(its.length > 0, 'some runs are kept')
      for (const { summary, body } of its) {
        assert.ok(textReport(summary).split('\n').length <= 20)
        const hasRoot = [...eachSpan(body)].some(({ span }) => !span.parentSpanId)
        // In some SDKs a part ends after the whole. That is said, and the trace is whole.
        const isBroken = summary.defects.some(({ kind }) => kind !== 'ends late')
        assert.equal(isBroken, !hasRoot, summary.trace)
        assert.equal(summary.policies.length, 1)
        const agents = [expected.agent, expected.agentsAbove ?? []].flat()
        // The name of a service stands for an agent that no span names.
        if (!agents.includes('service'))
          assert.ok(
            summary.turns.every(({ agent }) => agents.includes(agent)),
            summary.turns.map(({ agent }) => agent).join(),
          )
        assert.ok(summary.turns.length > 0)
        const models = summary.graph.filter(({ to }) => to.kind === 'model').map(({ to }) => to.name)
        // A call that failed may be one without a model.
        const unnamed = expected.notSent['model of failed calls'] ? ['a model without a name'] : []
        if (expected.model)
          assert.ok(
            models.every((name) => [expected.model, ...unnamed].includes(name)),
            models.join(),
          )
        // The catalogue has no price for a server of one's own: "local", or an address.
        const isOwn = expected.provider === 'local' || expected.provider?.startsWith('127.0.0.1')
        if (!isOwn) assert.ok(summary.usage.every(({ usd }) => usd !== undefined))
      }
      const failed = its.filter((one) => one.class === 'fail500' && expected.notSent.fail500 === undefined)
      for (const { summary } of failed) {
        assert.ok(
          summary.failures.some(({ fatal }) => fatal),
          `${summary.trace} says why it failed`,
        )
        assert.match(textReport(summary), / failed$|, failed$/m)
      }
    })
  }
})
