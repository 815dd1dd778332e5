import { z } from 'zod'

const Side = z.object({ good: z.string(), price: z.number().positive().max(1e6), quantity: z.number() })

const Decision = z.object({ buy: Side.nullish(), sell: Side.nullish(), mood: z.number().min(0).max(1) })

export type Decision = z.infer<typeof Decision>

type Reading = { readable: true; decision: Decision; repaired: boolean } | { readable: false; why: string }

/** Each opening brace costs one walk through the reply. Real replies hold a few; this limits the cost of a hostile one. */
const MAX_BRACES = 100

/**
 * Reads a model's reply. Tolerates what small models put around JSON (a reasoning block, a code fence,
 * prose) and says when it had to. It never guesses at broken JSON, because a guessed order moves money.
 */
export function read(reply: string): Reading {
  let why: string | undefined
  let repaired = false
  for (const candidate of candidates(reply)) {
    const value = parse(candidate)
    if (value !== undefined) {
      const parsed = Decision.safeParse(value)
      if (parsed.success) return { readable: true, decision: parsed.data, repaired }
      const issue = parsed.error.issues[0]
      why ??= `${issue?.path.join('.') || 'the reply'}: ${issue?.message ?? 'is not a decision'}`
    }
    repaired = true
  }
  return { readable: false, why: why ?? (reply.trim() ? 'the reply holds no JSON object' : 'the reply is empty') }
}

function* candidates(reply: string): Generator<string> {
  yield reply
  const text = withoutReasoning(reply)
  let start = text.indexOf('{')
  for (let braces = 0; start >= 0 && braces < MAX_BRACES; braces++) {
    const end = closing(text, start)
    if (end > 0) yield text.slice(start, end + 1)
    start = text.indexOf('{', start + 1)
  }
}

/** A draft inside reasoning is not a decision. The block may never end, and a chat template may drop its opening tag. */
const withoutReasoning = (reply: string): string => reply.split('</think>').at(-1)?.split('<think>')[0] ?? ''

function closing(text: string, start: number): number {
  let depth = 0
  let quoted = false
  for (let i = start; i < text.length; i++) {
    const char = text[i]
    if (quoted && char === '\\') i++
    else if (char === '"') quoted = !quoted
    else if (!quoted && char === '{') depth++
    else if (!quoted && char === '}' && --depth === 0) return i
  }
  return -1
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
