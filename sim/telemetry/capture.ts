import type { Attributes, AttributeValue, Span } from '@opentelemetry/api'
import { GEN_AI, OPENINFERENCE, WOODLAND } from '../../vocabulary/attributes.ts'
import { isTool } from '../agents/tools.ts'
import { GOODS } from '../economy/world.ts'

/**
 * How much leaves this process of what models were asked and answered: all of it; who spoke, what kind of part it was and
 * how long; nothing.
 */
export const CAPTURES = ['full', 'metadata', 'off'] as const
export type Capture = (typeof CAPTURES)[number]

const MESSAGES: readonly string[] = [GEN_AI.INPUT_MESSAGES, GEN_AI.OUTPUT_MESSAGES]
const CONTENT: readonly string[] = [
  ...MESSAGES,
  GEN_AI.TOOL_ARGUMENTS,
  GEN_AI.TOOL_RESULT,
  OPENINFERENCE.INPUT,
  OPENINFERENCE.OUTPUT,
]

/** Names that a model chooses: it may invent one, and then it is free text. */
const isGood = (name: string) => GOODS.some((good) => good === name)
const CHOSEN: Readonly<Record<string, (name: string) => boolean>> = {
  [GEN_AI.TOOL_NAME]: (name) => isTool(name) || name === 'place_order',
  [WOODLAND.GOOD]: isGood,
  [WOODLAND.BUY_GOOD]: isGood,
  [WOODLAND.SELL_GOOD]: isGood,
}
const INVENTED = 'invented'

type Part = Readonly<{
  type: string
  id?: string
  name?: string
  content?: string
  arguments?: string
  response?: string
}>
type Message = Readonly<{ role: string; parts: readonly Part[]; finish_reason?: string }>

/** Messages without a word of what they say. */
function outline(json: string): string {
  const part = ({ type, id, name, content, arguments: args, response }: Part) => ({
    type,
    ...(id === undefined ? {} : { id }),
    ...(name === undefined ? {} : { name: isTool(name) ? name : INVENTED }),
    bytes: Buffer.byteLength(content ?? args ?? response ?? ''),
  })
  const messages: readonly Message[] = JSON.parse(json)
  return JSON.stringify(messages.map((message) => ({ ...message, parts: message.parts.map(part) })))
}

/** What may be told of some attributes. */
export function told(capture: Capture, attributes: Attributes): Attributes {
  if (capture === 'full') return attributes
  const entries = Object.entries(attributes).flatMap(([key, value]): [string, AttributeValue | undefined][] => {
    if (CONTENT.includes(key))
      return capture === 'metadata' && MESSAGES.includes(key) ? [[key, outline(String(value))]] : []
    const isKnown = CHOSEN[key]
    return [[key, isKnown && !isKnown(String(value)) ? INVENTED : value]]
  })
  return Object.fromEntries(entries)
}

/** A word that says what went wrong; anything longer may quote a reply. */
const isWord = (text: string) => /^[a-z0-9_]+$/.test(text)

/** Makes a span tell no more than it may, whoever fills it: nothing that is set later gets past. */
export function discreet(span: Span, capture: Capture): Span {
  if (capture === 'full') return span
  const plain = {
    setAttribute: span.setAttribute.bind(span),
    addEvent: span.addEvent.bind(span),
    setStatus: span.setStatus.bind(span),
  }
  // setAttributes of the SDK sets each with setAttribute.
  span.setAttribute = (key, value) => {
    const { [key]: rest } = told(capture, { [key]: value })
    return rest === undefined ? span : plain.setAttribute(key, rest)
  }
  span.addEvent = (name, second, third) =>
    typeof second === 'object' && !Array.isArray(second) && !(second instanceof Date)
      ? plain.addEvent(name, told(capture, second), third)
      : plain.addEvent(name, second, third)
  span.setStatus = ({ code, message }) => plain.setStatus(message && isWord(message) ? { code, message } : { code })
  // Names what was thrown, and quotes it.
  span.recordException = () => {}
  return span
}
