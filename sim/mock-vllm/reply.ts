import { createHash } from 'node:crypto'
import { roll } from '../../random/random.ts'
import { draw, type Kind, type Rates } from './faults.ts'
import { personalNote } from './person.ts'
import { answerKey, type ChatRequest, seedOf, toolKey } from './request.ts'
import { valueFor } from './schema.ts'
import { tokens } from './tokens.ts'
import { decide, mistake } from './trader.ts'

/** What the model says: text, or one tool call of which the text is the arguments, in the pieces a stream sends. */
export type Reply = Readonly<{
  pieces: readonly string[]
  tool: Readonly<{ id: string; name: string }> | null
  finish: 'stop' | 'length' | 'tool_calls'
  /** The text that ended it. */
  stop: string | null
}>

/** Chance of a tool call before deciding, by rounds already made; never a third round. */
const TOOL_CHANCE = [0.35, 0.2]
/** The same for an agent that is not one of our creatures: it calls one tool, then it answers. */
const TOOL_CHANCE_OF_OTHERS = [1]

/** One reply for each choice. */
export const repliesTo = (request: ChatRequest, rates: Rates): readonly Reply[] =>
  Array.from({ length: request.choices }, (_, index) => replyTo({ ...request, seed: seedOf(request, index) }, rates))

/** A pure function of the request and the rates: the same body gets the same reply. */
export function replyTo(request: ChatRequest, rates: Rates): Reply {
  const { state, body, agent, seed, toolRounds, maxTokens, stops } = request
  const said = (text: string, mostTokens: number, tool: Reply['tool'] = null) =>
    cut(text, mostTokens, tool, stops, body.include_stop_str_in_output ?? false)
  const call = toolCall(request, rates)
  if (call) return said(call.arguments, maxTokens, call)

  const key = answerKey(seed, toolRounds)
  const note = draw('content', rates, agent, ...key) ? { note: personalNote(...key) } : {}
  const schema = body.response_format?.type === 'json_schema' ? body.response_format.json_schema?.schema : undefined
  if (schema !== undefined) {
    // A server that decodes along a schema cannot make the mistakes below.
    const made = valueFor(schema, ...key)
    if ('value' in made) return said(onOneLine(made.value), maxTokens)
  }
  if (!state && !body.response_format?.type.startsWith('json')) {
    const sentence = `I read your ${body.messages.length} messages; being a mock, I have one sentence to say.`
    return said([sentence, ...Object.values(note)].join(' '), maxTokens)
  }
  const wrong = draw('decision', rates, agent, ...key)
  const decision = state && decide(state, ...key)
  const value = decision && wrong ? mistake(wrong, decision, state, ...key) : (decision ?? { answer: 'I am a mock.' })
  const json = onOneLine({ ...value, ...note })
  const format = draw('format', rates, agent, ...key)
  if (format !== 'truncated') return said(format ? misshape(format, json, ...key) : json, maxTokens)
  const middle = tokens(json).length * (0.3 + 0.4 * roll(...key, 'cut'))
  return said(json, Math.min(Math.ceil(middle), maxTokens))
}

/** On one line with spaces, as models write JSON. */
const onOneLine = (value: unknown): string => JSON.stringify(value, null, 1).replace(/\n\s*/g, ' ')

/** Ends a text at the first stop text or at the last token. Arguments that a stop text cuts are no tool call but text, as in vLLM. */
function cut(text: string, maxTokens: number, tool: Reply['tool'], stops: readonly string[], withStop: boolean): Reply {
  const found = stops.map((stop) => ({ stop, at: text.indexOf(stop) })).filter(({ at }) => at >= 0)
  const [first] = found.sort((a, b) => a.at - b.at)
  const pieces = tokens(first ? text.slice(0, first.at + (withStop ? first.stop.length : 0)) : text)
  if (pieces.length > maxTokens) return { pieces: pieces.slice(0, maxTokens), tool, finish: 'length', stop: null }
  return first
    ? { pieces, tool: null, finish: 'stop', stop: first.stop }
    : { pieces, tool, finish: tool ? 'tool_calls' : 'stop', stop: null }
}

type Format = Exclude<Kind<'format'>, 'truncated'>

function misshape(format: Format, json: string, ...key: readonly (string | number)[]): string {
  switch (format) {
    case 'malformed':
      return roll(...key, format) < 0.5 ? json.replaceAll('"', "'") : json.replace(/ \}$/, ', "mood": , }')
    case 'prose':
      return 'I think I will wait a little and see how prices move before I trade anything today.'
    case 'fenced':
      return `Here is my decision:\n\`\`\`json\n${json}\n\`\`\`\nI hope this helps!`
    case 'reasoning':
      return `<think>Let me see. My larder is what matters most, and prices have been moving lately.</think>\n${json}`
  }
}

function toolCall(request: ChatRequest, rates: Rates): { id: string; name: string; arguments: string } | null {
  const { body, state, agent, seed, toolRounds } = request
  const key = toolKey(seed, toolRounds)
  const offered = (body.tools ?? []).map((tool) => tool.function.name)
  const choice = body.tool_choice ?? 'auto'
  if (offered.length === 0 || choice === 'none') return null
  const called = typeof choice === 'object' ? choice.function.name : null
  const chance = called || choice === 'required' ? 1 : ((state ? TOOL_CHANCE : TOOL_CHANCE_OF_OTHERS)[toolRounds] ?? 0)
  if (roll(...key) >= chance) return null

  const wrong = draw('tool', rates, agent, ...key)
  const name = called ?? offered[Math.floor(roll(...key, 'name') * offered.length)] ?? ''
  const id = `chatcmpl-tool-${createHash('sha256').update(key.join()).digest('hex').slice(0, 32)}`
  if (wrong === 'unknown_tool') return { id, name: 'check_weather', arguments: '{"place": "the wood"}' }
  if (wrong === 'bad_arguments') return { id, name, arguments: '{"good": ["all of them"], "value": "many"' }

  const good = state?.needs[Math.floor(roll(...key, 'good') * state.needs.length)] ?? 'acorns'
  const amount = 1 + Math.floor(roll(...key, 'amount') * 9)
  const known: Readonly<Record<string, object>> = {
    recent_prices: { good },
    calculate: { expression: `${amount} * ${state?.last_prices[good] ?? 1.05}` },
    convert_units:
      roll(...key, 'unit') < 0.5 ? { value: amount, from: 'kg', to: 'lb' } : { value: amount, from: 'miles', to: 'km' },
  }
  if (state && known[name]) return { id, name, arguments: JSON.stringify(known[name]) }
  const made = valueFor(body.tools?.find((tool) => tool.function.name === name)?.function.parameters ?? {}, ...key)
  return { id, name, arguments: JSON.stringify('value' in made ? made.value : {}) }
}
