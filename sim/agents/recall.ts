import type { ChatCompletionTool } from 'openai/resources/chat/completions'
import type { AgentName, World } from '../economy/world.ts'
import type { ToolCall, ToolResult } from './tools.ts'

export const RECALL_TOOL = 'recall_last_turn'

export const recallDefinition: ChatCompletionTool = {
  type: 'function',
  function: {
    name: RECALL_TOOL,
    description: 'What happened in your last turn of which a record was kept, and what went wrong in it.',
    parameters: { type: 'object', properties: {} },
  },
}

/** What happened in the last turn of an agent that was kept, in words. Throws when it cannot be known now. */
export type Recall = (agent: AgentName) => Promise<string>

type Use = (call: ToolCall, world: World) => ToolResult

/** The tools of `use`, and that one beside them, where the prompt of the turn allows it. The agent gets an error as its result. */
export const withRecall =
  (use: Use, recall: Recall | undefined) =>
  async (call: ToolCall, agent: AgentName, world: World, mayRecall: boolean): Promise<ToolResult> => {
    if (call.name !== RECALL_TOOL || !mayRecall || recall === undefined) return use(call, world)
    try {
      return { content: JSON.stringify({ result: await recall(agent) }) }
    } catch (error) {
      return { content: JSON.stringify({ error: (error as Error).message }), error: 'unavailable' }
    }
  }
