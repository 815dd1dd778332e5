import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { exampleOf } from '../examples.ts'
import type { Span } from '../queries.ts'
import { ROOT } from '../settings.ts'

/** Which example of examples/ a user has to look at, by the name of the scope that makes the spans. The first that fits. */
const BY_SCOPE: readonly (readonly [scope: RegExp, example: string])[] = [
  [/openai_agents/, 'openai-agents'],
  [/langchain|langgraph/, 'langgraph'],
  [/litellm/, 'litellm'],
  [/^pydantic-ai/, 'pydantic-ai'],
  [/openai_v2|^openinference\.instrumentation\.openai$/, 'openai-v2'],
  [/^traceloop|instrumentation\.openai\.v\d/, 'traceloop'],
  [/^ai$/, 'vercel-ai'],
]

/** The lines of each example that name the agent begin with such a line. */
const NAMES_THE_AGENT =
  /^class AgentName|\bcreate_agent\(|\bAgent\(name=|^@agent\(|\bfunctionId: |'gen_ai\.agent\.name': /

/** The example whose SDK made these spans; undefined when they are written by hand, or no example fits. */
export const exampleFor = (spans: readonly Span[]): string | undefined =>
  BY_SCOPE.find(([scope]) => spans.some(({ scopeName }) => scope.test(scopeName)))?.[1]

/** The example to copy from: for spans by hand, one in the same language. */
export const nearestExample = (spans: readonly Span[]): string =>
  exampleFor(spans) ??
  (spans.some(({ resource }) => resource['telemetry.sdk.language'] === 'python') ? 'openai-v2' : 'opentelemetry')

const programOf = (example: string) => {
  const { file } = exampleOf(example)
  return { file: relative(ROOT, file), lines: readFileSync(file, 'utf8').split('\n') }
}

/** The file of an example, and its few lines that give calls the name of their agent. */
export function agentLines(example: string): Readonly<{ file: string; lines: readonly string[] }> {
  const { file, lines } = programOf(example)
  const from = lines.findIndex((line) => NAMES_THE_AGENT.test(line))
  if (from < 0) throw new Error(`${file} has no line that names the agent: say in ${import.meta.filename} how it does`)
  const first = lines[from] ?? ''
  if (!first.startsWith('class ')) return { file, lines: [first.trim()] }
  const rest = lines.slice(from + 1)
  const end = rest.findIndex((line) => /^\S/.test(line))
  const use = lines.find((line) => line.includes('add_span_processor(AgentName')) ?? ''
  const body = [first, ...rest.slice(0, end), use].filter((line) => line.trim() !== '' && !line.includes('"""'))
  return { file, lines: body }
}
