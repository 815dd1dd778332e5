import { z } from 'zod'

const Side = z.object({ good: z.string(), price: z.number().positive().max(1e6), quantity: z.number() })

const Decision = z.object({ buy: Side.nullish(), sell: Side.nullish(), mood: z.number().min(0).max(1) })

export type Decision = z.infer<typeof Decision>

export type Reading = { readable: true; decision: Decision; repaired: boolean } | { readable: false; why: string }

/**
 * Reads a model's reply. Tolerates what small models put around JSON (a reasoning block, a code fence,
 * prose) and says when it had to; never guesses at broken JSON, because a guessed order moves money.
 */
export function read(reply: string): Reading {
  let why = reply.trim() === '' ? 'the reply is empty' : 'the reply holds no JSON object'
  for (const [index, candidate] of [...candidates(reply)].entries()) {
    const value = parse(candidate)
    if (value === undefined) continue
    const parsed = Decision.safeParse(value)
    if (parsed.success) return { readable: true, decision: parsed.data, repaired: index > 0 }
    const issue = parsed.error.issues[0]
    why = `${issue?.path.join('.') || 'the reply'}: ${issue?.message ?? 'is not a decision'}`
  }
  return { readable: false, why }
}

function* candidates(reply: string): Generator<string> {
  yield reply
  const text = reply.replace(/<think>[\s\S]*?<\/think>/g, '')
  for (let start = text.indexOf('{'); start >= 0; start = text.indexOf('{', start + 1)) {
    const end = closing(text, start)
    if (end > 0) yield text.slice(start, end + 1)
  }
}

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
