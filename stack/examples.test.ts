import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { UserError } from '../workbench/user-error.ts'
import { EXAMPLES, type Expected, exampleOf, expectations, lacks, RUNS, serviceOf } from './examples.ts'
import type { Span } from './queries.ts'
import { ROOT } from './settings.ts'

const LONGEST = 60
const WIDEST = 140

const read = (file: string) => readFileSync(resolve(ROOT, file), 'utf8')
const programOf = (name: string) => readFileSync(exampleOf(name).file, 'utf8')

/** What an SDK sends to its makers unless it is told not to: the mark of the SDK, and the line that turns it off. */
const CALLS_HOME: readonly (readonly [mark: RegExp, off: RegExp])[] = [
  [/^from agents import/m, /^set_trace_processors\(\[\]\)/m],
  [/^import litellm/m, /^os\.environ\["LITELLM_LOCAL_MODEL_COST_MAP"\] = "True".*\nimport litellm/m],
  [/^from traceloop/m, /^os\.environ\["TRACELOOP_TELEMETRY"\] = "false"[\s\S]*?^from traceloop/m],
]

test('an example is one file that fits on a page', () => {
  assert.ok(EXAMPLES.length >= 8, EXAMPLES.join())
  for (const name of EXAMPLES) {
    const lines = programOf(name).trimEnd().split('\n')
    assert.ok(lines.length <= LONGEST, `${name} has ${lines.length} lines: an example has at most ${LONGEST}`)
    for (const line of lines) assert.ok(line.length <= WIDEST, `${name}: a line is too long to read: ${line}`)
  }
})

test('an example names its service and its project as the links do, and sends nothing through an address of its own', () => {
  for (const name of EXAMPLES) {
    assert.match(programOf(name), new RegExp(`^(?:const )?NAME = ['"]${serviceOf(name)}['"]$`, 'm'))
    assert.match(programOf(name), /openinference\.project\.name/)
    assert.doesNotMatch(programOf(name), /:4318/)
    assert.match(programOf(name), /VLLM_BASE_URL/)
  }
})

test('every version is pinned', () => {
  for (const name of EXAMPLES) {
    const folder = `examples/${name}`
    if (existsSync(resolve(ROOT, folder, 'requirements.txt'))) {
      const packages = read(`${folder}/requirements.txt`)
        .split('\n')
        .filter((line) => line && !line.startsWith('#'))
      assert.ok(packages.length > 20, `${name}: what its packages need is not locked`)
      for (const line of packages) assert.match(line, /^[\w.-]+==[\w.]+(?: ; .+)?$/, `${name}: ${line} is not a pin`)
    } else {
      const { dependencies } = JSON.parse(read(`${folder}/package.json`)) as { dependencies: Record<string, string> }
      for (const [one, version] of Object.entries(dependencies))
        assert.match(version, /^\d+\.\d+\.\d+$/, `${name}: ${one} ${version} is not a pin`)
      const { packages } = JSON.parse(read(`${folder}/package-lock.json`)) as { packages: Record<string, object> }
      assert.deepEqual((packages[''] as { dependencies: object }).dependencies, dependencies)
    }
  }
})

test('no example calls home', () => {
  for (const [mark, off] of CALLS_HOME) {
    const users = EXAMPLES.filter((name) => mark.test(programOf(name)))
    assert.ok(users.length > 0, `no example uses ${mark}`)
    for (const name of users) assert.match(programOf(name), off)
  }
})

test('the switch is found only where it works, before the import', () => {
  const [, litellm] = CALLS_HOME[1] ?? []
  assert.doesNotMatch('import litellm\nos.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"\n', litellm as RegExp)
  const [, traceloop] = CALLS_HOME[2] ?? []
  assert.doesNotMatch('from traceloop.sdk import x\nos.environ["TRACELOOP_TELEMETRY"] = "false"\n', traceloop as RegExp)
})

test('every example has a row in the README and an expectation, and no other has', () => {
  const rows = [...read('examples/README.md').matchAll(/^\| \[`([\w-]+)`\]\(\1\/agent\.(?:py|ts)\)/gm)].map(
    ([, name]) => name,
  )
  assert.deepEqual(rows.sort(), EXAMPLES)
  assert.deepEqual(Object.keys(expectations).sort(), EXAMPLES)
})

test('a name that is no example is refused with the names that are', () => {
  for (const name of ['', 'lang-graph', '../sim'])
    assert.throws(
      () => exampleOf(name),
      (error) => error instanceof UserError && error.message.includes('make example NAME=langgraph'),
    )
})

const expected: Expected = {
  call: { kind: 'LLM' },
  calls: RUNS,
  agents: ['owl'],
}
const ours = {
  'gen_ai.operation.name': 'chat',
  'gen_ai.agent.name': 'owl',
  'gen_ai.request.model': 'm',
  'gen_ai.usage.input_tokens': 3,
  'gen_ai.usage.output_tokens': 2,
}
const spans = (attributes: object) =>
  Array.from({ length: RUNS }, (_, run) => ({
    traceId: String(run),
    error: run === RUNS - 1,
    attributes: { kind: 'LLM', ...attributes },
  })) as unknown as readonly Span[]

test('a call that has what the boards need lacks nothing', () => {
  assert.deepEqual(lacks(spans(ours), expected, 'm'), [])
})

test('each thing that a call lacks is said', () => {
  for (const key of Object.keys(ours)) {
    const [said, ...more] = lacks(spans({ ...ours, [key]: undefined }), expected, 'm')
    assert.match(said ?? '', new RegExp(`^${key} is missing on \\d model calls$`))
    assert.deepEqual(more, [])
  }
  const wrong = lacks(
    spans({ ...ours, 'gen_ai.agent.name': 'service', 'gen_ai.request.model': 'openai/m' }),
    expected,
    'm',
  )
  assert.deepEqual(wrong, [
    'gen_ai.agent.name is service on 3 model calls',
    'gen_ai.request.model is openai/m on 2 model calls',
  ])
  assert.deepEqual(lacks(spans(ours).slice(1), expected, 'm'), ['2 traces, not 3', '2 model calls, not 3'])
  const unmarked = lacks(spans({ ...ours, kind: 'CHAIN' }), expected, 'm')
  assert.deepEqual(unmarked, ['0 model calls, not 3', '0 failed model calls, not 1'])
})
