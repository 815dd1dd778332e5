import jsep from 'jsep'
import type { ChatCompletionTool } from 'openai/resources/chat/completions'
import { z } from 'zod'
import { GOODS, type World } from '../economy/world.ts'

/** Sizes in the unit they are listed under. A basket and a cartload are the wood's own; the rest are exact by definition. */
const MEASURES: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  km: { km: 1, miles: 1.609344, hops: 0.0005 },
  kg: { kg: 1, lb: 0.45359237, baskets: 2.5, cartloads: 40 },
}

export type ToolCall = Readonly<{ id: string; name: string; arguments: string }>
export type ToolResult = Readonly<{ content: string; error?: 'unknown_tool' | 'bad_arguments' | 'unavailable' }>

type Tool = Readonly<{ description: string; input: z.ZodObject; run: (input: never, world: World) => unknown }>

const tool = <S extends z.ZodObject>(
  description: string,
  input: S,
  run: (input: z.infer<S>, world: World) => unknown,
): Tool => ({ description, input, run })

const TOOLS: Readonly<Record<string, Tool>> = {
  calculate: tool(
    'Work out an arithmetic expression with + - * / % and brackets.',
    z.object({ expression: z.string().max(200) }),
    ({ expression }) => finite(evaluate(jsep(expression))),
  ),
  convert_units: tool(
    `Convert between ${Object.values(MEASURES)
      .map((units) => Object.keys(units).join(', '))
      .join('; or between ')}.`,
    z.object({ value: z.number(), from: z.string(), to: z.string() }),
    ({ value, from, to }) => {
      const units = Object.values(MEASURES).find((units) => Object.hasOwn(units, from) && Object.hasOwn(units, to))
      if (!units) throw new Error(`no way from "${from}" to "${to}"`)
      return finite((value * (units[from] ?? Number.NaN)) / (units[to] ?? Number.NaN))
    },
  ),
  recent_prices: tool(
    'The last price, in pebbles, at which a good changed hands; null when it never has.',
    z.object({ good: z.enum(GOODS).optional() }),
    ({ good }, world) => {
      const prices = Object.entries(world.prices).filter(([name]) => !good || name === good)
      return Object.fromEntries(prices.map(([name, cents]) => [name, cents === null ? null : cents / 100]))
    },
  ),
}

export const toolDefinitions: ChatCompletionTool[] = Object.entries(TOOLS).map(([name, { description, input }]) => ({
  type: 'function',
  function: { name, description, parameters: z.toJSONSchema(input) },
}))

export const isTool = (name: string): boolean => Object.hasOwn(TOOLS, name)

/** Runs one tool call of a model. Never throws: the model gets the error as its result. */
export function runTool(call: ToolCall, world: World): ToolResult {
  const tool = isTool(call.name) ? TOOLS[call.name] : undefined
  if (!tool) return failure('unknown_tool', `there is no tool "${call.name}", only ${Object.keys(TOOLS).join(', ')}`)
  try {
    const input = tool.input.parse(JSON.parse(call.arguments))
    return { content: JSON.stringify({ result: tool.run(input as never, world) }) }
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : error instanceof Error ? error.message : 'failed'
    return failure('bad_arguments', why)
  }
}

const failure = (error: NonNullable<ToolResult['error']>, why: string): ToolResult => ({
  content: JSON.stringify({ error: why }),
  error,
})

/** JSON has no word for infinity: it would reach the model as null, which looks like an answer. */
function finite(value: number): number {
  if (!Number.isFinite(value)) throw new Error('the result is not a number')
  return value
}

const OPERATORS: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
}

function evaluate(expression: jsep.Expression): number {
  const node = expression as jsep.CoreExpression
  if (node.type === 'Literal' && typeof node.value === 'number') return node.value
  if (node.type === 'UnaryExpression' && node.operator === '-') return -evaluate(node.argument)
  const operator = node.type === 'BinaryExpression' ? OPERATORS[node.operator] : undefined
  if (node.type !== 'BinaryExpression' || !operator) {
    throw new Error('only numbers, brackets and + - * / % can be worked out')
  }
  return operator(evaluate(node.left), evaluate(node.right))
}
