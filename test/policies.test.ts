import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { before, describe, test } from 'node:test'
import { resourceSpans, toAttributes } from '../otlp/json.ts'
import { postOtlp } from '../otlp/post.ts'
import { launcherFor } from '../stack/collectors.ts'
import { ownFolder } from '../stack/own-folder.ts'
import { eventually, ownSettings, quiet, WAITING_AT_ONCE } from '../stack/own-stack.ts'
import { activatePolicy, activePolicy, checkPolicy, SHIPPED_POLICY } from '../stack/policy.ts'
import { ROOT, type Settings } from '../stack/settings.ts'
import { checkPolicyFile, TYPES, warningsOn } from '../workbench/check.ts'
import { type Launcher, startCollector, sumOf, UNMASKED, withScratch } from '../workbench/collector.ts'
import { weightIn } from '../workbench/replay.ts'

const POLICIES = resolve(ROOT, 'collector/policies')
const DEFECTS = resolve(ROOT, 'workbench/defects')

let settings: Settings
let launcher: Launcher
const activate = (file: string) => activatePolicy(settings, file, { ...launcher, say: () => {} })

before(async () => {
  settings = await ownSettings()
  launcher = await launcherFor(settings, quiet, 'native')
})

describe('every policy file that ships starts in the real collector', () => {
  const shipped = readdirSync(POLICIES).filter((name) => name.endsWith('.yaml'))
  assert.ok(shipped.includes('woodland.yaml') && shipped.length >= 4)
  for (const name of shipped) {
    test(name, async () => {
      await activate(resolve(POLICIES, name))
      assert.equal(readFileSync(activePolicy(settings), 'utf8'), readFileSync(resolve(POLICIES, name), 'utf8'))
    })
  }
})

describe(
  'a policy file with a defect is refused with its line and the reason, and changes nothing',
  WAITING_AT_ONCE,
  () => {
    before(() => {
      mkdirSync(resolve(settings.state, 'policies'), { recursive: true })
      writeFileSync(activePolicy(settings), 'in force before\n')
    })
    const files = readdirSync(DEFECTS).filter((name) => name.endsWith('.bad.yaml'))
    assert.ok(files.length >= 33)
    for (const name of files) {
      test(basename(name, '.bad.yaml').replaceAll('_', ' '), async () => {
        const text = readFileSync(resolve(DEFECTS, name), 'utf8')
        const [, line, reason] = /^# Expect line (\d+): (.+)$/m.exec(text) ?? []
        assert.ok(line && reason, `${name} must open with "# Expect line N: reason"`)
        await assert.rejects(activate(resolve(DEFECTS, name)), (error: Error) => {
          assert.ok(error.message.includes(reason), error.message)
          assert.ok(error.message.includes(`${name}:${line}:`), error.message)
          return true
        })
        assert.equal(readFileSync(activePolicy(settings), 'utf8'), 'in force before\n')
      })
    }
  },
)

describe('a file that is not a list of policies gets an error that says what it is', () => {
  const folder = ownFolder()
  const never = () => assert.fail('no collector may be started')
  const told = async (path: string) => (await checkPolicyFile(path, never)).map(({ message }) => message).join()
  const file = (name: string, content: string | Buffer) => {
    writeFileSync(join(folder, name), content)
    return join(folder, name)
  }

  test('nothing', async () => {
    const missing = activate('collector/policies/nowhere.yaml')
    await assert.rejects(missing, /collector\/policies\/nowhere\.yaml: there is no such file/)
  })
  test('a folder', async () => assert.match(await told(folder), /^it is a folder; name a file of policies/))
  test('a device that never ends', async () => assert.match(await told('/dev/zero'), /^it is no file; name a file/))
  test('a huge file', async () => {
    const huge = file('huge.yaml', '- name: keep-everything\n'.repeat(100_000))
    assert.match(await told(huge), /^it has 2\.4 MB, and a list of policies at most 1 MB; name a file/)
  })
  test('a file of somebody else', async () => {
    const closed = file('closed.yaml', '- name: keep-everything\n  type: always_sample\n')
    chmodSync(folder, 0o755)
    chmodSync(closed, 0)
    const root = process.geteuid?.() === 0
    if (root) process.seteuid?.(65534)
    const answer = told(closed)
    if (root) process.seteuid?.(0)
    assert.match(await answer, /^it may not be read by you; change its permissions/)
  })
  test('UTF-16, as some editors save', async () => {
    const wide = Buffer.from('\ufeff- name: keep-everything\n', 'utf16le')
    assert.match(await told(file('wide.yaml', wide)), /^it is not UTF-8 here; save it with that encoding/)
  })
  test('UTF-8 with a byte order mark', async () => {
    const marked = file('marked.yaml', '\ufeff- name: keep-everything\n  type: always_sample\n')
    assert.match(await told(marked), /^it begins with a byte order mark/)
  })
})

test('anchors and merged keys are read as the collector reads them', async () => {
  mkdirSync(dirname(activePolicy(settings)), { recursive: true })
  const merged = resolve(settings.state, 'merged.yaml')
  writeFileSync(
    merged,
    `- &slow
  name: keep-slow
  type: latency
  latency: &bounds
    threshold_ms: 2000
- <<: *slow
  name: keep-slower
  latency:
    <<: *bounds
    upper_threshold_ms: 9000
- name: sample-routine
  type: probabilistic
  probabilistic:
    sampling_percentage: 10
`,
  )
  await activate(merged)
  writeFileSync(merged, readFileSync(merged, 'utf8').replace('upper_threshold_ms', 'upper_treshold_ms'))
  await assert.rejects(activate(merged), /merged\.yaml:6: .*invalid keys: upper_treshold_ms/)
})

describe('the types that a message names are those that the collector knows', WAITING_AT_ONCE, () => {
  for (const type of TYPES)
    test(type, async () => {
      const list = join(settings.state, `${type}.yaml`)
      writeFileSync(list, `- name: keep-it\n  type: ${type}\n`)
      assert.doesNotMatch(await startsWith(list), /unknown sampling policy type \w/)
    })
})

/** The error of the collector if it does not start with a list. */
const startsWith = (list: string): Promise<string> =>
  withScratch(async (folder) => {
    const env = { POLICY_FILE: list }
    return startCollector(launcher, { folder, overlays: [UNMASKED], env }).then(
      async (collector) => {
        await collector.stop()
        return ''
      },
      (error: Error) => error.message,
    )
  })

/** How many of a hundred traces a list keeps, and the thresholds that it writes on them. */
const keepsOfHundred = (list: string): Promise<Readonly<{ kept: number; thresholds: readonly string[] }>> =>
  withScratch(async (folder) => {
    const kept = join(folder, 'kept.jsonl')
    const overlays = [UNMASKED, resolve(ROOT, 'workbench/replay.yaml')]
    const env = { POLICY_FILE: list, KEPT_FILE: kept, DECISION_WAIT: '1s' }
    const collector = await startCollector(launcher, { folder, overlays, env })
    const spans = Array.from({ length: 100 }, (_, index) => ({
      traceId: createHash('md5').update(String(index)).digest('hex'),
      spanId: createHash('md5').update(String(index)).digest('hex').slice(16),
      name: 'chat',
      startTimeUnixNano: '1795223772000000000',
      endTimeUnixNano: '1795223772500000000',
      attributes: toAttributes({ 'gen_ai.agent.name': index % 2 ? 'squirrel' : 'fox' }),
    }))
    // One request for each trace, so that an attribute of one trace is not on another.
    await postOtlp(`${collector.otlp}/v1/traces`, { resourceSpans: spans.map((span) => resourceSpans([span])) })
    await eventually(async () => {
      const page = await collector.metrics()
      assert.equal(sumOf(page, 'otelcol_processor_tail_sampling_global_count_traces_sampled'), spans.length)
    })
    await collector.stop()
    const text = existsSync(kept) ? readFileSync(kept, 'utf8') : ''
    const states = [...text.matchAll(/"traceState":"([^"]*)"/g)].map(([, state]) => state ?? '')
    return { kept: states.length, thresholds: [...new Set(states)] }
  })

describe('a list that may be a mistake is accepted with a warning, and the warning is true', WAITING_AT_ONCE, () => {
  const files = readdirSync(DEFECTS).filter((name) => name.endsWith('.warning.yaml'))
  assert.ok(files.length >= 6)
  for (const name of files) {
    test(basename(name, '.warning.yaml').replaceAll('_', ' '), async () => {
      const path = resolve(DEFECTS, name)
      const [, line, reason] = /^# Expect warning in line (\d+): (.+)$/m.exec(readFileSync(path, 'utf8')) ?? []
      assert.ok(line && reason, `${name} must open with "# Expect warning in line N: reason"`)
      const said: string[] = []
      await checkPolicy({ ...launcher, say: (text) => said.push(text) }, path)
      assert.equal(said.length, 1, said.join('\n'))
      assert.ok(said[0]?.includes(`${name}:${line}: warning: `) && said[0].includes(reason), said[0])
      const { kept, thresholds } = await keepsOfHundred(path)
      // Threshold 0 means that a trace counts once.
      assert.ok(kept < 100, 'it keeps less than everything')
      assert.deepEqual(thresholds, kept > 0 ? ['ot=th:0'] : [])
    })
  }

  test('the shipped list gets no warning', () => {
    assert.deepEqual(warningsOn(resolve(ROOT, SHIPPED_POLICY)), [])
  })

  test('a sample inside "and" gets no warning: its share is written on the trace', async () => {
    const path = resolve(settings.state, 'half.yaml')
    const inner = '{ name: all, type: always_sample }, { name: half, type: probabilistic, probabilistic: *half }'
    const and = `  type: and\n  and: { and_sub_policy: [${inner}] }\n`
    const unused = '- name: none\n  type: probabilistic\n  probabilistic: &half { sampling_percentage: 50 }\n'
    writeFileSync(path, `${unused}- name: sample-half\n${and}`)
    assert.deepEqual(warningsOn(path), [])
    const { kept, thresholds } = await keepsOfHundred(path)
    assert.ok(kept > 20 && kept < 80, `${kept}`)
    assert.deepEqual(thresholds, ['ot=th:8'])
  })

  const limits = {
    'a rate limit': 'type: rate_limiting\n  rate_limiting: { spans_per_second: 10 }',
    'a byte limit': 'type: bytes_limiting\n  bytes_limiting: { bytes_per_second: 1000 }',
    'a byte limit inside and':
      'type: and\n  and: { and_sub_policy: [{ name: all, type: always_sample }, { name: some, type: bytes_limiting, bytes_limiting: { bytes_per_second: 1000 } }] }',
  }
  for (const [what, policy] of Object.entries(limits)) {
    test(`${what} needs none: since 0.161 it writes on a trace the share that it kept`, async () => {
      const path = resolve(settings.state, `${what.replaceAll(' ', '-')}.yaml`)
      writeFileSync(path, `- name: keep-some\n  ${policy}\n`)
      assert.deepEqual(warningsOn(path), [])
      const { kept, thresholds } = await keepsOfHundred(path)
      assert.ok(kept > 0 && kept < 100, `${kept}`)
      const [threshold = ''] = thresholds
      assert.ok(thresholds.length === 1 && threshold !== 'ot=th:0', thresholds.join())
      const weight = weightIn(threshold)
      assert.ok(weight * kept > 70 && weight * kept < 130, `${kept} kept, each for ${weight}`)
    })
  }

  test('an inverted match gets no warning: since 0.159 at the latest, it does not block other policies', async () => {
    const path = resolve(settings.state, 'inverted.yaml')
    const others = 'key: gen_ai.agent.name, values: [squirrel], invert_match: true'
    const list = `- name: keep-others\n  type: string_attribute\n  string_attribute: { ${others} }\n`
    writeFileSync(path, list)
    assert.deepEqual(warningsOn(path), [])
    assert.equal((await keepsOfHundred(path)).kept, 50)
    writeFileSync(path, `${list}- name: keep-everything\n  type: always_sample\n`)
    assert.equal((await keepsOfHundred(path)).kept, 100)
  })
})
