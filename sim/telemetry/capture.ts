import type { Attributes, AttributeValue, Span } from '@opentelemetry/api'
import { GEN_AI, OPENINFERENCE, WOODLAND } from '../../vocabulary/attributes.ts'
import { isTool } from '../agents/tools.ts'
import { GOODS } from '../economy/world.ts'

/**
 * How much of prompts and replies leaves this process. full: all of it. metadata: who spoke, the kind of each part and its
 * length. off: nothing.
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

/** A model chooses these names. It may invent one, and then the name is free text. */
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

/** The part of some attributes that may leave. */
export function allowedOf(capture: Capture, attributes: Attributes): Attributes {
  if (capture === 'full') return attributes
  const entries = Object.entries(attributes).flatMap(([key, value]): [string, AttributeValue | undefined][] => {
    if (CONTENT.includes(key))
      return capture === 'metadata' && MESSAGES.includes(key) ? [[key, outline(String(value))]] : []
    const isKnown = CHOSEN[key]
    return [[key, isKnown && !isKnown(String(value)) ? INVENTED : value]]
  })
  return Object.fromEntries(entries)
}

/** One word that says what went wrong. A longer text may quote a reply. */
const isWord = (text: string) => /^[a-z0-9_]+$/.test(text)

/** Limits a span to what may leave, also for what is set later. */
export function limited(span: Span, capture: Capture): Span {
  if (capture === 'full') return span
  const plain = {
    setAttribute: span.setAttribute.bind(span),
    addEvent: span.addEvent.bind(span),
    setStatus: span.setStatus.bind(span),
  }
  // setAttributes of the SDK sets each with setAttribute.
  span.setAttribute = (key, value) => {
    const { [key]: rest } = allowedOf(capture, { [key]: value })
    return rest === undefined ? span : plain.setAttribute(key, rest)
  }
  span.addEvent = (name, second, third) =>
    typeof second === 'object' && !Array.isArray(second) && !(second instanceof Date)
      ? plain.addEvent(name, allowedOf(capture, second), third)
      : plain.addEvent(name, second, third)
  span.setStatus = ({ code, message }) => plain.setStatus(message && isWord(message) ? { code, message } : { code })
  // It would quote the error.
  span.recordException = () => {}
  return span
}
