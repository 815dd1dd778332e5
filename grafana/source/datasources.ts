import {
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  VariableHide,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard'

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

const AGENTS = 'label_values(gen_ai_client_operation_duration_seconds_count, gen_ai_agent_name)'

const agents = () =>
  new QueryVariableBuilder('agent')
    .label('Agent')
    .datasource(prometheusRef)
    .query({ query: AGENTS, refId: 'agent', qryType: 1 })
    .definition(AGENTS)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)

export const agentVariable = () =>
  agents().multi(true).includeAll(true).allValue('.*').current({ text: 'All', value: '$__all' })

/** For a board about one agent. It names none, so it opens with the first that is there. */
export const oneAgentVariable = () => agents().multi(false).includeAll(false)
