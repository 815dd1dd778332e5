import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import type { Complaint, Trial } from './check.ts'
import { type Command, listening } from './collector.ts'

type Scratch = Readonly<{
  /** How to start the collector with this policy file and this environment. */
  command: (policyFile: string, env: Readonly<Record<string, string>>) => Command
  ports: readonly number[]
}>

const READY = 'Everything is ready'
const START_LIMIT_MS = 15_000
/** The sampler decides once a second; the probe is judged by the second time. */
const JUDGED_AFTER_MS = 2000

/**
 * Starts the shipped configuration with another policy file and on ports of its own, shows it spans of every
 * shape, and stops it. Nothing it exports arrives anywhere.
 */
export const trialWith =
  ({ command, ports }: Scratch): Trial =>
  async (policyFile) => {
    const scratch = listening(ports)
    const controller = new AbortController()
    const lines: string[] = []
    try {
      const { file, args, env } = command(policyFile, {
        ...scratch,
        DECISION_WAIT: '1s',
      })
      const collector = execa(file, args, {
        env,
        extendEnv: false,
        all: true,
        buffer: false,
        reject: false,
        cancelSignal: controller.signal,
        forceKillAfterDelay: 5000,
      })
      let ended = false
      const reading = (async () => {
        for await (const line of collector.iterable({ from: 'all' })) lines.push(line)
      })().finally(() => {
        ended = true
      })
      reading.catch(() => {})
      const until = Date.now() + START_LIMIT_MS
      while (!ended && Date.now() < until && !lines.some((line) => line.includes(READY))) await sleep(20)
      if (ended || !lines.some((line) => line.includes(READY))) {
        controller.abort()
        const text = lines.length > 0 ? lastWords(lines) : ((await collector).shortMessage ?? 'it said nothing')
        if (!/tail_sampling|policies/.test(text)) {
          throw new Error(
            `the collector refuses its own configuration: ${readable(text)}. See collector/config.yaml and privacy/`,
          )
        }
        return { ready: false, why: readable(text) }
      }
      await fetch(`http://127.0.0.1:${scratch.OTLP_HTTP_PORT}/v1/traces`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(probe()),
      })
      await sleep(JUDGED_AFTER_MS)
      controller.abort()
      await reading.catch(() => {})
      const complaints = lines.filter((line) => line.includes('failed to eval')).map(complaint)
      return { ready: true, complaints }
    } finally {
      controller.abort()
    }
  }

/** What the collector said of the error that ended it, which may take several lines. */
function lastWords(lines: readonly string[]): string {
  const text = lines.join('\n')
  const from = Math.max(text.lastIndexOf('Error: '), text.lastIndexOf('collector server run finished with error: '), 0)
  return text.slice(from).replace(/\t\{.*$/gm, '')
}

/** The same without its contexts, of which only the innermost helps. */
const readable = (text: string) =>
  text
    .replace(/^[\s\S]*following error\(s\):/, '')
    .replace(/^(?:Error: |[a-z ]+ with error: |[a-z ]+ pipelines: |failed to start "tail_sampling" processor: )+/, '')
    .replace(/\s*\n\s*/g, ' ')
    .trim()

/** The condition and the error that a warning of the collector names at its end, in JSON. */
function complaint(line: string): Complaint {
  const { condition = '', error = line } = JSON.parse(line.slice(line.indexOf('{'))) as Partial<Complaint>
  return { condition, error }
}

const id = (digit: string, length: number) => digit.repeat(length)

/** Spans that have nothing, and spans that have everything with the types that senders use. */
function probe() {
  const now = Date.now() * 1_000_000
  const span = (
    index: number,
    name: string,
    attributes: Record<string, { stringValue: string } | { intValue: number }>,
  ) => ({
    traceId: id(String(index), 32),
    spanId: id(String(index), 16),
    name,
    kind: 1,
    startTimeUnixNano: String(now),
    endTimeUnixNano: String(now + 1_000_000),
    attributes: Object.entries(attributes).map(([key, value]) => ({ key, value })),
  })
  const text = (stringValue: string) => ({ stringValue })
  const number = (intValue: number) => ({ intValue })
  return {
    resourceSpans: [
      {
        resource: { attributes: [{ key: 'service.name', value: text('policy-trial') }] },
        scopeSpans: [
          {
            spans: [
              span(1, 'bare', {}),
              span(2, 'chat model', {
                'gen_ai.operation.name': text('chat'),
                'gen_ai.agent.name': text('fox'),
                'gen_ai.usage.input_tokens': number(100),
                'gen_ai.usage.output_tokens': number(10),
                'error.type': text('timeout'),
              }),
              span(3, 'invoke_workflow tick', {
                'gen_ai.operation.name': text('invoke_workflow'),
                'woodland.tokens': number(5000),
              }),
            ],
          },
        ],
      },
    ],
  }
}
