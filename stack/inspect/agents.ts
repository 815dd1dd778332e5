import { DIALECTS, GEN_AI } from '../../vocabulary/attributes.ts'
import type { Span } from '../queries.ts'
import { type Counted, isCall } from './counted.ts'
import { few, type Line, note, ok, onResource, some } from './line.ts'
import { agentLines, nearestExample } from './sdk.ts'
import { isCallSpan } from './stored.ts'

/** A workflow has no agent of its own. */
const HAS_AGENT = (operation: string) => operation !== '' && operation !== 'invoke_workflow'

/** Whose name the boards group by: the agent's own, or one that stands for it. Counts tell how much, kept spans tell why. */
export function agentNames({ service, groups, agentsAbove }: Counted, mine: readonly Span[]): Line | undefined {
  const calls = groups.filter(isCall)
  const asked = calls.length > 0 ? calls : groups.filter(({ operation }) => HAS_AGENT(operation))
  if (asked.length === 0) return undefined
  const what = calls.length > 0 ? 'call' : 'span'
  const count = (some: typeof asked) => some.reduce((sum, { count }) => sum + count, 0)
  // An agent may be called as its service is: then kept spans carry no mark.
  const named = mine.filter(({ attributes }) => attributes[GEN_AI.AGENT] === service)
  const isItsName = named.length > 0 && named.every(({ attributes }) => attributes[DIALECTS.AGENT_FROM] !== 'service')
  const byService = asked.filter(({ agent }) => agent === '' || (agent === service && !isItsName))
  const names = [...new Set(asked.map(({ agent }) => agent))].filter(
    (name) => name !== '' && (name !== service || isItsName),
  )
  if (byService.length === 0) return ok('agent names', `${few(names)}: ${sourceOf(mine)}`)
  const { file, lines } = agentLines(
    nearestExample(calls.length > 0 && mine.some(isCallSpan) ? mine.filter(isCallSpan) : mine),
  )
  return note(
    'agent names',
    `${count(byService)} of ${some(count(asked), what)} do not name their agent: the service's name stands for it${names.length > 0 ? `; the others name ${few(names)}` : ''}${agentsAbove.length > 0 ? `; the Agent map estimates tokens of ${few(agentsAbove)} above them` : ''}`,
    `${onResource(`${GEN_AI.AGENT}=NAME`)}   # if the program is one agent`,
    `# else, from ${file}:`,
    ...lines.map((line) => `  ${line}`),
  )
}

function sourceOf(mine: readonly Span[]): string {
  const named = mine.filter(({ attributes }) => attributes[GEN_AI.AGENT] !== undefined)
  if (named.length === 0) return 'they name their agent'
  if (named.some(({ attributes }) => attributes[DIALECTS.AGENT_FROM] === 'resource'))
    return `${GEN_AI.AGENT} of the resource`
  const dialect = named.find(({ attributes }) => attributes[DIALECTS.DIALECT])?.attributes[DIALECTS.DIALECT]
  return dialect ? `from the words of ${dialect}` : 'spans name it themselves'
}
