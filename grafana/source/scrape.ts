import { stringify } from 'yaml'
import { COLLECTOR } from '../../vocabulary/attributes.ts'
import { relabelling } from './catalogue.ts'
import { series } from './metrics.ts'
import type { Price } from './prices.ts'

const header = (
  loader: string,
) => `# The two pages of the collector that Prometheus scrapes, and how series of tokens get their price key: each series once, when it is new.
# Generated from the package @pydantic/genai-prices and from grafana/prices.yaml; ${loader}. Do not edit:
# edit the prices, then run make prices, or grafana/source/, then run make boards.
`

/**
 * The collector bounds both of its pages (max_streams, aggregation_cardinality_limit). What is above the bound here is refused
 * whole, and TargetDown says so: it keeps a mistake there from filling the memory of Prometheus.
 */
const page = (name: string, found: object) => ({
  job_name: name,
  body_size_limit: '60MB',
  // A full page on a busy machine.
  scrape_timeout: '5s',
  // From the next process; to compress a full page takes as long as to write it.
  enable_compression: false,
  ...found,
})

/** In both boots, targets are in a file for each job. */
const inFiles = (name: string) => ({ file_sd_configs: [{ files: [`../targets/${name}.yaml`] }] })

/** In Kubernetes, they are the pods of deploy/kubernetes with a port of that name. */
const inPods = (port: string) => ({
  kubernetes_sd_configs: [{ role: 'pod' }],
  relabel_configs: [
    {
      source_labels: [
        '__meta_kubernetes_pod_label_app_kubernetes_io_part_of',
        '__meta_kubernetes_pod_container_port_name',
      ],
      regex: `thousand-token-wood;${port}`,
      action: 'keep',
    },
  ],
})

/** The jobs of both pages. In Kubernetes there is one more, which grafana/prometheus.yaml has for the boots here: what each Collector says of itself. */
export const renderScrape = (prices: readonly Price[], where: 'files' | 'pods' = 'files'): string => {
  const find = where === 'files' ? inFiles : inPods
  const metric_relabel_configs = relabelling(
    [series.countedTokens, series.sentTokens],
    [...new Set(prices.map(({ model }) => model))],
  )
  const own = inPods('own')
  const scrape_configs = [
    // What is counted here from spans.
    { ...page('counted', find('counted')), metric_relabel_configs },
    // What agents send: job and instance are their own, not the exporter's.
    { ...page('agents', find('agents')), honor_labels: true, metric_relabel_configs },
    ...(where === 'files'
      ? []
      : [
          {
            job_name: 'collector',
            metric_name_escaping_scheme: 'underscores',
            ...own,
            // The two pages name their Collector themselves.
            relabel_configs: [
              ...own.relabel_configs,
              { source_labels: ['__meta_kubernetes_pod_name'], target_label: COLLECTOR.NAME },
            ],
          },
        ]),
  ]
  const loader = where === 'files' ? 'grafana/prometheus.yaml loads it' : 'deploy/kubernetes makes a config map of it'
  return header(loader) + stringify({ scrape_configs }, { lineWidth: 0 })
}
