import { stringify } from 'yaml'
import { relabelling } from './catalogue.ts'
import { series } from './metrics.ts'
import type { Price } from './prices.ts'

const HEADER = `# The two pages of the collector that Prometheus scrapes, and how series of tokens get their price key: each series once, when it is new.
# Generated from the package @pydantic/genai-prices and from grafana/prices.yaml; grafana/prometheus.yaml loads it. Do not edit:
# edit the prices, then run make prices, or grafana/source/, then run make boards.
`

/**
 * The collector bounds both of its pages (max_streams, aggregation_cardinality_limit). What is above the bound here is refused
 * whole, and TargetDown says so: it keeps a mistake there from filling the memory of Prometheus.
 */
const page = (name: string) => ({
  job_name: name,
  body_size_limit: '60MB',
  // A full page on a busy machine.
  scrape_timeout: '5s',
  // From the next process; to compress a full page takes as long as to write it.
  enable_compression: false,
  file_sd_configs: [{ files: [`../targets/${name}.yaml`] }],
})

export const renderScrape = (prices: readonly Price[]): string => {
  const metric_relabel_configs = relabelling(
    [series.countedTokens, series.sentTokens],
    [...new Set(prices.map(({ model }) => model))],
  )
  const scrape_configs = [
    // What is counted here from spans.
    { ...page('counted'), metric_relabel_configs },
    // What agents send: job and instance are their own, not the exporter's.
    { ...page('agents'), honor_labels: true, metric_relabel_configs },
  ]
  return HEADER + stringify({ scrape_configs }, { lineWidth: 0 })
}
