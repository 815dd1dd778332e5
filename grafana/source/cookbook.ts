import { TextMode, PanelBuilder as TextPanel } from '@grafana/grafana-foundation-sdk/text'
import { parse } from 'yaml'
import { z } from 'zod'
import { exploreFixed, KINDS, onThisMachine } from './links.ts'
import { fillIn } from './settings.ts'

const recipe = z.strictObject({
  id: z.string().regex(/^[a-z0-9]+(-[a-z0-9]+)*$/),
  question: z.string().endsWith('?'),
  query: z.string(),
  kind: z.enum(KINDS).default('search'),
  /** An answer is a fault. */
  empty: z.boolean().default(false),
  shows: z.string().endsWith('.'),
})

/** A question in TraceQL with what its answer shows. */
export type Recipe = Readonly<z.infer<typeof recipe>>

/** The recipes of grafana/traceql.yaml. Throws what is wrong with which of them. */
export const readRecipes = (text = fillIn('grafana/traceql.yaml')): readonly Recipe[] => {
  const read = z.array(recipe).min(1).safeParse(parse(text))
  if (!read.success) throw new Error(`grafana/traceql.yaml: ${z.prettifyError(read.error)}`)
  const ids = read.data.map(({ id }) => id)
  const twin = ids.find((id, index) => ids.indexOf(id) !== index)
  if (twin) throw new Error(`grafana/traceql.yaml: "${twin}" is the id of two questions; ids must differ`)
  return read.data
}

const HEAD = `# Questions to ask Tempo

Generated from [grafana/traceql.yaml](../grafana/traceql.yaml) by \`make boards\`. Each question is asked of a real Tempo by
\`test/traceql.test.ts\`, and its answer is compared with the ledger of the run that made the traffic. The links open Explore in the
Grafana of \`make up\`. Numbers and names are examples: change them there. If you type a question yourself, choose *Options → Table format → Spans*: with
*Traces*, Grafana 13.1 shows an error when one of the traces lacks an attribute that the question selects. Where the right answer is nothing, it says *0 series returned*.
`

/** docs/traceql.md. */
export const renderCookbook = (recipes: readonly Recipe[]): string => {
  const section = ({ question, query, kind, shows }: Recipe) => `## ${question}

\`\`\`traceql
${query}
\`\`\`

${shows} [Ask in Explore](${onThisMachine('GRAFANA_PORT', exploreFixed(query, kind))})
`
  return [HEAD, ...recipes.map(section)].join('\n')
}

/** A panel of links to Explore, one for each question. */
export const questionsPanel = (width: number, height: number) =>
  new TextPanel()
    .title('Questions to ask Tempo')
    .description(
      'Each link opens Explore with a TraceQL question, the last hour long. Numbers and names in them are examples: change them there. What each answer shows is in docs/traceql.md.',
    )
    .span(width)
    .height(height)
    .mode(TextMode.Markdown)
    .content(
      readRecipes()
        .map(({ question, query, kind }) => `- [${question}](${exploreFixed(query, kind)})`)
        .join('\n'),
    )
