import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { nanosOf, type Span, toAttributes, traceRequest } from '../otlp/json.ts'
import { postOtlp } from '../otlp/post.ts'
import type { Complaint, Trial } from './check.ts'
import { type Launcher, NotStarted, startCollector, UNMASKED } from './collector.ts'
import { UserError } from './user-error.ts'

/**
 * Starts the shipped configuration with a policy file, sends it spans of different shapes, and
 * stops it. It exports to nowhere.
 */
export const trialIn =
  (launcher: Launcher, folder: string): Trial =>
  async (policyFile) => {
    const warnings: string[] = []
    const list = join(folder, 'policies.yaml')
    copyFileSync(policyFile, list)
    const env = { POLICY_FILE: list }
    let panic = ''
    const line = (text: string) => {
      if (text.startsWith('panic: ')) panic = text
      if (text.includes('failed to eval')) warnings.push(text)
    }
    try {
      const collector = await startCollector(launcher, { folder, overlays: [UNMASKED], env, line })
      try {
        await postOtlp(`${collector.otlp}/v1/traces`, probe())
        launcher.cancel.throwIfAborted()
        collector.alive()
      } finally {
        // Before it ends, it decides on all waiting traces, however fast the machine is.
        await collector.stop()
      }
      // With some lists the collector starts, but ends at the first trace that it decides on.
      if (panic) return { ready: false, why: `it ended at the first trace that it judged: ${panic}` }
    } catch (error) {
      if (!(error instanceof NotStarted)) throw error
      const text = error.said.length > 0 ? lastWords(error.said) : 'it said nothing'
      // The message may come from what starts it, for example a container engine.
      if (!ITS_ERROR.test(text)) throw new UserError(`the collector could not be started: ${readable(text)}`)
      if (!/tail_sampling|policies/.test(text)) {
        throw new UserError(
          `the collector refuses its own configuration: ${readable(text)}. See collector/config.yaml and privacy/`,
        )
      }
      return { ready: false, why: readable(text) }
    }
    return { ready: true, complaints: warnings.map(complaint) }
  }

const ITS_ERROR = /^(Error: |collector server run finished with error: )/
/** The collector's message about the error that ended it. It may have several lines. */
function lastWords(lines: readonly string[]): string {
  const text = lines.join('\n')
  const from = Math.max(text.lastIndexOf('Error: '), text.lastIndexOf('collector server run finished with error: '), 0)
  return text.slice(from).replace(/\t\{.*$/gm, '')
}

/** The same without its outer contexts: only the innermost helps. */
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

/** A span without attributes, and spans with all attributes, in the types that senders use. */
function probe() {
  const now = Date.now()
  const span = (index: number, name: string, attributes: Record<string, unknown>): Span => ({
    traceId: id(String(index), 32),
    spanId: id(String(index), 16),
    name,
    kind: 1,
    startTimeUnixNano: nanosOf(now),
    endTimeUnixNano: nanosOf(now + 1),
    attributes: toAttributes(attributes),
  })
  const spans = [
    span(1, 'bare', {}),
    span(2, 'chat model', {
      'gen_ai.operation.name': 'chat',
      'gen_ai.agent.name': 'fox',
      'gen_ai.usage.input_tokens': 100n,
      'gen_ai.usage.output_tokens': 10n,
      'error.type': 'timeout',
    }),
    span(3, 'invoke_workflow tick', { 'gen_ai.operation.name': 'invoke_workflow', 'woodland.tokens': 5000n }),
  ]
  return traceRequest(spans, { resource: { 'service.name': 'policy-trial' } })
}
