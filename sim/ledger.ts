import { createWriteStream, mkdirSync, openSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { finished } from 'node:stream/promises'

/** Every line of a ledger. The run itself writes it; telemetry does not read or write it. */
export type Entry =
  | Readonly<{ kind: 'run'; run: string; seed: number; model: string; timeFactor: number; started: string }>
  | Readonly<{
      kind: 'call'
      tick: number
      agent: string
      attempt: number
      trace: string
      model: string
      outcome: string
      inputTokens: number
      outputTokens: number
      ms: number
    }>
  | Readonly<{
      kind: 'turn'
      tick: number
      agent: string
      trace: string
      outcome: string
      attempts: number
      toolCalls: number
      ms: number
    }>
  | Readonly<{ kind: 'tick'; tick: number; trace: string; trades: number; pebbles: number; tokens: number; ms: number }>

export type Ledger = Readonly<{ write: (entry: Entry) => void; close: () => Promise<void> }>

/** The entries of a ledger that was closed. */
export const readLedger = (path: string): readonly Entry[] =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

/** A ledger in JSON lines. Throws when the file cannot be made; nothing is lost on `close`. */
export function openLedger(path: string): Ledger {
  const file = createWriteStream(path, { fd: create(path) })
  const done = finished(file)
  done.catch(() => {})
  return {
    write: (entry) => void file.write(`${JSON.stringify(entry)}\n`),
    close: async () => {
      file.end()
      await done
    },
  }
}

function create(path: string): number {
  try {
    mkdirSync(dirname(path), { recursive: true })
    return openSync(path, 'wx')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why = code === 'EEXIST' ? 'the file exists, and a ledger is never overwritten' : message
    throw new Error(`the ledger "${path}" cannot be made: ${why}. Name another file with --ledger or LEDGER.`)
  }
}
