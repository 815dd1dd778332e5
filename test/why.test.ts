import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { before, describe, test } from 'node:test'
import { execa } from 'execa'
import { parse } from 'yaml'
import { attributeOf, endOf, type Span, startOf } from '../otlp/json.ts'
import { launcherFor } from '../stack/collectors.ts'
import { askSweep } from '../stack/commands/tune.ts'
import { askWhy } from '../stack/commands/why.ts'
import { ownFolder } from '../stack/own-folder.ts'
import { ownSettings, quiet, WAITING_AT_ONCE } from '../stack/own-stack.ts'
import { SHIPPED_POLICY, shippedList } from '../stack/policy.ts'
import { ROOT, type Settings } from '../stack/settings.ts'
import { CLASSES, COMMITTED_RECORDING, classesOf } from '../stack/workbench.ts'
import { classified, classLists, type Study, study } from '../workbench/classes.ts'
import { readRecording } from '../workbench/recording.ts'
import { type Decisions, replayEach } from '../workbench/replay.ts'
import { singlePolicies } from '../workbench/single-policies.ts'
import type { Swept } from '../workbench/sweep.ts'
import { UserError } from '../workbench/user-error.ts'
import type { Why } from '../workbench/why.ts'
import { main } from './collector.ts'

const RECORDING = resolve(ROOT, COMMITTED_RECORDING)
/** The recording has time factor 10, so 2 s of its world are 200 ms. */
const ENV = { SLOW_CALL: '200ms' }
const SLOW_MS = 200
const LIST = 'the list'
const SPEED = 20

const folder = ownFolder()
let settings: Settings
let found: Study
/** The result of `make tune`: a replay of the whole recording with the shipped list and with each of its policies. */
let decided: ReadonlyMap<string, Decisions>
const spansOf = new Map<string, Span[]>()
const asked = { a: SHIPPED_POLICY, recording: COMMITTED_RECORDING, classes: CLASSES, format: 'json' } as const

before(async () => {
  mkdirSync(join(folder, 'tmp'))
  process.env.TMPDIR = join(folder, 'tmp')
  settings = await ownSettings({ BOOT: 'native' })
  for await (const { spans } of readRecording(RECORDING))
    for (const span of spans) spansOf.set(span.traceId, [...(spansOf.get(span.traceId) ?? []), span])
  const list = shippedList()
  const traffic = { requests: () => readRecording(RECORDING), speed: SPEED, slowCall: ENV.SLOW_CALL }
  const launcher = await launcherFor(settings, quiet)
  const classes = await classesOf(launcher, CLASSES, ENV)
  const lists = [{ name: LIST, text: list }, ...singlePolicies(list)]
  const answers = await replayEach(launcher, traffic, [...lists, ...classLists(classes)])
  found = classified(await study(readRecording(RECORDING), () => () => 0), classes, answers)
  decided = new Map(lists.map(({ name }) => [name, answers.get(name) ?? new Map()]))
})

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

const why = async (trace: string | undefined, more: Partial<typeof asked> | { a: string } = {}): Promise<Why> =>
  JSON.parse(await askWhy(settings, { ...asked, ...more, trace }, quiet))
const text = (span: Span, key: string) => attributeOf(span.attributes, key)?.stringValue
const lastedMs = (span: Span) => Number(endOf(span) - startOf(span)) / 1e6
const slowestMs = (trace: string) =>
  Math.max(...(spansOf.get(trace) ?? []).filter((span) => text(span, 'gen_ai.operation.name') === 'chat').map(lastedMs))
const kept = () => decided.get(LIST) ?? new Map()

/** The answer for one trace must agree with a replay of the whole recording. */
function agrees(answer: Why): void {
  const { trace, votes } = answer
  const policies = [...decided].filter(([name]) => name !== LIST)
  assert.deepEqual(
    votes.map(({ policy, vote }) => [policy, vote]),
    policies.map(([name, decisions]) => [name, decisions.has(trace) ? 'yes' : 'no']),
  )
  assert.deepEqual([answer.kept, answer.recorded], [kept().has(trace), kept().get(trace)?.policy])
  assert.equal(answer.spans, spansOf.get(trace)?.length)
  assert.deepEqual(answer.classes, found.traces.get(trace)?.classes)
}

describe('why', WAITING_AT_ONCE, () => {
  test('a dropped trace is dropped: by how much it missed the threshold, as the recording holds it', async () => {
    const near = [...found.traces.keys()]
      .filter((id) => !kept().has(id))
      .toSorted((a, b) => slowestMs(b) - slowestMs(a))
    const [trace = ''] = near
    const ms = slowestMs(trace)
    assert.ok(ms > SLOW_MS * 0.8 && ms < SLOW_MS, `a near miss: ${ms} ms`)
    const answer = await why(trace)
    agrees(answer)
    const looks = new Map(answer.votes.map((vote) => [vote.policy, vote]))
    const slow = looks.get('keep-slow-calls')
    assert.ok(slow?.condition.includes('> Duration("200ms") or '), slow?.condition)
    const shown = `gen_ai.operation.name = "chat", llm.latency_ms = nothing, longest ${Number(ms.toFixed(3))} ms; `
    assert.ok(slow?.values.startsWith(shown), `${slow?.values} begins with ${shown}`)
    const tokens = Math.max(
      ...(spansOf.get(trace) ?? []).map(({ attributes }) =>
        Number(attributeOf(attributes, 'woodland.tokens')?.intValue ?? 0),
      ),
    )
    const heavy = looks.get('keep-token-heavy')
    assert.equal(heavy?.condition, 'numeric_attribute { key: woodland.tokens, min_value: 6000, max_value: 1000000000 }')
    assert.ok(heavy?.values.split('; ').includes(`woodland.tokens = ${tokens}`), heavy?.values)
    const sample = looks.get('sample-routine-10-percent')
    assert.deepEqual(
      [sample?.condition, sample?.values],
      ['probabilistic { sampling_percentage: 10 }', 'the trace id alone'],
    )
    const errors = new Set((spansOf.get(trace) ?? []).flatMap((span) => text(span, 'error.type') ?? []))
    const parse = looks.get('keep-parse-errors')
    assert.equal(parse?.condition, 'span.attributes["error.type"] == "parse_error"')
    const told = [...errors].map((type) => `error.type = "${type}"`)
    if (errors.size === 0) assert.match(parse?.values ?? '', /^none of its \d+ spans has error\.type$/)
    else assert.deepEqual(parse?.values.split('; ').sort(), told.sort())
  })

  test('a kept trace is kept: all its votes, and the one that was recorded, by the beginning of its id', async () => {
    const voters = (id: string) => [...decided.values()].filter((decisions) => decisions.has(id)).length
    const [trace = ''] = [...kept().keys()].toSorted((a, b) => voters(b) - voters(a))
    assert.ok(voters(trace) > 2, 'more than one policy votes for it')
    const answer = await why(trace.slice(0, 9).toUpperCase())
    assert.equal(answer.trace, trace)
    agrees(answer)
    assert.equal(answer.root, 'invoke_workflow woodland_tick')
    assert.ok(answer.agents.includes('fox'))
    assert.ok(answer.seconds * 1000 >= slowestMs(trace))
  })

  test('the sample keeps a trace: by its id, whatever else is in the recording', async () => {
    const sampled = [...(decided.get('sample-routine-10-percent')?.keys() ?? [])]
    assert.ok(sampled[0])
    agrees(await why(sampled[0]))
  })

  test('a policy that drops says so, and what it saw', async () => {
    const [trace = ''] = kept().keys()
    const drop = `
- name: keep-everything
  type: always_sample
- name: drop-ticks
  type: drop
  drop:
    drop_sub_policy:
      - name: it-is-a-tick
        type: string_attribute
        string_attribute: { key: gen_ai.operation.name, values: [invoke_workflow] }
- name: drop-nothing
  type: drop
  drop:
    drop_sub_policy:
      - name: it-is-elsewhere
        type: string_attribute
        string_attribute: { key: service.name, values: [elsewhere] }
`
    const { votes, kept: isKept } = await why(trace, { a: file('drop.yaml', drop) })
    assert.equal(isKept, false)
    assert.deepEqual(
      votes.map(({ policy, vote }) => [policy, vote]),
      [
        ['keep-everything', 'yes'],
        ['drop-ticks', 'drop'],
        ['drop-nothing', 'no'],
      ],
    )
    assert.match(votes[1]?.values ?? '', /^gen_ai\.operation\.name = "invoke_workflow"/)
    assert.match(votes[2]?.values ?? '', /^service\.name = "(vllm|thousand-token-wood)"/)
  })

  test('a question that cannot be answered is a UserError', async () => {
    const mendable = async (asking: Promise<unknown>, message: RegExp) =>
      assert.rejects(asking, (error: Error) => error instanceof UserError && message.test(error.message))
    const [firstOfAll = ''] =
      /[0-9a-f]{32}/.exec(await why('0'.repeat(32)).catch((error) => error.message.slice(40))) ?? []
    assert.ok(
      found.traces.get(firstOfAll)?.classes.some((name) => name !== 'routine'),
      'must-keep ones come first',
    )
    await mendable(why('0'.repeat(32)), /TRACE=0{32} is no trace of the recording\. workbench\/\S+\.gz has 40: try/)
    await mendable(why(undefined), /TRACE names no trace: write TRACE=… .* has 40: try/)
    await mendable(why('fox'), /TRACE=fox is no trace id/)
    const digits = [...found.traces.keys()].map((id) => id.slice(0, 1))
    const twice = digits.find((digit, index) => digits.indexOf(digit) !== index)
    await mendable(why(twice), /is how \d+ traces begin: [0-9a-f]{32}, .* Write more of it/)
    const [trace] = found.traces.keys()
    await mendable(why(trace, { a: 'nowhere.yaml' }), /nowhere\.yaml: there is no such file/)
    await mendable(why(trace, { a: file('bad.yaml', '- name: keep\n  type: moonlight\n') }), /bad\.yaml:1: .*moonlight/)
  })

  test('of the command line is one sentence and exit code 1, or a table', async () => {
    const run = (env: Record<string, string>) => main({ ...settings.env, ...env }, 'why')
    const missing = await run({ TRACE: '' })
    assert.equal(missing.exitCode, 1)
    assert.match(missing.stderr, /^TRACE names no trace: [^\n]*$/)
    const [trace = ''] = kept().keys()
    const { exitCode, stdout } = await run({ TRACE: trace, FORMAT: 'markdown' })
    assert.equal(exitCode, 0)
    assert.ok(stdout.startsWith(`### ${trace}: invoke_workflow woodland_tick\n`))
    assert.match(stdout, new RegExp(`^verdict: kept, recorded as ${kept().get(trace)?.policy}$`, 'm'))
    assert.match(stdout, /^\| keep-slow-calls \| (yes|no) \| .* > Duration\("200ms"\) or .* \| .*longest .* ms.* \|$/m)
  })
})

describe('a sweep', WAITING_AT_ONCE, () => {
  const sweep = async (range: string, more: object = {}, at = settings): Promise<Swept> =>
    JSON.parse(await askSweep(at, { ...asked, b: undefined, speed: String(SPEED), range, ...more }, quiet))

  test('of a longer and longer threshold keeps fewer and fewer traces, and at the value in force as many as tune', async () => {
    const { rows } = await sweep('slow-call=1s..5s/1s')
    assert.deepEqual(
      rows.map(({ value, isInForce }) => [value, isInForce]),
      ['1 s', '2 s', '3 s', '4 s', '5 s'].map((value) => [value, value === '2 s']),
    )
    for (const key of ['kept', 'spans', 'bytes', 'usdKept'] as const) {
      const column = rows.map((row) => row[key])
      assert.deepEqual(
        column,
        column.toSorted((a, b) => b - a),
        key,
      )
      assert.ok((column[0] ?? 0) > (column[4] ?? 0), key)
    }
    const present = new Set([...found.traces.values()].flatMap(({ classes }) => classes))
    for (const name of ['parse-error', 'self-buy', 'failed-call', 'slow-call']) assert.ok(present.has(name), name)
    const none = Object.fromEntries([...present].filter((name) => name !== 'routine').map((name) => [name, 0]))
    const inForce = rows.find((row) => row.isInForce)
    assert.equal(inForce?.kept, kept().size)
    assert.equal(
      inForce?.spans,
      [...kept().values()].reduce((sum, { spans }) => sum + spans, 0),
    )
    // Each row loses the slow calls that only the threshold in force keeps, and no other must-keep trace.
    for (const [index, { missed }] of rows.entries()) {
      const lost = [...found.traces.values()].filter(({ id, classes }) => {
        const votes = [...decided].filter(([name, of]) => name !== LIST && name !== 'keep-slow-calls' && of.has(id))
        return classes.includes('slow-call') && votes.length === 0 && slowestMs(id) <= (index + 1) * 100
      })
      assert.deepEqual(missed, { ...none, 'slow-call': lost.length }, `at ${index + 1} s`)
    }
    assert.ok((rows[4]?.missed['slow-call'] ?? 0) > 0)
  })

  test('of a number adds the one in force', async () => {
    const { rows } = await sweep('token-heavy=3000..5000/1000')
    assert.deepEqual(
      rows.map(({ value, isInForce }) => [value, isInForce]),
      [
        ['3000', false],
        ['4000', false],
        ['5000', false],
        ['6000', true],
      ],
    )
    assert.ok((rows[0]?.kept ?? 0) > (rows[2]?.kept ?? 0))
    assert.equal(rows[3]?.kept, kept().size)
  })

  test('uses a threshold from the environment as the one in force', async () => {
    const { rows } = await sweep(
      'slow-call=1s..2s/1s',
      {},
      { ...settings, env: { ...settings.env, SLOW_CALL: '150ms' } },
    )
    assert.deepEqual(
      rows.map(({ value, isInForce }) => [value, isInForce]),
      [
        ['1 s', false],
        ['1.5 s', true],
        ['2 s', false],
      ],
    )
  })

  test('that cannot be made is a UserError', async () => {
    const refused = async (asking: Promise<unknown>, message: RegExp) =>
      assert.rejects(asking, (error: Error) => error instanceof UserError && message.test(error.message))
    await refused(
      sweep('moonlight=1..5'),
      /MOONLIGHT, .* it reads slow-call \(2 s\), slow-run \(30 s\), token-heavy \(6000\), heavy-call \(8000\)/,
    )
    await refused(sweep('slow-call=5s..1s'), /does not go upwards/)
    await refused(sweep('slow-call=1..5'), /SLOW_CALL is a time, now 2 s/)
    await refused(sweep('slow-call=1s..5'), /mixes times and plain numbers/)
    await refused(sweep('token-heavy=1..100/1'), /100 values/)
    await refused(
      sweep('slow-call=1s..5s', { b: 'mine.yaml' }),
      /B=mine\.yaml names a second list\. Leave out SWEEP or B/,
    )
    await refused(sweep('slow-call=1s..5s', { speed: 'fast' }), /SPEED must be a number of 1 or more, not "fast"/)
  })

  test('of the command line draws its table', async () => {
    const env = { ...settings.env, SPEED: String(SPEED), FORMAT: 'markdown' }
    const { exitCode, stdout } = await main(env, 'tune', '--sweep', 'slow-call=2s..4s/2s')
    assert.equal(exitCode, 0)
    const [first] = parse(readFileSync(resolve(ROOT, CLASSES), 'utf8')) as readonly { name: string }[]
    assert.match(
      stdout,
      new RegExp(`^\\| SLOW_CALL \\| kept \\| spans \\| bytes \\| USD kept \\| ${first?.name} \\|`, 'm'),
    )
    assert.match(stdout, new RegExp(`^\\| 2 s \\(in force\\) \\| ${kept().size} \\|`, 'm'))
  })
})

test('Ctrl-C ends an answer, with its collectors and files', async () => {
  const stopped = new AbortController()
  const [trace] = found.traces.keys()
  const answer = askWhy(settings, { ...asked, trace }, { ...quiet, cancel: stopped.signal })
  const looking = setInterval(() => {
    if (readdirSync(join(folder, 'tmp')).filter((name) => name.startsWith('workbench-')).length === 2)
      stopped.abort(new UserError('stopped'))
  }, 20)
  await assert.rejects(answer, /stopped|aborted/)
  clearInterval(looking)
})

test('nothing is left over: no file in the temporary folder, and no collector', async () => {
  const left = readdirSync(join(folder, 'tmp')).filter((name) => name.startsWith('workbench-'))
  assert.deepEqual(left, [])
  const { stdout } = await execa('ps', ['-A', '-o', 'ppid=,args='])
  const ours = stdout
    .split('\n')
    .filter((line) => Number.parseInt(line, 10) === process.pid && line.includes('otelcol-woodland'))
  assert.deepEqual(ours, [])
})
