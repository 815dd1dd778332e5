import {
  ArcOptionBuilder,
  EdgeOptionsBuilder,
  PanelBuilder as NodeGraphPanel,
  NodeOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/nodegraph'
import { prometheusRef } from './datasources.ts'
import { NO_TRAFFIC, type Size } from './panels.ts'
import { now } from './targets.ts'

/**
 * Who calls whom. Each question, whose name begins with nodes or edges, gives series with the label `stat`, which is the name of a field of
 * Grafana's node graph; all that have one `id` become one node or edge. The graph takes no units, names or colours but those of its own options.
 */
export const nodeGraph = (
  title: string,
  { width = 24, height = 16, none = NO_TRAFFIC }: Size & Readonly<{ none?: string }>,
  questions: Readonly<Record<'nodes' | 'edges', Readonly<Record<string, string>>>>,
  {
    units,
    names,
    colours,
    row,
  }: Readonly<{
    /** Of the first and the second number, in a node and on an edge. */
    units: Readonly<{ nodes: readonly [string, string]; edges: readonly [string, string] }>
    /** Of fields, as they are shown and in their order. */
    names: Readonly<{ nodes: Readonly<Record<string, string>>; edges: Readonly<Record<string, string>> }>
    /** Of the parts of the circle around a node. */
    colours: Readonly<Record<string, string>>
    /**
     * The nodes of each question stand together, by name in rows, which are so many pixels apart. The fields first, columns, breadth and
     * half say where the first column stands, how many there are, how many pixels they take, and how far the first row is above the middle.
     * Without it, Grafana finds a place for each node.
     */
    row?: number
  }>,
) => {
  const panel = new NodeGraphPanel()
    .title(title)
    .span(width)
    .height(height)
    .datasource(prometheusRef)
    .noValue(none)
    // Grafana ends the graph with an error when an edge has no node. What was scraped and added up ten seconds ago is the same for all
    // questions; what is newer may come in between two of them.
    .timeShift('10s')
    .hideTimeOverride(true)
    .nodes(
      new NodeOptionsBuilder()
        .mainStatUnit(units.nodes[0])
        .secondaryStatUnit(units.nodes[1])
        .arcs(Object.entries(colours).map(([field, color]) => new ArcOptionBuilder().field(field).color(color))),
    )
    .edges(new EdgeOptionsBuilder().mainStatUnit(units.edges[0]).secondaryStatUnit(units.edges[1]))
    .withTransformation({ id: 'labelsToFields', options: { mode: 'columns', valueLabel: 'stat' } })
    .withTransformation({ id: 'filterFieldsByName', options: { exclude: { names: ['Time'] } } })
  for (const what of ['nodes', 'edges'] as const) {
    for (const [refId, expr] of Object.entries(questions[what])) panel.withTarget(now(refId, expr))
    // After the merge the name begins with that of the transformation.
    const named = (name: string) => ({ id: 'byRefId', options: `/^(merge-)*${name}/` })
    const filter = named(what)
    if (row !== undefined && what === 'nodes')
      for (const refId of Object.keys(questions.nodes)) inRows(panel, named(refId), row)
    panel.withTransformation({ id: 'merge', filter, options: {} })
    const indexByName = Object.fromEntries(Object.keys(names[what]).map((name, index) => [name, index]))
    panel.withTransformation({ id: 'organize', filter, options: { renameByName: names[what], indexByName } })
  }
  return panel
}

/** Places the nodes of one question, row by row. */
const inRows = (panel: NodeGraphPanel, filter: { id: string; options: string }, row: number) => {
  const calculated = (alias: string, left: string, operator: string, right: string) => ({
    id: 'calculateField',
    filter,
    options: { mode: 'binary', binary: { left, operator, right }, alias },
  })
  panel
    .withTransformation({ id: 'merge', filter, options: {} })
    .withTransformation({ id: 'sortBy', filter, options: { sort: [{ field: 'title' }] } })
    .withTransformation({ id: 'calculateField', filter, options: { mode: 'index', alias: 'index' } })
    .withTransformation(calculated('before', 'index', '/', 'columns'))
    .withTransformation({
      id: 'calculateField',
      filter,
      options: { mode: 'unary', unary: { operator: 'floor', fieldName: 'before' }, alias: 'rows' },
    })
    .withTransformation(calculated('below', 'rows', '*', String(row)))
    .withTransformation(calculated('fixedy', 'below', '-', 'half'))
    // What is left of the division says which column it is.
    .withTransformation(calculated('part', 'before', '-', 'rows'))
    .withTransformation(calculated('beside', 'part', '*', 'breadth'))
    .withTransformation(calculated('fixedx', 'beside', '+', 'first'))
}
