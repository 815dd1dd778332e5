import { readFileSync, statSync } from 'node:fs'
import { isAlias, isMap, isScalar, isSeq, visit } from 'yaml'
import { locatedYaml } from './located-yaml.ts'

/** One thing to say of a policy file, with the line to look at and what to do. */
export type Defect = Readonly<{ line: number; message: string }>

/** A condition of a policy that failed on some span, as the collector warned. */
export type Complaint = Readonly<{ condition: string; error: string }>

/**
 * The answer of the scratch collector: `ready`, with the conditions that failed on ordinary spans, or the
 * sentence with which it refused. Throws when it refuses something other than the policy file.
 */
export type Trial = (
  policyFile: string,
) => Promise<{ ready: true; complaints: readonly Complaint[] } | { ready: false; why: string }>

/**
 * The types that the sampler knows (0.161), each with its necessary settings. Without one, the sampler still starts, and then
 * compares with zero, keeps nothing, drops everything or, with numeric_attribute, ends at the first trace. One setting of
 * each row must be there and have a value.
 */
const NEEDED: Readonly<Record<string, readonly (readonly string[])[]>> = {
  always_sample: [],
  latency: [['threshold_ms', 'upper_threshold_ms']],
  numeric_attribute: [['key'], ['min_value', 'max_value']],
  probabilistic: [['sampling_percentage']],
  status_code: [['status_codes']],
  string_attribute: [['key'], ['values']],
  rate_limiting: [['spans_per_second']],
  composite: [['max_total_spans_per_second'], ['composite_sub_policy']],
  and: [['and_sub_policy']],
  not: [['not_sub_policy']],
  drop: [['drop_sub_policy']],
  span_count: [['min_spans', 'max_spans']],
  trace_state: [['key'], ['values']],
  boolean_attribute: [['key']],
  ottl_condition: [['span', 'spanevent']],
  bytes_limiting: [['bytes_per_second']],
  trace_flags: [],
}
/** Every type. An unknown one is refused by the collector. */
export const TYPES = Object.keys(NEEDED)
/** Settings for which the sampler treats 0 as not set. */
const ZERO_IS_NOTHING = ['min_value', 'max_value', 'max_total_spans_per_second']

/** A larger file is not a list of policies. It may be a recording. */
const LIMIT_BYTES = 1_000_000
/** The sampler does not nest policies deeper: composite, and, not. */
const DEEPEST = 4

/**
 * Reads a policy file, then tries it in the real collector. The collector's own `validate` accepts unknown types, wrong
 * conditions, duplicate names and an empty list (0.159), and does not say where the YAML is broken. Returns the defects;
 * without any, the file may be used.
 */
export async function checkPolicyFile(path: string, trial: Trial): Promise<readonly Defect[]> {
  const read = readPolicies(path)
  if ('defects' in read) return read.defects
  const verdict = await trial(path)
  if (!verdict.ready) return [refusal(verdict.why, read.policies)]
  const conditions = read.policies.flatMap(withInner).flatMap(({ conditions }) => conditions)
  const failed = new Map(verdict.complaints.map((complaint) => [complaint.condition, complaint]))
  return [...failed.values()].map(({ condition, error }) => ({
    line: conditions.find(({ text }) => condition.startsWith(text.split('${')[0] ?? text))?.line ?? 1,
    message: `a condition cannot be evaluated: ${error}. Compare values of one type, and guard attributes: … != nil and …`,
  }))
}

/** The defects of a policy file that reading it finds. */
export function defectsIn(path: string): readonly Defect[] {
  const read = readPolicies(path)
  return 'defects' in read ? read.defects : []
}

/** What is allowed but probably a mistake: rules that lose traces, or make counts from kept traces wrong. */
export function warningsOn(path: string): readonly Defect[] {
  const read = readPolicies(path)
  if ('defects' in read) return []
  const { policies } = read
  const unweighted = policies.flatMap((policy) => [...unweightedIn(policy)])
  const all = policies.flatMap(withInner)
  // Both may keep traces that no rule describes.
  const opposite = all.some(({ type, settings }) => type === 'not' || settings.get('invert_match') === true)
  const samples = all.some(({ type }) => SAMPLING.includes(type))
  return [
    ...policies.flatMap(({ name, type, line }) => (type === 'drop' ? [{ line, message: dropping(name) }] : [])),
    ...unweighted,
    ...(samples || opposite
      ? []
      : [
          {
            line: policies.at(-1)?.line ?? 1,
            message:
              'no policy samples: a trace that meets no rule is never kept, so counts from kept traces say nothing about the routine. Add one at the end, with type: probabilistic and sampling_percentage: 10',
          },
        ]),
  ].sort((one, other) => one.line - other.line)
}

const SAMPLING = ['always_sample', 'probabilistic', 'rate_limiting', 'bytes_limiting']

const dropping = (name: string) =>
  `"${name}" takes away every trace that it matches, also one that must be kept and that other policies vote for. Sample what is not noise instead: type: and, with the sample and a not of this condition`

/** Each trace that these keep counts as one (threshold 0), whatever share was kept (seen with 0.161). */
function* unweightedIn(policy: Policy, around: readonly string[] = []): Generator<Defect> {
  const { name, type, line } = policy
  const called = name === '' ? `type: ${type}` : `"${name}"`
  if (type === 'composite') {
    yield {
      line,
      message: `${called} keeps what fits into a second, and what it keeps counts as one trace each: counts, errors and cost from kept traces come out too small. Write type: probabilistic, whose share is known, or type: rate_limiting, which writes its share on the trace`,
    }
  }
  const outer = around.find((outer) => ['not', 'drop'].includes(outer))
  if (['probabilistic', 'rate_limiting', 'bytes_limiting'].includes(type) && outer) {
    yield {
      line,
      message: `${called} samples inside ${outer}, where its share is not written on the trace: counts from kept traces come out too small. Sample with a policy of its own, or inside and`,
    }
  }
  for (const inner of policy.inner) yield* unweightedIn(inner, [...around, type])
}

type Condition = Readonly<{ text: string; line: number }>
type Policy = Readonly<{
  name: string
  type: string
  line: number
  keys: readonly string[]
  /** The settings below the key that has the name of its type. */
  settings: ReadonlyMap<string, unknown>
  settingsLine: number
  conditions: readonly Condition[]
  inner: readonly Policy[]
}>

const withInner = (policy: Policy): readonly Policy[] => [policy, ...policy.inner.flatMap(withInner)]

/** The bytes of a policy file as text, or what is wrong with them. */
export function readText(path: string): { text: string } | { line: number; why: string } {
  const such = 'name a file of policies, such as collector/policies/woodland.yaml'
  try {
    const found = statSync(path)
    if (!found.isFile()) return { line: 0, why: `it is ${found.isDirectory() ? 'a folder' : 'no file'}; ${such}` }
    if (found.size > LIMIT_BYTES) {
      const size = `${(found.size / 1e6).toFixed(1)} MB`
      return { line: 0, why: `it has ${size}, and a list of policies at most ${LIMIT_BYTES / 1e6} MB; ${such}` }
    }
    const bytes = readFileSync(path)
    if (bytes.subarray(0, 3).toString('hex') === 'efbbbf')
      return { line: 1, why: 'it begins with a byte order mark; save it as UTF-8 without one' }
    const text = bytes.toString('utf8')
    if (Buffer.compare(Buffer.from(text), bytes) === 0) return { text }
    const line = text.slice(0, text.indexOf('\ufffd')).split('\n').length
    return { line, why: 'it is not UTF-8 here; save it with that encoding' }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return { line: 0, why: `there is no such file; ${such}` }
    if (code === 'EACCES') return { line: 0, why: 'it may not be read by you; change its permissions (chmod u+r)' }
    return { line: 0, why: `it cannot be read (${message}); ${such}` }
  }
}

function readPolicies(path: string): { policies: readonly Policy[] } | { defects: readonly Defect[] } {
  const wrong = (line: number, message: string) => ({ defects: [{ line, message }] })
  const read = readText(path)
  if ('why' in read) return wrong(read.line, read.why)
  const yaml = locatedYaml(read.text)
  if ('why' in yaml) return wrong(yaml.line, yaml.why)
  const { document, lineOf } = yaml
  const list = document.contents
  if (list === null || (isSeq(list) && list.items.length === 0)) {
    return wrong(
      1,
      'the list is empty, and an empty list keeps nothing at all; to keep nothing on purpose, stop the backends instead',
    )
  }
  if (!isSeq(list)) return wrong(lineOf(list), noList(isMap(list) ? list.items.map(({ key }) => String(key)) : []))
  const lost: { line: number; name: string }[] = []
  visit(document, {
    Alias: (_, node) => {
      if (!node.resolve(document)) lost.push({ line: lineOf(node), name: node.source })
    },
  })
  if (lost[0])
    return wrong(lost[0].line, `nothing above is anchored as &${lost[0].name}; write that before *${lost[0].name}`)

  const followed = (node: unknown) => (isAlias(node) ? node.resolve(document) : node)
  /** The entries of a mapping, with those that it merges from others. */
  const fields = (given: unknown, depth = 0): Map<string, unknown> => {
    const node = followed(given)
    const all = new Map<string, unknown>()
    // An anchor may contain itself.
    if (!isMap(node) || depth > DEEPEST) return all
    for (const { key, value } of node.items) {
      if (String(key) !== '<<') continue
      const merged = followed(value)
      for (const one of isSeq(merged) ? merged.items : [merged])
        for (const entry of fields(one, depth + 1)) all.set(...entry)
    }
    for (const { key, value } of node.items) if (String(key) !== '<<') all.set(String(key), followed(value))
    return all
  }
  const plain = (node: unknown) => (isScalar(node) ? node.value : node)
  const items = (node: unknown) => (isSeq(node) ? node.items.map(followed) : plain(node) ? [node] : [])

  const policyOf = (item: unknown, depth: number): Policy => {
    const own = fields(item)
    const word = (key: string) => (typeof plain(own.get(key)) === 'string' ? String(plain(own.get(key))) : '')
    const type = word('type')
    const settings = fields(own.get(type))
    const conditions = ['span', 'spanevent'].flatMap((key) => items(settings.get(key)))
    return {
      name: word('name'),
      type,
      line: lineOf(item),
      keys: [...own.keys()],
      settings: new Map([...settings].map(([key, value]) => [key, plain(value)])),
      settingsLine: lineOf(own.get(type)),
      conditions:
        type === 'ottl_condition'
          ? conditions.flatMap((node) => (isScalar(node) ? [{ text: String(node.value), line: lineOf(node) }] : []))
          : [],
      inner:
        depth < DEEPEST ? items(settings.get(`${type}_sub_policy`)).map((inner) => policyOf(inner, depth + 1)) : [],
    }
  }
  const policies = list.items.map((item) => policyOf(item, 0))
  const defects = policies.flatMap((policy) => [...defectsOf(policy, policies)])
  return defects.length > 0 ? { defects } : { policies }
}

/** What to do with a file that is not a list, by its keys. */
function noList(keys: readonly string[]): string {
  if (keys.includes('processors') || keys.includes('service'))
    return 'it is a whole configuration of the Collector; keep only the list below policies: of its tail_sampling'
  if (keys.includes('policies'))
    return 'it must be a list of policies, and here the list stands below policies: ; take that line away, and the indent'
  return 'it must be a list of policies: start each with "- name:"'
}

function* defectsOf(policy: Policy, all: readonly Policy[]): Generator<Defect> {
  const { name, line } = policy
  if (name === '') {
    yield { line, message: 'a policy without a name; write name: keep-…, for it becomes a label' }
    return
  }
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)) {
    yield {
      line,
      message: `"${name}" is not a policy name; use small letters, digits and hyphens, verb first: keep-slow-calls`,
    }
  }
  const twin = all.find((other) => other.name === name)
  if (twin && twin !== policy)
    yield { line, message: `"${name}" is already the name of the policy in line ${twin.line}; names must differ` }
  for (const one of withInner(policy)) yield* settingsDefects(one, name)
}

/** What is wrong with the settings of one policy, or of one inside the policy of this name. */
function* settingsDefects(policy: Policy, name: string): Generator<Defect> {
  const { type, line, keys, settings } = policy
  if (type === '') {
    yield { line, message: `"${name}" has no type; write type: ottl_condition, for example` }
    return
  }
  if (!TYPES.includes(type)) return
  for (const key of keys.filter((key) => !['name', 'type', type].includes(key))) {
    const reads = NEEDED[type]?.length ? `reads only what stands below ${type}:` : 'has no settings'
    const first = 'the sampler would end at the first policy that votes, and counts from kept traces would be wrong'
    const why =
      key === 'sample_on_first_match'
        ? `is no setting of a policy, and ${first}`
        : `nobody reads: type ${type} ${reads}`
    yield { line, message: `"${name}" has ${key}, which ${why}; take it away` }
  }
  for (const choice of NEEDED[type] ?? []) {
    const said = choice.some((key) => {
      const value = settings.get(key)
      const nothing =
        value === undefined || value === null || value === '' || (isSeq(value) && value.items.length === 0)
      return !nothing && !(value === 0 && ZERO_IS_NOTHING.includes(key))
    })
    if (said) continue
    const others = [...settings.keys()].filter((key) => !choice.includes(key))
    const there = others.length > 0 ? `, and has ${others.join(', ')}` : ''
    const zero = choice.some((key) => ZERO_IS_NOTHING.includes(key)) ? ', other than 0,' : ''
    yield {
      line,
      message: `"${name}" needs ${choice.join(' or ')}${zero} below ${type}:${there}; without it the sampler starts and decides what nobody asked for`,
    }
  }
  for (const { text, line } of policy.conditions) {
    for (const attribute of attributesOf(text).filter((name) => !text.includes(`${name} != nil`))) {
      yield {
        line,
        message: `"${name}" calculates with ${attribute}, which is an error on every span without it; write ${attribute} != nil and …`,
      }
    }
  }
  if (type === 'ottl_condition' && settings.size > 0 && !settings.has('error_mode'))
    yield {
      line: policy.settingsLine,
      message: `"${name}" has no error_mode; write error_mode: ignore, or one odd span hides the rest of its trace`,
    }
}

/** What the collector refused, with the line of the policy and, for an unknown type, the list of types. */
function refusal(why: string, policies: readonly Policy[]): Defect {
  const index = /policies\[(\d+)\]/.exec(why)?.[1]
  const policy = index ? policies[Number(index)] : policies.find(({ name }) => why.includes(`"${name}"`))
  const unknown = /unknown sampling policy type (\S+)/.exec(why)?.[1]
  const culprit = policy && withInner(policy).find(({ type }) => type === unknown)
  const line = (culprit ?? policy)?.line ?? 1
  const hint = !unknown
    ? ''
    : TYPES.includes(unknown)
      ? `; ${unknown} cannot stand inside another policy`
      : `; there are ${TYPES.join(', ')}`
  return { line, message: `the collector refuses it: ${why}${hint}` }
}

/** Attributes with which a condition calculates. A comparison with `==` or `!=`, or a match, needs no guard. */
const attributesOf = (condition: string) => {
  const uses = [...condition.matchAll(/(?<!\bIsMatch\(|[.\w])[a-z.]*attributes\["[^"]+"\](?!\s*!?=)/g)].map(([use]) => use)
  return [...new Set(uses)]
}
