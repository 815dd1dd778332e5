import { readFileSync } from 'node:fs'
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type YAMLMap } from 'yaml'

/** One thing wrong with a policy file, with the line to look at and what to do. */
export type Defect = Readonly<{ line: number; message: string }>

/** A condition of a policy that failed on some span, as the collector warned. */
export type Complaint = Readonly<{ condition: string; error: string }>

/**
 * What the scratch collector answers: `ready`, with the conditions that failed on spans of ordinary shapes, or the
 * sentence with which it refused. Throws when what it refuses is not the policy file.
 */
export type Trial = (
  policyFile: string,
) => Promise<{ ready: true; complaints: readonly Complaint[] } | { ready: false; why: string }>

/**
 * Reads a policy file as a person would, then lets the real collector judge it. The collector's own
 * `validate` passes unknown types, wrong conditions, duplicate names and an empty list (0.159), and
 * swallows where the YAML is broken. Answers the defects; none means the file may be used.
 */
export async function checkPolicyFile(path: string, trial: Trial): Promise<readonly Defect[]> {
  const read = readPolicies(path)
  if ('defects' in read) return read.defects
  const { policies, conditions } = read
  const verdict = await trial(path)
  if (!verdict.ready) {
    const { why } = verdict
    const index = /policies\[(\d+)\]/.exec(why)?.[1]
    const policy = index ? policies[Number(index)] : policies.find(({ name }) => why.includes(`"${name}"`))
    return [{ line: policy?.line ?? 1, message: `the collector refuses it: ${why}` }]
  }
  const failed = new Map(verdict.complaints.map((complaint) => [complaint.condition, complaint]))
  return [...failed.values()].map(({ condition, error }) => ({
    line: conditions.find(({ text }) => condition.startsWith(text.split('${')[0] ?? text))?.line ?? 1,
    message: `a condition cannot be evaluated: ${error}. Compare values of one type, and guard attributes: … != nil and …`,
  }))
}

type Policy = Readonly<{ name: string; line: number }>

type Condition = Readonly<{ text: string; line: number }>
type Policies = Readonly<{ policies: readonly Policy[]; conditions: readonly Condition[] }>

function readPolicies(path: string): Policies | { defects: readonly Defect[] } {
  const wrong = (line: number, message: string) => ({ defects: [{ line, message }] })
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const reason =
      (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : (error as Error).message
    return wrong(0, `${reason}; name a file of policies, such as collector/policies/woodland.yaml`)
  }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines })
  const broken = document.errors[0]
  if (broken) return wrong(lines.linePos(broken.pos[0]).line, `it is not YAML: ${broken.message.split('\n')[0]}`)
  const list = document.contents
  if (list === null || (isSeq(list) && list.items.length === 0)) {
    return wrong(
      1,
      'the list is empty, and an empty list keeps nothing at all; to keep nothing on purpose, stop the backends instead',
    )
  }
  if (!isSeq(list))
    return wrong(lines.linePos(list.range?.[0] ?? 0).line, 'it must be a list of policies: start each with "- name:"')

  const defects: Defect[] = []
  const policies: Policy[] = []
  const conditions: Condition[] = []
  for (const item of list.items) {
    const line = lines.linePos((item as YAMLMap).range?.[0] ?? 0).line
    const field = (key: string) => (isMap(item) ? item.get(key) : undefined)
    const name = field('name')
    if (typeof name !== 'string' || name === '') {
      defects.push({ line, message: 'a policy without a name; write name: keep-…, for it becomes a label' })
      continue
    }
    if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)) {
      defects.push({
        line,
        message: `"${name}" is not a policy name; use small letters, digits and hyphens, verb first: keep-slow-calls`,
      })
    }
    const twin = policies.find((policy) => policy.name === name)
    if (twin)
      defects.push({
        line,
        message: `"${name}" is already the name of the policy in line ${twin.line}; names must differ`,
      })
    if (typeof field('type') !== 'string')
      defects.push({ line, message: `"${name}" has no type; write type: ottl_condition, for example` })
    policies.push({ name, line })
    for (const { text, offset } of conditionsOf(item as YAMLMap)) {
      const condition = { text, line: lines.linePos(offset).line }
      conditions.push(condition)
      for (const attribute of attributesOf(text).filter((name) => !text.includes(`${name} != nil`))) {
        defects.push({
          line: condition.line,
          message: `"${name}" calculates with ${attribute}, which is an error on every span without it; write ${attribute} != nil and …`,
        })
      }
    }
    for (const at of missingErrorModes(item as YAMLMap)) {
      defects.push({
        line: lines.linePos(at).line,
        message: `"${name}" has no error_mode; write error_mode: ignore, or one odd span hides the rest of its trace`,
      })
    }
  }
  return defects.length > 0 ? { defects } : { policies, conditions }
}

/** Every `ottl_condition` block of a policy, at whatever depth `and`, `drop` or `composite` nest it. */
function* ottlBlocks(node: unknown): Generator<YAMLMap> {
  if (isSeq(node)) for (const item of node.items) yield* ottlBlocks(item)
  if (!isMap(node)) return
  for (const { key, value } of node.items) {
    if (isScalar(key) && key.value === 'ottl_condition' && isMap(value)) yield value
    else yield* ottlBlocks(value)
  }
}

function* missingErrorModes(policy: YAMLMap): Generator<number> {
  for (const block of ottlBlocks(policy)) if (!block.has('error_mode')) yield block.range?.[0] ?? 0
}

function* conditionsOf(policy: YAMLMap): Generator<{ text: string; offset: number }> {
  for (const block of ottlBlocks(policy)) {
    for (const { value } of block.items) {
      if (!isSeq(value)) continue
      for (const item of value.items) {
        if (isScalar(item) && typeof item.value === 'string') yield { text: item.value, offset: item.range?.[0] ?? 0 }
      }
    }
  }
}

/** Attributes that a condition calculates with. To ask whether one equals a value is safe without a guard. */
const attributesOf = (condition: string) => {
  const uses = [...condition.matchAll(/\b[a-z.]*attributes\["[^"]+"\](?!\s*!?=)/g)].map(([use]) => use)
  return [...new Set(uses)]
}
