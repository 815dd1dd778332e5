import { isMap, isSeq, parseDocument } from 'yaml'
import { UserError } from './user-error.ts'

/** How much a list may keep. Both are sizes of traces as the sampler has them: OTLP in protobuf, after masking. */
type Limit = Readonly<{
  bytesPerDay: number
  /** The largest trace that the sampler takes. No limit may be too small for one of them, or it could never be kept. */
  largestTraceBytes: number
}>

/** What ordinary traces get. The rest belongs to the rules, in equal shares. */
const SHARE_OF_SAMPLE = 0.1
const SECONDS_PER_DAY = 86_400
const SAMPLES = ['probabilistic', 'always_sample']
/** A limit cannot stand around these, or they have one already. */
const REFUSED = ['composite', 'not', 'rate_limiting', 'bytes_limiting']
/** It keeps nothing. */
const DROP = 'drop'

/**
 * The list with a limit of bytes in each policy. Each rule keeps its name and has a fixed share, so no class of traces can
 * take the room of another. Samples become one policy that keeps as many traces as fit: `probabilistic` draws by a hash of its
 * own and limits by the randomness of the trace id, so the two together would write a wrong weight on a trace (seen with 0.161).
 * Throws `UserError` for a policy that cannot have a limit.
 */
export function limited(list: string, { bytesPerDay, largestTraceBytes }: Limit): string {
  const document = parseDocument(list)
  const { contents } = document
  if (!isSeq(contents)) return list
  const policies = contents.items.filter((item) => isMap(item))
  const typeOf = (policy: (typeof policies)[number]) => String(policy.get('type'))
  const innerOf = (policy: (typeof policies)[number]) => {
    const inner = policy.getIn(['and', 'and_sub_policy'])
    return isSeq(inner) ? inner : undefined
  }
  for (const policy of policies) {
    const inner = innerOf(policy)?.items.flatMap((item) => (isMap(item) ? String(item.get('type')) : [])) ?? []
    const wrong = [typeOf(policy), ...inner].find(
      (type, index) => REFUSED.includes(type) || (index > 0 && SAMPLES.includes(type)),
    )
    if (wrong !== undefined)
      throw new UserError(
        `"${policy.get('name')}" has the type ${wrong}, beside which no limit of bytes can stand. Take it out of the list, or write it as a rule.`,
      )
  }
  const rules = policies.filter((policy) => ![...SAMPLES, DROP].includes(typeOf(policy)))
  const hasSample = policies.some((policy) => SAMPLES.includes(typeOf(policy)))
  const limitOf = (name: string, share: number) => {
    const perSecond = Math.floor((bytesPerDay * share) / SECONDS_PER_DAY)
    if (perSecond < 1) throw new UserError(`Each policy would have less than one byte a second: allow more.`)
    const bytes_limiting = { bytes_per_second: perSecond, burst_capacity: Math.max(largestTraceBytes, perSecond) }
    return document.createNode({ name, type: 'bytes_limiting', bytes_limiting })
  }
  const share = (hasSample ? 1 - SHARE_OF_SAMPLE : 1) / Math.max(rules.length, 1)
  for (const policy of rules) {
    const limit = limitOf('within-its-share', share)
    const inner = innerOf(policy)
    if (inner) {
      inner.add(limit)
      continue
    }
    const around = document.createNode({ name: policy.get('name'), type: 'and', and: { and_sub_policy: [{}, limit] } })
    const first = around.getIn(['and', 'and_sub_policy', 0])
    if (isMap(first)) first.items.push(...policy.items.splice(0))
    policy.items.push(...(around as typeof policy).items)
  }
  if (hasSample) {
    contents.items = contents.items.filter((item) => !isMap(item) || !SAMPLES.includes(typeOf(item)))
    const sample = limitOf('sample-what-fits', rules.length > 0 ? SHARE_OF_SAMPLE : 1)
    sample.spaceBefore = true
    document.add(sample)
  }
  return document.toString({ lineWidth: 0 })
}
