import { stringify } from 'yaml'

const HEADER = `# The config maps of deploy/kubernetes/ for a Grafana and a Prometheus that exist already. It is here because kustomize reads files
# only below its own. Generated from the boards and rules that there are. Do not edit: run make boards.
`

/** Alone it is nearly as large as a config map may be. */
const LARGE = 'catalogue.rules.yaml'

/** What kustomize makes of this room: config maps of these boards and rules, and of the jobs for Kubernetes. */
export function renderKustomization(boards: readonly string[], rules: readonly string[]): string {
  const sorted = (folder: string, names: readonly string[]) => names.toSorted().map((name) => `${folder}/${name}`)
  return (
    HEADER +
    stringify({
      apiVersion: 'kustomize.config.k8s.io/v1beta1',
      kind: 'Kustomization',
      // Others name the config maps, so their names have no digest.
      generatorOptions: { disableNameSuffixHash: true },
      configMapGenerator: [
        // The label by which the sidecar of Grafana's Helm chart finds boards.
        {
          name: 'grafana-boards',
          options: { labels: { grafana_dashboard: '1' } },
          files: sorted('dashboards', boards),
        },
        {
          name: 'prometheus-rules',
          files: sorted(
            'rules',
            rules.filter((name) => name !== LARGE),
          ),
        },
        { name: 'prometheus-price-catalogue', files: [`rules/${LARGE}`] },
        { name: 'prometheus-scrape', files: ['scrape/kubernetes.yml'] },
      ],
    })
  )
}
