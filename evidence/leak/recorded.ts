import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { TraceRequest } from '../../otlp/json.ts'

const FOLDER = join(import.meta.dirname, '../foreign/recordings')
const END = '.jsonl.gz'

/** What real SDKs sent, one list of requests for each recording. Recordings of metrics are left out. */
export function recordedTraces(): ReadonlyMap<string, readonly TraceRequest[]> {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith(END))
  return new Map(
    files.map((file) => {
      const text = gunzipSync(readFileSync(join(FOLDER, file))).toString()
      const bodies = text.split('\n').flatMap((line) => (line ? [(JSON.parse(line) as { body: object }).body] : []))
      return [basename(file, END), bodies.filter((body): body is TraceRequest => 'resourceSpans' in body)]
    }),
  )
}

/** What the agents were told when they were recorded, and what must be masked in each recorded value. */
export const PLANTED = [
  'maria.lopez@acme-corp.com',
  '4111 1111 1111 1111',
  '+1 415 555 0132',
  'sk-proj-Zq8rT2vXy7Lw9Kd3Hf6Jm1Np5Bs4Gc0A',
] as const
