import { stringify } from 'yaml'
import { z } from 'zod'
import { series } from './metrics.ts'
import { literal } from './regex.ts'
import { parseSettings, readText } from './settings-file.ts'

/** What agents may spend, in USD for any 24 hours. */
export type Budgets = Readonly<{ default: number; agents: Readonly<Record<string, number>> }>

// A fifth of a cent buys a few calls of the smallest model: less is a slip of the unit. So is more than a million.
const SMALLEST = 0.002
const LARGEST = 1_000_000

const PER_DAY = 'a budget is a number of USD per agent and day'
const usdPerDay = z
  .number({ error: `${PER_DAY}; write it without quotes or currency, e.g. 1.50` })
  .min(SMALLEST, {
    error: `${PER_DAY}, at least ${SMALLEST}; an agent that may spend nothing cannot be asked anything`,
  })
  .max(LARGEST, { error: `${PER_DAY}, at most ${LARGEST}; is it in another unit?` })

const file = z.strictObject(
  {
    default: usdPerDay,
    agents: z
      .record(
        z.string().regex(/\S/, { error: 'an agent has a name; write it as gen_ai.agent.name says it' }),
        usdPerDay,
        {
          error: 'agents maps the names of agents to USD per day; write "agents: {}" when all have the default',
        },
      )
      .default({}),
  },
  {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? 'the file has only the keys default and agents; rename or remove it, or move it below agents'
        : 'the file has the keys default and agents; write e.g. "default: 1.00"',
  },
)

/** Reads the budgets. A defect is an error that names the file, the line, the value, the rule and the fix. */
export const readBudgets = (path: string): Budgets => parseBudgets(readText(path, 'budget'), path)

export const parseBudgets = (text: string, path = 'grafana/budgets.yaml'): Budgets =>
  parseSettings(text, path, file, 'keep one of the two').data

const HEADER = `# What each agent has spent, and what it may spend in a day. The alerts on both are in grafana/alerts.yaml.
# Generated from grafana/budgets.yaml; Prometheus loads it. Do not edit: edit the budgets, then run make prices.
`

const spent = (record: string, window: string) => ({
  record,
  expr: `sum by (gen_ai_agent_name) (sum_over_time(${series.charged}[${window}]))`,
})

/** Every agent that has spent something in the last day has a budget: its own, or the default. */
export const renderBudgetRules = ({ default: usual, agents }: Budgets): string => {
  const listed = Object.keys(agents)
  const others = listed.length > 0 ? `{gen_ai_agent_name!~${JSON.stringify(listed.map(literal).join('|'))}}` : ''
  const rules = [
    spent(series.spent.fiveMinutes, '5m'),
    spent(series.spent.hour, '1h'),
    spent(series.spent.day, '1d'),
    ...Object.entries(agents).map(([agent, usd]) => ({
      record: series.budget,
      expr: `vector(${usd})`,
      labels: { gen_ai_agent_name: agent },
    })),
    { record: series.budget, expr: `${series.spent.day}${others} * 0 + ${usual}` },
  ]
  // A day has many points to add up, one every 5 s: every 10 s is often enough.
  return HEADER + stringify({ groups: [{ name: 'spending', interval: '10s', rules }] }, { lineWidth: 0 })
}
