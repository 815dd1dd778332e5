import {
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  VariableHide,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { series, spans } from './metrics.ts'

/** Boards name their sources by variable, so that they also work where the sources have other uids. */
export const prometheusRef = { type: 'prometheus', uid: '$datasource' }
export const tempoRef = { type: 'tempo', uid: '$tempo' }

const source = (name: string, label: string, type: string, uid: string) =>
  new DatasourceVariableBuilder(name)
    .label(label)
    .type(type)
    .current({ text: label, value: uid })
    .hide(VariableHide.InControlsMenu)

export const prometheusVariable = () => source('datasource', 'Prometheus', 'prometheus', 'prometheus')
export const tempoVariable = () => source('tempo', 'Tempo', 'tempo', 'tempo')

/** Of everybody who asked a model or works as an agent: counted from spans, and of those that send no spans, from what they used. */
const SEEN = `{__name__=~"${spans.every}|${series.seen}", gen_ai_agent_name!=""}`

const names = (name: string, label: string, query: string) =>
  new QueryVariableBuilder(name)
    .label(label)
    .datasource(prometheusRef)
    .query({ query, refId: name, qryType: 1 })
    .definition(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)

const ALL = '.*'

const many = (variable: QueryVariableBuilder) =>
  variable.multi(true).includeAll(true).allValue(ALL).current({ text: 'All', value: '$__all' })

export const serviceVariable = () => many(names('service', 'Service', `label_values(${SEEN}, service_name)`))

const agents = () =>
  names('agent', 'Agent', `label_values(${SEEN.replace('}', ', service_name=~"$service"}')}, gen_ai_agent_name)`)

export const agentVariable = () => many(agents())

/** For a board about one agent. A link from a board on which all are chosen opens it with all: without that choice it would be empty. */
export const oneAgentVariable = () => agents().multi(false).includeAll(true).allValue(ALL)
