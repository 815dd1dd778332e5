import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { before, describe, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { execa } from 'execa'
import { parse } from 'yaml'
import { type Labelled, MUST_KEEP, makeTraffic, PROFILES } from '../evidence/traffic.ts'
import { type Span, spansOf, toAttributes, traceRequest } from '../otlp/json.ts'
import { type Entry, readLedger } from '../sim/ledger.ts'
import { launcherFor } from '../stack/collectors.ts'
import { makeRecording } from '../stack/commands/record.ts'
import { askWorkbench } from '../stack/commands/tune.ts'
import { ownFolder } from '../stack/own-folder.ts'
import { ownSettings, quiet, WAITING_AT_ONCE } from '../stack/own-stack.ts'
import { SHIPPED_POLICY } from '../stack/policy.ts'
import { ROOT, type Settings } from '../stack/settings.ts'
import { CLASSES, COMMITTED_RECORDING, classesOf } from '../stack/workbench.ts'
import { classified, classLists, type Study, study } from '../workbench/classes.ts'
import type { Launcher } from '../workbench/collector.ts'
import { ledgerBeside, readRecording, timeFactorOf } from '../workbench/recording.ts'
import {
  AFTER_ROOT,
  DECISION_WAIT,
  type Decisions,
  recordedMs,
  replay,
  replayEach,
  type Traffic,
} from '../workbench/replay.ts'
import { singlePolicies } from '../workbench/single-policies.ts'
import { UserError } from '../workbench/user-error.ts'
import { main } from './collector.ts'

const RECORDING = resolve(ROOT, COMMITTED_RECORDING)
const shipped = (name: string) => resolve(ROOT, 'collector/policies', `${name}.yaml`)
const lines = gunzipSync(readFileSync(RECORDING)).toString().trimEnd().split('\n')
/** The recording has no tick of 6000 tokens, so the threshold of heavy is lower here. */
const ENV = { TOKEN_HEAVY: '5000', SLOW_CALL: '200ms', SLOW_RUN: '800ms', HEAVY_CALL: '600' }
const FAST = 20

const folder = ownFolder()
let settings: Settings
let launcher: Launcher
let found: Study
let kept: Decisions

const traffic = (recording = RECORDING, speed = FAST): Traffic => ({
  requests: () => readRecording(recording),
  speed,
  slowCall: ENV.SLOW_CALL,
})
const judge = (policyFile: string, ...of: Parameters<typeof traffic>) => replay(launcher, traffic(...of), policyFile)

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

const idsAndPolicies = (decisions: Decisions) =>
  [...decisions].map(([id, { policy, spans }]) => `${id} ${policy} ${spans}`).sort()

before(async () => {
  mkdirSync(join(folder, 'tmp'))
  process.env.TMPDIR = join(folder, 'tmp')
  settings = await ownSettings(ENV)
  launcher = await launcherFor(settings, quiet, 'native')
  const classes = await classesOf(launcher, CLASSES, ENV)
  const votes = await replayEach(launcher, traffic(), classLists(classes))
  found = classified(await study(readRecording(RECORDING), () => () => 0), classes, votes)
  kept = await judge(shipped('woodland'))
})

test('the classes agree with the ledger of the run', () => {
  const entries = readLedger(ledgerBeside(RECORDING))
  const expected = {
    'self-buy': (entry: Entry) => entry.kind === 'turn' && entry.outcome === 'self_buy',
    'failed-call': (entry: Entry) => entry.kind === 'call' && entry.outcome !== 'ok',
    'token-heavy': (entry: Entry) => entry.kind === 'tick' && entry.tokens >= Number(ENV.TOKEN_HEAVY),
  }
  for (const [name, holds] of Object.entries(expected)) {
    const told = new Set(entries.filter(holds).flatMap((entry) => ('trace' in entry ? [entry.trace] : [])))
    const seen = [...found.traces.values()].filter(({ classes }) => classes.includes(name)).map(({ id }) => id)
    assert.ok(told.size > 0, `the recording has no ${name}`)
    assert.deepEqual(seen.sort(), [...told].sort(), name)
  }
})

test('waits are those of the shipped configuration', () => assert.deepEqual([DECISION_WAIT, AFTER_ROOT], [615, 6]))

describe('the shipped classes', WAITING_AT_ONCE, () => {
  const START = 1795223772818000000n
  type Made = Readonly<{ attributes?: Record<string, string | number>; more?: object }>
  const CHAT = { 'gen_ai.operation.name': 'chat' }
  const lasting = (nanos: bigint) => ({ endTimeUnixNano: String(START + nanos) })
  const cases: readonly (readonly [name: string, made: readonly Made[], classes: string])[] = [
    ['a parse error', [{ attributes: { 'error.type': 'parse_error' } }], 'parse-error'],
    ['a self-buy', [{ attributes: { 'error.type': 'self_buy' } }], 'self-buy'],
    ['a refused order', [{ attributes: { 'error.type': 'bad_quantity' }, more: { status: { code: 2 } } }], 'routine'],
    ['a failed model call', [{ attributes: CHAT, more: { status: { code: 2 } } }], 'failed-call'],
    ['a status in words', [{ attributes: CHAT, more: { status: { code: 'STATUS_CODE_ERROR' } } }], 'failed-call'],
    ['a call that went well beside an error', [{ attributes: CHAT }, { more: { status: { code: 2 } } }], 'routine'],
    ['a call of exactly the threshold', [{ attributes: CHAT, more: lasting(200_000_000n) }], 'routine'],
    ['a nanosecond more', [{ attributes: CHAT, more: lasting(200_000_001n) }], 'slow-call'],
    ['another slow span', [{ more: lasting(200_000_001n) }], 'routine'],
    ['a call beside a slow span', [{ attributes: CHAT }, { more: lasting(200_000_001n) }], 'routine'],
    ['5000 tokens', [{ attributes: { 'woodland.tokens': 5000 } }], 'token-heavy'],
    ['4999 tokens', [{ attributes: { 'woodland.tokens': 4999 } }], 'routine'],
    ['a number in words', [{ attributes: { 'woodland.tokens': '5000' } }], 'routine'],
    [
      'two things',
      [{ attributes: { ...CHAT, 'error.type': 'self_buy' }, more: { status: { code: 2 } } }],
      'self-buy failed-call',
    ],
  ]
  const idOf = (index: number) => (index + 1).toString(16).padStart(32, '0')
  const line = (made: readonly Made[], trace: number) =>
    JSON.stringify({
      resourceSpans: [
        {
          scopeSpans: [
            {
              spans: made.map(({ attributes = {}, more }, index) => ({
                traceId: idOf(trace),
                spanId: (trace * 9 + index + 1).toString(16).padStart(16, '0'),
                name: 'a span',
                startTimeUnixNano: String(START),
                endTimeUnixNano: String(START),
                attributes: Object.entries(attributes).map(([key, value]) => ({
                  key,
                  value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value },
                })),
                ...more,
              })),
            },
          ],
        },
      ],
    })
  let traces: Study['traces']
  before(async () => {
    const recording = file('classes.jsonl', cases.map(([, made], trace) => `${line(made, trace)}\n`).join(''))
    const classes = await classesOf(launcher, CLASSES, ENV)
    const votes = await replayEach(launcher, traffic(recording), classLists(classes))
    traces = classified(await study(readRecording(recording), () => () => 0), classes, votes).traces
  })
  for (const [index, [name, , classes]] of cases.entries())
    test(`${name}: ${classes}`, () => assert.equal(traces.get(idOf(index))?.classes.join(' '), classes))

  test('each trace that recall makes is of the class that its label says', async () => {
    const labels: Labelled[] = []
    const size = { seed: 5, mustKeep: 5 * MUST_KEEP.length * PROFILES.length, perSecond: 1000, speed: 10 }
    const spans = new Map<string, Span[]>()
    for await (const { body } of makeTraffic(size, (trace) => void labels.push(trace)))
      for (const span of spansOf(JSON.parse(body.toString())))
        spans.set(span.traceId, [...(spans.get(span.traceId) ?? []), span])
    // One request for each trace, because this test is not about how spans arrive.
    const bodies = [...spans.values()].map(
      (of) => `${JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: of }] }] })}\n`,
    )
    const recording = file('labelled.jsonl', bodies.join(''))
    const classes = await classesOf(launcher, CLASSES, {})
    const votes = await replayEach(launcher, { ...traffic(recording), speed: 1e6 }, classLists(classes))
    const { traces } = classified(await study(readRecording(recording), () => () => 0), classes, votes)
    assert.equal(traces.size, labels.length)
    for (const { id, kind, profile, spans } of labels) {
      const trace = traces.get(id)
      // A failed call, or a reply that cannot be read, fails the turn and the tool around it, too.
      const failsToo = kind === 'failed-call' || kind === 'parse-error'
      const named = trace?.classes.filter((name) => !(failsToo && name === 'failed-agent-or-tool'))
      assert.deepEqual([named, trace?.spans], [[kind], spans], `${id} ${kind}, ${profile}`)
    }
  })

  test('of the user may be any list, and one with a defect is refused', async () => {
    const mine = file('mine.yaml', '- name: any-error\n  type: status_code\n  status_code: { status_codes: [ERROR] }\n')
    const asked = { a: SHIPPED_POLICY, b: undefined, recording: RECORDING, format: 'json', speed: '20' } as const
    const { a } = JSON.parse((await askWorkbench(settings, { ...asked, classes: mine }, quiet)).text)
    const rows: { class: string; sent: number }[] = a.table.classes
    assert.deepEqual(
      rows.map((row) => row.class),
      ['any-error', 'routine'],
    )
    const failed = [...found.traces.values()].filter(({ classes }) => classes.includes('failed-call')).length
    assert.ok((rows[0]?.sent ?? 0) > failed, 'errors of every kind')
    const broken = file(
      'broken.yaml',
      '- name: odd\n  type: ottl_condition\n  ottl_condition: { error_mode: ignore, span: [is odd] }\n',
    )
    await assert.rejects(
      askWorkbench(settings, { ...asked, classes: broken }, quiet),
      /broken\.yaml:\d: the collector refuses it/,
    )
  })
})

/** The recording is older than the dialect that tells which runs failed an evaluation. */
const NOT_RECORDED = { class: 'failed-evaluation', policy: 'keep-failed-evaluations' }

describe('the shipped policy', WAITING_AT_ONCE, () => {
  test('keeps every must-keep trace of the recording, whole', () => {
    for (const name of MUST_KEEP.filter((each) => each !== NOT_RECORDED.class)) {
      const members = [...found.traces.values()].filter(({ classes }) => classes.includes(name))
      assert.ok(members.length > 0, `the recording has no ${name}`)
      for (const { id, spans } of members) assert.equal(kept.get(id)?.spans, spans, `${name} ${id}`)
    }
  })

  test('drops most of the routine', () => {
    const routine = [...found.traces.values()].filter(({ classes }) => classes.includes('routine'))
    assert.ok(routine.filter(({ id }) => kept.has(id)).length < routine.length / 2)
  })

  test('decides the same each time', async () => {
    assert.deepEqual(idsAndPolicies(await judge(shipped('woodland'))), idsAndPolicies(kept))
  })

  test('records on a trace the first policy in the file that votes for it alone', async () => {
    const lists = singlePolicies(readFileSync(shipped('woodland'), 'utf8'))
    const alone = [...(await replayEach(launcher, traffic(), lists))]
    assert.ok(alone.length >= 6)
    assert.equal(alone.length, (parse(readFileSync(shipped('woodland'), 'utf8')) as readonly unknown[]).length)
    for (const [name, decisions] of alone)
      assert.ok(decisions.size > 0 === (name !== NOT_RECORDED.policy) && decisions.size < kept.size, name)
    const first = [...found.traces.keys()].flatMap((id) => {
      const voter = alone.find(([, decisions]) => decisions.has(id))
      return voter ? [`${id} ${voter[0]}`] : []
    })
    assert.deepEqual([...kept].map(([id, { policy }]) => `${id} ${policy}`).sort(), first.sort())
  })
})

describe('a replay', WAITING_AT_ONCE, () => {
  test('keep-everything keeps everything', async () => {
    const all = await judge(shipped('keep-everything'))
    assert.equal(all.size, found.traces.size)
    for (const [id, { spans }] of found.traces) assert.equal(all.get(id)?.spans, spans)
  })

  test('a replay at the recorded speed and a faster one decide the same', async () => {
    const short = file('short.jsonl', `${lines.slice(0, 9).join('\n')}\n`)
    const paced = await judge(shipped('woodland'), short, 1)
    const compressed = await judge(shipped('woodland'), short)
    assert.ok(paced.size > 0)
    assert.deepEqual(idsAndPolicies(compressed), idsAndPolicies(paced))
  })

  test('tune names the must-keep traces that another policy would lose, and ends with exit code 1', async () => {
    const b = 'collector/policies/keep-errors-only.yaml'
    const flags = ['--b', b, '--format', 'json', '--speed', String(FAST)]
    const { exitCode, stdout } = await main({ ...settings.env, ...ENV }, 'tune', ...flags)
    assert.equal(exitCode, 1)
    const { diff, a } = JSON.parse(stdout)
    assert.ok(diff.mustKeepLost > 0)
    const lost = diff.dropped.filter(({ mustKeep }: { mustKeep: boolean }) => mustKeep)
    assert.equal(lost.length, diff.mustKeepLost)
    assert.deepEqual(diff.dropped.slice(0, lost.length), lost, 'must-keep traces come first')
    for (const { classes } of lost) assert.ok(!classes.includes('parse-error') && !classes.includes('failed-call'))
    const slowOnly = [...found.traces.values()].filter(({ classes }) => classes.join() === 'slow-call')
    const names = new Set(lost.map(({ trace }: { trace: string }) => trace))
    assert.ok(slowOnly.some(({ id }) => names.has(id)))
    for (const row of a.table.classes)
      if (row.class !== 'routine' && row.class !== NOT_RECORDED.class) assert.equal(row.recall, 1, row.class)
  })
})

describe('a recording made elsewhere', WAITING_AT_ONCE, () => {
  const span = (digit: string, more: object): Span => ({
    traceId: digit.repeat(32),
    spanId: digit.repeat(16),
    name: 'chat',
    startTimeUnixNano: '1795223772000000000',
    endTimeUnixNano: '1795223772500000000',
    attributes: toAttributes({ 'gen_ai.operation.name': 'chat' }),
    ...more,
  })
  const request = (...spans: readonly Span[]) => JSON.stringify(traceRequest(spans))

  test('needs no arrival times, and no root spans', async () => {
    const rootless = { parentSpanId: 'f'.repeat(16), status: { code: 2 } }
    const foreign = file('foreign.jsonl', `${request(span('1', rootless))}\n${request(span('2', {}))}\n`)
    const { fromMs, toMs } = await study(readRecording(foreign), () => () => 0)
    assert.deepEqual([fromMs, toMs], [1795223772500, 1795223772500])
    const decided = await judge(shipped('keep-errors-only'), foreign)
    assert.deepEqual([...decided.keys()], ['1'.repeat(32)])
  })

  test('may have requests without a span, whose time is ignored', async () => {
    const empty = file('empty-first.jsonl', `{"resourceSpans":[]}\n${request(span('3', { status: { code: 2 } }))}\n`)
    assert.equal(await recordedMs(launcher, readRecording(empty)), 0)
    assert.deepEqual([...(await judge(shipped('keep-errors-only'), empty)).keys()], ['3'.repeat(32)])
  })

  test('with more traces at once than the sampler holds is refused; it gets no wrong result', async () => {
    const id = (trace: number) => trace.toString(16).padStart(32, '0')
    const rootless = (trace: number) => span('f', { traceId: id(trace), parentSpanId: 'f'.repeat(16) })
    const burst = Array.from({ length: 12 }, (_, part) =>
      request(...Array.from({ length: 5000 }, (_, index) => rootless(part * 5000 + index + 1))),
    )
    const recording = file('burst.jsonl', `${burst.join('\n')}\n`)
    await assert.rejects(judge(shipped('keep-errors-only'), recording), /\d+ traces were pushed out .*more slowly/)
  })

  test('does not pass our arrival time on', async () => {
    for await (const { body } of readRecording(RECORDING)) assert.ok(!body.includes('recording.arrival'))
    assert.ok(lines.every((line) => line.includes('recording.arrival')))
  })
})

describe('our arrival time', () => {
  const stamp = '{"key":"recording.arrival","value":{"intValue":"1795223772500000000"}}'
  const other = '{"key":"a","value":{"stringValue":"“\u2028” \\"recording.arrival\\""}}'
  const line = (attributes: string) => `{"resourceSpans":[{"resource":{"attributes":[${attributes}]}}]}`
  const places = {
    first: [`${stamp},${other}`, other],
    last: [`${other},${stamp}`, other],
    'in the middle': [`${other},${stamp},${other}`, `${other},${other}`],
    alone: [stamp, ''],
    'written by another program': [`${stamp.replaceAll(':', ': ')},${other}`, other],
  } as const
  for (const [settings, [recorded, sent]] of Object.entries(places)) {
    test(`${settings} is taken out, and tells the time`, async () => {
      const recording = file('stamped.jsonl', `${line(recorded)}\r\n\n${line(recorded)}\n`)
      let requests = 0
      for await (const { atMs, body } of readRecording(recording)) {
        requests++
        assert.equal(atMs, 1795223772500)
        assert.deepEqual(JSON.parse(body.toString()), JSON.parse(line(sent)))
      }
      assert.equal(requests, 2)
    })
  }

  test('does not hide a line that is cut off behind it', async () => {
    const recording = file('half.jsonl', `${lines[0]}\n${lines[1]?.slice(0, 5000)}\n`)
    await assert.rejects(judge(shipped('woodland'), recording), /half\.jsonl:2: the line is cut off/)
  })
})

describe('a file that is not a recording is refused with its line and the fix', () => {
  const cases: readonly (readonly [name: string, text: string | Buffer, message: RegExp])[] = [
    [
      'cut-off.jsonl',
      `${lines[0]}\n${lines[1]?.slice(0, 5000)}`,
      /cut-off\.jsonl:2: the line is cut off .*record or copy/,
    ],
    [
      'cut-off.jsonl.gz',
      readFileSync(RECORDING).subarray(0, 90_000),
      /cut-off\.jsonl\.gz:\d+: .*cut off.*record or copy/,
    ],
    ['not-zipped.jsonl.gz', 'plain\n', /not-zipped\.jsonl\.gz:1: incorrect header.*gzipped when/],
    ['logs.jsonl', '{"resourceLogs":[]}\n', /logs\.jsonl:1: the line has no resourceSpans.*export traces/],
    ['empty.jsonl', '', /empty\.jsonl:1: the file is empty.*record again/],
  ]
  for (const [name, content, message] of cases) {
    test(name, async () => {
      const recording = join(folder, name)
      writeFileSync(recording, content)
      await assert.rejects(
        study(readRecording(recording), () => () => 0),
        message,
      )
    })
  }

  test('as a UserError', async () => {
    const recording = file('logs.jsonl', '{"resourceLogs":[]}\n')
    const asked = { a: SHIPPED_POLICY, b: undefined, recording, classes: CLASSES, format: 'text', speed: '20' } as const
    await assert.rejects(askWorkbench(settings, asked, quiet), UserError)
  })
})

describe('a new recording', () => {
  const size = { seed: '3', ticks: '4', preset: 'leaky', timeFactor: '20' }

  test('holds every tick of its ledger, masked as the sampler sees it', async () => {
    const path = await makeRecording(settings, size, quiet, join(folder, 'recordings'))
    assert.deepEqual(readdirSync(join(folder, 'recordings')).sort(), [
      'seed-3-ticks-4-leaky.jsonl.gz',
      'seed-3-ticks-4-leaky.ledger.jsonl',
    ])
    assert.equal(await timeFactorOf(path), 20)
    const { traces } = await study(readRecording(path), () => () => 0)
    const ticks = readLedger(ledgerBeside(path)).filter(({ kind }) => kind === 'tick')
    const told = ticks.flatMap((entry) => ('trace' in entry ? [entry.trace] : []))
    assert.equal(told.length, 4)
    const bodies = gunzipSync(readFileSync(path)).toString()
    assert.match(bodies, /\*{4}/, 'with this preset, models write personal data')
    assert.doesNotMatch(bodies, /[\w.]+@[\w-]+\.\w+/)
    assert.deepEqual([...traces.keys()].sort(), told.sort())
  })

  test('that is stopped half way leaves nothing', async () => {
    const stopped = new AbortController()
    const say = (line: string) => {
      if (line.includes('tick    0')) stopped.abort(new UserError('stopped'))
    }
    const long = { ...size, ticks: '400' }
    await assert.rejects(
      makeRecording(settings, long, { cancel: stopped.signal, say }, join(folder, 'half')),
      /stopped/,
    )
    assert.ok(!existsSync(join(folder, 'half')))
  })

  test('of a simulator that does not start shows the reason', async () => {
    const unknown = { ...size, preset: 'nowhere' }
    await assert.rejects(
      makeRecording(settings, unknown, quiet, join(folder, 'half')),
      /Allowed choices are default, calm/,
    )
    assert.ok(!existsSync(join(folder, 'half')))
  })
})

test('Ctrl-C in the middle of a replay ends it, with its collectors and files', async () => {
  const running = main({ ...settings.env, ...ENV }, 'tune', '--speed', '1')
  for await (const line of running.iterable({ from: 'stderr' })) if (/spans sent/.test(line)) running.kill('SIGINT')
  const { exitCode } = await running
  assert.equal(exitCode, 130)
})

test('nothing is left over: no file in the temporary folder, and no collector', async () => {
  assert.deepEqual(
    readdirSync(join(folder, 'tmp')).filter((name) => name.startsWith('workbench-')),
    [],
  )
  const { stdout } = await execa('ps', ['-A', '-o', 'ppid=,args='])
  const ours = stdout.split('\n').filter((line) => {
    const isChild = Number.parseInt(line, 10) === process.pid
    return /otelcol-woodland|sim\/(main|mock-vllm)/.test(line) && (isChild || line.includes(folder))
  })
  assert.deepEqual(ours, [])
})
